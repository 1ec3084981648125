"""Why a contact is where it is in the list: facts as code, figures and an English sentence."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from tracetogether.parameters import CloseContactPolicy
from tracetogether.units import Interval


@dataclass(frozen=True, slots=True)
class Reason:
    """One fact; pages translate it by its code.

    The codes and their figures:

    - ``probability``: ``probability`` (of a close contact), ``policy_minutes``, ``within_m``
    - ``minutes``: ``minutes``, ``minutes_low``, ``minutes_high``, ``within_m``
    - ``busiest_24h``: ``minutes_24h``, ``policy_minutes``, ``within_m``
    - ``nearest``: ``nearest_m``, ``nearest_low_m``, ``nearest_high_m``
    - ``days``: ``days`` (how many)
    - ``last_seen``: ``days_before`` (the case's date; below 0 after it)
    - ``seen_by``: ``case``, ``contact`` (1 if that phone recorded it, else 0)

    Attributes:
        code: which fact.
        figures: its numbers by name.
        text: the same in English.
    """

    code: str
    figures: Mapping[str, float] = field(hash=False)
    text: str


def reasons_for(
    policy: CloseContactPolicy,
    *,
    probability: float,
    minutes: Interval,
    minutes_24h: Interval,
    nearest_m: Interval,
    days: int,
    last_day: int,
    seen_by: str,
    case_day: int | None,
) -> tuple[Reason, ...]:
    """Return the facts about a contact, the most important for its place in the list first.

    Args:
        policy: the close-contact policy.
        probability: of a close contact under the policy.
        minutes: within the policy's radius, altogether.
        minutes_24h: the same in the busiest 24 hours.
        nearest_m: nearest distance.
        days: on how many days.
        last_day: number of the last of them.
        seen_by: "case", "contact" or "both".
        case_day: number of the case's date, None if there is no case.
    """
    limit = {"policy_minutes": policy.minutes, "within_m": policy.within_m}
    least = f"{policy.minutes:g} min or more in 24 hours"
    reach = "reaches" if minutes_24h.median >= policy.minutes else "below"
    found = [
        _reason(
            "probability",
            f"{_percent(probability)} likely {policy.near} for {least}",
            {"probability": probability, **limit},
        ),
        _reason(
            "minutes",
            f"{_range(minutes, '.0f')} min {policy.near}",
            {**_figures("minutes", "", minutes), "within_m": policy.within_m},
        ),
        _reason(
            "busiest_24h",
            f"{minutes_24h.median:.0f} min in the busiest 24 hours, {reach} {policy.minutes:g}",
            {"minutes_24h": minutes_24h.median, **limit},
        ),
        _reason(
            "nearest",
            f"nearest {_range(nearest_m, '.1f')} m",
            _figures("nearest", "_m", nearest_m),
        ),
        _reason("days", "on 1 day" if days == 1 else f"on {days} days", {"days": days}),
    ]
    if case_day is not None:
        before = case_day - last_day
        found.append(_reason("last_seen", _last_seen(before), {"days_before": before}))
    sides = {"case": float(seen_by != "contact"), "contact": float(seen_by != "case")}
    found.append(_reason("seen_by", _PHONES[seen_by], sides))
    return tuple(found)


_PHONES = {
    "case": "recorded by the case's phone alone",
    "contact": "recorded by this person's phone alone",
    "both": "recorded by both phones",
}


def _reason(code: str, text: str, figures: Mapping[str, float]) -> Reason:
    return Reason(code, MappingProxyType(dict(figures)), text)


def _figures(name: str, unit: str, value: Interval) -> dict[str, float]:
    return {
        f"{name}{unit}": value.median,
        f"{name}_low{unit}": value.low,
        f"{name}_high{unit}": value.high,
    }


def _range(value: Interval, form: str) -> str:
    return f"{value.median:{form}} ({value.low:{form}} to {value.high:{form}})"


def _percent(share: float) -> str:
    """Return a probability as text; beyond 1 % and 99 % only the bound is given."""
    if share < 0.01:
        return "less than 1 %"
    if share > 0.99:
        return "more than 99 %"
    return f"{share:.0%}".replace("%", " %")


def _last_seen(days: int) -> str:
    if days == 0:
        return "last seen on the case's date"
    side = "before" if days > 0 else "after"
    count = "1 day" if abs(days) == 1 else f"{abs(days)} days"
    return f"last seen {count} {side} the case's date"
