"""Sealed declarations in a table."""

from typing import Final

from tracetogether.adapters.sql_store.rows import RowFormat, TableAccess
from tracetogether.adapters.sql_store.tables import DECLARATIONS
from tracetogether.authority.status.declarations import SealedDeclaration

_DECLARATION: Final = RowFormat(DECLARATIONS, SealedDeclaration)


class DeclarationTables(TableAccess):
    """``status.declarations.DeclarationStore`` in SQL."""

    def put_declaration(self, declaration: SealedDeclaration) -> None:
        """Store a declaration; it replaces the user's earlier one."""
        self._put(DECLARATIONS, _DECLARATION.values(declaration))

    def declaration(self, user_id: str) -> SealedDeclaration | None:
        """Return a user's latest declaration, or None."""
        row = self._first(DECLARATIONS.select().where(DECLARATIONS.c.user_id == user_id))
        return None if row is None else _DECLARATION.item(row)

    def drop_declarations(self, before_day: int) -> int:
        """Delete declarations of days before that one; return how many."""
        return self._drop(DECLARATIONS, DECLARATIONS.c.day < before_day)
