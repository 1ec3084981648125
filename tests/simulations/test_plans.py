"""Venues of several spaces: groups follow a timetable through doors."""

import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulations.one_run import run
from simulations.people.trajectories import RecordedTracks, on_recorded_tracks
from simulations.people.walking import move
from simulations.places.tracks import CrowdTracks
from simulations.places.venue import Room
from simulations.places.walls import NOWHERE
from simulations.scores.scoring import score_run
from simulations.scores.truth import ground_truth
from simulations.settings.scenario import (
    Scenario,
    load_scenario,
    parse_scenario,
    scenario_of_keys,
    scenario_text,
)
from simulations.streams import Streams
from tracetogether.errors import ScenarioError
from tracetogether.units import Bools

PLANS = ("care-home", "home", "school")
SCHOOL = scenario_text("school").text
HOME = scenario_text("home").text
DOCS = Path(__file__).parents[2] / "docs"
EARLY_BREAK = {  # the first break begins after five minutes
    "motion.timetable.1.ends": "08:05",
    "motion.timetable.2.starts": "08:05",
    "motion.timetable.3.starts": "08:05",
}


def played(scenario: Scenario, seed: int = 1) -> tuple[Room, CrowdTracks]:
    room = scenario.venue.room()
    return room, move(scenario, room, Streams(seed))


@pytest.fixture(scope="module")
def school_day() -> tuple[Scenario, Room, CrowdTracks]:
    scenario = load_scenario("school")
    return scenario, *played(scenario)


def space_at(scenario: Scenario, room: Room, tracks: CrowdTracks, minute: float) -> list[str]:
    """Return the name of the space in which each person is."""
    numbers = room.walls.rooms_at(tracks.xy[:, round(minute * 60)])
    there = ~np.isnan(tracks.xy[:, round(minute * 60), 0])
    names = [*scenario.venue.spaces, "away"]
    return [names[number if here else -1] for number, here in zip(numbers, there, strict=True)]


def of_groups(scenario: Scenario, *names: str) -> Bools:
    number = [list(scenario.people.groups).index(name) for name in names]
    return np.isin(scenario.people.group_of(), number)


def test_classes_are_where_the_timetable_says(
    school_day: tuple[Scenario, Room, CrowdTracks],
) -> None:
    scenario, *day = school_day
    classes = [f"class-{number}" for number in range(1, 7)]
    first = of_groups(scenario, *classes[:3])
    pupils = of_groups(scenario, *classes)

    def spaces(who: Bools, minute: float) -> set[str]:
        where = np.array(space_at(scenario, *day, minute))[who]
        return set(where.tolist()) - {"away"}

    for lesson in (30.0, 80.0, 150.0):
        for number, name in enumerate(classes, start=1):
            assert spaces(of_groups(scenario, name), lesson) == {f"room-{number}"}
    assert spaces(pupils, 100.0) == {"yard"}  # 09:40
    assert spaces(~pupils, 100.0) == {"staff-room"}
    assert spaces(first & pupils, 230.0) == {"canteen"}  # 11:50
    assert "canteen" not in spaces(~first & pupils, 230.0)
    assert spaces(~first & pupils, 260.0) == {"canteen"}  # 12:20


def test_classes_meet_in_the_breaks_alone(
    school_day: tuple[Scenario, Room, CrowdTracks],
) -> None:
    scenario, room, tracks = school_day
    group = scenario.people.group_of()

    def between_classes(begin: float, end: float) -> float:
        part = slice(round(begin * 60), round(end * 60) + 1)
        shown = replace(tracks, xy=tracks.xy[:, part], posture=tracks.posture[:, part])
        truth = ground_truth(shown, 2.0, walls=room.walls)
        low, high = truth.pairs_of(0.0)
        pupils = (group[low] < 6) & (group[high] < 6)
        return float(truth.minutes[pupils & (group[low] != group[high])].sum())

    assert between_classes(5.0, 89.9) < 0.2  # who is late passes an open door
    assert between_classes(92.0, 108.0) > 100.0


def test_people_who_are_away_are_absent_and_come_back() -> None:
    scenario = load_scenario("home")
    room, tracks = played(scenario)
    there = tracks.present()
    parents, children = of_groups(scenario, "parents"), of_groups(scenario, "children")
    hours = [round(hour * 3600) for hour in (0.7, 4.0, 10.0, 13.0)]  # 7:12, 10:30, 16:30, 19:30
    assert there[parents][:, hours].tolist() == [[True, False, False, True]] * 2
    assert there[children][:, hours].tolist() == [[True, False, True, True]] * 2
    assert set(space_at(scenario, room, tracks, 45.0)) == {"living-room"}
    assert np.array_equal(there, ~np.isnan(tracks.xy[..., 0]))


def test_shifts_hand_over() -> None:
    scenario = load_scenario("care-home")
    _, tracks = played(scenario)
    early, late = of_groups(scenario, "early-shift"), of_groups(scenario, "late-shift")
    at = [round(hour * 3600) for hour in (2.0, 4.13, 6.0)]
    there = tracks.present()
    assert there[early][:, at].all(axis=0).tolist() == [True, True, False]
    assert there[late][:, at].all(axis=0).tolist() == [False, True, True]


@settings(max_examples=5, deadline=None)
@given(name=st.sampled_from(PLANS), seed=st.integers(0, 10_000), speed=st.floats(0.3, 3.0))
def test_nobody_in_a_plan_goes_through_a_wall(name: str, seed: int, speed: float) -> None:
    busy = {"walk_speed_m_s": str(speed), "motion.visits_per_hour": "6", "breaks_per_hour": "6"}
    bells = EARLY_BREAK if name == "school" else {}
    come = {"duration_s": "2400", "aboard_at_start": "0.8"}
    scenario = load_scenario(name, busy | come | bells)
    room, tracks = played(scenario, seed)
    assert room.plan is not None
    before, after = (tracks.xy[:, part].reshape(-1, 2) for part in (slice(-1), slice(1, None)))
    there = ~np.isnan(before[:, 0] + after[:, 0])
    moved = there & (np.linalg.norm(after - before, axis=1) > 0.1)
    assert moved.sum() > 100
    assert not room.walls.between(before[there], after[there]).any()
    places = tracks.xy[tracks.present()]
    in_outer_door = room.walls.rooms_at(places) == NOWHERE
    assert not in_outer_door.any()


def test_work_grows_with_events_not_with_seconds() -> None:
    """One way is looked up for each walk; lines within a room are compared with no wall."""
    scenario = load_scenario("school", {"duration_s": "1500", "aboard_at_start": "1"})
    calm = {f"people.groups.teacher-{number}.visits_per_hour": "0" for number in range(1, 7)}
    calm = load_scenario("school", {"duration_s": "1500", "aboard_at_start": "1"} | calm)
    room, tracks = played(calm)
    assert room.plan is not None
    assert room.plan.routes == [0]  # nobody walks in the first lesson, 1,500 s of 150 people
    ground_truth(tracks, 2.0, walls=room.walls)
    near_a_wall = room.walls.tests / len(room.walls)
    assert near_a_wall < 0.1 * tracks.people * tracks.ticks
    busy, _ = played(scenario)
    assert busy.plan is not None
    expected = 2 * 6 * 12 * 1500 / 3600  # two walks for each visit of six teachers
    assert 0.4 * expected < busy.plan.routes[0] < 1.6 * expected


@pytest.mark.parametrize(("name", "seconds"), [("home", "1200"), ("care-home", "600")])
def test_both_fidelities_play_the_same_plan(name: str, seconds: str) -> None:
    scenario = load_scenario(name, {"duration_s": seconds})
    objects = run(scenario, seed=1, fidelity="object")
    columns = run(scenario, seed=1, fidelity="vectorized")
    assert objects.digest == columns.digest
    assert sum(len(log) for log in objects.logs.values()) > 10


@pytest.mark.slow
def test_the_school_is_the_same_in_both_fidelities_and_in_processes() -> None:
    objects = run(_short_school(), seed=1, fidelity="object")
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(_digest, 1).result() == objects.digest
    scored = score_run(objects)
    first, second = scored.truth.pairs_of(0.0)
    tracks, walls = objects.tracks, objects.venue.walls
    met = 0.0
    for low, high in zip(first.tolist(), second.tolist(), strict=True):
        a, b = tracks.xy[low, :-1], tracks.xy[high, :-1]
        near = np.linalg.norm(a - b, axis=1) <= 2.0
        met += (~walls.apart(a[near], b[near])).sum() / 60
    assert met == pytest.approx(scored.truth.minutes.sum())


def _short_school() -> Scenario:
    return load_scenario("school", EARLY_BREAK | {"duration_s": "900"})


def _digest(seed: int) -> str:
    return run(_short_school(), seed=seed, fidelity="vectorized").digest


def test_the_app_is_on_the_phones_of_those_who_carry_one() -> None:
    scenario = load_scenario("care-home", {"duration_s": "10", "adoption": "1"})
    app = run(scenario, seed=3).app
    staff = of_groups(scenario, "early-shift", "late-shift")
    assert len(app) == scenario.people.with_app == 13  # eight of staff, three in ten of sixteen
    assert staff[app].sum() == 8
    fewer = run(load_scenario("care-home", {"duration_s": "10", "adoption": "0.5"}), seed=3).app
    assert set(fewer.tolist()) < set(app.tolist())


def test_groups_shrink_in_proportion_where_fewer_people_are_asked_for() -> None:
    scenario = load_scenario("school", {"count": "60", "duration_s": "60"})
    members = np.bincount(scenario.people.group_of(), minlength=12)
    assert members.sum() == 60
    assert set(members[:6].tolist()) <= {9, 10}
    _, tracks = played(scenario)
    assert tracks.people == 60


def test_own_places_are_kept_and_no_place_is_taken_twice(
    school_day: tuple[Scenario, Room, CrowdTracks],
) -> None:
    _, _, tracks = school_day
    morning, noon = tracks.xy[:, 1800], tracks.xy[:, 9600]
    seated = (tracks.posture[:, 1800] == 1) & (tracks.posture[:, 9600] == 1)
    assert seated.sum() > 120
    assert np.linalg.norm(morning - noon, axis=1)[seated].max() < 0.3
    for tick in (1800, 6000, 13800):
        still = np.isin(tracks.posture[:, tick], (1, 2))
        gap = np.linalg.norm(tracks.xy[still, tick][:, None] - tracks.xy[still, tick][None], axis=2)
        np.fill_diagonal(gap, np.inf)
        assert gap.min() > 0.15


def test_a_plan_goes_through_a_manifest() -> None:
    scenario = load_scenario("school")
    keys = json.loads(json.dumps(asdict(scenario)))
    assert scenario_of_keys(keys, source="manifest.json") == scenario


def test_recorded_tracks_replace_a_plan() -> None:
    scenario = load_scenario("home", {"duration_s": "60"})
    _, tracks = played(scenario)
    replayed, _ = on_recorded_tracks(scenario, RecordedTracks("s", 0.0, ("a",) * 4, tracks))
    assert (replayed.venue.kind, replayed.people.groups) == ("hall", {})
    scenario_of_keys(asdict(replayed), source="x", placed=False)


def test_settings_reach_into_named_and_numbered_tables() -> None:
    scenario = load_scenario(
        "home",
        {
            "venue.spaces.living-room.standing_places": "5",
            "venue.doors.front.width_m": "1.2",
            "motion.timetable.2.space": "corridor",
            "venue.spaces.corridor.standing_places": "4",
        },
    )
    assert scenario.venue.spaces["living-room"].standing_places == 5
    assert scenario.venue.doors["front"].width_m == 1.2
    assert scenario.motion.timetable[1].space == "corridor"
    assert load_scenario("home", {"length_m": "12"}).venue.length_m == 12.0  # the venue's own


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("venue.spaces.living-rom.width_m", "no [venue.spaces.living-rom]; did you mean 'living-r"),
        ("venue.spaces.corridor.widht_m", "there is no scenario key"),
        ("motion.timetable.99.space", "there are 8 [[motion.timetable]], no number 99"),
    ],
)
def test_settings_of_tables_that_are_not_there(key: str, message: str) -> None:
    with pytest.raises(ScenarioError) as raised:
        load_scenario("home", {key: "1"})
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "[venue.doors.front]\nx_m = 0.0",
            "[venue.doors.front]\nx_m = 0.4",
            "lies in no wall: the",
        ),
        ("x_m = 3.0\ny_m = 5.0", "x_m = 5.9\ny_m = 5.0", "reaches beyond the end of its wall"),
        (
            "length_m = 11.0\nwidth_m = 1.5",
            "length_m = 12.0\nwidth_m = 1.5",
            "out of the area of 11",
        ),
        (
            "x_m = 6.0\ny_m = 0.0",
            "x_m = 5.0\ny_m = 0.0",
            "'living-room' and 'bedroom' overlap by 1",
        ),
        (
            "[venue.doors.bedroom]\nx_m = 7.2\ny_m = 5.0",
            "",
            "no doors lead from space 'living-room'",
        ),
        (
            "[venue.doors.front]\nx_m = 0.0\ny_m = 5.75",
            "",
            "no door leads outside: add [venue.doors",
        ),
        ('space = "bedroom"', 'space = "bedrom"', "'bedrom' is no space of the plan; did you mean"),
        ('space = "bedroom"\n', "", "the key 'people.groups.parents.space' is missing"),
        ("count = 4", "count = 5", "the groups have 4 members together: set it to 4 or less"),
        (
            'ends = "15:00"',
            'ends = "14:00"',
            "'children' has no entry from 14:00 to 15:00: add one",
        ),
        ('ends = "15:00"', 'ends = "15:30"', "'children' is in two places from 15:00 to 15:30"),
        (
            'starts = "06:30"\nends = "07:00"',
            'starts = "6.30"\nends = "07:00"',
            "such as 08:45, not",
        ),
        ('starts = "20:00"\nends = "20:30"', 'starts = "20:00"\nends = "06:00"', ""),
        ("duration_s = 50400", "duration_s = 52000", "no entry from 20:30 to 20:56:40: add one"),
        (
            'groups = ["parents"]',
            'groups = ["parent"]',
            "'parent' is no group; did you mean 'parents'",
        ),
        ('space = "away"', 'space = "awya"', "'awya' is no space of the plan; did you mean 'away'"),
        (
            "tables = 1\nseats_per_table = 2",
            "tables = 0\nseats_per_table = 2",
            "'bedroom' has 0 places",
        ),
        (
            "standing_places = 3",
            "standing_places = 3\nchairs = 2",
            "'venue.spaces.living-room.chairs'",
        ),
        ("seats_per_table = 4", "seats_per_table = 40", "space 'living-room': 1 tables or groups"),
        ("width_m = 6.5", "width_m = 6.5\ncorridor_m = 2", "corridor_m are not for a plan"),
        ('kind = "plan"', 'kind = "hall"', "spaces and doors are of a plan: set kind to plan"),
        ("[motion]", '[motion]\nkind = "wander"', "set it to stay"),
        ("[[motion.timetable]]", "[motion.later]", "unknown key 'motion.later'"),
    ],
)
def test_faults_are_named_with_their_remedy(old: str, new: str, message: str) -> None:
    assert old in HOME
    text = HOME.replace(old, new, 1)
    if not message:
        assert parse_scenario(text, name="home", source="home.toml").name == "home"
        return
    with pytest.raises(ScenarioError) as raised:
        parse_scenario(text, name="home", source="home.toml")
    assert str(raised.value).startswith("home.toml")
    assert message in str(raised.value)


def test_a_shared_space_has_a_place_for_everybody() -> None:
    text = SCHOOL.replace("standing_places = 160", "standing_places = 100")
    with pytest.raises(
        ScenarioError, match="'yard' has 100 places, but 144 people are there 90 min"
    ):
        parse_scenario(text, name="school", source="school.toml")
    groups = SCHOOL[SCHOOL.index("[people.groups.class-1]") : SCHOOL.index("[venue]")]
    with pytest.raises(ScenarioError, match=r"a plan has groups: add \[people.groups.NAME\]"):
        parse_scenario(SCHOOL.replace(groups, ""), name="school", source="school.toml")
    carriage = scenario_text("lift").text + '\n[people.groups.a]\npeople = 2\nspace = "x"\n'
    with pytest.raises(ScenarioError, match=r"are for a plan: set 'venue\.kind' to plan"):
        parse_scenario(carriage, name="lift", source="lift.toml")


def test_the_school_of_the_how_to_is_valid_and_its_faults_are_worded_so() -> None:
    page = (DOCS / "howto" / "simulate.md").read_text("utf-8")
    text = page.split("```toml\n")[1].split("```")[0]
    scenario = parse_scenario(text, name="my-school", source="my-school.toml")
    room, tracks = played(scenario)
    assert set(space_at(scenario, room, tracks, 20.0)) == {"room-a", "room-b"}
    assert set(space_at(scenario, room, tracks, 52.0)) == {"yard"}
    last = 'starts = "09:00"\nends = "09:10"\n'
    for old, new in (
        ("x_m = 5.5\ny_m = 6.0", "x_m = 5.5\ny_m = 5.0"),
        (last, f'{last}groups = ["class-b"]\n'),
    ):
        with pytest.raises(ScenarioError) as raised:
            parse_scenario(text.replace(old, new), name="my-school", source="my-school.toml")
        assert str(raised.value) in page
