"""Contact lists as they are kept: numbers in columns, people sealed under the day's key."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

import msgspec

from tracetogether.authority.contacts.lines import Contact, ContactDay, pseudonym
from tracetogether.crypto import IV_BYTES
from tracetogether.errors import SealError
from tracetogether.keyring import KeyRing
from tracetogether.local_days import UTC_DAYS
from tracetogether.units import Entropy, Interval

_PURPOSE: Final = "contact"


@dataclass(frozen=True, slots=True)
class SealedContact:
    """A line of a kept list: how many days, encounters and minutes; the rest is sealed.

    Attributes:
        person: IV, then who it is, the days one by one, and when they met first and last, sealed
            under the key of the list's day.
        first_s, last_s: noon of those UTC days.
    """

    person: bytes = field(repr=False)
    days: int
    encounters: int
    minutes_low: float
    minutes: float
    minutes_high: float
    minutes_24h: float
    nearest_low_m: float
    nearest_m: float
    nearest_high_m: float
    first_s: float
    last_s: float


@dataclass(frozen=True, slots=True)
class _Person:
    """What is sealed of a line."""

    user_id: str
    days: tuple[ContactDay, ...]
    busiest_24h: Interval
    courses_24h: tuple[float, ...]
    seen_by: str
    first_s: float = 0.0
    last_s: float = 0.0


@dataclass(frozen=True, slots=True)
class ContactList:
    """A case's contacts on one basis, and what they were found from.

    Attributes:
        day: UTC day of the latest upload; its key seals the people, and goes when it goes.
        found_from: digest of all that the list depends on.
    """

    case_id: str
    basis: str
    day: int
    found_from: bytes
    uploads: int
    unreadable_uploads: int
    records: int
    accepted: int
    in_span: int
    rejected: Mapping[str, int]
    contacts: tuple[SealedContact, ...] = field(repr=False)


class ListStore(Protocol):
    """Where contact lists are kept."""

    def put_contact_list(self, found: ContactList) -> None:
        """Keep a list in place of the one of the same case and basis."""
        ...

    def contact_list(self, case_id: str, basis: str) -> ContactList | None:
        """Return a list."""
        ...


def sealed_contacts(
    contacts: Iterable[Contact], case_id: str, day: int, keys: KeyRing, entropy: Entropy
) -> tuple[SealedContact, ...]:
    """Return contacts as they are kept.

    Raises:
        KeyRingError: the key of ``day`` was destroyed.
    """
    aead = keys.aead(_PURPOSE, day)
    lines = []
    for contact in contacts:
        iv = entropy(IV_BYTES)
        said = msgspec.json.encode(
            _Person(
                *(
                    contact.user_id,
                    contact.days,
                    contact.busiest_24h,
                    contact.courses_24h,
                    contact.seen_by,
                ),
                *(contact.first_s, contact.last_s),
            )
        )
        lines.append(
            SealedContact(
                person=iv + aead.seal(iv, said, case_id.encode()),
                days=len(contact.days),
                encounters=contact.encounters,
                minutes_low=contact.minutes.low,
                minutes=contact.minutes.median,
                minutes_high=contact.minutes.high,
                minutes_24h=contact.minutes_24h,
                nearest_low_m=contact.nearest_m.low,
                nearest_m=contact.nearest_m.median,
                nearest_high_m=contact.nearest_m.high,
                first_s=UTC_DAYS.noon(contact.first_s),
                last_s=UTC_DAYS.noon(contact.last_s),
            )
        )
    return tuple(lines)


def opened_contacts(kept: ContactList, keys: KeyRing) -> tuple[Contact, ...]:
    """Return the contacts of a kept list, none judged close yet.

    Raises:
        KeyRingError: the key of its day was destroyed.
        SealError: what is kept was changed, or written by another version.
    """
    aead = keys.aead(_PURPOSE, kept.day)
    contacts = []
    for line in kept.contacts:
        iv, sealed = line.person[:IV_BYTES], line.person[IV_BYTES:]
        person = _person(aead.open(iv, sealed, kept.case_id.encode()))
        contacts.append(
            Contact(
                pseudonym=pseudonym(person.user_id, keys.naming_key),
                user_id=person.user_id,
                days=person.days,
                encounters=line.encounters,
                minutes=Interval(line.minutes_low, line.minutes, line.minutes_high),
                busiest_24h=person.busiest_24h,
                courses_24h=person.courses_24h,
                nearest_m=Interval(line.nearest_low_m, line.nearest_m, line.nearest_high_m),
                first_s=person.first_s or line.first_s,  # earlier releases did not seal it
                last_s=person.last_s or line.last_s,
                seen_by=person.seen_by,
            )
        )
    return tuple(contacts)


def _person(said: bytes) -> _Person:
    try:
        return msgspec.json.decode(said, type=_Person)
    except msgspec.MsgspecError:
        msg = "a stored contact list was written by another version"
        raise SealError(msg) from None
