"""Charges: people without a phone, for whom somebody else's phone keeps passes.

The person gets a one-time code at the desk and gives it to a relative, who enters it: that is the
consent. The authority keeps two random ids side by side and no name. A charge is a user of its own,
so its passes, declarations and restrictions are its own, and nothing in a pass names the phone.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from tracetogether.authority.access.audit import LONGEST_REASON, Audit
from tracetogether.authority.access.limits import CHARGE_TRIES, GIVEN, Limits
from tracetogether.authority.access.operator_limits import take_of_operator
from tracetogether.authority.access.permissions import Action, Caller
from tracetogether.authority.cases.case import new_id
from tracetogether.authority.intake.issuance import Issuance
from tracetogether.authority.status.charge_store import ChargingStore
from tracetogether.crypto import hmac_sha256
from tracetogether.errors import ConflictError, InvalidRequestError, NotFoundError
from tracetogether.keyring import KeyRing
from tracetogether.parameters import CHARGE_CODE_LIFETIME_S, CHARGES_OF_A_PHONE
from tracetogether.plain_text import hidden_in
from tracetogether.units import Entropy, utc_day

_PURPOSE: Final = "charge-code"
_CODE: Final = re.compile(r"[A-Z2-7]{10}")
_MISREAD: Final = str.maketrans({"0": "O", "1": "I", "8": "B", " ": "", "-": ""})
"""What people type for the letters of a code, which has none of these."""


@dataclass(frozen=True, slots=True)
class Charge:
    """A person without a phone, and the phone that keeps their passes.

    Attributes:
        charge_id: random, ten characters; the desk and both people know it.
        user_id: the person, as cases and restrictions name them.
        guardian: user id of the phone.
        added_at: epoch seconds.
    """

    charge_id: str
    user_id: str = field(repr=False)
    guardian: str = field(repr=False)
    added_at: float


@dataclass(frozen=True, slots=True)
class KeptConsent:
    """The stored part of a code that nobody has used yet.

    Attributes:
        digest: HMAC of the code under a key of ``day``.
        charge_id: which charge the code will make.
        day: UTC day on which it was given out.
        expiry: epoch seconds; not accepted from then on.
    """

    digest: bytes = field(repr=False)
    charge_id: str
    day: int
    expiry: float


@dataclass(frozen=True, slots=True)
class Consent:
    """What a person without a phone takes home from the desk; shown once.

    Attributes:
        charge_id: by which the person ends the charge at the desk.
        code: to be given to the relative; two groups of five letters and digits.
        expiry: epoch seconds.
    """

    charge_id: str
    code: str = field(repr=False)
    expiry: float


@dataclass(frozen=True, slots=True)
class Charges:
    """Adds and ends charges. It stores no name of anybody.

    Args:
        keys: the authority's keys.
        store: keeps charges and codes.
        issuance: registers the people.
        audit: the log.
        limits: of tries with wrong codes.
        entropy: source of codes.
    """

    keys: KeyRing
    store: ChargingStore
    issuance: Issuance
    audit: Audit
    limits: Limits
    entropy: Entropy = os.urandom

    # --- the desk ---

    def consent(self, now: float, *, by: Caller) -> Consent:
        """Return a one-time code for a person without a phone who stands at the desk.

        Raises:
            AccessDeniedError: ``by`` may not give codes out.
            RateLimitedError: ``by`` gave out as many today as one operator may.
        """
        by.require(Action.GIVE_CHARGE_CODE)
        take_of_operator(GIVEN, "passes-given.exceeded", now, self.limits, self.audit, by=by)
        code, charge_id, day = new_id(self.entropy), new_id(self.entropy), utc_day(now)
        expiry = now + CHARGE_CODE_LIFETIME_S
        with self.audit.atomic():
            self.store.charges.add_consent(
                KeptConsent(self._digest(code, day), charge_id, day, expiry)
            )
            self.audit.record("charge.code-given", now, by=by.name, subject=charge_id)
        return Consent(charge_id, f"{code[:5]}-{code[5:]}", expiry)

    def end_at_desk(self, charge_id: str, reason: str, now: float, *, by: Caller) -> None:
        """End a charge for the person without a phone; a code that nobody used becomes void.

        Args:
            charge_id: the number on the person's paper.
            reason: recorded in the audit log.
            now: epoch seconds.
            by: the caller.

        Raises:
            AccessDeniedError: ``by`` may not end charges.
            InvalidRequestError: the reason is empty, too long, or more than a line of plain text.
            NotFoundError: there is no such charge, or it ended before.
        """
        by.require(Action.END_CHARGE)
        given = reason.strip()
        if not given or len(given) > LONGEST_REASON or hidden_in(given):
            msg = "give a reason of 1 to {count} characters: it is recorded in the audit log"
            raise InvalidRequestError(msg, "reason-needed", count=LONGEST_REASON)
        number = typed(charge_id)
        with self.audit.atomic():
            gone = self.store.charges.drop_consent(number)
            if not self.store.charges.drop_charge(number) and not gone:
                raise _no_such_charge()
            self.audit.record("charge.ended", now, by=by.name, subject=number, reason=given)

    # --- phones ---

    def add(self, guardian: str, code: str, now: float) -> Charge:
        """Use a code up: the phone of ``guardian`` keeps passes for one more person.

        Args:
            guardian: user id of the phone.
            code: as the person got it at the desk; case, blanks and hyphens don't matter.
            now: epoch seconds.

        Raises:
            RateLimitedError: this phone tried too many codes.
            InvalidRequestError: ``code`` has another form.
            NotFoundError: the code is wrong, expired, used or void.
            ConflictError: the phone keeps passes for as many people as it may. The code stays
                valid.
        """
        read = typed(code)
        if not _CODE.fullmatch(read):
            msg = "a code from the desk has two groups of five letters and digits, like K7Q2D-MXFT3"
            raise InvalidRequestError(msg, "charge-code-form")
        self.limits.take(CHARGE_TRIES, guardian, now)
        with self.audit.atomic():
            self.store.charges.lock(guardian)
            if len(self.store.charges.of(guardian)) >= CHARGES_OF_A_PHONE:
                msg = "a phone keeps passes for at most {most} people: end one of them first"
                raise ConflictError(msg, "charges-full", most=CHARGES_OF_A_PHONE)
            consent = self._used_up(read, now)
            if consent is None:
                msg = "the code is not accepted: it is wrong, expired or used; the desk has another"
                raise NotFoundError(msg, "charge-code-refused")
            person = self.issuance.register().user_id
            charge = Charge(consent.charge_id, person, guardian, now)
            self.store.charges.add_charge(charge)
            self.audit.record("charge.added", now, by="phone", subject=charge.charge_id)
        return charge

    def of(self, guardian: str) -> Sequence[Charge]:
        """Return the charges of a phone, the oldest first."""
        return self.store.charges.of(guardian)

    def user_of(self, guardian: str, charge_id: str) -> str:
        """Return the user id of a charge, for a phone that acts for it.

        Raises:
            NotFoundError: this phone has no such charge, or the person or the phone ended it.
        """
        for charge in self.store.charges.of(guardian):
            if charge.charge_id == charge_id:
                return charge.user_id
        raise _no_such_charge()

    def end(self, guardian: str, charge_id: str, now: float) -> None:
        """End a charge from the phone.

        Raises:
            NotFoundError: this phone has no such charge.
        """
        self.user_of(guardian, charge_id)
        with self.audit.atomic():
            if not self.store.charges.drop_charge(charge_id):
                raise _no_such_charge()
            self.audit.record("charge.ended", now, by="phone", subject=charge_id)

    # --- parts of the above ---

    def _used_up(self, code: str, now: float) -> KeptConsent | None:
        """Return the consent of a code, which is deleted; None if no code that is valid fits."""
        today = utc_day(now)
        for day in range(utc_day(now - CHARGE_CODE_LIFETIME_S), today + 1):
            if self.keys.has_day(day):
                found = self.store.charges.take_consent(self._digest(code, day))
                if found is not None:
                    return found if now < found.expiry else None
        return None

    def _digest(self, code: str, day: int) -> bytes:
        return hmac_sha256(self.keys.day_key(_PURPOSE, day), code.encode())


def typed(text: str) -> str:
    """Return a code or number as the authority wrote it, from what a person typed."""
    return text.upper().translate(_MISREAD)


def _no_such_charge() -> NotFoundError:
    msg = "there is no such person under this number: somebody may have ended it"
    return NotFoundError(msg, "no-such-charge")
