"""Days of a made-up town: people meet in simulated rooms, and their phones record each other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from simulations.one_run import Run, run
from simulations.settings.scenario import load_scenario
from simulations.streams import Streams
from tracetogether.sightings import Sighting
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_HOUR

_ROOMS: Final = ("office-day", "classroom", "party")
_SEATS: Final = 12
_STRANGERS: Final = 0.15  # share of people who leave their usual group on a day
_MEETING_S: Final = 2 * SECONDS_PER_HOUR
_MEETING_MINUTES: Final = 100
_FIRST_HOUR_S: Final = 1 * SECONDS_PER_HOUR  # 01:00 UTC, 9 a.m. in Singapore
_MEETINGS: Final = 5  # start times, one after the other

TempIDAt = Callable[[int, float], str]
"""Returns the TempID that a person's phone sends at a time (epoch seconds)."""


@dataclass(frozen=True, slots=True)
class PlayedMeeting:
    """A simulated meeting: which seats heard each other.

    Attributes:
        start: epoch seconds.
        heard: seat -> (seat heard, the reading).
    """

    start: float
    heard: Mapping[int, Sequence[tuple[int, Sighting]]]


def meetings(
    seed: int, on_progress: Callable[[int, int], None] | None = None
) -> tuple[PlayedMeeting, ...]:
    """Play a meeting in each kind of room, with twelve people, all with the app."""
    played = []
    for number, name in enumerate(_ROOMS):
        if on_progress is not None:
            on_progress(number, len(_ROOMS))
        settings = {
            "people.count": str(_SEATS),
            "people.adoption": "1.0",
            "duration_s": str(_MEETING_MINUTES * 60),
        }
        played.append(_meeting_of(run(load_scenario(name, settings), seed=seed + number)))
    return tuple(played)


def _meeting_of(played: Run) -> PlayedMeeting:
    if played.issuer is None:
        raise AssertionError("the run has its own issuer")
    seats = {user_id: seat for seat, user_id in played.user_ids.items()}
    heard: dict[int, list[tuple[int, Sighting]]] = {}
    for seat, log in played.logs.items():
        rows = list(log.rows())
        times = np.array([row.time for row in rows])
        opened = played.issuer.open_many([row.peer for row in rows], times)
        names = opened.user.names
        codes = opened.user.codes.tolist()
        heard[seat] = [
            (seats[names[code]], row) for code, row in zip(codes, rows, strict=True) if code >= 0
        ]
    return PlayedMeeting(played.start, heard)


@dataclass(frozen=True, slots=True)
class Town:
    """Who meets whom on which day.

    Attributes:
        people: number of people, who are numbered from 0.
        seed: random seed.
        meetings: the played meetings; a group has the same one each day.
    """

    people: int
    seed: int
    meetings: Sequence[PlayedMeeting]

    def log(
        self, person: int, days: Sequence[int], until: float, tempid_at: TempIDAt
    ) -> list[Sighting]:
        """Return what a person's phone recorded on some UTC days, in the order of time."""
        rows: list[Sighting] = []
        for day in days:
            group, meeting, start = self._meeting(person, day)
            seats = dict(enumerate(group))
            shift = day * SECONDS_PER_DAY + start - meeting.start
            for heard, reading in meeting.heard.get(group.index(person), ()):
                time = reading.time + shift
                if heard in seats and time < until:
                    peer = tempid_at(seats[heard], time)
                    rows.append(replace(reading, time=time, peer=peer))
        return sorted(rows, key=lambda row: row.time)

    def group(self, person: int, day: int) -> tuple[int, ...]:
        """Return the people who meet a person on a day, with that person."""
        return self._meeting(person, day)[0]

    def _meeting(self, person: int, day: int) -> tuple[tuple[int, ...], PlayedMeeting, float]:
        chance = Streams(self.seed).generator("town", day)
        places = np.arange(self.people)
        away = np.flatnonzero(chance.random(self.people) < _STRANGERS)
        places[away] = chance.permutation(places[away])  # people away from their place swap places
        place = int(np.flatnonzero(places == person)[0])
        number = place // _SEATS
        group = tuple(places[number * _SEATS : (number + 1) * _SEATS].tolist())
        meeting = self.meetings[number % len(self.meetings)]
        start = _FIRST_HOUR_S + number % _MEETINGS * _MEETING_S
        return group, meeting, float(start)
