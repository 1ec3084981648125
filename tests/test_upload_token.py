"""Upload PINs and tokens."""

from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections import Counter

import pytest

from tracetogether.bluetrace.tempid import TempIDIssuer
from tracetogether.bluetrace.upload_token import UploadTokens, new_pin
from tracetogether.errors import InvalidUploadError
from tracetogether.keyring import KeyRing
from tracetogether.rejection import Rejection
from tracetogether.units import Entropy

NOW = 1_600_000_000.0
USER = "A" * 28


@pytest.fixture
def keys(entropy: Entropy) -> KeyRing:
    return KeyRing.generate(NOW, entropy=entropy)


def test_pins_have_eight_digits_and_no_favourites(entropy: Entropy) -> None:
    pins = [new_pin(entropy) for _ in range(4_000)]
    assert all(len(pin) == 8 and pin.isdecimal() for pin in pins)
    first = Counter(pin[0] for pin in pins)
    assert all(300 < first[digit] < 500 for digit in "0123456789")


def test_draws_that_would_favour_low_pins_are_drawn_again() -> None:
    draws = iter([b"\xff\xff\xff\xff", (4_200_000_000).to_bytes(4, "big"), b"\x00\x00\x00\x07"])
    assert new_pin(lambda _: next(draws)) == "00000007"


def test_a_token_says_what_it_was_made_for(keys: KeyRing, entropy: Entropy) -> None:
    tokens = UploadTokens(keys, "SG_MOH", entropy=entropy)
    text = tokens.seal(USER, "case-1", b"\x01" * 32, NOW)
    token = tokens.open(text, NOW + 7_199)
    assert (token.user_id, token.case_id, token.log_sha256) == (USER, "case-1", b"\x01" * 32)
    assert token.expiry == NOW + 7_200
    assert token.token_id != tokens.open(tokens.seal(USER, "case-1", b"", NOW), NOW).token_id
    assert USER not in repr(token)
    for late in (NOW + 7_200, NOW + 3 * 86_400):
        with pytest.raises(InvalidUploadError, match="expired"):
            tokens.open(text, late)


def test_tokens_open_over_midnight(keys: KeyRing) -> None:
    tokens = UploadTokens(keys, "SG_MOH")
    midnight = (NOW // 86_400 + 1) * 86_400
    text = tokens.seal(USER, "c", b"", midnight - 10)
    assert tokens.open(text, midnight + 3_600).user_id == USER


def test_every_changed_byte_is_refused(keys: KeyRing) -> None:
    tokens = UploadTokens(keys, "SG_MOH")
    raw = urlsafe_b64decode(tokens.seal(USER, "c", b"", NOW))
    for place in range(len(raw)):
        changed = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
        with pytest.raises(InvalidUploadError):
            tokens.open(urlsafe_b64encode(changed).decode(), NOW)


@pytest.mark.parametrize("text", ["", "x", "é", "AAAA", "A" * 200, "====", "A" * 61])
def test_rubbish_is_refused(keys: KeyRing, text: str) -> None:
    with pytest.raises(InvalidUploadError, match="not valid"):
        UploadTokens(keys, "SG_MOH").open(text, NOW)


def test_tokens_of_another_authority_are_refused(keys: KeyRing) -> None:
    text = UploadTokens(keys, "AU_DTA").seal(USER, "c", b"", NOW)
    with pytest.raises(InvalidUploadError):
        UploadTokens(keys, "SG_MOH").open(text, NOW)


def test_threat_wrong_purpose_opens_no_upload_token_as_a_tempid_nor_the_reverse(
    keys: KeyRing,
) -> None:
    """Each purpose has a key of its own."""
    tokens, issuer = UploadTokens(keys, "SG_MOH"), TempIDIssuer(keys, "SG_MOH")
    raw = urlsafe_b64decode(tokens.seal(USER, "c", b"", NOW))
    for piece in (raw[:61], raw[4:65], raw[-61:]):
        assert issuer.open(b64encode(piece).decode(), NOW) is Rejection.FAILED_DECRYPTION
    tempid = issuer.issue(USER, NOW, 1).tempids[0].text
    day = raw[:4]
    for text in (tempid, urlsafe_b64encode(day + urlsafe_b64decode(
            tempid.replace("+", "-").replace("/", "_"))).decode()):  # fmt: skip
        with pytest.raises(InvalidUploadError):
            tokens.open(text, NOW)
