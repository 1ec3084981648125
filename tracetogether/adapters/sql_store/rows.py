"""What all that keep rows have: a database, its transactions, and rows put in and taken out."""

import sqlalchemy as sa

from tracetogether.adapters.sql_store.databases import Database
from tracetogether.adapters.sql_store.transactions import Transactions


class Rows:
    """Some tables of the database, written to in the store's transactions."""

    def __init__(self, database: Database, transactions: Transactions) -> None:
        self._database = database
        self._transactions = transactions

    def _changed(self, change: sa.Update) -> bool:
        with self._transactions.writing() as connection:
            return connection.execute(change).rowcount == 1

    def _added(self, table: sa.Table, **values: object) -> bool:
        row = self._database.insert(table).values(**values)
        with self._transactions.writing() as connection:
            first = next(iter(table.primary_key))
            added = row.on_conflict_do_nothing().returning(first)
            return connection.execute(added).first() is not None

    def _drop(self, table: sa.Table, which: sa.ColumnElement[bool]) -> int:
        with self._transactions.writing() as connection:
            gone = connection.execute(table.delete().where(which)).rowcount
            self._transactions.settle_after(gone)
            return gone
