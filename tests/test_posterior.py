"""Positions, intervals and judgements on synthetic scenes whose geometry is known."""

from dataclasses import replace

import numpy as np
import pytest

from tests.proximity_world import START, Radio, scene
from tracetogether.evaluation.fittable_posterior import (
    FittablePosterior,
    LogOdds,
    tracked_s,
)
from tracetogether.evaluation.scene import Scene, SceneWindows
from tracetogether.evaluation.truth import TrueMinutes, mean_distance_m
from tracetogether.proximity.binned_readings import bin_readings
from tracetogether.proximity.calibration import Calibration, ModelOffsets
from tracetogether.proximity.distances import LogsUsed, spread_over_time
from tracetogether.proximity.geometry import Geometry
from tracetogether.proximity.grid import PairIndex
from tracetogether.proximity.model import MODEL
from tracetogether.proximity.posterior import Recalibration, infer, may_seek_positions
from tracetogether.proximity.sampling import Effort, sample
from tracetogether.sightings import Sightings

KNOWN = Calibration({"known": ModelOffsets(3.6, 0.0, -24.7, 0.0, measured=True)})
CLEAR = Radio(
    receiver_db=1.0, transmitter_db=1.0, pair_db=0.3, turning_db=0.5, packet_db=1.0, heavy=False
)
BRIEF = Effort(chains=4, approach=50, moves=40)


@pytest.fixture(scope="module")
def rooms() -> list[Scene]:
    return [scene(seed, people=7, minutes=20, name=f"room {seed}")[0] for seed in range(5)]


def auc(score, near):
    better = (score[near][:, None] > score[~near]).mean()
    return better + 0.5 * (score[near][:, None] == score[~near]).mean()


def test_the_gradient_is_that_of_the_log_probability():
    geometry = Geometry.of(bin_readings(scene(1, people=4, minutes=4)[0].sightings, KNOWN), MODEL)
    rng = np.random.default_rng(3)
    state = geometry.start(1, rng)
    state = {name: part + 0.3 * rng.standard_normal(part.shape) for name, part in state.items()}
    state = {name: part.astype(np.float64) for name, part in state.items()}
    _, gradient = geometry.log_probability(state, 0.7)
    for name, part in state.items():
        direction = rng.standard_normal(part.shape)
        either = [
            geometry.log_probability({**state, name: part + side * 1e-3 * direction}, 0.7)[0][0]
            for side in (-1, 1)
        ]
        slope = (either[1] - either[0]) / 2e-3
        assert slope == pytest.approx((gradient[name] * direction).sum(), rel=2e-2, abs=0.05), name


def test_the_gradient_holds_where_directions_are_missing():
    binned = bin_readings(without_directions(scene(1, people=5, minutes=4)[0]).sightings, KNOWN)
    geometry = Geometry.of(binned, MODEL)
    assert geometry.never.any()
    rng = np.random.default_rng(3)
    state = {name: part.astype(np.float64) for name, part in geometry.start(1, rng).items()}
    direction = rng.standard_normal(state["positions"].shape)
    either = [
        geometry.log_probability(
            {**state, "positions": state["positions"] + side * 1e-3 * direction}, 1.0
        )[0][0]
        for side in (-1, 1)
    ]
    gradient = geometry.log_probability(state, 1.0)[1]["positions"]
    slope = (either[1] - either[0]) / 2e-3
    assert slope == pytest.approx((gradient * direction).sum(), rel=2e-2, abs=0.05)


def without_directions(room: Scene, seed: int = 0) -> Scene:
    """Return a scene whose logs lack half of the peers that they received."""
    observer, peer = room.sightings.observer, room.sightings.peer
    people = len(observer.names)
    lacks = np.random.default_rng(seed).random((people, people)) < 0.5
    kept = ~lacks[observer.codes, peer.codes]
    return Scene(room.name, room.sightings.take(kept), room.distance_m[kept], room.tracks)


@pytest.mark.parametrize("seed", [4, 6])
def test_missing_directions_are_no_sign_of_distance(seed: int):
    """Their misses counted in full rank these rooms at .68 and .84."""
    room = without_directions(scene(seed, people=8, minutes=4, radio=CLEAR)[0])
    fitted = FittablePosterior(MODEL, Effort(3, 40, 20)).fit((), calibration=KNOWN)
    said = fitted.windows(room, LogsUsed.ALL, window_s=300.0, within_m=2.0)
    distance = mean_distance_m(room, SceneWindows.of(room, LogsUsed.ALL, 300.0))
    assert auc(said.score, distance <= 2.0) > 0.9


def test_of_a_phone_that_keeps_no_log_the_offset_as_transmitter_is_unknown():
    room = scene(1, people=5, minutes=4)[0]
    silent = room.sightings.observer.codes == 0
    sightings = room.sightings.take(~silent)
    unknown = Calibration.prior()
    spread = Geometry.of(bin_readings(sightings, unknown), MODEL).offset_sd[:, 0]
    transmitter = np.hypot(MODEL.transmitter_sd_db, unknown.transmit.sd_db)
    assert spread[0] == pytest.approx(transmitter, rel=0.01)
    assert spread[1:].max() < 0.75 * transmitter


@pytest.mark.parametrize(("people", "sought"), [(30, True), (31, False)])
def test_positions_of_a_crowd_are_not_sought(people: int, sought: bool):
    number = np.arange(people * 20)
    observer, ahead = number % people, 1 + number // people
    crowd = Sightings.from_columns(
        time=START + ahead,
        observer=[f"p{person}" for person in observer],
        peer=[f"p{person}" for person in (observer + ahead) % people],
        rssi_dbm=np.full(len(number), -70.0),
    )
    assert may_seek_positions(bin_readings(crowd, KNOWN), Effort()) is sought


def test_signals_draw_positions_of_pairs_that_have_one(rooms):
    signals = infer(rooms[0].sightings, LogsUsed.PAIR, calibration=KNOWN)
    some = replace(
        signals,
        pairs=PairIndex.of(
            signals.pairs.names, signals.pairs.first[1:], signals.pairs.second[1:], directed=False
        ),
        mean_log10_m=signals.mean_log10_m[1:] + np.float32(0.5),
    )
    drawn = signals.combined_with(some)
    change = drawn.mean_log10_m - signals.mean_log10_m
    assert not change[0].any()
    assert change[1:] == pytest.approx(0.15, abs=1e-5)


def test_positions_are_found_up_to_turning_and_size():
    one, where = scene(7, people=9, minutes=10, radio=CLEAR)
    posterior = infer(one.sightings, LogsUsed.ALL, calibration=KNOWN)
    apart = np.hypot(
        *(where[posterior.pairs.first] - where[posterior.pairs.second]).transpose(2, 0, 1)
    )
    found = posterior.mean_log10_m.mean(axis=2)[:, : apart.shape[1]]
    true = np.log10(apart.clip(0.25))
    assert np.corrcoef(found.ravel(), true.ravel())[0, 1] > 0.88
    assert np.std(found - true) < 0.2


@pytest.mark.slow
def test_all_logs_tell_more_than_two_and_two_more_than_one(rooms):
    quality = {}
    for logs in LogsUsed:
        scores, near = [], []
        for room in rooms:
            fitted = FittablePosterior(MODEL, BRIEF).fit((), calibration=KNOWN)
            said = fitted.windows(room, logs, window_s=300.0, within_m=2.0)
            distance = mean_distance_m(room, SceneWindows.of(room, logs, 300.0))
            scores.append(said.score)
            near.append(distance <= 2.0)
        quality[logs] = auc(np.concatenate(scores), np.concatenate(near))
    assert quality[LogsUsed.OWN] < quality[LogsUsed.PAIR] < quality[LogsUsed.ALL]
    assert quality[LogsUsed.OWN] > 0.7
    assert quality[LogsUsed.ALL] > 0.83


@pytest.mark.slow
@pytest.mark.parametrize("logs", list(LogsUsed))
def test_intervals_are_right_as_often_as_they_say_in_rooms_never_seen(rooms, logs):
    """The scenes are drawn from richer physics than the model's: heavy tails, other figures."""
    estimator = FittablePosterior(effort=BRIEF)
    inside, width = [], []
    for left_out in rooms:
        fitted = estimator.fit([room for room in rooms if room is not left_out], calibration=KNOWN)
        said = fitted.minutes(left_out, logs, within_m=2.0)
        true = TrueMinutes.of(left_out.tracks, 2.0)
        _, near = true.of_pairs(left_out.pairs(logs))
        inside.append((said.low - 1e-6 <= near) & (near <= said.high + 1e-6))
        width.append(said.high - said.low)
    assert 0.8 < np.concatenate(inside).mean() < 0.98
    assert np.concatenate(width).mean() < 19.8  # of 20 minutes


def test_probabilities_are_shares_in_rooms_never_seen(rooms):
    estimator = FittablePosterior()
    probability, near = [], []
    for left_out in rooms:
        fitted = estimator.fit([room for room in rooms if room is not left_out], calibration=KNOWN)
        said = fitted.windows(left_out, LogsUsed.PAIR, window_s=300.0, within_m=2.0)
        probability.append(said.probability)
        near.append(
            mean_distance_m(left_out, SceneWindows.of(left_out, LogsUsed.PAIR, 300.0)) <= 2.0
        )
    probability, near = np.concatenate(probability), np.concatenate(near)
    assert abs(probability.mean() - near.mean()) < 0.08
    for low, high in ((0.0, 0.3), (0.3, 0.6), (0.6, 1.0)):
        bin_ = (probability >= low) & (probability < high)
        assert abs(probability[bin_].mean() - near[bin_].mean()) < 0.15


def test_the_same_readings_give_the_same_answer(rooms):
    sightings = rooms[0].sightings
    order = np.random.default_rng(0).permutation(len(sightings))
    short = Effort(chains=2, approach=10, moves=10)
    one = infer(sightings, LogsUsed.ALL, calibration=KNOWN, effort=short)
    other = infer(sightings.take(order), LogsUsed.ALL, calibration=KNOWN, effort=short)
    assert one.mean_log10_m.tobytes() == other.mean_log10_m.tobytes()


def test_two_people_have_no_geometry():
    pair = scene(2, people=2, minutes=6)[0].sightings
    assert not may_seek_positions(bin_readings(pair, KNOWN), Effort())
    assert infer(pair, LogsUsed.ALL, calibration=KNOWN).mean_log10_m.shape[2] == 1


def test_nothing_heard_is_nothing_known():
    empty = Sightings.from_columns(time=[], peer=[], rssi_dbm=[], observer=[])
    for logs in LogsUsed:
        found = infer(empty, logs, calibration=KNOWN)
        assert len(found.pairs) == 0
        assert found.probability(2.0).shape[0] == 0


def test_minutes_contact_and_nearest_agree_with_the_draws(rooms):
    posterior = infer(rooms[1].sightings, LogsUsed.PAIR, calibration=KNOWN)
    time_s = np.full(posterior.mean_log10_m.shape[:2], 60.0)
    draws = posterior.minutes_of_draws(2.0, time_s)
    assert draws.mean(axis=1) == pytest.approx(posterior.probability(2.0).sum(axis=1), rel=1e-4)
    contact = posterior.close_contact(2.0, 10.0, time_s)
    assert contact == pytest.approx((draws >= 10).mean(axis=1))
    minutes = posterior.minutes(2.0, time_s)
    assert np.all(minutes.median >= posterior.minutes(1.0, time_s).median)
    nearest = posterior.nearest_m(time_s)
    assert np.all(nearest.median < posterior.distance_m((0.5,))[0].max(axis=1))


def test_a_correction_moves_and_widens(rooms):
    plain = infer(rooms[1].sightings, LogsUsed.OWN, calibration=KNOWN)
    changed = plain.recalibrated(Recalibration(shift_log10_m=0.1, sd_factor=2.0))
    ratio = changed.distance_m((0.5,)) / plain.distance_m((0.5,))
    assert ratio == pytest.approx(10**-0.1, rel=1e-3)
    assert changed.persistent_sd == pytest.approx(2 * plain.persistent_sd)


def test_time_counts_only_while_both_were_tracked(rooms):
    room = rooms[2]
    kept = (room.tracks.time < START + 300) | (room.tracks.person.codes != 0)
    tracks = type(room.tracks)(
        room.tracks.time[kept],
        room.tracks.person.take(kept),
        room.tracks.x_m[kept],
        room.tracks.y_m[kept],
    )
    part = Scene(room.name, room.sightings, room.distance_m, tracks)
    posterior = infer(room.sightings, LogsUsed.PAIR, calibration=KNOWN)
    seconds = tracked_s(posterior, part).sum(axis=1)
    first = (posterior.pairs.first == 0) | (posterior.pairs.second == 0)
    assert seconds[first] == pytest.approx(300.0)
    assert seconds[~first] == pytest.approx(1200.0)


def test_log_odds_are_believed_until_windows_say_otherwise():
    rng = np.random.default_rng(5)
    given = rng.normal(0, 2, (3000, 1))
    near = rng.random(3000) < 1 / (1 + np.exp(-(0.5 * given[:, 0] - 1)))
    few = LogOdds.fitted(given[:5], near[:5], scenes=1)
    many = LogOdds.fitted(given, near, scenes=100)
    assert LogOdds.believing(2).coefficients.tolist() == [0.0, 0.5, 0.5]
    assert few.coefficients == pytest.approx([0.0, 1.0], abs=0.5)
    assert many.coefficients == pytest.approx([-1.0, 0.5], abs=0.15)
    one_scene = LogOdds.fitted(given, near, scenes=1)
    assert one_scene.coefficients[0] == pytest.approx(many.coefficients[0] / 2, rel=0.02)
    assert one_scene.coefficients[1] == pytest.approx(many.coefficients[1])


def test_the_sampler_finds_a_normal_distribution():
    def start(chains, rng):
        return {"x": rng.standard_normal((3, chains), dtype=np.float32)}

    def log_probability(state, _weight):
        missed = (state["x"] - 2.0) / 0.5
        return -0.5 * np.square(missed).sum(axis=0).astype(np.float64), {"x": -missed / 0.5}

    effort = Effort(chains=20, approach=60, moves=150)
    kept = sample(start, log_probability, lambda state: state["x"], effort)
    drawn = np.concatenate(kept, axis=1)
    assert drawn.mean() == pytest.approx(2.0, abs=0.06)
    assert drawn.std() == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("rssi_dbm", [-20.0, -120.0])
def test_all_of_the_time_is_no_more_than_the_time(rssi_dbm):
    times = np.arange(0, 3600, 10.0)
    log = Sightings.from_columns(
        time=START + times,
        observer=["anna"] * len(times),
        peer=["ben"] * len(times),
        rssi_dbm=np.full(len(times), rssi_dbm),
    )
    posterior = infer(log, LogsUsed.OWN, calibration=Calibration({}))
    time_s = np.random.default_rng(1).uniform(0, 60, posterior.mean_log10_m.shape[:2])
    for within_m in (0.01, 2.0, 1e4):
        minutes = posterior.minutes(within_m, time_s)
        assert 0 <= minutes.low[0] <= minutes.high[0] <= time_s.sum() / 60
    assert posterior.minutes(1e4, time_s).low[0] == pytest.approx(time_s.sum() / 60)
    assert posterior.minutes(0.01, time_s).high[0] < 1e-9


@pytest.mark.parametrize("slots", [1, 2, 3, 40])
def test_what_is_spread_over_time_is_the_weighted_sum_over_all_pairs_of_slots(slots):
    values = np.random.default_rng(7).normal(size=(5, slots))
    apart = np.abs(np.subtract.outer(np.arange(slots), np.arange(slots)))
    for minutes in (0.5, 8.0, 60.0):
        spread = spread_over_time(values, minutes)
        assert np.allclose(spread, values @ np.exp(-apart / minutes), rtol=1e-12, atol=1e-12)
    assert spread_over_time(np.empty((0, slots)), 8.0).shape == (0, slots)
