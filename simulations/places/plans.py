"""A venue of several spaces: furnished rectangles within an area, and doors in their walls."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np

from simulations.places.floor_plan import TOUCH_M, Doorway, floor_plan
from simulations.places.venue import Room
from simulations.places.walls import NOWHERE, Rectangle
from tracetogether.units import Floats

_INSIDE_M: Final = 0.25  # where people appear, from an outer door


@dataclass(frozen=True, slots=True)
class PlannedSpace:
    """A furnished rectangle.

    Attributes:
        name: for error messages.
        x_m, y_m: its lower left corner, from that of the venue.
        furnished: its size and places.
    """

    name: str
    x_m: float
    y_m: float
    furnished: Room

    @property
    def rectangle(self) -> Rectangle:
        """Least x, greatest x, least y, greatest y, from the venue's lower left corner."""
        return (
            self.x_m,
            self.x_m + self.furnished.length_m,
            self.y_m,
            self.y_m + self.furnished.width_m,
        )


@dataclass(frozen=True, slots=True)
class PlannedDoor:
    """A door, by its centre from the venue's lower left corner, and its width; m."""

    name: str
    x_m: float
    y_m: float
    width_m: float


def planned(
    length_m: float, width_m: float, spaces: Sequence[PlannedSpace], doors: Sequence[PlannedDoor]
) -> Room:
    """Return the spaces as one venue, with its centre as the origin.

    Raises:
        ValueError: there is no space, one is outside the area, two overlap, a door is in no wall
            or leads nowhere, or no door leads out or from one space to another.
    """
    if not spaces:
        raise ValueError("a plan has spaces: add [venue.spaces.NAME]")
    _check_spaces(length_m, width_m, spaces)
    middle = np.array([length_m / 2, width_m / 2])
    doorways = [_doorway(door, spaces) for door in doors]
    rectangles = [space.rectangle for space in spaces]
    plan = floor_plan(
        [
            (left - middle[0], right - middle[0], low - middle[1], high - middle[1])
            for left, right, low, high in rectangles
        ],
        [space.name for space in spaces],
        [
            Doorway(door.x - middle[0], door.y - middle[1], door.width_m, door.across, door.rooms)
            for door in doorways
        ],
    )
    for number, space in enumerate(spaces):
        if not plan.reachable(0, number):
            raise ValueError(
                f"no doors lead from space {spaces[0].name!r} to {space.name!r}: add "
                f"[venue.doors.NAME] on a wall of {space.name!r}"
            )
    exits = [
        _inside(door, plan.walls.rooms[max(door.rooms)])
        for door in plan.doors
        if NOWHERE in door.rooms
    ]
    if not exits:
        raise ValueError("no door leads outside: add [venue.doors.NAME] on an outer wall")
    rooms = [space.furnished for space in spaces]
    shifts = plan.walls.rooms.reshape(-1, 2, 2).mean(axis=2)
    moved = list(zip(rooms, shifts, strict=True))
    return Room(
        length_m=length_m,
        width_m=width_m,
        seats=np.concatenate([room.seats + shift for room, shift in moved]),
        seat_facing=np.concatenate([room.seat_facing for room in rooms]),
        standing=np.concatenate([room.standing + shift for room, shift in moved]),
        doors=np.array(exits),
        standing_facing=np.concatenate([room.standing_facing for room in rooms]),
        walls=plan.walls,
        plan=plan,
    )


def _check_spaces(length_m: float, width_m: float, spaces: Sequence[PlannedSpace]) -> None:
    """Check that spaces are within the area and do not overlap."""
    for space in spaces:
        left, right, low, high = space.rectangle
        if min(left, low) < 0 or right > length_m + TOUCH_M or high > width_m + TOUCH_M:
            raise ValueError(
                f"space {space.name!r} reaches from ({left:g}, {low:g}) to ({right:g}, {high:g}), "
                f"out of the area of {length_m:g} by {width_m:g} m: move it, or set a larger "
                "length_m or width_m of the venue"
            )
    for space, other in combinations(spaces, 2):
        across, up = (
            min(space.rectangle[side + 1], other.rectangle[side + 1])
            - max(space.rectangle[side], other.rectangle[side])
            for side in (0, 2)
        )
        if min(across, up) > TOUCH_M:
            raise ValueError(
                f"spaces {space.name!r} and {other.name!r} overlap by {across:g} by {up:g} m: move "
                "one of them, or make it smaller"
            )


def _doorway(door: PlannedDoor, spaces: Sequence[PlannedSpace]) -> Doorway:
    """Return a door in the wall on which it lies.

    Raises:
        ValueError: it lies on no wall, or beyond the end of the wall between its two spaces.
    """
    x, y, half = door.x_m, door.y_m, door.width_m / 2
    name = f"door {door.name!r} at ({x:g}, {y:g})"
    for across in (True, False):
        on = [space for space in spaces if _on_wall(x, y, space.rectangle, across=across)]
        if not on:
            continue
        found = {_sides(x, y, off, spaces, across=across) for off in (-half, 0.0, half)}
        if len(found) > 1:
            raise ValueError(
                f"{name}, {door.width_m:g} m wide, reaches beyond the end of its wall: move it, or "
                "make it narrower"
            )
        (rooms,) = found
        return Doorway(x, y, door.width_m, across, rooms)
    walls = [(_nearest(x, y, space.rectangle), space.name) for space in spaces]
    (far_m, (near_x, near_y)), nearest = min(walls)
    raise ValueError(
        f"{name} lies in no wall: the nearest is {far_m:.2g} m away, of space {nearest!r} at "
        f"({near_x:g}, {near_y:g})"
    )


def _on_wall(x: float, y: float, rectangle: Rectangle, *, across: bool) -> bool:
    left, right, low, high = rectangle
    edges, at = ((left, right), x) if across else ((low, high), y)
    first, last, along = (low, high, y) if across else (left, right, x)
    return first < along < last and min(abs(edge - at) for edge in edges) < TOUCH_M


def _sides(
    x: float, y: float, off: float, spaces: Sequence[PlannedSpace], *, across: bool
) -> tuple[int, int]:
    """Return the spaces just before and behind the wall, ``off`` metres along it from (x, y)."""
    little = 0.01
    off -= np.sign(off) * TOUCH_M
    points = [
        (x + side * little, y + off) if across else (x + off, y + side * little) for side in (-1, 1)
    ]
    first, second = (
        next(
            (
                number
                for number, space in enumerate(spaces)
                if space.rectangle[0] < point[0] < space.rectangle[1]
                and space.rectangle[2] < point[1] < space.rectangle[3]
            ),
            NOWHERE,
        )
        for point in points
    )
    return first, second


def _nearest(x: float, y: float, rectangle: Rectangle) -> tuple[float, tuple[float, float]]:
    """Return the distance to the nearest point on a rectangle's sides, m, and this point."""
    left, right, low, high = rectangle
    inner_x, inner_y = float(np.clip(x, left, right)), float(np.clip(y, low, high))
    points = [(left, inner_y), (right, inner_y), (inner_x, low), (inner_x, high)]
    return min((float(np.hypot(x - at_x, y - at_y)), (at_x, at_y)) for at_x, at_y in points)


def _inside(door: Doorway, room: Floats) -> tuple[float, float]:
    """Return the point just inside an outer door."""
    low_x, high_x, low_y, high_y = room.tolist()
    if door.across:
        return door.x + float(np.copysign(_INSIDE_M, (low_x + high_x) / 2 - door.x)), door.y
    return door.x, door.y + float(np.copysign(_INSIDE_M, (low_y + high_y) / 2 - door.y))
