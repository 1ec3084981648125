"""The one room that knows the cryptography library."""

import pytest

from tracetogether.crypto import Aead, derive, equal, hmac_sha256, sha256
from tracetogether.errors import SealError

KEY = bytes(range(32))
IV = bytes(range(16))


def test_sealed_values_open_again() -> None:
    aead = Aead(KEY)
    assert aead.open(IV, aead.seal(IV, b"text", b"use"), b"use") == b"text"


@pytest.mark.parametrize("associated", [None, b"", b"another use"])
def test_another_purpose_does_not_open(associated: bytes | None) -> None:
    aead = Aead(KEY)
    with pytest.raises(SealError, match="changed, or sealed"):
        aead.open(IV, aead.seal(IV, b"text", b"use"), associated)


@pytest.mark.parametrize("iv", [b"", b"short", IV])
def test_what_was_cut_short_does_not_open(iv: bytes) -> None:
    with pytest.raises(SealError):
        Aead(KEY).open(iv, b"cut")


def test_another_key_does_not_open() -> None:
    with pytest.raises(SealError):
        Aead(bytes(32)).open(IV, Aead(KEY).seal(IV, b"text"))


def test_bulk_forms_agree_with_single_ones() -> None:
    aead = Aead(KEY)
    ivs = [bytes([n]) * 16 for n in range(20)]
    texts = [bytes([n]) * 29 for n in range(20)]
    joined = aead.seal_many(ivs, texts, b"x")
    singles = [aead.seal(iv, text, b"x") for iv, text in zip(ivs, texts, strict=True)]
    assert joined == b"".join(singles)
    assert aead.open_many(ivs, singles, b"x") == texts


def test_bulk_opening_goes_on_after_each_bad_value() -> None:
    aead = Aead(KEY)
    ivs = [bytes([n]) * 16 for n in range(6)]
    sealed = [aead.seal(iv, b"good") for iv in ivs]
    for bad in (0, 2, 3, 5):
        sealed[bad] = bytes(len(sealed[bad]))
    assert aead.open_many(ivs, sealed) == [None, b"good", None, None, b"good", None]


def test_hkdf_expand_known_answer() -> None:
    # RFC 5869, test case 1: PRK, info and the first 32 bytes of the output
    prk = bytes.fromhex("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5")
    info = bytes.fromhex("f0f1f2f3f4f5f6f7f8f9")
    okm = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
    assert derive(prk, info).hex() == okm


def test_hmac_known_answer() -> None:
    # RFC 4231, test case 2
    mac = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert hmac_sha256(b"Jefe", b"what do ya want for nothing?").hex() == mac


def test_sha256_known_answer() -> None:
    assert sha256(b"abc").hex().startswith("ba7816bf8f01cfea")


def test_comparison() -> None:
    assert equal(b"same", b"same")
    assert not equal(b"same", b"sane")
    assert not equal(b"same", b"longer")


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_keys_of_another_length_are_refused(size: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Aead(bytes(size))


def test_a_key_does_not_show() -> None:
    assert repr(Aead(KEY)) == "Aead()"
