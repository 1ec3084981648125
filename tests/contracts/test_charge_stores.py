"""Charges and their codes, on SQLite and PostgreSQL; two phones' processes at once."""

import threading

import pytest

from tests.authority_world import NOON
from tests.store_rows import OTHER, USER, served
from tracetogether.adapters.sql_store import SqlStore
from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.oversight.store import AuthorityStore
from tracetogether.authority.status.charges import Charge, KeptConsent
from tracetogether.errors import ConflictError
from tracetogether.parameters import CHARGES_OF_A_PHONE


def test_a_code_is_taken_once(store: AuthorityStore) -> None:
    code = KeptConsent(b"digest", "NUMBER", 18_386, NOON + 60)
    assert store.charges.add_consent(code)
    assert not store.charges.add_consent(code)
    assert store.charges.take_consent(b"other") is None
    assert store.charges.take_consent(b"digest") == code
    assert store.charges.take_consent(b"digest") is None


def test_codes_are_dropped_by_number_and_by_time(store: AuthorityStore) -> None:
    for number in range(3):
        code = KeptConsent(bytes([number]), str(number), 18_386, NOON + number)
        assert store.charges.add_consent(code)
    assert store.charges.drop_consent("2") == 1
    assert store.charges.drop_consents(NOON) == 1
    assert store.charges.drop_consents(NOON + 60) == 1


def test_charges_go_with_the_person_and_with_the_phone(filled: AuthorityStore) -> None:
    assert filled.add_user("mother", b"m")
    assert filled.add_user("father", b"f")
    charges = [Charge("A", "mother", USER, NOON), Charge("B", "father", USER, NOON + 1)]
    assert all(map(filled.charges.add_charge, charges))
    assert not filled.charges.add_charge(Charge("C", "mother", OTHER, NOON))  # one phone each
    assert filled.charges.of(USER) == charges
    assert filled.charges.of(OTHER) == []
    assert filled.remove_user("mother")
    assert filled.charges.of(USER) == charges[1:]
    assert filled.remove_user(USER)
    assert not filled.charges.drop_charge("B")
    assert filled.has_user("father")


@pytest.mark.slow
def test_seven_codes_at_the_same_time_make_six_charges(sql: SqlStore) -> None:
    authority = served(sql)
    guardian = authority.issuance.register().user_id
    count = CHARGES_OF_A_PHONE + 1
    codes = [authority.charges.consent(NOON, by=CONSOLE).code for _ in range(count)]
    refused: list[str] = []

    def add(code: str) -> None:
        try:
            authority.charges.add(guardian, code, NOON)
        except ConflictError:
            refused.append(code)

    threads = [threading.Thread(target=add, args=(code,)) for code in codes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 1
    assert len(authority.charges.of(guardian)) == CHARGES_OF_A_PHONE
