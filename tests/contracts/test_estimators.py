"""What holds for every estimator."""

from operator import attrgetter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracetogether.proximity.calibration import Calibration, ModelOffsets
from tracetogether.proximity.encounters import ESTIMATORS, Encounters, encounters
from tracetogether.sightings import Sightings

COLUMNS = [
    "start_s",
    "end_s",
    "readings",
    "minutes.low",
    "minutes.median",
    "minutes.high",
    "nearest_m.low",
    "nearest_m.median",
    "nearest_m.high",
]
MEASURED = Calibration(
    {"known": ModelOffsets(3.6, 0.0, -24.7, 0.0, measured=True)},
)

every_estimator = pytest.mark.parametrize("name", ESTIMATORS)

reading = st.tuples(
    st.integers(0, 20_000).map(lambda n: 1.6e9 + n / 4),
    st.sampled_from(["anna", "ben"]),
    st.sampled_from(["cara", "dora"]),
    st.floats(-110, -1),
)
logs = st.lists(reading, min_size=1, max_size=60)


def sightings(rows: list[tuple[float, str, str, float]], model: str | None = None) -> Sightings:
    return Sightings.from_columns(
        time=[row[0] for row in rows],
        observer=[row[1] for row in rows],
        peer=[row[2] for row in rows],
        rssi_dbm=[row[3] for row in rows],
        observer_model=[model] * len(rows),
        peer_model=[model] * len(rows),
    )


def together(rssi_dbm: float, minutes: int = 20, model: str | None = None) -> Sightings:
    rows = [(1.6e9 + 5.0 * n, "anna", "cara", rssi_dbm) for n in range(minutes * 12 + 1)]
    return sightings(rows, model)


def estimated(name: str, readings: Sightings, **options: object) -> Encounters:
    return encounters(readings, estimator=ESTIMATORS[name](), **options)


@every_estimator
@given(rows=logs)
@settings(max_examples=60, deadline=None)
def test_every_estimate_is_a_finite_interval_of_some_width(name, rows):
    found = estimated(name, sightings(rows))
    assert found.readings.sum() == len(rows)
    for column in COLUMNS:
        assert np.isfinite(attrgetter(column)(found)).all(), column
    assert np.all(found.minutes.low >= 0)
    assert np.all(found.minutes.low <= found.minutes.median)
    assert np.all(found.minutes.median <= found.minutes.high)
    assert np.all(found.minutes.low < found.minutes.high)
    assert np.all(found.nearest_m.low > 0)
    assert np.all(found.nearest_m.low < found.nearest_m.median)
    assert np.all(found.nearest_m.median < found.nearest_m.high)


@every_estimator
@pytest.mark.parametrize("rssi_dbm", [-1.0, -40.0, -70.0, -85.0, -110.0, -126.0])
@pytest.mark.parametrize("minutes", [0, 1, 20, 180])
def test_no_signal_is_so_clear_that_nothing_is_uncertain(name, rssi_dbm, minutes):
    row = next(iter(estimated(name, together(rssi_dbm, minutes, "known"), calibration=MEASURED)))
    assert row.minutes.high - row.minutes.low > 0.02
    assert row.nearest_m.high > 1.2 * row.nearest_m.low


@every_estimator
@given(rows=logs, seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_the_order_of_readings_has_no_effect(name, rows, seed):
    order = np.random.default_rng(seed).permutation(len(rows))
    one = estimated(name, sightings(rows))
    other = estimated(name, sightings([rows[i] for i in order]))
    assert one.observer.to_list() == other.observer.to_list()
    assert one.peer.to_list() == other.peer.to_list()
    for column in COLUMNS:
        assert attrgetter(column)(one).tobytes() == attrgetter(column)(other).tobytes(), column


@every_estimator
@given(rows=logs, louder_db=st.floats(0, 40))
@settings(max_examples=60, deadline=None)
def test_louder_is_never_less_near(name, rows, louder_db):
    rows = [(t, a, b, max(rssi - 45, -126.0)) for t, a, b, rssi in rows]
    quiet = estimated(name, sightings(rows))
    loud = estimated(name, sightings([(t, a, b, rssi + louder_db) for t, a, b, rssi in rows]))
    slack = 1e-9  # of sums in another order of magnitude
    for column in ("minutes.low", "minutes.median", "minutes.high"):
        assert np.all(attrgetter(column)(loud) >= attrgetter(column)(quiet) - slack), column
    for column in ("nearest_m.low", "nearest_m.median", "nearest_m.high"):
        assert np.all(attrgetter(column)(loud) <= attrgetter(column)(quiet) * (1 + slack)), column


@every_estimator
@given(rows=st.lists(reading, min_size=2, max_size=60, unique_by=lambda row: row[0]))
@settings(max_examples=40, deadline=None)
def test_half_the_rows_give_half_the_readings(name, rows):
    assert estimated(name, sightings(rows[::2])).readings.sum() == len(rows[::2])


@every_estimator
def test_pairs_do_not_disturb_each_other(name):
    alone = together(-75.0)
    # What else the same phone hears would tell when it listened, and how it is carried.
    others = together(-95.0)
    others = others.replaced(observer=others.peer)
    crowd = estimated(name, Sightings.concat([alone, others]))
    pairs = list(zip(crowd.observer.to_list(), crowd.peer.to_list(), strict=True))
    at = pairs.index(("anna", "cara"))
    for column in COLUMNS:
        expected = attrgetter(column)(estimated(name, alone))[0]
        assert attrgetter(column)(crowd)[at] == pytest.approx(expected, rel=1e-9), column


@every_estimator
def test_near_is_all_of_the_time_and_far_almost_none(name):
    near = next(iter(estimated(name, together(-45.0, 30, "known"), calibration=MEASURED)))
    assert near.minutes.median == pytest.approx(30 * (1.75 if "lfph" in name else 1.0), rel=0.03)
    far = next(iter(estimated(name, together(-125.0, 30, "known"), calibration=MEASURED)))
    dose = 30 * 0.33 if name == "bucket-arizona" else 0.0  # which counts the farthest bucket too
    assert far.minutes.median < dose + 1.0
    assert far.minutes.high < dose + 10
    assert near.nearest_m.median < 1.0 < far.nearest_m.median


@every_estimator
def test_unknown_phones_widen_the_interval(name):
    widened = 0
    for rssi_dbm in range(-110, -40, 5):
        width, ratio = [], []
        for model in ("known", "other"):
            readings = together(float(rssi_dbm), 20, model)
            row = next(iter(estimated(name, readings, calibration=MEASURED)))
            width.append(row.minutes.high - row.minutes.low)
            ratio.append(row.nearest_m.high / row.nearest_m.low)
        # Where it is all or nothing for both, seconds go either way.
        assert width[1] >= width[0] - 0.01
        widened += width[1] > width[0] + 0.5
        assert ratio[1] > ratio[0]
    assert widened >= 5


@every_estimator
def test_a_longer_stay_is_more_minutes(name):
    minutes = [
        next(iter(estimated(name, together(-65.0, length)))).minutes for length in (0, 5, 15, 60)
    ]
    assert [estimate.median for estimate in minutes] == sorted(
        estimate.median for estimate in minutes
    )
    assert minutes[-1].median > 10 * minutes[0].median


@every_estimator
def test_no_sightings_are_no_encounters(name):
    found = estimated(name, sightings([]))
    assert len(found) == 0
    assert list(found) == []


def test_a_wider_radius_is_more_minutes():
    minutes = [
        next(iter(estimated("smoothed", together(-80.0), within_m=radius))).minutes.median
        for radius in (0.5, 1.0, 2.0, 4.0, 8.0)
    ]
    assert minutes == sorted(minutes)
    assert minutes[0] < 1
    assert minutes[-1] > 19
