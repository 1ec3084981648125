"""Any bytes end in a value or in the named error: nothing else, ever."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracetogether.bluetrace.batch import TempIDBatch
from tracetogether.bluetrace.payload import (
    CentralPayload,
    PeripheralPayload,
    parse_read,
    parse_write,
)
from tracetogether.bluetrace.tempid import REJECTIONS, TempIDIssuer
from tracetogether.bluetrace.upload import ContactLogFile, parse_upload
from tracetogether.bluetrace.upload_token import UploadToken, UploadTokens
from tracetogether.errors import InvalidTempIDError, InvalidUploadError, RemoteProtocolError
from tracetogether.keyring import KeyRing

KEYS = KeyRing((0, bytes(range(32))), [bytes(32)])

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(
        st.sampled_from(["id", "mp", "mc", "o", "rs", "v", "msg", "records", "timestamp", "rssi",
                         "tempIDs", "refreshTime", "startTime", "modelC"]) | st.text(), inner
    ),
    max_leaves=20,
)  # fmt: skip
ANY_BYTES = st.binary(max_size=600) | JSON.map(lambda value: json.dumps(value).encode())


@given(ANY_BYTES)
def test_payloads(value: bytes) -> None:
    for parse, kind in ((parse_read, PeripheralPayload), (parse_write, CentralPayload)):
        try:
            assert isinstance(parse(value), kind)
        except RemoteProtocolError as error:
            assert str(error)  # noqa: PT017 - either outcome is right


@given(ANY_BYTES)
def test_uploads(value: bytes) -> None:
    try:
        file = parse_upload(value)
    except InvalidUploadError:
        return
    assert isinstance(file, ContactLogFile)
    records = file.records
    opened = TempIDIssuer(KEYS).open_many(records.token, records.time)
    assert len(opened.rejection) == len(records)
    assert records.sightings().dropped <= len(records)


@given(st.lists(st.text() | st.text(alphabet="Aa+/=", min_size=84, max_size=84)), st.floats())
def test_tokens(texts: list[str], time: float) -> None:
    opened = TempIDIssuer(KEYS).open_many(texts, np.full(len(texts), time))
    assert not opened.accepted.any()
    assert all(REJECTIONS[code] for code in opened.rejection)


@given(st.text() | st.text(alphabet="AZaz09-_="))
def test_upload_tokens(text: str) -> None:
    try:
        assert isinstance(UploadTokens(KEYS, "SG").open(text, 1_000.0), UploadToken)
    except InvalidUploadError as error:
        assert "redeem a new upload PIN" in str(error)  # noqa: PT017 - either outcome is right


@pytest.mark.slow
@given(JSON)
def test_batches(value: object) -> None:
    try:
        assert isinstance(TempIDBatch.from_json(value), TempIDBatch)
    except InvalidTempIDError as error:
        assert "no batch" in str(error)  # noqa: PT017 - either outcome is right
