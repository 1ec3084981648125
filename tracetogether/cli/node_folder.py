"""The folder that a node lives in: node.json, phone.db, phone.credential, phone.batch."""

import json
import platform
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self

from tracetogether.adapters.http_client import AuthorityClient
from tracetogether.adapters.sqlite_log import SqliteContactLog
from tracetogether.bluetrace.batch import TempIDBatch
from tracetogether.bluetrace.handshake import CHARACTERISTIC_UUID, SERVICE_UUID
from tracetogether.errors import InvalidTempIDError, StoreError
from tracetogether.phone_registration import PhoneRegistration
from tracetogether.whole_file import create_secret, new_files, read_secret, replace_secret

DEFAULT_FOLDER: Final = Path("node")
SETTINGS: Final = "node.json"
LOG: Final = "phone.db"
CREDENTIAL: Final = "phone.credential"
BATCH: Final = "phone.batch"


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """Settings of a node, given once at ``node init``.

    Attributes:
        server: the authority's address.
        organisation: the authority's code, sent to other phones.
        model: this phone's model, sent to other phones.
        service, characteristic: UUIDs, which differ between builds of OpenTrace.
        allow_plain_http: send secrets to the server without encryption.
        place: it is the device of a place: it only speaks, and has no contact log.
    """

    server: str
    organisation: str
    model: str = f"Linux {platform.machine()}"
    service: str = SERVICE_UUID
    characteristic: str = CHARACTERISTIC_UUID
    allow_plain_http: bool = False
    place: bool = False

    def client(self, credential: str | None = None) -> AuthorityClient:
        """Return a client of the authority that never retries, since the node does."""
        return AuthorityClient(
            self.server,
            credential=credential,
            timeout_s=10.0,
            retries=0,
            allow_plain_http=self.allow_plain_http,
        )

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the settings of the node in ``folder``.

        Raises:
            StoreError: there is no node, or its settings are damaged.
        """
        path = folder / SETTINGS
        if not path.is_file():
            msg = (
                f"there is no node in the folder {folder}: make one with "
                "`tracetogether node init --server URL`"
            )
            raise StoreError(msg)
        try:
            said = json.loads(read_secret(path))
            return cls(**said)
        except (ValueError, TypeError):
            msg = f"{path} is damaged: restore it, or make a new node in another folder"
            raise StoreError(msg) from None


def create_node(
    folder: Path, settings: NodeSettings, *, now: float, place: PhoneRegistration | None = None
) -> PhoneRegistration:
    """Register a phone with the authority, fetch its first batch, and store it in ``folder``.

    Args:
        folder: a new one.
        settings: of the node.
        now: epoch seconds.
        place: the credential of a place, whose device this becomes: nothing is registered, and
            there is no log.

    Raises:
        StoreError: there is a node already, or the folder can't be written.
        UnreachableError: the authority does not answer; nothing was stored.
    """
    with new_files(folder, (SETTINGS, LOG, CREDENTIAL, BATCH), "a node"):
        with settings.client(None if place is None else place.credential) as client:
            registered = client.register() if place is None else place
            batch = client.fetch_batch()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        create_secret(folder / SETTINGS, json.dumps(asdict(settings), indent=2))
        registered.save(folder / CREDENTIAL)
        save_batch(folder, batch)
        if place is None:
            SqliteContactLog.open(folder / LOG, now=now).close()
    return registered


def save_batch(folder: Path, batch: TempIDBatch) -> None:
    """Store a batch for the next start (mode 0600), and wipe the previous one.

    Raises:
        StoreError: it can't be written.
    """
    replace_secret(folder / BATCH, json.dumps(batch.to_json()))


def load_batch(folder: Path) -> TempIDBatch | None:
    """Return the batch fetched last, or None without a readable one."""
    with suppress(StoreError, InvalidTempIDError, ValueError):
        return TempIDBatch.from_json(json.loads(read_secret(folder / BATCH)))
    return None
