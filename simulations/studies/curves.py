"""The adoption curve as a picture: what share of contacts is detected, against the square law."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from simulations.studies.sweep import Point
from tracetogether.errors import MissingExtraError
from tracetogether.whole_file import whole_file

ADOPTION: Final = "people.adoption"
_MARKS: Final = ((0.25, "25 %: the press, June 2020"), (0.32, "32 %: downloads, June 2020"))


def save_curve(points: Sequence[Point], path: Path) -> None:
    """Save recorded and found shares by adoption, beside adoption squared.

    Raises:
        MissingExtraError: matplotlib is not installed.
        StoreError: the file can't be written.
    """
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - an optional package
    except ImportError:
        raise MissingExtraError("The picture", "plot") from None
    figure = Figure(figsize=(7.5, 4.6), facecolor="white", layout="constrained")
    axes = figure.add_subplot()
    for name, colour, label in (
        ("recorded", "#5b8db8", "in the other's log"),
        ("found", "#0f7b5f", "on the authority's list"),
    ):
        rows = [
            (float(point.settings[ADOPTION]), share)
            for point in points
            if (share := getattr(point, name)) is not None
        ]
        if not rows:
            continue
        adoption = np.array([one for one, _ in rows])
        shares = [share for _, share in rows]
        middle = np.array([share.median for share in shares])
        # A point of one run has no interval: a mark without a bar.
        low = np.array([0.0 if one.low is None else one.median - one.low for one in shares])
        high = np.array([0.0 if one.high is None else one.high - one.median for one in shares])
        axes.errorbar(adoption, middle, [low, high], fmt="o", color=colour, capsize=3, label=label)
        scale = middle[np.argmax(adoption)] / adoption.max() ** 2
        fine = np.linspace(0, 1, 101)
        axes.plot(fine, scale * fine**2, color=colour, linewidth=1, linestyle="--")
    for adoption_mark, words in _MARKS:
        axes.axvline(adoption_mark, color="#8a929c", linewidth=1, linestyle=":")
        axes.text(adoption_mark, 1.0, f" {words}", rotation=90, va="top", ha="right", fontsize=8)
    axes.set_xlim(0, 1.02)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("share of people with the app")
    axes.set_ylabel("share of all true contacts")
    axes.set_title("Detected contacts go with the square of adoption (dashed)", loc="left")
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(0.36, 0.85))
    with whole_file(path) as half:
        figure.savefig(half, dpi=120)
