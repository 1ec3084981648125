"""Rooms side by side along a corridor: people walk through doors, never through the walls."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from simulations.places.floor_plan import Doorway, floor_plan
from simulations.places.layouts import STAND_M
from simulations.places.venue import Room
from simulations.places.walls import NOWHERE
from tracetogether.units import Floats

DOOR_M: Final = 0.9
_FROM_WALL_M: Final = 0.35  # from a corridor's wall to a person who stands along it
_INSIDE_M: Final = 0.25  # where people appear, from the end of the corridor


def along_corridor(
    rooms: Sequence[Room], corridor_m: float, *, standing_places: int, doors: int
) -> Room:
    """Return rooms of one size side by side, and a corridor of ``corridor_m`` along them.

    Each room has its doors onto the corridor. People come and go at both ends of the corridor.
    ``standing_places`` are in the corridor, along its outer wall, around its middle.

    Args:
        rooms: from left to right, each with its own furniture.
        corridor_m: width of the corridor.
        standing_places: in the corridor.
        doors: of all rooms together; each room gets at least one.

    Raises:
        ValueError: the standing places are longer than the corridor, or doors than a room.
    """
    count, first = len(rooms), rooms[0]
    length_m, width_m = count * first.length_m, first.width_m + corridor_m
    low_y, wall_y = -width_m / 2, -width_m / 2 + corridor_m
    edges = np.linspace(-length_m / 2, length_m / 2, count + 1)
    per_room = -(-doors // count)
    if per_room * 2 * DOOR_M > first.length_m:
        raise ValueError(f"{per_room} doors are too many for a room of {first.length_m:g} m")
    doorways = [
        Doorway(float(x), wall_y, DOOR_M, across=False, rooms=(room, count))
        for room in range(count)
        for x in edges[room] + first.length_m * (np.arange(per_room) + 0.5) / per_room
    ]
    ends = [float(edges[0]), float(edges[-1])]
    middle_y = low_y + corridor_m / 2
    exit_m = min(DOOR_M, 0.9 * corridor_m)
    doorways += [Doorway(x, middle_y, exit_m, across=True, rooms=(count, NOWHERE)) for x in ends]
    rectangles = [(float(low), float(high), wall_y, width_m / 2) for low, high in pairwise(edges)]
    plan = floor_plan(
        [*rectangles, (ends[0], ends[1], low_y, wall_y)],
        [*(f"room {number + 1}" for number in range(count)), "corridor"],
        doorways,
    )
    shifts = np.column_stack([(edges[:-1] + edges[1:]) / 2, np.full(count, corridor_m / 2)])
    places = _along_wall(length_m, standing_places, low_y + _FROM_WALL_M)
    return Room(
        length_m=length_m,
        width_m=width_m,
        seats=np.concatenate(
            [room.seats + shift for room, shift in zip(rooms, shifts, strict=True)]
        ),
        seat_facing=np.concatenate([room.seat_facing for room in rooms]),
        standing=np.concatenate(
            [*(room.standing + shift for room, shift in zip(rooms, shifts, strict=True)), places]
        ),
        doors=np.array([(x - np.sign(x) * _INSIDE_M, middle_y) for x in ends]),
        standing_facing=np.concatenate(
            [*(room.standing_facing for room in rooms), np.full(standing_places, np.nan)]
        ),
        walls=plan.walls,
        plan=plan,
    )


def shared_out(number: int, rooms: int) -> list[int]:
    """Return how many of ``number`` things each room gets: equal numbers, the first ones more.

    >>> shared_out(8, 3)
    [3, 3, 2]
    """
    return [number // rooms + (room < number % rooms) for room in range(rooms)]


def _along_wall(length_m: float, count: int, y: float) -> Floats:
    """Return (count, 2) standing places side by side around x = 0, m.

    Raises:
        ValueError: they are longer than the corridor.
    """
    if count * STAND_M > length_m:
        raise ValueError(f"{count} standing places are longer than a corridor of {length_m:g} m")
    return np.column_stack([STAND_M * (np.arange(count) - (count - 1) / 2), np.full(count, y)])
