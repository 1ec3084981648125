"""What all parts of the store share: rows as dataclasses, and statements in transactions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from enum import Enum
from operator import itemgetter
from typing import Any, Generic, TypeVar

import sqlalchemy as sa

from tracetogether.adapters.sql_store.databases import Database, parts_of
from tracetogether.adapters.sql_store.transactions import Transactions

_Item = TypeVar("_Item")


class RowFormat(Generic[_Item]):
    """Turns rows of a table into objects of a dataclass, and back, by the names of columns.

    The column of a field has the field's name, or that name and ``_s`` for a time in epoch
    seconds. The order of columns does not matter. Enum members are stored by their values.

    Args:
        table: the table.
        kind: the dataclass.
        read: field -> function that turns a column's value into the field's.
        write: field -> function that turns a field's value into the column's.
        without: fields that have no column.

    Raises:
        KeyError: a field has no column.
    """

    def __init__(
        self,
        table: sa.Table,
        kind: type[_Item],
        *,
        read: Mapping[str, Callable[[Any], Any]] | None = None,
        write: Mapping[str, Callable[[Any], Any]] | None = None,
        without: Sequence[str] = (),
    ) -> None:
        dataclass: Any = kind
        names = [field.name for field in fields(dataclass) if field.name not in without]
        found = [table.c[name if name in table.c else f"{name}_s"] for name in names]
        self.columns = dict(zip(names, [column.name for column in found], strict=True))
        self._values_of = itemgetter(*self.columns.values())
        self._kind = kind
        self._read = dict(read or {})
        self._write = dict(write or {})

    def item(self, row: sa.RowMapping, **others: object) -> _Item:
        """Return the object that a row holds; ``others`` are fields without a column."""
        values = dict(zip(self.columns, self._values_of(row), strict=True))
        for name, read in self._read.items():
            values[name] = read(values[name])
        return self._kind(**values, **others)

    def values(self, item: _Item) -> dict[str, Any]:
        """Return the values of a row by the names of columns."""
        found: dict[str, Any] = {}
        for name, column in self.columns.items():
            value = getattr(item, name)
            if name in self._write:
                value = self._write[name](value)
            found[column] = value.value if isinstance(value, Enum) else value
        return found


class TableAccess:
    """Some tables of the database; each statement is a transaction, or joins the open one."""

    def __init__(self, database: Database, transactions: Transactions) -> None:
        self._database = database
        self._transactions = transactions

    def _all(self, wanted: sa.Select[Any]) -> Sequence[sa.RowMapping]:
        with self._transactions.reading() as connection:
            return connection.execute(wanted).mappings().all()

    def _all_in(
        self, wanted: sa.Select[Any], column: sa.Column[Any], values: Sequence[Any]
    ) -> list[sa.RowMapping]:
        """Return the rows whose ``column`` is one of ``values``, however many there are."""
        with self._transactions.reading() as connection:
            return [
                row
                for part in parts_of(values)
                for row in connection.execute(wanted.where(column.in_(part))).mappings()
            ]

    def _first(self, wanted: sa.Select[Any]) -> sa.RowMapping | None:
        with self._transactions.reading() as connection:
            return connection.execute(wanted).mappings().first()

    def _changed(self, change: sa.Update) -> bool:
        """Return whether the change found its row."""
        with self._transactions.writing() as connection:
            return connection.execute(change).rowcount == 1

    def _added(self, table: sa.Table, values: Mapping[str, Any]) -> bool:
        """Insert a row; return False if one with the same key, or unique value, is there."""
        row = self._database.insert(table).values(**values)
        with self._transactions.writing() as connection:
            first = next(iter(table.primary_key))
            added = row.on_conflict_do_nothing().returning(first)
            return connection.execute(added).first() is not None

    def _put(self, table: sa.Table, values: Mapping[str, Any]) -> None:
        """Insert a row, or replace the values of the one with the same key."""
        key = [column.name for column in table.primary_key]
        row = self._database.insert(table).values(**values)
        changed = {name: value for name, value in values.items() if name not in key}
        with self._transactions.writing() as connection:
            connection.execute(row.on_conflict_do_update(index_elements=key, set_=changed))

    def _delete(self, table: sa.Table, which: sa.ColumnElement[bool]) -> int:
        """Delete rows; return how many."""
        with self._transactions.writing() as connection:
            return connection.execute(table.delete().where(which)).rowcount

    def _drop(self, table: sa.Table, which: sa.ColumnElement[bool]) -> int:
        """Delete rows, and leave nothing of them in any file; return how many."""
        with self._transactions.writing():
            gone = self._delete(table, which)
            self._transactions.settle_after(gone)
            return gone
