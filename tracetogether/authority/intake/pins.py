"""Upload PINs: for one user, five tries, valid a day at most, used once, never stored."""

import os
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.access.limits import (
    PIN_ALERTS,
    PIN_REFUSALS,
    PIN_REFUSALS_FROM,
    PIN_TRIES,
    Limit,
    Limits,
)
from tracetogether.authority.access.permissions import Action, Caller
from tracetogether.authority.access.tallies import PINS_REFUSED, Tallies
from tracetogether.authority.cases.case import Case
from tracetogether.authority.intake.store import IntakeStore
from tracetogether.bluetrace.upload_token import new_pin
from tracetogether.crypto import equal, hmac_sha256, sha256
from tracetogether.errors import (
    AccessDeniedError,
    AuthorityError,
    ConflictError,
    InvalidUploadError,
    NotFoundError,
    RateLimitedError,
)
from tracetogether.keyring import KeyRing
from tracetogether.parameters import (
    PIN_SLOWED_S,
    PINS_GUESSED_A_DAY,
    UPLOAD_PIN_DIGITS,
    UPLOAD_PIN_LIFETIME_S,
    UPLOAD_PIN_SHORT_LIFETIME_S,
    UPLOAD_PIN_TRIES,
    UPLOAD_PINS_A_DAY,
)
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_MINUTE, Entropy, utc_day

PINS_A_DAY: Final = "pins_a_day"
"""Under which name the number of PINs a day is noted in the store."""
_PURPOSE: Final = "upload-pin"
_GIVEN_OUT: Final = Limit("pins-given-out", UPLOAD_PINS_A_DAY, SECONDS_PER_DAY)
_PRETENDED: Final = Limit("pins-pretended", 0, SECONDS_PER_MINUTE)  # counted, never refused
_OTHERS_FROM: Final = Limit("pins-from", 0, SECONDS_PER_MINUTE, by_source=True)  # as well
_REFUSED: Final = (
    "the upload PIN is not accepted: it is wrong, expired, used, or another user's; "
    "ask the health authority for a new one"
)


class SpentPinError(AccessDeniedError):
    """The PIN is right, but another attempt used it before.

    Attributes:
        pin: the stored part of it.
    """

    def __init__(self, pin: "UploadPin") -> None:
        super().__init__(_REFUSED, "pin-refused")
        self.pin = pin


class PinLifetime(StrEnum):
    """How long a PIN is valid, by the way it gets to the person."""

    LONG = "long"  # by SMS or letter
    SHORT = "short"  # read out on the telephone

    @property
    def seconds(self) -> int:
        """Seconds of validity."""
        return UPLOAD_PIN_LIFETIME_S if self is self.LONG else UPLOAD_PIN_SHORT_LIFETIME_S


@dataclass(frozen=True, slots=True)
class PinRules:
    """Limits on PINs per day and tries per PIN, so that guessing does not pay.

    A PIN is bound to one user, and void after ``tries`` wrong numbers. However many phones guess,
    there are ``a_day * tries`` tries a day, each right with probability 1 / 10**digits.

    Attributes:
        a_day: maximum number of PINs issued per UTC day.
        tries: number of tries per PIN.
        digits: of a PIN.

    Raises:
        AuthorityError: strangers would guess too many PINs per day.
    """

    a_day: int = UPLOAD_PINS_A_DAY
    tries: int = UPLOAD_PIN_TRIES
    digits: int = UPLOAD_PIN_DIGITS

    def __post_init__(self) -> None:
        if self.a_day < 1 or self.guessed_a_day > PINS_GUESSED_A_DAY:
            most = int(PINS_GUESSED_A_DAY * 10**self.digits / self.tries)
            msg = (
                f"{self.a_day} upload PINs a day are not allowed: with {self.digits} digits and "
                f"{self.tries} tries each, give 1 to {most} to "
                "`tracetogether authority limits --pins-a-day`"
            )
            raise AuthorityError(msg)

    @property
    def guessed_a_day(self) -> float:
        """Expected number of PINs that strangers guess in a day, if they use up every try."""
        return float(self.a_day * self.tries / 10**self.digits)


@dataclass(frozen=True, slots=True)
class UploadPin:
    """The stored part of an upload PIN, without the PIN.

    Attributes:
        user_id: whose phone may use it; a user has one PIN, a new one replaces it.
        case_id: the case.
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


class PinState(StrEnum):
    """What became of a case's last PIN; none at first, and after the purge of an expired one."""

    NONE = "none"
    OUT = "out"  # the person may use it
    USED = "used"
    EXPIRED = "expired"
    VOID = "void"  # too many wrong numbers were tried


@dataclass(frozen=True, slots=True)
class LastPin:
    """The last PIN of a case, without the PIN.

    Attributes:
        state: what became of it.
        expiry: epoch seconds; 0 without a PIN.
        mark: names this PIN; a form sends it back, so that a reload issues no other PIN.
    """

    state: PinState
    expiry: float
    mark: str

    @property
    def expires_at(self) -> float | None:
        """Epoch seconds; None without a PIN."""
        return None if self.state is PinState.NONE else self.expiry


@dataclass(frozen=True, slots=True)
class Pins:
    """Issues and checks upload PINs."""

    keys: KeyRing
    store: IntakeStore
    audit: Audit
    limits: Limits
    tallies: Tallies
    entropy: Entropy = os.urandom
    rules: PinRules = field(default_factory=PinRules)

    def issue(
        self,
        case: Case,
        now: float,
        *,
        lifetime: PinLifetime = PinLifetime.LONG,
        after: str | None = None,
        by: Caller,
    ) -> str:
        """Return a new upload PIN for the case's user; it replaces an earlier one.

        The store keeps only its HMAC under a key of this day.

        Args:
            case: whose user gets it.
            now: epoch seconds.
            lifetime: how long it is valid.
            after: the mark of the case's last PIN, as the caller saw it; None for any.
            by: the caller.

        Raises:
            AccessDeniedError: ``by`` may not issue PINs.
            NotFoundError: the case was deleted.
            ConflictError: the case holds a partner's records: it has no phone here. Or ``after`` is
                given, and a PIN was issued since.
            RateLimitedError: all PINs of this UTC day are issued.
        """
        by.require(Action.ISSUE_PIN)
        if case.origin:
            msg = "the case holds records that {organisation} handed over: no phone here is its own"
            raise ConflictError(msg, "case-of-partner", organisation=case.origin)
        if after is not None and after != self.last(case, now, by=by).mark:
            msg = "a PIN was issued since this page was opened: no other was issued now"
            raise ConflictError(msg, "pin-issued-meanwhile")
        pin = new_pin(self.entropy)
        day = utc_day(now)
        if self.limits.add(_GIVEN_OUT, "", now) > self.rules.a_day:
            wait = SECONDS_PER_DAY - int(now) % SECONDS_PER_DAY
            msg = (
                "all {count} upload PINs of this UTC day were issued: try again in {minutes} "
                "minutes, or allow more with `authority limits --pins-a-day`"
            )
            minutes = wait // SECONDS_PER_MINUTE
            raise RateLimitedError(
                wait, msg, "pins-of-day-issued", count=self.rules.a_day, minutes=minutes
            )
        with self.audit.atomic():
            if not self.store.touch_case(case.case_id, now):
                raise NotFoundError("the case was deleted: open a new one", "case-deleted")
            self.store.put_pin(
                UploadPin(
                    user_id=case.user_id,
                    case_id=case.case_id,
                    day=day,
                    digest=self._digest(pin, case.user_id, case.case_id, day),
                    expiry=now + lifetime.seconds,
                    tries_left=self.rules.tries,
                )
            )
            self.audit.record("pin.issued", now, by=by.name, subject=case.case_id)
        return pin

    def last(self, case: Case, now: float, *, by: Caller) -> LastPin:
        """Return what became of the last PIN of a case."""
        by.require(Action.ISSUE_PIN)
        kept = self.store.pin(case.user_id)
        if kept is None or kept.case_id != case.case_id:
            return LastPin(PinState.NONE, 0.0, PinState.NONE.value)
        if kept.used:
            state = PinState.USED
        elif kept.expiry <= now:
            state = PinState.EXPIRED
        else:
            state = PinState.OUT if kept.tries_left > 0 else PinState.VOID
        return LastPin(state, kept.expiry, sha256(kept.digest).hex()[:16])

    def given_out(self, now: float) -> int:
        """Return the number of PINs issued on the UTC day of ``now``."""
        return self.limits.count(_GIVEN_OUT, "", now)

    def redeem(
        self, user_id: str, pin: str, now: float, *, attempt: str = "", address: str = ""
    ) -> UploadPin:
        """Use up a PIN and return its stored part.

        A wrong, expired, used or void PIN, another user's, and no PIN at all are answered
        alike, after the same steps. The audit log has an entry for every try at an open PIN, and
        one for all other tries of an hour.

        Args:
            user_id: whose phone asks, as its credential says.
            pin: eight digits.
            now: epoch seconds.
            attempt: a random name that the phone gives to this attempt. If the answer was lost, the
                same attempt may ask again with the same PIN, while tries are left.
            address: where the request comes from.

        Raises:
            InvalidUploadError: ``pin`` has another form. No try is spent.
            RateLimitedError: too many tries of this user, over all PINs.
            AccessDeniedError: the PIN is not accepted; SpentPinError where it is the right one.
        """
        if len(pin) != UPLOAD_PIN_DIGITS or not (pin.isascii() and pin.isdecimal()):
            msg = f"an upload PIN has {UPLOAD_PIN_DIGITS} digits"
            raise InvalidUploadError(msg, "pin-form")
        self.limits.take(PIN_TRIES, user_id, now)
        with self.audit.atomic():  # a refusal is raised outside: the counted try stays stored
            kept = self.store.try_pin(user_id, now)
            # Both digests are computed in any case, so that the time shows nothing.
            case_id, day = (kept.case_id, kept.day) if kept else ("", utc_day(now))
            offered = self._digest(pin, user_id, case_id, day)
            named = self._digest(attempt, user_id, case_id, day) if kept else bytes(len(offered))
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
            # Every path takes as many statements and digests: a count replaces the PIN's use, the
            # entry, and the digest of an attempt's name.
            if kept is None:
                self.audit.rehearse("pin.refused", now, by="phone")
                self.tallies.add(PINS_REFUSED, now)
            else:
                act = "pin.redeemed" if accepted else "pin.refused"
                self.audit.record(act, now, by="phone", subject=case_id)
            if accepted:
                self._digest("", user_id, case_id, day)
                self.limits.add(_OTHERS_FROM, address, now)
            else:
                self._count_refusal(address, now)
        if kept is not None and right and kept.used and not accepted:
            raise SpentPinError(kept)
        if kept is None or not accepted:
            raise AccessDeniedError(_REFUSED, "pin-refused")
        return kept

    def _count_refusal(self, address: str, now: float) -> None:
        self.limits.add(PIN_REFUSALS_FROM, address, now)
        refused = self.limits.add(PIN_REFUSALS, "", now)
        if refused == PIN_REFUSALS.at_most + 1 and self.limits.add(PIN_ALERTS, "", now) == 1:
            self.audit.record("pin.alert", now, by="clock", refused=refused)

    def pause_s(self, now: float, address: str = "") -> float:
        """Return the delay in seconds of an answer to a PIN, right or wrong, for an address.

        It is 0 unless more PINs from that address were refused, in this minute or the last, than
        people mistype.
        """
        for minute in (now, now - SECONDS_PER_MINUTE):
            if self.limits.count(PIN_REFUSALS_FROM, address, minute) > PIN_REFUSALS_FROM.at_most:
                return PIN_SLOWED_S
        return 0.0

    def pretend(self, user_id: str, now: float, *, address: str = "") -> None:
        """Do the work of ``redeem`` for a phone that only hides which phones really redeem.

        It leaves only counts of requests. They replace a refusal's audit entry and count, so that
        as much is written and the answer takes as long.

        Raises:
            RateLimitedError: too many tries of this user.
        """
        self.limits.take(PIN_TRIES, user_id, now)
        with self.audit.atomic():
            self.store.try_pin("", now)
            offered = self._digest("", user_id, "", utc_day(now))
            for _ in range(2):
                equal(offered, bytes(len(offered)))
            self.audit.rehearse("pin.refused", now, by="phone")
            # Three counts, one of which has the digest that the attempt's name would have.
            self.limits.add(_PRETENDED, "entries", now)
            self.limits.add(_PRETENDED, "", now)
            self.limits.add(_OTHERS_FROM, address, now)

    def _digest(self, pin: str, user_id: str, case_id: str, day: int) -> bytes:
        key = self.keys.day_key(_PURPOSE, day)
        return hmac_sha256(key, f"{user_id}/{case_id}/{pin}".encode())
