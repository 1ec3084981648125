"""Many runs of cities on several processes or on the workers of a Dask cluster."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

from simulations.city.calibration import attempt_scale
from simulations.city.keys import CityScenario
from simulations.city.results import findings
from simulations.city.run import run_city
from simulations.studies.executors import executor_of
from tracetogether.errors import ScenarioError, StoreError


@dataclass(frozen=True, slots=True)
class CityTask:
    """One run that is to be made.

    Attributes:
        scenario: what to run.
        seed: of all random numbers.
        scale: as ``attempt_scale`` returns it for the scenario.
    """

    scenario: CityScenario
    seed: int
    scale: float


def tasks_of(scenarios: Sequence[CityScenario], seeds: Sequence[int]) -> list[CityTask]:
    """Return a task for each seed and scenario: all scenarios with the first seed come first.

    A city's infectiousness depends on people, contacts and disease alone. So scenarios that share
    them are calibrated once.

    Raises:
        ScenarioError: there is no seed.
    """
    if not seeds:
        raise ScenarioError("a sweep or comparison needs one seed or more: give seeds=1 or more")
    scales: dict[object, float] = {}
    for scenario in scenarios:
        key = _calibrated_by(scenario)
        if key not in scales:
            scales[key] = attempt_scale(scenario)
    return [
        CityTask(scenario, seed, scales[_calibrated_by(scenario)])
        for seed in seeds
        for scenario in scenarios
    ]


def _calibrated_by(scenario: CityScenario) -> object:
    return scenario.people, scenario.contacts, scenario.disease


def run_tasks(
    tasks: Sequence[CityTask],
    *,
    workers: int,
    cluster: str | None = None,
    on_found: Callable[[int, Mapping[str, Any]], None],
) -> None:
    """Run tasks, and give each one's findings to ``on_found`` as soon as they are there.

    Args:
        tasks: the runs.
        workers: number of processes; 1 runs in this process.
        cluster: address of a Dask scheduler, used instead of processes here.
        on_found: called with the task's index and its findings.

    Raises:
        ScenarioError: the number of workers is below 1.
        StoreError: a process was ended from outside.
        UnreachableError: the cluster does not answer.
        MissingExtraError: Dask is not installed.
    """
    if workers < 1:
        raise ScenarioError(f"workers is 1 or more, not {workers}")
    if cluster is None and (workers == 1 or len(tasks) == 1):
        for index, task in enumerate(tasks):
            on_found(index, findings_of(task))
        return
    if not tasks:
        return
    with executor_of(min(workers, len(tasks)), cluster) as executor:
        waiting = {executor.submit(findings_of, task): index for index, task in enumerate(tasks)}
        try:
            for future in as_completed(waiting):
                on_found(waiting[future], future.result())
        except BrokenProcessPool:
            raise StoreError(
                "a process of this command was ended from outside, perhaps for lack of memory: "
                "use fewer --workers; a sweep with --out goes on from what it kept"
            ) from None
        finally:
            for future in waiting:  # after an error or Ctrl-C, begin no other run
                future.cancel()


def findings_of(task: CityTask) -> dict[str, Any]:
    """Run one task, and return what ``findings`` says of it."""
    return findings(run_city(task.scenario, seed=task.seed, scale=task.scale))
