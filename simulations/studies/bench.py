"""CPU time and memory of the whole chain, for crowds of equal density and different size.

All times are CPU times of this process, since other programs disturb them less.
``additions_per_s`` helps to compare machines. The crowd leaves a stadium through a passage whose
width grows with the number of people, so density and walking times stay the same.
"""

from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass
from importlib import import_module
from time import process_time
from typing import Any, Final

import numpy as np
import simpy

from simulations.one_run import Run, run
from simulations.people.walking import move
from simulations.scores.scoring import ScoredLines, scores_of
from simulations.scores.tracing import list_run, open_run, trace
from simulations.scores.truth import ground_truth
from simulations.settings.scenario import Scenario, load_scenario
from simulations.streams import Streams
from simulations.studies.memory import peak_mb

PEOPLE_A_METRE: Final = 120.0
"""People for each metre of width; the shipped scenario has 600 on 5 m."""

WITHOUT_JUPEDSIM: Final = (
    "JuPedSim is not installed, so it is left out; to compare with it: pip install jupedsim"
)

_VECTORIZED: Final = "vectorized, whole chain"
_OBJECTS: Final = "objects, chain without scores"
_ADDITIONS: Final = 1_000_000
_JUPEDSIM_STEP_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Timing:
    """One measurement.

    Attributes:
        what: what was measured.
        people: number of people.
        simulated_s: simulated time.
        cpu_s: CPU time.
        people_s_per_cpu_s: people times simulated time, per CPU time.
        there_s_per_cpu_s: the same, counting people only while they are there.
        peak_mb: largest memory of the process so far, in megabytes.
        counts: work done, by name.
    """

    what: str
    people: int
    simulated_s: float
    cpu_s: float
    people_s_per_cpu_s: float
    there_s_per_cpu_s: float
    peak_mb: float
    counts: dict[str, float]

    def to_json(self) -> dict[str, object]:
        """Return the figures as the command line prints them."""
        return asdict(self)


def crowd_of(people: int, reach_m: float, duration_s: float | None = None) -> Scenario:
    """Return the stadium's exit with ``people`` people, at the density of the shipped scenario."""
    settings = {
        "count": str(people),
        "width_m": str(max(people / PEOPLE_A_METRE, 1.0)),
        "reach_m": str(reach_m),
    }
    if duration_s is not None:
        settings["duration_s"] = str(duration_s)
    return load_scenario("stadium-exit", settings)


def additions_per_s() -> float:
    """Return how many numbers a plain loop adds in a CPU second, as a measure of this machine."""
    began = process_time()
    total = 0
    for number in range(_ADDITIONS):
        total += number
    return _ADDITIONS / (process_time() - began)


def time_vectorized(people: int, reach_m: float, *, seed: int = 1) -> Timing:
    """Time the whole chain in columns: people, radio, TempIDs, logs, opening, lists, scores."""
    scenario = crowd_of(people, reach_m)
    began = process_time()
    played = run(scenario, seed=seed, fidelity="vectorized")
    ran = process_time()
    policy = scenario.policy.policy()
    listing = list_run(played, open_run(played), policy)
    listed = process_time()
    truth = ground_truth(played.tracks, policy.within_m, walls=played.venue.walls)
    scores_of(ScoredLines(listing, truth, played, policy), played.app)
    ended = process_time()
    stages = {
        "run_cpu_s": ran - began,
        "trace_cpu_s": listed - ran,
        "score_cpu_s": ended - listed,
        "lines_listed": len(listing.case),
    }
    return _timing(_VECTORIZED, played, ended - began, stages)


def time_objects(people: int, reach_m: float, *, seed: int = 1) -> Timing:
    """Time the same crowd with an object per phone, tracing one case after the other.

    Scores are left out.
    """
    scenario = crowd_of(people, reach_m)
    began = process_time()
    played = run(scenario, seed=seed, fidelity="object")
    ran = process_time()
    policy = scenario.policy.policy()
    listed = sum(len(trace(played, person, policy)) for person in played.app.tolist())
    ended = process_time()
    stages = {"run_cpu_s": ran - began, "trace_cpu_s": ended - ran, "lines_listed": listed}
    return _timing(_OBJECTS, played, ended - began, stages)


def time_movement(people: int, reach_m: float, *, seed: int = 1) -> Timing:
    """Time the people's movement alone."""
    scenario = crowd_of(people, reach_m)
    began = process_time()
    tracks = move(scenario, scenario.venue.room(), Streams(seed))
    there_s = float(tracks.present().sum()) * tracks.tick_s
    return _row("movement alone", people, scenario.duration_s, process_time() - began, there_s, {})


def time_jupedsim(people: int, simulated_s: float = 2.0) -> Timing | None:
    """Time JuPedSim while ``people`` people walk at once; None if it is not installed."""
    try:
        jupedsim: Any = import_module("jupedsim")
    except ImportError:
        return None
    side = float(np.sqrt(people / 0.5))  # half a person per square metre
    corners = [(0.0, 0.0), (2 * side, 0.0), (2 * side, side), (0.0, side)]
    simulation = jupedsim.Simulation(
        model=jupedsim.CollisionFreeSpeedModel(), geometry=corners, dt=_JUPEDSIM_STEP_S
    )
    end = [(2 * side - 1, 0.1), (2 * side - 0.1, 0.1), (2 * side - 0.1, side - 0.1)]
    stage = simulation.add_exit_stage([*end, (2 * side - 1, side - 0.1)])
    journey = simulation.add_journey(jupedsim.JourneyDescription([stage]))
    across = int(np.ceil(np.sqrt(people)))
    for person in range(people):
        row, column = divmod(person, across)
        place = ((column + 0.5) * side / across, (row + 0.5) * side / across)
        simulation.add_agent(
            jupedsim.CollisionFreeSpeedModelAgentParameters(
                position=place, journey_id=journey, stage_id=stage, desired_speed=1.34
            )
        )
    began = process_time()
    simulation.iterate(round(simulated_s / _JUPEDSIM_STEP_S))
    cpu_s = process_time() - began
    what = f"JuPedSim {jupedsim.__version__}, movement alone"
    counts = {"steps_per_s": 1 / _JUPEDSIM_STEP_S}
    return _row(what, people, simulated_s, cpu_s, people * simulated_s, counts)


def time_processes(people: int, simulated_s: float = 60.0) -> Timing:
    """Time SimPy processes that wake as often as phones advertise and scan, without radio."""
    env = simpy.Environment()
    woken = 0

    def wake(phase: float, every_s: float) -> Generator[simpy.Event, Any, None]:
        nonlocal woken
        yield env.timeout(phase * every_s)
        while True:
            woken += 1
            yield env.timeout(every_s)

    for phase in np.random.default_rng(1).random(people).tolist():
        env.process(wake(phase, 1.0))  # advertises
        env.process(wake(phase, 47.0))  # scans
    began = process_time()
    env.run(until=simulated_s)
    cpu_s = process_time() - began
    what = "SimPy process per phone, clock alone"
    return _row(what, people, simulated_s, cpu_s, people * simulated_s, {"events": woken})


def bench(
    people: int = 10_000,
    *,
    reach_m: float = 10.0,
    scaling: tuple[int, ...] = (1_000, 100_000),
    objects: int = 1_000,
    on_done: Callable[[Timing], None] | None = None,
    on_absent: Callable[[str], None] | None = None,
) -> list[Timing]:
    """Take all measurements in this process, one after the other.

    Args:
        people: size of the crowd in all measurements.
        reach_m: radio range, metres.
        scaling: further sizes of the vectorized crowd.
        objects: size of the crowd of objects; 0 for none.
        on_done: called with each measurement.
        on_absent: called with a hint how to install JuPedSim, if it is missing.
    """
    measured: list[Timing] = []

    def keep(timing: Timing | None) -> None:
        if timing is not None:
            measured.append(timing)
            if on_done is not None:
                on_done(timing)

    time_vectorized(200, reach_m)  # what is imported and drawn once is not what is measured
    for size in sorted({*(size for size in scaling if size < people), people}):
        keep(time_vectorized(size, reach_m))
    keep(time_movement(people, reach_m))
    pedestrians = time_jupedsim(people)
    keep(pedestrians)
    if pedestrians is None and on_absent is not None:
        on_absent(WITHOUT_JUPEDSIM)
    keep(time_processes(people))
    if objects:
        keep(time_objects(objects, reach_m))
    for size in sorted(size for size in scaling if size > people):
        keep(time_vectorized(size, reach_m))
    return measured


def times_as_fast(measured: list[Timing]) -> dict[int, float]:
    """Return the speed of columns over that of objects, by size, where both were measured."""
    by_size = {timing.people: timing for timing in measured if timing.what == _OBJECTS}
    return {
        timing.people: timing.people_s_per_cpu_s / by_size[timing.people].people_s_per_cpu_s
        for timing in measured
        if timing.what == _VECTORIZED and timing.people in by_size
    }


def _timing(what: str, played: Run, cpu_s: float, more: dict[str, float]) -> Timing:
    tracks, duration_s = played.tracks, played.scenario.duration_s
    there_s = float(tracks.present().sum()) * tracks.tick_s
    counts = {name: float(count) for name, count in played.counts.items()} | more
    return _row(what, tracks.people, duration_s, cpu_s, there_s, counts)


def _row(
    what: str, people: int, simulated_s: float, cpu_s: float, there_s: float, counts: dict[str, Any]
) -> Timing:
    speeds = people * simulated_s / cpu_s, there_s / cpu_s
    return Timing(what, people, simulated_s, cpu_s, *speeds, peak_mb(), counts)
