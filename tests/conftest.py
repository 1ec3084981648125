"""What many tests share."""

import gc
import hashlib
import os
import secrets
import shutil
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tracetogether.units import Entropy

if TYPE_CHECKING:  # a test without an authority does without its second of imports
    from playwright.sync_api import Browser

    from tests.authority_world import World
    from tracetogether.authority.cases.case import Case

SLOW_MS = 60_000  # of Chromium; a loaded machine is several times slower

# Everyday runs try the same examples each time. A nightly run with --hypothesis-profile=nightly
# tries new ones, and prints how to try a failing one again.
settings.register_profile("everyday", derandomize=True)
settings.register_profile("nightly", derandomize=False, print_blob=True)
settings.load_profile("everyday")


def counted_entropy(seed: int) -> Entropy:
    """Return reproducible bytes: for tests and simulations only."""
    count = 0

    def draw(size: int) -> bytes:
        nonlocal count
        count += 1
        return hashlib.shake_256(f"{seed}/{count}".encode()).digest(size)

    return draw


@pytest.fixture
def entropy() -> Entropy:
    return counted_entropy(0)


@pytest.fixture
def entropy_of() -> Callable[[int], Entropy]:
    return counted_entropy


@pytest.fixture
def world(entropy: Entropy) -> "World":
    """Return an authority on an empty SQLite store."""
    from tests.authority_world import World

    return World.of(entropy)


@pytest.fixture
def case(world: "World") -> "Case":
    """Open a case of that authority at noon."""
    from tests.authority_world import NOON
    from tracetogether.authority.access.permissions import CONSOLE

    return world.authority.casework.open_case(world.user(), NOON, by=CONSOLE)


@pytest.fixture(scope="session")
def recordings() -> Path:
    """Return the folder of recordings, or skip: they can't be part of the repository."""
    folder = os.environ.get("TRACETOGETHER_RECORDINGS")
    if not folder or not Path(folder).is_dir():
        pytest.skip("needs recordings: set TRACETOGETHER_RECORDINGS to a folder of them")
    return Path(folder)


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a folder for the front of PATH, whose `tracetogether` starts without its imports."""
    from tests.warm_commands import warm_commands

    with warm_commands(tmp_path_factory.mktemp("warm")) as folder:
        yield folder


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the path of a Chromium, or skip."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("needs Chromium: install Debian's package chromium (.ci/run does)")
    return found


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator["Browser"]:
    """Return a running Chromium that waits long enough for a loaded machine."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=SLOW_MS)
    with sync_playwright() as driver:
        launched = driver.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-dev-shm-usage"],
            timeout=2 * SLOW_MS,
        )
        yield launched
        launched.close()


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """Return the URL of an empty schema of its own on a PostgreSQL server, or skip."""
    with empty_schema() as url:
        yield url


@contextmanager
def empty_schema() -> Iterator[str]:
    """Yield the URL of an empty schema on a PostgreSQL server, or skip; drop it at the end."""
    import psycopg

    from tests.postgres_copies import server_url

    server = server_url()
    schema = f"test_{secrets.token_hex(8)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
        mark = "&" if "?" in server else "?"
        yield f"{server}{mark}options=-csearch_path%3D{schema}"
        connection.execute(f"DROP SCHEMA {schema} CASCADE")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Import all tests without looking for garbage, and never look at what they made again.

    Modules and tests are millions of objects that stay until the end. Each full search for garbage
    would go through them: a second of CPU time, several times in some tests.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.collect()
        gc.freeze()


def pytest_itemcollected(item: pytest.Item) -> None:
    """Tell the tests of one schema's operations apart.

    They come with one id for all, and a run on several processes takes those for one test.
    """
    label, name = getattr(item, "operation_label", None), getattr(item, "id", None)
    if label is not None and name is not None and name.params is None:
        item._id = name.with_params(label)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse two tests of one id: several processes would run one of them and pass over the other.

    Raises:
        pytest.UsageError: with the ids.
    """
    twice = [name for name, count in Counter(item.nodeid for item in items).items() if count > 1]
    if twice:
        msg = f"several tests have the id {', '.join(twice)}: give each its own"
        raise pytest.UsageError(msg)
    if "PYTEST_XDIST_WORKER" in os.environ:
        _slow_files_first(items)


def _slow_files_first(items: list[pytest.Item]) -> None:
    """Sort files by how long they take, about, so that no process ends with a long one alone.

    It holds for `--no-loadscope-reorder`: without it xdist begins with files of many tests.
    """
    weight = Counter[str]()
    for item in items:
        weight[str(item.path)] += 20 if item.get_closest_marker("slow") else 1
    items.sort(key=lambda item: -weight[str(item.path)])  # stable: a file's tests stay together
