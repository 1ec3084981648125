"""Files that only their owner can read: for keys, credentials and tokens."""

import os
from pathlib import Path
from typing import Final

from tracetogether.errors import StoreError
from tracetogether.whole_file import PRIVATE, write_whole

_OTHERS: Final = 0o077  # permission bits of group and others


def read_secret(path: Path) -> str:
    """Return the text of a file.

    Raises:
        StoreError: it is missing, no text, or readable by group or others.
    """
    try:
        while True:
            with path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                if os.name == "posix" and mode & _OTHERS:
                    msg = f"{path} can be read by others (mode {mode & 0o777:o}): chmod 600 {path}"
                    raise StoreError(msg)
                text = file.read().decode("utf-8")
                if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                    return text  # else it was replaced, and wiped, while it was read
    except OSError as error:
        msg = f"can't read {path}: {error.strerror}"
        raise StoreError(msg) from None
    except UnicodeDecodeError:
        msg = f"can't read {path}: it is not text"
        raise StoreError(msg) from None


def create_secret(path: Path, text: str) -> None:
    """Write a new file, mode 0600.

    Raises:
        StoreError: there is such a file already, or it can't be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            path.unlink()
            raise
    except OSError as error:
        msg = f"can't write {path}: {error.strerror}"
        raise StoreError(msg) from None


def replace_secret(path: Path, text: str) -> None:
    """Write a file, whole or not at all, and wipe what stood there.

    The old bytes are overwritten after the new ones have taken their place. A journal or a
    flash disk may still hold them: docs/explanation/threat-model.md says so.

    Raises:
        StoreError: it can't be written; what stood there still stands.
    """
    path = path.resolve()  # where a link leads, not the link
    try:
        old = path.open("r+b") if path.exists() else None
        write_whole(path, text, mode=PRIVATE)
        if old is not None:
            with old:
                size = old.seek(0, os.SEEK_END)
                old.seek(0)
                old.write(bytes(size))
                old.flush()
                os.fsync(old.fileno())
    except OSError as error:
        msg = f"can't write {path}: {error.strerror}"
        raise StoreError(msg) from None
