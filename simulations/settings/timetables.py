"""Groups of people and their timetable: where each group is, from when to when.

Times of day count from the start of the first entry. An earlier time is that of the next day.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from simulations.places.venue import Room
from simulations.settings.keys import MotionKeys, PeopleKeys
from simulations.settings.plan_keys import AWAY, OWN, PeopleGroupKeys
from tracetogether.names import did_you_mean
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, SECONDS_PER_MINUTE, Ints

OUTSIDE: Final = -1
"""The number of the space that stands for outside the venue."""
_CLOCK: Final = re.compile(r"([01]?[0-9]|2[0-4]):([0-5][0-9])")


@dataclass(frozen=True, slots=True)
class Period:
    """A time that a group spends in one space.

    Attributes:
        start_s, end_s: seconds after the start of the run.
        space: its number, or OUTSIDE.
    """

    start_s: float
    end_s: float
    space: int


def periods_of(
    people: PeopleKeys, motion: MotionKeys, spaces: Sequence[str], duration_s: float
) -> list[tuple[Period, ...]]:
    """Return each group's periods in order of time; the first begins with the run.

    Raises:
        ValueError: a name is unknown, a time can't be read, or a group has no place or two places
            to be at some time.
    """
    groups = people.groups
    for name, group in groups.items():
        _known(f"people.groups.{name}.space", group.space, spaces, "space of the plan")
        for visited in group.visits:
            _known(f"people.groups.{name}.visits", visited, groups, "group")
    numbers = {name: number for number, name in enumerate(spaces)} | {AWAY: OUTSIDE}
    if not motion.timetable:
        own = [numbers[group.space] for group in groups.values()]
        return [(Period(0.0, duration_s, space),) for space in own]
    found: dict[str, list[tuple[float, float, int]]] = {name: [] for name in groups}
    first = _seconds("motion.timetable.1.starts", motion.timetable[0].starts)
    for number, entry in enumerate(motion.timetable, start=1):
        key = f"motion.timetable.{number}"
        _known(f"{key}.space", entry.space, [*spaces, OWN, AWAY], "space of the plan")
        for name in entry.groups:
            _known(f"{key}.groups", name, groups, "group")
        start = (_seconds(f"{key}.starts", entry.starts) - first) % SECONDS_PER_DAY
        end = (_seconds(f"{key}.ends", entry.ends) - first) % SECONDS_PER_DAY or SECONDS_PER_DAY
        if end <= start:
            raise ValueError(f"'{key}' ends at {entry.ends}, not after it starts at {entry.starts}")
        for name in entry.groups or groups:
            space = groups[name].space if entry.space == OWN else entry.space
            found[name].append((start, end, numbers[space]))
    return [_without_holes(name, sorted(found[name]), first, duration_s) for name in groups]


def _without_holes(
    name: str, periods: Sequence[tuple[float, float, int]], first: float, duration_s: float
) -> tuple[Period, ...]:
    """Return the periods of one group up to the end of the run.

    Raises:
        ValueError: there is a time without an entry, or with two.
    """
    until = 0.0
    for start, end, _ in periods:
        if start > until:
            break
        if start < until:
            raise ValueError(
                f"[[motion.timetable]]: group {name!r} is in two places from "
                f"{_clock(first + start)} to {_clock(first + min(until, end))}: end one entry "
                "before the other starts"
            )
        until = end
    if until < duration_s:
        later = [start for start, _, _ in periods if start > until]
        hole_end = min([*later, duration_s])
        raise ValueError(
            f"[[motion.timetable]]: group {name!r} has no entry from {_clock(first + until)} to "
            f"{_clock(first + hole_end)}: add one (space {AWAY!r} if they are not there), or set "
            f"duration_s to {until:g} or less"
        )
    return tuple(Period(start, end, space) for start, end, space in periods if start < duration_s)


def check_groups(
    people: PeopleKeys, motion: MotionKeys, room: Room, spaces: Sequence[str], duration_s: float
) -> None:
    """Check the groups and the timetable of a plan.

    Raises:
        ValueError: names what is wrong, and the remedy.
    """
    groups = people.groups
    if not groups:
        raise ValueError("a plan has groups: add [people.groups.NAME] with people and space")
    members = sum(group.people for group in groups.values())
    if members < people.count:
        raise ValueError(
            f"'people.count' is {people.count}, but the groups have {members} members together: "
            f"set it to {members} or less, or add people in [people.groups]"
        )
    periods = periods_of(people, motion, spaces, duration_s)
    places = places_in(room, len(spaces))
    of_group = list(groups.values())
    own = {
        number: sum(group.people for group in of_group if group.space == space)
        for number, space in enumerate(spaces)
    }
    for number, needed in own.items():
        if needed > places[number]:
            raise ValueError(
                f"space {spaces[number]!r} has {places[number]} places, but {needed} people have "
                f"it as their own: add seats or standing places in [venue.spaces.{spaces[number]}]"
            )
    for start in sorted({period.start_s for group in periods for period in group}):
        here = [
            next(period.space for period in group if period.start_s <= start < period.end_s)
            for group in periods
        ]
        for number, space in enumerate(spaces):
            needed = _needed(number, space, here, of_group)
            if needed > places[number]:
                raise ValueError(
                    f"space {space!r} has {places[number]} places, but {needed} people are there "
                    f"{start / SECONDS_PER_MINUTE:g} minutes after the start: add standing_places, "
                    f"seats or tables in [venue.spaces.{space}], or send fewer groups there"
                )


def _needed(number: int, space: str, here: Sequence[int], groups: Sequence[PeopleGroupKeys]) -> int:
    """Return how many places a space needs: for its own people, kept all day, and for others."""
    return sum(
        group.people
        for group, now in zip(groups, here, strict=True)
        if group.space == space or now == number
    )


def places_in(room: Room, spaces: int) -> Ints:
    """Return (spaces,) how many places to sit or stand each space has."""
    places = np.concatenate([room.seats, room.standing])
    return np.bincount(room.walls.rooms_at(places), minlength=spaces)


def _known(key: str, name: str, known: Sequence[str] | Mapping[str, object], what: str) -> None:
    if name not in known:
        hint = did_you_mean(name, known) or f"; there are: {', '.join(known)}"
        raise ValueError(f"{key!r}: {name!r} is no {what}{hint}")


def _seconds(key: str, clock: str) -> float:
    """Return the seconds since midnight of a time of day such as 08:45."""
    found = _CLOCK.fullmatch(clock)
    if found is None or (found[1] == "24" and found[2] != "00"):
        raise ValueError(f"{key!r} is a time of day such as 08:45, not {clock!r}")
    return int(found[1]) * SECONDS_PER_HOUR + int(found[2]) * SECONDS_PER_MINUTE


def _clock(seconds: float) -> str:
    """Return a time of day.

    >>> _clock(31_500)
    '08:45'
    """
    minutes = int(seconds // SECONDS_PER_MINUTE)
    text = f"{minutes // 60 % 24:02d}:{minutes % 60:02d}"
    rest = seconds % SECONDS_PER_MINUTE
    return f"{text}:{rest:02.0f}" if rest else text
