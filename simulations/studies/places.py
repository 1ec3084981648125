"""What one place adds in a crowd: contacts found between phones, and shared air found by stays.

Each crowd is played twice, with the same people, phones and draws: without a place, and with one.
A scenario's own places are used; where it has none, one is put in the middle of the venue. Two
things can come of it. Locked iPhones wake when they hear the device and exchange with each other,
so that more contacts are found. And the records of the device itself become stays: they name pairs
who shared the air of the place, and are no contacts.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

import numpy as np

from simulations.one_run import run
from simulations.scores.intervals import Measured, flat, rate_of_groups, share_of_groups
from simulations.scores.scoring import ScoredRun, score_run
from simulations.settings.keys import PlaceKeys
from simulations.settings.scenario import Scenario, ScenarioText, scenario_text
from simulations.studies.executors import run_all
from tracetogether.errors import ScenarioError
from tracetogether.units import Floats

ALL_LOCKED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "phones.ios": "1",
        "phones.locked": "1",
        "phones.background": "0",
        "phones.lit_every_s": "1e9",
    }
)
"""Every phone is an iPhone, locked all the time, and no notification lights its screen."""


@dataclass(frozen=True, slots=True)
class PlacesPlan:
    """One crowd to play, without a place and with places.

    Attributes:
        scenario: its text.
        settings: keys set in place of the scenario's.
        seed: of all random draws.
    """

    scenario: ScenarioText
    settings: tuple[tuple[str, str], ...]
    seed: int


@dataclass(frozen=True, slots=True)
class PlacesCounts:
    """What was found in one crowd, added up over all cases.

    Attributes:
        contacts: true contacts of the cases, both with the app.
        found: how many of them the cases' lists hold; without a place, and with.
        listed: people listed as close contacts; without, and with.
        cases: index cases.
        shared: pairs who shared the air of a place.
        shared_found: how many of them the stays name.
        said: pairs that the stays name, rightly or not.
    """

    contacts: float
    found: tuple[float, float]
    listed: tuple[float, float]
    cases: float
    shared: float
    shared_found: float
    said: float


@dataclass(frozen=True, slots=True)
class PlacesRow:
    """One line of the table: one scenario at one adoption.

    Attributes:
        scenario: its name.
        adoption: share of people with the app.
        crowds: number of runs, each without and with places.
        by_seed: share of contacts found in each crowd, without and with; None without contacts.
        figures: name -> figure with its central 90 % by crowds, None where there is nobody.
            ``found_without`` and ``found_with``, shares of true contacts; ``falsely_without`` and
            ``falsely_with``, shares of those listed; ``air_found``, share of the pairs who shared
            a place's air; ``air_falsely``, share of those that stays name; ``warned_per_case``.
    """

    scenario: str
    adoption: float
    crowds: int
    by_seed: tuple[tuple[float, float] | None, ...]
    figures: Mapping[str, Measured | None]

    def to_json(self) -> dict[str, object]:
        """Return the figures as the command line prints them; None where one does not apply."""
        row: dict[str, object] = {
            "scenario": self.scenario,
            "adoption": self.adoption,
            "crowds": self.crowds,
            "by_seed": [each and {"without": each[0], "with": each[1]} for each in self.by_seed],
        }
        for name, figure in self.figures.items():
            row |= flat(name, figure)
        return row


def study_places(
    scenarios: Sequence[str],
    seeds: Sequence[int],
    *,
    adoptions: Sequence[float] = (),
    settings: Mapping[str, str],
    workers: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[PlacesRow]:
    """Play every scenario without and with places, and say what they add.

    Args:
        scenarios: names or files.
        seeds: of the crowds; the same for every scenario.
        adoptions: shares of people with the app; none takes each scenario's own.
        settings: keys set in place of the scenarios'.
        workers: number of processes; the result does not depend on it.
        on_progress: called with (crowds done, crowds in all).

    Raises:
        ScenarioError: there is no such scenario or key.
    """
    texts = {name: scenario_text(name) for name in dict.fromkeys(scenarios)}
    lines: list[tuple[str, float]] = []
    plans = []
    for text in texts.values():
        for adoption in dict.fromkeys(adoptions) or (None,):
            asked = {} if adoption is None else {"people.adoption": str(adoption)}
            chosen = dict(settings) | asked
            scenario = text.read(chosen)  # fails before the work
            if scenario.phones.protocol != "bluetrace":
                raise ScenarioError("places speak BlueTrace: set 'phones.protocol' to bluetrace")
            share = scenario.people.adoption
            for seed in seeds:
                lines.append((text.name, share))
                plans.append(PlacesPlan(text, tuple(sorted(chosen.items())), seed))
    found = run_all(count_places, plans, workers, on_progress)
    return [
        _row(*line, [counts for where, counts in zip(lines, found, strict=True) if where == line])
        for line in dict.fromkeys(lines)
    ]


def count_places(plan: PlacesPlan) -> PlacesCounts:
    """Play a crowd without and with places, and count what each finds."""
    scenario = plan.scenario.read(dict(plan.settings))
    without, with_places = (
        _scored(replace(scenario, places=places), plan.seed)
        for places in ((), scenario.places or (in_the_middle(scenario),))
    )
    stays = with_places.scores.places
    shared = 0.0 if stays is None else float(stays.shared)
    said = 0.0 if stays is None else stays.warned_per_case * len(with_places.scores.cases)
    found = 0.0 if stays is None or stays.shared_found is None else stays.shared_found.median
    return PlacesCounts(
        contacts=float(without.scores.found + without.scores.missed),
        found=(float(without.scores.found), float(with_places.scores.found)),
        listed=(_listed(without), _listed(with_places)),
        cases=float(len(with_places.scores.cases)),
        shared=shared,
        shared_found=found * shared,
        said=said,
    )


def in_the_middle(scenario: Scenario) -> PlaceKeys:
    """Return a place in the middle of a scenario's venue."""
    room = scenario.venue.room()
    return PlaceKeys(at=(room.length_m / 2, room.width_m / 2))


def _scored(scenario: Scenario, seed: int) -> ScoredRun:
    return score_run(run(scenario, seed=seed, fidelity="vectorized"))


def _listed(scored: ScoredRun) -> float:
    return float(scored.scores.found + scored.scores.false_contacts)


def _row(scenario: str, adoption: float, crowds: Sequence[PlacesCounts]) -> PlacesRow:
    def column(name: str) -> Floats:
        return np.array([getattr(crowd, name) for crowd in crowds])

    found, listed = column("found").T, column("listed").T
    said = column("said")
    figures = {
        "found_without": share_of_groups(found[0], column("contacts")),
        "found_with": share_of_groups(found[1], column("contacts")),
        "falsely_without": share_of_groups(listed[0] - found[0], listed[0]),
        "falsely_with": share_of_groups(listed[1] - found[1], listed[1]),
        "air_found": share_of_groups(column("shared_found"), column("shared")),
        "air_falsely": share_of_groups(said - column("shared_found"), said),
        "warned_per_case": rate_of_groups(said, column("cases")),
    }
    by_seed = tuple(
        (crowd.found[0] / crowd.contacts, crowd.found[1] / crowd.contacts)
        if crowd.contacts
        else None
        for crowd in crowds
    )
    return PlacesRow(scenario, adoption, len(crowds), by_seed, figures)
