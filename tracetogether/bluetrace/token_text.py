"""Tokens as text and as bytes, in bulk: 84 base64 characters <-> 61 bytes."""

from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Sequence
from typing import Final

import numpy as np

from tracetogether.units import Bools, Bytes2D

TOKEN_BYTES: Final = 61
TOKEN_TEXT: Final = 84
_WHOLE: Final = 63  # 61 bytes and two of padding: 21 groups of three

_ALPHABET: Final = np.zeros(256, dtype=bool)
_ALPHABET[
    np.frombuffer(
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", dtype=np.uint8
    )
] = True


def texts_of_raw(raw: Bytes2D) -> Bytes2D:
    """Return (n, 84) base64 characters of (n, 61) bytes; a row is one token's text."""
    padded = np.zeros((len(raw), _WHOLE), dtype=np.uint8)
    padded[:, :TOKEN_BYTES] = raw
    text = np.frombuffer(bytearray(b2a_base64(padded.data, newline=False)), dtype=np.uint8)
    text = text.reshape(len(raw), TOKEN_TEXT)
    text[:, -2:] = ord("=")
    return text


def raw_of_texts(texts: Sequence[str]) -> tuple[Bytes2D, Bools]:
    """Return (n, 61) bytes of the given texts, and which of them are well-formed tokens.

    Well-formed: 84 characters of the standard alphabet, ``==`` at the end, and the one
    spelling that encodes these bytes (so that a token has one text only).
    Rows of the others are zero.
    """
    count = len(texts)
    well_formed = np.fromiter(map(len, texts), np.int64, count) == TOKEN_TEXT
    raw = np.zeros((count, TOKEN_BYTES), dtype=np.uint8)
    rows = np.flatnonzero(well_formed)
    if not rows.size:
        return raw, well_formed
    chosen = texts if well_formed.all() else [texts[row] for row in rows.tolist()]
    joined = "".join(chosen).encode("ascii", "replace")  # what is not ASCII becomes "?"
    text = np.frombuffer(bytearray(joined), dtype=np.uint8).reshape(rows.size, TOKEN_TEXT)
    spelled = (text[:, -2:] == ord("=")).all(axis=1)
    text[:, -2:] = ord("A")  # the padding decodes to zero bits in a canonical text
    try:
        decoded = a2b_base64(text.data, strict_mode=True)
    except Base64Error:  # some text has a foreign character: find which
        spelled &= _ALPHABET[text].all(axis=1)
        text[~spelled] = ord("A")
        decoded = a2b_base64(text.data, strict_mode=True)
    whole = np.frombuffer(decoded, dtype=np.uint8).reshape(rows.size, _WHOLE)
    spelled &= (whole[:, TOKEN_BYTES:] == 0).all(axis=1)
    raw[rows[spelled]] = whole[spelled, :TOKEN_BYTES]
    well_formed[rows] = spelled
    return raw, well_formed
