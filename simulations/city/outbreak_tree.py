"""One outbreak of a run as a tree in time: a case of day 0 and everybody infected from there on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from simulations.city.disease import INFECTIOUS_DAYS
from simulations.city.keys import (
    CITY,
    CLASSROOM,
    HOUSEHOLD,
    NEIGHBOURHOOD,
    SCHOOL,
    TEAM,
    TRANSPORT,
    WORKPLACE,
    CityScenario,
)
from simulations.city.outbreak import Outbreak
from simulations.city.people import NEVER
from simulations.city.run import run_city
from simulations.city.tracing import Named
from tracetogether.units import Ints

MOST_CASES: Final = 60
"""Largest number of people in a tree, so that it fits on a page."""
PLACES: Final = ("at home", "at school", "at work", "on the way", "elsewhere")
"""Where people are infected: layers of contacts in groups."""
PLACE_OF_LAYER: Final = {
    HOUSEHOLD: 0,
    CLASSROOM: 1,
    SCHOOL: 1,
    TEAM: 2,
    WORKPLACE: 2,
    TRANSPORT: 3,
    NEIGHBOURHOOD: 4,
    CITY: 4,
}
FOUND: Final = (
    "by a test after symptoms",
    "by the app",
    "by tracers or another measure",
    "stayed at home, not tested",
    "not found",
)
"""How people are found first."""
TESTED, APP, TRACERS, KEPT_HOME, NOT_FOUND = range(len(FOUND))

WarnedOn = Mapping[int, Mapping[int, int]]
"""Way of being found -> person -> the first day on which a warning reached the infected person."""


@dataclass(frozen=True, slots=True)
class TreeCase:
    """A person of the tree.

    Attributes:
        day: day of infection.
        source: place in the tree of who infected them; -1 for the first.
        place: where, as an index of PLACES; -1 for the first.
        found: how, as an index of FOUND.
    """

    day: int
    source: int
    place: int
    found: int


@dataclass(frozen=True, slots=True)
class OutbreakTree:
    """A tree and what it was chosen from.

    Attributes:
        cases: parents before their children, and each child right after its elder siblings'
            descendants.
        size: number of people of the outbreak; more than ``cases`` if it is cut.
        first_cases: number of cases of day 0 in the run.
        alone: number of those who infected nobody.
    """

    cases: Sequence[TreeCase]
    size: int
    first_cases: int
    alone: int


def tree_of(scenario: CityScenario, *, seed: int) -> OutbreakTree | None:
    """Run a city and return one outbreak of it: the largest of at most MOST_CASES people.

    If all are larger, it is the start of the smallest.

    Returns:
        None if no case of day 0 infected anybody.
    """
    named: list[tuple[str, Ints, int]] = []

    def watch(by: str, found: Named, day: int) -> None:
        named.append((by, found.other[found.listed], day))

    outbreak = Outbreak.of(run_city(scenario, seed=seed, watch=watch))
    root, size = _roots(outbreak)
    firsts = np.flatnonzero(outbreak.source < 0)
    sizes = size[firsts]
    if not (sizes > 1).any():
        return None
    chosen = _chosen(sizes)
    rows = np.flatnonzero(root == firsts[chosen])[:MOST_CASES]  # by day
    cases = _in_order(outbreak, rows, _warned_on(outbreak, rows, named))
    return OutbreakTree(cases, int(sizes[chosen]), len(firsts), int((sizes == 1).sum()))


def _chosen(sizes: Ints) -> int:
    """Return the place of the largest size that fits, or else of the smallest."""
    fits = np.flatnonzero((sizes > 1) & (sizes <= MOST_CASES))
    if fits.size:
        return int(fits[np.argmax(sizes[fits])])
    large = np.flatnonzero(sizes > 1)
    return int(large[np.argmin(sizes[large])])


def _warned_on(outbreak: Outbreak, rows: Ints, named: Sequence[tuple[str, Ints, int]]) -> WarnedOn:
    scenario = outbreak.played.scenario
    people, since = outbreak.person[rows], outbreak.day[rows]
    warned: dict[int, dict[int, int]] = {APP: {}, TRACERS: {}}
    for by, others, day in sorted(named, key=lambda found: found[2]):
        delay = scenario.app.pin_delay_days if by == "app" else scenario.tracers.delay_days
        reached = day + delay
        still = (since <= reached) & (reached < since + INFECTIOUS_DAYS)
        for person in people[still & np.isin(people, others)].tolist():
            warned[APP if by == "app" else TRACERS].setdefault(person, reached)
    return warned


def _roots(outbreak: Outbreak) -> tuple[Ints, Ints]:
    """Return for each row the row of its case of day 0, and the number of people from it on."""
    root = np.arange(len(outbreak.person), dtype=np.int64)
    size = np.ones(len(root), dtype=np.int64)
    by_generation = np.argsort(outbreak.generation, kind="stable")
    ends = np.searchsorted(
        outbreak.generation[by_generation], np.arange(1, int(outbreak.generation.max()) + 2)
    )
    groups = np.split(by_generation, ends)[1:-1]  # from generation 1 on
    for rows in groups:
        root[rows] = root[outbreak.source[rows]]
    for rows in reversed(groups):
        np.add.at(size, outbreak.source[rows], size[rows])
    return root, size


def _in_order(outbreak: Outbreak, rows: Ints, warned: WarnedOn) -> list[TreeCase]:
    """Return the people of ``rows`` (sorted by day, the first one's descendants) in tree order."""
    children: dict[int, list[int]] = {}
    for row in rows[1:].tolist():
        children.setdefault(int(outbreak.source[row]), []).append(row)
    cases: list[TreeCase] = []
    waiting = [(int(rows[0]), -1)]
    while waiting:
        row, source = waiting.pop()
        place = PLACE_OF_LAYER.get(int(outbreak.layer[row]), -1)
        found = _how_found(outbreak, row, warned)
        waiting += [(child, len(cases)) for child in reversed(children.get(row, []))]
        cases.append(TreeCase(int(outbreak.day[row]), source, place, found))
    return cases


def _how_found(outbreak: Outbreak, row: int, warned: WarnedOn) -> int:
    """Return how the person of a row was found first; the app counts before tracers."""
    played = outbreak.played
    person, day = int(outbreak.person[row]), int(outbreak.day[row])
    found: dict[int, int] = {
        way: people[person] for way, people in warned.items() if person in people
    }
    if played.people.tested[person]:
        alone = np.array([person], dtype=np.int64)
        found[TESTED] = (
            day + int(played.disease.incubation_days(alone)[0]) + played.scenario.tests.delay_days
        )
    if found:
        return min(found, key=lambda way: (found[way], way))
    return KEPT_HOME if played.people.away_from[person] != NEVER else NOT_FOUND
