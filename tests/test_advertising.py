"""The bytes of an advertisement: laid out as OpenTrace's, read whatever comes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracetogether.bluetrace.handshake import COMPANY_ID, SERVICE_UUID
from tracetogether.node.advertising import (
    MAX_ADVERTISEMENT_BYTES,
    Announcement,
    encode_advertisement,
    parse_advertisement,
)

OTHER = "17E033D3-490E-4BC9-9FE8-2F567643F4D3"


def test_it_is_laid_out_as_opentrace_does() -> None:
    data = encode_advertisement(SERVICE_UUID, COMPANY_ID, b"a1b", -7)
    assert data.hex() == ("0201061107f918c24c09fef0806a4f9515fcb32ab8020af906ffff03613162")
    assert len(data) == MAX_ADVERTISEMENT_BYTES


def test_manufacturer_data_give_way_to_what_matters() -> None:
    data = encode_advertisement(SERVICE_UUID, COMPANY_ID, b"much too long", -7)
    assert len(data) == MAX_ADVERTISEMENT_BYTES
    read = parse_advertisement(data, SERVICE_UUID, COMPANY_ID)
    assert read == Announcement(-7.0, b"muc")


def test_an_iphone_says_its_service_alone() -> None:
    data = encode_advertisement(SERVICE_UUID, COMPANY_ID, b"", None)
    assert parse_advertisement(data, SERVICE_UUID, COMPANY_ID) == Announcement(None, b"")
    assert parse_advertisement(data, OTHER, COMPANY_ID) is None


def test_another_company_is_not_listened_to() -> None:
    data = encode_advertisement(SERVICE_UUID, 0x004C, b"xyz", 1)
    assert parse_advertisement(data, SERVICE_UUID, COMPANY_ID) == Announcement(1.0, b"")


@pytest.mark.parametrize("end", range(31))
def test_what_is_cut_short_counts_as_far_as_it_goes(end: int) -> None:
    data = encode_advertisement(SERVICE_UUID, COMPANY_ID, b"a1b", -7)[:end]
    read = parse_advertisement(data, SERVICE_UUID, COMPANY_ID)
    if end < 21:
        assert read is None
    else:
        assert read == Announcement(-7.0 if end >= 24 else None, b"")


@given(st.binary(max_size=300))
def test_any_bytes_are_read(data: bytes) -> None:
    read = parse_advertisement(data, SERVICE_UUID, COMPANY_ID)
    assert read is None or -128 <= (read.tx_power_dbm or 0) <= 127


@given(st.binary(max_size=3), st.none() | st.integers(-128, 127))
def test_what_is_written_is_read(manufacturer_data: bytes, power: int | None) -> None:
    data = encode_advertisement(SERVICE_UUID, COMPANY_ID, manufacturer_data, power)
    assert len(data) <= MAX_ADVERTISEMENT_BYTES
    read = parse_advertisement(data, SERVICE_UUID, COMPANY_ID)
    assert read == Announcement(power, manufacturer_data)
