"""The group of each person, and the space in which two people were near each other."""

from typing import Final

import numpy as np

from simulations.one_run import Run
from simulations.places.tracks import Floats32
from simulations.places.venue import Room
from simulations.settings.scenario import Scenario
from tracetogether.units import Ints

_CELLS_AT_ONCE: Final = 8_000_000  # bounds memory: pairs * ticks worked on together


def groups_of(scenario: Scenario, people: int) -> list[str]:
    """Return the name of each person's group; "" where the scenario has none."""
    names = list(scenario.people.groups)
    if not names:
        return [""] * people
    return [names[number] for number in scenario.people.group_of().tolist()]


def space_codes(room: Room, xy: Floats32) -> Ints:
    """Return (P, T) the number of the space in which everybody is; -1 while in none.

    Args:
        room: the venue.
        xy: (P, T, 2) positions, m; NaN while absent.
    """
    if room.plan is None:
        return np.full(xy.shape[:2], -1, dtype=np.int16)
    return room.walls.rooms_at(np.nan_to_num(xy, nan=np.inf)).astype(np.int16)


def meeting_spaces(run: Run, first: Ints, second: Ints) -> list[str]:
    """Return, for each of n pairs, the space in which they were near each other for longest.

    It is "" for pairs that were never near, and in venues that are one room. A pair in a doorway
    counts for the space of ``first``.
    """
    plan, within_m = run.venue.plan, run.scenario.policy.within_m
    if plan is None or not len(first):
        return [""] * len(first)
    steps = max(run.tracks.ticks - 1, 1)
    xy = run.tracks.xy[:, :steps]
    codes = space_codes(run.venue, xy)
    longest = np.full(len(first), -1)
    at_once = max(1, _CELLS_AT_ONCE // steps)
    for begin in range(0, len(first), at_once):
        rows = slice(begin, begin + at_once)
        gap = xy[first[rows]] - xy[second[rows]]
        pair, tick = np.nonzero(gap[..., 0] ** 2 + gap[..., 1] ** 2 <= within_m**2)
        code = codes[first[rows]][pair, tick]
        pair, code = pair[code >= 0], code[code >= 0]
        ticks = np.zeros((len(first[rows]), len(plan.names)), dtype=np.int64)
        np.add.at(ticks, (pair, code), 1)
        longest[rows] = np.where(ticks.any(axis=1), ticks.argmax(axis=1), -1)
    return [plan.names[code] if code >= 0 else "" for code in longest.tolist()]
