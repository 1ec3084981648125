"""Pictures of an evaluation: reliability diagram, ROC, minutes true against estimated."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tracetogether.errors import StoreError
from tracetogether.evaluation.metrics import reliability
from tracetogether.evaluation.scoring import EstimatorScores
from tracetogether.picture_style import (
    FOUND,
    LINES,
    LOGGED,
    MARKS,
    QUIET,
    SERIES,
    digest_of_columns,
    new_figure,
    plain_axes,
    save_figure,
    title,
)
from tracetogether.units import Bools, Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SHOWN: Final = 6  # curves that one picture bears
_SIZE_INCHES: Final = (6.0, 5.0)


def draw(rows: Sequence[EstimatorScores], folder: Path) -> tuple[Path, ...]:
    """Write the pictures of each radius and longest window into ``folder``, and return them.

    One file per kind, radius and state of knowledge; kinds that have nothing to show are left out.

    Raises:
        MissingExtraError: matplotlib is not installed.
        StoreError: the folder can't be written.
    """
    new_figure(*_SIZE_INCHES)  # fails before a folder is made
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"can't make {folder}: {error.strerror or error}") from None
    longest = max((row.window_s for row in rows), default=0.0)
    asked = dict.fromkeys((row.radius_m, row.logs) for row in rows)
    written = []
    for radius_m, logs in asked:
        section = [
            row
            for row in rows
            if (row.radius_m, row.logs, row.window_s) == (radius_m, logs, longest)
        ]
        for kind, sketch in (
            ("reliability", _reliability),
            ("roc", _roc),
            ("minutes", _minutes),
        ):
            figure = new_figure(*_SIZE_INCHES)
            axes = figure.subplots()
            if not (said := sketch(axes, section)):
                continue
            plain_axes(axes)
            of_what = f"{logs} logs, within {radius_m:g} m, {longest / 60:g}-min windows"
            title(axes, said, of_what)
            columns = [
                column for row in section for column in (row.windows.score, row.windows.near)
            ]
            path = folder / f"{kind}-{logs}-{radius_m:g}m.png"
            written.append(save_figure(figure, path, made_of=digest_of_columns(*columns)))
    return tuple(written)


def roc(score: Floats, near: Bools) -> tuple[Floats, Floats]:
    """Return false and true alarm rates at every threshold, from none to all."""
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(near[order]) / max(1, int(near.sum()))
    alarms = np.cumsum(~near[order]) / max(1, int((~near).sum()))
    distinct = np.append(np.diff(score[order]) != 0, True)  # equal scores come together
    return np.append(0.0, alarms[distinct]), np.append(0.0, hits[distinct])


def _reliability(axes: "Axes", rows: Sequence[EstimatorScores]) -> str:
    """Draw how often each stated probability came true; return the headline, or "" for nothing."""
    drawn = [row for row in rows if np.isfinite(row.ece)][:_SHOWN]
    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=1, label="as stated")
    for row, (colour, line, mark) in zip(drawn, _looks(), strict=False):
        mean, share, count = reliability(row.windows.probability, row.windows.near)
        label = f"{row.estimator} (ECE {row.ece:.3f})"
        axes.plot(mean, share, color=colour, linestyle=line, marker=mark, label=label)
        axes.scatter(mean, share, s=200 * count / count.max(), color=colour, alpha=0.3)
    axes.set(xlabel="estimated probability", ylabel="share that was near", xlim=(0, 1), ylim=(0, 1))
    axes.legend(frameon=False, fontsize=8)
    if not drawn:
        return ""
    best = min(drawn, key=lambda row: row.ece)
    return f"Probabilities of {best.estimator} are off by {best.ece:.2f} on average"


def _roc(axes: "Axes", rows: Sequence[EstimatorScores]) -> str:
    """Draw hits by false alarms; return the headline, or "" for nothing."""
    known = [row for row in rows if np.isfinite(row.auc) and row.estimator != "constant"]
    drawn = sorted(known, key=lambda row: -row.auc)[:_SHOWN]
    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=1, label="by chance (AUC 0.500)")
    for row, (colour, line, _) in zip(drawn, _looks(), strict=False):
        label = f"{row.estimator} (AUC {row.auc:.3f})"
        curve = roc(row.windows.score, row.windows.near)
        axes.plot(*curve, color=colour, linestyle=line, label=label)
    axes.set(xlabel="false alarms", ylabel="near windows found", xlim=(0, 1), ylim=(0, 1))
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    return f"{drawn[0].estimator} tells near from far best here" if drawn else ""


def _minutes(axes: "Axes", rows: Sequence[EstimatorScores]) -> str:
    """Draw minutes estimated by true minutes; return the headline, or "" for nothing."""
    known = [row for row in rows if row.pairs and row.estimator != "constant"]
    if not known:
        return ""
    best = min(known, key=lambda row: row.minutes_mae)
    minutes = best.minutes
    most = float(max(minutes.true.max(), minutes.estimated.max(), 1.0))
    axes.plot([0, most], [0, most], color=QUIET, linewidth=1, label="as in truth")
    if not np.isnan(minutes.low).any():
        axes.vlines(
            minutes.true, minutes.low, minutes.high, color=LOGGED, alpha=0.08, label="5 % to 95 %"
        )
    axes.scatter(
        minutes.true, minutes.estimated, s=6, color=FOUND, alpha=0.5, label="a pair in a scene"
    )
    axes.set(xlabel="true minutes", ylabel="estimated minutes")
    axes.legend(frameon=False, fontsize=8, loc="upper left")
    return f"{best.estimator}: minutes are off by {best.minutes_mae:.2f} on average"


def _looks() -> Iterator[tuple[str, Any, str]]:
    """Yield colour, line style and mark of one curve after the other."""
    return zip(SERIES, LINES, MARKS, strict=True)
