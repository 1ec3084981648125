"""Fit estimators on some scenes, score them on others, and return measures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cache
from typing import Any, Final, TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

from tracetogether.evaluation.folds import Fold
from tracetogether.evaluation.metrics import (
    NOT_APPLICABLE,
    DurationScores,
    auc,
    best_threshold,
    calibration_error,
    ndcf,
    precision_recall,
)
from tracetogether.evaluation.protocols import EvaluatedEstimator, Fitted
from tracetogether.evaluation.scene import Scene
from tracetogether.evaluation.truth import TruePairs, TrueWindows
from tracetogether.parameters import SINGAPORE_POLICY
from tracetogether.proximity.calibration import Calibration
from tracetogether.proximity.distances import LogsUsed
from tracetogether.units import Bools, Floats, Ints

CONTACT_MINUTES: Final = 15.0
"""A long contact, as most countries counted it in 2020."""


@dataclass(frozen=True, slots=True)
class WindowOutcome:
    """Windows of known distance with their scores, over all scored scenes.

    ``group``: the number of the group of scenes of each row.
    """

    score: Floats
    probability: Floats
    chosen: Bools
    near: Bools
    group: Ints


@dataclass(frozen=True, slots=True)
class MinutesOutcome:
    """Pairs with true minutes and their estimates, over all scored scenes.

    ``group``: the number of the group of scenes of each row.
    """

    low: Floats
    estimated: Floats
    high: Floats
    true: Floats
    group: Ints


@dataclass(frozen=True, slots=True)
class EstimatorScores:
    """The measures of one estimator with some logs, at one radius and window length.

    A measure that does not apply is NaN. Those of minutes do not depend on the window.

    Attributes:
        estimator, logs, radius_m, window_s: of what.
        n: windows of known distance.
        prevalence: share of them within the radius.
        auc, ndcf, ece: of windows.
        coverage90, winkler, minutes_mae, minutes_bias, minutes_r: of minutes per pair and scene.
        precision_15min, recall_15min: of at least 15 minutes within the radius.
        precision_policy, recall_policy: of at least the policy's minutes.
        readings_per_s: speed of scoring.
        pairs: pairs with true minutes.
        windows, minutes: what the measures were taken from.
    """

    estimator: str
    logs: str
    radius_m: float
    window_s: float
    n: int
    prevalence: float
    auc: float
    ndcf: float
    ece: float
    coverage90: float
    minutes_mae: float
    minutes_bias: float
    minutes_r: float
    precision_15min: float
    recall_15min: float
    readings_per_s: float
    precision_policy: float
    recall_policy: float
    winkler: float
    pairs: int
    windows: WindowOutcome = field(repr=False)
    minutes: MinutesOutcome = field(repr=False)


@dataclass(frozen=True, slots=True)
class Question:
    """The radii and window lengths of an evaluation.

    Attributes:
        radii_m: what counts as near.
        windows_s: lengths of windows.
    """

    radii_m: tuple[float, ...] = (1.5, 2.0)
    windows_s: tuple[float, ...] = (300.0, 900.0)


Outcome = TypeVar("Outcome", WindowOutcome, MinutesOutcome)


def _joined(kind: type[Outcome], parts: Sequence[Outcome]) -> Outcome:
    """Return the rows of all parts in one outcome."""
    columns: list[list[Any]] = [
        [getattr(part, column.name) for part in parts] for column in fields(kind)
    ]
    return kind(*(np.concatenate(column or [np.empty(0)]) for column in columns))


def _joint(logs: LogsUsed) -> LogsUsed:
    """Return PAIR for ALL: both have undirected pairs."""
    return LogsUsed.OWN if logs is LogsUsed.OWN else LogsUsed.PAIR


def evaluate(
    estimators: Sequence[EvaluatedEstimator],
    folds: Sequence[Fold],
    question: Question,
    *,
    calibration: Calibration,
    clock: Callable[[], float],
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[EstimatorScores, ...]:
    """Score every estimator on the scored scenes of every fold, fitted on its training scenes.

    Thresholds for nDCF are chosen on the training scenes too. Scores of all folds are then taken
    together. Linear algebra uses one thread: sums in another order round differently, and a
    sampler of positions then takes another path.

    Args:
        estimators: the estimators.
        folds: scenes to fit on and to score.
        question: radii and windows.
        calibration: what is known of phone models.
        clock: seconds, for the speed; such as time.perf_counter.
        on_progress: called with (steps done, steps in all).
    """
    with threadpool_limits(limits=1):  # type: ignore[no-untyped-call]
        return _evaluate(estimators, folds, question, calibration, clock, on_progress)


def _evaluate(
    estimators: Sequence[EvaluatedEstimator],
    folds: Sequence[Fold],
    question: Question,
    calibration: Calibration,
    clock: Callable[[], float],
    on_progress: Callable[[int, int], None] | None,
) -> tuple[EstimatorScores, ...]:
    windows, pairs = cache(TrueWindows.of), cache(TruePairs.of)
    steps = sum(len(estimator.logs) for estimator in estimators) * len(folds)
    done = 0
    rows: list[EstimatorScores] = []
    for estimator in estimators:
        logs_of_estimator = [logs for logs in LogsUsed if logs in estimator.logs]
        runs = {
            logs: _Run(estimator.name, logs, question, clock, windows, pairs)
            for logs in logs_of_estimator
        }
        fitted: Fitted | None = None
        for fold in folds:
            if estimator.learns or fitted is None:
                fitted = estimator.fit(fold.training, calibration=calibration)
            for run in runs.values():
                run.add(fitted, fold)
                if estimator.learns:
                    run.forget()
                done += 1
                if on_progress is not None:
                    on_progress(done, steps)
        for run in runs.values():
            rows += run.rows()
    return tuple(rows)


_SceneScores = dict[tuple[float, float], tuple[Floats, Floats, Bools]]


@dataclass(slots=True)
class _Run:
    """One estimator with one state of knowledge, fold by fold."""

    name: str
    logs: LogsUsed
    question: Question
    clock: Callable[[], float]
    true_windows: Callable[[Scene, LogsUsed, float], TrueWindows]
    true_pairs: Callable[[Scene, LogsUsed, float], TruePairs]
    readings: int = 0
    seconds: float = 0.0
    windows: dict[tuple[float, float], list[WindowOutcome]] = field(default_factory=dict)
    minutes: dict[float, list[MinutesOutcome]] = field(default_factory=dict)
    undecided: set[tuple[float, float]] = field(default_factory=set)
    known: dict[Scene, _SceneScores] = field(default_factory=dict)

    def forget(self) -> None:
        """Drop the scores of scenes: the next fold's fit gives other ones."""
        self.known.clear()

    def add(self, fitted: Fitted, fold: Fold) -> None:
        """Score a fold's scenes, at thresholds from its training scenes."""
        scored = [self._scores(fitted, scene) for scene in fold.scored]
        training = [self._scores(fitted, scene) for scene in fold.training]
        for asked in scored[0] if scored else ():
            parts = [of_scene[asked] for of_scene in training]
            threshold = NOT_APPLICABLE
            if parts:
                scores, _, near = (np.concatenate(column) for column in zip(*parts, strict=True))
                threshold = best_threshold(scores, near)
            for of_scene, group in zip(scored, fold.groups, strict=True):
                score, probability, near = of_scene[asked]
                if len(score) and np.isnan(threshold):
                    self.undecided.add(asked)
                of_group = np.full(len(score), group)
                self.windows.setdefault(asked, []).append(
                    WindowOutcome(score, probability, score >= threshold, near, of_group)
                )
        for scene, group in zip(fold.scored, fold.groups, strict=True):
            self._add_minutes(fitted, scene, group)
            self._time(fitted, replace(scene))

    def _time(self, fitted: Fitted, scene: Scene) -> None:
        """Time the scoring of a copy of a scene, of which nothing is cached."""
        window_s, within_m = self.question.windows_s[-1], self.question.radii_m[-1]
        start = self.clock()
        fitted.windows(scene, self.logs, window_s=window_s, within_m=within_m)
        self.seconds += self.clock() - start
        self.readings += len(scene.sightings)

    def _scores(self, fitted: Fitted, scene: Scene) -> _SceneScores:
        """Return score, probability and truth of a scene's windows, for every radius and window."""
        if scene in self.known:
            return self.known[scene]
        found: _SceneScores = {}
        for window_s in self.question.windows_s:
            true = self.true_windows(scene, _joint(self.logs), window_s)
            for within_m in self.question.radii_m:
                given = fitted.windows(scene, self.logs, window_s=window_s, within_m=within_m)
                if len(given) != len(true.known):
                    raise ValueError(
                        f"{self.name} gives {len(given)} scores for {len(true.known)} windows"
                    )
                found[within_m, window_s] = (
                    given.score[true.known],
                    given.probability[true.known],
                    true.distance_m <= within_m,
                )
        self.known[scene] = found
        return found

    def _add_minutes(self, fitted: Fitted, scene: Scene, group: int) -> None:
        for within_m in self.question.radii_m:
            true = self.true_pairs(scene, _joint(self.logs), within_m)
            if not true.known.any():
                continue
            given = fitted.minutes(scene, self.logs, within_m=within_m)
            of_group = np.full(len(true.minutes), group)
            low, median, high = (
                column[true.known] for column in (given.low, given.median, given.high)
            )
            self.minutes.setdefault(within_m, []).append(
                MinutesOutcome(low, median, high, true.minutes, of_group)
            )

    def rows(self) -> list[EstimatorScores]:
        """Return the measures over all folds."""
        return [
            self._row(within_m, window_s)
            for within_m in self.question.radii_m
            for window_s in self.question.windows_s
        ]

    def _row(self, within_m: float, window_s: float) -> EstimatorScores:
        windows = _joined(WindowOutcome, self.windows.get((within_m, window_s), []))
        minutes = _joined(MinutesOutcome, self.minutes.get(within_m, []))
        duration = DurationScores.of(minutes.low, minutes.estimated, minutes.high, minutes.true)
        contact = precision_recall(minutes.estimated, minutes.true, CONTACT_MINUTES)
        policy = precision_recall(minutes.estimated, minutes.true, SINGAPORE_POLICY.minutes)
        count = len(windows.score)
        decided = count > 0 and (within_m, window_s) not in self.undecided
        return EstimatorScores(
            estimator=self.name,
            logs=self.logs.value,
            radius_m=within_m,
            window_s=window_s,
            n=count,
            prevalence=float(windows.near.mean()) if count else NOT_APPLICABLE,
            auc=auc(windows.score, windows.near),
            ndcf=ndcf(windows.chosen, windows.near) if decided else NOT_APPLICABLE,
            ece=calibration_error(windows.probability, windows.near),
            coverage90=duration.coverage90,
            minutes_mae=duration.mae,
            minutes_bias=duration.bias,
            minutes_r=duration.r,
            precision_15min=contact[0],
            recall_15min=contact[1],
            readings_per_s=self.readings / self.seconds if self.seconds else NOT_APPLICABLE,
            precision_policy=policy[0],
            recall_policy=policy[1],
            winkler=duration.winkler,
            pairs=duration.n,
            windows=windows,
            minutes=minutes,
        )
