"""Floor plans: rooms that are rectangles, doors in their walls, and ways through the doors."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from scipy.sparse.csgraph import floyd_warshall

from simulations.places.walls import NOWHERE, Piece, Rectangle, Walls
from tracetogether.units import Floats, Ints

TOUCH_M: Final = 1e-6  # rooms whose walls are nearer than this share one wall
_FRAME_M: Final = 0.25  # people keep this distance from a door's frame
_APPROACH_M: Final = 0.3  # they turn towards a door, and away from it, this far from the wall


Point = tuple[float, float]
"""x and y, m."""


@dataclass(frozen=True, slots=True)
class Doorway:
    """A gap in a wall.

    Attributes:
        x, y: the centre, on the wall, m.
        width_m: of the gap.
        across: whether the wall has one x, as the walls ``Walls.across``; otherwise one y.
        rooms: the two rooms that it joins; NOWHERE stands for outside.
    """

    x: float
    y: float
    width_m: float
    across: bool
    rooms: tuple[int, int]

    @property
    def gap(self) -> Piece:
        """The gap as a piece of wall: at, low, high."""
        at, middle = (self.x, self.y) if self.across else (self.y, self.x)
        return at, middle - self.width_m / 2, middle + self.width_m / 2


@dataclass(frozen=True, slots=True)
class FloorPlan:
    """Rooms and doors, and how people get from one room to another.

    Attributes:
        walls: with the rooms between them.
        doors: every door.
        names: of the rooms.
        routes: counts the ways that were looked up, a measure of the work.
    """

    walls: Walls
    doors: tuple[Doorway, ...]
    names: tuple[str, ...]
    routes: list[int] = field(default_factory=lambda: [0], compare=False)
    _length_m: Floats = field(init=False, repr=False, compare=False)
    _before: Ints = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Find the shortest ways between all doors: Floyd and Warshall's algorithm."""
        doors = len(self.doors)
        apart = np.full((doors, doors), np.inf)
        for first, door in enumerate(self.doors):
            for second, other in enumerate(self.doors):
                if set(door.rooms) & set(other.rooms) - {NOWHERE}:
                    apart[first, second] = np.hypot(door.x - other.x, door.y - other.y)
        length, before = (
            floyd_warshall(np.ma.masked_invalid(apart), return_predecessors=True)
            if doors
            else (apart, np.empty((0, 0), dtype=np.int32))
        )
        object.__setattr__(self, "_length_m", length)
        object.__setattr__(self, "_before", before)

    def doors_of(self, room: int) -> list[int]:
        """Return the doors of a room."""
        return [number for number, door in enumerate(self.doors) if room in door.rooms]

    def reachable(self, room: int, other: int) -> bool:
        """Return whether doors lead from one room to another, never through the outside."""
        here, there = self.doors_of(room), self.doors_of(other)
        return room == other or bool(np.isfinite(self._length_m[np.ix_(here, there)]).any())

    def way(self, here: Point, there: Point) -> list[tuple[Point, bool]]:
        """Return the points on the shortest way from here to there, and whether each is in a door.

        On both sides of a door the way keeps off the wall.

        Raises:
            ValueError: no doors lead there.
        """
        self.routes[0] += 1
        room, other = self.walls.rooms_at(np.array([here, there])).tolist()
        if room == other:
            return []
        first, last = self.doors_of(room), self.doors_of(other)
        place = np.array([(door.x, door.y) for door in self.doors]).reshape(-1, 2)
        length_m = (
            np.hypot(*(place[first] - here).T)[:, None]
            + self._length_m[np.ix_(first, last)]
            + np.hypot(*(place[last] - there).T)[None, :]
        )
        if not np.isfinite(length_m).any():
            raise ValueError(f"no doors lead from {self.name_at(here)} to {self.name_at(there)}")
        begin, end = np.unravel_index(int(np.argmin(length_m)), length_m.shape)
        passed = [last[int(end)]]
        while passed[-1] != first[int(begin)]:
            passed.append(int(self._before[first[int(begin)], passed[-1]]))
        points: list[tuple[Point, bool]] = []
        for door in (self.doors[number] for number in reversed(passed)):
            at = self._through(door, here, there)
            beyond = door.rooms[1] if door.rooms[0] == room else door.rooms[0]
            points += [(self._off(door, at, room), False), (at, True)]
            points.append((self._off(door, at, beyond), False))
            room = beyond
        return points

    def name_at(self, xy: Point) -> str:
        """Return the name of the room at a point, in quotes."""
        room = int(self.walls.rooms_at(np.array(xy)))
        return "no room" if room == NOWHERE else repr(self.names[room])

    def _off(self, door: Doorway, at: Point, room: int) -> Point:
        """Return the point in a room before the point ``at`` of one of its doors."""
        (x, y), (low_x, high_x, low_y, high_y) = at, self.walls.rooms[room].tolist()
        if door.across:
            return x + np.copysign(_APPROACH_M, (low_x + high_x) / 2 - x), y
        return x, y + np.copysign(_APPROACH_M, (low_y + high_y) / 2 - y)

    def _through(self, door: Doorway, here: Point, there: Point) -> Point:
        """Return where a person passes a door: near the straight line, in a wide one."""
        at, low, high = door.gap
        frame_m = min(_FRAME_M, door.width_m / 2)
        axis = 1 if door.across else 0
        aim = float(np.clip((here[axis] + there[axis]) / 2, low + frame_m, high - frame_m))
        return (at, aim) if door.across else (aim, at)

    def within(self, xy: Floats, place: Point, margin_m: float) -> Floats:
        """Return (n, 2) points moved into the room of ``place``, m; unchanged outside all rooms.

        Args:
            xy: (n, 2) points, m.
            place: a point of the room, m.
            margin_m: least distance from the room's walls.
        """
        room = int(self.walls.rooms_at(np.array(place)))
        if room == NOWHERE:
            return xy
        low_x, high_x, low_y, high_y = self.walls.rooms[room].tolist()
        low = np.minimum([low_x + margin_m, low_y + margin_m], place)
        high = np.maximum([high_x - margin_m, high_y - margin_m], place)
        return np.clip(xy, low, high)


def floor_plan(
    rooms: Sequence[Rectangle], names: Sequence[str], doors: Sequence[Doorway]
) -> FloorPlan:
    """Return the plan of rooms that touch or lie apart, with a wall on every side of a room.

    Rooms that touch share the wall between them.
    """
    sides = np.round(np.array(rooms, dtype=np.float64).reshape(-1, 4), 6)
    doors = [replace(door, x=round(door.x, 6), y=round(door.y, 6)) for door in doors]
    pieces = []
    for across in (True, False):
        edge, span = ((0, 1), (2, 3)) if across else ((2, 3), (0, 1))
        walls = [(side[at], side[span[0]], side[span[1]]) for side in sides.tolist() for at in edge]
        gaps = [door.gap for door in doors if door.across == across]
        pieces.append(_without(_merged(walls), gaps))
    return FloorPlan(Walls(pieces[0], pieces[1], sides.tolist()), tuple(doors), tuple(names))


def _merged(walls: Sequence[Piece]) -> list[Piece]:
    """Return the walls with those in one line that overlap or touch made one."""
    found: list[Piece] = []
    for at, low, high in sorted(walls):
        if found and at - found[-1][0] < TOUCH_M and low <= found[-1][2] + TOUCH_M:
            found[-1] = (found[-1][0], found[-1][1], max(high, found[-1][2]))
        else:
            found.append((at, low, high))
    return found


def _without(walls: Sequence[Piece], gaps: Sequence[Piece]) -> list[Piece]:
    """Return the walls without the gaps that lie in them."""
    left = list(walls)
    for at, low, high in gaps:
        pieces: list[Piece] = []
        for wall, begin, end in left:
            if abs(wall - at) >= TOUCH_M or high <= begin or low >= end:
                pieces.append((wall, begin, end))
                continue
            pieces += [(wall, begin, low)] if low > begin else []
            pieces += [(wall, high, end)] if end > high else []
        left = pieces
    return left
