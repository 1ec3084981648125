"""One city over several processes, and over the workers of a Dask cluster on this machine."""

import gc
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from simulations.city import City, processes, run
from simulations.city.calibration import attempt_scale
from simulations.city.network import Network
from simulations.city.run import run_city
from simulations.city.scenario import load_city
from simulations.city.tracing import Named
from simulations.city.transmission import Effect
from simulations.studies import executors
from tests.simulations.test_cluster import scheduler, worker
from tracetogether.cli.city import city
from tracetogether.errors import UnreachableError
from tracetogether.units import Ints

TOWN = load_city(
    "test-town",
    {
        "people.count": "2000",
        "days": "25",
        "reproduction_number": "4",
        "tests.share": "0.9",
        "app.adoption": "0.6",
        "household_quarantine.compliance": "0.7",
    },
)
SCALE = attempt_scale(TOWN)
SHARED = Path("/dev/shm")  # noqa: S108 - only listed


def shared_memory() -> list[str]:
    """Return the anonymous files of runs that this process holds."""
    if sys.platform != "linux":
        return []
    listed = [str(file.readlink()) for file in Path("/proc/self/fd").iterdir() if file.is_symlink()]
    return [name for name in listed if "tracetogether-city" in name]


def test_two_processes_give_the_digest_of_one() -> None:
    whole = run_city(TOWN, seed=2, scale=SCALE)
    divided = run_city(TOWN, seed=2, scale=SCALE, processes=2, bounds=(0, 700, 2_000))
    assert divided.digest == whole.digest
    assert divided.costs == whole.costs
    assert divided.costs.warned > 100
    assert divided.peak_mb > 2 * 50, "three processes have at least 50 MB each"
    assert divided.cpu_s > whole.cpu_s
    assert len(shared_memory()) == (sys.platform == "linux")
    del divided
    assert shared_memory() == []
    assert multiprocessing.active_children() == []


@pytest.mark.slow
def test_processes_without_shared_memory_send_their_people(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(processes.os, "memfd_create")
    divided = run_city(TOWN, seed=2, scale=SCALE, processes=3)
    assert divided.digest == run_city(TOWN, seed=2, scale=SCALE).digest


@pytest.mark.slow
def test_the_command_divides_a_city() -> None:
    words = ["run", "test-town", "--people", "400", "--days", "8", "--json"]
    one, two = (
        json.loads(CliRunner().invoke(city, [*words, "--processes", number]).stdout)
        for number in ("1", "2")
    )
    assert one["digest"] == two["digest"]
    town = City.load("test-town", {"people.count": "400", "days": "8"})
    assert run(town, processes=2).figures["digest"] == one["digest"]
    assert two["peak_mb"] > one["peak_mb"]


@dataclass(frozen=True)
class Ends:
    """Ends the second process on day 9 by a signal, or by an error of its own."""

    signal: int | None
    delay_days: int = 0
    quarantine_days: int = 0

    def left(self, _day: int, effect: Effect) -> Effect:
        return effect

    def named(self, _network: Network, _seed: int, _cases: Ints, day: int) -> Named:
        if day == 9 and multiprocessing.current_process().name == "process 2 of 2":
            if self.signal is None:
                raise MemoryError("no more")
            os.kill(os.getpid(), self.signal)
        return Named.joined([])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "words"),
    [(signal.SIGKILL, "by the signal SIGKILL"), (None, "with exit code 1")],
)
def test_a_process_that_ends_early_is_an_error_that_leaves_nothing(
    how: int | None, words: str
) -> None:
    with pytest.raises(UnreachableError, match=f"process 2 of 2 of the city ended {words}") as said:
        run_city(TOWN, seed=2, scale=SCALE, processes=2, measures=[Ends(how)])
    assert "fewer people or fewer processes" in str(said.value)
    del said
    gc.collect()
    assert multiprocessing.active_children() == []
    assert shared_memory() == []


def files_in_memory(processes: list[int]) -> set[Path]:
    """Return the files in shared memory that these processes have mapped; others have their own."""
    found = set()
    for process in processes:
        with suppress(OSError):  # it ended meanwhile
            mapped = Path(f"/proc/{process}/maps").read_text("ascii").split()
            found |= {Path(word) for word in mapped if word.startswith(f"{SHARED}/")}
    return found


def running_shards(parent: int) -> list[int]:
    """Return the processes of ``parent`` that have mapped the people's memory."""
    listed = Path(f"/proc/{parent}/task/{parent}/children").read_text("ascii").split()
    found = []
    for child in listed:
        with suppress(OSError):  # it ended meanwhile
            if "tracetogether-city" in Path(f"/proc/{child}/maps").read_text("ascii"):
                found.append(int(child))
    return found


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_stopped_leaves_no_process_and_no_memory(how: signal.Signals) -> None:
    """Ctrl-C reaches all processes of a terminal at once; the others only the first."""
    words = "-m tracetogether city run test-town --people 500000 --days 600 --processes 2"
    run = subprocess.Popen(
        [sys.executable, *words.split()], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        deadline = time.monotonic() + 300  # a busy machine
        while len(started := running_shards(run.pid)) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        named = files_in_memory([run.pid, *started])
        if how == signal.SIGINT:
            os.killpg(run.pid, how)
        else:
            run.send_signal(how)
        _, said = run.communicate(timeout=300)
    finally:
        run.kill()
    assert run.returncode != 0
    assert "Traceback" not in said
    deadline = time.monotonic() + 300  # a busy machine
    while any(Path(f"/proc/{child}").exists() for child in started):
        assert time.monotonic() < deadline, "a shard goes on alone"
        time.sleep(0.05)
    assert not [file for file in named if file.exists()]


@pytest.mark.slow
@pytest.mark.network
def test_dask_workers_give_the_digest_of_one_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed", reason="needs the cluster extra")
    monkeypatch.setattr(executors, "ANSWER_S", 60.0)
    whole = run_city(TOWN, seed=2, scale=SCALE)
    with ExitStack() as stack:
        _, address = stack.enter_context(scheduler(tmp_path / "scheduler"))
        for name in ("one", "two"):
            stack.enter_context(worker(address, tmp_path / name))
        bounds = (0, 1, 900, 2_000)
        divided = run_city(TOWN, seed=2, scale=SCALE, cluster=address, bounds=bounds)
        assert divided.digest == whole.digest
        assert divided.costs == whole.costs
        again = run_city(TOWN, seed=2, scale=SCALE, cluster=address, processes=2)
        assert again.digest == whole.digest
        np.testing.assert_array_equal(again.people.source, whole.people.source)


@pytest.mark.slow
@pytest.mark.network
def test_a_dask_worker_that_goes_away_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed", reason="needs the cluster extra")
    monkeypatch.setattr(executors, "ANSWER_S", 60.0)
    with ExitStack() as stack:
        _, address = stack.enter_context(scheduler(tmp_path / "scheduler"))
        stack.enter_context(worker(address, tmp_path / "one"))
        measures = [Dies()]
        with pytest.raises(UnreachableError, match="lost shard 1 of 1 of the city") as said:
            run_city(TOWN, seed=2, scale=SCALE, cluster=address, measures=measures)
    assert "\n" not in str(said.value)


@dataclass(frozen=True)
class Dies(Ends):
    """Kills the Dask worker on day 9."""

    signal: int | None = signal.SIGKILL

    def named(self, _network: Network, _seed: int, _cases: Ints, day: int) -> Named:
        if day == 9:
            os.kill(os.getpid(), signal.SIGKILL)
        return Named.joined([])
