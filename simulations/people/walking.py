"""Mobility of people who walk: flows through a corridor, wandering, and queues.

A simple social-force model, two steps a second for all people at once. Everybody walks towards a
goal. People within 1.2 m push each other away with exp(-gap / 0.25 m). Speed falls with the local
density as Weidmann (1993) measured: v = v0 * (1 - exp(-1.913 * (1 / density - 1 / 5.4))), so nobody
moves at 5.4 people per m². A k-d tree finds the neighbours.
"""

from typing import Final

import numpy as np
from scipy.spatial import cKDTree

from simulations.people.by_timetable import by_timetable
from simulations.people.carrying import carry_over_time
from simulations.people.mobility import stay
from simulations.places.tracks import CrowdTracks, Floats32
from simulations.places.venue import Posture, Room
from simulations.settings.scenario import Scenario
from simulations.streams import Streams
from tracetogether.units import Bools, Floats

_STEPS_PER_S: Final = 2
_STEP_S: Final = 1.0 / _STEPS_PER_S
_REACH_M: Final = 1.2  # people push each other within this distance
_PUSH_M_S: Final = 1.2  # push between two people who touch
_BODY_M: Final = 0.4
_JAM_PER_M2: Final = 5.4  # density at which nobody moves
_WEIDMANN: Final = 1.913


def move(scenario: Scenario, room: Room, streams: Streams) -> CrowdTracks:
    """Return the tracks of everybody, at one tick per second, for the scenario's kind of motion."""
    if scenario.venue.kind == "plan":
        return by_timetable(scenario, room, streams)
    match scenario.motion.kind:
        case "queue":
            return queue(scenario, room, streams)
        case "flow" | "wander":
            return walk(scenario, room, streams)
        case _:
            return stay(scenario, room, streams)


def walk(scenario: Scenario, room: Room, streams: Streams) -> CrowdTracks:
    """Return the tracks of a flow from end to end, or of people who wander between goals."""
    keys, people = scenario.motion, scenario.people.count
    chance = streams.generator("mobility", "walking")
    flow = keys.kind == "flow"
    ticks = int(scenario.duration_s) + 1
    half = np.array([room.length_m / 2, room.width_m / 2])
    inner = np.maximum(half - 0.3, 0.1)
    speed = keys.walk_speed_m_s + keys.walk_speed_sd_m_s * chance.normal(size=people)
    speed = np.maximum(speed, 0.3 * keys.walk_speed_m_s)
    way = np.where(chance.random(people) < keys.counterflow, -1.0, 1.0)
    at_start = chance.random(people) < keys.aboard_at_start
    crossing_s = room.length_m / keys.walk_speed_m_s
    come_s = np.where(
        at_start, 0.0, chance.uniform(0, max(scenario.duration_s - crossing_s, 1.0), people)
    )
    xy = chance.uniform(-inner, inner, (people, 2))
    if flow:
        xy[:, 0] = np.where(at_start, xy[:, 0], -way * inner[0])
    goal = (
        np.column_stack([way * (half[0] + 1.0), xy[:, 1]])
        if flow
        else _goals(inner, people, chance)
    )
    wait_until = np.zeros(people)
    gone = np.zeros(people, dtype=np.bool_)
    # The tick is the first axis, so that the data of one tick are contiguous in memory.
    places = np.full((ticks, people, 2), np.nan, dtype=np.float32)
    walking = np.zeros((ticks, people), dtype=np.bool_)
    for step in range((ticks - 1) * _STEPS_PER_S + 1):
        now = step * _STEP_S
        here = (come_s <= now) & ~gone
        moving = here & (now >= wait_until)
        there = np.flatnonzero(here)
        if step % _STEPS_PER_S == 0:
            places[step // _STEPS_PER_S, there] = xy[there]
            walking[step // _STEPS_PER_S] = moving
        velocity, push = _steer(xy[there], goal[there], speed[there])
        moved = np.where(moving[there, None], velocity + push, 0.3 * push) * _STEP_S
        after = xy[there] + moved
        after[:, 1] = np.clip(after[:, 1], -inner[1], inner[1])
        xy[there] = after
        if flow:
            gone[there] = way[there] * after[:, 0] >= half[0]
            continue
        xy[:, 0] = np.clip(xy[:, 0], -inner[0], inner[0])
        arrived = moving & (np.linalg.norm(goal - xy, axis=1) < 0.7)
        goal[arrived] = _goals(inner, int(arrived.sum()), chance)
        wait_until[arrived] = now + chance.exponential(max(keys.pause_s, 1e-9), arrived.sum())
    return _tracks(scenario, places.transpose(1, 0, 2), walking.T, streams)


def _goals(inner: Floats, count: int, chance: np.random.Generator) -> Floats:
    return np.asarray(chance.uniform(-inner, inner, (count, 2)))


def _steer(xy: Floats, goal: Floats, speed: Floats) -> tuple[Floats, Floats]:
    """Return (P, 2) the desired velocity and (P, 2) the push by others, m/s.

    Args:
        xy: (P, 2) positions, m.
        goal: (P, 2) goals, m.
        speed: (P,) free speeds, m/s.
    """
    way = goal - xy
    way /= np.maximum(_length(way), 1e-9)[:, None]
    push = np.zeros_like(xy)
    near = np.zeros(len(xy))
    if len(xy) > 1:
        pairs = cKDTree(xy, balanced_tree=False, compact_nodes=False).query_pairs(
            _REACH_M, output_type="ndarray"
        )
        a, b = np.ascontiguousarray(pairs.T)
        gaps = [column[a] - column[b] for column in np.ascontiguousarray(xy.T)]
        apart = np.maximum(np.sqrt(gaps[0] ** 2 + gaps[1] ** 2), 1e-3)
        strength = _PUSH_M_S * np.exp(-np.maximum(apart - _BODY_M, 0.0) / 0.25)
        for axis, gap in enumerate(gaps):
            force = gap / apart * strength
            push[:, axis] = np.bincount(a, force, len(xy)) - np.bincount(b, force, len(xy))
        near += np.bincount(a, minlength=len(xy)) + np.bincount(b, minlength=len(xy))
    density = near / (np.pi * _REACH_M**2)
    slowed = 1.0 - np.exp(-_WEIDMANN * (1.0 / np.maximum(density, 1e-3) - 1.0 / _JAM_PER_M2))
    velocity = way * (speed * np.clip(slowed, 0.05, 1.0))[:, None]
    length = np.maximum(_length(push), 1e-9)
    return velocity, push * np.minimum(1.0, 0.8 / length)[:, None]


def _length(vectors: Floats) -> Floats:
    return np.sqrt(vectors[:, 0] ** 2 + vectors[:, 1] ** 2)


def _tracks(scenario: Scenario, xy: Floats32, walking: Bools, streams: Streams) -> CrowdTracks:
    people, ticks = walking.shape
    there = np.ascontiguousarray(~np.isnan(xy[..., 0]))
    person, tick = np.nonzero(there)  # most people are absent most of the time
    after = np.minimum(tick + 1, ticks - 1)
    step = xy[person, after].astype(np.float64) - xy[person, tick]
    step = np.where(np.isnan(step), 0.0, step)
    heading = np.arctan2(step[:, 1], step[:, 0])
    stepping = walking[person, tick] & (_length(step) > 0.1)
    # People who stand still keep their last direction of view.
    row = np.arange(len(person))
    first = np.searchsorted(person, person)
    last = np.maximum(np.maximum.accumulate(np.where(stepping, row, 0)), first)
    facing = np.zeros((people, ticks), dtype=np.float32)
    facing[person, tick] = heading[last]
    posture = np.full((people, ticks), Posture.ABSENT, dtype=np.int8)
    posture[person, tick] = np.where(
        walking[person, tick], np.int8(Posture.WALKING), np.int8(Posture.STANDING)
    )
    return CrowdTracks(
        xy=xy,
        facing=facing,
        posture=posture,
        carry=carry_over_time(scenario.people, people, ticks, streams),
    )


def queue(scenario: Scenario, room: Room, streams: Streams) -> CrowdTracks:
    """Return the tracks of people in one queue, folded back and forth across the room.

    The first person is served for a log-normal time, leaves, and all move up by one place. The
    mean service time is the median stay divided by the length of the queue at the start.
    """
    keys, people = scenario.motion, scenario.people.count
    chance = streams.generator("mobility", "queue")
    ticks = int(scenario.duration_s) + 1
    pitch = scenario.venue.seat_pitch_m
    waiting = max(1, round(people * keys.aboard_at_start))
    come = np.where(
        np.arange(people) < waiting,
        -1.0,
        np.sort(chance.uniform(0, scenario.duration_s, people)),
    )
    come = np.sort(come)
    mean_s = keys.stay_median_s / waiting
    served = mean_s * np.exp(0.4 * chance.normal(size=people) - 0.08)
    done = np.empty(people)
    free = 0.0
    for person in range(people):  # each person waits for the one in front
        free = max(free, come[person]) + served[person]
        done[person] = free
    time = np.arange(ticks, dtype=np.float64)
    ahead = np.arange(people)[:, None] - np.searchsorted(done, time, side="right")[None, :]
    there = (time >= come[:, None]) & (time < done[:, None])
    along = np.maximum(ahead, 0) * pitch
    aside = 0.05 * chance.normal(size=(people, 1))
    fold = max(room.length_m - 2.0, pitch)
    row, within = np.divmod(along, fold)
    x = np.where(row % 2 == 0, fold / 2 - within, within - fold / 2)
    y = room.width_m / 2 - 0.6 - row * 1.2 + aside
    if y[there].min(initial=0.0) < -room.width_m / 2:
        y = np.maximum(y, -room.width_m / 2 + 0.1)  # the end of the queue is crowded at the wall
    xy = np.stack([x, y], axis=-1)
    xy[~there] = np.nan
    facing = np.where(row % 2 == 0, 0.0, np.pi) + 0.5 * chance.normal(size=(people, 1))
    posture = np.where(there, Posture.STANDING, Posture.ABSENT)
    return CrowdTracks(
        xy=xy.astype(np.float32),
        facing=facing.astype(np.float32),
        posture=posture.astype(np.int8),
        carry=carry_over_time(scenario.people, people, ticks, streams),
    )
