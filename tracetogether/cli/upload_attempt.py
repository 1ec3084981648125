"""An upload attempt, stored beside the credential, so that it can continue after a crash."""

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
_INPUTS: Final = b"tracetogether/v1/upload-attempt/"


@dataclass(frozen=True, slots=True)
class Attempt:
    """An upload that was started. A PIN is valid for one log and one named attempt.

    Attributes:
        path: the file that stores it until the authority has the log (mode 0600).
        name: 32 hexadecimal digits, sent to the authority with the PIN.
        body: the log at the start of the attempt; later sightings are not in it.
        resumed: an earlier run started it, and may have stopped at any step.
    """

    path: Path
    name: str = field(repr=False)
    body: bytes = field(repr=False)
    resumed: bool

    def end(self) -> None:
        """Wipe and remove the file.

        Raises:
            StoreError: it can't be written.
        """
        replace_secret(self.path, "")
        self.path.unlink(missing_ok=True)


def begin_or_resume(path: Path, inputs: Sequence[str], log: Callable[[], bytes]) -> Attempt:
    """Return the attempt that an earlier run with the same inputs left, or start one.

    Args:
        path: the file that stores the attempt, before anything is sent.
        inputs: all that decides what is sent and where to, and the PIN. With other inputs a new
            attempt starts, so that records which were left out since are not sent.
        log: returns the bytes to send; called only for a new attempt.

    Raises:
        StoreError: the file is damaged, others can read it, or it can't be written.
    """
    if path.exists():
        try:
            said = json.loads(read_secret(path))
            name, kept = str(said["attempt"]), bytes.fromhex(said["asked"])
            if equal(kept, _digest(name, inputs)):
                return Attempt(path, name, gzip.decompress(b64decode(said["log"])), resumed=True)
        except (ValueError, TypeError, KeyError, EOFError, OSError, zlib.error):
            msg = f"{path} is damaged: remove it and try again, with a new PIN if this one is used"
            raise StoreError(msg) from None
    body, name = log(), secrets.token_hex(16)
    said = {
        "attempt": name,
        "asked": _digest(name, inputs).hex(),
        "log": b64encode(gzip.compress(body, 6, mtime=0)).decode(),
    }
    replace_secret(path, json.dumps(said))
    return Attempt(path, name, body, resumed=False)


def _digest(name: str, inputs: Sequence[str]) -> bytes:
    # A reader of this file can also read the credential beside it, so the PIN needs no more.
    return sha256(_INPUTS + json.dumps([name, *inputs]).encode())
