"""Rows for the tests of stores."""

from tests.authority_world import DAY, NOON, NOW
from tracetogether.adapters.sql_store import SqlStore
from tracetogether.authority.access.operators import Operator, operator_digest
from tracetogether.authority.access.permissions import Role
from tracetogether.authority.cases.case import Case
from tracetogether.authority.contacts.lists import ContactList, SealedContact
from tracetogether.authority.intake.pins import UploadPin
from tracetogether.authority.intake.uploads import SealedUpload
from tracetogether.authority.service import Authority
from tracetogether.keyring import KeyRing
from tracetogether.units import SECONDS_PER_DAY

USER, OTHER = "user-one", "user-two"


def case(case_id: str, user: str = USER, opened_at: float = NOON) -> Case:
    return Case(case_id, user, 18_386, opened_at, opened_at)


def pin(user: str = USER, case_id: str = "CASE1", digest: bytes = b"digest") -> UploadPin:
    return UploadPin(user, case_id, 18_386, digest, NOON + 100)


def upload(token_id: str, case_id: str = "CASE1", at: float = NOON) -> SealedUpload:
    return SealedUpload(
        token_id, case_id, USER, at, b"wrapped", b"\x00sealed\xff" + token_id.encode()
    )


def operator(name: str, prefix: str = "t", *roles: Role) -> Operator:
    return Operator(name, frozenset(roles or Role), NOON, operator_digest(prefix + name))


def contact_list(case_id: str = "CASE1", basis: str = "within-2m", day: int = DAY) -> ContactList:
    lines = tuple(
        SealedContact(bytes([n]) * 3, n, 2, 0.1, 1 / 3, 2.5, 1.5, 0.25, 1.0, 4.0, NOON, NOON + n)
        for n in range(3)
    )
    return ContactList(case_id, basis, day, b"from", 1, 0, 30, 20, 10, {"expired_id": 10}, lines)


def served(store: SqlStore) -> Authority:
    return Authority.assemble(
        KeyRing.generate(NOW - SECONDS_PER_DAY),
        name=store.name,
        store=store,
        save_keys=lambda _: None,
    )
