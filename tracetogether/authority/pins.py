"""Upload PINs: bound to one user, five tries, a day to live, used once, never stored."""

import os
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from tracetogether.authority.casework import Case, CaseStore
from tracetogether.bluetrace.upload_token import new_pin
from tracetogether.crypto import equal, hmac_sha256
from tracetogether.errors import AccessDeniedError, InvalidUploadError, NotFoundError
from tracetogether.keyring import KeyRing
from tracetogether.parameters import (
    UPLOAD_PIN_DIGITS,
    UPLOAD_PIN_LIFETIME_S,
    UPLOAD_PIN_TRIES,
)
from tracetogether.units import Entropy, utc_day

_PURPOSE: Final = "upload-pin"
_REFUSED: Final = (
    "the upload PIN is not accepted: it is wrong, expired, used, or another user's; "
    "ask the health authority for a new one"
)


@dataclass(frozen=True, slots=True)
class UploadPin:
    """What is kept of an upload PIN: never the PIN.

    Attributes:
        user_id: whose phone may use it; a user has one PIN, a new one replaces it.
        case_id: what for.
        day: UTC day whose key made the digest.
        digest: HMAC of PIN, user and case.
        expiry: epoch seconds; not accepted from then on.
        tries_left: how many more numbers may be tried.
        used: whether it was exchanged for a token.
    """

    user_id: str = field(repr=False)
    case_id: str
    day: int
    digest: bytes = field(repr=False)
    expiry: float
    tries_left: int = UPLOAD_PIN_TRIES
    used: bool = False


class PinStore(Protocol):
    """Where PINs are kept. Every method happens whole, alone, or not at all."""

    def put_pin(self, pin: UploadPin) -> None:
        """Write down a PIN in place of the user's earlier one."""
        ...

    def try_pin(self, user_id: str, now: float) -> UploadPin | None:
        """Spend one try of the user's PIN and return it; None if none is open at ``now``."""
        ...

    def use_pin(self, pin: UploadPin) -> bool:
        """Mark the PIN as used; False if it was used or replaced meanwhile."""
        ...


class MemoryPins:
    """PINs that live as long as the process, for one thread."""

    def __init__(self) -> None:
        self._pins: dict[str, UploadPin] = {}

    def put_pin(self, pin: UploadPin) -> None:
        """Write down a PIN in place of the user's earlier one."""
        self._pins[pin.user_id] = pin

    def try_pin(self, user_id: str, now: float) -> UploadPin | None:
        """Spend one try of the user's PIN and return it; None if none is open at ``now``."""
        pin = self._pins.get(user_id)
        if pin is None or pin.used or pin.tries_left < 1 or now >= pin.expiry:
            return None
        spent = self._pins[user_id] = replace(pin, tries_left=pin.tries_left - 1)
        return spent

    def use_pin(self, pin: UploadPin) -> bool:
        """Mark the PIN as used; False if it was used or replaced meanwhile."""
        current = self._pins.get(pin.user_id)
        if current is None or current.used or current.digest != pin.digest:
            return False
        self._pins[pin.user_id] = replace(current, used=True)
        return True

    def drop_pins(self, now: float) -> int:
        """Forget PINs that can't be used any more; return how many went."""
        old = [
            pin.user_id
            for pin in self._pins.values()
            if pin.used or pin.tries_left < 1 or pin.expiry <= now
        ]
        for user_id in old:
            del self._pins[user_id]
        return len(old)


@dataclass(frozen=True, slots=True)
class Pins:
    """Gives out upload PINs and checks them."""

    keys: KeyRing
    cases: CaseStore
    store: PinStore
    entropy: Entropy = os.urandom

    def issue(self, case: Case, now: float) -> str:
        """Return a new upload PIN for the case's user; it replaces an earlier one.

        The PIN is in no store: only its HMAC under a key of this day is.

        Raises:
            NotFoundError: the case is gone.
        """
        pin = new_pin(self.entropy)
        day = utc_day(now)
        if not self.cases.touch_case(case.case_id, now):
            msg = "there is no such case any more: open a new one"
            raise NotFoundError(msg)
        self.store.put_pin(
            UploadPin(
                user_id=case.user_id,
                case_id=case.case_id,
                day=day,
                digest=self._digest(pin, case.user_id, case.case_id, day),
                expiry=now + UPLOAD_PIN_LIFETIME_S,
            )
        )
        return pin

    def redeem(self, user_id: str, pin: str, now: float) -> str:
        """Use up a PIN and return the id of the case that it was for.

        A wrong, expired, used or void PIN, another user's, and no PIN at all are answered alike.

        Args:
            user_id: whose phone asks, as its credential says.
            pin: eight digits.
            now: epoch seconds.

        Raises:
            InvalidUploadError: ``pin`` has another form. No try is spent.
            AccessDeniedError: the PIN is not accepted.
        """
        if len(pin) != UPLOAD_PIN_DIGITS or not (pin.isascii() and pin.isdecimal()):
            msg = f"an upload PIN has {UPLOAD_PIN_DIGITS} digits"
            raise InvalidUploadError(msg)
        kept = self.store.try_pin(user_id, now)
        # One digest is computed in any case, so that the time does not tell one from the other.
        case_id, day = (kept.case_id, kept.day) if kept else ("", utc_day(now))
        offered = self._digest(pin, user_id, case_id, day)
        right = equal(offered, kept.digest if kept else bytes(len(offered)))
        if kept is None or not right or not self.store.use_pin(kept):
            raise AccessDeniedError(_REFUSED)
        return kept.case_id

    def _digest(self, pin: str, user_id: str, case_id: str, day: int) -> bytes:
        key = self.keys.day_key(_PURPOSE, day)
        return hmac_sha256(key, f"{user_id}/{case_id}/{pin}".encode())
