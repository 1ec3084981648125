"""A city beside three publications about apps, with their settings: ours, theirs, agrees.

Each publication is run twice: with the share of contacts that its authors assume the app captures,
and with what the radio finds (the detection table that comes with the library). Runs of different
adoptions have the same seeds, and differences are taken seed by seed.

An epidemic counts as suppressed if it has fewer new infections in its last days than in the first
days with the app. One that is over before the app begins counts as not suppressed: nothing was left
to suppress.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from simulations.city.calibration import attempt_scale
from simulations.city.detection import BANDS, SETTINGS, SYSTEMS, DetectionTable
from simulations.city.disease import Disease
from simulations.city.keys import CityScenario
from simulations.city.people import NEVER
from simulations.city.run import run_city
from simulations.city.scenario import load_city
from simulations.city.seed_means import SeedMean, SeedRatio
from simulations.city.study_settings import AppStudy, PublishedResult
from simulations.studies.executors import results_of

STUDY_CITY: Final = "small-town"
FINDS: Final = ("captured", "radio")
"""What the app finds: the share that the authors assume, or what crowds with the radio showed."""
Finds = Literal["captured", "radio"]
_SURE: Final = 1e9  # pairs behind a share without uncertainty


@dataclass(frozen=True, slots=True)
class StudyTask:
    """One run of a study."""

    scenario: CityScenario
    seed: int
    scale: float
    captured: float | None
    window_days: int


@dataclass(frozen=True, slots=True)
class StudyRun:
    """What a run of a study gave.

    Attributes:
        infections, deaths: from the day on which the app begins.
        suppressed: whether fewer were infected in the last days than in the first with the app.
    """

    infections: int
    deaths: int
    suppressed: bool


@dataclass(frozen=True, slots=True)
class StudyLine:
    """A published result beside ours.

    Attributes:
        study, result: what is compared.
        finds: what the app finds, see ``FINDS``.
        ours: mean over seeds with its 90 %.
        agrees: whether the interval meets the published range.
    """

    study: str
    result: PublishedResult
    finds: Finds
    ours: SeedMean
    agrees: bool

    def to_json(self) -> dict[str, Any]:
        """Return the figures by name."""
        return {
            "study": self.study,
            "result": self.result.name,
            "published": self.result.figure,
            "finds": self.finds,
            "ours": self.ours.mean,
            "ours_low": self.ours.low,
            "ours_high": self.ours.high,
            "agrees": self.agrees,
        }


def flat_detection(share: float, protocol: str) -> DetectionTable:
    """Return a table by which the app lists this share of all contacts, and nobody falsely.

    >>> round(float(flat_detection(0.8, "gaen").drawn(1).listed.min()) / 2**32, 3)
    0.8
    """
    rows = [
        {
            "setting": setting,
            "systems": systems,
            "from_minutes": band,
            "pairs": 1,
            "listed": share,
            "listed_size": _SURE,
            "kept": share,
            "kept_size": _SURE,
        }
        for setting in SETTINGS
        for systems in SYSTEMS
        for band in BANDS
    ]
    false = [{"setting": setting, "hours": 0} for setting in SETTINGS]
    return DetectionTable(protocol, f"{share:g} of all contacts", rows, false, {})


def compare_study(
    study: AppStudy,
    *,
    seeds: int | None = None,
    people: int | None = None,
    workers: int = 1,
    on_done: Callable[[int, int], None] | None = None,
) -> list[StudyLine]:
    """Run a city with the settings of a publication, and compare the results.

    Args:
        study: the publication.
        seeds: number of runs of each adoption; the study's if None.
        people: number of people; the study's if None.
        workers: number of processes; the result does not depend on it.
        on_done: called with (runs done, runs in all).
    """
    number = study.seeds if seeds is None else seeds
    keys = study.keys() | ({} if people is None else {"people.count": str(people)})
    towns = {u: load_city(STUDY_CITY, keys | {"app.adoption": str(u)}) for u in study.adoptions}
    scale = attempt_scale(towns[study.adoptions[0]])
    cells = [(finds, u) for finds in FINDS for u in study.adoptions if u or finds == FINDS[0]]
    tasks = [
        StudyTask(
            towns[u],
            seed,
            scale,
            study.captured if finds == FINDS[0] else None,
            study.window_days,
        )
        for finds, u in cells
        for seed in range(1, number + 1)
    ]
    found = results_of(play_study, tasks, workers, on_done)
    runs = {cell: found[place * number : (place + 1) * number] for place, cell in enumerate(cells)}
    if 0.0 in study.adoptions:  # without the app it does not matter what it finds
        runs[FINDS[1], 0.0] = runs[FINDS[0], 0.0]
    lines = []
    for finds in FINDS:
        of = {u: runs[finds, u] for u in study.adoptions}
        for result, ours in zip(study.results, _figures(study, of), strict=True):
            lines.append(_line(study, result, finds, ours))
    return lines


def play_study(task: StudyTask) -> StudyRun:
    """Play one run of a study."""
    scenario, table = task.scenario, None
    if task.captured is not None:
        table = flat_detection(task.captured, scenario.app.protocol)
    run = run_city(scenario, seed=task.seed, scale=task.scale, detection=table)
    start = scenario.app.start_day
    when = run.people.infected_on
    infected = np.flatnonzero((when != NEVER) & (when >= max(start, 1))).astype(np.int64)
    deadly = Disease(scenario.disease, run.network, run.seed).is_deadly(infected)
    new = run.new_infections
    window = task.window_days
    suppressed = new[-window:].sum() < new[start : start + window].sum()
    return StudyRun(len(infected), int(deadly.sum()), bool(suppressed))


def _figures(study: AppStudy, of: dict[float, list[StudyRun]]) -> list[SeedMean]:
    """Return ours for each of the study's results."""
    if study.name.startswith("Hinch"):
        return [
            SeedMean.of([float(run.suppressed) for run in of[0.56]]),
            _averted(of[0.0], of[0.28]),
            _averted(of[0.0], of[0.14]),
        ]
    if study.name.startswith("Abueg"):
        return [
            _averted(of[0.0], of[0.15]),
            _averted(of[0.0], of[0.15], name="deaths"),
        ]
    low, high = study.adoptions
    # per cent for each point of adoption: the hundreds of both cancel
    per_point = _averted(of[low], of[high], times=1 / (high - low))
    return [per_point, per_point]


def _averted(
    before: Sequence[StudyRun],
    after: Sequence[StudyRun],
    *,
    name: str = "infections",
    times: float = 1.0,
) -> SeedMean:
    """Return the averted share: a ratio of means over seeds, whose runs are paired."""
    first = np.array([getattr(run, name) for run in before], dtype=np.float64)
    second = np.array([getattr(run, name) for run in after], dtype=np.float64)
    share = SeedRatio.of((first - second).tolist(), first.tolist())
    if share.ratio is None or share.low is None or share.high is None:
        return SeedMean(times * (share.ratio or 0.0), None, None)
    return SeedMean(times * share.ratio, times * share.low, times * share.high)


def _line(study: AppStudy, result: PublishedResult, finds: Finds, ours: SeedMean) -> StudyLine:
    low = ours.mean if ours.low is None else ours.low
    high = ours.mean if ours.high is None else ours.high
    agrees = bool(low <= result.high and high >= result.low)
    return StudyLine(study.name, result, finds, ours, agrees)
