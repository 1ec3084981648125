"""The contact log's file: killed, full, read-only, foreign."""

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tracetogether.adapters.sqlite_log import SqliteContactLog
from tracetogether.errors import StoreError
from tracetogether.sightings import Sighting

NOW = 1_600_000_000.0
DAY = 86_400

WRITER = """
import sys
from tracetogether.adapters.sqlite_log import SqliteContactLog
from tracetogether.sightings import Sighting
log = SqliteContactLog.open(sys.argv[1], now=1_600_000_000.0)
for n in range(1_000_000):
    log.append([Sighting(1_600_000_000.0 + n, f"{n}-{part}", -60.0) for part in "ab"])
    print(n, flush=True)
"""


def sighting(n: int) -> Sighting:
    return Sighting(NOW + n, str(n), -60.0)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Give up the right to write everywhere, which root has."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_what_was_written_is_there_after_closing(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with SqliteContactLog.open(path, now=NOW) as log:
        log.append([sighting(1)])
    with SqliteContactLog.open(path, now=NOW) as log:
        assert log.rows() == [sighting(1)]
    assert [path.name for path in tmp_path.iterdir()] == ["log.db"]


def test_opening_purges(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with SqliteContactLog.open(path, now=NOW) as log:
        log.append([sighting(0), *[sighting(day * DAY) for day in range(1, 21)]])
    with SqliteContactLog.open(path, now=NOW + 21 * DAY + 1) as log:
        assert log.rows() == [sighting(day * DAY) for day in range(1, 21)]


@pytest.mark.parametrize("leap_d", [22, 60, 179, 200, 3650])
def test_a_start_under_a_wrong_clock_costs_nothing(tmp_path: Path, leap_d: int) -> None:
    path = tmp_path / "log.db"
    rows = [sighting((day - 20) * DAY) for day in range(21)]
    with SqliteContactLog.open(path, now=NOW) as log:
        log.append(rows)
    for hour in range(3):  # it is started again and again
        with SqliteContactLog.open(path, now=NOW + leap_d * DAY + hour * 3600) as log:
            assert log.rows() == rows
            assert log.set_aside() == 21
    with SqliteContactLog.open(path, now=NOW + DAY + 1) as log:
        assert log.rows() == rows[1:]


def test_a_file_of_an_earlier_version_has_its_newest_sighting_for_a_clock(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with SqliteContactLog.open(path, now=NOW) as log:
        log.append([sighting(0), sighting(DAY)])
        log._db.execute("DROP TABLE clock")
    with SqliteContactLog.open(path, read_only=True) as log:
        assert (len(log), log.set_aside()) == (2, 0)
    with SqliteContactLog.open(path, now=NOW + 60 * DAY) as log:
        assert (len(log), log.set_aside()) == (2, 2)


def test_opening_for_reading_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with SqliteContactLog.open(path, now=NOW) as log:
        log.append([sighting(0)])
    with SqliteContactLog.open(path, now=NOW + 100 * DAY, read_only=True) as log:
        assert log.rows() == [sighting(0)]
        with pytest.raises(StoreError, match="read-only"):
            log.append([sighting(1)])
        assert log.rows() == [sighting(0)]


@pytest.mark.parametrize("acknowledged", [1, 7, 40])
def test_a_killed_writer_leaves_all_that_it_committed(tmp_path: Path, acknowledged: int) -> None:
    path = tmp_path / "log.db"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        for _ in range(acknowledged):
            last = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
    with SqliteContactLog.open(path, now=NOW) as log:
        peers = [row.peer for row in log.rows()]
    assert len(peers) % 2 == 0  # all or none of an append
    count = len(peers) // 2
    assert count >= last + 1
    assert peers == [f"{n}-{part}" for n in range(count) for part in "ab"]


def test_a_full_disk_is_said_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with SqliteContactLog.open(path, now=NOW) as log:
        log.append([sighting(n) for n in range(100)])
        pages = log._file._pragma("page_count")
        log._db.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(StoreError, match=r"log\.db: the disk is full.*kept"):
            log.append([sighting(n) for n in range(100, 5_000)])
        assert log.rows() == [sighting(n) for n in range(100)]
        log._db.execute("PRAGMA max_page_count = 100000")
        log.append([sighting(100)])
    with SqliteContactLog.open(path, now=NOW) as log:
        assert log.rows() == [sighting(n) for n in range(101)]


@pytest.mark.skipif(os.name != "posix", reason="permission bits are POSIX")
def test_a_file_that_may_not_be_written_is_said_and_kept() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "log.db"
        with SqliteContactLog.open(path, now=NOW) as log:
            log.append([sighting(0)])
        path.chmod(0o444)
        folder.chmod(0o555)
        with as_nobody():
            with pytest.raises(StoreError, match="writ"):
                SqliteContactLog.open(path, now=NOW)
            with pytest.raises(StoreError, match="writ"):
                SqliteContactLog.open(folder / "other.db", now=NOW)
        folder.chmod(0o755)
        path.chmod(0o644)
        with SqliteContactLog.open(path, now=NOW) as log:
            assert log.rows() == [sighting(0)]


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="folder exists"):
        SqliteContactLog.open(tmp_path / "none" / "log.db", now=NOW)
    with pytest.raises(StoreError, match="can't be opened"):
        SqliteContactLog.open(tmp_path / "log.db", read_only=True)


def test_foreign_files_are_left_alone(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("dear diary " * 100)
    with pytest.raises(StoreError, match="not an SQLite file"):
        SqliteContactLog.open(text, now=NOW)
    assert text.read_text() == "dear diary " * 100
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE mine (x)")
    db.close()
    with pytest.raises(StoreError, match="not a contact log"):
        SqliteContactLog.open(other, now=NOW)


def test_a_newer_format_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    SqliteContactLog.open(path, now=NOW).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StoreError, match="format 99"):
        SqliteContactLog.open(path, now=NOW)


def test_a_second_writer_gets_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracetogether.adapters.sqlite_log.phone_file._BUSY_S", 0.0)
    path = tmp_path / "log.db"
    with SqliteContactLog.open(path, now=NOW) as log:
        log._db.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="another program"):
            SqliteContactLog.open(path, now=NOW)
        log._db.execute("ROLLBACK")


def test_the_file_is_its_owners_and_what_is_purged_is_gone_from_it(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with SqliteContactLog.open(path, now=NOW) as log:
        if os.name == "posix":
            assert path.stat().st_mode & 0o777 == 0o600
        log.append([Sighting(NOW + n, f"CANARY{n}" * 8, -60.0) for n in range(500)])
        log.purge(NOW + 30 * DAY, confirmed=True)
        for file in tmp_path.iterdir():
            assert b"CANARY" not in file.read_bytes(), file.name
            assert os.name != "posix" or file.stat().st_mode & 0o777 == 0o600


def test_a_sighting_that_no_database_can_hold_is_refused_whole(tmp_path: Path) -> None:
    with SqliteContactLog.open(tmp_path / "log.db", now=NOW) as log:
        for peer, version in (("\ud800", 2), ("T", 10**30)):
            with pytest.raises(StoreError, match="SQLite can't store"):
                log.append([sighting(1), Sighting(NOW, peer, -60.0, version=version)])
        assert len(log) == 0


def test_the_journal_is_a_write_ahead_log(tmp_path: Path) -> None:
    with SqliteContactLog.open(tmp_path / "log.db", now=NOW) as log:
        assert log._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert log._file._pragma("synchronous") == 2


def test_a_log_of_100_000_sightings_is_read_in_columns(tmp_path: Path) -> None:
    with SqliteContactLog.open(tmp_path / "log.db", now=NOW) as log:
        log.append([Sighting(NOW + n, f"T{n % 50}", -60.0) for n in range(100_000)])
        columns = log.sightings(NOW + 50_000)
    assert len(columns) == 50_000
    assert len(columns.peer.names) == 50
