"""Authorities that tests back up, damage and restore: their folders and all rows."""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from click.testing import CliRunner, Result

from tests.authority_world import NOON, heard
from tracetogether.adapters.sql_store.databases import database_of
from tracetogether.adapters.sql_store.tables import METADATA
from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.cases.case import Case
from tracetogether.authority.service import Authority
from tracetogether.bluetrace.upload import write_upload
from tracetogether.cli.authority import authority
from tracetogether.cli.authority_folder import create_folder, database_address, opened_folder
from tracetogether.crypto import sha256

KEPT = (
    *("users", "cases", "uploads", "contact_lists", "contacts"),
    *("followed", "outcomes", "notes", "passwords", "operators", "case_people"),
)
"""Tables whose rows a restore gives back one by one."""


def command(*words: str) -> Result:
    """Run a command of the authority's that ends well."""
    result = CliRunner().invoke(authority, words)
    assert result.exit_code == 0, (result.output, result.exception)
    return result


@dataclass
class RestoredDesk:
    """An authority's folder, on SQLite or on PostgreSQL.

    Attributes:
        folder: where it is.
        url: of its PostgreSQL database; None for SQLite.
    """

    folder: Path
    url: str | None = None

    def make(self, now: float = NOON, name: str = "SG_MOH") -> "RestoredDesk":
        """Make the authority, as ``init`` does."""
        create_folder(self.folder, now=now, name=name, database=self.url)
        return self

    def run(self, *words: str) -> Result:
        """Run a command on it."""
        return CliRunner().invoke(authority, [*words, "--dir", str(self.folder)])

    def ran(self, *words: str) -> Result:
        """Run a command that ends well."""
        return command(*words, "--dir", str(self.folder))

    def rows(self, tables: Sequence[str] = KEPT) -> dict[str, list[tuple[Any, ...]]]:
        """Return all rows of some tables, sorted."""
        database = database_of(database_address(self.folder))
        try:
            with database.engine.connect() as connection:
                return {
                    name: sorted(
                        tuple(row) for row in connection.execute(METADATA.tables[name].select())
                    )
                    for name in tables
                }
        finally:
            database.close()

    def execute(self, *statements: str) -> None:
        """Change the database behind the authority's back."""
        database = database_of(database_address(self.folder))
        try:
            with database.engine.begin() as connection:
                for statement in statements:
                    connection.execute(sa.text(statement))
        finally:
            database.close()

    def work(self, done: Callable[[Authority], Any]) -> Any:
        """Do something with the opened authority."""
        with opened_folder(self.folder) as service:
            return done(service)


def traced(service: Authority, now: float = NOON) -> tuple[Case, str]:
    """Register two people, let one upload a log of the other; return the case and the other."""
    patient, near = (service.issuance.register().user_id for _ in range(2))
    case = service.casework.open_case(patient, now, by=CONSOLE)
    pin = service.pins.issue(case, now, by=CONSOLE)
    body = write_upload(heard(service, near, now - 3_600, 20, rssi_dbm=-45))
    token = service.intake.redeem_pin(patient, pin, sha256(body), now)
    service.intake.take_upload(token, body, now)
    service.tracing.contacts(case, by=CONSOLE)
    service.finder.take_over(now)
    service.case_people.describe(case.case_id, "Lee", "+65 6555 0000", now, by=CONSOLE)
    return case, near


class Clock:
    """The time that commands see."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


def spoilt(path: Path, how: str) -> None:
    """Damage a database file."""
    whole = path.read_bytes()
    for ending in ("-wal", "-shm"):
        Path(f"{path}{ending}").unlink(missing_ok=True)
    match how:
        case "garbage":
            path.write_bytes(bytes(index % 251 for index in range(9_000)))
        case "empty":
            path.write_bytes(b"")
        case "cut off":
            path.write_bytes(whole[: len(whole) // 2])
        case "half written":
            path.write_bytes(whole[:8_192] + bytes(len(whole) - 8_192))
        case "a page":  # of contacts: nothing else is read to look at what the file is
            found = sqlite3.connect(path)
            (page,) = found.execute(
                "SELECT rootpage FROM sqlite_master WHERE name = 'contacts'"
            ).fetchone()
            found.close()
            start = (page - 1) * 4_096
            path.write_bytes(whole[:start] + bytes(4_096) + whole[start + 4_096 :])
        case "missing":
            path.unlink()
        case "another program's":
            path.unlink()
            other = sqlite3.connect(path)
            other.execute("CREATE TABLE theirs (x)")
            other.close()
