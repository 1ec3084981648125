"""Phones by credential, operators by token, nobody else."""

from collections.abc import Callable

import pytest

from tests.authority_world import DAY, NOON, OPERATOR_TOKEN, World
from tests.conftest import counted_entropy
from tests.fresh_stores import fresh_store
from tracetogether.adapters.sql_store import SqlStore
from tracetogether.authority.access import credentials
from tracetogether.authority.access.credentials import Access, credential_digest
from tracetogether.authority.access.operators import Operator, operator_digest
from tracetogether.authority.access.permissions import (
    ALL_ROLES,
    CONSOLE,
    PERMISSIONS,
    Action,
    Caller,
)
from tracetogether.authority.cases.case import CaseQuery
from tracetogether.authority.cases.followed import ContactQuery, Outcome
from tracetogether.authority.desk.exports import ANONYMOUS
from tracetogether.errors import AccessDeniedError
from tracetogether.units import Entropy

REFUSED = [None, "", " ", "wrong", "x" * 513, "x" * 100_000, "\x00", "é"]


def test_a_phone_is_known_by_its_credential(entropy: Entropy) -> None:
    world = World.of(entropy)
    one, other = (world.authority.issuance.register() for _ in range(2))
    assert world.authority.access.phone(one.credential) == one.user_id
    assert world.authority.access.phone(other.credential) == other.user_id


@pytest.mark.parametrize("secret", REFUSED)
def test_others_are_refused(entropy: Entropy, secret: str | None) -> None:
    world = World.of(entropy)
    world.authority.issuance.register()
    with pytest.raises(AccessDeniedError, match="registration credential"):
        world.authority.access.phone(secret)
    with pytest.raises(AccessDeniedError, match="operator token"):
        world.authority.access.operator(secret)


def test_an_operator_is_known_by_the_token(entropy: Entropy) -> None:
    world = World.of(entropy)
    world.authority.access.operator(OPERATOR_TOKEN)
    for near in (OPERATOR_TOKEN[:-1], OPERATOR_TOKEN + "x", OPERATOR_TOKEN.upper()):
        with pytest.raises(AccessDeniedError):
            world.authority.access.operator(near)


def test_a_credential_is_no_operator_token_and_a_token_no_credential(entropy: Entropy) -> None:
    world = World.of(entropy)
    phone = world.authority.issuance.register()
    with pytest.raises(AccessDeniedError):
        world.authority.access.operator(phone.credential)
    with pytest.raises(AccessDeniedError):
        world.authority.access.phone(OPERATOR_TOKEN)
    assert credential_digest("same") != operator_digest("same")


def store_with(*tokens: str, disabled: bool = False) -> SqlStore:
    store = fresh_store()
    for number, token in enumerate(tokens):
        digest = operator_digest(token)
        store.add_operator(Operator(f"op{number}", ALL_ROLES, 0.0, digest, disabled))
    return store


def test_without_operators_everybody_is_refused() -> None:
    store = fresh_store()
    for token in (*REFUSED, OPERATOR_TOKEN):
        with pytest.raises(AccessDeniedError):
            Access(store).operator(token)


def test_a_disabled_operator_is_refused() -> None:
    store = store_with("token", disabled=True)
    with pytest.raises(AccessDeniedError):
        Access(store).operator("token")


def test_an_empty_secret_is_refused_even_if_its_digest_is_kept() -> None:
    store = store_with("")
    store.add_user("nobody", credential_digest(""))
    for secret in (None, "", "x" * 513):
        with pytest.raises(AccessDeniedError):
            Access(store).operator(secret)
        with pytest.raises(AccessDeniedError):
            Access(store).phone(secret)


@pytest.mark.parametrize("token", ["first", "second", "none of them"])
def test_every_kept_digest_is_compared_in_constant_time(
    monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    compared = []

    def counted(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return one == other

    monkeypatch.setattr(credentials, "equal", counted)
    store = store_with("first", "second")
    try:
        Access(store).operator(token)
    except AccessDeniedError:
        assert token == "none of them"
    assert len(compared) == 2


def test_the_service_itself_asks_the_permissions() -> None:
    world = World.of(counted_entropy(77))
    authority, near = world.authority, world.user()
    case = authority.casework.open_case(world.user(), NOON, by=CONSOLE)
    world.take(case, world.heard(near, NOON - 3600, 45, rssi_dbm=-45), NOON)
    authority.finder.refresh(case, NOON)
    (contact,) = authority.desk.page(ContactQuery(), by=CONSOLE).contacts
    name, case_id, contact_id = contact.pseudonym, case.case_id, contact.kept.contact_id
    desk, calls, merging = authority.desk, authority.follow_up, authority.merging
    acts: dict[Action, list[Callable[[Caller], object]]] = {
        Action.LIST_CASES: [lambda by: authority.casework.page(CaseQuery(), NOON, by=by)],
        Action.OPEN_CASE: [lambda by: authority.casework.open_case(near, NOON, by=by)],
        Action.ISSUE_PIN: [lambda by: authority.pins.issue(case, NOON, by=by)],
        Action.LIST_CONTACTS: [
            lambda by: authority.graphs.second_degree(case, by=by),
            lambda by: desk.links(case, NOON, by=by),
        ],
        Action.SHOW_GRAPH: [lambda by: authority.graphs.graph(by=by)],
        Action.ASSIGN_CASE: [lambda by: authority.casework.assign(case_id, "", NOON, by=by)],
        Action.CHANGE_CASE_STATE: [
            lambda by: authority.casework.close(case_id, NOON, by=by),
            lambda by: authority.casework.reopen(case_id, NOON, by=by),
        ],
        Action.MERGE_CASES: [lambda by: merging.merge_cases(case_id, "x", NOON, by=by)],
        Action.READ_NOTES: [lambda by: desk.notes_on(case_id, by=by)],
        Action.WRITE_NOTE: [lambda by: calls.note(case_id, "x", NOON, by=by)],
        Action.SHOW_DASHBOARD: [lambda by: desk.dashboard(NOON, by=by)],
        Action.LIST_FOLLOWED: [
            lambda by: desk.page(ContactQuery(), by=by),
            lambda by: desk.due(NOON, by=by),
            lambda by: desk.contact(contact_id, by=by),
            lambda by: desk.calendar(contact_id, by=by),
        ],
        Action.RECORD_CALL: [
            lambda by: calls.reach(contact_id, NOON, by=by),
            lambda by: calls.record(contact_id, DAY, Outcome.SYMPTOMS, NOON, by=by),
            lambda by: calls.call_anyway(contact_id, NOON, by=by),
        ],
        Action.REVEAL: [
            lambda by: calls.reveal(contact_id, "why", NOON, by=by),
            lambda by: authority.tracing.reveal(case, name, "why", NOON, by=by),
        ],
        Action.DESCRIBE: [lambda by: calls.describe(contact_id, "A", "", NOON, by=by)],
        Action.MERGE_CONTACTS: [lambda by: merging.merge(contact_id, "x", NOON, by=by)],
        Action.CONVERT_CONTACT: [lambda by: merging.convert(contact_id, NOON, by=by)],
        Action.EXPORT: [lambda by: authority.exports.rows(ANONYMOUS, "csv", NOON, by=by)],
        Action.ADD_OPERATOR: [
            lambda by: authority.staff.add("friend", frozenset(), "token", NOON, by=by)
        ],
        Action.DISABLE_OPERATOR: [lambda by: authority.staff.disable("operator", NOON, by=by)],
    }
    before = authority.audit.verify(by=CONSOLE)
    for action, tries in acts.items():
        denied = Caller("somebody", ALL_ROLES - PERMISSIONS[action])
        for act in tries:
            with pytest.raises(AccessDeniedError, match="your roles do not allow this"):
                act(denied)
    assert authority.audit.verify(by=CONSOLE) == before
