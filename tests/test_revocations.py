"""The list of revoked passes: exact, sorted, signed."""

import numpy as np
import pytest

from tests.authority_world import NOON
from tracetogether.cbor import write_cbor
from tracetogether.crypto import SigningKey
from tracetogether.errors import ClockError, UnreadableMessageError
from tracetogether.healthcode.gate_lists import GateLists
from tracetogether.healthcode.revocations import RevocationList
from tracetogether.signed import cose
from tracetogether.signed.trust import TrustList
from tracetogether.units import SECONDS_PER_HOUR

KEY, OTHER = (SigningKey.from_secret(bytes(31) + bytes([n])) for n in (7, 8))
NUMBERS = [bytes([n]) * 8 for n in (200, 3, 100, 3)]


def test_numbers_come_back_sorted_each_once_and_eight_bytes_each() -> None:
    made = RevocationList.of("SG_MOH", NUMBERS, int(NOON)).signed(KEY)
    found = RevocationList.read(made, KEY.public)
    assert (found.issuer, found.issued_at, len(found)) == ("SG_MOH", NOON, 3)
    assert all(number in found for number in NUMBERS)
    assert np.all(np.diff(found.numbers.astype(object)) > 0)
    many = RevocationList.of("SG_MOH", [n.to_bytes(8) for n in range(1_000)], 1).signed(KEY)
    assert len(many) - 8 * 1_000 < 120


@pytest.mark.parametrize("number", [b"\xc8" * 7, b"\xc8" * 9, b"\x00" * 8, b"\xff" * 8, 7, None])
def test_no_other_number_is_in_it(number: object) -> None:
    assert number not in RevocationList.of("SG_MOH", NUMBERS, 1)
    assert number not in RevocationList.of("SG_MOH", [], 1)


def test_a_list_of_another_key_and_a_changed_list_are_refused() -> None:
    made = RevocationList.of("SG_MOH", NUMBERS, 1).signed(KEY)
    with pytest.raises(UnreadableMessageError, match="another key"):
        RevocationList.read(made, OTHER.public)
    with pytest.raises(UnreadableMessageError):
        RevocationList.read(made[:-1] + bytes([made[-1] ^ 1]), KEY.public)


@pytest.mark.parametrize(
    "content",
    [{}, {1: 2, 2: b""}, {1: 1, 2: b"1234567"}, {1: 1, 2: "text"}, {1: 1, 2: b"b" * 8 + b"a" * 8}],
)
def test_signed_messages_of_another_form_are_refused(content: object) -> None:
    payload = write_cbor({1: "SG_MOH", 6: 1, -260: {-3: content}})
    with pytest.raises(UnreadableMessageError, match=r"list|sorted"):
        RevocationList.read(cose.sign(payload, KEY, KEY.public.kid), KEY.public)


def lists(trust_at: float, revoked_at: float) -> GateLists:
    return GateLists(
        TrustList([], organisation="SG_MOH", issued=trust_at),
        RevocationList.of("SG_MOH", [], int(revoked_at)),
    )


@pytest.mark.parametrize("hours", [0, 23.9, 24])
def test_lists_count_for_a_day(hours: float) -> None:
    lists(NOON, NOON).check_age(NOON + hours * SECONDS_PER_HOUR)


@pytest.mark.parametrize("older", [(NOON, NOON - 60), (NOON - 60, NOON)])
def test_the_older_list_decides_when_a_gate_stops(older: tuple[float, float]) -> None:
    held = lists(*older)
    with pytest.raises(ClockError, match="24 hours old"):
        held.check_age(NOON + 24 * SECONDS_PER_HOUR)


def test_a_clock_may_lie_two_minutes_before_the_list_and_no_more() -> None:
    lists(NOON, NOON).check_age(NOON - 120)
    with pytest.raises(ClockError, match="set the clock"):
        lists(NOON - 3_600, NOON).check_age(NOON - 121)
