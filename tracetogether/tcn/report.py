"""Signed reports, 134 to 389 bytes.

rvk (32) | state before the first (32) | first, last (2 + 2, low byte first) |
kind of memo (1) | its length (1) | memo | Ed25519 signature (64)
"""

from dataclasses import dataclass, field
from typing import Final

from tracetogether.crypto import ed25519_sign, ed25519_verify
from tracetogether.diagnosis import InvalidReportError
from tracetogether.tcn.keys import KEY_BYTES, LAST_INDEX, numbers, states, verification_key
from tracetogether.units import Bytes2D

MOST_MEMO_BYTES: Final = 255
_SIGNATURE_BYTES: Final = 64
_FIXED_BYTES: Final = 2 * KEY_BYTES + 2 + 2 + 1 + 1


@dataclass(frozen=True, slots=True)
class NumberReport:
    """What a report discloses.

    Attributes:
        rvk: verification key.
        before: state with the index ``first`` - 1; its own number stays secret.
        first, last: which numbers were used, 1 to 65535.
        memo_kind: 0 CoEpi, 1 CovidWatch, 2 reserved.
        memo: up to 255 bytes for the app.
    """

    rvk: bytes
    before: bytes = field(repr=False)
    first: int
    last: int
    memo_kind: int = 0
    memo: bytes = b""

    def numbers(self) -> Bytes2D:
        """Return the disclosed numbers, (last - first + 1, 16) uint8."""
        return numbers(self.rvk, self.before, self.first, self.last)


def write_report(
    rak: bytes, first: int, last: int, *, memo_kind: int = 0, memo: bytes = b""
) -> bytes:
    """Return a signed report of the numbers ``first`` to ``last`` of a key.

    Raises:
        ValueError: the numbers are none, or the memo is too long.
    """
    if not 1 <= first <= last <= LAST_INDEX:
        raise ValueError(f"numbers from 1 to {LAST_INDEX}, not {first} to {last}")
    if len(memo) > MOST_MEMO_BYTES:
        raise ValueError(f"a memo has up to {MOST_MEMO_BYTES} bytes, not {len(memo)}")
    body = (
        verification_key(rak)
        + states(rak, first)[-1]
        + first.to_bytes(2, "little")
        + last.to_bytes(2, "little")
        + bytes([memo_kind, len(memo)])
        + memo
    )
    return body + ed25519_sign(rak, body)


def read_report(data: bytes) -> NumberReport:
    """Read a report and check its signature.

    Raises:
        InvalidReportError: it has another length, its numbers are none, or its signature is of
            another key or content.
    """
    if len(data) < _FIXED_BYTES + _SIGNATURE_BYTES:
        raise InvalidReportError(f"a report of {len(data)} bytes is cut off")
    body, signature = data[:-_SIGNATURE_BYTES], data[-_SIGNATURE_BYTES:]
    if body[_FIXED_BYTES - 1] != len(body) - _FIXED_BYTES:
        raise InvalidReportError("a report is not as long as its memo says")
    first, last = (
        int.from_bytes(body[at : at + 2], "little") for at in (2 * KEY_BYTES, 2 * KEY_BYTES + 2)
    )
    if not 1 <= first <= last:
        raise InvalidReportError(f"a report of the numbers {first} to {last}")
    rvk = body[:KEY_BYTES]
    if not ed25519_verify(rvk, signature, body):
        raise InvalidReportError("the signature of a report does not fit")
    before = body[KEY_BYTES : 2 * KEY_BYTES]
    kind = body[_FIXED_BYTES - 2]
    return NumberReport(rvk, before, first, last, kind, body[_FIXED_BYTES:])
