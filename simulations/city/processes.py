"""The shards of a city in processes of this machine, with everybody's state in shared memory.

The memory is an anonymous file (``memfd_create``): it has no name, so nothing is left behind,
however the run ends. It does not count against the limit of /dev/shm, which is small in containers.
Systems other than Linux have no such file; there, each process sends its people's state at the end.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from mmap import mmap
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final

from simulations.city.people import People
from simulations.city.remote_shards import (
    Letters,
    RemoteRun,
    RemoteShard,
    ShardReport,
    run_to_the_end,
)
from simulations.city.shard import ShardPlan
from tracetogether.errors import UnreachableError

_END_S: Final = 5.0  # in which a process has to end after its report


def in_processes(plan: ShardPlan) -> RemoteRun:
    """Run each shard in a process of its own.

    Raises:
        UnreachableError: a process was killed, or failed.
    """
    people = plan.scenario.people.count
    with ExitStack() as stack:
        path, memory = stack.enter_context(_shared_memory(People.memory_for(people)))
        lines = [
            stack.enter_context(_shard_process(plan, number, path)) for number in range(plan.shards)
        ]
        reports = run_to_the_end(lines)
    shared = None if memory is None else memoryview(memory)
    return RemoteRun.of(plan, reports, People(people, slice(0, 0), shared))


@contextmanager
def _shared_memory(size: int) -> Iterator[tuple[str | None, mmap | None]]:
    """Yield a path under which other processes can map the memory, and the memory; or None.

    The memory lives as long as something uses it; only the path ends with the context.
    """
    if not hasattr(os, "memfd_create") or not Path("/proc/self/fd").is_dir():
        yield None, None
        return
    file = os.memfd_create("tracetogether-city")
    try:
        os.ftruncate(file, size)
        yield f"/proc/{os.getpid()}/fd/{file}", mmap(file, size)
    finally:
        os.close(file)


class _ProcessLine:
    """The connection to the process of one shard."""

    def __init__(self, process: BaseProcess, pipe: Connection) -> None:
        self._process, self._pipe = process, pipe

    def send(self, letters: Letters) -> None:
        """Let the shard take a step.

        Raises:
            UnreachableError: the process ended.
        """
        try:
            self._pipe.send(letters)
        except OSError:
            raise self._lost() from None

    def receive(self) -> Letters | ShardReport:
        """Wait for the end of the step.

        Raises:
            UnreachableError: the process ended.
        """
        try:
            said: Letters | ShardReport = self._pipe.recv()
        except (EOFError, OSError):
            raise self._lost() from None
        return said

    def _lost(self) -> UnreachableError:
        self._process.join(_END_S)
        code = self._process.exitcode
        how = f"with exit code {code}"
        if code is not None and code < 0:
            how = f"by the signal {signal.Signals(-code).name}"
        return UnreachableError(
            f"{self._process.name} of the city ended {how} before the run was over, so there is no "
            "result. If the system had too little memory, run fewer people or fewer processes"
        )


@contextmanager
def _shard_process(plan: ShardPlan, number: int, path: str | None) -> Iterator[_ProcessLine]:
    """Run a shard in a fresh process while the context lasts."""
    context = get_context("spawn")  # nothing of this process's state, on any system
    here, there = context.Pipe()
    name = f"process {number + 1} of {plan.shards}"
    process = context.Process(
        target=_serve, args=(plan, number, name, path, there), name=name, daemon=True
    )
    with _without_interrupts():
        process.start()
    there.close()
    try:
        yield _ProcessLine(process, here)
        process.join(_END_S)
    finally:
        here.close()
        process.kill()
        process.join()
        process.close()


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Keep Ctrl-C from processes that start here: the process that started them stops them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # it would let Ctrl-C through when it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(plan: ShardPlan, number: int, name: str, path: str | None, pipe: Connection) -> None:
    """Run one shard in this process, and answer through the pipe until it has reported."""
    memory = None
    if path is not None:
        try:
            file = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            return  # the process that started the run has ended
        memory = memoryview(mmap(file, 0))
        os.close(file)
    shard = RemoteShard(plan, number, name, memory)
    with suppress(EOFError, ConnectionError):  # the process that started the run ended
        while not isinstance(said := shard.step(pipe.recv()), ShardReport):
            pipe.send(said)
        pipe.send(replace(said, cpu_s=time.process_time()))
