"""Phones by credential, operators by token, nobody else."""

import pytest

from tests.authority_world import OPERATOR_TOKEN, World
from tests.fresh_stores import fresh_store
from tracetogether.adapters.sql_store import SqlStore
from tracetogether.authority.access import credentials
from tracetogether.authority.access.credentials import Access, credential_digest
from tracetogether.authority.access.operators import Operator, operator_digest
from tracetogether.authority.access.permissions import (
    ALL_ROLES,
)
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
