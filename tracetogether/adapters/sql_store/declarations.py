"""Sealed declarations in a table, and all that decides on a person's passes in one statement."""

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from tracetogether.adapters.sql_store.rows import RowFormat, TableAccess
from tracetogether.adapters.sql_store.tables import CASES, DECLARATIONS, FOLLOWED, SETTINGS
from tracetogether.authority.cases.case import OPEN_STATES
from tracetogether.authority.cases.followed import ACTIVE
from tracetogether.authority.status.declarations import SealedDeclaration
from tracetogether.authority.status.facts import FactsKept

_DECLARATION: Final = RowFormat(DECLARATIONS, SealedDeclaration)
_OPEN: Final = sorted(state.value for state in OPEN_STATES)
_ACTIVE: Final = sorted(state.value for state in ACTIVE)
_USER: Final = sa.bindparam("user", type_=sa.Text)


def _statement() -> sa.Select[Any]:
    """Return the statement of ``facts_kept``; it is made once, because making it takes long."""
    tags = sa.bindparam("tags", type_=sa.LargeBinary, expanding=True)
    own = DECLARATIONS.c.user_id == _USER
    case = sa.select(sa.func.max(CASES.c.day)).where(
        CASES.c.user_id == _USER, CASES.c.state.in_(_OPEN), CASES.c.unconfirmed.is_(False)
    )
    contact = sa.select(sa.func.max(FOLLOWED.c.last_s)).where(
        FOLLOWED.c.tag.in_(tags), FOLLOWED.c.close_contact, FOLLOWED.c.state.in_(_ACTIVE)
    )
    settings = [
        sa.select(SETTINGS.c.value).where(SETTINGS.c.name == sa.bindparam(name, type_=sa.Text))
        for name in ("policy", "retired")
    ]
    declared = [
        sa.select(column).where(own) for column in (DECLARATIONS.c.day, DECLARATIONS.c.sealed)
    ]
    columns = (case, contact, *declared, *settings)
    return sa.select(*(column.scalar_subquery() for column in columns))


_FACTS: Final = _statement()


class DeclarationTables(TableAccess):
    """``status.declarations.DeclarationStore`` in SQL."""

    def put_declaration(self, declaration: SealedDeclaration) -> None:
        """Store a declaration; it replaces the user's earlier one."""
        self._put(DECLARATIONS, _DECLARATION.values(declaration))

    def declaration(self, user_id: str) -> SealedDeclaration | None:
        """Return a user's latest declaration, or None."""
        row = self._first(DECLARATIONS.select().where(DECLARATIONS.c.user_id == user_id))
        return None if row is None else _DECLARATION.item(row)

    def facts_kept(
        self, user_id: str, tags: Sequence[bytes], settings: tuple[str, str]
    ) -> FactsKept:
        """Return what is stored about a user, and two settings."""
        with self._transactions.reading() as connection:
            asked = {"user": user_id, "tags": tags, "policy": settings[0], "retired": settings[1]}
            found = connection.execute(_FACTS, asked).one()
        case_day, contact_at, day, sealed, policy, retired = found
        kept = None if day is None else SealedDeclaration(user_id, day, sealed)
        return FactsKept(case_day, contact_at, kept, policy, retired)

    def drop_declarations(self, before_day: int) -> int:
        """Delete declarations of days before that one; return how many."""
        return self._drop(DECLARATIONS, DECLARATIONS.c.day < before_day)
