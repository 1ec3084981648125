"""Rooms: where people can sit, stand, enter and leave. Metres; x along, y across."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np

from simulations.places.floor_plan import FloorPlan
from simulations.places.walls import NO_WALLS, Walls
from tracetogether.units import Bools, Floats

SEAT_DEPTH_M: Final = 0.45
"""From the wall to the centre of a sitting person's body, m."""


class Posture(IntEnum):
    """What a person does; the value is the code in columns."""

    ABSENT = 0
    SEATED = 1
    STANDING = 2
    WALKING = 3


@dataclass(frozen=True, slots=True)
class Room:
    """A room seen from above; the origin is its centre.

    Attributes:
        length_m, width_m: inside measures; x in [-length/2, length/2], y in [-width/2, width/2].
        seats: (s, 2) centre of each seat, m.
        seat_facing: (s,) direction of view on each seat, radians.
        standing: (p, 2) places to stand, m.
        doors: (d, 2) points just inside each door, m.
        standing_facing: (p,) direction of view at each place, radians; NaN for any.
        walls: what weakens signals, and what no contact goes through.
        aisle: whether people walk along the line y = 0.
        plan: the rooms and doors that people walk through; None where walls don't hold people.
    """

    length_m: float
    width_m: float
    seats: Floats
    seat_facing: Floats
    standing: Floats
    doors: Floats
    standing_facing: Floats
    walls: Walls = NO_WALLS
    aisle: bool = False
    plan: FloorPlan | None = None

    @classmethod
    def carriage(
        cls,
        *,
        length_m: float,
        width_m: float,
        doors_per_side: int,
        seats_per_bench: int,
        seat_pitch_m: float,
        standing_places: int,
    ) -> "Room":
        """Return a carriage: benches along both walls, and people face the aisle.

        Doors are spread evenly, with half a space at both ends. A bench is in the middle of each
        space between doors. Standing places fill the aisle and the spaces at the doors in three
        rows.

        Raises:
            ValueError: the benches don't fit between the doors.
        """
        space = length_m / doors_per_side
        door_x = -length_m / 2 + space * (np.arange(doors_per_side, dtype=np.float64) + 0.5)
        wall = width_m / 2
        bench_m = seats_per_bench * seat_pitch_m
        door_width_m = 1.3
        if bench_m > space - door_width_m:
            msg = (
                f"a bench of {seats_per_bench} seats is {bench_m:.2f} m long, but only "
                f"{space - door_width_m:.2f} m lie between two doors"
            )
            raise ValueError(msg)
        bench_x = door_x[:-1] + space / 2
        along = (np.arange(seats_per_bench) - (seats_per_bench - 1) / 2) * seat_pitch_m
        seat_x = np.add.outer(bench_x, along).ravel()
        seats = np.concatenate(
            [
                np.column_stack([seat_x, np.full_like(seat_x, side * (wall - SEAT_DEPTH_M))])
                for side in (-1.0, 1.0)
            ]
        )
        facing = np.where(seats[:, 1] < 0, np.pi / 2, -np.pi / 2)
        doors = np.concatenate(
            [
                np.column_stack([door_x, np.full_like(door_x, side * (wall - 0.25))])
                for side in (-1.0, 1.0)
            ]
        )
        return cls(
            length_m=length_m,
            width_m=width_m,
            seats=seats,
            seat_facing=facing,
            standing=_standing(length_m, door_x, standing_places),
            doors=doors,
            standing_facing=np.full(standing_places, np.nan),
            aisle=True,
        )

    def inside(self, xy: Floats) -> Bools:
        """Return (...) whether each of the (..., 2) points is inside the walls."""
        return np.asarray(
            (np.abs(xy[..., 0]) <= self.length_m / 2) & (np.abs(xy[..., 1]) <= self.width_m / 2)
        )


def _standing(length_m: float, door_x: Floats, count: int) -> Floats:
    """Return (count, 2) places in three rows, m: first at the doors, then along the aisle.

    Raises:
        ValueError: the carriage has fewer places.
    """
    rows = np.array([-0.55, 0.0, 0.55])
    steps = max(1, int((length_m - 1.0) / 0.7))
    x = np.linspace(-length_m / 2 + 0.5, length_m / 2 - 0.5, steps)
    grid = np.column_stack([np.repeat(x, 3), np.tile(rows, steps)])
    to_door = np.abs(grid[:, 0, None] - door_x[None, :]).min(axis=1)
    # Only the middle row may be used in front of a bench: knees need room.
    usable = (to_door < 0.9) | (grid[:, 1] == 0.0)
    grid, to_door = grid[usable], to_door[usable]
    if count > len(grid):
        msg = f"a carriage of this length has {len(grid)} standing places, not {count}"
        raise ValueError(msg)
    order = np.lexsort((grid[:, 1], grid[:, 0], to_door))
    return np.asarray(grid[order[:count]])
