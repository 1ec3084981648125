"""A stored contact under follow-up: figures and states in clear, the person encrypted."""

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final

from tracetogether.authority.contacts.lines import Contact, pseudonym
from tracetogether.crypto import IV_BYTES, hmac_sha256
from tracetogether.errors import KeyRingError, SealError, StaleError
from tracetogether.keyring import KeyRing
from tracetogether.parameters import FOLLOW_UP, CloseContactPolicy
from tracetogether.units import SECONDS_PER_HOUR, Entropy, utc_day

_PERSON: Final = "followed-person"
_TAG: Final = "followed-tag"
_INDEX: Final = "followed-index"
_TAG_BYTES: Final = 16
_FROM_NOON_S: Final = 13 * SECONDS_PER_HOUR  # half of a day of 25 hours, and a little


class ContactState(Enum):
    """The state of the work on a contact."""

    CASUAL = "casual"  # near, but no close contact: not called
    TO_TRACE = "to_trace"  # waits for the first call
    REACHED = "reached"  # informed; the daily calls begin
    IN_FOLLOW_UP = "in_follow_up"  # called every day
    LOST = "lost"  # could not be reached for days in a row, or at all
    ENDED = "ended"  # refused, in hospital, died, or moved: the last outcome says which
    COMPLETED = "completed"  # the last day of follow-up has passed
    BECAME_CASE = "became_case"
    MERGED = "merged"  # the same person as another contact


ACTIVE: Final = frozenset({ContactState.TO_TRACE, ContactState.REACHED, ContactState.IN_FOLLOW_UP})
"""Whom somebody is to call."""
CALLED_TOGETHER: Final = ACTIVE | {ContactState.LOST, ContactState.ENDED}
"""Lines that take the outcome of a call to the same person for another case."""
TRACED_STATES: Final = frozenset(ContactState) - {ContactState.CASUAL, ContactState.MERGED}
"""What the indicators count: everybody who was to be traced, once."""


class Outcome(Enum):
    """What a day's call found; one for each day."""

    NO_SYMPTOMS = "no_symptoms"
    SYMPTOMS = "symptoms"
    NOT_REACHED = "not_reached"
    WRONG_NUMBER = "wrong_number"  # somebody else answers there, or nobody has the number
    CALL_BACK = "call_back"  # answered, and asked to be called at another time
    REFUSED = "refused"  # answered, and wants no more calls
    IN_HOSPITAL = "in_hospital"
    DIED = "died"
    MOVED = "moved"  # another authority follows the person up from now on


REACHING: Final = frozenset(
    {Outcome.NO_SYMPTOMS, Outcome.SYMPTOMS, Outcome.REFUSED, Outcome.IN_HOSPITAL}
)
"""Outcomes that say that the person was informed."""
MISSING: Final = frozenset({Outcome.NOT_REACHED, Outcome.WRONG_NUMBER})
"""Outcomes that count as a day on which nobody was reached."""
ENDING: Final = frozenset({Outcome.REFUSED, Outcome.IN_HOSPITAL, Outcome.DIED, Outcome.MOVED})
"""Outcomes after which nobody calls any more, unless a later outcome says otherwise."""
TRY_AGAIN: Final = frozenset({Outcome.NOT_REACHED, Outcome.WRONG_NUMBER, Outcome.CALL_BACK})
"""Outcomes after which the person may be called again on the same day."""


class Priority(Enum):
    """Whom to call first; 1 comes first."""

    HIGH = 1
    MEDIUM = 2
    LOW = 3

    @property
    def word(self) -> str:
        """How it is written: high, medium, low."""
        return self.name.lower()


def priority_of(contact: Contact, policy: CloseContactPolicy) -> tuple[Priority, tuple[str, ...]]:
    """Return how urgent a contact is, and why.

    High: a close contact for twice the policy's minutes in a day, or on three days or more,
    or as near as a metre. Medium: any other close contact. Low: the rest. Reasons are codes:
    ``close_contact``, ``long``, ``several_days``, ``very_near``, ``brief``.
    """
    if not contact.close_contact:
        return Priority.LOW, ("brief",)
    reasons = ["close_contact"]
    if contact.minutes_24h >= 2 * policy.minutes:
        reasons.append("long")
    if len(contact.days) >= FOLLOW_UP.several_days:
        reasons.append("several_days")
    if contact.nearest_m.median <= FOLLOW_UP.very_near_m:
        reasons.append("very_near")
    return (Priority.HIGH if len(reasons) > 1 else Priority.MEDIUM), tuple(reasons)


@dataclass(frozen=True, slots=True)
class KeptContact:
    """One person near one case, and the outcome of the calls.

    Attributes:
        contact_id: random, ten characters; another one in each case.
        case_id: the case.
        day: UTC day whose key seals the person; the row is deleted with the uploads of that day.
        person: IV, then the user id, sealed.
        tag: digest of the user id, keyed with the day's key; finds one person in several cases.
        who: digest of the user id, keyed with the authority's own key: the same in every case of
            whatever day, so that the lines of one person can be listed as one.
        state, priority, reasons: see there.
        close_contact: whether the policy says so.
        days: on how many days they met.
        minutes_low, minutes, minutes_high: minutes within the policy's radius.
        minutes_24h: median minutes in the 24 hours with the most of them.
        probability: of a close contact under the policy.
        nearest_m: the smallest distance.
        seen_by: whose phone recorded it: "case", "contact" or "both".
        first_s, last_s: noon of the days of the first and the last encounter, epoch seconds; the
            times themselves are sealed with the person: ``with_times``.
        found_at: when the log arrived that named the contact.
        until_day: last day of follow-up, 14 days after the last encounter.
        traced_at: when the person was first reached; None before.
        last_day: latest day that has an outcome; -1 before.
        missed: days in a row, up to the latest, on which nobody was reached.
        symptoms: whether any day's outcome was symptoms.
        followed_all: whether the person was reached on every day from the first to the last.
        ended_at: when follow-up ended, for whatever reason; None before.
        became_case: id of the case that the contact became, or "".
        merged_into: id of the contact that is the same person, or "".
        particulars: IV, then name, telephone number and language as JSON, sealed; b"" if there
            are none.
        version: counts changes by people and of the state; a form sends the version that it shows.
        call_at: when the next call was agreed on, epoch seconds; None for any time.
        by_pseudonym, by_name, by_phone: digests under the day's key, by which a search finds the
            person; b"" if there is nothing to find.
        by_language: digest of the language's code under the day's key, by which lists are
            filtered; b"" if none is stored.
    """

    contact_id: str
    case_id: str
    day: int
    person: bytes = field(repr=False)
    tag: bytes = field(repr=False)
    who: bytes = field(repr=False)
    state: ContactState
    priority: Priority
    reasons: tuple[str, ...]
    close_contact: bool
    days: int
    minutes_low: float
    minutes: float
    minutes_high: float
    minutes_24h: float
    probability: float
    nearest_m: float
    seen_by: str
    first_s: float
    last_s: float
    found_at: float
    until_day: int
    traced_at: float | None = None
    last_day: int = -1
    missed: int = 0
    symptoms: bool = False
    followed_all: bool = False
    ended_at: float | None = None
    became_case: str = ""
    merged_into: str = ""
    particulars: bytes = field(default=b"", repr=False)
    version: int = 1
    call_at: float | None = None
    by_pseudonym: bytes = field(default=b"", repr=False)
    by_name: bytes = field(default=b"", repr=False)
    by_phone: bytes = field(default=b"", repr=False)
    by_language: bytes = field(default=b"", repr=False)

    @property
    def urgency(self) -> float:
        """What lists are ordered by, the smallest first: priority, then probability."""
        return self.priority.value - self.probability

    def due(self, day: int) -> bool:
        """Return whether somebody is to call on that day."""
        return self.state in ACTIVE and self.last_day < day <= self.until_day


@dataclass(frozen=True, slots=True)
class DayOutcome:
    """One day of a contact's calendar; ``outcome`` is None while nobody has written one down."""

    day: int
    outcome: Outcome | None
    by: str = ""
    at: float | None = None


ALL_ROWS: Final = 2**31 - 1
"""The limit of a query for a whole list."""


@dataclass(frozen=True, slots=True)
class ContactQuery:
    """Which contacts a list shows, and which page of it.

    Attributes:
        case_id: of one case only.
        states: of these states only; all if empty.
        priorities: of these only; all if empty.
        assigned_to: of cases assigned to this operator; None for all.
        due_on: only those to be called on this day.
        offset, limit: the page.
    """

    case_id: str | None = None
    states: frozenset[ContactState] = frozenset()
    priorities: frozenset[Priority] = frozenset()
    assigned_to: str | None = None
    due_on: int | None = None
    offset: int = 0
    limit: int = 50


def check_version(stored: int, seen: int | None) -> None:
    """Return if a change is based on the stored version; None is based on any.

    Raises:
        StaleError: somebody changed it meanwhile.
    """
    if seen is not None and seen != stored:
        msg = (
            "somebody changed this, and it has version {version} now: read it, and send your "
            "change with that version"
        )
        raise StaleError(msg, version=stored)


def sealed_person(
    user_id: str,
    contact_id: str,
    day: int,
    keys: KeyRing,
    entropy: Entropy,
    *,
    first_s: float | None = None,
    last_s: float | None = None,
) -> tuple[bytes, bytes]:
    """Return a person and the encounter times, sealed, and the tag to find the person by.

    Raises:
        KeyRingError: the key of ``day`` was destroyed.
    """
    iv = entropy(IV_BYTES)
    said = user_id if first_s is None else f"{user_id} {first_s!r} {last_s!r}"
    sealed = keys.aead(_PERSON, day).seal(iv, said.encode(), contact_id.encode())
    return iv + sealed, person_tag(user_id, day, keys)


def opened_person(kept: KeptContact, keys: KeyRing) -> str | None:
    """Return the user id of a contact; None if the key of the day is destroyed."""
    return person_in(kept.person, kept.contact_id, kept.day, keys)


def person_in(sealed: bytes, contact_id: str, day: int, keys: KeyRing) -> str | None:
    """Return the user id that is sealed for a contact; None if the key of ``day`` is destroyed."""
    said = _said(sealed, contact_id, day, keys)
    return said[0] if said else None


def with_times(kept: KeptContact, keys: KeyRing) -> KeptContact:
    """Return a contact with the times that are sealed, as far as they can be opened.

    A contact that another one was merged into keeps noon of that one's days where they lie
    further out. Earlier releases sealed no times.
    """
    said = _said(kept.person, kept.contact_id, kept.day, keys)
    if len(said) < 3:
        return kept
    first, last = map(float, said[1:])
    return replace(
        kept,
        first_s=first if abs(first - kept.first_s) <= _FROM_NOON_S else kept.first_s,
        last_s=last if abs(last - kept.last_s) <= _FROM_NOON_S else kept.last_s,
    )


def _said(person: bytes, contact_id: str, day: int, keys: KeyRing) -> list[str]:
    iv, sealed = person[:IV_BYTES], person[IV_BYTES:]
    try:
        opened = keys.aead(_PERSON, day).open(iv, sealed, contact_id.encode())
    except (KeyRingError, SealError):
        return []
    return opened.decode().split(" ")


def person_tag(user_id: str, day: int, keys: KeyRing) -> bytes:
    """Return the digest of a user id, keyed with a day's key."""
    return hmac_sha256(keys.day_key(_TAG, day), user_id.encode())[:_TAG_BYTES]


def person_key(user_id: str, keys: KeyRing) -> bytes:
    """Return the digest of a user id that is the same on every day.

    Raises:
        KeyRingError: the ring lacks the authority's own key.
    """
    return hmac_sha256(keys.own_key(_INDEX), user_id.encode())[:_TAG_BYTES]


def person_tags(user_id: str, now: float, keys: KeyRing) -> list[bytes]:
    """Return the tags of a person on every day whose key exists, up to the day of ``now``."""
    days = [day.day for day in keys.known_days(utc_day(now))]
    return [person_tag(user_id, day, keys) for day in days]


def name_in_lists(kept: KeptContact, keys: KeyRing) -> str:
    """Return the pseudonym of a contact, "" if the key of the day is destroyed."""
    user_id = opened_person(kept, keys)
    return "" if user_id is None else pseudonym(user_id, keys.naming_key)
