"""What signing in needs of other libraries: argon2id for passwords, TOTP for codes, a QR code."""

import threading
from base64 import b32encode
from datetime import UTC, datetime
from typing import Final

import pyotp
import segno
from argon2.low_level import Type, hash_secret_raw

from tracetogether.errors import StoreError

_HASH_BYTES: Final = 32
_AT_ONCE: Final = threading.BoundedSemaphore(2)  # each takes tens of MB: strangers may ask
_DIGITS: Final = 6
_CODES_EITHER_SIDE: Final = 1  # a code is taken 30 s early or late: clocks differ


class Argon2:
    """A ``sign_in.Hashing``: argon2id, by default RFC 9106's choice for little memory.

    Args:
        rounds: passes over the memory.
        memory_kib: its size.
        lanes: how many can be filled side by side.
    """

    def __init__(self, *, rounds: int = 3, memory_kib: int = 65_536, lanes: int = 4) -> None:
        self.cost = f"argon2id {rounds} {memory_kib} {lanes}"

    def __call__(self, password: str, salt: bytes, cost: str) -> bytes:
        """Return 32 bytes.

        Raises:
            StoreError: ``cost`` is not one that this wrote.
        """
        kind, *numbers = cost.split()
        if kind != "argon2id" or len(numbers) != 3:
            msg = (
                f"a password was hashed with {kind!r}, which this program can't check: set it again"
            )
            raise StoreError(msg)
        rounds, memory_kib, lanes = map(int, numbers)
        with _AT_ONCE:
            return hash_secret_raw(
                password.encode(),
                salt,
                time_cost=rounds,
                memory_cost=memory_kib,
                parallelism=lanes,
                hash_len=_HASH_BYTES,
                type=Type.ID,
            )


class Totp:
    """A ``sign_in.Codes``: six digits, another every 30 s (RFC 6238)."""

    def step(self, secret: bytes, code: str, now: float) -> int | None:
        """Return the time step that the code is of, None if of none about now."""
        totp = _totp(secret)
        current = totp.timecode(datetime.fromtimestamp(now, UTC))
        offered = "".join(code.split())
        offered = offered if offered.isascii() and len(offered) == _DIGITS else ""
        found = None
        for step in range(current - _CODES_EITHER_SIDE, current + _CODES_EITHER_SIDE + 1):
            if pyotp.utils.strings_equal(offered, totp.generate_otp(step)):
                found = step
        return found

    def at(self, secret: bytes, now: float) -> str:
        """Return the code of ``now``: what the operator's app shows."""
        return _totp(secret).at(int(now))


def secret_text(secret: bytes) -> str:
    """Return a secret as apps take it when it is typed."""
    return b32encode(secret).decode()


def enrolment_picture(secret: bytes, name: str, authority: str) -> str:
    """Return the QR code that an app reads, as SVG."""
    address = _totp(secret).provisioning_uri(name=name, issuer_name=authority)
    return str(
        segno.make(address, error="m").svg_inline(scale=5, border=4, dark="#1c2430", light="#fff")
    )


def _totp(secret: bytes) -> pyotp.TOTP:
    return pyotp.TOTP(secret_text(secret), digits=_DIGITS)
