"""Pictures of an evaluation: reliability diagram, ROC, minutes true against estimated."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from tracetogether.errors import MissingExtraError, StoreError
from tracetogether.evaluation.metrics import reliability
from tracetogether.evaluation.scoring import EstimatorScores
from tracetogether.units import Bools, Floats
from tracetogether.whole_file import whole_file

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
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415  an optional package
    except ImportError:
        raise MissingExtraError("drawing pictures", "plot") from None
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
            figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
            axes = figure.subplots()
            if not sketch(axes, section):
                continue
            axes.set_title(f"{logs} logs, within {radius_m:g} m, {longest / 60:g}-min windows")
            path = folder / f"{kind}-{logs}-{radius_m:g}m.png"
            with whole_file(path) as half:
                figure.savefig(half, dpi=100)
            written.append(path)
    return tuple(written)


def roc(score: Floats, near: Bools) -> tuple[Floats, Floats]:
    """Return false and true alarm rates at every threshold, from none to all."""
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(near[order]) / max(1, int(near.sum()))
    alarms = np.cumsum(~near[order]) / max(1, int((~near).sum()))
    distinct = np.append(np.diff(score[order]) != 0, True)  # equal scores come together
    return np.append(0.0, alarms[distinct]), np.append(0.0, hits[distinct])


def _reliability(axes: "Axes", rows: Sequence[EstimatorScores]) -> bool:
    drawn = [row for row in rows if np.isfinite(row.ece)][:_SHOWN]
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    for row in drawn:
        mean, share, count = reliability(row.windows.probability, row.windows.near)
        points = axes.plot(mean, share, marker="o", label=f"{row.estimator} (ECE {row.ece:.3f})")
        axes.scatter(
            mean, share, s=200 * count / count.max(), color=points[0].get_color(), alpha=0.3
        )
    axes.set(xlabel="estimated probability", ylabel="share that was near", xlim=(0, 1), ylim=(0, 1))
    if drawn:
        axes.legend()
    return bool(drawn)


def _roc(axes: "Axes", rows: Sequence[EstimatorScores]) -> bool:
    known = [row for row in rows if np.isfinite(row.auc) and row.estimator != "constant"]
    drawn = sorted(known, key=lambda row: -row.auc)[:_SHOWN]
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    for row in drawn:
        axes.plot(
            *roc(row.windows.score, row.windows.near), label=f"{row.estimator} (AUC {row.auc:.3f})"
        )
    axes.set(xlabel="false alarms", ylabel="near windows found", xlim=(0, 1), ylim=(0, 1))
    if drawn:
        axes.legend(loc="lower right")
    return bool(drawn)


def _minutes(axes: "Axes", rows: Sequence[EstimatorScores]) -> bool:
    known = [row for row in rows if row.pairs and row.estimator != "constant"]
    if not known:
        return False
    best = min(known, key=lambda row: row.minutes_mae)
    minutes = best.minutes
    most = float(max(minutes.true.max(), minutes.estimated.max(), 1.0))
    axes.plot([0, most], [0, most], color="0.7", linewidth=1)
    if not np.isnan(minutes.low).any():
        axes.vlines(minutes.true, minutes.low, minutes.high, color="C0", alpha=0.08)
    axes.scatter(minutes.true, minutes.estimated, s=6, color="C0", alpha=0.5)
    axes.set(
        xlabel="true minutes",
        ylabel=f"minutes by {best.estimator} (MAE {best.minutes_mae:.2f}, r {best.minutes_r:.2f})",
    )
    return True
