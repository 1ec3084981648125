"""Calls against contacts found in simulated crowds: what the lists' chances promise, and the truth.

Every person with the app is a case in turn, and every line of the lists is a possible call. At each
least chance the lists promise the sum of the chances of those called; the simulator knows how many
of them were contacts. So the choice by cost (``authority.contacts.costs``) is tested, too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from simulations.one_run import Run, run
from simulations.scores.intervals import Measured, flat, share_of_groups
from simulations.scores.scoring import score_run
from simulations.scores.truth import GroundTruth
from simulations.settings.scenario import Scenario
from simulations.streams import Streams
from tracetogether.authority.contacts.costs import SHOWN_CHANCES
from tracetogether.units import Bools, Floats

CUT_AT: Final = 0.5
"""The least chance that a policy has by default."""


@dataclass(frozen=True, slots=True)
class CallLists:
    """The lines of all lists of one run beside the truth.

    Attributes:
        chance: (l,) as listed.
        contact: (l,) whether the two really were contacts.
        contacts: true contacts with the app, listed or not; a pair counts in each direction.
    """

    chance: Floats
    contact: Bools
    contacts: int


@dataclass(frozen=True, slots=True)
class CallResult:
    """What comes of calling everybody from one chance on, over all runs.

    Attributes:
        least_chance: everybody who has it or more is called.
        calls: all calls.
        promised: contacts that the lists' chances promise among those called.
        found: contacts among them in truth.
        recall: of all true contacts with the app; None if there was none.
        precision: of those called; None if nobody was.
    """

    least_chance: float
    calls: int
    promised: float
    found: int
    recall: Measured | None
    precision: Measured | None

    def gain(self, cost: float, value: float) -> float:
        """Return the gain in truth: the value of contacts found, less the cost of the calls."""
        return value * self.found - cost * self.calls

    def to_json(self) -> dict[str, object]:
        """Return the figures as the command line prints them."""
        return {
            "least_chance": self.least_chance,
            "calls": self.calls,
            "promised": self.promised,
            "found": self.found,
            **flat("recall", self.recall),
            **flat("precision", self.precision),
        }


def play_lists(
    scenario: Scenario,
    seeds: Sequence[int],
    on_progress: Callable[[int, int], None],
    *,
    one_case: bool = False,
) -> list[CallLists]:
    """Return the lists of one run for each seed, phones in columns.

    Args:
        scenario: the crowd; its policy says what a contact is.
        seeds: of the runs.
        on_progress: called with the number of runs done and of all.
        one_case: take one case in each run, as ``demo`` does, and not everybody with the app.
    """
    found = []
    for done, seed in enumerate(seeds, start=1):
        played = run(scenario, seed=seed, fidelity="vectorized")
        scored = score_run(played)
        lines, policy = scored.scores.lines, scored.scores.policy
        cases = played.app
        if one_case:
            cases = np.array([who_tests_positive(played, scored.truth, policy.minutes)])
        rows = np.isin(lines.listing.case, cases)
        contacts = sum(
            score.true_contacts
            for score in scored.scores.cases
            if not one_case or score.person == cases[0]
        )
        found.append(CallLists(lines.chance[rows], lines.true_contact[rows], contacts))
        on_progress(done, len(seeds))
    return found


def who_tests_positive(played: Run, truth: GroundTruth, minutes: float) -> int:
    """Return a random person with the app and, if there is any such person, with contacts.

    Args:
        played: the run.
        truth: what happened in it.
        minutes: how many make a contact.
    """
    app = played.app
    had_contacts = np.unique(np.concatenate(truth.pairs_of(minutes, among=app)))
    chance = Streams(played.seed).generator("demo", "case")
    return int(chance.choice(had_contacts if len(had_contacts) else app))


def call_results(runs: Sequence[CallLists], *more: float) -> list[CallResult]:
    """Return what comes of each least chance that tables show, and of ``more``.

    Intervals are over runs, which share their random draws inside.
    """
    return [_result(runs, least) for least in sorted({*SHOWN_CHANCES, *more}, reverse=True)]


def average_precision(runs: Sequence[CallLists]) -> float | None:
    """Return the average precision of all lines together, in the order of their chances.

    It is the mean, over all true contacts, of the precision of calling as far as that contact; a
    contact that no list has counts as 0. Lines of equal chance are called together.
    """
    chance, contact, contacts = _together(runs)
    if not contacts:
        return None
    calls, found = _curve(chance, contact)
    return float(np.sum(np.diff(found, prepend=0.0) * found / calls) / contacts)


def precision_at(runs: Sequence[CallLists], recall: float) -> float | None:
    """Return the precision of the fewest calls that find this share of all true contacts.

    Between two chances it interpolates. None if the lists hold fewer.
    """
    chance, contact, contacts = _together(runs)
    calls, found = _curve(chance, contact)
    wanted = recall * contacts
    if not contacts or not len(found) or wanted > found[-1]:
        return None
    after = int(np.searchsorted(found, wanted))  # the first chance that finds that number
    before = (calls[after - 1], found[after - 1]) if after else (0.0, 0.0)
    share = (wanted - before[1]) / (found[after] - before[1])
    return float(wanted / (before[0] + share * (calls[after] - before[0])))


def _result(runs: Sequence[CallLists], least: float) -> CallResult:
    called = [lists.chance >= least for lists in runs]
    calls = np.array([float(some.sum()) for some in called])
    found = np.array(
        [float((lists.contact & some).sum()) for lists, some in zip(runs, called, strict=True)]
    )
    promised = sum(
        float(lists.chance[some].sum()) for lists, some in zip(runs, called, strict=True)
    )
    contacts = np.array([float(lists.contacts) for lists in runs])
    return CallResult(
        least_chance=least,
        calls=int(calls.sum()),
        promised=promised,
        found=int(found.sum()),
        recall=share_of_groups(found, contacts),
        precision=share_of_groups(found, calls),
    )


def _together(runs: Sequence[CallLists]) -> tuple[Floats, Bools, int]:
    chance = np.concatenate([np.empty(0), *(lists.chance for lists in runs)])
    contact = np.concatenate([np.empty(0, dtype=bool), *(lists.contact for lists in runs)])
    return chance, contact, sum(lists.contacts for lists in runs)


def _curve(chance: Floats, contact: Bools) -> tuple[Floats, Floats]:
    """Return calls and contacts found at each distinct chance, the greatest first."""
    order = np.argsort(-chance, kind="stable")
    last = np.flatnonzero(np.diff(chance[order], append=-1.0) != 0)
    return np.asarray(last + 1.0, dtype=np.float64), np.cumsum(contact[order])[last].astype(
        np.float64
    )
