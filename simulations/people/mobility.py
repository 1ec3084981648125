"""Mobility of people with places: they board, sit, stand, move, take breaks, visit and leave.

Events (a stop, a move) are few, so an agenda (heap) handles them in order of time. Moves, breaks
and visits are Poisson processes: the gaps between them are exponential. Stays are log-normal. Each
event adds to a person's itinerary, from which positions are interpolated for all ticks at once.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Final

import numpy as np

from simulations.people.carrying import carry_over_time
from simulations.people.itineraries import Itinerary, beside, pair
from simulations.places.tracks import CrowdTracks
from simulations.places.venue import Posture, Room
from simulations.settings.keys import MotionKeys
from simulations.settings.scenario import Scenario
from simulations.streams import Streams
from tracetogether.units import Floats

_SEAT_REACH_M: Final = 4.0  # longest way to a free seat


@dataclass(slots=True, kw_only=True)
class _Passenger(Itinerary):
    board_s: float
    alight_s: float  # alights at the first stop at or after this
    aboard: bool = False
    place: int = -1
    home: int = -1  # the seat reserved during a break
    free_s: float = 0.0  # busy walking or talking until then


def stay(scenario: Scenario, room: Room, streams: Streams) -> CrowdTracks:
    """Return the tracks of everybody in ``scenario``, at one tick per second."""
    crowd = _MovingCrowd(scenario, room, streams)
    crowd.live()
    ticks = int(scenario.duration_s) + 1
    people = len(crowd.passengers)
    xy = np.full((people, ticks, 2), np.nan, dtype=np.float32)
    facing = np.zeros((people, ticks), dtype=np.float32)
    posture = np.zeros((people, ticks), dtype=np.int8)
    for person, passenger in enumerate(crowd.passengers):
        chance = streams.generator("mobility", "sway", person)
        passenger.fill(xy[person], facing[person], posture[person], chance, room.plan)
    carry = carry_over_time(scenario.people, people, ticks, streams)
    return CrowdTracks(xy=xy, facing=facing, posture=posture, carry=carry)


class _MovingCrowd:
    """All people and places, and the agenda of events."""

    def __init__(self, scenario: Scenario, room: Room, streams: Streams) -> None:
        self._motion: MotionKeys = scenario.motion
        self._duration_s = scenario.duration_s
        self._room = room
        self._chance = streams.generator("mobility", "happenings")
        self._places = np.concatenate([room.seats, room.standing])
        self._seats = len(room.seats)
        self._holder = np.full(len(self._places), -1)
        self._breaks = streams.generator("mobility", "breaks")
        self._visits = streams.generator("mobility", "visits")
        draw = streams.generator("mobility", "people")
        self.passengers = [self._draw(draw) for _ in range(scenario.people.count)]

    def _draw(self, chance: np.random.Generator) -> _Passenger:
        motion = self._motion
        stops = np.arange(motion.stop_every_s, self._duration_s - 1, motion.stop_every_s)
        at_start = chance.random() < motion.aboard_at_start or not len(stops)
        board_s = -1.0 if at_start else float(chance.choice(stops))
        stay_s = motion.stay_median_s * float(np.exp(motion.stay_spread * chance.normal()))
        speed = motion.walk_speed_m_s + motion.walk_speed_sd_m_s * float(chance.normal())
        return _Passenger(
            board_s=board_s,
            alight_s=max(board_s, 0.0) + stay_s,
            speed_m_s=max(speed, 0.4 * motion.walk_speed_m_s),
        )

    def live(self) -> None:
        """Handle all events in order of time."""
        for person, passenger in enumerate(self.passengers):
            if passenger.board_s < 0:
                self._appear(person)
        order = count()
        agenda: list[tuple[float, int, int]] = []
        stop = self._motion.stop_every_s
        while stop < self._duration_s:
            heapq.heappush(agenda, (stop, next(order), -1))
            stop += self._motion.stop_every_s
        people = len(self.passengers)
        for turn, (per_hour, chance) in enumerate(
            (
                (self._motion.moves_per_hour, self._chance),
                (self._motion.breaks_per_hour, self._breaks),
                (self._motion.visits_per_hour, self._visits),
            )
        ):
            for at, who in self._happenings(per_hour, chance):
                heapq.heappush(agenda, (at, next(order), turn * people + who))
        while agenda:
            now, _, who = heapq.heappop(agenda)
            turn, person = divmod(who, people)
            if who < 0:
                self._stop(now)
            elif turn == 0:
                self._stroll(person, now)
            elif turn == 2:
                self._visit(person, now)
            elif (back := self._break(person, now)) is not None:
                heapq.heappush(agenda, (back, next(order), who))

    def _happenings(
        self, per_hour: float, chance: np.random.Generator
    ) -> Iterator[tuple[float, int]]:
        """Yield (time s, person) of a Poisson process with ``per_hour`` events per person."""
        per_s = per_hour * len(self.passengers) / 3600.0
        at = 0.0
        while per_s > 0:
            at += float(chance.exponential(1.0 / per_s))
            if at >= self._duration_s:
                return
            yield at, int(chance.integers(len(self.passengers)))

    def _appear(self, person: int) -> None:
        """Give a passenger a place before the run begins."""
        free = np.flatnonzero(self._holder < 0)
        seats = free[free < self._seats]
        if not len(free):
            self.passengers[person].board_s = self._motion.stop_every_s
            return
        sits = len(seats) and self._chance.random() >= self._motion.stand_by_choice
        stands = free[free >= self._seats]
        pool = seats if sits or not len(stands) else stands
        self._settle(person, int(self._chance.choice(pool)), 0.0, walk_from=None)

    def _stop(self, now: float) -> None:
        side = 1 if self._chance.random() < 0.5 else -1
        doors = self._room.doors[self._room.doors[:, 1] * side > 0]
        if not len(doors):  # they are all on the other side
            doors = self._room.doors
        for person, passenger in enumerate(self.passengers):
            if passenger.aboard and passenger.alight_s <= now:
                self._alight(person, now, doors)
        self._take_freed_seats(now)
        for person, passenger in enumerate(self.passengers):
            if passenger.board_s == now:
                self._board(person, now, doors)

    def _alight(self, person: int, now: float, doors: Floats) -> None:
        passenger = self.passengers[person]
        start = max(
            now + float(self._chance.uniform(0, self._motion.dwell_s / 3)), passenger.free_s
        )
        here = self._places[passenger.place]
        door = doors[np.argmin(np.abs(doors[:, 0] - here[0]))]
        self._holder[passenger.place] = -1
        if passenger.home >= 0:
            self._holder[passenger.home] = -1
        passenger.aboard = False
        passenger.gone_s = self._walk(passenger, start, door)

    def _board(self, person: int, now: float, doors: Floats) -> None:
        door = doors[int(self._chance.integers(len(doors)))]
        start = now + float(self._chance.uniform(self._motion.dwell_s / 3, self._motion.dwell_s))
        free = np.flatnonzero(self._holder < 0)
        if not len(free):  # full: wait for the next
            self.passengers[person].board_s += self._motion.stop_every_s
            return
        distance = np.abs(self._places[free, 0] - door[0]) + self._chance.uniform(0, 1.5, len(free))
        stands = self._motion.stand_by_choice
        wants_seat = self._chance.random() >= stands
        reach_m = _SEAT_REACH_M if stands else np.inf
        distance = distance - np.where((free < self._seats) & wants_seat, reach_m, 0.0)
        self._settle(person, int(free[np.argmin(distance)]), start, walk_from=door)

    def _take_freed_seats(self, now: float) -> None:
        for seat in np.flatnonzero(self._holder[: self._seats] < 0):
            standing = [
                who
                for who in self._holder[self._seats :]
                if who >= 0 and self.passengers[who].free_s <= now and self.passengers[who].home < 0
            ]
            if not standing:
                return
            gap = np.linalg.norm(
                self._places[[self.passengers[who].place for who in standing]] - self._places[seat],
                axis=1,
            )
            nearest = int(np.argmin(gap))
            wish = self._chance.random() < self._motion.seat_wish
            if wish and gap[nearest] < _SEAT_REACH_M:
                wait_s = float(self._chance.uniform(5, 20))
                self._move(int(standing[nearest]), int(seat), now + wait_s)

    def _stroll(self, person: int, now: float) -> None:
        passenger = self.passengers[person]
        busy = passenger.free_s > now or passenger.home >= 0
        if not passenger.aboard or busy or passenger.place < self._seats:
            return
        free = np.flatnonzero(self._holder[self._seats :] < 0) + self._seats
        if len(free):
            self._move(person, int(self._chance.choice(free)), now)

    def _break(self, person: int, now: float) -> float | None:
        """Send a seated person to a standing place, or back; return the break's end, s, or None."""
        passenger = self.passengers[person]
        if not passenger.aboard:
            return None
        if passenger.free_s > now:
            return None if passenger.home < 0 else passenger.free_s + 1.0
        if passenger.home >= 0:
            seat, passenger.home = passenger.home, -1
            self._move(person, seat, now)
            return None
        free = np.flatnonzero(self._holder[self._seats :] < 0) + self._seats
        if passenger.place >= self._seats or not len(free):
            return None
        passenger.home = passenger.place
        self._move(person, int(self._breaks.choice(free)), now)
        self._holder[passenger.home] = person
        return passenger.free_s + float(self._breaks.exponential(self._motion.break_s))

    def _visit(self, person: int, now: float) -> None:
        """Let a person walk to a seated host, talk and walk back; both are busy until then."""
        if not self._at_ease(person, now):
            return
        visitor = self.passengers[person]
        if self._motion.visitors == "standing" and visitor.place < self._seats:
            return
        hosts = [
            other
            for other, passenger in enumerate(self.passengers)
            if other != person and self._at_ease(other, now) and passenger.place < self._seats
        ]
        if not hosts:
            return
        host = self.passengers[hosts[int(self._visits.integers(len(hosts)))]]
        seat, look = self._places[host.place], float(self._room.seat_facing[host.place])
        side, spot = beside(seat, look, left=self._visits.random() < 0.5)
        half = np.array([self._room.length_m, self._room.width_m]) / 2 - 0.2
        spot = np.clip(spot, -half, half)
        if self._room.plan is not None:
            spot = self._room.plan.within(spot, pair(seat), 0.2)
        come = self._walk(visitor, now, spot)
        length_s = self._motion.visit_median_s * float(
            np.exp(self._motion.visit_spread * self._visits.normal())
        )
        leave = come + length_s
        visitor.stretches.append((come, Posture.STANDING, side + np.pi))
        host.stretches.append((come, Posture.SEATED, side))
        host.stretches.append((leave, Posture.SEATED, look))
        host.free_s = leave
        self._settle(person, visitor.place, leave, walk_from=spot)

    def _at_ease(self, person: int, now: float) -> bool:
        """Return whether a person is at their own place and not busy."""
        passenger = self.passengers[person]
        return passenger.aboard and passenger.free_s <= now and passenger.home < 0

    def _move(self, person: int, place: int, start: float) -> None:
        here = self._places[self.passengers[person].place]
        self._holder[self.passengers[person].place] = -1
        self._settle(person, place, start, walk_from=here)

    def _settle(self, person: int, place: int, start: float, *, walk_from: Floats | None) -> None:
        passenger = self.passengers[person]
        passenger.aboard = True
        passenger.place = place
        self._holder[place] = person
        if walk_from is None:
            passenger.waypoints.append(_point(start, self._places[place]))
            arrived = start
        else:
            if not passenger.waypoints:
                passenger.waypoints.append(_point(start, walk_from))
            arrived = self._walk(passenger, start, self._places[place])
        passenger.free_s = arrived
        seated = place < self._seats
        look = (
            float(self._room.seat_facing[place])
            if seated
            else float(self._chance.uniform(-np.pi, np.pi))
        )
        if not seated and np.isfinite(self._room.standing_facing[place - self._seats]):
            look = float(self._room.standing_facing[place - self._seats])
        posture = Posture.SEATED if seated else Posture.STANDING
        passenger.stretches.append((arrived, posture, look))

    def _walk(self, passenger: _Passenger, start: float, target: Floats) -> float:
        """Walk to ``target``, by doors or the aisle if there are any; return the arrival, s."""
        goal = (float(target[0]), float(target[1]))
        return passenger.walk(start, goal, self._room.plan, aisle=self._room.aisle)


def _point(time_s: float, xy: Floats) -> tuple[float, float, float]:
    return time_s, float(xy[0]), float(xy[1])
