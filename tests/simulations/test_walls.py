"""Walls hold people as well as radio, and no contact goes through one."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulations.one_run import run
from simulations.people.walking import move
from simulations.phones.phones import draw_phones
from simulations.places.floor_plan import Doorway, FloorPlan, floor_plan
from simulations.places.tracks import CrowdTracks
from simulations.places.venue import Posture
from simulations.places.walls import NO_WALLS, NOWHERE, Walls
from simulations.radio.channel import Channel
from simulations.scores.breakdown import _minutes
from simulations.scores.scoring import score_run
from simulations.scores.truth import ground_truth
from simulations.settings.scenario import load_scenario
from simulations.streams import Streams
from tracetogether.errors import ScenarioError

WITH_WALLS = ("dormitory", "office-day")
BEFORE = {
    # Digests of two minutes, seed 1, from before walls held people; the tram's is newer: its phones
    # speak GAEN since, in place of an app that broadcast, while its people walk as they did.
    "hospital-ward": "cf45c474e047d662a1e016902610735c7e0fb9015d9046eeb77855c209593b26",
    "lift": "80c8a9f2183395ff6b342c0a8bf209688461a9ef1a1d20fd09564e3d0aefbab5",
    "tram": "a5d37662d5c658db0b39921a5465f262b9bed9016cf2161c03687f6a2fced551",
}


def two_rooms() -> FloorPlan:
    """Two rooms of 4 by 3 m side by side, a corridor below, and three doors onto it."""
    doors = [
        Doorway(-2.0, 0.0, 0.9, across=False, rooms=(0, 2)),
        Doorway(2.0, 0.0, 0.9, across=False, rooms=(1, 2)),
        Doorway(4.0, -1.0, 1.0, across=True, rooms=(2, NOWHERE)),
    ]
    rooms = [(-4.0, 0.0, 0.0, 3.0), (0.0, 4.0, 0.0, 3.0), (-4.0, 4.0, -2.0, 0.0)]
    return floor_plan(rooms, ["left", "right", "corridor"], doors)


def crossings(walls: Walls, tracks: CrowdTracks) -> int:
    """Return how many steps from one tick to the next go through a wall."""
    before, after = (tracks.xy[:, part].reshape(-1, 2) for part in (slice(-1), slice(1, None)))
    there = ~np.isnan(before[:, 0] + after[:, 0])
    return int(walls.between(before[there], after[there]).sum())


def test_walls_are_counted_and_doors_are_gaps() -> None:
    walls = two_rooms().walls
    begin = np.array([(-2, 1), (-2, 1), (-2, 1), (-3.5, 1), (-3, 1)], dtype=float)
    end = np.array([(2, 1), (-1, 2), (-2, -1), (-3.5, -1), (3, -1)], dtype=float)
    #        the wall between, one room, the door, beside the door, through the corridor's wall
    assert walls.between(begin, end).tolist() == [1, 0, 0, 1, 1]
    assert walls.between(end, begin).tolist() == [1, 0, 0, 1, 1]
    assert walls.rooms_at(np.array([(-1, 1), (1, 1), (1, -1), (9, 9)])).tolist() == [0, 1, 2, -1]


def test_rooms_that_touch_share_their_wall() -> None:
    walls = two_rooms().walls
    assert np.allclose(walls.across[walls.across[:, 0] == 0.0], [[0.0, 0.0, 3.0]])
    on_corridor = walls.along[walls.along[:, 0] == 0.0]
    assert np.allclose(on_corridor[:, 1:], [[-4, -2.45], [-1.55, 1.55], [2.45, 4]])


@given(
    xs=st.lists(st.integers(-20, 20), min_size=1, max_size=5, unique=True),
    points=st.lists(st.tuples(*[st.floats(-30, 30)] * 4), min_size=1, max_size=20),
)
def test_walls_without_ends_are_as_many_as_rooms_apart(
    xs: list[int], points: list[tuple[float, ...]]
) -> None:
    """Scenarios whose walls hold no people count walls as before."""
    at = np.array(sorted(xs), dtype=float)
    ends = np.array(points)
    rooms = [np.searchsorted(at, ends[:, column]) for column in (0, 2)]
    found = Walls.right_across(at).between(ends[:, :2], ends[:, 2:])
    assert found.tolist() == np.abs(rooms[0] - rooms[1]).tolist()


def test_only_lines_between_rooms_are_compared_with_walls() -> None:
    walls = two_rooms().walls
    inside = np.tile([(-3.0, 0.5)], (1000, 1))
    walls.between(inside, inside + 1.0)
    assert walls.tests == 0
    walls.between(inside[:7], inside[:7] + np.array([5.0, 0.0]))
    assert walls.tests == 7 * len(walls)


def test_ways_lead_through_doors() -> None:
    plan = two_rooms()
    way = plan.way((-3.0, 2.0), (3.0, 2.0))
    doors = [point for point, in_door in way if in_door]
    assert np.allclose(doors, [(-1.8, 0.0), (1.8, 0.0)])  # each door's side towards the other
    assert np.allclose([point[1] for point, _ in way], [0.3, 0.0, -0.3, -0.3, 0.0, 0.3])
    assert plan.way((-3.0, 2.0), (-1.0, 1.0)) == []
    assert plan.reachable(0, 1)
    lonely = floor_plan([(0, 1, 0, 1), (5, 6, 0, 1)], ["here", "there"], [])
    assert not lonely.reachable(0, 1)
    with pytest.raises(ValueError, match="no doors lead from 'here' to 'there'"):
        lonely.way((0.5, 0.5), (5.5, 0.5))


@pytest.mark.parametrize("all_pairs_up_to", [0, 200])
def test_a_contact_through_a_wall_is_none(all_pairs_up_to: int) -> None:
    """One metre apart for three minutes: with a wall between them, then in one room, in a door."""
    xy = np.zeros((2, 541, 2), np.float32)
    xy[0], xy[1] = (-0.5, 1.0), (0.5, 1.0)
    xy[1, 180:360] = (-1.5, 1.0)
    xy[0, 360:], xy[1, 360:] = (-2.0, 0.5), (-2.0, -0.5)
    code = np.full((2, 541), Posture.STANDING, np.int8)
    tracks = CrowdTracks(xy, xy[..., 0], code, code)
    with_walls = ground_truth(tracks, 2.0, walls=two_rooms().walls, all_pairs_up_to=all_pairs_up_to)
    assert with_walls.minutes.tolist() == [6.0]
    assert ground_truth(tracks, 2.0, all_pairs_up_to=all_pairs_up_to).minutes.tolist() == [9.0]


@pytest.mark.parametrize("name", [*WITH_WALLS, "hospital-ward"])
def test_truth_holds_no_contact_through_a_wall(name: str) -> None:
    scenario = load_scenario(name, {"duration_s": "600"})
    room = scenario.venue.room()
    tracks = move(scenario, room, Streams(1))
    truth, through = ground_truth(tracks, 2.0, walls=room.walls), ground_truth(tracks, 2.0)
    assert len(truth.code) < len(through.code)
    first, second = through.pairs_of(0.0)
    minutes = truth.minutes_of(first, second)
    for row, (person, other) in enumerate(zip(first, second, strict=True)):
        a, b = tracks.xy[person, :-1], tracks.xy[other, :-1]
        near = np.linalg.norm(a - b, axis=1) <= 2.0
        near[near] = ~room.walls.apart(a[near], b[near])
        assert minutes[row] == pytest.approx(near.sum() / 60)


def test_scores_and_their_windows_know_walls() -> None:
    played = run(load_scenario("hospital-ward", {"duration_s": "120"}), seed=1)
    truth = ground_truth(played.tracks, 2.0, walls=played.venue.walls)
    scored = score_run(played)
    assert np.array_equal(scored.truth.code, truth.code)
    assert np.array_equal(scored.truth.minutes, truth.minutes)
    _, minutes = _minutes(played, 2.0)
    app = np.isin(truth.pairs_of(0.0), played.app).all(axis=0)
    assert minutes.sum() == pytest.approx(truth.minutes[app].sum())


@settings(max_examples=8, deadline=None)
@given(
    name=st.sampled_from(WITH_WALLS),
    seed=st.integers(0, 10_000),
    rooms=st.integers(1, 6),
    corridor_m=st.floats(1.0, 4.0),
    speed=st.floats(0.3, 3.0),
)
def test_nobody_goes_through_a_wall(
    name: str, seed: int, rooms: int, corridor_m: float, speed: float
) -> None:
    busy = {
        "breaks_per_hour": "20",
        "break_s": "60",
        "visits_per_hour": "20",
        "moves_per_hour": "9",
    }
    come = {"duration_s": "500", "aboard_at_start": "0.6", "stop_every_s": "120"}
    here = {"rooms": str(rooms), "corridor_m": str(corridor_m), "walk_speed_m_s": str(speed)}
    place = {"tables": "12", "stay_median_s": "300", "length_m": "45"}
    scenario = load_scenario(name, busy | come | here | place)
    room = scenario.venue.room()
    tracks = move(scenario, room, Streams(seed))
    assert room.plan is not None
    assert room.plan.routes[0] > 20  # many walk
    assert (room.walls.rooms_at(tracks.xy[tracks.present()]) == rooms).mean() > 0.02
    assert crossings(room.walls, tracks) == 0
    inside = room.walls.rooms_at(tracks.xy[tracks.present()])
    assert (inside != NOWHERE).all()


def test_people_went_through_walls_where_these_hold_radio_alone() -> None:
    """The property above can fail: without a corridor people walk straight through."""
    scenario = load_scenario("office-day", {"corridor_m": "0", "duration_s": "1200"})
    room = scenario.venue.room()
    assert crossings(room.walls, move(scenario, room, Streams(1))) > 50


def test_each_wall_weakens_a_signal_by_its_loss() -> None:
    scenario = load_scenario("dormitory", {"duration_s": "60"})
    room = scenario.venue.room()
    tracks = move(scenario, room, Streams(1))
    phones = draw_phones(scenario.people.count, scenario.phones, scenario.channel, Streams(1))
    chance = np.random.Generator(np.random.Philox(1))
    tx, rx = chance.integers(scenario.people.count, size=(2, 500))
    asked = tx, rx, np.full(500, 30.0), chance.integers(3, size=500)
    levels = [
        Channel(tracks, phones, scenario.channel, Streams(1), walls).level_dbm(*asked)
        for walls in (NO_WALLS, room.walls)
    ]
    crossed = room.walls.between(tracks.xy[tx, 30], tracks.xy[rx, 30])
    known = ~np.isnan(levels[0])
    assert set(crossed[known].tolist()) >= {0, 1, 3}
    lost = (levels[0] - levels[1])[known]
    assert lost == pytest.approx(scenario.channel.wall_db * crossed[known], abs=1e-9)


@pytest.mark.parametrize("fidelity", ["vectorized", "object"])
@pytest.mark.parametrize("name", BEFORE)
def test_walls_changed_no_scenario_without_a_corridor(name: str, fidelity: str) -> None:
    scenario = load_scenario(name, {"duration_s": "120"})
    assert run(scenario, seed=1, fidelity=fidelity).digest == BEFORE[name]


def test_furniture_lies_within_its_room() -> None:
    for name in WITH_WALLS:
        venue = load_scenario(name).venue
        room = venue.room()
        share = room.walls.rooms_at(room.seats)
        tables = np.bincount(share, minlength=venue.rooms) / venue.seats_per_table
        assert tables.tolist() == [venue.tables / venue.rooms] * venue.rooms
        assert set(room.walls.rooms_at(room.standing).tolist()) == {venue.rooms}  # the corridor
    uneven = replace(load_scenario("office-day").venue, tables=4).room()
    assert np.bincount(uneven.walls.rooms_at(uneven.seats)).tolist() == [8, 4, 4]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"corridor_m": "0.5"}, r"\[venue\]: a corridor of 0.5 m is too narrow: 1 m is the least"),
        ({"standing_places": "99"}, "99 standing places are longer than a corridor of 30 m"),
        ({"doors_per_side": "50"}, "17 doors are too many for a room of 10 m"),
        ({"motion.kind": "wander"}, "set it to stay, or leave 'venue.corridor_m' or the plan out"),
        ({"venue.kind": "carriage"}, "a carriage has no corridor: leave corridor_m out"),
    ],
)
def test_what_does_not_fit_a_corridor_is_refused(keys: dict[str, str], message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        load_scenario("office-day", keys)
