"""The shards of a city on the workers of a Dask cluster.

Each shard is an actor: an object that stays on one worker. Shards go to workers in turn. Rows go
through this process, and each shard sends the state of its people at the end.
"""

from typing import Any, Final

from simulations.city.people import People
from simulations.city.remote_shards import (
    Letters,
    RemoteRun,
    RemoteShard,
    ShardReport,
    run_to_the_end,
)
from simulations.city.shard import ShardPlan
from simulations.provenance import city_provenance
from simulations.studies.executors import dask_cluster, one_line
from tracetogether.errors import UnreachableError

_LOOK_S: Final = 2.0  # between two looks whether a worker is still there


def on_cluster(plan: ShardPlan, cluster: str) -> RemoteRun:
    """Run shards on the workers of the Dask cluster at an address.

    Raises:
        MissingExtraError: Dask is not installed.
        UnreachableError: the cluster does not answer, has no worker, or lost one.
        StoreError: a worker of the cluster has another version, other code or other tables.
    """
    with dask_cluster(cluster, city_provenance) as client, client.as_current():
        workers = _workers(client)
        lines = [
            _WorkerLine(client, plan, number, workers[number % len(workers)])
            for number in range(plan.shards)
        ]
        reports = run_to_the_end(lines)
    return RemoteRun.of(plan, reports, People(plan.scenario.people.count, slice(0, 0)))


def _workers(client: Any) -> list[str]:  # noqa: ANN401 - Dask has no types
    return sorted(client.scheduler_info(n_workers=-1)["workers"])


class _WorkerLine:
    """The connection to a shard on a Dask worker."""

    def __init__(self, client: Any, plan: ShardPlan, number: int, worker: str) -> None:  # noqa: ANN401 - same
        self._client, self._worker = client, worker
        self._name = f"shard {number + 1} of {plan.shards} of the city"
        made = client.submit(
            RemoteShard, plan, number, worker, actor=True, workers=[worker], pure=False
        )
        self._shard = self._answer_of(made)
        self._step: Any = None

    def send(self, letters: Letters) -> None:
        """Let the shard take a step."""
        self._step = self._shard.step(letters)

    def receive(self) -> Letters | ShardReport:
        """Wait for the end of the step.

        Raises:
            UnreachableError: the worker or the scheduler went away, or the shard failed.
        """
        said: Letters | ShardReport = self._answer_of(self._step)
        return said

    def _answer_of(self, future: Any) -> Any:  # noqa: ANN401 - same
        while True:
            try:
                return future.result(timeout=_LOOK_S)
            except TimeoutError:
                # Dask would wait for ever for a worker to come back, but its shard is lost.
                if self._worker not in _workers(self._client):
                    raise self._lost("it went away") from None
            except Exception as error:
                raise self._lost(one_line(error)) from error

    def _lost(self, reason: str) -> UnreachableError:
        return UnreachableError(
            f"the Dask worker {self._worker} lost {self._name}, so there is no result: {reason}"
        )
