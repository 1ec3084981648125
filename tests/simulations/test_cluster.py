"""Sweeps on a real Dask cluster on the loopback address: a scheduler and workers as processes."""

import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from simulations.settings.scenario import scenario_text
from simulations.studies import executors
from simulations.studies.sweep import digest, plan, play, sweep
from tracetogether.errors import StoreError, UnreachableError

pytest.importorskip("distributed", reason="needs the cluster extra")
pytestmark = [pytest.mark.network, pytest.mark.slow]

ROOT = Path(__file__).parent.parent.parent
QUICK = {"duration_s": "60", "count": "12", "policy.minutes": "0.5"}


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a busy machine time: only what does not answer at all is to be refused."""
    monkeypatch.setattr(executors, "ANSWER_S", 60.0)


@contextmanager
def process(cli: str, *words: str, folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a command of Dask's in a folder; yield it and the address that it prints."""
    folder.mkdir(exist_ok=True)
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(folder)}
    child = subprocess.Popen(
        [sys.executable, "-m", f"distributed.cli.{cli}", *words],
        cwd=folder,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stderr is not None
    try:
        for line in child.stderr:
            if found := re.search(r"(?:Scheduler|Start worker) at: +(tcp://[\d.:]+)", line):
                yield child, found[1]
                return
        raise AssertionError("it ended before it said its address")
    finally:
        child.kill()
        child.wait()
        child.stderr.close()


@contextmanager
def scheduler(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    words = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show")
    with process("dask_scheduler", *words, folder=folder) as started:
        yield started


@contextmanager
def worker(address: str, folder: Path, *words: str) -> Iterator[str]:
    words = (address, "--no-nanny", "--nthreads", "1", "--no-dashboard", *words)
    with process("dask_worker", *words, folder=folder) as (_, mine):
        yield mine


def test_two_workers_in_other_folders_give_the_local_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scenario's file lies where only this process looks, and is gone before it is played."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(home)
    file = Path("school.toml")
    file.write_text(scenario_text("train-carriage").text.replace("ios = 0.35", "ios = 0.9"))
    parts = plan("school.toml", {"adoption": ["0.5", "1"]}, seeds=2, settings=QUICK, cases=2)
    here = sweep(parts)
    file.unlink()
    with ExitStack() as stack:
        _, address = stack.enter_context(scheduler(tmp_path / "scheduler"))
        for name in ("one", "two"):
            stack.enter_context(worker(address, tmp_path / name))
        there = sweep(parts, cluster=address)
    assert there == here
    assert digest(there) == digest(here)


def test_a_worker_of_another_version_is_refused(tmp_path: Path) -> None:
    (part,) = plan("train-carriage", {"adoption": ["1"]}, seeds=1, settings=QUICK, cases=2)
    older = tmp_path / "older.py"
    older.write_text("import tracetogether\ntracetogether.__version__ = '0.0.1'\n")
    with scheduler(tmp_path / "scheduler") as (_, address):
        with worker(address, tmp_path / "one", "--preload", str(older)) as mine:
            with pytest.raises(StoreError, match=r"would not play the same.*0\.0\.1") as refused:
                sweep([part], cluster=address)
            assert mine in str(refused.value)
            assert "\n" not in str(refused.value)
            with executors._connected(executors.import_module("distributed"), address) as client:
                row = client.submit(play, part).result()  # it came after the sweep had asked
        assert "StoreError: this worker would not play the same" in row["error"]


def test_a_worker_without_this_library_is_refused(tmp_path: Path) -> None:
    (part,) = plan("train-carriage", {"adoption": ["1"]}, seeds=1, settings=QUICK, cases=2)
    absent = tmp_path / "absent.py"
    absent.write_text("import sys\nsys.modules['simulations'] = None\n")
    with (
        scheduler(tmp_path / "scheduler") as (_, address),
        worker(address, tmp_path / "one", "--preload", str(absent)),
        pytest.raises(StoreError, match="tracetogether is missing there or older"),
    ):
        sweep([part], cluster=address)


def test_a_scheduler_that_does_not_answer_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executors, "ANSWER_S", 1.0)
    parts = plan("train-carriage", {"adoption": ["1"]}, seeds=1, settings=QUICK, cases=2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        mute = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        for address in (mute, "tcp://127.0.0.1:1", "nowhere", "foo://127.0.0.1:1"):
            began = time.monotonic()
            with pytest.raises(UnreachableError, match="no Dask scheduler answered") as said:
                sweep(parts, cluster=address)
            assert time.monotonic() - began < 120  # a client of Dask's own waits for ever
            assert "\n" not in str(said.value)
            assert "`dask scheduler`" in str(said.value)
    monkeypatch.setattr(executors, "ANSWER_S", 4.0)
    with (
        scheduler(tmp_path / "scheduler") as (_, address),
        pytest.raises(UnreachableError, match="has no worker: start one with `dask worker tcp:"),
    ):
        sweep(parts, cluster=address)


def test_a_scheduler_that_goes_away_is_one_line(tmp_path: Path) -> None:
    parts = plan(
        "train-carriage", {"adoption": ["1"]}, seeds=40, settings=QUICK | {"duration_s": "600"}
    )
    with scheduler(tmp_path / "scheduler") as (child, address), worker(address, tmp_path / "one"):

        def kill(done: int, _: int) -> None:
            if done == 1:
                child.kill()

        with pytest.raises(UnreachableError, match="went away") as said:
            sweep(parts, cluster=address, folder=tmp_path / "kept", on_progress=kill)
    assert "\n" not in str(said.value)
    assert len(list((tmp_path / "kept").glob("part-*.json"))) >= 1
