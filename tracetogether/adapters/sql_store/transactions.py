"""Transactions: one for each write, or one for several writes that belong together."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import sqlalchemy as sa

from tracetogether.adapters.sql_store.databases import BUSY, Database, store_error
from tracetogether.errors import BusyError, InvalidRequestError

WAITING_WRITERS: Final = 16
"""The most threads that wait for a database that stays locked; a server has 40 threads."""
_STUCK_S: Final = 2.0
_LONGEST_WAIT_S: Final = 30.0
_LOOK_EVERY_S: Final = 0.1


class _Turns:
    """Limits how many threads write at once, so that waiting writers leave threads to readers.

    Args:
        at_once: the most threads that write at the same time.
        place: name of the database in error messages.
    """

    def __init__(self, at_once: int, place: str) -> None:
        self._free = threading.Semaphore(at_once)
        self._place = place
        self._count = threading.Lock()
        self._waiting = 0
        self._moved_at = time.monotonic()

    @contextmanager
    def taken(self, *, wait: bool) -> Iterator[None]:
        """Run the body when it is this thread's turn to write.

        Raises:
            StoreError: the turn does not come at once (without ``wait``), or takes too long.
        """
        if not self._free.acquire(blocking=False):
            self._wait(_LONGEST_WAIT_S if wait else 0.0)
        try:
            self._moved_at = time.monotonic()
            yield
        finally:
            self._free.release()

    def _wait(self, longest_s: float) -> None:
        until = time.monotonic() + longest_s
        with self._count:
            self._waiting += 1
        try:
            while not self._free.acquire(timeout=min(_LOOK_EVERY_S, longest_s)):
                now = time.monotonic()
                stuck = now - self._moved_at > _STUCK_S and self._waiting > WAITING_WRITERS
                if now >= until or stuck:
                    msg = f"{self._place} can't be written (locked): {BUSY}"
                    raise BusyError(msg)
        finally:
            with self._count:
                self._waiting -= 1


class _OpenHere(threading.local):
    """The transaction that this thread has open."""

    connection: sa.Connection | None = None
    dropped: bool = False


def _ignore(kind: str, subject: str) -> None:
    """Do nothing about what is revoked."""


class Transactions:
    """Begins and ends transactions; a statement of a thread joins the transaction it has open.

    Attributes:
        revoked: called within a transaction that revokes something for good, with its kind
            (withdrawn, disabled, password, roles, retired, partner, kept-back) and its subject; if
            it fails, nothing is written.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._here = _OpenHere()
        self._turns = _Turns(database.writers_at_once, database.place)
        self.revoked: Callable[[str, str], None] = _ignore

    @contextmanager
    def atomic(self) -> Iterator[None]:
        """Make all that the body writes happen together or not at all."""
        with self.writing():
            yield

    @contextmanager
    def writing(
        self, *, relaxed_durability: bool = False, wait: bool = True
    ) -> Iterator[sa.Connection]:
        """Yield a connection to write with.

        Args:
            relaxed_durability: the commit is faster, but a power cut may undo it.
            wait: wait while others write; without it, a write that can't be done at once fails.
        """
        with self._named_errors("written"):
            if self._here.connection is not None:
                yield self._here.connection
                return
            try:
                self._here.dropped = False
                engine = self._database.engine
                if relaxed_durability:
                    engine = self._database.relaxed_durability
                if not wait:
                    engine = self._database.no_wait
                with self._turns.taken(wait=wait), engine.begin() as connection:
                    self._here.connection = connection
                    yield connection
            finally:
                self._here.connection = None
            if self._here.dropped:
                self._database.settle()

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Yield a connection to read with; inside a transaction it sees what that has written."""
        with self._named_errors("read"):
            if self._here.connection is not None:
                yield self._here.connection
                return
            with self._database.engine.connect() as connection:
                yield connection.execution_options(tracetogether_begin="BEGIN")

    @property
    def within(self) -> bool:
        """Whether this thread has a transaction open."""
        return self._here.connection is not None

    def settle_after(self, gone: int) -> None:
        """Note that the open transaction deleted rows, of which no file may keep a trace."""
        self._here.dropped = self._here.dropped or gone > 0

    @contextmanager
    def _named_errors(self, done: str) -> Iterator[None]:
        try:
            yield
        except sa.exc.SQLAlchemyError as error:
            if isinstance(error, sa.exc.DataError):
                # PostgreSQL can't store NUL in a text. Every entrance refuses it; this is the last.
                msg = "a text or number can't be stored: remove NUL characters from it"
                raise InvalidRequestError(msg, "nul-character") from None
            raise store_error(error, f"{self._database.place} can't be {done}") from None
