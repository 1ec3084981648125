"""Small scenarios and runs that many tests share."""

from collections.abc import Callable
from dataclasses import replace
from time import process_time

import pytest

from simulations.one_run import Run, run
from simulations.settings.scenario import Scenario, load_scenario


@pytest.fixture(scope="session")
def carriage() -> Scenario:
    return load_scenario("train-carriage")


def shorter(scenario: Scenario, *, duration_s: float = 420.0, people: int = 16) -> Scenario:
    return replace(
        scenario,
        name="short",
        duration_s=duration_s,
        people=replace(scenario.people, count=people),
        venue=replace(
            scenario.venue, length_m=12.0, doors_per_side=2, seats_per_bench=7, standing_places=12
        ),
        policy=replace(scenario.policy, minutes=4.0, name="2m-4min"),
    )


@pytest.fixture(scope="session")
def short(carriage: Scenario) -> Scenario:
    """Seven minutes, sixteen people: the whole chain in a second."""
    return shorter(carriage)


@pytest.fixture(scope="session")
def shortened() -> Callable[..., Scenario]:
    return shorter


@pytest.fixture(scope="session")
def short_run(short: Scenario) -> Run:
    return run(short, seed=1)


@pytest.fixture(scope="session")
def _timed_full_run(carriage: Scenario) -> tuple[Run, float]:
    began = process_time()
    played = run(carriage, seed=1)
    return played, process_time() - began


@pytest.fixture(scope="session")
def full_run(_timed_full_run: tuple[Run, float]) -> Run:
    return _timed_full_run[0]


@pytest.fixture(scope="session")
def full_run_cpu_s(_timed_full_run: tuple[Run, float]) -> float:
    return _timed_full_run[1]
