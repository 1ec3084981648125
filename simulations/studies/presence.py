"""What check-in adds to Bluetooth: who is found, and how many are warned, in crowds.

One poster hangs in the venue. Each person checks in with some chance, with the app or without. Each
person is taken as the case once. By Bluetooth the authority's own code makes the list. By check-in
the case's stay is warned of in intervals of 10 minutes, with half an hour of air after it, and all
are warned who overlap with it for 10 minutes or more: the rules and the code of
``tracetogether.presence``. The true positions say who was near, and who shared the air.

Two assumptions: people check in independently of one another and of the app, and they check out
when they leave. The whole venue is one place, walls or not.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from simulations.one_run import run
from simulations.scores.intervals import Measured, flat, rate_of_groups, share_of_groups
from simulations.scores.scoring import ScoredRun, score_run
from simulations.settings.scenario import ScenarioText, scenario_text
from simulations.streams import Streams
from simulations.studies.executors import run_all
from tracetogether.parameters import VISITS
from tracetogether.presence.sealed import WarnedTime
from tracetogether.units import Bools, Floats, Ints

BLUETOOTH: Final = "bluetooth"
CHECK_IN: Final = "check-in"
BOTH: Final = "both"
WAYS: Final = (BLUETOOTH, CHECK_IN, BOTH)
ADOPTIONS: Final = (0.8, 0.32)
SHARES: Final = (0.3, 0.6, 0.9)
AIR_MINUTES: Final = 15.0
"""Who was in the venue together for so long shared the air."""


@dataclass(frozen=True, slots=True)
class PresencePlan:
    """One crowd to play.

    Attributes:
        scenario: its text.
        settings: keys set in place of the scenario's, the adoption among them.
        seed: of all random draws.
        shares: chances that a person checks in.
    """

    scenario: ScenarioText
    settings: tuple[tuple[str, str], ...]
    seed: int
    shares: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class PresenceCounts:
    """What one way finds in one crowd, added up over all people as cases.

    Attributes:
        cases: people, each taken as the case once.
        warned: people who are listed or warned, once for each case.
        contacts: true contacts of the cases: the policy's minutes within its radius.
        found_contacts: those of them who are warned.
        air: people who shared the air with the case for 15 minutes.
        found_air: those of them who are warned.
    """

    cases: float
    warned: float
    contacts: float
    found_contacts: float
    air: float
    found_air: float


@dataclass(frozen=True, slots=True)
class PresenceRow:
    """One line of the table: a way of finding people, at one adoption and one share of check-in.

    Attributes:
        scenario: its name.
        adoption: share of people with the app.
        check_in: chance that a person checks in.
        way: among ``WAYS``.
        crowds: number of runs.
        figures: name -> figure with its central 90 % by crowds, None where there is nobody.
            ``found_of_contacts`` and ``found_of_air``, shares; ``warned_per_case``;
            ``no_contact``, share of those warned who were no contacts.
    """

    scenario: str
    adoption: float
    check_in: float
    way: str
    crowds: int
    figures: Mapping[str, Measured | None]

    def to_json(self) -> dict[str, object]:
        """Return the figures as the command line prints them; None where one does not apply."""
        row: dict[str, object] = {
            "scenario": self.scenario,
            "adoption": self.adoption,
            "check_in": self.check_in,
            "way": self.way,
            "crowds": self.crowds,
        }
        for name, figure in self.figures.items():
            row |= flat(name, figure)
        return row


def study_presence(
    scenarios: Sequence[str],
    seeds: Sequence[int],
    *,
    adoptions: Sequence[float] = ADOPTIONS,
    shares: Sequence[float] = SHARES,
    settings: Mapping[str, str],
    workers: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[PresenceRow]:
    """Play every scenario with every adoption and seed, and say what each way finds.

    Args:
        scenarios: names or files.
        seeds: of the crowds; the same for every scenario.
        adoptions: shares of people with the app.
        shares: chances that a person checks in.
        settings: keys set in place of the scenarios'.
        workers: number of processes; the result does not depend on it.
        on_progress: called with (crowds done, crowds in all).

    Raises:
        ScenarioError: there is no such scenario or key.
    """
    texts = {name: scenario_text(name) for name in dict.fromkeys(scenarios)}
    places, plans = [], []
    for text in texts.values():
        for adoption in dict.fromkeys(adoptions):
            chosen = dict(settings) | {"people.adoption": str(adoption)}
            text.read(chosen)  # fails before the work
            for seed in seeds:
                places.append((text.name, adoption))
                asked = tuple(sorted(chosen.items()))
                plans.append(PresencePlan(text, asked, seed, tuple(dict.fromkeys(shares))))
    found = run_all(presence_of, plans, workers, on_progress)
    rows = []
    for place in dict.fromkeys(places):
        crowds = [counts for where, counts in zip(places, found, strict=True) if where == place]
        rows += [
            _row(*place, share, way, [crowd[share, way] for crowd in crowds])
            for share, way in crowds[0]
        ]
    return rows


def presence_of(plan: PresencePlan) -> dict[tuple[float, str], PresenceCounts]:
    """Play a crowd, and count whom each way finds, by the share of check-in."""
    scenario = plan.scenario.read(dict(plan.settings))
    scored = score_run(run(scenario, seed=plan.seed, fidelity="vectorized"))
    return count_presence(scored, plan.shares)


def count_presence(
    scored: ScoredRun, shares: Sequence[float]
) -> dict[tuple[float, str], PresenceCounts]:
    """Count whom Bluetooth, check-in and both find in a scored run; see ``presence_of``."""
    lines = scored.scores.lines
    played, people = lines.run, lines.run.tracks.people
    contact = _pairs(people, *scored.truth.pairs_of(lines.policy.minutes))
    air = shared_air(played.tracks.present(), played.tracks.tick_s)
    listed = np.zeros((people, people), dtype=np.bool_)
    close = lines.close_contact
    listed[lines.listing.case[close], lines.listing.person[close]] = True
    warned = warned_by_stay(played.tracks.present(), played.tracks.tick_s, played.start)
    chance = Streams(played.seed).generator("check-in").random(people)
    found: dict[tuple[float, str], PresenceCounts] = {}
    for share in shares:
        checked_in = chance < share
        by_visit = warned & checked_in[:, None] & checked_in[None, :]
        for way, who in zip(WAYS, (listed, by_visit, listed | by_visit), strict=True):
            found[share, way] = PresenceCounts(
                cases=float(people),
                warned=float(who.sum()),
                contacts=float(contact.sum()),
                found_contacts=float((who & contact).sum()),
                air=float(air.sum()),
                found_air=float((who & air).sum()),
            )
    return found


def shared_air(present: Bools, tick_s: float) -> Bools:
    """Return (P, P) whether two people were there together for at least 15 minutes.

    Args:
        present: (P, T) whether each person is there at each tick.
        tick_s: seconds between ticks.
    """
    there = present[:, :-1].astype(np.float32)
    together: Bools = there @ there.T * (tick_s / 60.0) >= AIR_MINUTES
    np.fill_diagonal(together, val=False)
    return together


def warned_by_stay(present: Bools, tick_s: float, start: float) -> Bools:
    """Return (P, P) whether a case's warning, of row i, reaches a guest, of column j.

    Both have checked in when they came first, and out when they left last.

    Args:
        present: (P, T) whether each person is there at each tick.
        tick_s: seconds between ticks.
        start: epoch seconds of the first tick.
    """
    people, ticks = present.shape
    came = np.argmax(present, axis=1)
    left = ticks - 1 - np.argmax(present[:, ::-1], axis=1)
    begin, end = start + came * tick_s, start + left * tick_s
    spans = np.full((people, 2), np.nan)
    for person in np.flatnonzero(present.any(axis=1)).tolist():
        time = WarnedTime.of_stay(float(begin[person]), float(end[person]))
        if time is not None:
            spans[person] = time.start_s, time.end_s
    first = np.maximum(spans[:, :1], begin[None, :])
    last = np.minimum(spans[:, 1:], end[None, :])
    came_at_all: Bools = np.asarray(present.any(axis=1))
    warned: Bools = (last - first >= VISITS.least_s) & came_at_all[None, :]
    np.fill_diagonal(warned, val=False)
    return warned


def _pairs(people: int, first: Ints, second: Ints) -> Bools:
    found: Bools = np.zeros((people, people), dtype=np.bool_)
    found[first, second] = found[second, first] = True
    return found


def _row(
    scenario: str, adoption: float, share: float, way: str, crowds: Sequence[PresenceCounts]
) -> PresenceRow:
    def column(name: str) -> Floats:
        return np.array([getattr(crowd, name) for crowd in crowds])

    warned = column("warned")
    figures = {
        "found_of_contacts": share_of_groups(column("found_contacts"), column("contacts")),
        "found_of_air": share_of_groups(column("found_air"), column("air")),
        "warned_per_case": rate_of_groups(warned, column("cases")),
        "no_contact": share_of_groups(warned - column("found_contacts"), warned),
    }
    return PresenceRow(scenario, adoption, share, way, len(crowds), figures)
