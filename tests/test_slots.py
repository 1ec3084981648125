"""Readings folded into encounters and slots, against a slow fold written from the description."""

from dataclasses import fields
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


def unheard_slowly(runs: list[tuple[tuple[str, str], list]]) -> list[tuple[float, float]]:
    """Return the time there unheard of each run, and the most of it, in plain loops."""
    heard = {}  # of each observer: middles of half-minute slots
    for (observer, _), run in runs:
        slots = {}
        for time, *_ in run:
            slots.setdefault(int((time - run[0][0]) // 30.0), []).append(time)
        heard.setdefault(observer, []).extend(sum(times) / len(times) for times in slots.values())
    waits, sessions = {}, {}
    for observer, times in heard.items():
        gaps = [after - before for before, after in pairwise(sorted(times))]
        gaps = [gap for gap in gaps if gap < 1800.0]
        waits[observer] = (sum(gap**2 for gap in gaps) + 2 * 60.0**2) / (2 * (sum(gaps) + 120.0))
        spans = sorted((run[0][0], run[-1][0]) for (who, _), run in runs if who == observer)
        found = [list(spans[0])]
        for start, end in spans[1:]:
            if start - found[-1][1] > 1800.0:
                found.append([start, end])
            found[-1][1] = max(found[-1][1], end)
        sessions[observer] = found
    bounds = []
    for pair, run in runs:
        start, end = run[0][0], run[-1][0]
        (session,) = [s for s in sessions[pair[0]] if s[0] <= start <= s[1]]
        before = start - session[0] + waits[pair[0]]
        after = session[1] - end + waits[pair[0]]
        same = [r for other, r in runs if other == pair]
        place = [r is run for r in same].index(True)
        since = (start - same[place - 1][-1][0]) / 2 if place else np.inf
        until = (same[place + 1][0][0] - end) / 2 if place + 1 < len(same) else np.inf
        bounds.append((min(before, since), min(after, until), since < before, until < after))
    there = [run[-1][0] - run[0][0] + 90.0 for _, run in runs]
    often = [
        1 + sum(after[0] - before[0] > 0.9 for before, after in pairwise(run)) for _, run in runs
    ]
    rates = [1 / 90.0] * len(runs)
    for _ in range(4):
        left = [
            1 - (np.exp(-rate * first) + np.exp(-rate * last)) / 2
            for rate, (first, last, *_) in zip(rates, bounds, strict=True)
        ]
        unheard, own = [], []
        for number, ((observer, _), run) in enumerate(runs):
            first, last, back, again = bounds[number]
            near = [
                k
                for k, ((who, _), other) in enumerate(runs)
                if who == observer
                and other[0][0] <= run[-1][0] + 900.0
                and other[-1][0] >= run[0][0] - 900.0
            ]
            time = sum(there[k] for k in near)
            rate = (sum(often[k] for k in near) + 2) / (time + 2 * 90.0)
            leaving = (sum(left[k] for k in near) + 0.05) / (time + 0.05 * 1800.0)
            own.append((often[number] - 1 + 2) / (run[-1][0] - run[0][0] + 2 / rate))
            ending = 0.6 * (own[-1] + leaving)
            unheard.append(
                tuple(
                    (1 - np.exp(-share * ending * most)) / (share * ending)
                    for share, most in ((0.1 if back else 1, first), (0.1 if again else 1, last))
                )
            )
        rates = own
        there = [
            run[-1][0] - run[0][0] + sum(edges)
            for (_, run), edges in zip(runs, unheard, strict=True)
        ]
    most = []
    for ((observer, _), _), edges, (first, last, back, again) in zip(
        runs, unheard, bounds, strict=True
    ):
        wait = waits[observer]
        least = first + (not back) * wait, last + (not again) * wait
        most.append(sum(min(1.94 * edge, end) for edge, end in zip(edges, least, strict=True)))
    return [(sum(edges), greatest) for edges, greatest in zip(unheard, most, strict=True)]


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
    for (pair, run), (unheard, most) in zip(runs, unheard_slowly(runs), strict=True):
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
                "median": sum(sure) + longest * len(unsure) + unheard,
                "high": span + most,
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
    for name in (column.name for column in fields(Slots)):
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
    assert full.total(full.credit_s) == pytest.approx(1500.0 + 190.0, abs=30.0)


def test_a_reading_alone_stands_for_a_minute_give_or_take():
    slots = fold(sightings([(5.0, "a", "b", -60.0)]), PRIOR)
    assert slots.credit_low_s.tolist() == [0.0]
    assert 45.0 < slots.credit_s[0] < 60.0
    assert slots.credit_high_s == pytest.approx(1.94 * slots.credit_s)


def test_a_reading_alone_stands_for_longer_where_everybody_is_heard_seldom():
    """A phone that hears everybody every five minutes misses most of who stays for three."""
    often = [(30.0 * n + k, "a", f"peer{k}", -60.0) for n in range(41) for k in range(5)]
    seldom = [(300.0 * n + 20 * k, "a", f"peer{k}", -60.0) for n in range(5) for k in range(12)]
    once = (600.0, "a", "once", -60.0)
    busy, idle = fold(sightings([*often, once]), PRIOR), fold(sightings([*seldom, once]), PRIOR)
    stands = [float(slots.total(slots.credit_s)[slots.readings == 1][0]) for slots in (busy, idle)]
    assert stands[0] < 120
    assert 250 < stands[1] < 900


def test_packets_of_one_scan_are_one_chance_to_be_heard():
    """A phone that scans every five minutes hears many packets in each scan, or one."""

    def stands_for(packets: int) -> float:
        rows = [
            (300.0 * scan + 0.1 * packet, "a", f"peer{peer}", -60.0)
            for scan in range(6)
            for peer in range(6)
            for packet in range(packets)
        ]
        rows += [(600.0 + 0.1 * packet, "a", "once", -60.0) for packet in range(packets)]
        slots = fold(sightings(rows), PRIOR)
        once = slots.peer.to_list().index("once")
        return float(slots.total(slots.credit_s)[once])

    assert stands_for(40) == pytest.approx(stands_for(1), rel=0.05)


def test_nobody_was_there_when_the_phone_could_not_hear():
    """Time unheard ends with the observer's session, and halfway to the pair's next encounter."""
    rows = [(300.0 * n + 20 * k, "a", f"peer{k}", -60.0) for n in range(5) for k in range(12)]
    slots = fold(sightings([*rows, (0.0, "a", "first", -60.0)]), PRIOR)
    (first,) = np.flatnonzero(slots.readings == 1)
    middle = fold(sightings([*rows, (600.0, "a", "first", -60.0)]), PRIOR)
    (later,) = np.flatnonzero(middle.readings == 1)
    assert slots.total(slots.credit_s)[first] < 0.8 * middle.total(middle.credit_s)[later]
    twice = [(0.0, "a", "b", -60.0), (1000.0, "a", "b", -60.0)]
    both = fold(sightings([*rows, *twice]), PRIOR)
    known = both.readings == 1
    before, after = both.total(both.credit_s)[known]
    assert before < 500.0 + 100.0 < after < 500.0 + (1420.0 - 1000.0)


def test_nothing_folds_to_nothing():
    slots = fold(sightings([]), PRIOR)
    assert len(slots) == 0
    assert len(slots.total(slots.credit_s)) == 0
    assert len(slots.smallest(slots.credit_s)) == 0


def test_times_at_the_ends_of_the_number_line_do_not_disturb():
    slots = fold(sightings([(-9e13, "a", "b", -60.0), (9e13, "a", "b", -60.0)]), PRIOR)
    assert slots.readings.tolist() == [1, 1]
