"""Readings folded into encounters and slots, against a slow fold written from the description."""

from itertools import groupby, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracetogether.labels import Labels
from tracetogether.proximity.calibration import Calibration
from tracetogether.proximity.slots import Slots, TimeCredit, fold
from tracetogether.sightings import Sightings

PRIOR = Calibration.prior()


def sightings(rows: list[tuple[float, str, str, float]]) -> Sightings:
    return Sightings.from_log(
        time=np.array([row[0] for row in rows], dtype=np.float64),
        observer=Labels.encode([row[1] for row in rows]),
        peer=Labels.encode([row[2] for row in rows]),
        rssi_dbm=np.array([row[3] for row in rows], dtype=np.float64),
        tx_power_dbm=np.full(len(rows), np.nan),
    )


def slowly(rows: list[tuple[float, str, str, float]], max_gap_s: float) -> list[dict[str, object]]:
    """Fold in plain loops."""
    credit = TimeCredit()
    level = {rssi: -24.7 - (rssi + 3.6) for _, _, _, rssi in rows}
    runs = []
    for pair, group in groupby(sorted(rows, key=lambda r: (r[1], r[2], r[0])), lambda r: r[1:3]):
        readings = list(group)
        runs.append((pair, [readings[0]]))
        for before, after in pairwise(readings):
            if after[0] - before[0] > max_gap_s:
                runs.append((pair, []))
            runs[-1][1].append(after)
    encounters = []
    for pair, run in runs:
        gaps = [after[0] - before[0] for before, after in pairwise(run)]
        observers_gaps = [
            after[0] - before[0]
            for (observer, _), other in runs
            for before, after in pairwise(other)
            if observer == pair[0]
        ]
        rhythm = sum(gap**2 for gap in observers_gaps) / max(sum(observers_gaps), 1.0)
        longest = max(credit.sure_gap_s, credit.sure_rhythms * rhythm)
        sure = [gap for gap in gaps if gap <= longest]
        typical = (sum(gap**2 for gap in sure) + 60.0**2) / (sum(sure) + 60.0)
        span = run[-1][0] - run[0][0]
        unsure = [gap for gap in gaps if gap > longest]
        encounters.append(
            {
                "pair": pair,
                "start": run[0][0],
                "end": run[-1][0],
                "readings": len(run),
                "slots": len({int((row[0] - run[0][0]) // credit.slot_s) for row in run}),
                "level": sum(level[row[3]] for row in run),
                "low": sum(sure) + sum(min(typical, gap) for gap in unsure),
                "median": sum(sure) + longest * len(unsure) + typical,
                "high": span + 3 * typical,
            }
        )
    return encounters


reading = st.tuples(
    st.one_of(
        st.integers(0, 4000).map(lambda n: 1.6e9 + n / 4),
        st.integers(0, 50).map(lambda n: 1.6e9 + 30 * n),
    ),
    st.sampled_from(["anna", "ben", ""]),
    st.sampled_from(["cara", "dora", "anna"]),
    st.integers(-99, -30).map(float),
)


@given(rows=st.lists(reading, min_size=1, max_size=40), max_gap_s=st.sampled_from([40.0, 600.0]))
@settings(max_examples=200, deadline=None)
def test_agrees_with_the_slow_fold(rows, max_gap_s):
    slots = fold(sightings(rows), PRIOR, max_gap_s=max_gap_s)
    expected = slowly(rows, max_gap_s)
    pairs = zip(slots.observer.to_list(), slots.peer.to_list(), strict=True)
    assert [(a or "", b) for a, b in pairs] == [encounter["pair"] for encounter in expected]
    for column, name in [
        (slots.start_s, "start"),
        (slots.end_s, "end"),
        (slots.readings, "readings"),
        (slots.total(np.ones(len(slots.time_s))), "slots"),
        (slots.total(slots.attenuation_db * slots.slot_readings), "level"),
        (slots.total(slots.credit_low_s), "low"),
        (slots.total(slots.credit_s), "median"),
        (slots.total(slots.credit_high_s), "high"),
    ]:
        wanted = [encounter[name] for encounter in expected]
        assert column == pytest.approx(wanted, rel=1e-9, abs=1e-6), name
    assert slots.slot_readings.sum() == len(rows)
    assert np.all(slots.credit_low_s <= slots.credit_s)
    assert np.all(slots.credit_s <= slots.credit_high_s)
    assert np.all(slots.credit_s > 0)


@given(rows=st.lists(reading, min_size=1, max_size=40), seed=st.integers(0, 1000))
@settings(max_examples=100, deadline=None)
def test_order_plays_no_part_at_all(rows, seed):
    shuffled = [rows[i] for i in np.random.default_rng(seed).permutation(len(rows))]
    one, other = fold(sightings(rows), PRIOR), fold(sightings(shuffled), PRIOR)
    assert one.observer.to_list() == other.observer.to_list()
    assert one.peer.to_list() == other.peer.to_list()
    for name in Slots.__slots__:
        if name not in {"observer", "peer", "of_reading"}:
            assert getattr(one, name).tobytes() == getattr(other, name).tobytes(), name


def test_a_gap_of_exactly_the_limit_is_bridged():
    rows = [(0.0, "a", "b", -60.0), (600.0, "a", "b", -60.0), (1200.5, "a", "b", -60.0)]
    slots = fold(sightings(rows), PRIOR)
    assert slots.readings.tolist() == [2, 1]


def test_a_bluetrace_pair_stays_in_one_encounter():
    """It hears the peer every 47 to 150 s; three exchanges in a row may fail."""
    gaps = [47.0, 150.0, 100.0, 51.0, 600.0, 150.0, 47.0]
    rows = [(t, "a", "b", -60.0) for t in np.cumsum([0.0, *gaps]).tolist()]
    slots = fold(sightings(rows), PRIOR)
    assert len(slots) == 1
    assert float(slots.total(slots.credit_s)[0]) > sum(gaps) - 600 + 180


def test_a_busy_observers_rhythm_bridges_longer_silences():
    """In a full train a phone gets round to each peer every five minutes or so."""
    rows = [(300.0 * n + 10 * k, "a", f"peer{k}", -60.0) for n in range(6) for k in range(20)]
    full = fold(sightings(rows), PRIOR)
    assert full.total(full.credit_s) == pytest.approx(1500.0 + 270.0, abs=60.0)


def test_a_reading_alone_stands_for_a_minute_give_or_take():
    slots = fold(sightings([(5.0, "a", "b", -60.0)]), PRIOR)
    assert slots.credit_low_s.tolist() == [0.0]
    assert slots.credit_s.tolist() == [60.0]
    assert slots.credit_high_s.tolist() == [180.0]


def test_nothing_folds_to_nothing():
    slots = fold(sightings([]), PRIOR)
    assert len(slots) == 0
    assert len(slots.total(slots.credit_s)) == 0
    assert len(slots.smallest(slots.credit_s)) == 0


def test_times_at_the_ends_of_the_number_line_do_not_disturb():
    slots = fold(sightings([(-9e13, "a", "b", -60.0), (9e13, "a", "b", -60.0)]), PRIOR)
    assert slots.readings.tolist() == [1, 1]
