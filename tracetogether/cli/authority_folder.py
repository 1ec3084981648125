"""The folder that an authority lives in: authority.db, keys.txt, operator.token."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from tracetogether.authority.issuance import new_secret
from tracetogether.authority.service import Authority
from tracetogether.errors import MissingExtraError, StoreError
from tracetogether.keyring import KeyRing
from tracetogether.parameters import BLUETRACE
from tracetogether.secret_file import create_secret

DATABASE: Final = "authority.db"
KEYS: Final = "keys.txt"
OPERATOR_TOKEN: Final = "operator.token"  # noqa: S105 - a file's name
DEFAULT_FOLDER: Final = Path("authority")
DEFAULT_NAME: Final = "SG_MOH"  # OpenTrace's organisation code for Singapore


def create_folder(folder: Path, *, now: float, name: str = DEFAULT_NAME) -> str:
    """Make a new authority in ``folder`` and return its operator token.

    The token is also in operator.token (mode 0600); elsewhere only its digest is kept.

    Raises:
        StoreError: an authority is there already, or the folder can't be written.
    """
    try:
        from tracetogether.adapters.sql_store import SqlStore  # noqa: PLC0415 - optional package
    except ImportError:
        raise MissingExtraError("The authority's database", "server") from None
    paths = [folder / one for one in (KEYS, OPERATOR_TOKEN, DATABASE)]
    for path in paths:
        if path.exists():
            msg = f"there is an authority in {folder} already ({path.name}): choose another folder"
            raise StoreError(msg)
    token = new_secret()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # From a moment ago: a batch's first window begins a minute before it is issued.
        KeyRing.generate(now - BLUETRACE.early_start_s).save(folder / KEYS)
        create_secret(folder / OPERATOR_TOKEN, f"{token}\n")
        SqlStore.create(folder / DATABASE, name=name, operator_token=token).close()
    except BaseException as error:
        for path in paths:
            with suppress(OSError):
                path.unlink()
        if isinstance(error, OSError):
            msg = f"can't make an authority in {folder}: {error.strerror}"
            raise StoreError(msg) from None
        raise
    return token


@contextmanager
def opened_folder(folder: Path) -> Iterator[Authority]:
    """Open the authority in ``folder``; its database is closed afterwards.

    Raises:
        StoreError: there is none, or its database can't be read.
        KeyRingError: its keys can't be read.
    """
    try:
        from tracetogether.adapters.sql_store import SqlStore  # noqa: PLC0415 - optional package
    except ImportError:
        raise MissingExtraError("The authority's database", "server") from None
    if not (folder / DATABASE).is_file():
        msg = f"there is no authority in {folder}: make one with `tracetogether authority init`"
        raise StoreError(msg)
    keys = KeyRing.load(folder / KEYS)
    with SqlStore.open(folder / DATABASE) as store:
        yield Authority.assemble(
            keys,
            name=store.name,
            users=store,
            cases=store,
            pins=store,
            uploads=store,
            save_keys=lambda ring: _save_keys(ring, folder / KEYS),
        )


def _save_keys(ring: KeyRing, path: Path) -> None:
    """Write the ring, unless the file has destroyed as much: never revive what another purge took.

    A server and a purge from the command line hold the same keys; each learns here what the
    other has destroyed.
    """
    on_disk = KeyRing.load(path).oldest_day or 0
    ring.destroy_before(on_disk)
    if (ring.oldest_day or 0) > on_disk:
        ring.save(path)
