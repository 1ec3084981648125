"""The picture of `tracetogether estimate --plot`: P(near) over time, one panel for each pair."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from tracetogether.errors import StoreError
from tracetogether.labels import UNKNOWN, Labels
from tracetogether.picture_style import (
    FOUND,
    QUIET,
    digest_of_columns,
    new_figure,
    plain_axes,
    save_figure,
)
from tracetogether.plain_text import visible
from tracetogether.proximity.by_time import Moments
from tracetogether.proximity.encounters import Encounters
from tracetogether.units import Floats, Ints

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_PAIRS: Final = 8
_PANEL_IN: Final = 1.15
_WIDTH_IN: Final = 10.0


def save_plot(
    found: Encounters, moments: Moments, path: Path, *, within_m: float, least_minutes: float
) -> None:
    """Save P(near) over time as SVG, PNG or PDF, by the ending of the file's name.

    The pairs whose likeliest encounter is most likely long enough are drawn.

    Args:
        found: the encounters.
        moments: their half minutes.
        path: the file.
        within_m: what counts as near, metres.
        least_minutes: minutes whose chance stands above each panel.

    Raises:
        MissingExtraError: matplotlib is not installed.
        StoreError: the file can't be written, or its ending names no known format.
    """
    chances = found.chances(least_minutes)
    pairs = _likeliest_pairs(found, chances)
    panels = max(len(pairs), 1)
    figure = new_figure(_WIDTH_IN, 0.9 + _PANEL_IN * panels)
    axes = np.atleast_1d(figure.subplots(panels, 1, sharex=True, sharey=True))
    for panel, rows in zip(axes.tolist(), pairs, strict=False):
        best = int(rows[np.argmax(chances[rows])])
        _draw(panel, moments, rows)
        panel.set_title(
            f"{_name(found.observer, best)} – {_name(found.peer, best)}: "
            f"{100 * chances[best]:.0f} % likely within {within_m:g} m for {least_minutes:g} min "
            "or more",
            loc="left",
            fontsize=9,
            parse_math=False,  # names are text: `$` begins no formula
        )
    if not pairs:
        axes[0].text(0.5, 0.5, "no encounters", ha="center", va="center", color=QUIET)
    axes[0].set_ylim(0, 1)
    figure.supylabel(f"P(within {within_m:g} m)", fontsize=9)
    axes[-1].set_xlabel("time (UTC)", fontsize=9)
    save_figure(figure, path, made_of=digest_of_columns(moments.start_s, moments.chance), dpi=120)


def _likeliest_pairs(found: Encounters, chances: Floats) -> list[Ints]:
    """Return the rows of each pair to draw, the likeliest pair first."""
    if not len(found):
        return []
    codes = np.stack([found.observer.codes, found.peer.codes])
    pairs, pair = np.unique(codes, axis=1, return_inverse=True)
    best = np.zeros(pairs.shape[1])
    np.maximum.at(best, pair, chances)
    minutes = np.bincount(pair, weights=found.minutes.median)
    order = np.lexsort((-minutes, -best))[:_MOST_PAIRS]
    return [np.flatnonzero(pair == which).astype(np.int64) for which in order.tolist()]


def _draw(axes: "Axes", moments: Moments, rows: Ints) -> None:
    for row in rows.tolist():
        which = np.flatnonzero(moments.encounter == row)
        times = _moments(moments.start_s[which])
        chance = moments.chance[which]
        axes.fill_between(times, chance, color=FOUND, alpha=0.25, linewidth=0)
        axes.plot(times, chance, color=FOUND, linewidth=1.4, marker=".", markersize=4)
    axes.set_yticks([0, 0.5, 1])
    plain_axes(axes)
    axes.tick_params(labelsize=8)


def _moments(seconds: Floats) -> "np.ndarray[tuple[int], np.dtype[np.datetime64]]":
    """Return (n,) the times of epoch seconds.

    Raises:
        StoreError: one lies beyond the calendar.
    """
    try:
        for second in (float(seconds.min()), float(seconds.max())):
            datetime.fromtimestamp(second, UTC)
    except (ValueError, OverflowError, OSError):
        raise StoreError("these times are beyond the calendar: no picture can show them") from None
    return np.asarray(np.round(1_000 * seconds).astype(np.int64).astype("datetime64[ms]"))


def _name(labels: Labels, row: int) -> str:
    code = int(labels.codes[row])
    return "phone" if code == UNKNOWN else visible(labels.names[code])
