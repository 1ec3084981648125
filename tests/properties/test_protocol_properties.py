"""What holds for all tokens, payloads and logs, tried on many."""

import hashlib

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tracetogether.bluetrace.batch import TempIDBatch
from tracetogether.bluetrace.payload import (
    CentralPayload,
    PeripheralPayload,
    encode_read,
    encode_write,
    parse_read,
    parse_write,
)
from tracetogether.bluetrace.tempid import OpenedTempID, TempIDIssuer, new_user_id
from tracetogether.bluetrace.token_text import raw_of_texts, texts_of_raw
from tracetogether.bluetrace.upload import parse_upload, write_upload
from tracetogether.keyring import KeyRing
from tracetogether.labels import Labels
from tracetogether.sightings import Sighting

CHAIN = KeyRing((0, bytes(range(32))))
STATIC = KeyRing.of_static(bytes(range(32)))
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def seeded(seed: bytes):
    count = 0

    def draw(size: int) -> bytes:
        nonlocal count
        count += 1
        return hashlib.shake_256(seed + bytes([count % 256])).digest(size)

    return draw


@settings(deadline=None)
@given(
    seed=st.binary(max_size=8),
    start=st.integers(0, 3_000 * 86_400),
    window=st.integers(0, 29),
    after=st.integers(0, 900),
    static=st.booleans(),
)
def test_an_issued_tempid_opens_only_in_its_window(
    seed: bytes, start: int, window: int, after: int, static: bool
) -> None:
    user = new_user_id(seeded(seed))
    issuer = TempIDIssuer(STATIC if static else CHAIN, "SG", entropy=seeded(seed))
    tempid = issuer.issue(user, start, 30).tempids[window]
    opened = OpenedTempID(user, tempid.start, tempid.expiry)
    assert issuer.open(tempid.text, tempid.start + after) == opened
    for outside in (tempid.start - 1 - after, tempid.expiry + 1 + after):
        assert not isinstance(issuer.open(tempid.text, outside), OpenedTempID)


@given(st.lists(st.binary(min_size=61, max_size=61), max_size=20))
def test_token_texts_round_trip(tokens: list[bytes]) -> None:
    raw = np.frombuffer(b"".join(tokens), np.uint8).reshape(-1, 61)
    texts = [row.tobytes().decode() for row in texts_of_raw(raw)]
    again, good = raw_of_texts(texts)
    assert good.all()
    assert np.array_equal(again, raw)


@given(st.lists(st.text(max_size=90) | st.text(alphabet="AB+/=é", min_size=84, max_size=84)))
def test_other_texts_are_never_accepted_as_tokens(texts: list[str]) -> None:
    raw, good = raw_of_texts(texts)
    spelled = texts_of_raw(raw)
    for text, is_good, row in zip(texts, good, spelled, strict=True):
        assert is_good == (row.tobytes().decode() == text)


@given(token=TEXT, model=TEXT, organisation=TEXT, version=st.integers(0, 255))
def test_read_payloads_round_trip(token: str, model: str, organisation: str, version: int) -> None:
    said = PeripheralPayload(token, model, organisation, version)
    value = encode_read(said)
    if len(value) <= 512:
        assert parse_read(value) == said


@given(token=TEXT, model=TEXT, organisation=TEXT, rssi=st.integers(-127, 20))
def test_write_payloads_round_trip(token: str, model: str, organisation: str, rssi: int) -> None:
    said = CentralPayload(token, model, organisation, rssi)
    value = encode_write(said)
    if len(value) <= 512:
        assert parse_write(value) == said


@given(
    st.lists(
        st.builds(
            Sighting,
            time=st.integers(0, 2**32 - 1).map(float),
            peer=TEXT,
            rssi_dbm=st.integers(-126, -1).map(float),
            tx_power_dbm=st.none() | st.integers(-127, 20).map(float),
            peer_model=st.none() | TEXT.filter(bool),
            observer_model=st.just("own"),
            organisation=TEXT,
            version=st.just(2),
            as_central=st.booleans(),
        ),
        max_size=20,
    )
)
def test_uploads_round_trip(rows: list[Sighting]) -> None:
    records = parse_upload(write_upload(rows)).records
    sightings = records.sightings(own_model="own")
    assert sightings.time.tolist() == [row.time for row in rows]
    assert list(records.token) == [row.peer for row in rows]
    assert sightings.rssi_dbm.tolist() == [row.rssi_dbm for row in rows]
    power = [None if np.isnan(value) else value for value in sightings.tx_power_dbm.tolist()]
    assert power == [row.tx_power_dbm for row in rows]
    assert sightings.peer_model.to_list() == [row.peer_model for row in rows]


@settings(deadline=None)
@given(count=st.integers(1, 30), start=st.integers(0, 10**9))
def test_batches_round_trip_as_json_and_find_every_moment(count: int, start: int) -> None:
    batch = TempIDIssuer(STATIC).issue("A" * 28, start, count)
    assert TempIDBatch.from_json(batch.to_json()) == batch
    for offset in range(0, 900 * count, 450):
        tempid = batch.at(start + offset)
        assert tempid is not None
        assert tempid.start <= start + offset < tempid.expiry


@given(st.lists(st.lists(st.none() | st.sampled_from("abcd"), max_size=6), max_size=5))
def test_joined_labels_keep_their_names(columns: list[list[str | None]]) -> None:
    joined = Labels.concat([Labels.encode(column) for column in columns])
    assert joined.to_list() == [name for column in columns for name in column]
