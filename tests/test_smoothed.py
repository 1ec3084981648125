"""The smoothed estimator against brute force, and against truth drawn from its own model."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tracetogether.proximity.calibration import Calibration, ModelOffsets
from tracetogether.proximity.encounters import encounters
from tracetogether.proximity.pathloss import PathLoss
from tracetogether.proximity.slots import fold
from tracetogether.proximity.smoothed import Smoothed
from tracetogether.sightings import Sightings
from tracetogether.tables.csv_columns import read_csv
from tracetogether.units import Floats


def pair(levels: np.ndarray, every_s: float = 15.0) -> Sightings:
    """Return readings of one pair at these attenuations, as prior phones hear them."""
    return Sightings.from_columns(
        time=1.6e9 + every_s * np.arange(len(levels)),
        peer=["b"] * len(levels),
        rssi_dbm=-24.7 - 3.6 - levels,
    )


def test_one_steady_encounter_by_hand():
    """Constant attenuation: nothing moves, and both levels follow from textbook formulas."""
    estimator = Smoothed()
    slots = fold(pair(np.full(81, 60.0)), Calibration.prior())
    estimates = estimator.estimate(slots, within_m=2.0)
    heard_s = float(slots.total(slots.credit_s)[0])
    slope, kept, moving = 14.1, 14.1 * 0.3, 14.1 * 0.12
    share = 1 / (1 + heard_s / 180)
    disturbance = 5.3**2 + 7.4**2 + 4.4**2 + (4.9**2 + moving**2) * share
    weight = kept**2 / (kept**2 + disturbance)
    mean = np.log10(2.3) + weight * (60.0 - 54.8 - slope * np.log10(2.3)) / slope
    # The window around a slot holds at most 180 s and a slot; the slot weight moves between.
    moving_share = 1 / (1 + 195 / 180)
    slot_weight = moving**2 / (moving**2 + 4.9**2 * moving_share)
    slot_sd = 0.12 * np.sqrt(1 - slot_weight)
    normal = np.random.default_rng(2).standard_normal(400_000)
    near = np.mean(mean + slot_sd * normal <= np.log10(2.0))
    assert estimates.minutes.median[0] == pytest.approx(near * heard_s / 60, rel=0.05)


KNOWN = Calibration({"known": ModelOffsets(3.6, 0.0, -24.7, 0.0, measured=True)})


def simulated(seed: int, *, known: bool, pairs: int = 500) -> tuple[Sightings, Floats, Floats]:
    """Return readings of many pairs drawn from the model, true minutes and nearest distances."""
    chance = np.random.default_rng(seed)
    path_loss, slope = PathLoss(), 14.1
    offset_sd = 5.3 if known else np.sqrt(5.3**2 + 7.4**2 + 4.4**2)
    fade = np.exp(-10 / path_loss.correlation_s)

    def wander(steps: int, sd: float) -> Floats:
        """Return an autoregressive process with one value per 10 s."""
        walk = sd * chance.standard_normal(steps)
        for i in range(1, steps):
            walk[i] = fade * walk[i - 1] + np.sqrt(1 - fade**2) * walk[i]
        return walk

    times, peers, levels, minutes, nearest = [], [], [], [], []
    for number in range(pairs):
        steps = int(chance.integers(6, 240))
        distance = np.log10(2.3) + 0.3 * chance.standard_normal() + wander(steps, 0.12)
        offset = offset_sd * chance.standard_normal()
        level = 54.8 + slope * distance + offset + wander(steps, path_loss.within_pair_db)
        heard = np.sort(chance.permutation(steps)[: max(1, steps // 3)])
        times.append(1.6e9 + 10.0 * heard)
        levels.append(level[heard])
        peers += [f"{number:03d}"] * len(heard)
        minutes.append(np.sum(distance <= np.log10(2.0)) / 6)
        nearest.append(10 ** distance.min())
    readings = Sightings.from_columns(
        time=np.concatenate(times),
        peer=peers,
        rssi_dbm=-24.7 - 3.6 - np.concatenate(levels),
        observer_model=["known" if known else None] * len(peers),
        peer_model=["known" if known else None] * len(peers),
    )
    return readings, np.array(minutes), np.array(nearest)


@pytest.mark.parametrize("seed", [1, 2])
def test_intervals_hold_where_the_model_is_true(seed):
    width, error = {}, {}
    for known in (True, False):
        readings, minutes, nearest = simulated(seed, known=known)
        found = encounters(readings, within_m=2.0, calibration=KNOWN, estimator="smoothed")
        assert found.peer.to_list() == sorted(set(readings.peer.to_list()))
        inside = (found.minutes.low <= minutes) & (minutes <= found.minutes.high)
        # Above 90 %: many truths are nothing or everything, and an interval includes its ends.
        assert inside.mean() >= 0.9
        inside = (found.nearest_m.low <= nearest) & (nearest <= found.nearest_m.high)
        assert 0.85 <= inside.mean() <= 0.96
        assert 0.85 <= np.median(found.nearest_m.median / nearest) <= 1.2
        width[known] = np.mean(found.minutes.high - found.minutes.low)
        error[known] = np.mean(np.abs(found.minutes.median - minutes))
        assert abs(np.mean(found.minutes.median - minutes)) < 0.15 * minutes.mean()
        assert error[known] < np.mean(np.abs(np.median(minutes) - minutes))
    assert width[True] < width[False]
    assert error[True] < error[False]


def test_without_noise_the_formula_comes_back():
    """With neither offsets nor noise, the distance is the one that the formula gives."""
    sharp = Smoothed(path_loss=PathLoss(pair_db=0.1, within_pair_db=0.1, within_scan_db=0.1))
    slots = fold(pair(PathLoss().attenuation_db(np.full(200, 1.5))), Calibration.prior())
    known = slots.phone_variance_db2 * 0.0
    exact = replace(slots, phone_variance_db2=known)
    estimates = sharp.estimate(exact, within_m=2.0)
    assert estimates.nearest_m.median[0] == pytest.approx(1.5, rel=0.05)
    total = float(slots.total(slots.credit_s)[0]) / 60
    assert estimates.minutes.median[0] == pytest.approx(total, rel=0.01)
    assert sharp.estimate(exact, within_m=1.2).minutes.median[0] < 0.05 * total


def test_the_recording_with_cameras(recordings):
    """What it says of exp05 stays in the neighbourhood of what was measured when it was built."""
    table = recordings / "google_en_calibration" / "en-calibration-2020-12-14_measured.csv"
    readings = Sightings.from_csv(recordings / "dp3t_epfl" / "readings_exp05.csv.gz")
    found = encounters(readings, calibration=Calibration.load(table))
    assert found.readings.sum() == len(readings) == 184_717
    assert len(set(found.observer.to_list())) == 20
    near = found.minutes.median.sum() / ((found.end_s - found.start_s).sum() / 60)
    assert 0.2 < near < 0.6  # the cameras say .41 of the time that both are in view


def true_minutes(folder: Path) -> dict[tuple[str, str, str], tuple[float, float]]:
    """Return (minutes within 2 m, minutes in view) by scene, observer and peer."""
    table = read_csv(
        folder / "traj_exp05_2hz.csv.gz",
        numbers={"time": "t", "x": "x", "y": "y"},
        labels={"scene": "scenario", "person": "id"},
        required={"time", "x", "y", "scene", "person"},
    )
    half_seconds = np.round(table.numbers["time"] * 2).astype(np.int64)
    truth = {}
    for scene, name in enumerate(table.labels["scene"].names):
        here = table.labels["scene"].codes == scene
        first = half_seconds[here].min()
        place = np.full(
            (len(table.labels["person"].names), np.ptp(half_seconds[here]) + 1, 2), np.nan
        )
        at = table.labels["person"].codes[here], half_seconds[here] - first
        place[at] = np.stack([table.numbers["x"][here], table.numbers["y"][here]], axis=1)
        people = table.labels["person"].names
        for i, person in enumerate(people):
            distance = np.hypot(*np.moveaxis(place[i] - place, -1, 0))
            for j, other in enumerate(people):
                if i != j and (seen := np.isfinite(distance[j]).sum()) >= 120:
                    truth[name, person, other] = np.sum(distance[j] <= 2.0) / 120, seen / 120
    return truth


@pytest.mark.slow
def test_minutes_on_the_recording_with_cameras(recordings):
    """Better than a constant share of the time, and inside the interval nine times in ten."""
    truth = true_minutes(recordings / "dp3t_epfl")
    table = recordings / "google_en_calibration" / "en-calibration-2020-12-14_measured.csv"
    path = recordings / "dp3t_epfl" / "readings_exp05.csv.gz"
    readings = Sightings.from_csv(path)
    scene = read_csv(path, numbers={}, labels={"scene": "scenario"}, required=set()).labels["scene"]
    found: dict[tuple[str, str, str], np.ndarray] = {}
    for code, name in enumerate(scene.names):
        here = encounters(readings.take(scene.codes == code), calibration=Calibration.load(table))
        for encounter in here:
            interval = np.array(
                [encounter.minutes.low, encounter.minutes.median, encounter.minutes.high]
            )
            key = name, encounter.observer or "", encounter.peer or ""
            found[key] = found.get(key, np.zeros(3)) + interval
    # Scenes that the cameras saw whole; of the train a third of the tracks is missing.
    pairs = [key for key in found if key in truth and key[0] in {"office", "queue", "party"}]
    near, seen = np.array([truth[key] for key in pairs]).T
    low, median, high = np.array([found[key] for key in pairs]).T
    constant = near.sum() / seen.sum() * seen
    assert len(pairs) > 500
    assert np.abs(median - near).mean() < 0.9 * np.abs(constant - near).mean()
    assert np.corrcoef(median, near)[0, 1] > 0.5
    assert abs(median.mean() - near.mean()) < 0.35 * near.mean()
    assert 0.85 < np.mean((low <= near + 0.02) & (near <= high + 0.02)) < 0.98
