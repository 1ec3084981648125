"""The names of ``simulations.city`` for programs: load a city, run it, compare and sweep.

>>> from simulations.city import City, run
>>> town = City.load("test-town").with_({"people.count": 2000}, days=20)
>>> run(town, seed=1).figures["people"]
2000
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

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
from simulations.library.frames import FrameColumns, frame_of
from simulations.progress_line import OnProgress, ProgressLine
from tracetogether.errors import ScenarioError
from tracetogether.picture_style import save_figure
from tracetogether.units import Floats, Ints

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

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

    def with_(self, settings: Mapping[str, object] = _NOTHING, /, **more: object) -> "City":
        """Return the city with other values of some keys.

        A key has a dotted name, or the end of it if no other key ends so. Dotted names are in
        ``settings``.

        Raises:
            ScenarioError: a key is unknown, or a value is out of range.

        >>> town = City.load("test-town").with_({"people.count": 3000}, adoption=0.4)
        >>> town.scenario.app.adoption
        0.4
        """
        return City(replaced(self.scenario, {**settings, **more}))


class CityResult(FrameColumns):
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
        """Return every figure and curve by name; docs/howto/city.md says what each is."""
        return findings(self.played, self.outbreak)

    @property
    def columns(self) -> Mapping[str, Ints | Floats]:
        """Return the (days,) columns of the run by name; R is NaN where it is not known."""
        return day_columns(self.outbreak)

    def to_pandas(self, table: Literal["days", "tree"] = "days") -> "pd.DataFrame":
        """Return a data frame with a line for each day, or for everybody who was infected.

        Raises:
            ScenarioError: there is no such table.
            MissingExtraError: pandas is not installed.
        """
        if table not in {"days", "tree"}:
            raise ScenarioError(f"a run has the tables days and tree, not {table!r}")
        return frame_of(self.tree() if table == "tree" else self.columns)

    def _frame(self) -> Mapping[str, Ints | Floats]:
        return self.columns

    def plot(self) -> "Figure":
        """Return a matplotlib figure of infections, R and people at home by day.

        Raises:
            MissingExtraError: matplotlib is not installed.
        """
        return plot_run(self.figures)

    def save_plot(self, path: str | Path) -> Path:
        """Write the picture as PNG, SVG or PDF, with version and digest; return its path.

        Raises:
            MissingExtraError: matplotlib is not installed.
            StoreError: the ending names no known format, or the file can't be written.
        """
        return save_figure(self.plot(), path, made_of=self.figures["digest"])

    def tree(self) -> Mapping[str, np.ndarray]:
        """Return who infected whom: columns with a row for everybody who was infected."""
        return tree_columns(self.outbreak)

    def save(self, folder: str | Path, *, tree: str | None = None) -> None:
        """Write the tables of the run into a folder, as ``tracetogether city run --out`` does.

        Args:
            folder: empty, or with an earlier run.
            tree: also write who infected whom, as "csv" or "parquet".

        Raises:
            StoreError: the folder holds something else, or can't be written, or ``tree`` is no
                format.
            MissingExtraError: pyarrow is not installed, which Parquet needs.
        """
        save(self.played, Path(folder), self.outbreak, tree=tree)


class CitySweepResult(CitySweep, FrameColumns):
    """A finished sweep with data frames and a picture."""

    def to_pandas(self, *, runs: bool = False) -> "pd.DataFrame":
        """Return a data frame: a line for each point with intervals, or for each run.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        return frame_of(self.row_columns() if runs else self.point_columns())

    def _frame(self) -> Mapping[str, Any]:
        return self.point_columns()

    def plot(self) -> "Figure":
        """Return a matplotlib figure of infections by day at each setting, with intervals.

        Raises:
            MissingExtraError: matplotlib is not installed.
        """
        return plot_points(self.points)

    def save_plot(self, path: str | Path) -> Path:
        """Write the picture as PNG, SVG or PDF, with version and digest; return its path.

        Raises:
            MissingExtraError: matplotlib is not installed.
            StoreError: the ending names no known format, or the file can't be written.
        """
        return save_figure(self.plot(), path, made_of=self.digest)


def run(city: City, *, seed: int = 1, processes: int = 1, cluster: str | None = None) -> CityResult:
    """Run a city day by day.

    Args:
        city: what to run.
        seed: of all random numbers; the same seed gives the same result on every machine.
        processes: number of processes that share the people; the result does not depend on it.
            With more than one, a script must have its calls below ``if __name__ == "__main__":``.
        cluster: address of a Dask scheduler, whose workers are used instead of processes here.

    Raises:
        UnreachableError: a process ended early, or the cluster does not answer.
        MissingExtraError: Dask is not installed.
    """
    return CityResult(run_city(city.scenario, seed=seed, processes=processes, cluster=cluster))


def compare(
    city: City,
    other: City,
    *,
    seeds: int = 10,
    workers: int = 1,
    on_progress: OnProgress | None = None,
) -> Comparison:
    """Run two cities with the same seeds, 1, 2 and so on.

    Args:
        city: with the first set of measures.
        other: with the second set.
        seeds: number of seeds.
        workers: number of processes; the result does not depend on it. With more than one, a
            script must have its calls below ``if __name__ == "__main__":``.
        on_progress: called with (runs done, runs in all); by default a line is shown on a
            terminal and in a notebook.
    """
    with ProgressLine.unless(on_progress, f"{2 * seeds} runs") as advance:
        return compare_cities(
            city.scenario, other.scenario, seeds=seeds, workers=workers, on_progress=advance
        )


def sweep(
    city: City,
    vary: Mapping[str, Sequence[object]],
    *,
    seeds: int = 5,
    workers: int = 1,
    cluster: str | None = None,
    folder: str | Path | None = None,
    threshold: str | None = None,
    on_progress: OnProgress | None = None,
) -> CitySweepResult:
    """Run a city for each combination of values of some keys with seeds 1, 2 and so on.

    Args:
        city: what to run.
        vary: key -> values to try, such as ``{"app.adoption": [0, 0.2, 0.4]}``.
        seeds: number of seeds.
        workers: number of processes; the result does not depend on it. With more than one, a
            script must have its calls below ``if __name__ == "__main__":``.
        cluster: address of a Dask scheduler, used instead of processes here.
        folder: keeps each finished run; the same call goes on from there.
        threshold: the key to ask from which of its values on R is below 1; None: app.adoption if
            it is varied.
        on_progress: called with (runs done, runs in all); by default a line is shown on a
            terminal and in a notebook.

    Raises:
        ScenarioError: a key is unknown, or a value is out of range.
        StoreError: the folder holds something else, or can't be written.
    """
    for key, values in vary.items():
        if isinstance(values, str):
            raise ScenarioError(f"{key} needs a list of values, such as [0, 0.2, 0.4]")
    with ProgressLine.unless(on_progress, "Running cities") as advance:
        done = sweep_city(
            city.scenario,
            vary,
            seeds=seeds,
            workers=workers,
            cluster=cluster,
            folder=None if folder is None else Path(folder),
            threshold=threshold,
            on_progress=advance,
        )
    return CitySweepResult(done.scenario, done.vary, done.rows, done.asked)
