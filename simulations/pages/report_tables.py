"""The tables of a run's page: where contacts were lost, how far to trust P, by phone and place."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from markupsafe import Markup

from simulations.pages.kept_run import KeptRun
from simulations.pages.outcome_charts import share_bar
from simulations.pages.outcomes import KINDS, WORDS, ContactOutcome, OutcomeColumns
from simulations.pages.report_words import (
    LOST,
    PLACES,
    SYSTEMS,
    bounds_text,
    percent_text,
    person_text,
    setting_text,
    system_pair_text,
)
from simulations.people.bodies import Carry
from simulations.scores.intervals import Measured, share_of_groups
from tracetogether.units import Bools

FIRST_ROWS: Final = 12
"""Rows of a long table that are shown at once; the others open below it."""
_BINS: Final = (0.0, 0.02, 0.1, 0.3, 0.5, 0.7, 1.0)
_WITH_APP: Final = (ContactOutcome.FOUND, ContactOutcome.TOO_LOW, ContactOutcome.NOT_HEARD)


@dataclass(frozen=True, slots=True)
class ShareCell:
    """A share in a table.

    Attributes:
        words: the share with its interval, in words.
        of: what it is a share of, in words.
        bar: the same drawn.
    """

    words: str
    of: str
    bar: Markup


@dataclass(frozen=True, slots=True)
class FlowPart:
    """One part of all contacts: what became of them, in words, how many, and their share."""

    outcome: ContactOutcome
    words: str
    count: int
    share: str


def share_cell(
    share: float | None, low: float | None, high: float | None, of: str, none: str = "–"
) -> ShareCell:
    """Return a share for a table; ``none`` if there is none."""
    if share is None:
        return ShareCell(none, of, Markup(""))
    bounds = bounds_text(low, high)
    words = percent_text(share) + (f" ({bounds})" if bounds else "")
    return ShareCell(words, of, share_bar(share, low, high))


def flow_parts(run: KeptRun, lines: OutcomeColumns) -> list[FlowPart]:
    """Return the parts of all true contacts, app or not; none of them is empty."""
    scores = run.scores
    found, missed = int(scores["found"]), int(scores["missed"])
    every = int(scores.get("all_contacts", found + missed))
    unheard = min(lines.count(ContactOutcome.NOT_HEARD), missed)
    counts = {
        ContactOutcome.FOUND: found,
        ContactOutcome.TOO_LOW: missed - unheard,
        ContactOutcome.NOT_HEARD: unheard,
        ContactOutcome.NO_APP: every - found - missed,
    }
    words = dict(enumerate(WORDS)) | {
        ContactOutcome.NO_APP: "missed: one of the two has no app, or both"
    }
    if len(run.cases) < len(run.app):
        words[ContactOutcome.NO_APP] = "one of the two has no app, or was no index case"
    return [
        FlowPart(outcome, words[outcome], count, percent_text(count / every))
        for outcome, count in counts.items()
        if count
    ]


def trust_rows(lines: OutcomeColumns) -> list[tuple[str, int, str, ShareCell]]:
    """Return, for each range of P: the range, number of lines, mean of P, and share of contacts."""
    known = ~np.isnan(lines.chance)
    true = np.isin(lines.outcome, (ContactOutcome.FOUND, ContactOutcome.TOO_LOW))
    rows = []
    for low, high in pairwise(_BINS):
        upto = lines.chance <= high if high == 1 else lines.chance < high
        here = known & (lines.chance >= low) & upto
        if not here.any():
            continue
        groups, place = np.unique(lines.case[here], return_inverse=True)
        hits = np.bincount(place, weights=true[here], minlength=len(groups)).astype(np.float64)
        share = share_of_groups(hits, np.bincount(place).astype(np.float64))
        cell = _measured_cell(share, f"{int(here.sum()):,}")
        said = f"{100 * low:g} to {100 * high:g} %"
        mean = percent_text(float(lines.chance[here].mean()))
        rows.append((said, int(here.sum()), mean, cell))
    return rows


def carry_rows(run: KeptRun, lines: OutcomeColumns) -> list[dict[str, Any]]:
    """Return a row for each usual place of the case's phone."""
    recorded = {row["name"]: row for row in run.scores.get("by_carry", ())}
    rows = []
    for place in Carry:
        cases = run.cases[run.carry[run.cases] == place]
        if not len(cases):
            continue
        here = np.isin(lines.case, cases)
        kept = recorded.get(place.name.lower())
        rows.append(
            {
                "name": PLACES.get(place.name.lower(), place.name.lower()),
                "cases": len(cases),
                "recorded": None if kept is None else _recorded(kept),
                "found": found_cell(lines, here),
                "wrong": _wrong_cell(lines, here),
            }
        )
    return rows


def found_cell(lines: OutcomeColumns, here: Bools) -> ShareCell:
    """Return the share found of some cases' contacts with the app, with its interval by cases."""
    with_app = here & np.isin(lines.outcome, _WITH_APP)
    return _share_by_case(lines, with_app, lines.outcome == ContactOutcome.FOUND)


def _wrong_cell(lines: OutcomeColumns, here: Bools) -> ShareCell:
    listed = here & np.isin(lines.outcome, (ContactOutcome.FOUND, ContactOutcome.WRONG))
    return _share_by_case(lines, listed, lines.outcome == ContactOutcome.WRONG)


def _share_by_case(lines: OutcomeColumns, of: Bools, hit: Bools) -> ShareCell:
    hits, number = int((of & hit).sum()), int(of.sum())
    words = f"{hits:,} of {number:,}"
    groups, place = np.unique(lines.case[of], return_inverse=True)
    found = np.bincount(place, weights=hit[of], minlength=len(groups)).astype(np.float64)
    share = share_of_groups(found, np.bincount(place).astype(np.float64))
    return _measured_cell(share, words)


def _measured_cell(share: Measured | None, of: str) -> ShareCell:
    if share is None:
        return share_cell(None, None, None, of)
    return share_cell(share.median, share.low, share.high, of)


def system_rows(run: KeptRun) -> list[dict[str, Any]]:
    """Return a row for each pair of operating systems, the hearing one first."""
    return [
        {
            "name": system_pair_text(row["name"]),
            "recorded": _recorded(row),
            "found": f"{row.get('found', 0):,} of {row.get('true_contacts', 0):,}",
        }
        for row in run.scores.get("by_systems", ())
    ]


def distance_rows(run: KeptRun) -> list[dict[str, Any]]:
    """Return a row for each distance band."""
    return [
        {"name": row["name"].replace("-", " to "), "recorded": _recorded(row)}
        for row in run.scores.get("by_distance", ())
    ]


def place_rows(run: KeptRun, lines: OutcomeColumns) -> list[dict[str, Any]]:
    """Return a row for each space where contacts were, and for those within and between groups.

    Pairs that were near in none of these spaces have a row too, so that the rows add up.
    """
    truth, people = run.truth, run.people
    contact = np.isin(lines.outcome, (*_WITH_APP, ContactOutcome.NO_APP)) & (lines.person >= 0)
    every = np.isin(lines.outcome, (*_WITH_APP, ContactOutcome.WRONG)) & (lines.person >= 0)
    low, high = np.minimum(lines.case, lines.person), np.maximum(lines.case, lines.person)
    codes, wanted = truth.first * people + truth.second, low * people + high
    spaces = np.full(len(lines), "", dtype=object)
    if len(codes):
        order = np.argsort(codes)
        at = order[np.minimum(np.searchsorted(codes, wanted, sorter=order), len(codes) - 1)]
        known = codes[at] == wanted
        spaces[known] = np.array(truth.space, dtype=object)[at[known]]
    shown = sorted(set(spaces[contact].tolist()) - {""})
    rows = [_place_row(lines, f"in {name}", every & (spaces == name)) for name in shown]
    elsewhere = every & ~np.isin(spaces.astype(np.str_), shown)
    if shown and elsewhere.any():
        rows.append(_place_row(lines, "elsewhere, or never near", elsewhere))
    groups = np.array(run.groups)
    if len(set(run.groups)) > 1:
        same = groups[lines.case] == groups[lines.person]
        rows.append(_place_row(lines, "of one group", every & same))
        rows.append(_place_row(lines, "of two groups", every & ~same))
    return rows


def _place_row(lines: OutcomeColumns, name: str, here: Bools) -> dict[str, Any]:
    return {
        "name": name,
        "found": found_cell(lines, here),
        "wrong": f"{lines.count(ContactOutcome.WRONG, here):,}",
    }


def case_rows(run: KeptRun, lines: OutcomeColumns) -> list[dict[str, Any]]:
    """Return a row for each index case; most contacts with the app first."""
    rows = []
    for case, part in lines.by_case(run.cases):
        counts = np.bincount(lines.outcome[part], minlength=len(ContactOutcome)).tolist()
        rows.append(
            {
                "person": case,
                "name": person_text(run, case),
                "carry": PLACES.get(Carry(int(run.carry[case])).name.lower(), ""),
                "with_app": sum(counts[kind] for kind in _WITH_APP),
                **{KINDS[kind].replace("-", "_"): counts[kind] for kind in ContactOutcome},
            }
        )
    rows.sort(key=lambda row: (-row["with_app"], -row["found"], -row["wrong"], row["person"]))
    return rows


def list_rows(lines: OutcomeColumns, case: int) -> list[list[Any]]:
    """Return a case's lines for the page and its script, the telling ones first.

    A line is: person (None if unknown), code of the outcome, P, minutes estimated (low, median,
    high), nearest distance estimated, true minutes, true nearest distance; None where not known.
    """
    ((_, part),) = lines.by_case(np.array([case]))
    order = np.arange(part.start, part.stop)
    rank = np.array([0, 1, 2, 3, 0, 4])[lines.outcome[order]]
    chance = np.nan_to_num(lines.chance[order], nan=-1)
    order = order[np.lexsort((-lines.true_minutes[order], -chance, rank))]
    rows = []
    for row in order.tolist():
        numbers = (
            (lines.chance[row], 3),
            *((lines.minutes[place, row], 1) for place in range(3)),
            (lines.nearest_m[row], 2),
            (lines.true_minutes[row], 1),
            (lines.true_nearest_m[row], 2),
        )
        person = int(lines.person[row])
        rows.append(
            [
                person if person >= 0 else None,
                int(lines.outcome[row]),
                *(_rounded(float(value), digits) for value, digits in numbers),
            ]
        )
    return rows


def _rounded(value: float, digits: int) -> float | None:
    return round(value, digits) if np.isfinite(value) else None


def lost_rows(run: KeptRun) -> list[tuple[str, str]]:
    """Return what phones lost, and what the authority rejected."""
    return [
        (LOST.get(name, f"records rejected: {name.replace('_', ' ')}"), f"{count:,}")
        for name, count in run.scores.get("lost", {}).items()
    ]


def stay_rows(run: KeptRun) -> list[tuple[str, str]]:
    """Return what the stays at places said, beside the truth; none if the run has no places."""
    scores: Mapping[str, Any] = run.scores.get("places") or {}
    if not scores:
        return []

    def share(name: str) -> str:
        value = scores[name]
        return "–" if value is None else percent_text(value)

    return [
        ("stays, the person was there", f"{scores['right']:,}"),
        ("stays, the person was not", f"{scores['wrong']:,}"),
        ("pairs who were at one place for 15 minutes", f"{scores['shared']:,}"),
        ("of them, found by stays", share("shared_found")),
        ("found by stays, though they were not", share("shared_falsely")),
        ("people warned for a case, on average", f"{scores['warned_per_case']:.1f}"),
    ]


def battery_rows(run: KeptRun) -> list[tuple[str, str]]:
    """Return battery per hour by operating system."""
    return [
        (SYSTEMS.get(name, name), f"{percent:.1f} %")
        for name, percent in run.scores.get("battery_percent_per_hour", {}).items()
    ]


def settings_of(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return every key of a scenario with its value, nested keys joined by points."""
    skipped = {"name", "schema", "title", "modelled_on"}
    return {
        name: setting_text(value)
        for name, value in _flat(manifest.get("keys", {}), "")
        if name not in skipped
    }


def _flat(value: Any, name: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - any value
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, Sequence) and not isinstance(value, str) and value:
        for place, inner in enumerate(value):
            yield from _flat(inner, f"{name}.{place}")
    else:
        yield name, value


def _recorded(row: Mapping[str, Any]) -> ShareCell:
    return share_cell(
        row.get("share"),
        row.get("share_low"),
        row.get("share_high"),
        f"{row.get('recorded', 0):,} of {row.get('windows', 0):,}",
    )
