"""Runs over values of keys and over seeds: points with intervals, columns, picture, folder."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulations.library.frames import FrameColumns, frame_of
from simulations.pages.recording import PICTURE
from simulations.pages.sweep_picture import draw_sweep, varied_keys
from simulations.progress_line import OnProgress, ProgressLine
from simulations.settings.scenario import Scenario
from simulations.studies import sweep as sweeps
from simulations.studies.sweep import Part, Point, digest, plan, points, value_text
from simulations.studies.sweep_folder import SweepRow, results_written_alone
from simulations.studies.sweep_tables import flat_points, flat_rows, save_tables
from tracetogether.errors import MissingExtraError, ScenarioError, StoreError
from tracetogether.picture_style import save_figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class CrowdSweep(FrameColumns):
    """Runs over values of keys and over seeds.

    Attributes:
        scenario: its name.
        rows: one for each run.
        points: one for each setting, its shares with intervals over seeds.
    """

    scenario: str
    rows: Sequence[SweepRow] = field(repr=False)
    points: Sequence[Point] = field(repr=False)

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) over all rows in canonical order."""
        return digest(self.rows)

    @property
    def failed(self) -> list[SweepRow]:
        """The rows of runs that failed, each with ``error``."""
        return [row for row in self.rows if "error" in row]

    @property
    def columns(self) -> dict[str, list[Any]]:
        """Name -> column with a line for each setting; shares have ``_low`` and ``_high``."""
        return flat_points(self.points)

    def to_pandas(self, *, runs: bool = False) -> "pd.DataFrame":
        """Return a data frame with a line for each setting, or for each run.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        return frame_of(flat_rows(self.rows) if runs else self.columns)

    def _frame(self) -> dict[str, list[Any]]:
        return self.columns

    def plot(
        self,
        *,
        x: str | None = None,
        by: str | None = None,
        measures: Sequence[str] = (),
        marks: Mapping[float, str] | None = None,
        square: bool = False,
    ) -> "Figure":
        """Return the picture of the shares; see ``draw_sweep``."""
        return draw_sweep(
            self.points,
            scenario=self.scenario,
            x=x,
            by=by,
            measures=measures,
            marks=marks,
            square=square,
        )

    def save_plot(self, path: str | Path, figure: "Figure | None" = None) -> Path:
        """Write a picture as PNG, SVG or PDF, with version and digest; return its path.

        Args:
            path: the file.
            figure: what ``plot`` returned; by default ``plot()``.

        Raises:
            StoreError: the ending names no known format, or the file can't be written.
        """
        return save_figure(figure or self.plot(), path, made_of=self.digest)

    def save(self, folder: str | Path) -> Path:
        """Write rows and points as CSV (Parquet too if pyarrow is installed), and a picture.

        The picture is left out if matplotlib is missing, if runs failed, or if nobody was in
        contact, or if more than two keys were varied.

        Raises:
            StoreError: the folder can't be written, or another process plays a sweep there.
        """
        path = Path(folder)
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"can't make {path}: {error.strerror or error}") from None
        with results_written_alone(path):
            save_tables(self.rows, self.points, path)
            if self.why_no_picture is None:
                self.save_plot(path / PICTURE)
        return path

    @cached_property
    def why_no_picture(self) -> str | None:
        """Why there is nothing to draw, in words; None if there is."""
        if self.failed:
            return "runs failed"
        if not any(point.recorded for point in self.points):
            return "nobody was in contact"
        if len(varied_keys(self.points)) > 2:
            return "more than two keys were varied"
        try:
            self.plot()
        except (MissingExtraError, ScenarioError) as reason:
            return str(reason)
        return None


def sweep(
    scenario: Scenario | str | Path,
    vary: Mapping[str, Sequence[object]],
    *,
    seeds: int = 5,
    settings: Mapping[str, object] | None = None,
    cases: int | None = None,
    fidelity: str = "auto",
    folder: str | Path | None = None,
    workers: int = 1,
    cluster: str | None = None,
    on_progress: OnProgress | None = None,
) -> CrowdSweep:
    """Play a scenario for every combination of values and seeds 1, 2 and so on.

    A run that fails is a row with ``error`` (``CrowdSweep.failed``); the others go on.

    Args:
        scenario: a scenario, its name or its file.
        vary: key -> values, such as ``{"adoption": [0.2, 0.4, 0.6]}``.
        seeds: runs of each combination.
        settings: key -> value, the same in all runs.
        cases: number of index cases; by default everybody with the app.
        fidelity: see ``run``.
        folder: keeps each finished run; the same call resumes from there.
        workers: number of processes; the result does not depend on it. With more than one, a
            script must have its calls below ``if __name__ == "__main__":``.
        cluster: address of a Dask scheduler, used instead of processes here.
        on_progress: called with (runs done, runs in all); by default a line is shown on a
            terminal and in a notebook.

    Raises:
        ScenarioError: there is no such scenario, key or fidelity, or no value or seed.
        StoreError: the folder holds another sweep, or can't be written.
        UnreachableError: the cluster does not answer.
        MissingExtraError: Dask is not installed.
    """
    for key, values in vary.items():
        if isinstance(values, str) or not len(values):
            raise ScenarioError(f"{key} needs a list of values, such as [0.2, 0.4, 0.6]")
    if seeds < 1:
        raise ScenarioError(f"seeds is 1 or more, not {seeds}")
    parts = plan(
        scenario.text() if isinstance(scenario, Scenario) else scenario,
        {key: distinct(map(value_text, values)) for key, values in vary.items()},
        seeds=seeds,
        settings={key: value_text(value) for key, value in (settings or {}).items()},
        cases=cases,
        fidelity=fidelity,
    )
    with ProgressLine.unless(on_progress, f"{len(parts)} runs") as advance:
        return sweep_parts(
            parts, folder=folder, workers=workers, cluster=cluster, on_progress=advance
        )


def distinct(values: Iterable[str]) -> list[str]:
    """Return each value once, because a run that counts twice makes an interval too narrow."""
    return list(dict.fromkeys(values))


def sweep_parts(
    parts: Sequence[Part],
    *,
    folder: str | Path | None = None,
    workers: int = 1,
    cluster: str | None = None,
    on_progress: OnProgress | None = None,
) -> CrowdSweep:
    """Play the parts of a sweep that ``plan`` made; see ``sweep``."""
    rows = sweeps.sweep(
        parts,
        folder=None if folder is None else Path(folder),
        workers=workers,
        cluster=cluster,
        on_progress=on_progress,
    )
    return CrowdSweep(parts[0].scenario.name, rows, points(rows))
