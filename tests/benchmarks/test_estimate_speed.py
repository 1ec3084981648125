"""Readings per second through `estimate`: reading the table, and estimating, apart.

Off by default (each runs once); `pytest tests/benchmarks --benchmark-enable` measures.
"""

from pathlib import Path

import numpy as np
import pytest

from tracetogether.proximity.calibration import Calibration
from tracetogether.proximity.encounters import ESTIMATORS, encounters
from tracetogether.proximity.slots import fold
from tracetogether.sightings import Sightings

READINGS = 200_000
PHONES = 20
BURST = 5  # readings of one pair per minute


def crowd(count: int) -> Sightings:
    """Return ``count`` readings of 20 phones that hear each other all the time."""
    chance = np.random.default_rng(5)
    pair = np.arange(count) % (PHONES * (PHONES - 1))
    minute = np.arange(count) // (PHONES * (PHONES - 1)) // BURST
    observer, step = pair // (PHONES - 1), pair % (PHONES - 1)
    names = np.array([f"phone {n:02d}" for n in range(PHONES)])
    time = 1.6e9 + 60 * minute + np.round(4 * chance.random(count), 3)
    order = np.argsort(time, kind="stable")
    return Sightings.from_columns(
        time=time[order],
        observer=names[observer[order]].tolist(),
        peer=names[((observer + 1 + step) % PHONES)[order]].tolist(),
        rssi_dbm=chance.integers(-95, -50, count).astype(float),
        tx_power_dbm=np.full(count, -21.0),
    )


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    readings = crowd(READINGS)
    path = tmp_path_factory.mktemp("speed") / "readings.csv"
    columns = zip(
        readings.time.tolist(),
        readings.observer.to_list(),
        readings.peer.to_list(),
        readings.rssi_dbm.astype(int).tolist(),
        strict=True,
    )
    lines = (f"{t:.3f},{a},{b},SM-A405FN,SM-G973F,{rssi},-21\n" for t, a, b, rssi in columns)
    path.write_text("t,rx,tx,rx_model,tx_model,rssi,tx_power\n" + "".join(lines))
    return path


def test_reading_the_table(benchmark, table):
    sightings = benchmark(Sightings.from_csv, table)
    assert len(sightings) == READINGS
    assert len(sightings.observer.names) == PHONES
    expected = crowd(READINGS)
    assert np.array_equal(sightings.time, np.round(expected.time, 3))
    benchmark.extra_info["readings"] = READINGS


@pytest.mark.parametrize("name", ESTIMATORS)
def test_estimating(benchmark, name):
    readings = crowd(READINGS)
    found = benchmark(encounters, readings, estimator=ESTIMATORS[name]())
    assert found.readings.sum() == READINGS
    assert len(found) == PHONES * (PHONES - 1)
    benchmark.extra_info["readings"] = READINGS


@pytest.mark.parametrize("count", [50_000, 100_000, 200_000])
def test_the_work_grows_with_the_readings(benchmark, count):
    """One or two slots per pair and minute at every size: all later work is linear in readings."""
    readings = crowd(count)
    slots = benchmark(fold, readings, Calibration.prior())
    assert slots.slot_readings.sum() == count
    assert count / BURST <= len(slots.time_s) <= 2 * count / BURST
    benchmark.extra_info["slots"] = len(slots.time_s)
