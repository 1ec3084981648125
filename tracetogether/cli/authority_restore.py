"""Back up an authority's database, and prepare and commit a restore."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tracetogether.authority.oversight.restore_plan import (
    RestorePlan,
    prepare_restore,
    save_nothing,
)
from tracetogether.authority.service import Authority
from tracetogether.cli.authority_folder import (
    DATABASE,
    DATABASE_URL,
    KEYS,
    RESTORING,
    complete_restore,
    database_address,
    opened_folder,
)
from tracetogether.cli.folder_locks import exclusive_use, shared_use
from tracetogether.cli.revoked_file import read_revoked
from tracetogether.errors import MissingExtraError, StoreError
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
class Prepared:
    """A restore that is ready: the new database is a file beside the present one."""

    folder: Path
    place: Path | str
    stage: Path
    plan: RestorePlan
    now: float

    def commit(self) -> Path | None:
        """Put the new database in place; return the new path of a damaged one.

        If the process is killed at any moment, either the old or the new database is in place.

        Raises:
            StoreError: this failed, and the old database is still in place.
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
        raise StoreError(f"{target} is a device or a pipe: name a new file")
    complete_restore(folder)
    place = database_address(folder, database)
    with shared_use(folder), whole_file(target, mode=PRIVATE, new=True) as half:
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
    """Prepare the restored database beside the present one, which is not changed.

    Args:
        folder: made by ``create_folder``; its keys stay as they are.
        source: a backup by this release or an earlier one.
        now: epoch seconds.
        database: URL of its PostgreSQL database, if it is not the one noted in the folder.
        clock_is_right: an operator has checked the clock.

    Raises:
        ConflictError: the backup is another authority's.
        KeyRingError: the folder's keys can't be read, or are not those of the backup.
        StoreError: the file is not a backup or can't be read; a server runs; the disk is full.
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
    with exclusive_use(folder):
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
) -> RestorePlan:
    stage, present = folder / RESTORING / _STAGE, folder / RESTORING / _PRESENT
    try:
        schema = backups.write_copy(source, stage)
    except UnreadableError:  # its message advises to restore a backup
        msg = f"{source} is not a backup, or is damaged: give another backup"
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
        return prepare_restore(
            current,
            restored,
            read_revoked(folder),
            keys,
            now,
            schema=schema,
            damaged=damaged,
            overwrites=isinstance(place, str),
            clock_is_right=clock_is_right,
            follow_up=None
            if schema == SCHEMA_REVISION
            else lambda: _service(restored, keys).finder.take_over(now),
        )


def _service(store: SqlStore, keys: KeyRing) -> Authority:
    return Authority.assemble(keys, name=store.name, store=store, save_keys=save_nothing)


def _copy_of_present(place: Path | str, copy: Path) -> str:
    """Copy the present database and migrate the copy; return why that failed, or ""."""
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


def purge_after_restore(folder: Path, now: float, database: str | None = None) -> None:
    """Destroy expired keys, after the restored database is in place.

    Raises:
        KeyRingError: the keys can't be saved.
    """
    with opened_folder(folder, database, any_keys=True) as service:
        service.purge(now, clock_is_right=True)
