"""The folder of a gate: gate.json, trust.cose and revoked.cose."""

import json
import os
import sys
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from tracetogether.adapters.http_client import AuthorityClient
from tracetogether.crypto import VerifyingKey
from tracetogether.errors import StoreError, TraceTogetherError, UnreachableError
from tracetogether.healthcode.gate_lists import GateLists
from tracetogether.signed.trust import TRUST, TrustList
from tracetogether.whole_file import new_files, whole_file, write_whole

DEFAULT_FOLDER: Final = Path("gate")
SETTINGS: Final = "gate.json"
TRUST_LIST: Final = "trust.cose"
REVOKED: Final = "revoked.cose"
_LOOPBACK: Final = ("://127.", "://localhost", "://[::1]")


@dataclass(frozen=True, slots=True)
class GateSettings:
    """Settings of a gate, given once at ``gate init``.

    Attributes:
        server: the authority's address.
        key: the authority's key for lists, DER in base64; other keys' lists are refused.
        allow_plain_http: fetch lists without encryption; they are signed all the same.
    """

    server: str
    key: str
    allow_plain_http: bool = False

    @property
    def list_key(self) -> VerifyingKey:
        """The authority's key for lists."""
        return VerifyingKey.from_der(b64decode(self.key))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the settings of the gate in ``folder``.

        Raises:
            StoreError: there is no gate, or its settings are damaged.
        """
        path = folder / SETTINGS
        if not path.is_file():
            msg = (
                f"there is no gate in the folder {folder}: make one with "
                "`tracetogether gate init URL`"
            )
            raise StoreError(msg)
        try:
            found = cls(**json.loads(path.read_text("utf-8")))
            _ = found.list_key
        except (ValueError, TypeError, AttributeError, OSError, TraceTogetherError):
            msg = f"{path} is damaged: restore it, or make a new gate in another folder"
            raise StoreError(msg) from None
        return found

    @contextmanager
    def client(self) -> Iterator[AuthorityClient]:
        """Yield a client of the authority that never retries."""
        with AuthorityClient(
            self.server, timeout_s=10.0, retries=0, allow_plain_http=self.allow_plain_http
        ) as client:
            yield client


def create_gate(folder: Path, server: str, *, allow_plain_http: bool, now: float) -> VerifyingKey:
    """Fetch an authority's lists into a new folder; return its key for lists.

    The first list shows its own key. Compare its kid with the authority's, read aloud.

    Raises:
        StoreError: there is a gate already, or the folder can't be written.
        UnreachableError: the authority does not answer; nothing was stored.
        UnreadableMessageError, TrustError: its lists are damaged.
        ClockError: this machine's clock or the lists are wrong.
    """
    with (
        new_files(folder, (SETTINGS, TRUST_LIST, REVOKED), "a gate"),
        AuthorityClient(server, retries=0, allow_plain_http=allow_plain_http) as client,
    ):
        trust, revoked = client.fetch_trust_list(), client.fetch_revocations()
        rows = [row for row in TrustList.read(trust).keys if TRUST in row.purposes]
        key = rows[0].key
        GateLists.read(trust, revoked, key).check_age(now)
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder, trust, revoked)
        given = {
            "server": server,
            "key": b64encode(key.to_der()).decode(),
            "allow_plain_http": allow_plain_http,
        }
        write_whole(folder / SETTINGS, json.dumps(given, indent=2))
    return key


def load_lists(folder: Path, settings: GateSettings) -> GateLists:
    """Return the lists that were fetched last.

    Raises:
        StoreError: a list is missing, damaged, or not signed by the authority's key.
    """
    try:
        trust, revoked = ((folder / name).read_bytes() for name in (TRUST_LIST, REVOKED))
        return GateLists.read(trust, revoked, settings.list_key)
    except OSError as error:
        msg = f"can't read {error.filename}: {error.strerror}"
        raise StoreError(msg) from None
    except TraceTogetherError as error:
        msg = f"the lists in {folder} can't be used ({error}): run `tracetogether gate init` again"
        raise StoreError(msg) from None


def refresh(folder: Path, settings: GateSettings, held: GateLists) -> GateLists:
    """Fetch the lists again, and store them; a list older than the one held is refused.

    Raises:
        UnreachableError: the authority does not answer, or answers with older lists.
        UnreadableMessageError, TrustError: a list is damaged or not signed by the authority's key.
        StoreError: they can't be written; what was there still stands.
    """
    with settings.client() as client:
        trust, revoked = client.fetch_trust_list(), client.fetch_revocations()
    found = GateLists.read(trust, revoked, settings.list_key)
    older = found.trust.issued < held.trust.issued
    if older or found.revoked.issued_at < held.revoked.issued_at:
        msg = f"{settings.server} sends older lists than this gate has: they are not used"
        raise UnreachableError(msg)
    _write(folder, trust, revoked)
    return found


def network_is_there(server: str) -> bool:
    """Return whether a network interface is up by which ``server`` might be reached.

    Without one a gate sends nothing at all. Where the system doesn't tell, the answer is yes.
    """
    if not sys.platform.startswith("linux"):
        return True
    import fcntl  # noqa: PLC0415 - not there on Windows
    import socket  # noqa: PLC0415
    import struct  # noqa: PLC0415

    loopback_counts = any(start in server for start in _LOOPBACK)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _, name in socket.if_nameindex():
            request = struct.pack("16sH14s", os.fsencode(name), 0, b"")
            try:
                said = fcntl.ioctl(asking, _SIOCGIFFLAGS, request)
            except OSError:
                continue
            (flags,) = struct.unpack_from("H", said, 16)
            if flags & _IFF_UP and (loopback_counts or not flags & _IFF_LOOPBACK):
                return True
    return False


_SIOCGIFFLAGS: Final = 0x8913  # <linux/sockios.h>
_IFF_UP: Final = 0x1  # <linux/if.h>
_IFF_LOOPBACK: Final = 0x8


def _write(folder: Path, trust: bytes, revoked: bytes) -> None:
    for name, content in ((TRUST_LIST, trust), (REVOKED, revoked)):
        with whole_file(folder / name) as half:
            half.write_bytes(content)
