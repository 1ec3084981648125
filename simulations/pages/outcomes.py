"""What became of each contact: found, missed and why, or listed although there was none."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np

from simulations.pages.kept_run import NOBODY, KeptRun
from tracetogether.units import Bools, Floats, Ints

_ROUNDED: Final = 5e-5  # minutes are kept with four decimals


class ContactOutcome(IntEnum):
    """What became of a case and a person; the value is the code in columns."""

    FOUND = 0
    TOO_LOW = 1
    NOT_HEARD = 2
    NO_APP = 3
    WRONG = 4
    LEFT_OUT = 5


KINDS: Final = ("found", "too-low", "not-heard", "no-app", "wrong", "left-out")
"""The class of each outcome in style sheets."""

WORDS: Final = (
    "found",
    "missed: estimated too low",
    "missed: not heard",
    "missed: no app",
    "listed wrongly",
    "rightly not listed",
)
"""Each outcome in words."""


@dataclass(frozen=True, slots=True, eq=False)
class OutcomeColumns:
    """Each case and each person whom it met or whom its list holds; columns of length n.

    Lines of one case are together: its list in the list's order, then contacts that it lacks.

    Attributes:
        case, person: the two; person is NOBODY if the line names nobody of the run.
        outcome: code of what became of them.
        chance: P(the policy's minutes or more); NaN for those not on the list.
        minutes: (3, n) minutes near as estimated: 5 %, median, 95 %; NaN as well.
        nearest_m: smallest distance as estimated; NaN as well.
        true_minutes, true_nearest_m: what happened.
    """

    case: Ints
    person: Ints
    outcome: Ints
    chance: Floats
    minutes: Floats
    nearest_m: Floats
    true_minutes: Floats
    true_nearest_m: Floats

    def __len__(self) -> int:
        """Return the number of lines."""
        return len(self.case)

    def count(self, outcome: ContactOutcome, where: Bools | None = None) -> int:
        """Return the number of lines with an outcome, of all lines or of some."""
        hits = self.outcome == outcome
        return int((hits if where is None else hits & where).sum())

    def by_case(self, cases: Ints) -> Iterator[tuple[int, slice]]:
        """Yield each case with its lines."""
        first = np.searchsorted(self.case, cases)
        last = np.searchsorted(self.case, cases, side="right")
        for case, begin, end in zip(cases.tolist(), first.tolist(), last.tolist(), strict=True):
            yield case, slice(begin, end)


def outcomes_of(run: KeptRun) -> OutcomeColumns:
    """Return what became of all pairs of a case and another person."""
    lists = run.lists
    listed = np.select(
        [lists.true & lists.close, lists.true, lists.close],
        [ContactOutcome.FOUND, ContactOutcome.TOO_LOW, ContactOutcome.WRONG],
        ContactOutcome.LEFT_OUT,
    )
    case, person, minutes, nearest_m = _not_on_lists(run)
    outcome = np.where(np.isin(person, run.app), ContactOutcome.NOT_HEARD, ContactOutcome.NO_APP)
    unknown = np.full(len(case), np.nan)
    every = OutcomeColumns(
        case=np.concatenate([lists.case, case]),
        person=np.concatenate([lists.person, person]),
        outcome=np.concatenate([listed, outcome]).astype(np.int64),
        chance=np.concatenate([lists.chance, unknown]),
        minutes=np.concatenate([lists.minutes, np.tile(unknown, (3, 1))], axis=1),
        nearest_m=np.concatenate([lists.nearest_m, unknown]),
        true_minutes=np.concatenate([lists.true_minutes, minutes]),
        true_nearest_m=np.concatenate([lists.true_nearest_m, nearest_m]),
    )
    return _in_order(every, np.argsort(every.case, kind="stable"))


def _not_on_lists(run: KeptRun) -> tuple[Ints, Ints, Floats, Floats]:
    """Return case, person, minutes and nearest distance of contacts whom the case's list lacks."""
    truth, people = run.truth, run.people
    rows = np.flatnonzero(truth.minutes >= run.least_minutes - _ROUNDED)
    case = np.concatenate([truth.first[rows], truth.second[rows]])
    person = np.concatenate([truth.second[rows], truth.first[rows]])
    minutes, nearest_m = np.tile(truth.minutes[rows], 2), np.tile(truth.nearest_m[rows], 2)
    named = run.lists.person != NOBODY
    on_lists = run.lists.case[named] * people + run.lists.person[named]
    lacking = np.isin(case, run.cases) & ~np.isin(case * people + person, on_lists)
    order = np.flatnonzero(lacking)
    order = order[np.lexsort((-minutes[order], case[order]))]
    return case[order], person[order], minutes[order], nearest_m[order]


def _in_order(lines: OutcomeColumns, order: Ints) -> OutcomeColumns:
    return OutcomeColumns(
        case=lines.case[order],
        person=lines.person[order],
        outcome=lines.outcome[order],
        chance=lines.chance[order],
        minutes=lines.minutes[:, order],
        nearest_m=lines.nearest_m[order],
        true_minutes=lines.true_minutes[order],
        true_nearest_m=lines.true_nearest_m[order],
    )
