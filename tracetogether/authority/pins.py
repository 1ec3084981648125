"""Upload PINs: bound to one user, five tries, a day to live, used once, never stored."""

import os
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Protocol

from tracetogether.authority.audit import Audit
from tracetogether.authority.casework import Case, CaseStore
from tracetogether.authority.limits import PIN_REFUSALS, PIN_TRIES, Limits
from tracetogether.authority.operators import CONSOLE, Caller
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
        attempt: digest of the attempt that used it, which may ask again; b"" if none may.
    """

    user_id: str = field(repr=False)
    case_id: str
    day: int
    digest: bytes = field(repr=False)
    expiry: float
    tries_left: int = UPLOAD_PIN_TRIES
    used: bool = False
    attempt: bytes = field(default=b"", repr=False)


class PinStore(Protocol):
    """Where PINs are kept. Every method happens whole, alone, or not at all."""

    def put_pin(self, pin: UploadPin) -> None:
        """Write down a PIN in place of the user's earlier one."""
        ...

    def try_pin(self, user_id: str, now: float) -> UploadPin | None:
        """Spend one try of the user's PIN, used or not, and return it.

        None if the user has none, or it has expired at ``now``, or no try is left.
        """
        ...

    def use_pin(self, pin: UploadPin, attempt: bytes) -> bool:
        """Mark the PIN as used by ``attempt``; False if it was used or replaced meanwhile."""
        ...


class _UndoneError(Exception):
    """Ends a transaction that shall leave nothing."""


@dataclass(frozen=True, slots=True)
class Pins:
    """Gives out upload PINs and checks them."""

    keys: KeyRing
    cases: CaseStore
    store: PinStore
    audit: Audit
    limits: Limits
    entropy: Entropy = os.urandom

    def issue(self, case: Case, now: float, *, by: Caller = CONSOLE) -> str:
        """Return a new upload PIN for the case's user; it replaces an earlier one.

        The PIN is in no store: only its HMAC under a key of this day is.

        Raises:
            NotFoundError: the case is gone.
        """
        pin = new_pin(self.entropy)
        day = utc_day(now)
        with self.audit.atomic():
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
            self.audit.record("pin.issued", now, by=by.name, subject=case.case_id)
        return pin

    def redeem(self, user_id: str, pin: str, now: float, *, attempt: str = "") -> UploadPin:
        """Use up a PIN and return what was kept of it.

        A wrong, expired, used or void PIN, another user's, and no PIN at all are answered
        alike, after the same steps. Every refusal is in the audit log.

        Args:
            user_id: whose phone asks, as its credential says.
            pin: eight digits.
            now: epoch seconds.
            attempt: a random name that the phone gives to this attempt. If the answer was lost, the
                same attempt may ask again with the same PIN, while tries are left.

        Raises:
            InvalidUploadError: ``pin`` has another form. No try is spent.
            RateLimitedError: too many tries of this user, over all PINs.
            AccessDeniedError: the PIN is not accepted.
        """
        if len(pin) != UPLOAD_PIN_DIGITS or not (pin.isascii() and pin.isdecimal()):
            msg = f"an upload PIN has {UPLOAD_PIN_DIGITS} digits"
            raise InvalidUploadError(msg)
        self.limits.take(PIN_TRIES, user_id, now)
        with self.audit.atomic():  # a refusal is raised outside: what it has cost stays written
            kept = self.store.try_pin(user_id, now)
            # One digest of each is computed in any case, so that the time does not tell.
            case_id, day = (kept.case_id, kept.day) if kept else ("", utc_day(now))
            offered = self._digest(pin, user_id, case_id, day)
            named = self._digest(attempt, user_id, case_id, day)
            right = equal(offered, kept.digest if kept else bytes(len(offered)))
            again = equal(named, kept.attempt if kept else bytes(len(named)))
            accepted = (
                kept is not None
                and right
                and (
                    (again and bool(attempt))
                    if kept.used
                    else self.store.use_pin(kept, named if attempt else b"")
                )
            )
            act = "pin.redeemed" if accepted else "pin.refused"
            self.audit.record(act, now, by="phone", subject=case_id)
        if kept is None or not accepted:
            refused = self.limits.add(PIN_REFUSALS, "", now)
            if refused == PIN_REFUSALS.at_most + 1:
                self.audit.record("pin.alert", now, by="clock", refused=refused)
            raise AccessDeniedError(_REFUSED)
        return kept

    def pretend(self, user_id: str, now: float) -> None:
        """Take all steps of ``redeem`` for a phone that asks only to hide others who do.

        What is written is undone: nothing is left of it but the count of the phone's requests.

        Raises:
            RateLimitedError: too many tries of this user.
        """
        self.limits.take(PIN_TRIES, user_id, now)
        with suppress(_UndoneError), self.audit.atomic():
            self.store.try_pin("", now)
            offered, named = (self._digest("", user_id, "", utc_day(now)) for _ in range(2))
            equal(offered, named)
            equal(named, offered)
            self.audit.record("pin.refused", now, by="phone")
            raise _UndoneError

    def _digest(self, pin: str, user_id: str, case_id: str, day: int) -> bytes:
        key = self.keys.day_key(_PURPOSE, day)
        return hmac_sha256(key, f"{user_id}/{case_id}/{pin}".encode())
