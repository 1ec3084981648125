from dataclasses import replace

import numpy as np
import pytest

from simulations.one_run import Run
from simulations.people.bodies import Carry
from simulations.people.carrying import carry_over_time
from simulations.people.mobility import stay
from simulations.places.tracks import CrowdTracks
from simulations.places.venue import Posture
from simulations.scores.truth import ground_truth
from simulations.settings.scenario import Scenario
from simulations.streams import Streams


@pytest.fixture(scope="module")
def tracks(full_run: Run) -> CrowdTracks:
    return full_run.tracks


def test_columns(tracks: CrowdTracks) -> None:
    assert tracks.xy.shape == (60, 1801, 2)
    assert tracks.xy.dtype == np.float32
    present = tracks.present()
    assert np.array_equal(present, ~np.isnan(tracks.xy[..., 0]))


def test_everybody_stays_inside(full_run: Run) -> None:
    tracks = full_run.tracks
    assert full_run.venue.inside(tracks.xy[tracks.present()]).all()


def test_nobody_jumps(tracks: CrowdTracks) -> None:
    """Half a walking pace beyond the fastest walker: sway adds a little."""
    step = np.linalg.norm(np.diff(tracks.xy, axis=1), axis=2)
    assert np.nanmax(step) < 2.0


def test_people_arrive_once_and_leave_once(tracks: CrowdTracks) -> None:
    for row in tracks.present():
        changes = np.flatnonzero(np.diff(row.astype(int)))
        assert len(changes) <= 2
        if len(changes) == 2:
            assert not row[0]


def test_some_board_some_alight_some_move(tracks: CrowdTracks) -> None:
    present = tracks.present()
    at_start, at_end = present[:, 0], present[:, -1]
    assert 0 < (~at_start).sum() < 30
    assert 10 < (~at_end).sum() < 55
    assert (tracks.posture == Posture.WALKING).any(axis=1).sum() > 15
    both = (tracks.posture == Posture.SEATED).any(axis=1) & (
        tracks.posture == Posture.STANDING
    ).any(axis=1)
    assert both.sum() >= 3


def test_two_people_never_keep_the_same_place(tracks: CrowdTracks) -> None:
    still = np.isin(tracks.posture, (Posture.SEATED, Posture.STANDING))
    for tick in range(0, 1800, 60):
        here = tracks.xy[still[:, tick], tick]
        gap = np.linalg.norm(here[:, None] - here[None], axis=2)
        np.fill_diagonal(gap, np.inf)
        assert gap.min() > 0.15


def test_seated_people_face_the_aisle(tracks: CrowdTracks) -> None:
    seated = tracks.posture == Posture.SEATED
    look_y, y = np.sin(tracks.facing[seated]), tracks.xy[..., 1][seated]
    assert (look_y * y < 0).mean() > 0.99


def test_the_truth_has_both_contacts_and_others(carriage: Scenario) -> None:
    for seed in range(3):
        streams = Streams(seed)
        run_tracks = stay(carriage, carriage.venue.room(), streams)
        minutes = ground_truth(run_tracks, 2.0).table()[np.triu_indices(60, 1)]
        assert 60 <= (minutes >= 15).sum() <= 200
        assert 200 <= ((minutes > 0) & (minutes < 15)).sum() <= 800
        assert (minutes == 0).sum() > 700


def test_a_longer_stay_means_fewer_leave(short: Scenario) -> None:
    def left(median_s: float) -> int:
        scenario = replace(short, motion=replace(short.motion, stay_median_s=median_s))
        tracks = stay(scenario, scenario.venue.room(), Streams(1))
        return int((tracks.present()[:, 0] & ~tracks.present()[:, -1]).sum())

    assert left(60.0) > left(20_000.0) == 0


def test_people_move_only_if_the_scenario_says_so(short: Scenario) -> None:
    still = replace(
        short,
        motion=replace(
            short.motion, aboard_at_start=1.0, stay_median_s=1e6, moves_per_hour=0.0, seat_wish=0.0
        ),
    )
    tracks = stay(still, still.venue.room(), Streams(1))
    assert not (tracks.posture == Posture.WALKING).any()
    restless = replace(still, motion=replace(still.motion, moves_per_hour=120.0))
    assert (stay(restless, restless.venue.room(), Streams(1)).posture == Posture.WALKING).any()


@pytest.mark.parametrize("in_hand", [0.0, 0.3, 1.0])
def test_share_of_time_in_the_hand(carriage: Scenario, in_hand: float) -> None:
    keys = replace(carriage.people, in_hand=in_hand, hand_change_s=30.0)
    carry = carry_over_time(keys, 60, 3600, Streams(1))
    assert (carry == Carry.HAND).mean() == pytest.approx(in_hand, abs=0.03)
    stowed = [set(row[row != Carry.HAND].tolist()) for row in carry]
    assert all(len(places) <= 1 for places in stowed)
    if in_hand < 1:
        shares = np.bincount([places.pop() for places in stowed if places], minlength=4) / 60
        assert shares[Carry.FRONT_POCKET] == pytest.approx(0.5, abs=0.2)


def test_positions_between_ticks() -> None:
    xy = np.array([[[0, 0], [1, 2], [np.nan, np.nan]]], dtype=np.float32)
    tracks = CrowdTracks(
        xy=xy,
        facing=np.zeros((1, 3), np.float32),
        posture=np.array([[1, 1, 0]], np.int8),
        carry=np.zeros((1, 3), np.int8),
    )
    one = np.zeros(5, dtype=np.int64)
    got = tracks.position(one, np.array([0.0, 0.25, 1.0, 1.5, 2.5]))
    assert np.allclose(got[:4], [[0, 0], [0.25, 0.5], [1, 2], [1, 2]])
    assert np.isnan(got[4]).all()
