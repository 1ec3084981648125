"""Authorities that tests of backups restore, at a time that the test sets."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres_copies import copied_database, new_database
from tests.restored_desk import Clock, RestoredDesk, traced


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("time.time", made)
    return made


def made_once(folder: Path, url: str | None) -> RestoredDesk:
    """Make an authority with a case, a log and a contact; tests take copies of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("time.time", Clock())
        made = RestoredDesk(folder / "desk", url).make()
        made.work(traced)
    return made


@pytest.fixture(scope="session")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> RestoredDesk:
    return made_once(tmp_path_factory.mktemp("sqlite"), None)


@pytest.fixture(scope="session")
def on_postgres(tmp_path_factory: pytest.TempPathFactory) -> RestoredDesk:
    return made_once(tmp_path_factory.mktemp("postgres"), new_database())


@pytest.fixture(params=["sqlite", "postgres"])
def desk(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[RestoredDesk]:
    """An authority with a case, a log and a contact, on either database."""
    del clock
    made: RestoredDesk = request.getfixturevalue(f"on_{request.param}")
    folder = shutil.copytree(made.folder, tmp_path / "desk")
    if made.url is None:
        yield RestoredDesk(folder)
        return
    with copied_database(made.url) as url:
        (folder / "database.url").write_text(url)
        yield RestoredDesk(folder, url)


@pytest.fixture
def sqlite_desk(on_sqlite: RestoredDesk, tmp_path: Path, clock: Clock) -> RestoredDesk:
    """An authority with a case, a log and a contact, on SQLite."""
    del clock
    return RestoredDesk(shutil.copytree(on_sqlite.folder, tmp_path / "desk"))
