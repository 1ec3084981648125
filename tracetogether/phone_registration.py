"""Who a phone is to its authority, in a file that only its owner can read."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tracetogether.errors import StoreError
from tracetogether.whole_file import create_secret, read_secret


@dataclass(frozen=True, slots=True)
class PhoneRegistration:
    """A phone's user id, and the credential that proves it."""

    user_id: str = field(repr=False)
    credential: str = field(repr=False)

    def save(self, path: Path) -> None:
        """Write this to a new file that only its owner can read (JSON, as the server answers).

        Raises:
            StoreError: there is a file already, or it can't be written.
        """
        said = {"user_id": self.user_id, "credential": self.credential}
        create_secret(path, json.dumps(said))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what ``save`` wrote, or what the server answered to POST /v1/users.

        Raises:
            StoreError: the file is missing, damaged, or readable by group or others.
        """
        if not path.exists():
            msg = f"there is no {path}: it is the server's answer to the phone's registration"
            raise StoreError(msg)
        try:
            said = json.loads(read_secret(path))
            return cls(str(said["user_id"]), str(said["credential"]))
        except (ValueError, TypeError, KeyError):
            msg = f'{path} is not a credential: expected JSON with "user_id" and "credential"'
            raise StoreError(msg) from None
