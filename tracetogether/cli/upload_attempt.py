"""An upload under way, written down beside the credential: after a crash the same one goes on."""

import gzip
import json
import secrets
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tracetogether.crypto import equal, sha256
from tracetogether.errors import StoreError
from tracetogether.whole_file import read_secret, replace_secret

ENDING: Final = ".attempt"
_ASKED: Final = b"tracetogether/v1/upload-attempt/"


@dataclass(frozen=True, slots=True)
class Attempt:
    """An upload that was begun. A PIN is used up for one log and by one named attempt.

    Attributes:
        path: the file that holds it until the authority has the log (mode 0600).
        name: 32 hexadecimal digits, told to the authority with the PIN.
        body: the log as it was when the attempt began; the phone may have heard more since.
        resumed: an earlier run began it, and may have got anywhere.
    """

    path: Path
    name: str = field(repr=False)
    body: bytes = field(repr=False)
    resumed: bool

    def end(self) -> None:
        """Wipe and remove the file: there is nothing left to do.

        Raises:
            StoreError: it can't be written.
        """
        replace_secret(self.path, "")
        self.path.unlink(missing_ok=True)


def begun(path: Path, asked: Sequence[str], log: Callable[[], bytes]) -> Attempt:
    """Return the attempt that an earlier run with the same wishes left, or begin one.

    Args:
        path: where it is written down, before anything is sent.
        asked: all that decides what is sent and where to, the PIN too. Asked for anything else, a
            new attempt begins: what was to be left out since is not sent.
        log: returns the bytes to send; called for a new attempt only.

    Raises:
        StoreError: the file is damaged, can be read by others, or can't be written.
    """
    if path.exists():
        try:
            said = json.loads(read_secret(path))
            name, kept = str(said["attempt"]), bytes.fromhex(said["asked"])
            if equal(kept, _digest(name, asked)):
                return Attempt(path, name, gzip.decompress(b64decode(said["log"])), resumed=True)
        except (ValueError, TypeError, KeyError, EOFError, OSError, zlib.error):
            msg = f"{path} is damaged: remove it and try again, with a new PIN if this one is used"
            raise StoreError(msg) from None
    body, name = log(), secrets.token_hex(16)
    said = {
        "attempt": name,
        "asked": _digest(name, asked).hex(),
        "log": b64encode(gzip.compress(body, 6, mtime=0)).decode(),
    }
    replace_secret(path, json.dumps(said))
    return Attempt(path, name, body, resumed=False)


def _digest(name: str, asked: Sequence[str]) -> bytes:
    # Who can read this can read the credential beside it: the PIN among these needs no more.
    return sha256(_ASKED + json.dumps([name, *asked]).encode())
