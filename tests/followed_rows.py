"""Puts many cases and followed contacts into a store, without uploads."""

from dataclasses import replace

from tests.authority_world import DAY, NOON
from tracetogether.authority.cases.case import Case, CaseState
from tracetogether.authority.cases.followed import (
    ContactState,
    KeptContact,
    Priority,
    person_key,
    sealed_person,
)
from tracetogether.authority.oversight.store import AuthorityStore
from tracetogether.keyring import KeyRing
from tracetogether.units import SECONDS_PER_DAY, Entropy

STATES = tuple(ContactState)


def contact_row(
    number: int, case_id: str, keys: KeyRing, entropy: Entropy, state: ContactState | None = None
) -> KeptContact:
    """Return a contact of a case; its state, priority and times follow from its number."""
    contact_id = f"P{number:09d}"
    person, tag = sealed_person(f"person-{number}", contact_id, DAY, keys, entropy)
    state = STATES[number % len(STATES)] if state is None else state
    found = NOON - (number % 10) * SECONDS_PER_DAY
    return KeptContact(
        contact_id=contact_id,
        case_id=case_id,
        day=DAY,
        person=person,
        tag=tag,
        who=person_key(f"person-{number}", keys),
        state=state,
        priority=Priority(number % 3 + 1),
        reasons=("close_contact", "long"),
        close_contact=state is not ContactState.CASUAL,
        days=number % 5 + 1,
        minutes_low=1.0,
        minutes=20.0 + number % 40,
        minutes_high=90.0,
        minutes_24h=18.5,
        probability=(number % 101) / 100,
        nearest_m=0.5 + number % 7 / 4,
        seen_by="case",
        first_s=found - 5 * SECONDS_PER_DAY,
        last_s=found - SECONDS_PER_DAY,
        found_at=found,
        until_day=DAY + number % 14,
        traced_at=found + (number % 3) * 0.75 * SECONDS_PER_DAY if number % 2 else None,
        last_day=DAY - number % 3,
    )


def fill(
    store: AuthorityStore, keys: KeyRing, entropy: Entropy, *, cases: int, contacts: int
) -> None:
    """Put cases and contacts into a store, the contacts dealt out evenly."""
    with store.atomic():
        for number in range(cases):
            assert store.add_user(f"user-{number}", number.to_bytes(4, "big"))
            case = Case(f"C{number:09d}", f"user-{number}", DAY, NOON - number, NOON - number)
            states = (CaseState.OPEN, CaseState.TRACING, CaseState.CLOSED)
            assigned = ("ravi", "siti", "")[number % 3]
            assert store.add_case(replace(case, state=states[number % 3], assigned_to=assigned))
        for first in range(0, contacts, 10_000):
            numbers = range(first, min(first + 10_000, contacts))
            store.desk.put_contacts(
                [contact_row(number, f"C{number % cases:09d}", keys, entropy) for number in numbers]
            )
