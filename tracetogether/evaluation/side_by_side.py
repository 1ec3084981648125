"""Shipped estimators and your own, scored on one recording: the evaluation as one call."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tracetogether.evaluation.baselines.slotwise import Slotwise
from tracetogether.evaluation.folds import fit_on as fit_on_another
from tracetogether.evaluation.folds import leave_groups_out
from tracetogether.evaluation.protocols import EvaluatedEstimator
from tracetogether.evaluation.recordings import Recording
from tracetogether.evaluation.registry import chosen_estimators
from tracetogether.evaluation.report import json_rows
from tracetogether.evaluation.scoring import EstimatorScores, Question, evaluate
from tracetogether.proximity.calibration import Calibration
from tracetogether.proximity.share_estimator import ShareEstimator
from tracetogether.tables.arrow_columns import ColumnTable, DataColumn, columns_of_rows


@dataclass(frozen=True, slots=True)
class EvaluationRows(ColumnTable):
    """The measures of estimators, one row for each estimator, logs, radius and window.

    pandas, polars and DuckDB read it as a table whose columns are those of
    `tracetogether evaluate --json`.
    """

    # No tuple itself: polars reads each tuple row by row, and asks none for its columns.
    rows: tuple[EstimatorScores, ...]

    @property
    def columns(self) -> Mapping[str, DataColumn]:
        """Name -> column, as data tools see them."""
        listed = [
            {key: value for key, value in row.items() if key != "best_or_level"}
            for row in json_rows(self.rows)
        ]
        return columns_of_rows(listed).columns

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[EstimatorScores]:
        return iter(self.rows)

    def __getitem__(self, row: int) -> EstimatorScores:
        return self.rows[row]


def evaluate_recording(
    recording: Recording,
    estimators: Sequence[str | ShareEstimator | EvaluatedEstimator] = ("all",),
    *,
    radii_m: Sequence[float] = (1.5, 2.0),
    windows_s: Sequence[float] = (300.0, 900.0),
    fit_on: Recording | None = None,
    calibration: Calibration | None = None,
    clock: Callable[[], float] = lambda: 0.0,
    on_progress: Callable[[int, int], None] | None = None,
) -> EvaluationRows:
    """Return how well estimators separate near from far on a recording, and count minutes.

    No scene is scored by what was fitted on it. Scenes that share a place, people or phones are
    left out together (``recording.sharing``).

    Args:
        recording: what ``read_recording`` returns.
        estimators: names of shipped ones, "all" for all of them, and objects of your own.
        radii_m: the distances that count as near, in metres.
        windows_s: lengths of windows, in seconds.
        fit_on: another recording to fit on.
        calibration: what is known of phone models; without it, priors alone.
        clock: returns seconds, for the column ``readings_per_s``; such as time.perf_counter.
        on_progress: called with (steps done, steps in all).

    Raises:
        InvalidReadingsError: there is no estimator of such a name, or the recording has one group
            of scenes and ``fit_on`` is not given.
        ValueError: a radius or a window is not above 0, or two estimators have the same name.
    """
    for what, values in (("radius", radii_m), ("window", windows_s)):
        if not values or not all(0 < value < float("inf") for value in values):
            raise ValueError(f"each {what} must be above 0, got {tuple(values)}")
    chosen: list[EvaluatedEstimator] = []
    for given in estimators:
        if isinstance(given, str):
            chosen += chosen_estimators([given])
        elif isinstance(given, ShareEstimator):
            chosen.append(Slotwise(given.name, given, shares_are_probabilities=True))
        else:
            chosen.append(given)
    names = [estimator.name for estimator in chosen]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(
            f"two estimators have the name {twice!r}; rename one, so that rows show which is which"
        )
    groups = recording.sharing.groups
    folds = (
        leave_groups_out(recording.scenes, groups)
        if fit_on is None
        else fit_on_another(fit_on.scenes, recording.scenes, groups)
    )
    rows = evaluate(
        chosen,
        folds,
        Question(tuple(radii_m), tuple(windows_s)),
        calibration=calibration or Calibration.prior(),
        clock=clock,
        on_progress=on_progress,
    )
    return EvaluationRows(rows)
