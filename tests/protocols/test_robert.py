"""ROBERT: the cipher, HELLOs, uploads, what the server opens, status requests."""

from collections import Counter

import numpy as np
import pytest

from tests.conftest import counted_entropy
from tests.protocols.known_answers import answers, raw
from tests.protocols.test_gaen import log_of
from tests.protocols.test_gaen_export import flips
from tracetogether.diagnosis import InvalidReportError
from tracetogether.errors import RemoteProtocolError
from tracetogether.robert import air, keys, report
from tracetogether.robert.near import REJECTIONS, is_fresh, near, open_hellos, seconds_apart
from tracetogether.robert.skinny import decrypt_blocks, encrypt_blocks
from tracetogether.robert.status import (
    RequestKind,
    checked_request,
    read_request,
    request_mac,
    write_request,
)
from tracetogether.robert.tracing import RobertTracing

KNOWN = answers("robert")
NOON = 1_600_000_000 - 1_600_000_000 % 86_400 + 43_200
REGISTERED = keys.Registrations.new(5, counted_entropy(1))
DAY = NOON // 86_400
SERVER = keys.ServerKeys(
    {day: counted_entropy(day)(24) for day in (DAY - 1, DAY)}, bytes(range(32))
)


def block(text: str) -> np.ndarray:
    return np.frombuffer(raw(text), np.uint8).reshape(1, -1)


def sent(phone: int, time: float, epoch: int | None = None) -> bytes:
    """Return the HELLO that a registered phone sends at ``time``."""
    number = SERVER.epoch_of(time) if epoch is None else epoch
    day = int(SERVER.day_of(np.array([number]))[0])
    ebid = keys.ebids(SERVER.day_keys[day], np.array([number]), REGISTERED.id[[phone]])
    ecc = int(keys.country_codes(SERVER.federation, ebid, SERVER.country)[0, 0])
    return keys.hello(ecc, ebid.tobytes(), keys.ntp_of(time), REGISTERED.mac_keys[phone])


def records(hellos: list[bytes], times: list[float]) -> report.HelloRecords:
    log = log_of([hello.hex() for hello in hellos], times)
    return report.records_of(log, min(times), max(times) + 1)


@pytest.mark.parametrize("known", KNOWN["skinny_64_192"], ids=lambda known: known["cipher"])
def test_the_cipher(known: dict) -> None:
    key = raw(known["key"])
    assert encrypt_blocks(key, block(known["plain"])).tobytes().hex() == known["cipher"]
    assert decrypt_blocks(key, block(known["cipher"])).tobytes().hex() == known["plain"]


@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 1_000])
def test_many_blocks_come_back_each_as_if_alone(count: int) -> None:
    key = bytes(range(24))
    blocks = np.random.default_rng(count).integers(0, 256, (count, 8), dtype=np.uint8)
    sealed = encrypt_blocks(key, blocks)
    assert np.array_equal(decrypt_blocks(key, sealed), blocks)
    if count:
        assert np.array_equal(encrypt_blocks(key, blocks[-1:])[0], sealed[-1])
    with pytest.raises(ValueError, match="24 bytes"):
        encrypt_blocks(bytes(16), blocks)


@pytest.mark.parametrize("known", KNOWN["hello"], ids=lambda known: known["hello"])
def test_hellos(known: dict) -> None:
    ebid = raw(known["ebid"])
    if "ks" in known:
        number = np.array([int.from_bytes(raw(known["id"]))], dtype=np.uint64)
        made = keys.ebids(raw(known["ks"]), np.array([known["epoch"]]), number)
        assert made.tobytes() == ebid
        ecc = keys.country_codes(raw(known["kg"]), made, known["country"])
        assert ecc.tobytes().hex() == known["ecc"]
    (ecc,) = raw(known["ecc"])
    made = keys.hello(ecc, ebid, known["ntp_s"], raw(known["ka"]))
    assert made.hex() == known["hello"]
    parts = air.read_hello(made)
    assert (parts.ecc, parts.ebid, parts.time16) == (ecc, ebid, known["ntp_s"] % 65_536)


@pytest.mark.parametrize("known", KNOWN["status"], ids=lambda known: known["mac"][:8])
def test_status_requests(known: dict) -> None:
    key, ebid = raw(known["ka"]), raw(known["ebid"])
    mac = request_mac(key, RequestKind.STATUS, ebid, known["epoch"], known["ntp_s"])
    assert mac.hex() == known["mac"]


def test_every_flipped_bit_of_a_request_is_a_named_error() -> None:
    data = write_request(bytes(32), RequestKind.STATUS, bytes(range(8)), 7, 3_800_000_000)
    assert checked_request(data, RequestKind.STATUS, bytes(32)).epoch == 7
    for kind in (RequestKind.UNREGISTER, RequestKind.DELETE_HISTORY):
        with pytest.raises(InvalidReportError, match="MAC"):
            checked_request(data, kind, bytes(32))
    for changed in flips(data):
        with pytest.raises(InvalidReportError, match="MAC"):
            checked_request(changed, RequestKind.STATUS, bytes(32))
    with pytest.raises(InvalidReportError, match="48 bytes"):
        read_request(data[:-1])


def test_a_hello_counts_for_180_seconds_either_way() -> None:
    hello = sent(0, NOON)
    delays = [-181, -180, 0, 180, 181]
    counts = [False, True, True, True, False]
    time16 = air.read_hello(hello).time16
    assert [is_fresh(time16, NOON + delay) for delay in delays] == counts
    assert [seconds_apart(time16, NOON + delay) for delay in delays] == delays
    found = open_hellos(
        records([hello] * 5, [NOON + delay for delay in delays]), SERVER, REGISTERED
    )
    assert (found.rejection < 0).tolist() == counts


def test_a_hello_of_the_epoch_before_last_is_refused() -> None:
    epoch = SERVER.epoch_of(NOON)
    hellos = [sent(1, NOON, epoch + step) for step in (-2, -1, 0, 1, 2)]
    found = open_hellos(records(hellos, [NOON] * 5), SERVER, REGISTERED)
    assert (found.rejection < 0).tolist() == [False, True, True, True, False]
    assert found.epoch[1:4].tolist() == [epoch - 1, epoch, epoch + 1]


def test_at_midnight_the_key_of_the_day_before_is_tried_too() -> None:
    midnight = DAY * 86_400
    hellos = [sent(2, midnight - 20), sent(2, midnight + 20), sent(3, midnight + 20)]
    times = [midnight + 10.0, midnight - 10.0, midnight + 20.0]
    found = open_hellos(records(hellos, times), SERVER, REGISTERED)
    assert found.phone.tolist() == [2, 2, 3]
    assert found.opened == 3 + 2


def test_each_reason_for_a_refusal() -> None:
    good = sent(4, NOON)
    foreign = bytes([good[0] ^ 1]) + good[1:]
    forged = good[:-1] + bytes([good[-1] ^ 1])
    unknown = sent(4, NOON, SERVER.epoch_of(NOON) + 5)
    late = sent(4, NOON - 200)
    found = open_hellos(
        records([good, foreign, forged, unknown, late], [NOON] * 5), SERVER, REGISTERED
    )
    names = [None if code < 0 else REJECTIONS[code].value for code in found.rejection.tolist()]
    assert names == [None, "foreign", "malformed", "failed_decryption", "expired_id"]


def test_every_flipped_bit_of_a_hello_is_refused() -> None:
    hellos = list(flips(sent(0, NOON)))
    found = open_hellos(records(hellos, [NOON] * len(hellos)), SERVER, REGISTERED)
    assert (found.rejection >= 0).all()


def test_an_upload_comes_back_and_every_flipped_bit_is_a_named_error() -> None:
    given = records([sent(0, NOON), sent(1, NOON + 60)], [NOON, NOON + 60.0])
    data = report.write_records(given)
    assert len(data) == 4 + 2 * 21 + 32
    again = report.read_records(data, NOON + 86_400)
    assert np.array_equal(again.hello, given.hello)
    assert again.received.tolist() == given.received.tolist()
    assert again.rssi_dbm.tolist() == given.rssi_dbm.tolist()
    for changed in flips(data):
        with pytest.raises(InvalidReportError):
            report.read_records(changed, NOON)


def test_times_are_read_after_the_clock_of_1900_began_again() -> None:
    time = 2_085_978_500.0  # 2036: 2^32 seconds after 1900 are over
    given = report.HelloRecords(
        np.zeros((1, 16), np.uint8), np.array([time]), np.array([-60.0]), np.zeros(1, np.int64)
    )
    assert report.read_records(report.write_records(given), time + 9).received.tolist() == [time]


def test_advertisements() -> None:
    said = air.HelloAdvertisement(bytes(range(16)), -17)
    written = air.write_advertisement(said)
    assert len(written) == 29
    assert air.read_advertisement(written) == said
    assert air.read_advertisement(written[:-22] + b"\x16" + written[-21:] + b"\x00") == said
    with pytest.raises(RemoteProtocolError, match="needs 18"):
        air.read_advertisement(bytes.fromhex("141664fd") + bytes(17))
    with pytest.raises(RemoteProtocolError, match="16 bytes"):
        air.read_hello(bytes(15))


def test_ids_are_distinct() -> None:
    with pytest.raises(ValueError, match="same id"):
        keys.Registrations.of([bytes(5), bytes(5)], [b"", b""])


def test_from_report_to_sightings() -> None:
    tracing = RobertTracing(SERVER, REGISTERED)
    times = [NOON, NOON + 60.0, NOON + 60.0, NOON + 900.0]
    hellos = [sent(0, times[0]), sent(1, times[1]), sent(0, times[2]), sent(1, NOON)]
    log = log_of([hello.hex() for hello in hellos] + ["odd"], [*times, NOON])
    reports = [tracing.report(None, log, NOON - 60, NOON + 1_000) for _ in range(2)]
    published = tracing.publish(reports, NOON + 2_000)
    found = near(published, SERVER, REGISTERED)
    assert found.dropped == 2
    assert dict(found.reasons) == {"expired_id": 2}
    assert Counter(found.observer.to_list()) == {"case 0": 3, "case 1": 3}
    ids = [f"{int(number):010x}" for number in REGISTERED.id[[0, 1]]]
    assert Counter(found.peer.to_list()) == {ids[0]: 4, ids[1]: 2}
    assert len(tracing.near(log, published, NOON)) == len(found)
