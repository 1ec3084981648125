"""BinnedReadings, hearing and offsets against plain loops and known offsets."""

import numpy as np
import pytest

from tests.proximity_world import START, Radio, scene
from tracetogether.proximity.binned_readings import bin_readings
from tracetogether.proximity.calibration import Calibration, ModelOffsets
from tracetogether.proximity.detection import (
    Hearing,
    heard_oftener,
    hearing_by_slot,
    hearing_of_both_logs,
    hearing_of_own_log,
)
from tracetogether.proximity.model import MODEL
from tracetogether.proximity.offsets import offsets_of_all_logs, offsets_of_own_log
from tracetogether.sightings import Sightings

KNOWN = Calibration({"known": ModelOffsets(3.6, 0.0, -24.7, 0.0, measured=True)})


def log(rows: list[tuple[float, str, str, float]]) -> Sightings:
    return Sightings.from_columns(
        time=[START + row[0] for row in rows],
        observer=[row[1] for row in rows],
        peer=[row[2] for row in rows],
        rssi_dbm=[row[3] for row in rows],
    )


def test_slots_and_scans_are_those_of_a_plain_loop():
    sightings = scene(1, people=4, minutes=5)[0].sightings
    found = bin_readings(sightings, KNOWN)
    level = KNOWN.attenuation(sightings).db
    names = found.pairs.names
    cells: dict[tuple[str, str, int], list[float]] = {}
    scans: set[tuple[str, str, int]] = set()
    for row, (observer, peer) in enumerate(
        zip(sightings.observer.to_list(), sightings.peer.to_list(), strict=True)
    ):
        minute = int(sightings.time[row] // 60) - found.grid.origin
        cells.setdefault((observer, peer, minute), []).append(level[row])
        scans.add((observer, peer, int(sightings.time[row] // 10) - 6 * found.grid.origin))
    seen = {
        (names[found.pairs.first[pair]], names[found.pairs.second[pair]], slot): (value, count)
        for pair, slot, value, count in zip(
            found.pair.tolist(),
            found.slot.tolist(),
            found.attenuation_db.tolist(),
            found.of_reading.sizes().tolist(),
            strict=True,
        )
    }
    assert seen.keys() == cells.keys()
    for cell, levels in cells.items():
        assert seen[cell] == (pytest.approx(np.mean(levels), abs=1e-4), len(levels))
    assert scans == {
        (names[found.pairs.first[pair]], names[found.pairs.second[pair]], scan)
        for pair, scan in zip(found.heard_pair.tolist(), found.heard_scan.tolist(), strict=True)
    }


def test_the_order_of_readings_plays_no_part_to_the_last_bit():
    sightings = scene(2, people=5, minutes=6)[0].sightings
    one = bin_readings(sightings, KNOWN)
    order = np.random.default_rng(0).permutation(len(sightings))
    other = bin_readings(sightings.take(order), KNOWN)
    for column in ("pair", "slot", "attenuation_db", "heard_scan"):
        assert getattr(one, column).tobytes() == getattr(other, column).tobytes(), column
    assert one.pairs.first.tobytes() == other.pairs.first.tobytes()


def test_own_log_counts_scans_between_first_and_last_hearing_and_a_minute_more():
    # anna listens every 10 s from 0 to 600, hears ben always, cara in three scans.
    rows = [(float(t), "anna", "ben", -60.0) for t in range(0, 600, 10)]
    rows += [(t, "anna", "cara", -70.0) for t in (200.0, 250.0, 300.0)]
    found = hearing_of_own_log(bin_readings(log(rows), KNOWN))
    # 57 scans in which only ben was heard tell nothing of ben.
    assert found.heard.tolist() == [3, 3]
    assert found.possible.tolist() == [3, 23]  # cara: 140 to 360 s


def test_both_logs_count_scans_while_the_other_phone_was_at_work():
    rows = [(float(t), "anna", "ben", -60.0) for t in range(0, 1200, 10)]
    rows += [(100.0, "anna", "cara", -70.0), (100.0, "anna", "dora", -70.0)]
    rows += [(float(t), "cara", "ben", -70.0) for t in range(0, 300, 10)]
    binned = bin_readings(log(rows), KNOWN)
    found = hearing_of_both_logs(binned)
    pairs = [
        (binned.pairs.names[a], binned.pairs.names[b])
        for a, b in zip(binned.pairs.first.tolist(), binned.pairs.second.tolist(), strict=True)
    ]
    at = pairs.index(("anna", "cara"))
    assert found.heard[at] == 1
    assert found.possible[at] == 36  # five minutes of cara's log and the minute after
    # ben keeps no log, so nothing but anna's tells of him, and that in one scan
    assert found.possible[pairs.index(("anna", "ben"))] == 1


def test_all_logs_count_scans_in_which_anybody_heard_the_peer():
    rows = [(float(t), "anna", "ben", -60.0) for t in range(0, 300, 10)]
    rows += [(float(t), "cara", "ben", -70.0) for t in range(0, 60, 10)]
    rows += [(float(t), "cara", "dora", -70.0) for t in range(0, 300, 10)]
    binned = bin_readings(log(rows), KNOWN)
    heard, possible = hearing_by_slot(binned)
    anna, ben, cara, dora = range(4)
    assert heard[cara, ben].tolist() == [6, 0, 0, 0, 0]
    assert possible[cara, ben].tolist() == [6, 6, 6, 6, 6]
    assert possible[anna, dora].tolist() == [6, 6, 6, 6, 6]
    assert not possible[ben].any()


def rows_of(peers: dict[str, list[float]], observer: str = "anna"):
    return [(t, observer, peer, -60.0) for peer, times in peers.items() for t in times]


def test_who_is_received_in_more_scans_is_heard_oftener():
    every = [float(t) for t in range(0, 1200, 10)]
    binned = bin_readings(
        log(rows_of({"ben": every, "cara": every[::2], "dora": every[::6]})), KNOWN
    )
    oftener = heard_oftener(binned, hearing_of_own_log(binned), all_logs=False)
    assert np.all(np.diff(oftener) < -0.5)


def test_packets_of_a_scan_count_beside_the_scan():
    every = [float(t) for t in range(0, 1200, 10)]
    twice = sorted([*every, *(t + 1.0 for t in every)])
    binned = bin_readings(log(rows_of({"ben": twice, "cara": every})), KNOWN)
    hearing = hearing_of_own_log(binned)
    assert hearing.heard.tolist() == [120, 120]
    assert hearing.packets.tolist() == [240, 120]
    ben, cara = heard_oftener(binned, hearing, all_logs=False)
    assert ben > cara + 0.5


def test_a_phone_that_receives_everybody_seldom_is_no_farther_from_them():
    every = [float(t) for t in range(0, 1200, 10)]
    peers = {"ben": every, "cara": every[::2], "dora": every[::3], "emil": every}
    seldom = {peer: times[::3] for peer, times in peers.items()}
    rows = rows_of(peers) + rows_of(
        {"anna" if p == "ben" else p: t for p, t in seldom.items()}, "ben"
    )
    # ... though ben scans as often: somebody is received in each scan.
    rows += rows_of({"finn": every}, "ben")
    binned = bin_readings(log(rows), KNOWN)
    hearing = hearing_of_own_log(binned)
    oftener = heard_oftener(binned, hearing, all_logs=False)
    pairs = list(zip(binned.pairs.first.tolist(), binned.pairs.second.tolist(), strict=True))
    names = binned.pairs.names
    of = {(names[a], names[b]): row for row, (a, b) in enumerate(pairs)}
    rate = np.log(hearing.packets / hearing.possible)
    for peer in ("cara", "dora", "emil"):
        raw = rate[of["anna", peer]] - rate[of["ben", peer]]
        left = oftener[of["anna", peer]] - oftener[of["ben", peer]]
        assert raw > 0.9
        assert left < 0.75 * raw


def test_a_peer_received_alone_says_nothing_by_how_often():
    binned = bin_readings(log(rows_of({"ben": [float(t) for t in range(0, 600, 10)]})), KNOWN)
    for hearing in (hearing_of_own_log(binned), hearing_of_both_logs(binned)):
        assert heard_oftener(binned, hearing, all_logs=False).tolist() == [0.0]
    nothing = Hearing(np.zeros(1), np.zeros(1), np.zeros(1))
    assert heard_oftener(binned, nothing, all_logs=True).tolist() == [0.0]


def test_offsets_of_all_logs_are_those_put_in():
    radio = Radio(receiver_db=0.0, transmitter_db=0.0, heavy=False)
    plain = scene(3, people=12, minutes=10, radio=radio)[0].sightings
    weak = plain.observer.codes == 2
    loud = plain.peer.codes == 5
    changed = plain.replaced(rssi_dbm=plain.rssi_dbm - 6.0 * weak + 5.0 * loud)
    before, after = bin_readings(plain, KNOWN), bin_readings(changed, KNOWN)
    gained = offsets_of_all_logs(after, MODEL).db - offsets_of_all_logs(before, MODEL).db
    expected = 6.0 * (before.pairs.first == 2) - 5.0 * (before.pairs.second == 5)
    assert np.corrcoef(gained, expected)[0, 1] > 0.97
    # Drawn towards 0, yet most of it is found.
    assert 4.0 < gained[(before.pairs.first == 2) & (before.pairs.second != 5)].mean() < 6.0


def test_one_log_shows_its_owner_and_nobody_else():
    plain = scene(4, people=10, minutes=10)[0].sightings
    weak = plain.replaced(rssi_dbm=plain.rssi_dbm - 6.0 * (plain.observer.codes == 2))
    before, after = bin_readings(plain, KNOWN), bin_readings(weak, KNOWN)
    gained = offsets_of_own_log(after, MODEL).db - offsets_of_own_log(before, MODEL).db
    assert np.all(gained[before.pairs.first != 2] == 0)
    assert np.all(gained[before.pairs.first == 2] > 3.5)
    assert np.all(gained[before.pairs.first == 2] < 6.0)
