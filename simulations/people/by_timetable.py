"""Mobility in a plan: groups follow a timetable through doors, from space to space.

At each entry of the timetable the members of a group set out, each a little later or sooner, for
their own places or for free places of a shared space, and walk the shortest way through the doors.
In between they visit each other, change place and take breaks: Poisson processes.

An agenda (heap) handles these events in order of time. So the work grows with the events, not with
people times seconds; positions are interpolated for all ticks at once (see itineraries).
"""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final

import numpy as np

from simulations.people.carrying import carry_over_time
from simulations.people.itineraries import Itinerary, beside, pair
from simulations.places.floor_plan import FloorPlan
from simulations.places.tracks import CrowdTracks
from simulations.places.venue import Posture, Room
from simulations.settings.scenario import Scenario
from simulations.settings.timetables import OUTSIDE, Period, periods_of
from simulations.streams import Streams
from tracetogether.units import SECONDS_PER_HOUR, Floats

_RETRY_S: Final = 10.0  # who finds no free place looks again
_SHORTEST_S: Final = 45.0  # before a bell nobody begins a visit or a break
_BESIDE_WALL_M: Final = 0.2
_TRIES: Final = 4  # to find somebody to visit


@dataclass(slots=True, kw_only=True)
class _Member(Itinerary):
    come_s: float
    leave_s: float
    place: int = -1  # -1: not there
    home: int = -1  # their own place
    free_s: float = 0.0  # busy walking or talking until then
    break_until_s: float = -1.0
    gone: bool = False


def by_timetable(scenario: Scenario, room: Room, streams: Streams) -> CrowdTracks:
    """Return the tracks of everybody in a plan, at one tick per second."""
    if room.plan is None:
        raise ValueError("the room has no plan")
    crowd = _Groups(scenario, room, room.plan, streams)
    crowd.live()
    people, ticks = scenario.people.count, int(scenario.duration_s) + 1
    xy = np.full((people, ticks, 2), np.nan, dtype=np.float32)
    facing = np.zeros((people, ticks), dtype=np.float32)
    posture = np.zeros((people, ticks), dtype=np.int8)
    for person, member in enumerate(crowd.members):
        chance = streams.generator("mobility", "sway", person)
        member.fill(xy[person], facing[person], posture[person], chance, room.plan)
    carry = carry_over_time(scenario.people, people, ticks, streams)
    return CrowdTracks(xy=xy, facing=facing, posture=posture, carry=carry)


class _Groups:
    """All members and places, and the agenda of events."""

    def __init__(self, scenario: Scenario, room: Room, plan: FloorPlan, streams: Streams) -> None:
        people, self._motion = scenario.people, scenario.motion
        self._room, self._plan, self._duration_s = room, plan, scenario.duration_s
        self._chance = streams.generator("mobility", "timetable")
        self._keys = list(people.groups.values())
        self._group = people.group_of()
        self._visited = [
            [list(people.groups).index(name) for name in keys.visits or people.groups]
            for keys in self._keys
        ]
        spaces = list(scenario.venue.spaces)
        self._periods = periods_of(people, self._motion, spaces, scenario.duration_s)
        self._places = np.concatenate([room.seats, room.standing])
        self._seats = len(room.seats)
        self._space = plan.walls.rooms_at(self._places)
        self._in_space = [np.flatnonzero(self._space == number) for number in range(len(spaces))]
        self._taken = np.zeros(len(self._places), dtype=np.bool_)
        self._own = np.zeros(len(self._places), dtype=np.bool_)
        self._place = np.full(people.count, -1)
        self._free_s = np.zeros(people.count)
        self.members = self._drawn(streams.generator("mobility", "people"), people.count)
        self._give_homes([spaces.index(keys.space) for keys in self._keys])
        self._order = count()
        self._agenda: list[tuple[float, int, Callable[[int, float], None], int]] = []

    def _drawn(self, chance: np.random.Generator, people: int) -> list[_Member]:
        motion = self._motion
        speed = motion.walk_speed_m_s + motion.walk_speed_sd_m_s * chance.normal(size=people)
        speed = np.maximum(speed, 0.4 * motion.walk_speed_m_s)
        at_start = chance.random(people) < motion.aboard_at_start
        come = np.where(at_start, 0.0, chance.uniform(0, self._duration_s, people))
        stay_s = motion.stay_median_s * np.exp(motion.stay_spread * chance.normal(size=people))
        columns = zip(speed.tolist(), come.tolist(), (come + stay_s).tolist(), strict=True)
        return [
            _Member(speed_m_s=speed_m_s, come_s=come_s, leave_s=leave_s)
            for speed_m_s, come_s, leave_s in columns
        ]

    def _give_homes(self, own_spaces: Sequence[int]) -> None:
        """Give each member a place in the group's own space: seats first, in random order."""
        for number, space in enumerate(own_spaces):
            free = self._in_space[space][~self._own[self._in_space[space]]]
            free = self._chance.permutation(free)
            free = np.concatenate([free[free < self._seats], free[free >= self._seats]])
            for person, home in zip(np.flatnonzero(self._group == number), free, strict=False):
                self.members[person].home = int(home)
                self._own[home] = True

    def live(self) -> None:
        """Handle all events in order of time."""
        for person, member in enumerate(self.members):
            periods = self._periods[self._group[person]]
            starts = np.array([period.start_s for period in periods])
            late = self._chance.uniform(0, self._motion.set_out_s, len(starts))
            if member.come_s == 0.0:
                self._appear(person)
            else:
                self._push(member.come_s, self._follow, person)
            for start in (starts + late)[starts > member.come_s].tolist():
                self._push(start, self._follow, person)
            if member.leave_s < self._duration_s:
                self._push(member.leave_s, self._leave, person)
        motion = self._motion
        visits = np.array([keys.visits_per_hour for keys in self._keys])[self._group]
        rates: list[tuple[Floats, Callable[[int, float], None]]] = [
            (np.full(len(self.members), motion.moves_per_hour), self._change_place),
            (np.full(len(self.members), motion.breaks_per_hour), self._take_break),
            (np.where(visits > 0, visits, motion.visits_per_hour), self._visit),
        ]
        for per_hour, happening in rates:
            number = self._chance.poisson(per_hour * self._duration_s / SECONDS_PER_HOUR)
            who = np.repeat(np.arange(len(number)), number)
            when = self._chance.uniform(0, self._duration_s, len(who))
            for at, person in zip(when.tolist(), who.tolist(), strict=True):
                self._push(at, happening, person)
        while self._agenda:
            now, _, happening, person = heapq.heappop(self._agenda)
            if now < self._duration_s and not self.members[person].gone:
                happening(person, now)

    def _push(self, at: float, happening: Callable[[int, float], None], person: int) -> None:
        heapq.heappush(self._agenda, (at, next(self._order), happening, person))

    def _period(self, person: int, now: float) -> Period:
        periods: tuple[Period, ...] = self._periods[int(self._group[person])]
        for period in periods:
            if now < period.end_s:
                return period
        return periods[-1]

    def _appear(self, person: int) -> None:
        """Put a member in place before the run begins."""
        space = self._period(person, 0.0).space
        place = self._choose(person, space)
        if place is not None:
            member = self.members[person]
            member.waypoints.append((0.0, *pair(self._places[place])))
            self._take(person, place)
            self._rest(person, 0.0)

    def _follow(self, person: int, now: float) -> None:
        """Send a member where the timetable says."""
        member, space = self.members[person], self._period(person, now).space
        start = max(now, member.free_s)
        if space == OUTSIDE:
            if member.place >= 0:
                arrived = self._walk_out(person, start)
                member.stretches.append((arrived, Posture.ABSENT, 0.0))
            return
        if member.place >= 0 and member.break_until_s < 0 and self._belongs(member, space):
            return
        place = self._choose(person, space)
        if place is None:
            self._push(now + _RETRY_S, self._follow, person)
            return
        if member.place < 0:
            self._walk_in(person, start)
        member.break_until_s = -1.0
        self._go(person, place, start)

    def _belongs(self, member: _Member, space: int) -> bool:
        """Return whether a member is already where they belong in a space."""
        if self._space[member.home] == space:
            return member.place == member.home
        return bool(self._space[member.place] == space)

    def _choose(self, person: int, space: int) -> int | None:
        """Return a place in a space: the member's own, or a free one; None if all are taken."""
        member = self.members[person]
        if space == OUTSIDE:
            return None
        if self._space[member.home] == space:
            return member.home
        within = self._in_space[space]
        free = within[~(self._taken | self._own)[within]]
        if not len(free):
            return None
        seats = free[free < self._seats]
        free = seats if len(seats) else free
        if self._chance.random() < self._keys[self._group[person]].keeps_together:
            kin = self._place[(self._group == self._group[person]) & (self._place >= 0)]
            kin = kin[self._space[kin] == space]
            if len(kin):
                beside_whom = self._places[int(self._chance.choice(kin))]
                gap = np.linalg.norm(self._places[free] - beside_whom, axis=1)
                return int(free[np.argmin(gap)])
        return int(self._chance.choice(free))

    def _take(self, person: int, place: int) -> None:
        """Give a member a place (-1: none) instead of the one they have."""
        member = self.members[person]
        if member.place >= 0:
            self._taken[member.place] = False
        if place >= 0:
            self._taken[place] = True
        member.place = place
        self._place[person] = place

    def _go(self, person: int, place: int, start: float) -> None:
        self._take(person, place)
        self._rest(person, self._walk(person, start, self._places[place]))

    def _walk(self, person: int, start: float, target: Floats) -> float:
        return self.members[person].walk(start, pair(target), self._plan, aisle=False)

    def _rest(self, person: int, arrived: float) -> None:
        """Sit or stand at one's place from now on."""
        member = self.members[person]
        place = member.place
        self._be_busy(person, arrived)
        if place < self._seats:
            look, posture = float(self._room.seat_facing[place]), Posture.SEATED
        else:
            look, posture = (
                float(self._room.standing_facing[place - self._seats]),
                Posture.STANDING,
            )
        if not np.isfinite(look):
            look = float(self._chance.uniform(-np.pi, np.pi))
        member.stretches.append((arrived, posture, look))

    def _be_busy(self, person: int, until: float) -> None:
        self.members[person].free_s = until
        self._free_s[person] = until

    def _walk_in(self, person: int, start: float) -> None:
        """Let a member appear at an outer door."""
        doors = self._room.doors
        x, y = pair(doors[int(self._chance.integers(len(doors)))])
        member = self.members[person]
        if member.waypoints:  # no line from where they left to where they come in
            member.waypoints.append((start - 1e-6, *member.waypoints[-1][1:]))
        member.waypoints.append((start, x, y))

    def _walk_out(self, person: int, start: float) -> float:
        """Walk to the nearest outer door; return when the member is outside."""
        here = self.members[person].waypoints[-1][1:]
        doors = self._room.doors
        door = doors[int(np.argmin(np.linalg.norm(doors - here, axis=1)))]
        self._take(person, -1)
        arrived = self._walk(person, start, door)
        self._be_busy(person, arrived)
        return arrived

    def _leave(self, person: int, now: float) -> None:
        """Send a member away for good."""
        member = self.members[person]
        member.gone = True
        member.gone_s = member.free_s = max(now, member.free_s)
        if member.place >= 0:
            member.gone_s = self._walk_out(person, member.gone_s)

    def _before_bell_s(self, person: int, now: float) -> float:
        """Return how long a member stays where the timetable says now."""
        return min(self._period(person, now).end_s, self.members[person].leave_s) - now

    def _at_ease(self, person: int, now: float) -> bool:
        """Return whether a member is at a place, not busy, and for some time yet."""
        member = self.members[person]
        calm = member.place >= 0 and member.free_s <= now and member.break_until_s < 0
        space = self._period(person, now).space
        calm = calm and space != OUTSIDE and self._belongs(member, space)
        return calm and self._before_bell_s(person, now) > _SHORTEST_S

    def _change_place(self, person: int, now: float) -> None:
        """Send a standing member of a shared space to another place of it."""
        member = self.members[person]
        if not self._at_ease(person, now) or member.place < self._seats:
            return
        space = int(self._space[member.place])
        if member.place != member.home and (place := self._choose(person, space)) is not None:
            self._go(person, place, now)

    def _take_break(self, person: int, now: float) -> None:
        """Send a member from their seat to a standing place, if possible of their own space."""
        member = self.members[person]
        if not self._at_ease(person, now) or member.place != member.home:
            return
        if member.place >= self._seats:
            return
        free = np.flatnonzero(~(self._taken | self._own)[self._seats :]) + self._seats
        near = free[self._space[free] == self._space[member.home]]
        free = near if len(near) else free
        if not len(free):
            return
        length_s = float(self._chance.exponential(self._motion.break_s))
        self._go(person, int(self._chance.choice(free)), now)
        last = now + self._before_bell_s(person, now)
        member.break_until_s = max(min(member.free_s + length_s, last), member.free_s)
        self._push(member.break_until_s, self._come_back, person)

    def _come_back(self, person: int, now: float) -> None:
        """Send a member back from a break that has ended."""
        member = self.members[person]
        if member.break_until_s != now or member.place < 0:
            return
        self._follow(person, now)

    def _visit(self, person: int, now: float) -> None:
        """Let a member walk to a seated one, talk and walk back; both are busy until then."""
        if not self._at_ease(person, now):
            return
        visitor = self.members[person]
        if self._motion.visitors == "standing" and visitor.place < self._seats:
            return
        who = self._host_of(person, now)
        if who is None:
            return
        host = self.members[who]
        seat = self._places[host.place]
        look = float(self._room.seat_facing[host.place])
        side, spot = beside(seat, look, left=bool(self._chance.random() < 0.5))
        spot = self._plan.within(spot, pair(seat), _BESIDE_WALL_M)
        come = self._walk(person, now, spot)
        length_s = self._motion.visit_median_s * float(
            np.exp(self._motion.visit_spread * self._chance.normal())
        )
        last = now + min(self._before_bell_s(person, now), self._before_bell_s(who, now))
        leave = max(min(come + length_s, last), come + 1.0)
        visitor.stretches.append((come, Posture.STANDING, side + np.pi))
        host.stretches.append((come, Posture.SEATED, side))
        host.stretches.append((leave, Posture.SEATED, look))
        self._be_busy(who, leave)
        self._rest(person, self._walk(person, leave, self._places[visitor.place]))

    def _host_of(self, person: int, now: float) -> int | None:
        """Return a member to visit: seated, at ease and of a group that this one visits."""
        wanted = np.isin(self._group, self._visited[self._group[person]])
        seated = (self._place >= 0) & (self._place < self._seats)
        hosts = np.flatnonzero(wanted & seated & (self._free_s <= now))
        hosts = hosts[hosts != person]
        for _ in range(len(hosts) and _TRIES):
            host = int(self._chance.choice(hosts))
            if self._at_ease(host, now):
                return host
        return None
