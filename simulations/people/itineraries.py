"""What one person does: walks between waypoints, and stretches of one posture in between.

Positions are interpolated for all ticks at once. Swaying and turning are random values every 30 s,
linear in between.

Where walls hold people, they walk in straight lines from door to door and are in each door at a
whole second. So two ticks that follow each other are in one room or in one of its doors, and the
line between them crosses no wall.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from simulations.places.floor_plan import FloorPlan, Point
from simulations.places.venue import Posture
from tracetogether.units import Floats

_KNOT_S: Final = 30.0  # correlation time of swaying and turning
_FROM_WALL_M: Final = 0.1  # swaying people come no nearer to a wall
_SWAY_M: Final = {Posture.SEATED: 0.02, Posture.STANDING: 0.06}
_TURN_RAD: Final = {Posture.SEATED: 0.15, Posture.STANDING: 0.4}
_BESIDE_M: Final = 0.8  # distance of a visitor from the host
_BESIDE_RAD: Final = 1.9  # angle of the visitor from the host's direction of view


@dataclass(slots=True, kw_only=True)
class Itinerary:
    """One person's way through a run.

    Attributes:
        speed_m_s: how fast they walk.
        waypoints: time (s), x and y (m) in order of time.
        stretches: time (s) from which a posture holds, the posture, and the direction of view.
        gone_s: time from which they are away for good.
    """

    speed_m_s: float
    waypoints: list[tuple[float, float, float]] = field(default_factory=list)
    stretches: list[tuple[float, Posture, float]] = field(default_factory=list)
    gone_s: float = np.inf

    def walk(self, start: float, goal: Point, plan: FloorPlan | None, *, aisle: bool) -> float:
        """Walk to ``goal``, by doors or the aisle if there are any; return the arrival, s."""
        _, x, y = self.waypoints[-1]
        self.stretches.append((start, Posture.WALKING, 0.0))
        self.waypoints.append((start, x, y))
        now = start
        if plan is not None:
            for (next_x, next_y), in_door in plan.way((x, y), goal):
                now += max(float(np.hypot(next_x - x, next_y - y)) / self.speed_m_s, 1e-3)
                now = float(np.ceil(now)) if in_door else now
                self.waypoints.append((now, next_x, next_y))
                x, y = next_x, next_y
        by_aisle = ((x, 0.0), (goal[0], 0.0), goal)
        for step_x, step_y in by_aisle if aisle else (goal,):
            now += max(float(np.hypot(step_x - x, step_y - y)) / self.speed_m_s, 1e-3)
            self.waypoints.append((now, step_x, step_y))
            x, y = step_x, step_y
        return now

    def fill(
        self,
        xy: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
        facing: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
        posture: np.ndarray[tuple[int, ...], np.dtype[np.int8]],
        chance: np.random.Generator,
        plan: FloorPlan | None,
    ) -> None:
        """Fill the person's columns (ticks, ...) of position, direction of view and posture."""
        ticks = len(xy)
        time = np.arange(ticks, dtype=np.float64)
        knots = np.arange(0.0, ticks + _KNOT_S, _KNOT_S)
        sway = np.stack(
            [np.interp(time, knots, chance.normal(size=len(knots))) for _ in range(2)], -1
        )
        turn = np.interp(time, knots, chance.normal(size=len(knots)))
        if not self.waypoints:
            return
        points = np.array(self.waypoints)
        x = np.interp(time, points[:, 0], points[:, 1])
        y = np.interp(time, points[:, 0], points[:, 2])
        there = (time >= points[0, 0]) & (time < self.gone_s)
        come, gone = _ticks(points[0, 0], self.gone_s, ticks)
        starts = [stretch[0] for stretch in self.stretches]
        for index, (start, what, look) in enumerate(self.stretches):
            first, last = _ticks(
                start, starts[index + 1] if index + 1 < len(starts) else np.inf, ticks
            )
            rows = slice(max(first, come), min(last, gone))
            if rows.start >= rows.stop:
                continue
            posture[rows] = what
            if what is Posture.ABSENT:
                there[rows] = False
            elif what is Posture.WALKING:
                # One tick more on both sides gives the slope at the first and at the last one.
                around = slice(max(rows.start - 1, 0), rows.stop + 1)
                heading = np.arctan2(np.gradient(y[around]), np.gradient(x[around]))
                facing[rows] = heading[rows.start - around.start :][: rows.stop - rows.start]
            else:
                facing[rows] = look + _TURN_RAD[what] * turn[rows]
                place = np.column_stack([x[rows], y[rows]])
                swayed = place + _SWAY_M[what] * sway[rows]
                if plan is not None:
                    swayed = plan.within(swayed, pair(place[0]), _FROM_WALL_M)
                x[rows], y[rows] = swayed.T
        xy[there, 0] = x[there]
        xy[there, 1] = y[there]


def _ticks(start_s: float, end_s: float, ticks: int) -> tuple[int, int]:
    """Return the first tick at or after the start, and the first at or after the end."""
    return int(np.ceil(np.clip(start_s, 0, ticks))), int(np.ceil(np.clip(end_s, 0, ticks)))


def beside(seat: Floats, look: float, *, left: bool) -> tuple[float, Floats]:
    """Return a visitor's place beside a person: the direction from them, and (2,) the spot, m.

    Args:
        seat: (2,) the person's place, m.
        look: their direction of view, radians.
        left: on which side.
    """
    side = look + _BESIDE_RAD * (1.0 if left else -1.0)
    return side, seat + _BESIDE_M * np.array([np.cos(side), np.sin(side)])


def pair(xy: Floats) -> Point:
    """Return the two coordinates of a (2,) point."""
    return float(xy[0]), float(xy[1])
