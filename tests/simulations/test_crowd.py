"""Every shipped scenario's people, and each kind of motion."""

from dataclasses import replace

import numpy as np
import pytest

from simulations.people.walking import move
from simulations.places.layouts import hall_room, rows_room, tables_room
from simulations.places.tracks import CrowdTracks
from simulations.places.venue import Posture, Room
from simulations.scores.truth import ground_truth
from simulations.settings.scenario import Scenario, load_scenario, scenario_names
from simulations.streams import Streams

ALL = [
    "bus",
    "care-home",
    "classroom",
    "conference",
    "corridor-pass",
    "dormitory",
    "hawker-centre",
    "home",
    "hospital-ward",
    "lift",
    "office-day",
    "party",
    "queue",
    "school",
    "stadium-exit",
    "train-carriage",
    "tram",
]


def play(scenario: Scenario, seed: int = 1) -> tuple[Room, CrowdTracks]:
    room = scenario.venue.room()
    return room, move(scenario, room, Streams(seed))


@pytest.fixture(scope="module")
def crowds() -> dict[str, tuple[Room, CrowdTracks]]:
    return {name: play(load_scenario(name)) for name in scenario_names()}


def test_there_are_seventeen_scenarios() -> None:
    assert scenario_names() == ALL


@pytest.mark.parametrize("name", ALL)
def test_people_stay_inside_and_do_not_jump(
    crowds: dict[str, tuple[Room, CrowdTracks]], name: str
) -> None:
    room, tracks = crowds[name]
    present = tracks.present()
    assert np.array_equal(present, ~np.isnan(tracks.xy[..., 0]))
    assert present.any(axis=1).mean() > 0.8
    # Swaying people lean over the line at which their room ends, by centimetres.
    wider = replace(room, length_m=room.length_m + 0.4, width_m=room.width_m + 0.4)
    assert wider.inside(tracks.xy[present]).all()
    step = np.linalg.norm(np.diff(tracks.xy, axis=1), axis=2)
    assert np.nanmax(step) < 2.5
    assert np.isfinite(tracks.facing[present]).all()


@pytest.mark.parametrize("name", ALL)
def test_the_same_seed_gives_the_same_tracks_and_another_seed_others(name: str) -> None:
    scenario = replace(load_scenario(name), duration_s=60.0)
    (_, one), (_, again), (_, other) = (play(scenario, seed) for seed in (1, 1, 2))
    assert np.array_equal(one.xy, again.xy, equal_nan=True)
    assert not np.array_equal(one.xy, other.xy, equal_nan=True)


def test_long_contacts_where_people_stay_and_none_where_they_pass(
    crowds: dict[str, tuple[Room, CrowdTracks]],
) -> None:
    def long(name: str) -> int:
        tracks = crowds[name][1]
        minutes = ground_truth(tracks, 2.0).table()
        return int((minutes[np.triu_indices(tracks.people, 1)] >= 15).sum())

    assert long("corridor-pass") == long("lift") == long("stadium-exit") == 0
    assert all(long(name) > 20 for name in ("tram", "bus", "hawker-centre", "party"))
    assert long("office-day") > 8  # who sit side by side; desks keep those opposite apart


def test_seats_in_rows_face_forward_and_leave_an_aisle() -> None:
    room = rows_room(
        length_m=12,
        width_m=2.5,
        rows=10,
        seats_per_row=4,
        seat_pitch_m=0.44,
        row_pitch_m=0.75,
        standing_places=12,
        doors=2,
        rooms=1,
    )
    assert room.seats.shape == (40, 2)
    assert np.abs(room.seats[:, 1]).min() > 0.5
    assert (room.seat_facing == 0).all()
    assert all(room.inside(places).all() for places in (room.seats, room.standing, room.doors))


def tables(**changes: float) -> Room:
    keys: dict[str, float] = {
        "length_m": 20.0,
        "width_m": 10.0,
        "tables": 7,
        "seats_per_table": 5,
        "seat_pitch_m": 0.7,
        "across_m": 1.3,
        "standing_places": 9,
        "doors": 2,
        "rooms": 4,
    }
    return tables_room(**{**keys, **changes})  # type: ignore[arg-type]


def test_tables_face_each_other() -> None:
    room = tables()
    assert room.seats.shape == (35, 2)
    first, facing = room.seats[:5], room.seat_facing[:5]
    middle = np.array([first[:, 0].mean(), (first[:, 1].min() + first[:, 1].max()) / 2])
    look = np.column_stack([np.cos(facing), np.sin(facing)])
    assert ((middle - first) * look)[:, 1].min() > 0
    gap = np.linalg.norm(room.seats[:, None] - room.seats[None], axis=2)
    np.fill_diagonal(gap, np.inf)
    assert gap.min() >= 0.69
    assert np.allclose(room.walls.across[:, 0], [-5, 0, 5])


def test_groups_stand_in_rings_and_face_the_middle() -> None:
    room = tables(group=True)
    assert len(room.seats) == 0
    assert len(room.standing) == 35 + 9
    ring, look = room.standing[:5], room.standing_facing[:5]
    inward = ring.mean(axis=0) - ring
    assert np.allclose(np.arctan2(inward[:, 1], inward[:, 0]), np.angle(np.exp(1j * look)))
    assert np.isnan(room.standing_facing[35:]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [({"tables": 400}, "don't fit"), ({"standing_places": 4000}, "standing places don't fit")],
)
def test_what_does_not_fit_is_refused(change: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tables(**change)
    with pytest.raises(ValueError, match="rows are"):
        rows_room(
            length_m=3,
            width_m=2.5,
            rows=10,
            seats_per_row=4,
            seat_pitch_m=0.44,
            row_pitch_m=0.75,
            standing_places=0,
            doors=1,
            rooms=1,
        )
    with pytest.raises(ValueError, match="don't fit"):
        hall_room(length_m=1, width_m=1, standing_places=90, doors=1, rooms=1)


def changed(name: str, **settings: float | str) -> CrowdTracks:
    texts = {key.replace("__", "."): str(value) for key, value in settings.items()}
    return play(load_scenario(name, {"duration_s": "600", **texts}))[1]


def test_a_seat_stays_reserved_during_a_break() -> None:
    calm = changed("office-day", breaks_per_hour=0)
    busy = changed("office-day", breaks_per_hour=20, break_s=60)
    standing = Posture.STANDING
    assert (busy.posture == standing).sum() > 3 * (calm.posture == standing).sum()
    seated = busy.posture == Posture.SEATED
    for tick in range(0, 600, 50):
        here = busy.xy[seated[:, tick], tick]
        gap = np.linalg.norm(here[:, None] - here[None], axis=2)
        np.fill_diagonal(gap, np.inf)
        assert gap.min() > 0.3  # nobody took a seat that was kept


def test_people_wait_when_a_lift_is_full() -> None:
    tracks = changed("lift")
    at_once = tracks.present().sum(axis=0)
    assert at_once.max() <= 9 + 4  # nine places, and who is on the way out
    assert tracks.present().any(axis=1).sum() > 40


def test_counterflow() -> None:
    def heading(share: float) -> set[float]:
        tracks = changed("corridor-pass", counterflow=share)
        seen = [row[~np.isnan(row)] for row in tracks.xy[..., 0]]
        return {float(np.sign(row[-1] - row[0])) for row in seen if len(row) > 5}

    assert heading(0.0) == {1.0}
    assert heading(0.5) == {1.0, -1.0}


def test_people_who_wander_pause_and_continue() -> None:
    def walking(pause_s: float) -> float:
        tracks = changed(
            "conference", motion__kind="wander", aboard_at_start=1, pause_s=pause_s, count=30
        )
        return float((tracks.posture == Posture.WALKING).mean())

    assert walking(1.0) > 0.7
    assert 0.02 < walking(60.0) < 0.4


def test_people_do_not_walk_through_each_other(crowds: dict[str, tuple[Room, CrowdTracks]]) -> None:
    """In a dense flow bodies may brush, but hardly any overlap."""
    xy = crowds["stadium-exit"][1].xy
    near = total = 0
    for tick in range(20, 220, 20):
        here = xy[~np.isnan(xy[:, tick, 0]), tick]
        gap = np.linalg.norm(here[:, None] - here[None], axis=2)
        np.fill_diagonal(gap, np.inf)
        near += int((gap.min(axis=1) < 0.3).sum())
        total += len(here)
    assert total > 200
    assert near / total < 0.1


def test_people_in_a_queue_move_up(crowds: dict[str, tuple[Room, CrowdTracks]]) -> None:
    tracks = crowds["queue"][1]
    waits = tracks.present().sum(axis=1)
    assert 20 < tracks.present()[:, 0].sum() <= 31
    leavers = [np.flatnonzero(row)[-1] for row in tracks.present() if row.any() and not row[-1]]
    assert len(leavers) > 20
    assert leavers == sorted(leavers)
    assert waits.max() > 600
