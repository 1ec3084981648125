"""The folder of a sweep: one file for each part, named after everything that the part depends on.

A failed run is not kept, so the same command runs it again.
"""

import json
import os
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from simulations.provenance import provenance
from tracetogether.errors import StoreError
from tracetogether.whole_file import write_whole

PLAN: Final = "sweep.json"
RESULTS: Final = (
    "rows.csv",
    "points.csv",
    "rows.parquet",
    "points.parquet",
    "picture.png",
    "adoption.png",
)
"""Files that are made of all rows together."""

SweepRow = dict[str, Any]


class _FolderLock:
    """Keeps other processes from playing a sweep in a folder, until this object is gone."""

    def __init__(self, descriptor: int) -> None:
        weakref.finalize(self, os.close, descriptor)


_LOCKS: weakref.WeakValueDictionary[Path, _FolderLock] = weakref.WeakValueDictionary()
"""The folders that this process has locked: a notebook may go on after it stopped a sweep."""


@contextmanager
def results_written_alone(path: Path) -> Iterator[None]:
    """Keep other processes from playing a sweep in the folder while the body runs.

    Raises:
        StoreError: another process plays one there.
    """
    lock = _locked(path)
    yield
    del lock


def _locked(path: Path) -> _FolderLock | None:
    """Return the folder's lock; None if it can't be locked.

    Two sweeps in one folder would write the same files at the same time.

    Raises:
        StoreError: another process has locked it.
    """
    if os.name != "posix":
        return None
    import fcntl  # noqa: PLC0415 - not there on Windows

    place = path.resolve()
    if (held := _LOCKS.get(place)) is not None:
        return held
    descriptor = os.open(place, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise StoreError(
            f"another process plays a sweep in {path}: wait until it ends, or choose another folder"
        ) from None
    except OSError:  # some network drives have no locks
        os.close(descriptor)
        return None
    _LOCKS[place] = lock = _FolderLock(descriptor)
    return lock


class SweepFolder:
    """The finished parts of one sweep.

    From ``open`` on, no other process may open the folder until this object is gone.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock: _FolderLock | None = None

    def open(self, plan: Mapping[str, object], names: Sequence[str]) -> dict[str, SweepRow]:
        """Return the finished parts among ``names``; create the folder if it is missing.

        If a part is still to run, tables and pictures are removed, since they show other runs.

        Args:
            plan: what the command asked for, whatever the scenario's file held then.
            names: the parts.

        Raises:
            StoreError: the folder holds something else or a damaged sweep, or can't be written, or
                another process plays a sweep there.
        """
        path = self._path
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(path)
            file = path / PLAN
            if file.exists():
                kept = json.loads(file.read_text("utf-8"))
                if "parts" in kept and "plan" not in kept:
                    raise StoreError(
                        f"{path} holds a sweep by an earlier version, whose runs do not say what "
                        "they were played with; choose an empty folder"
                    )
                if kept.get("plan") != plan:
                    raise StoreError(
                        f"{path} holds another sweep (another scenario, other settings, seeds, "
                        "cases or fidelity); choose an empty folder"
                    )
            elif any(path.iterdir()):
                raise StoreError(f"{path} holds something that is no sweep; choose an empty folder")
            done = {name: row for name in names if (row := self._read(name)) is not None}
            if len(done) < len(set(names)):
                for result in RESULTS:
                    (path / result).unlink(missing_ok=True)
            made_by = provenance().to_json()
            write_whole(
                file, json.dumps({"plan": plan, "parts": list(names), "provenance": made_by})
            )
        except OSError as error:
            raise StoreError(f"can't keep a sweep in {path}: {error.strerror or error}") from None
        except (ValueError, AttributeError, KeyError, TypeError) as error:
            raise StoreError(f"{path} holds a damaged sweep: {error}") from None
        return done

    def keep(self, name: str, row: SweepRow) -> None:
        """Keep a part's row, unless the run failed.

        Raises:
            StoreError: it can't be written.
        """
        if "error" in row:
            return
        write_whole(self._file(name), json.dumps({"part": name, "row": row}))

    def others(self, names: Sequence[str]) -> int:
        """Return the number of runs in the folder that are not among these parts."""
        files = {self._file(name) for name in names}
        return sum(file not in files for file in self._path.glob("part-*.json"))

    def _file(self, name: str) -> Path:
        return self._path / f"part-{name}.json"

    def _read(self, name: str) -> SweepRow | None:
        file = self._file(name)
        if not file.exists():
            return None
        why = "it is the run of another part"
        row: SweepRow | None = None
        try:
            kept = json.loads(file.read_text("utf-8"))
            row = kept["row"] if kept["part"] == name else None
        except (ValueError, AttributeError, KeyError, TypeError) as error:
            why = str(error)
        if row is None:
            raise StoreError(
                f"{file} is damaged ({why}): delete it, and the same command plays this run again"
            )
        return None if "error" in row else row
