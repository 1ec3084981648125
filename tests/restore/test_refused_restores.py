"""What no restore takes, what waits for it, and what is left of one that is killed."""

import os
import shutil
import signal
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.old_schemas import of_schema
from tests.restored_desk import KEPT, Clock, RestoredDesk, spoilt, traced
from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.cli.authority_folder import KEYS, exclusive_use
from tracetogether.cli.authority_restore import prepared_restore
from tracetogether.cli.folder_locks import shared_use
from tracetogether.errors import (
    ConflictError,
    KeyRingError,
    StoreError,
)


def test_a_backup_replaces_no_device_and_no_pipe(desk: RestoredDesk, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    error = desk.run("backup", str(pipe)).exception
    assert isinstance(error, StoreError)
    assert "is a device or a pipe: name a new file" in str(error)
    assert pipe.is_fifo()


# --- what is refused ---


def test_another_authoritys_backup_is_refused(
    desk: RestoredDesk, tmp_path: Path, clock: Clock
) -> None:
    del clock
    before = desk.rows()
    other = RestoredDesk(tmp_path / "other").make()
    other.work(traced)
    other.ran("backup", str(tmp_path / "theirs"))
    result = desk.run("restore", str(tmp_path / "theirs"), "--yes")
    assert isinstance(result.exception, ConflictError)
    assert desk.rows() == before
    empty = RestoredDesk(tmp_path / "empty").make(name="AU_DTA")
    assert isinstance(empty.run("restore", str(tmp_path / "theirs")).exception, ConflictError)


def test_another_authoritys_backup_is_refused_over_a_damaged_database(
    sqlite_desk: RestoredDesk, tmp_path: Path
) -> None:
    other = RestoredDesk(tmp_path / "other").make()
    other.work(traced)
    other.ran("backup", str(tmp_path / "theirs"))
    of_schema("0004", tmp_path / "theirs before", tmp_path / "theirs")
    forget = sqlite3.connect(tmp_path / "theirs before")
    forget.execute("DELETE FROM settings WHERE name = 'keys_check'")
    forget.commit()
    forget.close()
    spoilt(sqlite_desk.folder / "authority.db", "garbage")
    for name in ("theirs", "theirs before"):
        result = sqlite_desk.run("restore", str(tmp_path / name), "--yes")
        assert isinstance(result.exception, KeyRingError), result.exception
    assert not list(sqlite_desk.folder.glob("*damaged*"))


@pytest.mark.parametrize(
    "how", ["garbage", "empty", "cut off", "half written", "a page", "missing"]
)
def test_a_damaged_backup_is_refused(desk: RestoredDesk, tmp_path: Path, how: str) -> None:
    before = desk.rows()
    desk.ran("backup", str(tmp_path / "file"))
    spoilt(tmp_path / "file", how)
    result = desk.run("restore", str(tmp_path / "file"), "--yes")
    assert isinstance(result.exception, StoreError)
    assert str(tmp_path / "file") in str(result.exception)
    assert desk.rows() == before


def test_a_backup_of_a_newer_program_is_refused(sqlite_desk: RestoredDesk, tmp_path: Path) -> None:
    sqlite_desk.ran("backup", str(tmp_path / "file"))
    newer = sqlite3.connect(tmp_path / "file")
    newer.execute("UPDATE alembic_version SET version_num = '9999'")
    newer.commit()
    newer.close()
    result = sqlite_desk.run("restore", str(tmp_path / "file"), "--yes")
    assert "newer program" in str(result.exception)


def test_restore_shows_what_changes_and_asks(desk: RestoredDesk, tmp_path: Path) -> None:
    desk.ran("backup", str(tmp_path / "file"))
    desk.work(lambda service: service.issuance.register())
    before = desk.rows((*KEPT, "audit"))
    result = desk.ran("restore", str(tmp_path / "file"), "--dry-run")
    words = " ".join(result.stdout.replace("│", " ").split())
    assert "users 3 2" in words
    assert "Nothing was changed" in words
    assert desk.run("restore", str(tmp_path / "file")).exit_code == 1
    assert desk.rows((*KEPT, "audit")) == before
    assert sorted(path.name for path in desk.folder.iterdir() if path.is_dir()) == []


def test_restores_servers_and_commands_wait_for_each_other(
    desk: RestoredDesk, tmp_path: Path
) -> None:
    desk.ran("backup", str(tmp_path / "file"))
    with shared_use(desk.folder):
        assert "a server or another command uses" in str(
            desk.run("restore", str(tmp_path / "file"), "--yes").exception
        )
    with exclusive_use(desk.folder):
        assert "is being restored" in str(desk.run("user", "list").exception)


def test_a_server_of_another_machine_loses_nothing_to_a_restore(
    desk: RestoredDesk, tmp_path: Path, clock: Clock
) -> None:
    if desk.url is None:
        pytest.skip("one machine alone uses an SQLite file")
    desk.ran("backup", str(tmp_path / "file"))
    with prepared_restore(desk.folder, tmp_path / "file", clock.now) as prepared:
        elsewhere = RestoredDesk(tmp_path / "elsewhere", desk.url)
        elsewhere.folder.mkdir(mode=0o700)
        for name in (KEYS, "database.url"):
            shutil.copy(desk.folder / name, elsewhere.folder / name)
        elsewhere.work(lambda service: service.issuance.register())
        with pytest.raises(StoreError, match="stop the servers on all machines"):
            prepared.commit()
    assert len(desk.rows(("users",))["users"]) == 3


# --- killed at any step ---


@pytest.mark.skipif(os.name != "posix", reason="forks")
@pytest.mark.parametrize("damaged", [False, True])
def test_a_restore_that_is_killed_leaves_the_old_or_the_new_state(
    sqlite_desk: RestoredDesk, tmp_path: Path, damaged: bool
) -> None:
    desk, file = sqlite_desk, str(tmp_path / "file")
    desk.ran("backup", file)
    new = desk.rows()
    desk.work(lambda service: service.issuance.register())
    old = desk.rows()
    if damaged:
        spoilt(desk.folder / "authority.db", "garbage")
    seen = []
    for step in range(1, 500):
        folder = tmp_path / f"copy-{step}"
        shutil.copytree(desk.folder, folder)
        if not _killed_at(step, RestoredDesk(folder), file):
            break
        copy = RestoredDesk(folder)
        if damaged and (folder / "authority.db").read_bytes()[:16] != b"SQLite format 3\0":
            pending = (folder / "authority.db.restored").exists()
            assert (copy.run("user", "list").exit_code == 0) == pending
            seen.append("new" if pending else "old")
        else:
            copy.ran("user", "list")  # any command completes what was begun
            copy.work(lambda service: service.audit.verify(by=CONSOLE))
            seen.append("new" if copy.rows() == new else "old")
            assert copy.rows() in (old, new)
        assert not list(folder.glob("*.restored"))
        if seen[-1] == "old" and not damaged:
            assert not (folder / ".restoring").exists()
        shutil.rmtree(folder)
    assert seen == sorted(seen, reverse=True)  # first the old state, then the new one
    assert {"old", "new"} <= set(seen)


def _killed_at(step: int, desk: RestoredDesk, file: str) -> bool:
    """Restore in a process that is killed when it touches files for the ``step``-th time."""
    child = os.fork()
    if child == 0:
        count = 0

        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal count
            if event in {"os.rename", "os.remove", "os.link", "os.mkdir", "os.rmdir", "os.chmod"}:
                count += str(desk.folder) in str(arguments[0])
                if count == step:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        desk.run("restore", file, "--yes")
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)
