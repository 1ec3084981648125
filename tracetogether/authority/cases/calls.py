"""Calls as values: whom a list shows, a caller's shift, reservations of people, drafts."""

import json
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Final

from tracetogether.authority.cases.followed import ContactState
from tracetogether.crypto import IV_BYTES
from tracetogether.errors import KeyRingError, SealError
from tracetogether.keyring import KeyRing
from tracetogether.units import SECONDS_PER_HOUR, SECONDS_PER_MINUTE, Entropy, utc_day

SHIFT_S: Final = 10 * SECONDS_PER_HOUR
"""How long a shift's reason holds; a sign-in lasts as long at most."""
RESERVED_S: Final = 20 * SECONDS_PER_MINUTE
"""How long a person is reserved for the one who took the call; a kept draft starts it again."""
_PURPOSE: Final = "call-draft"


@dataclass(frozen=True, slots=True)
class PeopleQuery:
    """Which people a list shows, and which page of it.

    Attributes:
        due_on: only those to be called on this day; None for all who are followed.
        case_id: only those near this case.
        states: only those with a line in one of these states; all if empty.
        assigned_to: only those near a case that is assigned to this operator ("" for nobody).
        without_number: only those without a stored telephone number.
        language: only those who speak it, by its code; "und" for those whose language is not
            stored.
        offset, limit: the page.
    """

    due_on: int | None = None
    case_id: str | None = None
    states: frozenset[ContactState] = frozenset()
    assigned_to: str | None = None
    without_number: bool = False
    language: str | None = None
    offset: int = 0
    limit: int = 50


class ShiftReason(Enum):
    """Why an operator reveals people during a shift."""

    DAILY_CALLS = "daily_calls"  # to call those who are due
    FIRST_CALLS = "first_calls"  # to inform new contacts
    RINGING_BACK = "ringing_back"  # to answer those who ring
    CORRECTIONS = "corrections"  # to complete names and numbers


@dataclass(frozen=True, slots=True)
class CallShift:
    """One operator's shift.

    Attributes:
        operator: name.
        reason: the reason that the audit log gets with each reveal of this shift.
        begun_at, until: epoch seconds.
    """

    operator: str
    reason: ShiftReason
    begun_at: float
    until: float


@dataclass(frozen=True, slots=True)
class Reservation:
    """A person whom one operator calls now.

    Attributes:
        who: ``KeptContact.who``.
        operator: name.
        until: epoch seconds; later the person is free again.
    """

    who: bytes = field(repr=False)
    operator: str
    until: float


@dataclass(frozen=True, slots=True)
class Draft:
    """What an operator has typed during a call and not saved yet: texts as they are in the form."""

    outcome: str = ""
    note: str = field(default="", repr=False)
    next_day: str = ""
    next_time: str = ""
    name: str = field(default="", repr=False)
    phone: str = field(default="", repr=False)
    language: str = ""

    def __bool__(self) -> bool:
        """Return whether anything was typed."""
        return any(getattr(self, part.name) for part in fields(self))


@dataclass(frozen=True, slots=True)
class SealedDraft:
    """A draft as it is kept.

    Attributes:
        operator: who typed it.
        who: about whom.
        day: UTC day whose key seals it.
        at: epoch seconds.
        sealed: IV, then the draft as JSON.
    """

    operator: str
    who: bytes = field(repr=False)
    day: int
    at: float
    sealed: bytes = field(repr=False)

    @classmethod
    def of(
        cls, draft: Draft, operator: str, who: bytes, now: float, keys: KeyRing, entropy: Entropy
    ) -> "SealedDraft":
        """Seal a draft under the key of the day."""
        day, iv = utc_day(now), entropy(IV_BYTES)
        said = [getattr(draft, part.name) for part in fields(draft)]
        aead = keys.aead(_PURPOSE, day)
        sealed = iv + aead.seal(iv, json.dumps(said).encode(), operator.encode() + who)
        return cls(operator, who, day, now, sealed)

    def opened(self, keys: KeyRing) -> Draft:
        """Return the draft; an empty one if the key of its day is gone."""
        iv, sealed = self.sealed[:IV_BYTES], self.sealed[IV_BYTES:]
        try:
            text = keys.aead(_PURPOSE, self.day).open(iv, sealed, self.operator.encode() + self.who)
        except (KeyRingError, SealError):
            return Draft()
        return Draft(*json.loads(text))
