"""Builders of rooms: seats in rows, seats around tables, standing groups, and open floor."""

from typing import Final

import numpy as np

from simulations.places.venue import Room
from simulations.places.walls import Walls
from tracetogether.units import Floats

_AISLE_M: Final = 0.7
_MARGIN_M: Final = 0.5
STAND_M: Final = 0.8
"""Distance between standing places outside groups."""


def rows_room(
    *,
    length_m: float,
    width_m: float,
    rows: int,
    seats_per_row: int,
    seat_pitch_m: float,
    row_pitch_m: float,
    standing_places: int,
    doors: int,
    rooms: int,
) -> Room:
    """Return a room with seats in rows that face forward (+x), and an aisle in the middle.

    Raises:
        ValueError: the rows, seats or standing places don't fit.
    """
    left = (seats_per_row + 1) // 2
    side = np.concatenate(
        [
            _AISLE_M / 2 + seat_pitch_m * (np.arange(left) + 0.5),
            -_AISLE_M / 2 - seat_pitch_m * (np.arange(seats_per_row - left) + 0.5),
        ]
    )
    x = (np.arange(rows) - (rows - 1) / 2) * row_pitch_m
    seats = np.column_stack([np.repeat(x, seats_per_row), np.tile(side, rows)])
    if rows * row_pitch_m > length_m:
        raise ValueError(f"{rows} rows are {rows * row_pitch_m:.1f} m long")
    if len(side) and np.abs(side).max() + seat_pitch_m / 2 > width_m / 2 + 1e-9:
        raise ValueError(f"{seats_per_row} seats and an aisle are wider than {width_m:g} m")
    places = _line(length_m - 2 * _MARGIN_M, standing_places, seat_pitch_m)
    return Room(
        length_m=length_m,
        width_m=width_m,
        seats=seats,
        seat_facing=np.zeros(len(seats)),
        standing=places,
        doors=_doors(length_m, width_m, doors),
        standing_facing=np.full(len(places), np.nan),
        walls=_walls(length_m, rooms),
        aisle=True,
    )


def _line(length_m: float, count: int, pitch_m: float) -> Floats:
    """Return (count, 2) places along the aisle, m.

    Raises:
        ValueError: the places are longer than the aisle.
    """
    if count * pitch_m > length_m + pitch_m:
        raise ValueError(f"{count} standing places are longer than the aisle")
    return np.column_stack([np.linspace(-length_m / 2, length_m / 2, count), np.zeros(count)])


def tables_room(
    *,
    length_m: float,
    width_m: float,
    tables: int,
    seats_per_table: int,
    seat_pitch_m: float,
    across_m: float,
    standing_places: int,
    doors: int,
    rooms: int,
    group: bool = False,
) -> Room:
    """Return a room with tables spread evenly; people sit on two sides and face each other.

    With ``group``, people stand in rings instead. Neighbours are ``seat_pitch_m`` apart, and
    everybody faces the middle.

    Raises:
        ValueError: the tables, groups or standing places don't fit.
    """
    if group:
        angle = 2 * np.pi * np.arange(seats_per_table) / max(seats_per_table, 1)
        radius = max(0.4, seat_pitch_m * seats_per_table / (2 * np.pi))
        around = radius * np.column_stack([np.cos(angle), np.sin(angle)])
        look = angle + np.pi
    else:
        half = (seats_per_table + 1) // 2
        on_side = np.minimum(np.arange(seats_per_table) % half, half - 1)
        below = np.arange(seats_per_table) < half
        x = (on_side - (half - 1) / 2) * seat_pitch_m
        around = np.column_stack([x, np.where(below, -across_m / 2, across_m / 2)])
        look = np.where(below, np.pi / 2, -np.pi / 2)
    size = np.ptp(around, axis=0) + 0.8 if seats_per_table else np.zeros(2)
    middles = _grid(length_m, width_m, tables, size)
    places = (middles[:, None] + around[None]).reshape(-1, 2)
    facing = np.tile(look, tables)
    open_floor = _margin(length_m, width_m, standing_places)
    anywhere = np.full(len(open_floor), np.nan)
    return Room(
        length_m=length_m,
        width_m=width_m,
        seats=np.empty((0, 2)) if group else places,
        seat_facing=np.empty(0) if group else facing,
        standing=np.concatenate([places, open_floor]) if group else open_floor,
        doors=_doors(length_m, width_m, doors),
        standing_facing=np.concatenate([facing, anywhere]) if group else anywhere,
        walls=_walls(length_m, rooms),
    )


def _grid(
    length_m: float, width_m: float, count: int, size: Floats, margin_m: float = _MARGIN_M
) -> Floats:
    """Return (count, 2) centres on the grid that leaves the most room between them, m.

    Args:
        length_m: of the floor.
        width_m: of the floor.
        count: number of things to place.
        size: (2,) extent of one thing, m.
        margin_m: distance from the walls.

    Raises:
        ValueError: no grid is large enough.
    """
    clear = width_m - 2 * margin_m
    if not count:
        return np.empty((0, 2))
    best = None
    for across in range(1, count + 1):
        along = -(-count // across)
        pitch = np.array([(length_m - 2 * margin_m) / along, clear / across])
        if (pitch >= size).all():
            slack = float((pitch / size).min())
            if best is None or slack > best[0]:
                best = slack, along, across, pitch
    if best is None:
        raise ValueError(f"{count} tables or groups of {size[0]:.1f} by {size[1]:.1f} m don't fit")
    _, along, across, pitch = best
    x = (np.arange(along) - (along - 1) / 2) * pitch[0]
    y = (np.arange(across) - (across - 1) / 2) * pitch[1]
    return np.column_stack([np.repeat(x, across), np.tile(y, along)])[:count]


def _margin(length_m: float, width_m: float, count: int) -> Floats:
    """Return (count, 2) standing places in rows along the back wall, m.

    Raises:
        ValueError: they don't fit.
    """
    per_row = max(1, int((length_m - 2 * _MARGIN_M) / STAND_M) + 1)
    rows = -(-count // per_row) if count else 0
    if _MARGIN_M / 2 + (rows - 1) * STAND_M > width_m:
        raise ValueError(f"{count} standing places don't fit")
    index = np.arange(count)
    x = -length_m / 2 + _MARGIN_M + STAND_M * (index % per_row)
    y = width_m / 2 - _MARGIN_M / 2 - STAND_M * (index // per_row)
    return np.column_stack([x, y]).astype(np.float64)


def hall_room(
    *, length_m: float, width_m: float, standing_places: int, doors: int, rooms: int
) -> Room:
    """Return an open floor with ``standing_places`` spread evenly.

    Raises:
        ValueError: the floor is too small for that number.
    """
    size = np.array([0.42, 0.42])
    places = _grid(length_m, width_m, standing_places, size, margin_m=0.15)
    return Room(
        length_m=length_m,
        width_m=width_m,
        seats=np.empty((0, 2)),
        seat_facing=np.empty(0),
        standing=places,
        doors=_doors(length_m, width_m, doors),
        standing_facing=np.full(len(places), np.nan),
        walls=_walls(length_m, rooms),
    )


def _doors(length_m: float, width_m: float, count: int) -> Floats:
    x = (np.arange(count) + 0.5) * length_m / count - length_m / 2
    return np.column_stack([x, np.full(count, -width_m / 2 + 0.25)])


def _walls(length_m: float, rooms: int) -> Walls:
    return Walls.right_across(-length_m / 2 + length_m * np.arange(1, rooms) / rooms)
