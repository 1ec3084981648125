"""A node whose log file is damaged: it sets the file aside, copies readable rows and continues."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tracetogether.adapters.sqlite_log import SqliteContactLog
from tracetogether.cli.node_log import NodeLog
from tracetogether.errors import StoreError
from tracetogether.plain_text import counted
from tracetogether.sightings import Sighting

NOW = 1_600_000_000.0
DAY = 86_400
ROWS = [Sighting(NOW + n, f"{n:084d}", -60.0) for n in range(2_000)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "phone.db"
    with SqliteContactLog.open(path, now=NOW) as log:
        log.append(ROWS)
    return path


def garbage(path: Path) -> None:
    path.write_bytes(os.urandom(50_000))


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def cut_in_a_page(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def gone(path: Path) -> None:
    path.unlink()


def zeros(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def zeros_in_the_middle(path: Path) -> None:
    body = bytearray(path.read_bytes())
    page = len(body) // 2 // 4096 * 4096
    body[page : page + 4 * 4096] = bytes(4 * 4096)
    path.write_bytes(body)


def another_schema(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("ALTER TABLE sighting RENAME COLUMN peer TO token")
    db.close()


def no_table(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("DROP TABLE sighting")
    db.close()


def another_program(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE mine (x)")
    db.close()


def a_text(path: Path) -> None:
    path.write_text("dear diary " * 1_000)


DAMAGES = [
    garbage,
    truncated,
    cut_in_a_page,
    empty,
    gone,
    zeros,
    zeros_in_the_middle,
    another_schema,
    no_table,
    another_program,
    a_text,
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_set_aside_and_reported(
    path: Path, damage: Callable[[Path], None]
) -> None:
    damage(path)
    was = path.read_bytes() if path.exists() else None
    events: list[tuple[str, str]] = []
    new = Sighting(NOW + 5_000, "new", -50.0)
    with closing(NodeLog(path, lambda *event: events.append(event), now=NOW + 5_000)) as log:
        ((event, text),) = events
        assert event == "log_damaged"
        log.append([new])
        assert log.rows()[-1] == new
        kept = log.rows()[:-1]
    aside = [file for file in path.parent.iterdir() if ".damaged-" in file.name]
    if was is None:
        assert aside == []
    else:
        (file,) = [
            kept_file for kept_file in aside if not kept_file.name.endswith(("-wal", "-shm"))
        ]
        assert file.read_bytes() == was
        assert str(file) in text
    assert f"a new one has {counted(len(kept), 'sightings')}" in text
    assert set(kept) <= set(ROWS)
    if damage in {truncated, zeros_in_the_middle, cut_in_a_page}:
        assert len(kept) > 500, "what can be read is taken over"
    with closing(NodeLog(path, lambda *event: events.append(event), now=NOW + 5_000)) as log:
        assert len(events) == 1
        assert log.rows() == [*kept, new]


def test_a_file_that_is_damaged_while_the_node_runs_is_set_aside_too(path: Path) -> None:
    events: list[tuple[str, str]] = []
    written: list[Sighting] = []
    with closing(
        NodeLog(path, lambda *event: events.append(event), written.append, now=NOW)
    ) as log:
        log._log._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        log._log._db.execute("PRAGMA cache_size = 0")
        body = path.read_bytes()
        path.write_bytes(body[:4096] + os.urandom(len(body) - 4096))
        new = Sighting(NOW + 5_000, "new", -50.0)
        log.append([new])
        assert [event for event, _ in events] == ["log_damaged"]
        assert log.rows()[-1] == new == written[-1]


def test_what_is_not_damage_is_an_error_and_moves_nothing(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StoreError, match="log format 99"):
        NodeLog(path, lambda *_: None, now=NOW)
    assert path.exists()
    assert list(path.parent.glob("*.damaged-*")) == []


def test_files_set_aside_go_after_21_days_by_a_confirmed_clock(path: Path) -> None:
    garbage(path)
    with closing(NodeLog(path, lambda *_: None, now=NOW)) as log:
        (aside,) = path.parent.glob("*.damaged-*")
        os.utime(aside, (NOW, NOW))
        log.purge(NOW + 60 * DAY)
        log.purge(NOW + 21 * DAY, confirmed=True)
        assert aside.exists()
        log.purge(NOW + 21 * DAY + 1, confirmed=True)
        assert not aside.exists()
