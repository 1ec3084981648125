"""GAEN: keys, advertisements, reports and matching, against the known answers."""

import os

import numpy as np
import pytest

from tests.conftest import counted_entropy
from tests.protocols.known_answers import answers, raw
from tracetogether.errors import RemoteProtocolError
from tracetogether.gaen import air, keys
from tracetogether.gaen.near import accepted_span, is_accepted, matches, near
from tracetogether.gaen.report import (
    MISSING,
    DiagnosisKeys,
    padded_keys,
    published_keys,
    report_keys,
)
from tracetogether.gaen.tracing import GaenTracing
from tracetogether.labels import Labels
from tracetogether.sightings import Sightings
from tracetogether.units import SECONDS_PER_DAY

GAEN = answers("gaen")
START = GAEN["en_interval_number_of_generated_key"]
TEK = raw(GAEN["temporary_exposure_key"])
HOUR = 3_600


def peer(key: bytes, start: int, offset: int, power: int = -15) -> str:
    """Return what a phone writes down of an advertisement of this key."""
    identifier = keys.identifiers(key, start)[offset].tobytes()
    metadata = air.write_metadata(air.ExposureMetadata(power, 3))
    return (identifier + keys.hide_metadata(key, identifier, metadata)).hex()


def log_of(peers: list[str], times: list[float], observers: list[str] | None = None) -> Sightings:
    return Sightings.from_log(
        time=np.array(times, dtype=np.float64),
        peer=Labels.encode(peers),
        rssi_dbm=np.full(len(peers), -60.0),
        tx_power_dbm=np.full(len(peers), np.nan),
        observer=None if observers is None else Labels.encode(observers),
    )


def test_derived_keys_are_the_published_ones() -> None:
    assert keys.identifier_key(TEK).hex() == GAEN["rpik"]
    assert keys.metadata_key(TEK).hex() == GAEN["aemk"]


def test_all_identifiers_and_hidden_metadata_of_a_day_are_the_published_ones() -> None:
    assert keys.interval_of(GAEN["key_generation_seconds_since_1970"]) == START
    assert keys.day_start(START + 143) == START == keys.day_start(START)
    found = [row.tobytes() for row in keys.identifiers(TEK, START)]
    assert [identifier.hex() for identifier in found] == [
        sent["rpi"] for sent in GAEN["advertised"]
    ]
    metadata = raw(GAEN["ble_metadata"])
    assert [keys.hide_metadata(TEK, identifier, metadata).hex() for identifier in found] == [
        sent["aem"] for sent in GAEN["advertised"]
    ]
    assert [START + offset for offset in range(144)] == [
        sent["enin"] for sent in GAEN["advertised"]
    ]


@pytest.mark.parametrize("known", GAEN["more"], ids=lambda known: known["tek"][:8])
def test_own_keys_at_the_edges(known: dict) -> None:
    key, start, number = raw(known["tek"]), known["rolling_start"], known["enin"]
    assert keys.identifier_key(key).hex() == known["rpik"]
    assert keys.metadata_key(key).hex() == known["aemk"]
    assert keys.interval_of(known["unix_from"]) == number
    assert keys.day_start(number) == start
    identifier = keys.identifiers(key, start)[number - start].tobytes()
    assert identifier.hex() == known["rpi"]
    said = air.read_metadata(raw(known["metadata"]))
    assert (said.tx_power_dbm, said.confidence) == (known["tx_power_dbm"], known["confidence"])
    assert f"1.{said.minor}" == known["version"]
    assert air.write_metadata(said).hex() == known["metadata"]
    hidden = keys.hide_metadata(key, identifier, raw(known["metadata"]))
    assert hidden.hex() == known["aem"]
    sent = air.write_advertisement(air.ExposureAdvertisement(identifier, hidden))
    assert sent.hex() == known["advertisement"]
    assert air.read_advertisement(sent) == air.ExposureAdvertisement(identifier, hidden)
    lost = air.attenuation_db(known["tx_power_dbm"], known["rssi_dbm"])
    assert lost == known["attenuation_db"]


def test_many_keys_give_what_single_ones_give() -> None:
    entropy = counted_entropy(1)
    secrets = [keys.new_key(entropy) for _ in range(7)]
    starts = np.array([START + 144 * day for day in (0, 0, 1, 2, 2, 5, 0)])
    whole = np.frombuffer(b"".join(secrets), np.uint8).reshape(-1, 16)
    chunks = list(keys.identifiers_many(whole, starts, chunk=3))
    assert [len(part) for part in chunks] == [432, 432, 144]
    single = [keys.identifiers(key, int(start)) for key, start in zip(secrets, starts, strict=True)]
    assert np.array_equal(np.concatenate(chunks), np.concatenate(single))


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("02011a03036ffd", "without service data"),
        ("", "without service data"),
        ("16166ffd" + 19 * "00", "20 bytes"),
        ("17166ffd" + 10 * "00", "ends within"),
        (32 * "00", "room for 31"),
        ("02011a0000", "without service data"),
    ],
)
def test_other_advertisements_are_refused(value: str, why: str) -> None:
    with pytest.raises(RemoteProtocolError, match=why):
        air.read_advertisement(raw(value))


def test_the_flags_may_be_missing() -> None:
    sent = raw(GAEN["more"][0]["advertisement"])
    assert air.read_advertisement(sent[7:]) == air.read_advertisement(sent)


def test_a_changed_bit_of_the_metadata_changes_the_claimed_power() -> None:
    identifier = keys.identifiers(TEK, START)[0].tobytes()
    hidden = keys.hide_metadata(TEK, identifier, air.write_metadata(air.ExposureMetadata(-15)))
    changed = bytes([hidden[0], hidden[1] ^ 0x10, *hidden[2:]])
    assert air.read_metadata(keys.hide_metadata(TEK, identifier, changed)).tx_power_dbm == -31


def test_an_identifier_counts_from_2_h_before_to_2_h_10_min_after_its_interval_begins() -> None:
    number = START + 50
    begins = number * 600
    assert accepted_span(number) == (begins - 2 * HOUR, begins + 2 * HOUR + 600)
    times = [begins - 7_201, begins - 7_200, begins, begins + 7_799, begins + 7_800]
    counts = [False, True, True, True, False]
    assert [is_accepted(number, time) for time in times] == counts
    token = peer(TEK, START, 50)
    found = near(log_of([token] * 5, times), DiagnosisKeys.of([TEK], [START]))
    assert found.time.tolist() == times[1:4]


def test_readings_of_published_keys_come_out_with_their_key_and_claimed_power() -> None:
    other, stranger = counted_entropy(2)(16), counted_entropy(3)(16)
    peers = [peer(TEK, START, 3), peer(stranger, START, 3), peer(other, START + 144, 100, 8), "odd"]
    times = [(START + 3) * 600.0, (START + 3) * 600.0, (START + 244) * 600.0, START * 600.0]
    log = log_of(peers, times, ["ben", "ben", "cem", "cem"])
    published = DiagnosisKeys.of([other, TEK], [START + 144, START])
    found = near(log, published)
    assert found.peer.to_list() == [TEK.hex(), other.hex()]
    assert found.observer.to_list() == ["ben", "cem"]
    assert found.tx_power_dbm.tolist() == [-15, 8]
    assert found.time.tolist() == [times[0], times[2]]


def test_each_key_is_derived_once_for_a_whole_crowd() -> None:
    entropy = counted_entropy(4)
    published = DiagnosisKeys.of([entropy(16) for _ in range(300)], [START] * 300)
    token = peer(published.key[299].tobytes(), START, 9)
    crowd = [f"phone {number}" for number in range(500)]
    log = log_of([token] * 500, [(START + 9) * 600.0] * 500, crowd)
    found = matches(log, published)
    assert (found.derived, found.searched) == (300, 300 * 144)
    assert found.row.tolist() == list(range(500))
    assert set(found.key.tolist()) == {299}
    assert set(found.interval.tolist()) == {START + 9}


def test_a_key_of_a_part_of_a_day_ends_early() -> None:
    token = peer(TEK, START, 114)
    published = DiagnosisKeys.of([TEK, TEK], [START, START], period=114)
    log = log_of([token, peer(TEK, START, 113)], [(START + 114) * 600.0] * 2)
    assert matches(log, published).row.tolist() == [1]  # once, though the key is there twice


def test_readings_of_an_impossible_power_are_dropped_and_counted() -> None:
    log = log_of([peer(TEK, START, 0, 21), peer(TEK, START, 1, 20)], [START * 600.0] * 2)
    found = near(log, DiagnosisKeys.of([TEK], [START]))
    assert (len(found), found.dropped, dict(found.reasons)) == (1, 1, {"power": 1})


def test_nothing_heard_and_nothing_published_give_nothing() -> None:
    empty = DiagnosisKeys.of([], [])
    log = log_of([peer(TEK, START, 0)], [START * 600.0])
    assert len(near(log, empty)) == len(near(log_of([], []), DiagnosisKeys.of([TEK], [START]))) == 0


def test_a_key_is_published_2_h_after_its_end_and_for_14_days() -> None:
    report = DiagnosisKeys.of([TEK], [START])
    end = (START + 144) * 600
    times = [end + 7_199, end + 7_200, end + 14 * SECONDS_PER_DAY - 1, end + 14 * SECONDS_PER_DAY]
    assert [len(published_keys([report], now)) for now in times] == [0, 1, 1, 0]


def test_published_keys_are_sorted_and_hidden_among_random_ones() -> None:
    entropy = counted_entropy(5)
    reports = [DiagnosisKeys.of([entropy(16)], [START], report_type=1) for _ in range(9)]
    now = (START + 144) * 600 + 7_200
    published = published_keys(reports, now)
    texts = [row.tobytes() for row in published.key]
    assert texts == sorted(texts)
    padded = padded_keys(published, 140, entropy=entropy)
    assert len(padded) == 140
    assert set(texts) <= {row.tobytes() for row in padded.key}
    assert set(padded.report_type.tolist()) == {1}
    assert set(padded.start.tolist()) == {START}
    assert len(padded_keys(DiagnosisKeys.of([], []), 140)) == 0


def test_a_report_holds_the_days_asked_for() -> None:
    own = DiagnosisKeys.of(
        [os.urandom(16) for _ in range(20)], [START + 144 * n for n in range(20)]
    )
    day = START * 600
    until = day + 20 * SECONDS_PER_DAY
    assert report_keys(own, until - 3 * SECONDS_PER_DAY, until).start.tolist() == [
        START + 144 * n for n in (17, 18, 19)
    ]
    assert len(report_keys(own, 0, until)) == 14  # a phone keeps no more


def test_from_report_to_sightings() -> None:
    tracing = GaenTracing()
    own = DiagnosisKeys.of([TEK], [START], report_type=1, days_since_onset=MISSING)
    heard = log_of([peer(TEK, START, 20)] * 4, [(START + 20) * 600.0 + 60 * n for n in range(4)])
    now = (START + 200) * 600.0
    published = tracing.publish([tracing.report(own, heard, START * 600, now)], now)
    assert len(tracing.near(heard, published, now)) == 4
