"""What phones say over the air, as they really spell it."""

import json

import pytest

from tracetogether.bluetrace.payload import (
    CentralPayload,
    PeripheralPayload,
    encode_read,
    encode_write,
    parse_read,
    parse_write,
)
from tracetogether.errors import RemoteProtocolError

TOKEN = "eWx7IlxHXwyfb2WDjCySxLhE3J+GUojezl4xrBAQERITFBUWFxgZGhscHR4f2CNkCDOtagWmYUPkKdXgjQ=="


def test_sizes_are_those_of_the_reference_phones() -> None:
    assert len(encode_read(PeripheralPayload(TOKEN, "Pixel 3a", "SG_OTC"))) == 128
    assert len(encode_write(CentralPayload(TOKEN, "Pixel 3a", "SG_OTC", -60))) == 137


def test_read_payload_has_the_four_keys() -> None:
    said = json.loads(encode_read(PeripheralPayload(TOKEN, "Pixel 3a", "SG_OTC")))
    assert said == {"id": TOKEN, "mp": "Pixel 3a", "o": "SG_OTC", "v": 2}


def test_written_rssi_is_an_integer() -> None:
    said = json.loads(encode_write(CentralPayload(TOKEN, "iPhone 8", "SG_OTC", -60.4)))
    assert said == {"id": TOKEN, "mc": "iPhone 8", "o": "SG_OTC", "rs": -60, "v": 2}
    assert isinstance(said["rs"], int)


def test_what_is_encoded_parses_back() -> None:
    read = PeripheralPayload(TOKEN, '手机 \\ "x"', "SG_OTC")
    assert parse_read(encode_read(read)) == read
    written = CentralPayload(TOKEN, "iPhone 8", "SG_OTC", -61)
    assert parse_write(encode_write(written)) == written


@pytest.mark.parametrize(
    "said",
    [
        '{"v":2,"o":"SG_OTC","mp":"iPhone X","id":"TOKEN"}',
        '{ "id" : "TOKEN",\n "mp" : "iPhone X", "o" : "SG_OTC", "v" : 2.0 }',
        '{"org":"SG_OTC","msg":"TOKEN","modelP":"iPhone X","v":2}',
        '{"id":"TOKEN","mp":"iPhone X","o":"SG_OTC","v":2,"extra":[1,{}]}',
        '{"id":"\\u0054OKEN","mp":"iPhone X","o":"SG_OTC","v":2}',
    ],
)
def test_key_order_spaces_escapes_and_old_keys_do_not_matter(said: str) -> None:
    assert parse_read(said.encode()) == PeripheralPayload("TOKEN", "iPhone X", "SG_OTC", 2)


def test_html_escaped_padding_is_padding() -> None:
    said = '{"id":"' + TOKEN.replace("=", "\\u003d") + '","mp":"x","o":"y","v":2}'
    assert parse_read(said.encode()).token == TOKEN


@pytest.mark.parametrize(
    ("said", "rssi", "power"),
    [
        ('{"id":"T","mc":"m","o":"o","rs":-60.5,"v":2}', -60.5, None),
        ('{"v":1,"org":"o","msg":"T","modelC":"m","rssi":-60,"txPower":12}', -60.0, 12.0),
        ('{"v":1,"org":"o","msg":"T","modelC":"m","rssi":-6e1,"txPower":null}', -60.0, None),
    ],
)
def test_floats_and_version_1(said: str, rssi: float, power: float | None) -> None:
    written = parse_write(said.encode())
    assert (written.token, written.model, written.organisation) == ("T", "m", "o")
    assert (written.rssi_dbm, written.tx_power_dbm) == (rssi, power)


def test_a_missing_model_or_organisation_is_empty() -> None:
    assert parse_read(b'{"id":"T"}') == PeripheralPayload("T", "", "", 2)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b'"text"',
        b"\xff\xfe",
        b'{"id":7}',
        b'{"id":"T","mp":[]}',
        b'{"id":"T","v":"2"}',
        b'{"id":"T","v":true}',
        b'{"id":"T","v":NaN}',
        b'{"id":"T","v":1e999}',
        b"[" * 512,
        b'{"id":"' + b"A" * 600 + b'"}',
    ],
)
def test_anything_else_is_the_other_phones_fault(value: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_read(value)
    with pytest.raises(RemoteProtocolError):
        parse_write(value)


@pytest.mark.parametrize("rssi", ["", ',"rs":null', ',"rs":"-60"', ',"rs":1' + "0" * 400])
def test_a_write_needs_its_rssi(rssi: str) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_write(('{"id":"T","mc":"m","o":"o"' + rssi + "}").encode())


def test_tokens_do_not_show() -> None:
    assert TOKEN not in repr(PeripheralPayload(TOKEN, "m", "o"))
    assert TOKEN not in repr(CentralPayload(TOKEN, "m", "o", -60))
