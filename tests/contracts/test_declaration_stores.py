"""Declarations, and the facts that decide on passes, on SQLite and PostgreSQL."""

from dataclasses import replace

import pytest

from tests.authority_world import DAY, NOON
from tests.followed_rows import contact_row
from tests.store_rows import OTHER, USER
from tracetogether.authority.cases.case import CaseState
from tracetogether.authority.cases.followed import ContactState
from tracetogether.authority.oversight.store import AuthorityStore
from tracetogether.authority.status.declarations import SealedDeclaration
from tracetogether.authority.status.facts import FactsKept
from tracetogether.keyring import KeyRing
from tracetogether.units import Entropy

NAMES = ("status_policy", "pass_kids_retired")


def facts(store: AuthorityStore, user: str = USER, *tags: bytes) -> FactsKept:
    return store.declarations.facts_kept(user, tags, NAMES)


def test_a_later_declaration_replaces_an_earlier_one(filled: AuthorityStore) -> None:
    for day in (DAY, DAY + 1):
        filled.declarations.put_declaration(SealedDeclaration(USER, day, b"\x00%d" % day))
    kept = filled.declarations.declaration(USER)
    assert kept == SealedDeclaration(USER, DAY + 1, b"\x00%d" % (DAY + 1))
    assert facts(filled).declaration == kept
    assert filled.declarations.drop_declarations(DAY + 1) == 0
    assert filled.declarations.drop_declarations(DAY + 2) == 1
    assert filled.declarations.declaration(USER) is None


def test_the_facts_of_a_person_without_any_are_empty(filled: AuthorityStore) -> None:
    assert facts(filled, "nobody") == FactsKept(None, None, None, None, None)


def test_settings_come_with_the_facts(filled: AuthorityStore) -> None:
    filled.put_setting(NAMES[0], "policy")
    filled.put_setting(NAMES[1], "kids")
    found = facts(filled, "nobody")
    assert (found.policy, found.retired) == ("policy", "kids")


@pytest.mark.parametrize(
    ("state", "unconfirmed", "counts"),
    [
        (CaseState.OPEN, False, True),
        (CaseState.TRACING, False, True),
        (CaseState.OPEN, True, False),
        (CaseState.CLOSED, False, False),
        (CaseState.MERGED, False, False),
    ],
)
def test_open_and_confirmed_cases_count(
    filled: AuthorityStore, state: CaseState, *, unconfirmed: bool, counts: bool
) -> None:
    (case, *others) = filled.desk.open_cases_of(USER)
    assert others == []
    filled.desk.put_case(replace(case, state=state, unconfirmed=unconfirmed))
    assert facts(filled).case_day == (case.day if counts else None)
    assert facts(filled, OTHER).case_day in {None, case.day}


def test_close_contacts_under_follow_up_count_by_their_tags(
    filled: AuthorityStore, entropy: Entropy
) -> None:
    keys = KeyRing.generate(NOON - 86_400, entropy=entropy)
    (case,) = filled.desk.open_cases_of(USER)
    rows = [
        replace(contact_row(n, case.case_id, keys, entropy, state), close_contact=close)
        for n, (state, close) in enumerate(
            [
                (ContactState.TO_TRACE, True),
                (ContactState.REACHED, True),
                (ContactState.CASUAL, False),
                (ContactState.COMPLETED, True),
                (ContactState.IN_FOLLOW_UP, False),
            ]
        )
    ]
    filled.desk.put_contacts(rows)
    found = [facts(filled, "nobody", row.tag).contact_at for row in rows]
    assert found == [rows[0].last_s, rows[1].last_s, None, None, None]
    latest = facts(filled, "nobody", *(row.tag for row in rows)).contact_at
    assert latest == max(rows[0].last_s, rows[1].last_s)
