"""The folder of an authority: authority.db or database.url, keys.txt, operator.token."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.access.operators import Staff
from tracetogether.authority.access.permissions import ALL_ROLES, CONSOLE
from tracetogether.authority.intake.issuance import new_secret
from tracetogether.authority.intake.pins import PINS_A_DAY, PinRules
from tracetogether.authority.oversight.custody import require_keys_of, settle_keys
from tracetogether.authority.oversight.restore_plan import save_nothing
from tracetogether.authority.oversight.time_zone import TIME_ZONE, set_time_zone
from tracetogether.authority.service import Authority
from tracetogether.cli.folder_locks import exclusive_use, locked, shared_use
from tracetogether.cli.revoked_file import append_revoked
from tracetogether.errors import (
    AuthorityError,
    ClockError,
    KeyRingError,
    MissingExtraError,
    StoreError,
)
from tracetogether.keyring import KeyRing
from tracetogether.local_days import UTC_NAME, LocalDays
from tracetogether.parameters import BLUETRACE, EARLIEST_S
from tracetogether.plain_text import hidden_in
from tracetogether.units import Entropy
from tracetogether.whole_file import create_secret, new_files, read_secret

if TYPE_CHECKING:
    from tracetogether.adapters.sql_store import SqlStore

DATABASE: Final = "authority.db"
DATABASE_URL: Final = "database.url"
KEYS: Final = "keys.txt"
RESTORING: Final = ".restoring"
"""A folder in which a restore prepares the new database."""
OPERATOR_TOKEN: Final = "operator.token"  # noqa: S105 - a file's name
FIRST_OPERATOR: Final = "operator"
DEFAULT_FOLDER: Final = Path("authority")
DEFAULT_NAME: Final = "SG_MOH"  # OpenTrace's organisation code for Singapore


def create_folder(
    folder: Path,
    *,
    now: float,
    name: str = DEFAULT_NAME,
    database: str | None = None,
    time_zone: str = UTC_NAME,
    entropy: Entropy = os.urandom,
) -> str:
    """Make a new authority in ``folder`` and return its first operator's token.

    The token is stored in operator.token (mode 0600); the database has only its digest. That
    operator has all roles.

    Args:
        folder: where keys and token go, and the database unless ``database`` says otherwise.
        now: epoch seconds.
        name: organisation code.
        database: URL of an empty PostgreSQL database; kept in the folder (it may hold a password).
        time_zone: IANA name; follow-up and dates use its days.
        entropy: source of the keys; another one is for demonstrations only.

    Raises:
        AuthorityError: there is no such time zone, or the name is blank or has control characters.
        ClockError: the clock shows a time before this software existed.
        StoreError: the folder has an authority already, others can enter the folder, or folder or
            database can't be written.
    """
    days = LocalDays.named(time_zone)
    if not name.strip() or hidden_in(name):
        msg = "an organisation code is one line of plain text, such as SG_MOH: check --name"
        raise AuthorityError(msg)
    store_kind = _sql_store()
    token = new_secret()
    with new_files(folder, (KEYS, OPERATOR_TOKEN, DATABASE, DATABASE_URL), "an authority"):
        if now < EARLIEST_S:
            shown = datetime.fromtimestamp(now, UTC).date()
            msg = f"this machine's clock shows {shown}: correct it before you make an authority"
            raise ClockError(msg)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _close_to_others(folder)
        keys = new_keys(now, entropy=entropy)
        keys.save(folder / KEYS)
        create_secret(folder / OPERATOR_TOKEN, f"{token}\n")
        if database is not None:
            create_secret(folder / DATABASE_URL, f"{database}\n")
        with store_kind.create(database or folder / DATABASE, name=name) as store, store.atomic():
            audit = Audit(store)
            settle_keys(keys, store, save_nothing)
            store.put_setting(TIME_ZONE, days.name)
            audit.record("authority.made", now, by="console", name=name)
            Staff(store, audit).add(FIRST_OPERATOR, ALL_ROLES, token, now, by=CONSOLE)
    return token


def new_keys(now: float, *, entropy: Entropy = os.urandom) -> KeyRing:
    """Return new keys that start in the past, as the first window of a batch does."""
    first = now - BLUETRACE.early_start_s - BLUETRACE.validity_s
    return KeyRing.generate(first, entropy=entropy)


def _close_to_others(folder: Path) -> None:
    """Close an empty folder to other users.

    Raises:
        StoreError: others can enter the folder, and it is not empty, so closing it may be wrong.
    """
    mode = folder.stat().st_mode
    if os.name != "posix" or not mode & 0o077:
        return
    if any(folder.iterdir()):
        msg = (
            f"others can enter {folder} (mode {mode & 0o777:o}), and it is not empty: choose a new "
            f"folder, or chmod 700 {folder}"
        )
        raise StoreError(msg)
    folder.chmod(0o700)


@contextmanager
def opened_folder(
    folder: Path,
    database: str | None = None,
    *,
    entropy: Entropy = os.urandom,
    any_keys: bool = False,
) -> Iterator[Authority]:
    """Open the authority in ``folder``, and close its database afterwards.

    Args:
        folder: made by ``create_folder``.
        database: URL of its PostgreSQL database, if it is not the one noted in the folder.
        entropy: source of ids and secrets; another one is for demonstrations only.
        any_keys: open it even if the keys are not those of the database.

    Raises:
        StoreError: there is no authority, or its database can't be read.
        KeyRingError: its keys can't be read, or are not those of the database.
    """
    store_kind = _sql_store()
    complete_restore(folder)
    place = database_address(folder, database)
    keys = _keys_of(folder)
    with shared_use(folder), store_kind.open(place) as store:
        store.on_revoked(lambda kind, subject: append_revoked(folder, kind, subject))
        settle_keys(keys, store, lambda ring: ring.save(folder / KEYS))
        if not any_keys:
            require_keys_of(store, keys, time.time())
        yield Authority.assemble(
            keys,
            name=store.name,
            store=store,
            save_keys=lambda ring: save_keys(ring, folder / KEYS),
            entropy=entropy,
        )


def _keys_of(folder: Path) -> KeyRing:
    path = folder / KEYS
    if not path.exists():
        msg = (
            f"there is no {path}: copy keys.txt from another machine of this authority; if it is "
            "lost for good, `tracetogether authority keys replace` makes new keys"
        )
        raise KeyRingError(msg)
    return KeyRing.load(path)


def complete_restore(folder: Path) -> None:
    """Complete or remove what a killed restore left in ``folder``.

    Raises:
        StoreError: the restore is still running.
    """
    from tracetogether.adapters.sql_store import swapping  # noqa: PLC0415 - optional package

    database = folder / DATABASE
    if swapping.pending(database).exists() or (folder / RESTORING).exists():
        with exclusive_use(folder):
            swapping.finish_swap(database)
            shutil.rmtree(folder / RESTORING, ignore_errors=True)


def database_address(folder: Path, database: str | None = None) -> Path | str:
    """Return where the database of the authority in ``folder`` is: its file or its URL.

    Raises:
        StoreError: there is no authority, or the file with the URL can be read by others.
    """
    if database is not None:
        return database
    if (folder / DATABASE_URL).is_file():
        return read_secret(folder / DATABASE_URL).strip()
    if not (folder / DATABASE).is_file():
        msg = (
            f"there is no authority in the folder {folder}: name its folder (most commands: "
            "--dir DIR; serve and purge: DIR), or make one with `tracetogether authority init`"
        )
        raise StoreError(msg)
    return folder / DATABASE


def save_keys(ring: KeyRing, path: Path) -> None:
    """Write the ring, merged with the file, so that keys which others destroyed stay destroyed.

    Several servers and the command line use the same key file. Each takes over here which keys the
    others have destroyed, rotated and quarantined.
    """
    with locked(path.parent):
        on_disk = KeyRing.load(path)
        ring.adopt(on_disk)
        if not ring.same_as(on_disk) or not on_disk.checked:
            ring.save(path)


@contextmanager
def _bare_store(folder: Path) -> Iterator["SqlStore"]:
    """Open the database without the service, which can't be assembled with wrong settings."""
    store_kind = _sql_store()
    complete_restore(folder)
    place = database_address(folder)
    with shared_use(folder), store_kind.open(place) as store:
        yield store


def allow_pins(folder: Path, a_day: int, now: float) -> None:
    """Set the maximum number of upload PINs per UTC day; servers use it after a restart.

    Raises:
        AuthorityError: PINs could be guessed too easily; nothing was changed.
        StoreError: there is no authority, or its database can't be written.
    """
    rules = PinRules(a_day)
    with _bare_store(folder) as store, store.atomic():
        store.put_setting(PINS_A_DAY, str(rules.a_day))
        Audit(store).record("limits.changed", now, by=CONSOLE.name, pins_a_day=a_day)


def change_time_zone(folder: Path, name: str, now: float) -> int:
    """Set the time zone; return the number of contacts whose last day of follow-up moved.

    Raises:
        AuthorityError: there is no such time zone; nothing was changed.
        StoreError: there is no authority, or its database can't be written.
    """
    with _bare_store(folder) as store:
        return set_time_zone(
            name,
            now,
            keys=_keys_of(folder),
            store=store,
            audit=Audit(store),
            by=CONSOLE.name,
        )


def migrate_folder(
    folder: Path,
    now: float,
    database: str | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> int:
    """Migrate the database to this release's schema; return how many contacts are new.

    Contacts of logs that an earlier release received are put under follow-up.

    Args:
        folder: made by ``create_folder``.
        now: epoch seconds.
        database: URL of its PostgreSQL database, if it is not the one noted in the folder.
        on_progress: called with the number of finished cases and of all cases.

    Raises:
        StoreError: there is no authority, or its database can't be written.
        KeyRingError: its keys can't be read.
    """
    store_kind = _sql_store()
    complete_restore(folder)
    place = database_address(folder, database)
    with shared_use(folder):
        store_kind.migrate(place)
    with opened_folder(folder, database) as service:
        if service.store.last_audit()[0] == 0:  # the audit log starts here, and bounds the clock
            service.audit.record("authority.migrated", now, by=CONSOLE.name)
        return service.finder.take_over(now, on_progress)[1]


def _sql_store() -> "type[SqlStore]":
    try:
        from tracetogether.adapters.sql_store import SqlStore  # noqa: PLC0415 - optional package
    except ImportError:
        raise MissingExtraError("The authority's database", "server") from None
    return SqlStore
