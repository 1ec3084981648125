"""The names of ``simulations.city`` for programs: load a city, run it, compare and sweep.

>>> from simulations.city import City, run
>>> town = City.load("test-town").with_(**{"people.count": 2000, "days": 20})
>>> run(town, seed=1).figures["people"]
2000
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

import numpy as np

from simulations.city.city_plots import plot_points, plot_run
from simulations.city.compare import Comparison, compare_cities
from simulations.city.keys import CityScenario
from simulations.city.outbreak import Outbreak
from simulations.city.results import day_columns, findings, save
from simulations.city.run import CityRun, run_city
from simulations.city.scenario import load_city, replaced
from simulations.city.sweeps import CitySweep, sweep_city
from simulations.city.tree_table import tree_columns
from tracetogether.errors import MissingExtraError
from tracetogether.units import Floats, Ints

_NOTHING: Final[Mapping[str, object]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class City:
    """A city, its infection and its measures, which a run plays.

    Attributes:
        scenario: every key and its value.
    """

    scenario: CityScenario

    @classmethod
    def load(cls, name_or_path: str | Path, settings: Mapping[str, object] = _NOTHING) -> "City":
        """Return a city by its name or from a TOML file.

        Args:
            name_or_path: a name that ``tracetogether city list`` shows; with a suffix or a folder,
                a file.
            settings: key -> value, which replace the file's.

        Raises:
            ScenarioError: there is no such city, or a key is unknown, missing or out of range.
        """
        return cls(load_city(name_or_path, {key: f"{value}" for key, value in settings.items()}))

    def with_(self, **settings: object) -> "City":
        """Return the city with other values of some keys.

        A key has a dotted name, or the end of it if no other key ends so.

        Raises:
            ScenarioError: a key is unknown, or a value is out of range.

        >>> City.load("test-town").with_(**{"app.adoption": 0.4}).scenario.app.adoption
        0.4
        """
        return City(replaced(self.scenario, settings))


class CityResult:
    """A finished run of a city.

    Args:
        played: the run.
    """

    def __init__(self, played: CityRun) -> None:
        self.played = played

    def __repr__(self) -> str:
        figures = self.figures
        return (
            f"CityResult({figures['scenario']}, seed {figures['seed']}: "
            f"{figures['infections']:,} of {figures['people']:,} infected)"
        )

    @cached_property
    def outbreak(self) -> Outbreak:
        """Return everybody who was infected, in columns."""
        return Outbreak.of(self.played)

    @cached_property
    def figures(self) -> Mapping[str, Any]:
        """Return every figure and curve; see ``findings`` in docs/howto/city.md."""
        return findings(self.played, self.outbreak)

    @property
    def columns(self) -> Mapping[str, Ints | Floats]:
        """Return the (days,) columns of the run by name; R is NaN where it is not known."""
        return day_columns(self.outbreak)

    def to_pandas(self, table: Literal["days", "tree"] = "days") -> Any:  # noqa: ANN401 - optional
        """Return a data frame with a line for each day, or for everybody who was infected.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        return _frame(self.tree() if table == "tree" else self.columns)

    def plot(self) -> Any:  # noqa: ANN401 - matplotlib is optional
        """Return a matplotlib figure of infections, R and people at home by day.

        Raises:
            MissingExtraError: matplotlib is not installed.
        """
        return plot_run(self.figures)

    def tree(self) -> Mapping[str, np.ndarray]:
        """Return who infected whom: columns with a row for everybody who was infected."""
        return tree_columns(self.outbreak)

    def save(self, folder: str | Path, *, tree: str | None = None) -> None:
        """Write the tables of the run into a folder, as ``tracetogether city run --out`` does.

        Args:
            folder: empty, or with an earlier run.
            tree: also write who infected whom, as "csv" or "parquet".

        Raises:
            StoreError: the folder holds something else, or can't be written.
            MissingExtraError: pyarrow is not installed, which Parquet needs.
        """
        save(self.played, Path(folder), self.outbreak, tree=tree)


class CitySweepResult(CitySweep):
    """A finished sweep with data frames and a picture."""

    def to_pandas(self) -> Any:  # noqa: ANN401 - pandas is optional
        """Return a data frame with a line for each run: settings and figures.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        lines = [
            row["settings"]
            | {name: value for name, value in row.items() if not isinstance(value, dict | list)}
            for row in self.rows
        ]
        return _frame({name: [line[name] for line in lines] for name in lines[0]})

    def plot(self) -> Any:  # noqa: ANN401 - matplotlib is optional
        """Return a matplotlib figure of infections by day at each setting, with intervals.

        Raises:
            MissingExtraError: matplotlib is not installed.
        """
        return plot_points(self.points)


def run(city: City, *, seed: int = 1) -> CityResult:
    """Run a city day by day.

    Args:
        city: what to run.
        seed: of all random numbers; the same seed gives the same result on every machine.
    """
    return CityResult(run_city(city.scenario, seed=seed))


def compare(
    city: City,
    other: City,
    *,
    seeds: int = 10,
    workers: int = 2,
    on_done: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Run two cities with the same seeds, 1, 2 and so on.

    Args:
        city: with the first set of measures.
        other: with the second set.
        seeds: number of seeds.
        workers: number of processes; the result does not depend on it.
        on_done: called with (runs done, runs in all).
    """
    return compare_cities(
        city.scenario, other.scenario, seeds=seeds, workers=workers, on_done=on_done
    )


def sweep(
    city: City,
    vary: Mapping[str, Sequence[object]],
    *,
    seeds: int = 5,
    workers: int = 2,
    cluster: str | None = None,
    folder: str | Path | None = None,
    threshold: str | None = None,
    on_done: Callable[[int, int], None] | None = None,
) -> CitySweepResult:
    """Run a city for each combination of values of some keys with seeds 1, 2 and so on.

    Args:
        city: what to run.
        vary: key -> values to try, such as ``{"app.adoption": [0, 0.2, 0.4]}``.
        seeds: number of seeds.
        workers: number of processes; the result does not depend on it.
        cluster: address of a Dask scheduler, used instead of processes here.
        folder: keeps each finished run; the same call goes on from there.
        threshold: the key from whose values on R is below 1; None: app.adoption if it is varied.
        on_done: called with (runs done, runs in all).

    Raises:
        ScenarioError: a key is unknown, or a value is out of range.
        StoreError: the folder holds something else, or can't be written.
    """
    done = sweep_city(
        city.scenario,
        vary,
        seeds=seeds,
        workers=workers,
        cluster=cluster,
        folder=None if folder is None else Path(folder),
        threshold=threshold,
        on_done=on_done,
    )
    return CitySweepResult(done.scenario, done.vary, done.rows, done.asked)


def _frame(columns: Mapping[str, Any]) -> Any:  # noqa: ANN401 - pandas is optional
    try:
        pandas: Any = import_module("pandas")
    except ImportError:
        raise MissingExtraError("A data frame", "pandas") from None
    return pandas.DataFrame(dict(columns))
