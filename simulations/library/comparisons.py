"""Two scenarios with the same seeds, and their difference."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from simulations.library.frames import FrameColumns, frame_of
from simulations.library.sweeps import CrowdSweep, sweep
from simulations.progress_line import OnProgress
from simulations.scores.intervals import Measured, mean_of_seeds
from simulations.settings.scenario import Scenario
from simulations.studies.sweep import points
from tracetogether.errors import ScenarioError

if TYPE_CHECKING:
    import pandas as pd

SHOWN: Final = "found"
"""The share that a comparison is about, if nothing else is said."""


@dataclass(frozen=True)
class CrowdComparison(FrameColumns):
    """Two scenarios with the same seeds.

    Attributes:
        first, second: their runs.
        difference: measure -> mean over seeds of first minus second, with its central 90 %. Where a
            seed has no figure (nobody was in contact) it is left out.
    """

    first: CrowdSweep
    second: CrowdSweep
    difference: Mapping[str, Measured]

    @property
    def answer(self) -> str:
        """The difference of the share found, in one sentence."""
        change = self.difference.get(SHOWN)
        if change is None:
            return "Nobody was in contact, so there is nothing to compare."
        more = "more" if change.median >= 0 else "less"
        names = [self.first.scenario, self.second.scenario]
        if names[0] == names[1]:
            names = [f"The first {names[0]}", "the second"]
        words = f"{names[0]} finds {abs(100 * change.median):.1f} points {more} of all"
        words += f" true contacts than {names[1]}"
        if change.low is None or change.high is None:
            return f"{words} (one seed, so no interval)."
        low, high = sorted((100 * change.low, 100 * change.high))
        clear = "" if low > 0 or high < 0 else "; the seeds do not tell them apart"
        return f"{words} (90 % interval {low:+.1f} to {high:+.1f}{clear})."

    def to_pandas(self) -> "pd.DataFrame":
        """Return a data frame: a line for each measure, with both figures and their difference.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        return frame_of(self._frame())

    def _frame(self) -> dict[str, list[object]]:
        lines: dict[str, list[object]] = {}
        for measure, change in self.difference.items():
            of_both = [getattr(side.points[0], measure, None) for side in (self.first, self.second)]
            line = {
                "measure": measure,
                "first": None if of_both[0] is None else of_both[0].median,
                "second": None if of_both[1] is None else of_both[1].median,
                "difference": change.median,
                "difference_low": change.low,
                "difference_high": change.high,
            }
            for name, value in line.items():
                lines.setdefault(name, []).append(value)
        return lines


def compare(
    first: Scenario | str | Path,
    second: Scenario | str | Path,
    *,
    seeds: int = 5,
    cases: int | None = None,
    fidelity: str = "auto",
    workers: int = 1,
    on_progress: OnProgress | None = None,
) -> CrowdComparison:
    """Play two scenarios with the same seeds, and return their difference.

    People, phones and radio are drawn by the same streams. So where the scenarios differ in one
    key, such as adoption, the difference varies less between seeds than each of them.

    Args:
        first: a scenario, its name or its file.
        second: the other one.
        seeds: number of seeds.
        cases: number of index cases; by default everybody with the app.
        fidelity: see ``run``.
        workers: number of processes; see ``sweep``.
        on_progress: see ``sweep``; called for both.

    Raises:
        ScenarioError: there is no such scenario, or a run failed.
    """

    def play(scenario: Scenario | str | Path) -> CrowdSweep:
        found = sweep(
            scenario,
            {},
            seeds=seeds,
            cases=cases,
            fidelity=fidelity,
            workers=workers,
            on_progress=on_progress,
        )
        if found.failed:
            raise ScenarioError(f"a run of {found.scenario} failed: {found.failed[0]['error']}")
        return found

    one, other = play(first), play(second)
    return CrowdComparison(one, other, _differences(one, other))


def _differences(first: CrowdSweep, second: CrowdSweep) -> dict[str, Measured]:
    """Return measure -> the mean difference over seeds with its interval."""
    differences = {}
    for measure in ("found", "recorded", "tif", "falsely_listed"):
        pairs = [
            [getattr(points([row])[0], measure) for row in rows]
            for rows in zip(first.rows, second.rows, strict=True)
        ]
        known = [a.median - b.median for a, b in pairs if a is not None and b is not None]
        if known:
            differences[measure] = mean_of_seeds(np.array(known))
    return differences
