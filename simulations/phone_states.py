"""What owners do to their phones over time: in front, in the background, locked, Bluetooth off.

Changes are few (some tens per hour and phone), drawn per person by name, and put on SimPy's
clock one by one.
"""

from collections.abc import Callable, Generator, Sequence
from enum import IntEnum
from typing import Any, Final, NamedTuple

import numpy as np
import simpy

from simulations.keys import PhoneKeys
from simulations.streams import Streams


class PhoneState(IntEnum):
    """How the app is doing; the value is its code in columns."""

    FRONT = 0
    BACKGROUND = 1
    LOCKED = 2
    LIT = 3  # locked, but a notification has lit the screen
    OFF = 4  # Bluetooth is off


class StateChange(NamedTuple):
    """From ``at_s`` (seconds after the start of the run) on, the phone is in ``state``."""

    at_s: float
    person: int
    state: PhoneState


_BEFORE: Final = 4.0  # mean lengths before the start from which an episode may still last


def draw_changes(
    people: Sequence[int], keys: PhoneKeys, duration_s: float, streams: Streams
) -> list[StateChange]:
    """Return all changes in order of time; everybody has one at 0.

    States last exponential times of one mean and are chosen by their shares, so the shares are
    those of time. Notifications light locked screens; Bluetooth drops come on top of all.
    """
    changes: list[StateChange] = []
    for person in people:
        chance = streams.generator("phones", "states", person)
        spells = _owner(keys, duration_s, chance)
        lit = _episodes(1.0 / keys.lit_every_s, keys.lit_s, duration_s, chance)
        off = _episodes(
            keys.bluetooth_drops_per_hour / 3600.0, keys.bluetooth_off_s, duration_s, chance
        )
        edges = {at for at, _ in spells} | {edge for one in (*lit, *off) for edge in one}
        before: PhoneState | None = None
        for at in sorted(edge for edge in edges if edge < duration_s):
            state = next(what for since, what in reversed(spells) if since <= at)
            if state is PhoneState.LOCKED and any(a <= at < b for a, b in lit):
                state = PhoneState.LIT
            if any(a <= at < b for a, b in off):
                state = PhoneState.OFF
            if state is not before:
                changes.append(StateChange(at, person, state))
            before = state
    return sorted(changes)


def _owner(
    keys: PhoneKeys, duration_s: float, chance: np.random.Generator
) -> list[tuple[float, PhoneState]]:
    """Return (since, state) of front, background and locked."""
    states = (PhoneState.FRONT, PhoneState.BACKGROUND, PhoneState.LOCKED)
    shares = np.array([1.0 - keys.background - keys.locked, keys.background, keys.locked])
    shares = np.maximum(shares, 0.0) / np.maximum(shares, 0.0).sum()
    spells, at = [], 0.0
    while at < duration_s:
        spells.append((at, states[int(chance.choice(len(states), p=shares))]))
        if shares.max() == 1.0:
            break
        at += float(chance.exponential(keys.state_change_s))
    return spells


def _episodes(
    per_s: float, mean_s: float, duration_s: float, chance: np.random.Generator
) -> list[tuple[float, float]]:
    """Return [begin, end) of episodes that come at random, the first perhaps under way."""
    if per_s <= 0.0:
        return []
    found: list[tuple[float, float]] = []
    at = -_BEFORE * mean_s
    while True:
        at += float(chance.exponential(1.0 / per_s))
        if at >= duration_s:
            return found
        end = at + float(chance.exponential(mean_s))
        if end > 0.0:
            found.append((max(at, 0.0), end))


def seconds_in_front(changes: Sequence[StateChange], duration_s: float) -> dict[int, float]:
    """Return person -> time that the app was in front."""
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
    """Be the SimPy process that tells every change when it comes."""
    for change in changes:
        wait_s = begin_s + change.at_s - env.now
        if wait_s > 0:
            yield env.timeout(wait_s)
        tell(change)
