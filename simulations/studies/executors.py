"""Executors for a sweep or a city: processes of this machine, or the workers of a Dask cluster."""

import asyncio
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from importlib import import_module
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import Any, Final, TypeVar, cast

from simulations.provenance import Provenance, provenance
from tracetogether.errors import MissingExtraError, StoreError, UnreachableError

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")

ANSWER_S: Final = 10.0
"""Seconds in which a scheduler, and then its first worker, has to answer."""


@contextmanager
def executor_of(workers: int, cluster: str | None) -> Iterator[Executor]:
    """Yield an executor of ``workers`` processes, or of the Dask cluster at that address.

    Raises:
        MissingExtraError: Dask is not installed.
        UnreachableError: the cluster does not answer, or has no worker.
        StoreError: a worker of the cluster has another version, other code or other tables.
    """
    if cluster is None:
        # Fresh processes: nothing of this one's state, on any system.
        context = get_context("spawn")
        with ProcessPoolExecutor(
            workers, mp_context=context, initializer=end_with_parent
        ) as executor:
            yield executor
        return
    with dask_cluster(cluster, provenance) as client:
        yield cast("Executor", _DaskExecutor(client))


def run_all(
    call: Callable[[_Task], _Result],
    tasks: Sequence[_Task],
    workers: int,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[_Result]:
    """Return the result of each task, in their order.

    Args:
        call: works on a task; a function of a module, so that a process can find it.
        tasks: what to work on.
        workers: number of processes; 1 works in this process.
        on_progress: called with (tasks done, tasks in all).
    """
    results: dict[int, _Result] = {}

    def keep(place: int, result: _Result) -> None:
        results[place] = result
        if on_progress is not None:
            on_progress(len(results), len(tasks))

    if workers == 1:
        for place, task in enumerate(tasks):
            keep(place, call(task))
    elif tasks:
        with executor_of(workers, None) as executor:
            waiting = {executor.submit(call, task): place for place, task in enumerate(tasks)}
            for future in as_completed(waiting):
                keep(waiting[future], future.result())
    return [results[place] for place in range(len(tasks))]


def end_with_parent() -> None:
    """End this process as soon as the process that started it ends, even if that was killed.

    Without it, a worker of a killed command waits for its next task forever: it holds both ends of
    the queue, so the queue never closes.
    """
    parent = parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os._exit(1)  # from a thread, nothing else ends the process

    Thread(target=wait, daemon=True).start()


@contextmanager
def dask_cluster(cluster: str, made_by: Callable[[], Provenance]) -> Iterator[Any]:
    """Yield Dask's client of a cluster whose workers have the code of this process.

    Args:
        cluster: address of the scheduler.
        made_by: returns the code and tables that matter; called here and by each worker.

    Raises:
        MissingExtraError: Dask is not installed.
        UnreachableError: the cluster does not answer, or has no worker.
        StoreError: a worker of the cluster has another version, other code or other tables.
    """
    try:
        dask: Any = import_module("distributed")
    except ImportError:
        raise MissingExtraError("A run on a cluster", "cluster") from None
    with _connected(dask, cluster) as client:
        _expect_the_same_code(client, cluster, made_by)
        yield client


def results_of(
    work: Callable[[_Task], _Result],
    tasks: Sequence[_Task],
    workers: int,
    on_done: Callable[[int, int], None] | None = None,
) -> list[_Result]:
    """Return the result of each task in order, computed by ``workers`` processes.

    Args:
        work: a function of a module, so that other processes can find it.
        tasks: its arguments.
        workers: number of processes; one computes in this process.
        on_done: called with (tasks done, tasks in all).
    """
    found: list[_Result] = []

    def keep(results: Iterator[_Result]) -> None:
        for result in results:
            found.append(result)
            if on_done is not None:
                on_done(len(found), len(tasks))

    if workers == 1 or len(tasks) == 1:
        keep(map(work, tasks))
        return found
    with executor_of(min(workers, len(tasks)), None) as executor:
        keep(executor.map(work, tasks))
    return found


@contextmanager
def _connected(dask: Any, cluster: str) -> Iterator[Any]:  # noqa: ANN401 - Dask has no types
    with _quiet():
        try:
            asyncio.run(_expect_an_answer(dask, cluster))
            client = dask.Client(cluster, timeout=ANSWER_S, set_as_default=False)
        except Exception as error:  # noqa: BLE001 - anything may listen at an address
            raise UnreachableError(
                f"no Dask scheduler answered at {cluster} within {ANSWER_S:g} s "
                f"({one_line(error)}): start one with `dask scheduler`, and give --cluster the "
                "address that it prints, such as tcp://10.0.0.5:8786"
            ) from None
        try:
            try:
                client.wait_for_workers(1, timeout=ANSWER_S)
            except TimeoutError:
                raise UnreachableError(
                    f"the Dask scheduler at {cluster} has no worker: start one with "
                    f"`dask worker {cluster}` where this version of tracetogether is installed"
                ) from None
            yield client
        finally:
            client.close(timeout=ANSWER_S)


async def _expect_an_answer(dask: Any, cluster: str) -> None:  # noqa: ANN401 - Dask has no types
    """Check that a scheduler answers, since a client waits forever for a silent address.

    Raises:
        OSError: nothing listens there, or no scheduler.
        TimeoutError: nothing answers.
    """

    async def ask() -> str:
        async with dask.rpc(cluster, timeout=ANSWER_S) as peer:
            return str((await peer.identity())["type"])

    if (kind := await asyncio.wait_for(ask(), ANSWER_S)) != "Scheduler":
        raise OSError(f"there is a {kind}, not a scheduler")


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence Dask's log; errors here are reported in one line."""
    log = logging.getLogger("distributed")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)


def _expect_the_same_code(
    client: Any,  # noqa: ANN401 - Dask has no types
    cluster: str,
    made_by: Callable[[], Provenance],
) -> None:
    """Refuse a cluster with a worker of another version, code or tables."""
    try:
        answers = client.run(made_by, on_error="return")
    except Exception as error:  # noqa: BLE001 - an old version may fail in any way
        answers = {cluster: error}
    for worker, answer in answers.items():
        if isinstance(answer, Provenance):
            differs = answer.differences(made_by())
        else:
            differs = [f"tracetogether is missing there or older ({one_line(answer)})"]
        if differs:
            raise StoreError(
                f"the Dask worker {worker} would not play the same: {'; '.join(differs)}. Install "
                "the same version of tracetogether and of its libraries there, and start it again"
            )


def one_line(error: object) -> str:
    """Return an error's text in one line; its name if it has none."""
    return " ".join(str(error).split()) or type(error).__name__


class _DaskExecutor:
    """The part of the executor interface that a sweep needs, around Dask's own futures."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - Dask has no types
        self._executor = client.get_executor(pure=False)

    def submit(self, call: Callable[[Any], Any], part: object) -> Any:  # noqa: ANN401 - same
        """Return the future of ``call(part)``."""
        return self._executor.submit(call, part)
