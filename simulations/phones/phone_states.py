"""States of phones over time: app in front, in the background, locked, lit, Bluetooth off.

Three independent processes per phone: spells (front, background, locked), notifications that light
a locked screen, and times with Bluetooth off. Spells and episodes last exponential times; episodes
begin as a Poisson process. All edges are drawn together and sorted. Cumulative sums of +1 (begin)
and -1 (end) then give the state after each edge. Changes are few, some tens per hour and phone.
"""

from collections.abc import Callable, Generator, Sequence
from enum import IntEnum
from typing import Any, Final, NamedTuple

import numpy as np
import simpy

from simulations.settings.keys import PhoneKeys
from simulations.streams import Streams
from tracetogether.units import Bools, Floats, Ints


class PhoneState(IntEnum):
    """State of the app; the value is the code in columns."""

    FRONT = 0
    BACKGROUND = 1
    LOCKED = 2
    LIT = 3  # locked, but a notification has lit the screen
    OFF = 4  # Bluetooth is off


class StateChange(NamedTuple):
    """The phone of ``person`` changes to ``state`` at ``at_s``, seconds after the start."""

    at_s: float
    person: int
    state: PhoneState


_BEFORE: Final = 4.0  # mean lengths before the start at which episodes begin to be drawn


def draw_changes(
    people: Sequence[int], keys: PhoneKeys, duration_s: float, streams: Streams
) -> list[StateChange]:
    """Return all changes in order of time; each person has one at 0.

    All states last exponential times with the same mean and are chosen with their shares. So these
    are also shares of time. Notifications light only locked screens; Bluetooth off hides every
    other state.
    """
    who = np.array(people, dtype=np.int64)
    spells = _spells(who, keys, duration_s, streams)
    lit = _episodes(who, 1.0 / keys.lit_every_s, keys.lit_s, duration_s, streams, "lit")
    per_s = keys.bluetooth_drops_per_hour / 3600.0
    off = _episodes(who, per_s, keys.bluetooth_off_s, duration_s, streams, "off")
    edges = _Edges._make(map(np.concatenate, zip(spells, lit, off, strict=True)))
    order = np.lexsort((~edges.is_spell, edges.at_s, edges.person))
    edges = _Edges._make(column[order] for column in edges)
    last_spell = np.maximum.accumulate(np.where(edges.is_spell, np.arange(len(edges.person)), 0))
    owner = edges.state[last_spell]
    # Each person's episodes all end, perhaps after the run. So each person adds 0 to the sums, and
    # one sum over everybody is right for each person.
    is_lit = np.cumsum(np.where(edges.state == PhoneState.LIT, edges.step, 0)) > 0
    is_off = np.cumsum(np.where(edges.state == PhoneState.OFF, edges.step, 0)) > 0
    state = np.where(is_lit & (owner == PhoneState.LOCKED), PhoneState.LIT, owner)
    state = np.where(is_off, PhoneState.OFF, state)
    # Of several edges at one moment the last counts. Edges that change nothing are dropped.
    same = (edges.person[1:] == edges.person[:-1]) & (edges.at_s[1:] == edges.at_s[:-1])
    kept = np.flatnonzero(np.append(~same, True) & (edges.at_s < duration_s))
    person, state = edges.person[kept], state[kept]
    new = np.append(True, (person[1:] != person[:-1]) | (state[1:] != state[:-1]))[: len(person)]
    at_s = edges.at_s[kept]
    order = np.lexsort((person[new], at_s[new]))
    return [
        StateChange(at, person, PhoneState(code))
        for at, person, code in zip(
            at_s[new][order].tolist(),
            person[new][order].tolist(),
            state[new][order].tolist(),
            strict=True,
        )
    ]


class _Edges(NamedTuple):
    """Moments at which a spell begins, or an episode begins or ends, in columns.

    Attributes:
        person: (n,) whose phone.
        at_s: (n,) seconds after the start of the run.
        is_spell: (n,) whether a spell begins.
        state: (n,) codes of PhoneState: what begins or ends.
        step: (n,) 1 for the begin of an episode, -1 for its end, 0 for a spell.
    """

    person: Ints
    at_s: Floats
    is_spell: Bools
    state: Ints
    step: Ints


def _spells(people: Ints, keys: PhoneKeys, duration_s: float, streams: Streams) -> _Edges:
    """Return the spells with the app in front, in the background, or locked."""
    shares = np.array([1.0 - keys.background - keys.locked, keys.background, keys.locked])
    shares = np.maximum(shares, 0.0) / np.maximum(shares, 0.0).sum()
    codes = np.array([PhoneState.FRONT, PhoneState.BACKGROUND, PhoneState.LOCKED], dtype=np.int64)
    noise = streams.noise("phones", "states")
    who, at_s, drawn = people, np.zeros(len(people)), 0
    persons, times, states = [], [], []
    while len(who):
        picked = np.searchsorted(np.cumsum(shares)[:-1], noise.uniform(who, drawn), side="right")
        persons.append(who)
        times.append(at_s)
        states.append(codes[picked])
        if shares.max() == 1.0:
            break
        at_s = at_s - np.log(noise.uniform(who, drawn + 1)) * keys.state_change_s
        within = at_s < duration_s
        who, at_s, drawn = who[within], at_s[within], drawn + 2
    person = np.concatenate([*persons, people[:0]])
    return _Edges(
        person,
        np.concatenate([*times, np.empty(0)]),
        np.ones(len(person), dtype=np.bool_),
        np.concatenate([*states, people[:0]]),
        np.zeros(len(person), dtype=np.int64),
    )


def _episodes(
    people: Ints, per_s: float, mean_s: float, duration_s: float, streams: Streams, name: str
) -> _Edges:
    """Return begins and ends of a Poisson process of episodes; some begin before the start.

    Args:
        people: (n,) persons.
        per_s: episodes per second and person.
        mean_s: mean length of an episode.
        duration_s: of the run.
        streams: the run's random streams.
        name: "lit" or "off".
    """
    noise = streams.noise("phones", name)
    who, at_s, drawn = people, np.full(len(people), -_BEFORE * mean_s), 0
    persons, begins, ends = [people[:0]], [np.empty(0)], [np.empty(0)]
    while len(who) and per_s > 0.0:
        at_s = at_s - np.log(noise.uniform(who, drawn)) / per_s
        within = at_s < duration_s
        who, at_s = who[within], at_s[within]
        end_s = at_s - np.log(noise.uniform(who, drawn + 1)) * mean_s
        seen = end_s > 0.0
        persons.append(who[seen])
        begins.append(np.maximum(at_s[seen], 0.0))
        ends.append(end_s[seen])
        drawn += 2
    person = np.concatenate(persons)
    state = PhoneState.OFF if name == "off" else PhoneState.LIT
    ones = np.ones(len(person), dtype=np.int64)
    return _Edges(
        np.concatenate([person, person]),
        np.concatenate([*begins, *ends]),
        np.zeros(2 * len(person), dtype=np.bool_),
        np.full(2 * len(person), state, dtype=np.int64),
        np.concatenate([ones, -ones]),
    )


def seconds_in_front(changes: Sequence[StateChange], duration_s: float) -> dict[int, float]:
    """Return person -> seconds with the app in front."""
    since: dict[int, StateChange] = {}
    total: dict[int, float] = {}
    for change in changes:
        before = since.get(change.person)
        if before is not None and before.state is PhoneState.FRONT:
            total[change.person] += change.at_s - before.at_s
        total.setdefault(change.person, 0.0)
        since[change.person] = change
    for person, last in since.items():
        if last.state is PhoneState.FRONT:
            total[person] += duration_s - last.at_s
    return total


def live_states(
    env: simpy.Environment,
    changes: Sequence[StateChange],
    begin_s: float,
    tell: Callable[[StateChange], None],
) -> Generator[simpy.Event, Any, None]:
    """Run as a SimPy process that calls ``tell`` with each change at its time."""
    for change in changes:
        wait_s = begin_s + change.at_s - env.now
        if wait_s > 0:
            yield env.timeout(wait_s)
        tell(change)
