"""Files that are written whole or not at all, and private ones: keys, credentials, tokens.

A full disk or a kill leaves what was there.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from tracetogether.errors import StoreError

PUBLIC: Final = 0o666  # less what the user's mask takes away
PRIVATE: Final = 0o600
_OTHERS: Final = 0o077  # permission bits of group and others


@contextmanager
def whole_file(path: Path, *, mode: int = PUBLIC, new: bool = False) -> Iterator[Path]:
    """Yield an empty file to write to; it takes the place of ``path`` when the body ends well.

    The file lies in the same folder and has the same ending, because some writers choose the
    format by it. If the body fails, the file is removed and ``path`` is as it was. A device or
    a pipe is written to directly.

    Args:
        path: what is to be written.
        mode: permission bits; a file that was there keeps its own, unless this is PRIVATE.
        new: refuse a file that is there already, also one that came meanwhile.

    Raises:
        StoreError: ``path`` can't be written, or is there already; the message has the reason.
    """
    named, path = path, path.resolve()  # where a link leads, not the link
    if path.exists() and not path.is_file():
        with _named(named):
            yield path
        return
    half = path.with_name(f".{path.stem}.half{path.suffix}")
    with _named(named):
        if new and path.exists():
            raise _taken(named)
        half.unlink(missing_ok=True)  # of a command that was killed
        os.close(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
        try:
            if mode != PRIVATE and path.exists():
                half.chmod(path.stat().st_mode & 0o777)
            yield half
            _sync(half)
            if new:
                _give_new_name(half, path, named)
            else:
                half.replace(path)
        except BaseException:
            with suppress(OSError):
                half.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def write_whole(path: Path, text: str, *, mode: int = PUBLIC) -> None:
    """Write a text file (UTF-8), whole or not at all.

    Raises:
        StoreError: it can't be written; what was there is untouched.
    """
    with whole_file(path, mode=mode) as half:
        half.write_text(text, encoding="utf-8", newline="")


@contextmanager
def new_files(folder: Path, names: Iterable[str], what: str) -> Iterator[None]:
    """Remove the named files of ``folder`` if the body fails, so that all are made or none.

    Raises:
        StoreError: one of them is there already, or the body raised an OSError; ``what``, such as
            "a node", names in the message what could not be made.
    """
    paths = [folder / name for name in names]
    for path in paths:
        if path.exists():
            msg = f"there is {what} in {folder} already ({path.name}): choose another folder"
            raise StoreError(msg)
    try:
        yield
    except BaseException as error:
        for path in paths:
            with suppress(OSError):
                path.unlink()
        if isinstance(error, OSError):
            msg = f"can't make {what} in {folder}: {error.strerror}"
            raise StoreError(msg) from None
        raise


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


def sync_folder(folder: Path) -> None:
    """Make new names in a folder survive a power cut, where the system can."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _give_new_name(half: Path, path: Path, named: Path) -> None:
    """Rename without ever replacing a file that came meanwhile."""
    try:
        os.link(half, path)
    except FileExistsError:
        raise _taken(named) from None
    except OSError:  # a file system without links, such as FAT
        if path.exists():
            raise _taken(named) from None
        half.replace(path)
    else:
        half.unlink()


def _taken(path: Path) -> StoreError:
    return StoreError(f"there is a file {path} already: name a new one")


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Turn the system's errors into one that names the file and the reason."""
    try:
        yield
    except OSError as error:
        msg = f"can't write {path}: {error.strerror or error}"
        raise StoreError(msg) from None
