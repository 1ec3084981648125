"""How far apart people in a room are, given its area, and how many have room in it.

Nobody measures the room that a phone is in. But a phone knows how many others it hears at the same
time, and only eight bodies or so fit within two metres of it: of sixty people who are heard
at once, most must be far. So the prior of distances is one of areas:

    log10 area = log10 people heard - log10 density + error

where the density counts phones with the app. It is 0.5 per square metre in the middle and
differs by a factor of 3.2 (one standard deviation) between places: one desk in eight square metres
of an office, 1.6 phones per square metre in a full bus. Two people are at random places in a
rectangle, whose sides are 1, 2.5 or 7 times each other (a hall, a room, a carriage), and keep a
soft distance from each other.

The density of distances between two random points in a rectangle is the product of two
triangles, 2 (1 - x / length) / length and 2 (1 - y / width) / width.
"""

from functools import cache
from typing import Final

import numpy as np

from tracetogether.units import Floats, Ints

LOG10_M: Final = np.arange(-0.65, 1.75, 0.075)
"""Log10 of the distances, in metres, at which all distributions are given: 0.22 to 53 m."""

LOG10_M2: Final = np.arange(0.2, 4.0, 0.3)
"""Log10 of the areas, in square metres: 1.6 to 6,300 m2."""

DENSEST_PER_M2: Final = 4.0
"""More phones than that don't fit: in a full metro carriage up to five people stand on a square
metre."""

_OVERFULL_DECADES: Final = 0.1
_SIDES: Final = ((1.0, 0.4), (2.5, 0.35), (7.0, 0.25))  # length by width, and how usual
_POINTS: Final = 150  # along each side


def log_probability_of_areas(people: Ints, per_m2: float, decades: float) -> Floats:
    """Return (m, areas) the log of the prior probability of LOG10_M2, up to a constant.

    Args:
        people: (m,) how many are heard at once, the owner of the phone counted.
        per_m2: median density.
        decades: standard deviation of log10 density.
    """
    density = np.log10(people)[:, None] - LOG10_M2
    stray = (density - np.log10(per_m2)) / decades
    over = np.maximum(density - np.log10(DENSEST_PER_M2), 0.0) / _OVERFULL_DECADES
    return np.asarray(-(stray**2 + over**2) / 2)


@cache
def distances_in_rooms(separation_m: float) -> Floats:
    """Return (areas, distances) the probability of each of LOG10_M in rooms of each of LOG10_M2.

    >>> table = distances_in_rooms(0.6)
    >>> bool(np.allclose(table.sum(axis=1), 1.0))
    True

    Args:
        separation_m: people are seldom nearer than this: the distance on the floor and this make
            the sides of a right angle.
    """
    step = LOG10_M[1] - LOG10_M[0]
    edges = np.append(LOG10_M - step / 2, LOG10_M[-1] + step / 2)
    along = (np.arange(_POINTS) + 0.5) / _POINTS
    weight = np.outer(2 * (1 - along), 2 * (1 - along)).ravel() / _POINTS**2
    table = np.zeros((len(LOG10_M2), len(LOG10_M)))
    for sides, usual in _SIDES:
        length, width = np.sqrt(sides), 1 / np.sqrt(sides)
        squares = np.add.outer((along * length) ** 2, (along * width) ** 2).ravel()
        for number, area in enumerate((10**LOG10_M2).tolist()):
            log10_m = np.log10(squares * area + separation_m**2) / 2
            cell = np.clip(np.searchsorted(edges, log10_m) - 1, 0, len(LOG10_M) - 1)
            table[number] += usual * np.bincount(cell, weight, minlength=len(LOG10_M))
    table.setflags(write=False)
    return table
