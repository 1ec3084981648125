"""What the logs say of a contact, as lines of the timeline and rows of its table."""

from collections.abc import Callable, Iterable

from tracetogether.adapters.operator_pages.labels import CONTACT_STATES, SIDES
from tracetogether.adapters.operator_pages.pictures import DayNear, PersonNear
from tracetogether.adapters.operator_pages.rendering import (
    day_text,
    metres_text,
    minutes_text,
    percent_text,
)
from tracetogether.authority.contacts.lines import Contact, ContactDay
from tracetogether.authority.desk.views import Followed


def line_of(
    contact: Contact, followed: Followed | None, say: Callable[..., str], base: str
) -> PersonNear:
    """Return a contact's line of the timeline, whose link begins with ``base``."""
    likely = f"{100 * contact.probability:.0f} %"
    state = "" if followed is None else say(CONTACT_STATES[followed.kept.state])
    link = "" if followed is None else f"{base}/contacts/{followed.kept.contact_id}"
    return PersonNear(
        name=contact.pseudonym,
        link=link or f"#{contact.pseudonym}",
        under=f"{likely} · {state}" if state else likely,
        days=[_day(contact.pseudonym, one, say) for one in contact.days],
    )


def _day(name: str, day: ContactDay, say: Callable[..., str]) -> DayNear:
    said = say(
        "{name}, {day}: {minutes} min, nearest {nearest} m, recorded by {side}",
        name=name,
        day=day_text(day.day),
        minutes=minutes_text(day.minutes),
        nearest=metres_text(day.nearest_m),
        side=say(SIDES[day.seen_by]),
    )
    return DayNear(
        day=day.day,
        low=day.minutes.low,
        minutes=day.minutes.median,
        high=day.minutes.high,
        nearest_m=day.nearest_m.median,
        seen_by=day.seen_by,
        said=said,
    )


def why(contact: Contact, say: Callable[..., str]) -> list[str]:
    """Return the facts that decide a contact's place, those that weigh most first."""
    said = []
    for reason in contact.reasons:
        of = reason.figures
        match reason.code:
            case "probability":
                text = say(
                    "{share} likely to reach {limit} min within {metres} m in 24 hours",
                    share=percent_text(of["probability"]),
                    limit=f"{of['policy_minutes']:g}",
                    metres=f"{of['within_m']:g}",
                )
            case "minutes":
                near = minutes_text(contact.minutes)
                text = say("{minutes} min near altogether", minutes=near)
            case "busiest_24h":
                near = minutes_text(contact.busiest_24h)
                text = say("{minutes} min in the busiest 24 hours", minutes=near)
            case "nearest":
                text = say("nearest {metres} m", metres=metres_text(contact.nearest_m))
            case "days":
                text = say("days: {count}", count=f"{of['days']:g}")
            case "last_seen":
                text = say(
                    "days from the last one to the case’s date: {count}",
                    count=f"{of['days_before']:g}",
                )
            case "seen_by":
                text = say("recorded by {side}", side=say(SIDES[contact.seen_by]))
            case _:
                text = reason.text
        said.append(text)
    return said


def days_of(contacts: Iterable[Contact]) -> list[tuple[ContactDay, str]]:
    """Return all days of some contacts, the latest first, each with the person's pseudonym."""
    pairs = [(day, one.pseudonym) for one in contacts for day in one.days]
    return sorted(pairs, key=lambda pair: (-pair[0].day, -pair[0].minutes.median, pair[1]))
