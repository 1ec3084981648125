"""Authorities that tests of backups restore, at a time that the test sets."""

from pathlib import Path

import pytest

from tests.restored_desk import Clock, RestoredDesk, traced


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("time.time", made)
    return made


@pytest.fixture(params=["sqlite", "postgres"])
def desk(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> RestoredDesk:
    """An authority with a case, a log and a contact, on either database."""
    del clock
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else None
    made = RestoredDesk(tmp_path / "desk", url).make()
    made.work(traced)
    return made


@pytest.fixture
def sqlite_desk(tmp_path: Path, clock: Clock) -> RestoredDesk:
    """An authority with a case, a log and a contact, on SQLite."""
    del clock
    made = RestoredDesk(tmp_path / "desk").make()
    made.work(traced)
    return made
