"""Baselines against their published descriptions: by hand, or against a plain second writing."""

import math

import numpy as np
import pytest

from tests.scenes import CALIBRATION, START, line_scene, standing
from tracetogether.evaluation.baselines.constant import Constant
from tracetogether.evaluation.baselines.kalman import PUBLISHED, Distances, Kalman, smooth
from tracetogether.evaluation.baselines.robert import Robert, epoch_risks
from tracetogether.evaluation.baselines.slotwise import Slotwise
from tracetogether.evaluation.baselines.tuned_threshold import (
    loudest,
    low_quantile,
    lower_quantile,
    mean_attenuation,
    packet_count,
)
from tracetogether.evaluation.scene import Scene
from tracetogether.proximity.attenuation import CWA, SWISSCOVID, Bucketed
from tracetogether.proximity.calibration import Calibration
from tracetogether.proximity.distances import LogsUsed
from tracetogether.proximity.estimates import Intervals
from tracetogether.proximity.grid import RowGroups
from tracetogether.proximity.slots import fold
from tracetogether.sightings import Sightings


def heard(times: list[float], rssi: list[float]) -> Scene:
    """Return what a hears of b."""
    count = len(times)
    sightings = Sightings.from_columns(
        time=START + np.array(times),
        observer=["a"] * count,
        peer=["b"] * count,
        rssi_dbm=rssi,
        observer_model=["known"] * count,
        peer_model=["known"] * count,
    )
    return Scene("s", sightings, None, standing(("a", "b"), (0.0, 1.0), 40))


def by_pair(found: Intervals, scene: Scene, logs: LogsUsed) -> dict[tuple[str, str], float]:
    first, second = (labels.to_list() for labels in scene.pairs(logs).labels())
    return dict(zip(zip(first, second, strict=True), found.median.tolist(), strict=True))


# --- ROBERT ------------------------------------------------------------------------


def milliwatt_mean(*dbm: float) -> float:
    return 10 * math.log10(sum(10 ** (x / 10) for x in dbm) / len(dbm))


def test_robert_by_hand():
    # Minutes 0 (two readings), 2 (one): windows 0-1, 1-2, 2-3 hold 2, 1 and 1 readings.
    risks = [(milliwatt_mean(-56, -46) + 66) / 27, 6 / 39, 6 / 39]
    overall = 0.1 * math.log(sum(math.exp(q / 0.1) for q in risks) / 3)
    time, rssi = np.array([0.0, 30.0, 130.0]), np.array([-56.0, -46.0, -60.0])
    risk, last = epoch_risks(time, rssi, np.zeros(3, dtype=int), 1, 900.0)
    assert risk[0] == pytest.approx(1.2 * overall)
    assert last[0] == 2

    scene = heard([0.0, 30.0, 130.0], [-56.0, -46.0, -60.0])
    fitted = Robert().fit([], calibration=CALIBRATION)
    minutes = fitted.minutes(scene, LogsUsed.OWN, within_m=2.0)
    assert by_pair(minutes, scene, LogsUsed.OWN) == {("a", "b"): pytest.approx(1.2 * overall * 2)}
    scores = fitted.windows(scene, LogsUsed.OWN, window_s=900, within_m=2.0)
    assert scores.score.tolist() == pytest.approx([1.2 * overall * 3])
    assert np.isnan(scores.probability).all()


def test_robert_cuts_peaks_and_full_risk_is_1():
    time = np.arange(0.0, 900.0, 5.0)
    risk, last = epoch_risks(time, np.full(180, -5.0), np.zeros(180, dtype=int), 1, 900.0)
    assert (risk[0], last[0]) == (1.0, 14)
    risk, _ = epoch_risks(np.zeros(1), np.array([-5.0]), np.zeros(1, dtype=int), 1, 900.0)
    assert risk[0] == pytest.approx(1.2 * (66 - 35) / 39)  # one reading, cut to -35 dBm
    risk, _ = epoch_risks(np.zeros(1), np.array([-66.0]), np.zeros(1, dtype=int), 1, 900.0)
    assert risk[0] == pytest.approx(0.0, abs=1e-12)


def test_robert_sums_epochs_of_a_quarter_of_an_hour():
    times = list(range(0, 1800, 10))
    fitted = Robert().fit([], calibration=CALIBRATION)
    found = fitted.minutes(heard(times, [-40.0] * len(times)), LogsUsed.OWN, within_m=2.0)
    assert found.median.tolist() == [pytest.approx(2 * 14)]


# --- the NHS smoother ----------------------------------------------------------------


def plain_smoother(observed: list[list[float]]) -> list[tuple[float, float]]:
    """Return (mean, variance) per second: one pair, one second at a time."""
    mean, variance = 2.0, 10.0
    kept, predicted = [], []
    for second, values in enumerate(observed):
        if second:
            variance += 0.1**2
        predicted.append((mean, variance))
        if values:
            spread = math.sqrt(3 * variance)
            points = [mean, mean + spread, mean - spread]
            images = [0.12705 * math.log(max(abs(x), 0.1)) + 4.23093 for x in points]
            weights = [2 / 3, 1 / 6, 1 / 6]
            expected = sum(w * y for w, y in zip(weights, images, strict=True))
            total = 0.49476 / len(values) + sum(
                w * (y - expected) ** 2 for w, y in zip(weights, images, strict=True)
            )
            cross = sum(
                w * (x - mean) * (y - expected)
                for w, x, y in zip(weights, points, images, strict=True)
            )
            mean += cross / total * (sum(values) / len(values) - expected)
            variance -= cross**2 / total
        kept.append((mean, variance))
    smoothed = [kept[-1]]
    for second in range(len(observed) - 2, -1, -1):
        mean, variance = kept[second]
        ahead_mean, ahead_variance = predicted[second + 1]
        gain = variance / ahead_variance
        mean += gain * (smoothed[0][0] - ahead_mean)
        variance += gain**2 * (smoothed[0][1] - ahead_variance)
        smoothed.insert(0, (mean, variance))
    return smoothed


def test_the_smoother_agrees_with_a_plain_one_pair_by_pair():
    chance = np.random.default_rng(3)
    readings = chance.integers(0, 4, (60, 5)) * (chance.random((60, 5)) < 0.4)
    observed = [
        [chance.normal(4.1, 0.1, count).tolist() for count in of_second]
        for of_second in readings.tolist()
    ]
    means = np.array([[np.mean(v) if v else 0.0 for v in row] for row in observed])
    found = smooth(readings, means)
    for pair in range(5):
        expected = plain_smoother([row[pair] for row in observed])
        got = zip(found.mean_m[:, pair], found.variance_m2[:, pair], strict=True)
        assert list(got) == [pytest.approx(mean_and_variance) for mean_and_variance in expected]


def test_nothing_heard_leaves_the_random_walk():
    found = smooth(np.zeros((100, 1), dtype=int), np.zeros((100, 1)))
    assert found.mean_m[:, 0].tolist() == [2.0] * 100
    assert found.variance_m2[0, 0] == pytest.approx(10.0)
    assert found.variance_m2[-1, 0] == pytest.approx(10.0 + 99 * 0.01)


def test_distances_are_folded_normal():
    near = Distances(np.array([0.0, 3.0]), np.array([1.0, 4.0])).near(1.0)
    assert near[0] == pytest.approx(0.6826895)
    assert near[1] == pytest.approx(0.1586553 - 0.0227501, abs=1e-6)


def test_the_published_level_moves_to_the_training_readings():
    scene = line_scene()
    fitted = Kalman().fit([scene], calibration=CALIBRATION)
    level = np.log(-scene.sightings.rssi_dbm) - 0.12705 * np.log(scene.distance_m)
    assert fitted.model.level == pytest.approx(level.mean())
    assert fitted.model.slope == PUBLISHED.slope
    unmeasured = Kalman().fit([scene], calibration=Calibration.prior())
    assert unmeasured.model == PUBLISHED
    untold = Kalman().fit([Scene("s", scene.sightings)], calibration=CALIBRATION)
    assert untold.model == PUBLISHED


def test_encounters_of_different_lengths_do_not_disturb_each_other():
    times = [*range(0, 300, 7), *range(2000, 2100, 5)]
    rssi = [-(50.0 + n % 9) for n in range(len(times))]
    fitted = Kalman().fit([], calibration=CALIBRATION)
    both = fitted.windows(heard(times, rssi), LogsUsed.OWN, window_s=60, within_m=2.0)
    first = fitted.windows(heard(times[:43], rssi[:43]), LogsUsed.OWN, window_s=60, within_m=2.0)
    second = fitted.windows(heard(times[43:], rssi[43:]), LogsUsed.OWN, window_s=60, within_m=2.0)
    apart = np.concatenate([first.score, second.score])
    assert both.score == pytest.approx(apart)


# --- constant and mean attenuation -----------------------------------------------------


def test_constant_is_the_training_fraction_of_the_tracked_time():
    training = line_scene("training", (0.0, 1.0, 6.0), minutes=10)  # one pair of three is near
    fitted = Constant().fit([training], calibration=CALIBRATION)
    found = fitted.minutes(line_scene(), LogsUsed.PAIR, within_m=2.0)
    assert by_pair(found, line_scene(), LogsUsed.PAIR)["a", "d"] == pytest.approx(20 / 3)
    assert len(found.median) == 6
    assert found.low.tolist() == [0.0] * 6
    assert found.high.max() == pytest.approx(20 * np.quantile([0, 0, 1], 0.95))
    scores = fitted.windows(line_scene(), LogsUsed.OWN, window_s=300, within_m=2.0)
    assert scores.probability == pytest.approx(np.full(len(scores), 1 / 3))
    assert set(scores.score.tolist()) == {0.0}


def test_mean_attenuation_ranks_by_the_mean():
    scene = heard([0.0, 10.0, 400.0], [-50.0, -60.0, -70.0])
    fitted = mean_attenuation().fit([], calibration=CALIBRATION)
    scores = fitted.windows(scene, LogsUsed.OWN, window_s=300, within_m=2.0)
    assert sorted(scores.score.tolist()) == [-70.0, -55.0]


@pytest.mark.parametrize(
    ("estimator", "scores"),
    [
        # The first window has two readings, the second five.
        (loudest(), [-50.0, -51.0]),
        (lower_quantile(), [-51.0, -52.2]),  # a tenth of the way, and 0.4 steps beyond the least
        (packet_count(), [2.0, 5.0]),
    ],
)
def test_the_other_plain_numbers_by_hand(estimator, scores):
    scene = heard(
        [0.0, 10.0, 400.0, 410.0, 420.0, 430.0, 440.0],
        [-50.0, -60.0, -90.0, -51.0, -80.0, -70.0, -54.0],
    )
    fitted = estimator.fit([], calibration=CALIBRATION)
    found = fitted.windows(scene, LogsUsed.OWN, window_s=300, within_m=2.0)
    assert found.score.tolist() == pytest.approx(scores)


def test_quantiles_of_groups_are_numpys():
    chance = np.random.default_rng(8)
    groups = RowGroups(np.append(chance.integers(0, 9, 200), np.arange(9)), 9)
    level = chance.normal(60, 9, 209)
    for quantile in (0.0, 0.2, 0.5, 1.0):
        expected = [np.quantile(level[groups.row == group], quantile) for group in range(9)]
        assert low_quantile(level, groups, quantile) == pytest.approx(expected)


def test_minutes_of_packets_are_slots_with_enough_of_them():
    # Near people are received every 5 s, far ones once a minute.
    near = line_scene("near", (0.0, 1.0), minutes=20, every_s=5.0)
    far = line_scene("far", (0.0, 6.0), minutes=20, every_s=60.0)
    fitted = packet_count().fit([near, far], calibration=CALIBRATION)
    assert -6 <= fitted.threshold(LogsUsed.OWN, 2.0) <= -1
    minutes = {
        scene.name: fitted.minutes(scene, LogsUsed.OWN, within_m=2.0).median
        for scene in (near, far)
    }
    assert minutes["near"] == pytest.approx([20, 20], abs=0.5)
    assert minutes["far"].tolist() == [0.0, 0.0]


def test_the_threshold_for_minutes_is_tuned_on_the_training_scenes():
    fitted = mean_attenuation().fit([line_scene("training")], calibration=CALIBRATION)
    # Within 2 m are 1 and 1.5 m (52.8 and 55.3 dB), beyond are 2.5 m and more (58.4 dB).
    assert 55.3 < fitted.threshold(LogsUsed.OWN, 2.0) <= 58.4
    assert 52.8 < fitted.threshold(LogsUsed.OWN, 1.2) <= 55.3
    found = by_pair(
        fitted.minutes(line_scene(), LogsUsed.OWN, within_m=2.0), line_scene(), LogsUsed.OWN
    )
    assert found["a", "b"] == pytest.approx(20, abs=0.5)
    assert found["b", "c"] == pytest.approx(20, abs=0.5)
    assert found["a", "c"] == found["d", "a"] == 0.0


# --- slot by slot ---------------------------------------------------------------------


def test_every_sighting_is_in_the_slot_that_averages_it():
    scene = line_scene(noise_db=5.0)
    slots = fold(scene.sightings, CALIBRATION)
    slot = slots.of_reading
    count = np.bincount(slot, minlength=len(slots.slot_readings))
    assert count.tolist() == slots.slot_readings.tolist()
    mean = np.bincount(slot, weights=-scene.sightings.rssi_dbm) / count
    assert mean == pytest.approx(slots.attenuation_db)


def test_a_rules_minutes_count_only_while_both_were_tracked():
    times = list(range(0, 1201, 10))
    scene = heard(times, [-50.0] * len(times))
    fitted = Slotwise("bucket-cwa", Bucketed(CWA)).fit([], calibration=CALIBRATION)
    assert fitted.minutes(scene, LogsUsed.OWN, within_m=2.0).median[0] == pytest.approx(20, abs=0.3)
    half = Scene("s", scene.sightings, None, standing(("a", "b"), (0.0, 1.0), 10))
    assert fitted.minutes(half, LogsUsed.OWN, within_m=2.0).median[0] == pytest.approx(10, abs=0.3)
    unseen = Scene("s", scene.sightings, None, standing(("a", "x"), (0.0, 1.0), 10))
    assert fitted.minutes(unseen, LogsUsed.OWN, within_m=2.0).median[0] == 0.0
    with pytest.raises(ValueError, match="neither tracks nor pairs at a fixed distance"):
        fitted.minutes(Scene("s", scene.sightings), LogsUsed.OWN, within_m=2.0)


def test_a_rules_windows_are_its_weighted_minutes():
    times = list(range(0, 601, 10))
    scene = heard(times, [-57.0] * len(times))
    fitted = Slotwise("x", Bucketed(SWISSCOVID)).fit([], calibration=CALIBRATION)
    found = fitted.windows(scene, LogsUsed.OWN, window_s=1e9, within_m=2.0)
    # 57 dB weighs a half; a gap of ten seconds is added before the first and after the last.
    assert found.score[0] == pytest.approx(0.5 * 620 / 60, abs=0.05)
