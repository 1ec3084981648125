"""Measures as a table to read and as rows to compute with."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Final

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table

from tracetogether.evaluation.baselines.constant import Constant
from tracetogether.evaluation.comparison import COMPARED, Difference, best_or_level
from tracetogether.evaluation.scoring import EstimatorScores
from tracetogether.parameters import SINGAPORE_POLICY
from tracetogether.units import SECONDS_PER_MINUTE

JSON_KEYS: Final = (
    "estimator",
    "logs",
    "radius_m",
    "window_s",
    "n",
    "prevalence",
    "auc",
    "ndcf",
    "ece",
    "coverage90",
    "minutes_mae",
    "minutes_bias",
    "minutes_r",
    "precision_15min",
    "recall_15min",
    "readings_per_s",
    "winkler",
    "winkler_constant",
    "best_or_level",
)

_POLICY: Final = f"{SINGAPORE_POLICY.minutes:g}"
_COLUMNS: Final = (
    # heading, measure, digits of a share (None: minutes), least width
    ("AUC", "auc", 3, 6),
    ("nDCF", "ndcf", 3, 6),
    ("ECE", "ece", 3, 5),
    ("MAE", "minutes_mae", None, 6),
    ("bias", "minutes_bias", None, 5),
    ("r", "minutes_r", 2, 4),
    ("in90", "coverage90", 2, 4),
    ("Winkler", "winkler", None, 6),
    ("const", "winkler_constant", None, 5),
    ("P15", "precision_15min", 2, 4),
    ("R15", "recall_15min", 2, 4),
    (f"P{_POLICY}", "precision_policy", 2, 4),
    (f"R{_POLICY}", "recall_policy", 2, 4),
)
_MISSING: Final = "-"


_DIFFERENCES: Final = (
    ("AUC", "auc", 3),
    ("nDCF", "ndcf", 3),
    ("ECE", "ece", 3),
    ("MAE", "minutes_mae", None),
    ("Winkler", "winkler", None),
)


def json_rows(
    rows: Sequence[EstimatorScores], constant: Sequence[EstimatorScores] | None = None
) -> list[dict[str, object]]:
    """Return one object per row with JSON_KEYS; None where a measure does not apply.

    Args:
        rows: the measures.
        constant: rows of which one is the constant's; if None, ``rows`` themselves.
    """
    beside = _constants(rows if constant is None else constant)
    return [
        {
            **{key: _plain(getattr(row, key)) for key in JSON_KEYS[:-2]},
            JSON_KEYS[-2]: _plain(_measure(row, JSON_KEYS[-2], beside)),
            JSON_KEYS[-1]: sorted(measures),
        }
        for row, measures in zip(rows, best_or_level(rows), strict=True)
    ]


def json_differences(found: Sequence[Difference]) -> list[dict[str, object]]:
    """Return one object per difference; None where it does not apply."""
    return [{key: _plain(value) for key, value in asdict(part).items()} for part in found]


_Constants = Mapping[tuple[str, float], float]


def _constants(rows: Sequence[EstimatorScores]) -> _Constants:
    """Return the Winkler score of the constant's intervals, for each of logs and radius."""
    return {
        (row.logs, row.radius_m): row.winkler for row in rows if row.estimator == Constant().name
    }


def _measure(row: EstimatorScores, name: str, beside: _Constants) -> float:
    if name == "winkler_constant":
        return beside.get((row.logs, row.radius_m), float("nan"))
    return float(getattr(row, name))


def _plain(value: object) -> object:
    return None if isinstance(value, float) and not np.isfinite(value) else value


def table(
    rows: Sequence[EstimatorScores], constant: Sequence[EstimatorScores] | None = None
) -> Table:
    """Return all rows side by side, in sections of one radius and length of window.

    A figure is marked where its estimator is best of those with the same logs, or level with it.

    Args:
        rows: the measures.
        constant: rows of which one is the constant's; if None, ``rows`` themselves.
    """
    beside = _constants(rows if constant is None else constant)
    found = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True, title_justify="left")
    for heading, width in (("radius", 6), ("window", 6), ("estimator", 17), ("logs", 4)):
        found.add_column(heading, no_wrap=True, min_width=width)
    for heading, _, _, width in _COLUMNS:
        found.add_column(heading, justify="right", no_wrap=True, min_width=width)
    found.add_column("read/s", justify="right", no_wrap=True, min_width=4)
    marked = list(zip(rows, best_or_level(rows), strict=True))
    for asked in dict.fromkeys((row.radius_m, row.window_s) for row in rows):
        section = [pair for pair in marked if (pair[0].radius_m, pair[0].window_s) == asked]
        found.add_section()
        for row, best in section:
            found.add_row(
                f"{row.radius_m:g} m",
                f"{row.window_s / SECONDS_PER_MINUTE:g} min",
                row.estimator,
                row.logs,
                *(
                    _figure(_measure(row, measure, beside), digits)
                    + ("*" if measure in best else " " if measure in COMPARED else "")
                    for _, measure, digits, _ in _COLUMNS
                ),
                _speed(row.readings_per_s),
            )
    return found


def table_of_differences(found: Sequence[Difference], against: str) -> Table:
    """Return by how much every estimator is worse than one of them, with 95 % intervals.

    A star marks an estimator that is better beyond the interval.
    """
    printed = Table(
        box=SIMPLE_HEAD,
        pad_edge=False,
        title=f"Worse than {against} by (95 % interval); *: better beyond it",
        title_justify="left",
    )
    for heading, width in (("radius", 6), ("window", 6), ("estimator", 17), ("logs", 4)):
        printed.add_column(heading, no_wrap=True, min_width=width)
    for heading, _, _ in _DIFFERENCES:
        printed.add_column(heading, justify="right", no_wrap=True)
    by_row: dict[tuple[float, float, str, str], dict[str, Difference]] = {}
    for part in found:
        row = (part.radius_m, part.window_s, part.logs, part.estimator)
        by_row.setdefault(row, {})[part.measure] = part
    for (radius_m, window_s, logs, estimator), parts in by_row.items():
        printed.add_row(
            f"{radius_m:g} m",
            f"{window_s / SECONDS_PER_MINUTE:g} min",
            estimator,
            logs,
            *(_worse_by(parts[measure], digits) for _, measure, digits in _DIFFERENCES),
        )
    return printed


def _worse_by(part: Difference, digits: int | None) -> str:
    if np.isnan(part.worse_by):
        return _MISSING
    by, low, high = (_figure(value, digits) for value in (part.worse_by, part.low, part.high))
    return f"{by} ({low} to {high})" + ("*" if part.high < 0 else " ")


def facts(rows: Sequence[EstimatorScores]) -> list[str]:
    """Return lines with the number of windows and pairs, and the share that is near."""
    lines = []
    for logs in dict.fromkeys(row.logs for row in rows):
        of_logs = [row for row in rows if row.logs == logs]
        windows = []
        for window_s in dict.fromkeys(row.window_s for row in of_logs):
            section = [row for row in of_logs if row.window_s == window_s]
            near = {row.radius_m: row.prevalence for row in section}
            shares = ", ".join(
                f"{100 * share:.1f} % within {radius:g} m"
                for radius, share in near.items()
                if not np.isnan(share)
            )
            count = f"{section[0].n:,} of {window_s / SECONDS_PER_MINUTE:g} min"
            windows.append(f"{count} ({shares})" if shares else count)
        pairs = f"{of_logs[0].pairs:,} pairs with true minutes"
        lines.append(f"{logs}: windows {', '.join(windows)}; {pairs}.")
    return lines


def _figure(value: float, digits: int | None) -> str:
    """Return a share with ``digits`` digits and no leading 0, or minutes if ``digits`` is None."""
    if np.isnan(value):
        return _MISSING
    if digits is None:
        return f"{value:.2f}"
    text = f"{value:.{digits}f}"
    return text.replace("0.", ".", 1) if abs(value) < 1 else text


def _speed(value: float) -> str:
    if np.isnan(value):
        return _MISSING
    return f"{value / 1e6:.1f} M" if value >= 1e6 else f"{value / 1e3:.0f} k"
