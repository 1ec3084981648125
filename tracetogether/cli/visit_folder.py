"""What a phone keeps of visits, in the folder of its node: visits.db, phone.trips, phone.trust."""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import click

from tracetogether.adapters.http_client import AuthorityClient
from tracetogether.adapters.sqlite_log import SqliteVisitLog
from tracetogether.cli.folder_locks import locked
from tracetogether.cli.node_folder import DEFAULT_FOLDER, SETTINGS, NodeSettings
from tracetogether.cli.options import FOLDER
from tracetogether.crypto import VerifyingKey
from tracetogether.errors import StoreError, TraceTogetherError, TrustError
from tracetogether.presence.trip_notes import TripNotes
from tracetogether.signed.trust import TRUST, WARNINGS, TrustList
from tracetogether.whole_file import read_secret, replace_secret

VISITS: Final = "visits.db"
TRIPS: Final = "phone.trips"
PHONE_TRUST: Final = "phone.trust"
_Read = TypeVar("_Read")

in_folder = click.option(
    "--dir",
    "folder",
    type=FOLDER,
    metavar="DIR",
    default=DEFAULT_FOLDER,
    help="Folder of the phone.  [default: ./node]",
)


@contextmanager
def opened_visits(folder: Path, now: float) -> Iterator[SqliteVisitLog]:
    """Yield the visits in ``folder``, which is made if it is missing.

    Raises:
        StoreError: the file is damaged, or can't be written.
    """
    _made(folder)
    with SqliteVisitLog.open(folder / VISITS, now=now) as log:
        yield log


def load_trips(folder: Path) -> TripNotes:
    """Return the noted trips; none if there is no file yet.

    Raises:
        StoreError: the file is damaged, or others can read it.
    """
    path = folder / TRIPS
    if not path.exists():
        return TripNotes()
    try:
        given = json.loads(read_secret(path))
    except ValueError:
        given = None
    return TripNotes.from_json(given)


def change_trips(folder: Path, change: Callable[[TripNotes], TripNotes]) -> TripNotes:
    """Change the noted trips, whole or not at all, and return them.

    Raises:
        StoreError: the file is damaged, or can't be written.
    """
    _made(folder)
    with locked(folder):
        notes = change(load_trips(folder))
        replace_secret(folder / TRIPS, json.dumps(notes.to_json()))
    return notes


@contextmanager
def opened_authority(
    folder: Path, server: str | None, *, allow_plain_http: bool
) -> Iterator[AuthorityClient]:
    """Yield a client of the authority that names no phone: what it asks for is the same for all.

    Args:
        folder: of the node.
        server: the authority's address; None takes the node's.
        allow_plain_http: ask without encryption; what is answered is signed all the same.

    Raises:
        click.UsageError: no address is known.
    """
    if server is None:
        if not (folder / SETTINGS).exists():
            msg = (
                f"the folder {folder} has no node, so no authority is known: name it with "
                "--server URL"
            )
            raise click.UsageError(msg)
        settings = NodeSettings.load(folder)
        server, allow_plain_http = settings.server, settings.allow_plain_http
    with AuthorityClient(
        server, timeout_s=10.0, retries=0, allow_plain_http=allow_plain_http
    ) as client:
        yield client


@dataclass(frozen=True, slots=True)
class PhoneTrust:
    """Whose warnings a phone believes.

    Attributes:
        key: the authority's key for lists, noted when the phone first asked.
        warners: those keys of its last trust list that may warn.
    """

    key: VerifyingKey
    warners: TrustList

    @classmethod
    def load(cls, folder: Path) -> "PhoneTrust | None":
        """Return what was stored; None if nothing was.

        Raises:
            StoreError: the file is damaged, or others can read it.
        """
        path = folder / PHONE_TRUST
        if not path.exists():
            return None
        try:
            given = json.loads(read_secret(path))
            key = VerifyingKey.from_der(b64decode(given["key"]))
            return cls(key, _warners(TrustList.read(b64decode(given["trust"]), key)))
        except (ValueError, TypeError, KeyError, TraceTogetherError):
            msg = f"{path} is damaged: remove it, and compare the key that the next check notes"
            raise StoreError(msg) from None

    @classmethod
    def fetch(cls, folder: Path, client: AuthorityClient, key: VerifyingKey | None) -> "PhoneTrust":
        """Fetch the trust list, store it and return it.

        Args:
            folder: where it is stored.
            client: asks the authority.
            key: the authority's key for lists; None notes the one that the list shows.

        Raises:
            UnreachableError: the authority does not answer.
            UnreadableMessageError, TrustError: the list is damaged, or another key signed it.
        """
        data = client.fetch_trust_list()
        if key is None:
            rows = [row.key for row in TrustList.read(data).keys if TRUST in row.purposes]
            key = rows[0]
        found = cls(key, _warners(TrustList.read(data, key)))
        _made(folder)
        written = {"key": b64encode(key.to_der()).decode(), "trust": b64encode(data).decode()}
        replace_secret(folder / PHONE_TRUST, json.dumps(written))
        return found


def read_by_trust(
    folder: Path, client: AuthorityClient, read: Callable[[TrustList], _Read]
) -> _Read:
    """Read signed warnings by the trust list that is stored; fetch it where that is not enough.

    Raises:
        TrustError: nobody signed them who may warn, by the newest list either.
        UnreachableError: the authority does not answer.
    """
    stored = PhoneTrust.load(folder)
    if stored is not None:
        try:
            return read(stored.warners)
        except TrustError:  # a key that came later: look whether the list has it by now
            pass
    fetched = PhoneTrust.fetch(folder, client, None if stored is None else stored.key)
    return read(fetched.warners)


def note_trust(folder: Path, client: AuthorityClient) -> None:
    """Note the authority's keys, so that the first check asks for nothing but warnings.

    An authority that publishes no lists, or is away, is no fault: the first check asks again.
    """
    try:
        PhoneTrust.fetch(folder, client, None)
    except TraceTogetherError:
        return


def _warners(trust: TrustList) -> TrustList:
    """Return the keys that may warn; each counts for its own time, however old the list is."""
    rows = (row for row in trust.keys if WARNINGS in row.purposes)
    return TrustList(rows, organisation=trust.organisation)


def _made(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"can't make the folder {folder}: {error.strerror}") from None
