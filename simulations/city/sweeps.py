"""Runs of a city over values of keys and seeds, which can be stopped and go on later.

All settings have the same seeds: the same people, contacts and random numbers. So settings differ
less by chance than runs with other seeds would ("common random numbers").
"""

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from importlib import resources
from pathlib import Path
from typing import Any, Final

from simulations.city.compare import Comparison
from simulations.city.keys import CityScenario
from simulations.city.many_runs import CityTask, run_tasks, tasks_of
from simulations.city.scenario import city_key, replaced, value_of
from simulations.city.sweep_points import LEAST_EARLY, Findings, point_of
from simulations.city.thresholds import Threshold, threshold
from simulations.progress_line import OnProgress
from simulations.provenance import LIBRARIES, digest_of, provenance
from simulations.studies.sweep_folder import SweepFolder
from simulations.studies.sweep_tables import POINTS, ROWS, save_columns
from tracetogether.errors import ScenarioError
from tracetogether.plain_text import counted
from tracetogether.whole_file import write_whole

RESULTS: Final = "results.json"
"""The file of a sweep's folder with all its rows, points and answers."""
FORMAT: Final = "tracetogether city sweep 1"
_USUAL: Final = "app.adoption"
_SHOWN: Final = 24
_MACHINE: Final = ("cpu_s", "peak_mb")  # figures that differ from run to run


@dataclass(frozen=True)
class CitySweep:
    """The runs of a sweep.

    Attributes:
        scenario: the city without the values that were varied.
        vary: key -> the values that were tried.
        rows: the findings of each run (see ``results.findings``), each with ``settings``.
        asked: the key for whose values ``crossing`` is wanted; None: app.adoption if varied.
    """

    scenario: CityScenario
    vary: Mapping[str, Sequence[Any]]
    rows: Sequence[Mapping[str, Any]]
    asked: str | None = None

    @cached_property
    def points(self) -> Sequence[Mapping[str, Any]]:
        """Return what the seeds of each setting say together; see ``sweep_points.point_of``."""
        by_setting: dict[str, list[Mapping[str, Any]]] = {}
        for row in self.rows:
            by_setting.setdefault(json.dumps(row["settings"]), []).append(row)
        first, *others = by_setting.values()
        points = [point_of(first[0]["settings"], first) | {"against_first": None}]
        for rows in others:
            compared = Comparison(self.scenario, self.scenario, rows, first)
            point = point_of(rows[0]["settings"], rows)
            points.append(point | {"against_first": compared.in_short()})
        return points

    @property
    def digest(self) -> str:
        """Return a digest of all rows, which no number of workers changes."""
        rows = [
            {name: value for name, value in row.items() if name not in _MACHINE}
            for row in self.rows
        ]
        return digest_of(rows)

    def threshold(self, key: str) -> Threshold:
        """Return from which value of a varied key on R is below 1; the first of all others counts.

        Raises:
            ScenarioError: the key was not varied, or R is known at fewer than two of its values.
        """
        name = city_key(key).name
        if name not in self.vary:
            raise ScenarioError(f"{name} was not varied; these were: {', '.join(self.vary)}")
        others = {other: values[0] for other, values in self.vary.items() if other != name}
        rows = [row for row in self.rows if others.items() <= row["settings"].items()]
        return threshold(name, rows)

    @cached_property
    def crossing(self) -> Threshold | None:
        """Return from which value of the key ``asked`` on R is below 1.

        Returns:
            None if no key was asked for and app.adoption was not varied, or R is not known.

        Raises:
            ScenarioError: a key was asked for, and R is known at fewer than two of its values.
        """
        if self.asked is not None:
            return self.threshold(self.asked)
        try:
            return self.threshold(_USUAL)
        except ScenarioError:
            return None

    def answers(self) -> list[str]:
        """Return one sentence for each point, and one about where R is below 1."""
        said = [_sentence(point, self.scenario) for point in self.points]
        if self.crossing is not None:
            return [*said, self.crossing.sentence]
        if len(self.vary.get(_USUAL, ())) < 2:
            return said
        words = f"it needs R at two values, with {LEAST_EARLY} early cases or more at each"
        return [*said, f"From which {_USUAL} on R is below 1 is not known: {words}."]

    def row_columns(self) -> dict[str, list[Any]]:
        """Return a table with a line for each run: settings and figures."""
        lines = [dict(row["settings"]) | _figures(row) for row in self.rows]
        return {name: [line[name] for line in lines] for name in lines[0]}

    def point_columns(self) -> dict[str, list[Any]]:
        """Return a table with a line for each point: settings, and figures with their intervals."""
        lines = []
        for point in self.points:
            line = dict(point["settings"]) | {"seeds": len(point["seeds"])}
            for name, value in (("r", point["r"]), ("k", point["k"]), *point["figures"].items()):
                middle, low, high = value.values()
                line |= {name: middle, f"{name}_low": low, f"{name}_high": high}
            lines.append(line)
        return {name: [line[name] for line in lines] for name in lines[0]}

    def save(self, folder: Path) -> None:
        """Write results.json, and rows and points as CSV (Parquet too if pyarrow is installed).

        Raises:
            StoreError: they can't be written.
        """
        save_columns(self.row_columns(), folder, ROWS)
        save_columns(self.point_columns(), folder, POINTS)
        write_whole(folder / RESULTS, json.dumps(self.to_json(), indent=1) + "\n")

    def to_json(self) -> dict[str, Any]:
        """Return the whole sweep for JSON; docs/howto/city.md describes it."""
        return {
            "format": FORMAT,
            "scenario": self.scenario.name,
            "title": self.scenario.title,
            "people": self.scenario.people.count,
            "days": self.scenario.days,
            "seeds": sorted({row["seed"] for row in self.rows}),
            "vary": {key: list(values) for key, values in self.vary.items()},
            "keys": asdict(self.scenario),
            "digest": self.digest,
            "made_by": made_by(),
            "answers": self.answers(),
            "threshold": None if self.crossing is None else self.crossing.to_json(),
            "points": list(self.points),
            "rows": list(self.rows),
        }


def sweep_city(
    scenario: CityScenario,
    vary: Mapping[str, Sequence[object]],
    *,
    seeds: int,
    workers: int = 2,
    cluster: str | None = None,
    folder: Path | None = None,
    threshold: str | None = None,
    on_progress: OnProgress | None = None,
) -> CitySweep:
    """Run a city for each combination of values with seeds 1, 2 and so on.

    Args:
        scenario: the city.
        vary: key -> values to try.
        seeds: number of seeds.
        workers: number of processes; the result does not depend on it.
        cluster: address of a Dask scheduler, used instead of processes here.
        folder: keeps each finished run, and ``results.json`` at the end. Runs that it holds already
            are not run again, if their keys, seed, version and code are the same.
        threshold: the key from whose values on R is below 1; None: app.adoption if it is varied.
        on_progress: called with (runs done, runs in all).

    Raises:
        ScenarioError: a key is unknown or named twice, or a value is out of range.
        StoreError: the folder holds something else, or can't be written.
    """
    points = combinations(scenario, vary)
    tasks = tasks_of([point for _, point in points], range(1, seeds + 1))
    names = [_name(task) for task in tasks]
    kept = None if folder is None else SweepFolder(folder)
    found: dict[str, Mapping[str, Any]] = {}
    if kept is not None and folder is not None:
        found.update(kept.open({"city": scenario.name}, names))
        (folder / RESULTS).unlink(missing_ok=True)  # of fewer or of other runs
    left = [index for index, name in enumerate(names) if name not in found]

    def keep(index: int, findings: Mapping[str, Any]) -> None:
        name = names[left[index]]
        found[name] = findings
        if kept is not None:
            kept.keep(name, dict(findings))
        if on_progress is not None:
            on_progress(len(found), len(set(names)))

    run_tasks([tasks[index] for index in left], workers=workers, cluster=cluster, on_found=keep)
    rows = [
        {"settings": points[number][0], **found[names[seed * len(points) + number]]}
        for number in range(len(points))
        for seed in range(seeds)
    ]
    tried = {
        name: list(dict.fromkeys(settings[name] for settings, _ in points)) for name in points[0][0]
    }
    done = CitySweep(scenario, tried, rows, threshold)
    if folder is not None:
        done.save(folder)
    return done


def combinations(
    scenario: CityScenario, vary: Mapping[str, Sequence[object]]
) -> list[tuple[dict[str, Any], CityScenario]]:
    """Return the settings and the scenario of each combination of values.

    Equal combinations are returned once, because a run that counts twice makes an interval too
    narrow.

    Raises:
        ScenarioError: a key is unknown, named twice or without values, or a value is out of range.
    """
    names = [city_key(word).name for word in vary]
    if not names:
        raise ScenarioError("name at least one key to vary, such as app.adoption=0,0.2,0.4")
    for name, values in zip(names, vary.values(), strict=True):
        if names.count(name) > 1:
            raise ScenarioError(f"{name} is given twice: name each key once")
        if not len(values):
            raise ScenarioError(f"{name} has no values to try")
    found: dict[tuple[Any, ...], tuple[dict[str, Any], CityScenario]] = {}
    for values in itertools.product(*vary.values()):
        chosen = replaced(scenario, dict(zip(names, values, strict=True)))
        settings = {name: value_of(chosen, name) for name in names}
        found.setdefault(tuple(settings.values()), (settings, chosen))
    return list(found.values())


def made_by() -> dict[str, str]:
    """Return the versions and the code that results of a city depend on."""
    versions = provenance().versions
    return {name: versions[name] for name in ("tracetogether", *LIBRARIES)} | {"city": _code()}


def _figures(row: Findings) -> dict[str, Any]:
    return {
        name: value
        for name, value in row.items()
        if name != "settings" and not isinstance(value, dict | list)
    }


def _name(task: CityTask) -> str:
    """Return a unique name: a digest of everything that a run depends on."""
    depends_on = {"keys": asdict(task.scenario), "seed": task.seed, "made_by": made_by()}
    return digest_of(depends_on)[:_SHOWN]


@cache
def _code() -> str:
    """Return a digest of the code of cities and of the detection tables."""
    digest = hashlib.sha256()
    package = resources.files("simulations.city")
    places = [package, package / "tables", resources.files("simulations") / "streams.py"]
    files = [file for place in places for file in (place.iterdir() if place.is_dir() else [place])]
    for file in sorted(files, key=lambda file: file.name):
        if file.name.endswith((".py", ".json")):
            digest.update(f"{file.name}\n".encode() + file.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()[:_SHOWN]


def _sentence(point: Mapping[str, Any], scenario: CityScenario) -> str:
    """Return what the seeds of one setting say together in one sentence."""
    figures, r, seeds = point["figures"], point["r"], len(point["seeds"])
    named = ", ".join(f"{key}={value}" for key, value in point["settings"].items())
    infected = figures["infections"]
    bounds = (
        "one seed"
        if infected["low"] is None
        else f"90 % interval {infected['low']:,.0f} to {infected['high']:,.0f}, {seeds} seeds"
    )
    early = "" if r["r"] is None else f" R of early cases is {r['r']:.2f}."
    people = point["settings"].get("people.count", scenario.people.count)
    days = point["settings"].get("days", scenario.days)
    return (
        f"With {named}, {infected['mean']:,.0f} of {people:,} people are infected "
        f"in {counted(days, 'days')} ({bounds}), and {figures['deaths']['mean']:,.0f} die.{early} "
        f"People who were not infected spend {figures['quarantine_days_not']['mean']:,.0f} days "
        "in quarantine."
    )
