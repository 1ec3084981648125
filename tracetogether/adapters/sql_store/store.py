"""The authority's store in a database: create, open, migrate and close it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tracetogether.adapters.sql_store.access import AccessTables, SignInTables
from tracetogether.adapters.sql_store.calls import CallTables
from tracetogether.adapters.sql_store.cases import CaseTables
from tracetogether.adapters.sql_store.charges import ChargeTables
from tracetogether.adapters.sql_store.databases import Database, Sqlite, database_of
from tracetogether.adapters.sql_store.declarations import DeclarationTables
from tracetogether.adapters.sql_store.desk import DeskTables
from tracetogether.adapters.sql_store.handovers import HandoverTables
from tracetogether.adapters.sql_store.intake import IntakeTables
from tracetogether.adapters.sql_store.migrating import check_empty, check_revision, migrate
from tracetogether.adapters.sql_store.open_data import OpenDataTables
from tracetogether.adapters.sql_store.oversight import OversightTables
from tracetogether.adapters.sql_store.places import PlaceTables
from tracetogether.adapters.sql_store.presence import PresenceTables
from tracetogether.adapters.sql_store.status import StatusTables
from tracetogether.adapters.sql_store.tables import SETTINGS
from tracetogether.adapters.sql_store.transactions import Transactions
from tracetogether.adapters.sql_store.wall import WallTables
from tracetogether.errors import StoreError

_NAME: Final = "authority"


class SqlStore(AccessTables, CaseTables, IntakeTables, OversightTables, WallTables):
    """Keeps everything but the keys. Threads, processes and machines (on PostgreSQL) may share it.

    Every write is one transaction. On SQLite it holds the file's only write lock from its start.
    On PostgreSQL a row that two transactions could change is changed by one statement, under the
    row's lock.
    """

    def __init__(self, database: Database, name: str) -> None:
        transactions = Transactions(database)
        super().__init__(database, transactions)
        self._name = name
        self.sign_ins = SignInTables(database, transactions)
        self.desk = DeskTables(database, transactions)
        self.calls = CallTables(database, transactions)
        self.status = StatusTables(database, transactions)
        self.charges = ChargeTables(database, transactions)
        self.places = PlaceTables(database, transactions)
        self.declarations = DeclarationTables(database, transactions)
        self.presence = PresenceTables(database, transactions)
        self.open_data = OpenDataTables(database, transactions)
        self.handing = HandoverTables(database, transactions)

    @classmethod
    def create(cls, place: Path | str, *, name: str) -> Self:
        """Make the tables of a new authority, and return its open store.

        Args:
            place: a new file (it gets mode 0600), or the URL of a PostgreSQL database.
            name: the authority's organisation code; the database keeps it.

        Raises:
            StoreError: the file exists, the database holds an authority, or it can't be written.
        """
        database: Database = Sqlite.create(place) if isinstance(place, Path) else database_of(place)
        store = cls(database, name)
        try:
            with store._transactions.writing() as connection:
                check_empty(connection, database.place)
                migrate(connection)
                connection.execute(SETTINGS.insert().values(name=_NAME, value=name))
        except BaseException:
            store.close()
            raise
        return store

    @classmethod
    def open(cls, place: Path | str) -> Self:
        """Open an authority's database, given by its file or its URL.

        Raises:
            StoreError: there is none, it belongs to another program, or has another schema.
        """
        if isinstance(place, Path) and not place.is_file():
            msg = f"there is no database {place}: `tracetogether authority init` makes one"
            raise StoreError(msg)
        database = database_of(place)
        store = cls(database, "")
        try:
            with store._transactions.reading() as connection:
                if isinstance(database, Sqlite):
                    database.check(connection)
                check_revision(connection, database.place)
            store._name = store.setting(_NAME) or ""
        except BaseException:
            store.close()
            raise
        return store

    @classmethod
    def migrate(cls, place: Path | str) -> None:
        """Migrate a database of an earlier release to the schema of this one.

        Raises:
            StoreError: it belongs to another program, or can't be written.
        """
        database = database_of(place)
        store = cls(database, "")
        try:
            with store._transactions.writing() as connection:
                if isinstance(database, Sqlite):
                    database.check(connection)
                migrate(connection)
        finally:
            store.close()

    @property
    def name(self) -> str:
        """The authority's organisation code."""
        return self._name

    def close(self) -> None:
        """Close all connections."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"SqlStore({self._database.place!r})"

    def on_revoked(self, call: Callable[[str, str], None]) -> None:
        """Call ``call`` with the kind and the subject of everything that is revoked for good.

        The call happens within the transaction; if it fails, nothing is written.
        """
        self._transactions.revoked = call

    def atomic(self) -> AbstractContextManager[None]:
        """Make all that the body writes happen together or not at all; may be nested."""
        return self._transactions.atomic()
