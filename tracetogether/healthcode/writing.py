"""Writing many passes of one authority: what all have in common is encoded once.

A pass has 126 bytes that differ in times, number and signature alone. So most of its CBOR is the
same for all, and encoding all of it for each of 48 passes would cost more than the signatures.
What comes out is what ``signed.cose.sign`` and ``signed.hcert.to_text`` make, up to the zlib level:
random numbers and signatures don't get shorter, so they are stored, and all passes are equally
long.
"""

import zlib
from collections.abc import Iterable
from typing import Final

import numpy as np

from tracetogether.base45 import ALPHABET
from tracetogether.cbor import write_cbor
from tracetogether.crypto import SigningKey
from tracetogether.healthcode.passes import NUMBER_BYTES, Pass
from tracetogether.signed import cose
from tracetogether.signed.hcert import PREFIX
from tracetogether.units import SECONDS_PER_HOUR

_STORED: Final = 0  # zlib's level
_BEGIN: Final = 0x7A7A7A7A // SECONDS_PER_HOUR * SECONDS_PER_HOUR  # as long in CBOR as a real time
_END: Final = _BEGIN + SECONDS_PER_HOUR
_NUMBER: Final = b"\xa5" * NUMBER_BYTES
_LETTERS: Final = np.frombuffer(ALPHABET.encode(), np.uint8)


class PassWriter:
    """Writes and signs passes for screens of one issuer with one key.

    Args:
        issuer: organisation code.
        key: the key that signs.

    Example:
        >>> writer = PassWriter("SG_MOH", SigningKey.from_secret(bytes(31) + b"x"))
        >>> [text] = writer.texts([(1_588_593_600, 1_588_597_200, b"8 bytes.")])
        >>> len(text)
        210
    """

    def __init__(self, issuer: str, key: SigningKey) -> None:
        payload = Pass(issuer, _BEGIN, _END, _NUMBER).write()
        message = cose.sign(payload, key, key.public.kid)
        protected = cose.read(message).protected
        self._key = key
        # Text of the issuer comes first, and could hold anything: so the parts are sought from
        # the end.
        front, self._behind_number = _parted(payload, _NUMBER)
        front, self._before_number = _parted(front, write_cbor(_BEGIN))
        self._before_end, self._before_begin = _parted(front, write_cbor(_END))
        signed = write_cbor(["Signature1", protected, b"", payload])  # RFC 9052, section 4.4
        self._before_signed = _parted(signed, payload)[0]
        self._before_payload, behind = _parted(message, payload)
        self._before_signature = behind[: -len(cose.read(message).signature)]

    def texts(self, passes: Iterable[tuple[int, int, bytes]]) -> list[str]:
        """Return signed passes as texts of QR codes.

        Args:
            passes: not before, expires (whole hours, epoch seconds) and number (8 bytes) of each.
        """
        packed = []
        times, encoded = (0, 0), b""
        for *span, number in passes:
            if times != tuple(span):
                begin, end = times = span[0], span[1]
                parts = (self._before_end, write_cbor(end), self._before_begin, write_cbor(begin))
                encoded = b"".join((*parts, self._before_number))
            payload = encoded + number + self._behind_number
            signature = self._key.sign(self._before_signed + payload)
            message = b"".join((self._before_payload, payload, self._before_signature, signature))
            packed.append(zlib.compress(message, _STORED))
        return [PREFIX + text for text in _base45_of_equal_lengths(packed)]


def _base45_of_equal_lengths(rows: list[bytes]) -> list[str]:
    """Return Base45 (RFC 9285) of byte strings that are equally long, all in one go.

    Two bytes make a number n = c + 45 d + 45² e, written as the letters c d e. A last odd byte
    makes two letters.
    """
    if not rows:
        return []
    raw = np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), -1).astype(np.int64)
    even = raw.shape[1] // 2 * 2
    pairs = raw[:, 0:even:2] * 256 + raw[:, 1:even:2]
    letters = np.stack([pairs % 45, pairs // 45 % 45, pairs // 2025], axis=2)
    columns = [letters.reshape(len(rows), -1)]
    if raw.shape[1] % 2:
        columns.append(np.stack([raw[:, -1] % 45, raw[:, -1] // 45], axis=1))
    written = _LETTERS[np.concatenate(columns, axis=1)]
    return [row.tobytes().decode("ascii") for row in written]


def _parted(whole: bytes, part: bytes) -> tuple[bytes, bytes]:
    """Return what stands before the last ``part`` of ``whole``, and what stands behind it."""
    before, found, behind = whole.rpartition(part)
    if not found:
        raise AssertionError(part)
    return before, behind
