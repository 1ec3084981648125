"""Backups of an authority's database: written, looked at, and put back."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.cases.followed import ContactQuery
from tracetogether.authority.oversight.restoring import (
    Carried,
    carry_over,
    current_state,
    in_use,
    keys_fit,
)
from tracetogether.authority.oversight.retention import Purge
from tracetogether.authority.service import Authority
from tracetogether.cli.authority_folder import (
    DATABASE,
    DATABASE_URL,
    KEYS,
    RESTORING,
    complete_restore,
    opened_folder,
    place_of,
)
from tracetogether.cli.folder_locks import alone_with, served_from
from tracetogether.cli.revoked_file import read_revoked
from tracetogether.errors import ClockError, KeyRingError, MissingExtraError, StoreError
from tracetogether.keyring import KeyRing
from tracetogether.whole_file import PRIVATE, read_secret, whole_file

try:
    from tracetogether.adapters.sql_store import SqlStore, backups, swapping
    from tracetogether.adapters.sql_store.databases import UnreadableError
    from tracetogether.adapters.sql_store.migrating import SCHEMA_REVISION
except ImportError:
    raise MissingExtraError("The authority's database", "server") from None

_STAGE: Final = "stage.db"
_PRESENT: Final = "present.db"


@dataclass(frozen=True, slots=True)
class Amounts:
    """How much a database holds."""

    users: int
    operators: int
    cases: int
    logs: int
    contacts: int

    @classmethod
    def of(cls, store: "SqlStore", now: float) -> "Amounts":
        """Return how much ``store`` holds."""
        counts = store.counts(now)
        _, contacts = store.desk.contacts_page(ContactQuery(limit=1))
        return cls(counts.users, counts.operators, counts.cases, counts.uploads, contacts)


NOTHING: Final = Amounts(0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a restore does, before it is done.

    Attributes:
        name: the authority's.
        schema: the backup's.
        made_at: time of the newest entry in the backup's audit log, epoch seconds; None if empty.
        before, after: how much the database holds.
        carried: what the backup does not bring back.
        unknown_users: users who come back though the present database has no such users: they
            are on no list of withdrawals.
        closed: the keys of the folder are not those that sealed the backup.
        damaged: why the present database can't be read; "" if it can.
        purged: whether the clock was confirmed, so that what is too old is not brought back.
        loses: the present database holds something that is replaced.
    """

    name: str
    schema: str
    made_at: float | None
    before: Amounts
    after: Amounts
    carried: Carried
    unknown_users: int
    closed: bool
    damaged: str
    purged: bool
    loses: bool


@dataclass(frozen=True, slots=True)
class Prepared:
    """A restore that is ready: the new database lies beside the present one."""

    folder: Path
    place: Path | str
    stage: Path
    plan: Plan
    now: float

    def commit(self) -> Path | None:
        """Put the new database in place; return under which name a damaged one was kept.

        Killed at any moment, the old database is there or the new one.

        Raises:
            StoreError: it can't be done; the old database is still there.
        """
        if isinstance(self.place, str):
            copy = self.stage.with_name(_PRESENT)
            backups.put_into_postgres(self.stage, self.place, copy if copy.exists() else None)
            return None
        try:
            aside = None
            if self.plan.damaged:
                when = datetime.fromtimestamp(self.now, UTC).strftime("%Y%m%dT%H%M%SZ")
                aside = swapping.set_aside(self.place, when)
            swapping.swap(self.stage, self.place)
        except OSError as error:
            msg = f"can't replace {self.place}: {error.strerror or error}"
            raise StoreError(msg) from None
        return aside


def back_up(folder: Path, target: Path, database: str | None = None) -> None:
    """Write a copy of the database to a new file; the keys are not part of it.

    The database may be in use, on SQLite or PostgreSQL, and of any schema that this release
    can migrate; the copy has the same schema.

    Raises:
        StoreError: there is no authority, its database is damaged, or the file can't be written.
    """
    if target.exists() and not target.is_file():  # SQLite writes neither to devices nor to pipes
        raise StoreError(f"{target} is a device or a pipe: name a file, which is then new")
    complete_restore(folder)
    place = place_of(folder, database)
    with served_from(folder), whole_file(target, mode=PRIVATE, new=True) as half:
        backups.write_copy(place, half)


@contextmanager
def prepared_restore(
    folder: Path,
    source: Path,
    now: float,
    database: str | None = None,
    *,
    clock_is_right: bool = False,
) -> Iterator[Prepared]:
    """Prepare the database that a backup makes, beside the present one, which is untouched.

    Args:
        folder: made by ``create_folder``; its keys stay as they are.
        source: a backup by this release or an earlier one.
        now: epoch seconds.
        database: URL of its PostgreSQL database, if it is not the one noted in the folder.
        clock_is_right: somebody has looked at the clock.

    Raises:
        ConflictError: the backup is another authority's.
        KeyRingError: the folder's keys can't be read, or are not those of the backup.
        StoreError: the backup is none, or can't be read; a server runs; there is no space.
    """
    if not source.is_file():
        msg = f"there is no file {source}: give one that `tracetogether authority backup` wrote"
        raise StoreError(msg)
    complete_restore(folder)
    keys = KeyRing.load(folder / KEYS)
    if not keys.has_own_key:
        keys.make_own_key()
    place: Path | str = folder / DATABASE
    if database is not None or (folder / DATABASE_URL).exists():
        place = database or read_secret(folder / DATABASE_URL).strip()
    scratch = folder / RESTORING
    with alone_with(folder):
        try:
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir(mode=0o700)
            plan = _prepare(folder, source, place, keys, now, clock_is_right=clock_is_right)
            yield Prepared(folder, place, scratch / _STAGE, plan, now)
        except OSError as error:
            msg = f"can't prepare a restore in {folder}: {error.strerror or error}"
            raise StoreError(msg) from None
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _prepare(
    folder: Path,
    source: Path,
    place: Path | str,
    keys: KeyRing,
    now: float,
    *,
    clock_is_right: bool,
) -> Plan:
    stage, present = folder / RESTORING / _STAGE, folder / RESTORING / _PRESENT
    try:
        schema = backups.write_copy(source, stage)
    except UnreadableError as error:
        msg = f"{source} is no backup, or was damaged: {error}"
        raise StoreError(msg) from None
    try:
        SqlStore.migrate(stage)
    except StoreError as error:
        msg = f"{source} can't be brought up to schema {SCHEMA_REVISION}: {error}"
        raise StoreError(msg) from None
    damaged = _copy_of_present(place, present)
    with ExitStack() as stack:
        restored = stack.enter_context(SqlStore.open(stage))
        current = stack.enter_context(SqlStore.open(present)) if present.exists() else None
        state = current_state(current, restored, now)
        fit = keys_fit(restored, keys)
        if fit is False and state is None and damaged:
            msg = (
                f"the keys of {folder} are not those of this backup: it is another authority's, "
                "or keys.txt is. Put the right keys.txt in the folder, or restore into a new one"
            )
            raise KeyRingError(msg)
        newest = [entry.time for entry, _ in restored.audit(max(restored.last_audit()[0] - 1, 0))]
        before = NOTHING if current is None else Amounts.of(current, now)
        known = set() if state is None else set(state.all_users())
        carried = carry_over(state, restored, read_revoked(folder), keys, now)
        if schema != SCHEMA_REVISION:
            _bring_under_follow_up(restored, keys, now)
        purged = _purge(restored, keys, now, clock_is_right=clock_is_right)
        return Plan(
            name=restored.name,
            schema=schema,
            made_at=newest[-1] if newest else None,
            before=before,
            after=Amounts.of(restored, now),
            carried=carried,
            unknown_users=len(set(restored.all_users()) - known) if state is not None else 0,
            closed=fit is False and state is None,
            damaged=damaged,
            purged=purged,
            loses=(current is not None and in_use(current, now))
            or (bool(damaged) and isinstance(place, str)),
        )


def _copy_of_present(place: Path | str, copy: Path) -> str:
    """Copy the present database, brought up to date; return why that can't be, or ""."""
    if (isinstance(place, Path) and not place.exists()) or (
        isinstance(place, str) and backups.is_empty(place)
    ):
        return ""
    try:
        backups.write_copy(place, copy)
        SqlStore.migrate(copy)
    except UnreadableError as error:
        copy.unlink(missing_ok=True)
        return str(error)
    return ""


def _bring_under_follow_up(store: "SqlStore", keys: KeyRing, now: float) -> None:
    """Put contacts of logs of earlier releases on the lists, as ``migrate`` does."""
    service = Authority.assemble(keys, name=store.name, store=store, save_keys=_save_nothing)
    service.finder.take_over(now)


def _purge(store: "SqlStore", keys: KeyRing, now: float, *, clock_is_right: bool) -> bool:
    """Take what is too old out of a backup; return False if the clock may be wrong.

    Keys are destroyed in memory only.
    """
    purge = Purge(keys, _save_nothing, store, Audit(store))
    try:
        if not clock_is_right:
            purge.check_clock(now)
    except ClockError:
        return False
    keys.purge(now)  # the log says that they are gone when they are, after the restore
    purge(now, clock_is_right=clock_is_right)
    return True


def _save_nothing(_: KeyRing) -> None:
    """Save nothing: nothing is destroyed before the restore is agreed to."""


def purge_after_restore(folder: Path, now: float, database: str | None = None) -> None:
    """Destroy the keys whose time is over, now that the restored database is in place.

    Raises:
        KeyRingError: the keys can't be saved.
    """
    with opened_folder(folder, database, any_keys=True) as service:
        service.purge(now, clock_is_right=True)
