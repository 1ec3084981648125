"""Measures as a table to read and as rows to compute with."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table

from tracetogether.evaluation.comparison import COMPARED, best_or_level
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
    ("P15", "precision_15min", 2, 4),
    ("R15", "recall_15min", 2, 4),
    (f"P{_POLICY}", "precision_policy", 2, 4),
    (f"R{_POLICY}", "recall_policy", 2, 4),
)
_MISSING: Final = "-"


def json_rows(rows: Sequence[EstimatorScores]) -> list[dict[str, object]]:
    """Return one object per row with JSON_KEYS; None where a measure does not apply."""
    return [
        {key: _plain(getattr(row, key)) for key in JSON_KEYS[:-1]}
        | {JSON_KEYS[-1]: sorted(measures)}
        for row, measures in zip(rows, best_or_level(rows), strict=True)
    ]


def _plain(value: object) -> object:
    return None if isinstance(value, float) and not np.isfinite(value) else value


def table(rows: Sequence[EstimatorScores]) -> Table:
    """Return all rows side by side, in sections of one radius and length of window.

    A figure is marked where its estimator is best of those with the same logs, or level with it.
    """
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
                    _figure(getattr(row, measure), digits)
                    + ("*" if measure in best else " " if measure in COMPARED else "")
                    for _, measure, digits, _ in _COLUMNS
                ),
                _speed(row.readings_per_s),
            )
    return found


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
