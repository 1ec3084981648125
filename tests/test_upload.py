"""The contact-log file, against the reference server's own reading of it."""

import codecs
import json
import tracemalloc
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from tracetogether.bluetrace.tempid import REJECTIONS, TempIDIssuer
from tracetogether.bluetrace.upload import parse_upload, write_upload
from tracetogether.errors import InvalidUploadError
from tracetogether.keyring import KeyRing
from tracetogether.parameters import MAX_UPLOAD_RECORDS
from tracetogether.sightings import Sighting

VECTOR = json.loads((Path(__file__).parent / "vectors" / "upload.json").read_text())
JUDGED = ("isValid", "invalidReason", "contactId", "contactIdValidFrom", "contactIdValidTo")


def body(*records: object, **more: object) -> bytes:
    return json.dumps({"records": records, **more}).encode()


def record(**changes: object) -> dict[str, object]:
    return {
        "timestamp": 1_586_304_100,
        "msg": "T",
        "modelC": "iPhone 8",
        "modelP": "Pixel 3a",
        "rssi": -60,
        "org": "SG_OTC",
        "v": 2,
    } | changes


def test_the_reference_upload_record_by_record() -> None:
    keys = KeyRing.of_static(*(bytes.fromhex(key) for key in VECTOR["keys_hex"]))
    records = parse_upload(json.dumps(VECTOR["upload"]).encode()).records
    opened = TempIDIssuer(keys).open_many(records.token, records.time)
    assert len(records) == len(VECTOR["forwarded"]) == 10
    for row, wanted in enumerate(VECTOR["forwarded"]):
        assert records.time[row] == wanted["timestamp"]
        got: dict[str, object] = {"isValid": bool(opened.accepted[row])}
        if not opened.accepted[row]:
            got["invalidReason"] = REJECTIONS[opened.rejection[row]].value
        user = opened.user.to_list()[row]
        if user is not None:
            got["contactId"] = user
            got["contactIdValidFrom"] = int(opened.start[row])
            got["contactIdValidTo"] = int(opened.expiry[row])
        elif records.token[row]:
            got["contactId"] = records.token[row]  # the reference keeps what it can't open
        assert got == {key: wanted[key] for key in JUDGED if key in wanted}, f"record {row + 1}"


def test_the_reference_upload_tells_the_phones_apart() -> None:
    file = parse_upload(json.dumps(VECTOR["upload"]).encode())
    sightings = file.records.sightings()
    assert sightings.observer_model.to_list() == ["iPhone 8"] * 10
    assert sightings.peer_model.to_list() == ["Pixel 3a"] * 9 + ["iPhone X"]
    assert file.events == 2
    assert file.token == VECTOR["upload"]["token"]
    assert file.token not in repr(file)


def test_android_and_ios_habits() -> None:
    android = (
        b'{"records":[{"id":1,"modelC":"A","modelP":"B","msg":"abc\\u003d\\u003d","org":"o",'
        b'"rssi":-60,"timestamp":1586304100,"v":2}],"events":[],"token":"t"}'
    )
    ios = (
        b'{"token":"t","events":[],"records":[{"v":2,"timestamp":1586304100,"rssi":-60.0,'
        b'"txPower":null,"msg":"abc==","modelP":"B","modelC":"A","org":"o"}]}'
    )
    one, other = parse_upload(android).records, parse_upload(ios).records
    assert one.token == other.token == ("abc==",)
    assert one.time.tolist() == other.time.tolist() == [1_586_304_100.0]
    assert one.rssi_dbm.tolist() == other.rssi_dbm.tolist() == [-60.0]
    assert np.isnan(one.tx_power_dbm[0])
    assert np.isnan(other.tx_power_dbm[0])


def test_milliseconds_become_seconds() -> None:
    times = parse_upload(
        body(record(timestamp=1_586_304_100_500), record(timestamp=10_000_000_000))
    ).records.time
    assert times.tolist() == [1_586_304_100.5, 1e10]


@pytest.mark.parametrize(
    "bad", [7, None, "text", [], {"msg": "T"}, record(timestamp="now"), record(msg=[1]),
            record(timestamp=True), record(timestamp=None)]
)  # fmt: skip
def test_one_bad_record_costs_no_other(bad: object) -> None:
    records = parse_upload(body(record(), bad, record(msg="U"))).records
    assert records.token == ("T", "U")
    assert records.index.tolist() == [0, 2]
    assert records.malformed == 1


def test_records_without_a_token_or_rssi_are_kept() -> None:
    file = body(record(msg=None), record(rssi=None), record(rssi=10**400), record(rssi="1e400"))
    records = parse_upload(file.replace(b'"1e400"', b"1e400")).records
    assert records.token == ("", "T", "T", "T")
    assert np.isnan(records.rssi_dbm[1:]).all()
    assert records.sightings().dropped == 3


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[]", "no list"),
        (b"{}", "no list"),
        (b'{"records":{}}', "no list"),
        (b'{"records":[NaN]}', "not JSON"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_what_is_no_contact_log_is_refused_whole(text: bytes, complaint: str) -> None:
    with pytest.raises(InvalidUploadError, match=complaint):
        parse_upload(text)


def test_the_limit_of_records() -> None:
    at_limit = b'{"records":[' + b"0," * (MAX_UPLOAD_RECORDS - 1) + b"0]}"
    assert parse_upload(at_limit).records.malformed == MAX_UPLOAD_RECORDS
    with pytest.raises(InvalidUploadError, match="at most"):
        parse_upload(at_limit.replace(b"[", b"[0,"))


BOMBS = {
    "events": b'{"records":[],"events":[%s]}' % b",".join([b"[]"] * 700_000),
    "an unknown field": b'{"records":[],"x":[%s]}' % b",".join([b"{}"] * 700_000),
    "the token": b'{"records":[],"token":[%s]}' % b",".join([b"[]"] * 700_000),
    "records that are lists": b'{"records":[%s]}' % b",".join([b"[]"] * 700_000),
    "records without a field": b'{"records":[%s]}' % b",".join([b"{}"] * 700_000),
    "good records": b'{"records":[%s]}' % b",".join([b'{"timestamp":1}'] * 130_000),
    "a field of a record": b'{"records":[{"timestamp":1,"msg":[%s]}]}' % b",".join([b"0"] * 10**6),
    "an unknown field of a record": b'{"records":[{"timestamp":1,"x":[%s]}]}'
    % b",".join([b"[]"] * 700_000),
    "keys": b'{"records":[],%s}' % b",".join(b'"%d":0' % key for key in range(200_000)),
}


@pytest.mark.parametrize("place", BOMBS)
def test_what_is_not_read_is_not_made_into_objects(place: str) -> None:
    """A list of 700,000 empty lists takes 45 MB once it is built, out of 2 MB of text."""
    body = BOMBS[place]
    tracemalloc.start()
    try:
        with suppress(InvalidUploadError):
            parse_upload(body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * len(body) + 10_000_000


def test_events_are_counted_when_asked_for() -> None:
    assert parse_upload(b'{"records":[],"events":[[1,2],{"a":"],["},"\\\\",[]]}').events == 4
    for none in (b'{"records":[]}', b'{"records":[],"events":{"a":1,"b":2}}'):
        assert parse_upload(none).events == 0


def test_half_a_character_in_a_strangers_text_costs_nothing_else() -> None:
    odd = rb'{"timestamp":1,"msg":"\\ud800 \ud83d\ude00 \udc00","modelP":"\uD800"}'
    for row in (odd, odd[:-1] + b',"rssi":"none"}'):
        records = parse_upload(b'{"records":[' + row + b"," + row + b"]}").records
        assert records.token == ("\\ud800 \U0001f600 \ufffd",) * 2


def test_a_file_with_a_byte_order_mark_is_read() -> None:
    assert len(parse_upload(codecs.BOM_UTF8 + b'{"records":[{"timestamp":1}]}').records) == 1


def test_what_a_phone_writes_reads_back() -> None:
    rows = [
        Sighting(1_600_000_000.7, "T1", -60, 1, "iPhone 8", "Pixel 3a", "SG_OTC", 2),
        Sighting(1_600_000_100, "T2", -70.5, None, "iPhone X", "Pixel 3a", "SG_OTC", 2, False),
    ]
    written = write_upload(rows)
    first, second = json.loads(written)["records"]
    assert first == {
        "id": 1,
        "modelC": "Pixel 3a",
        "modelP": "iPhone 8",
        "msg": "T1",
        "org": "SG_OTC",
        "rssi": -60,
        "timestamp": 1_600_000_000,
        "txPower": 1,
        "v": 2,
    }
    assert "txPower" not in second
    sightings = parse_upload(written).records.sightings()
    assert sightings.peer.to_list() == ["T1", "T2"]
    assert sightings.rssi_dbm.tolist() == [-60, -70.5]
    assert sightings.observer_model.to_list() == ["Pixel 3a"] * 2
    assert sightings.peer_model.to_list() == ["iPhone 8", "iPhone X"]


def test_ambiguous_models_are_unknown_unless_named() -> None:
    records = parse_upload(body(record(), record())).records
    assert records.sightings().observer_model.to_list() == [None, None]
    named = records.sightings(own_model="Pixel 3a")
    assert named.observer_model.to_list() == ["Pixel 3a"] * 2
    assert named.peer_model.to_list() == ["iPhone 8"] * 2


def test_an_advertised_power_shows_which_phone_scanned() -> None:
    records = parse_upload(body(record(txPower=12), record())).records
    assert records.sightings().observer_model.to_list() == ["iPhone 8"] * 2


def test_chosen_rows_with_opened_people() -> None:
    records = parse_upload(body(record(), record(msg="U"), record(msg="V", rssi=127))).records
    from tracetogether.labels import Labels

    people = Labels.encode(["ann", "bob", "cid"])
    chosen = records.sightings(peer=people, rows=np.array([True, False, True]))
    assert chosen.peer.to_list() == ["ann"]
    assert chosen.dropped == 1


def test_no_records() -> None:
    assert len(parse_upload(b'{"records":[]}').records.sightings()) == 0
    assert json.loads(write_upload([])) == {"records": [], "events": []}
