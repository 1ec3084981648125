"""The picture of a sweep: a share of the contacts over one varied key, a curve for each of another.

The title says what the points say. There is a change only if the intervals of the first and of the
last point are apart. Over adoption, the exponent p of share ~ adoption^p is fitted to the points'
logarithms, each weighted by its interval. The title gives it with its central 90 %.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from simulations.scores.intervals import Measured
from simulations.settings.scenario import full_key
from simulations.studies.sweep import SHARES, Point
from simulations.studies.sweep_tables import ADOPTION
from tracetogether.errors import ScenarioError
from tracetogether.names import did_you_mean
from tracetogether.picture_style import (
    INK,
    LINES,
    MARKS,
    QUIET,
    SERIES,
    new_figure,
    plain_axes,
    title,
)
from tracetogether.plain_text import visible
from tracetogether.proximity.estimates import NORMAL_95
from tracetogether.units import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MEASURES: Final[Mapping[str, str]] = {
    "recorded": "of all contacts: in the other's log",
    "found": "of all contacts: on the authority's list",
    "tif": "of contacts with the app: on the authority's list",
    "kept": "of contacts with the app: in the other's log",
    "with_app": "of all contacts: both have the app",
    "falsely_listed": "of people listed: no contact",
    "false_per_person_hour": "people listed falsely, per person and hour",
}
"""What can be drawn, and its words in the picture."""
USUAL: Final = ("recorded", "found")
_WIDTH_IN: Final = 7.5
_HEIGHT_IN: Final = 4.6
_MOST_CURVES: Final = len(SERIES)
_FEWEST_FITTED: Final = 3
_LEGEND_COLUMNS: Final = 3


@dataclass(frozen=True, slots=True)
class Curve:
    """One curve of the picture.

    Attributes:
        label: its name in the legend.
        x: (n,) values of the varied key; 0, 1, 2, ... if they are words.
        shares: (n,) the measured shares.
    """

    label: str
    x: Floats
    shares: tuple[Measured, ...]

    @property
    def middle(self) -> Floats:
        """(n,) the shares themselves."""
        return np.array([share.median for share in self.shares])

    @property
    def ends(self) -> tuple[Floats, Floats]:
        """(n,) low and (n,) high ends of the intervals; the share itself without an interval."""
        low = [share.median if share.low is None else share.low for share in self.shares]
        high = [share.median if share.high is None else share.high for share in self.shares]
        return np.array(low), np.array(high)


def varied_keys(points: Sequence[Point]) -> list[str]:
    """Return the keys that have more than one value, in order."""
    keys = dict.fromkeys(key for point in points for key in point.settings)
    return [key for key in keys if len({point.settings.get(key) for point in points}) > 1]


def draw_sweep(
    points: Sequence[Point],
    *,
    scenario: str,
    x: str | None = None,
    by: str | None = None,
    measures: Sequence[str] = (),
    marks: Mapping[float, str] | None = None,
    square: bool = False,
) -> "Figure":
    """Draw the points of a sweep, each with its central 90 %.

    Args:
        points: the points.
        scenario: its name, for the line below the title.
        x: the key along the axis; by default the first varied key.
        by: the key with a curve for each value; by default the second varied key, if any.
        measures: what is drawn, names from ``MEASURES``; by default both recorded and found, or
            found alone where there is a curve for each value of ``by``.
        marks: value along the axis -> words that stand at a vertical line there.
        square: also draw a curve that goes with the square of ``x``, through the last point.

    Raises:
        ScenarioError: a key was not varied, a measure is unknown, or there is too much for one
            picture.
        MissingExtraError: matplotlib is not installed.
    """
    x, by = _chosen_keys(points, x, by)
    measures = tuple(measures) or (("found",) if by else USUAL)
    for name in measures:
        if name not in MEASURES:
            hint = did_you_mean(name, MEASURES) or f"; there are {', '.join(MEASURES)}"
            raise ScenarioError(f"there is no measure {name!r}{hint}")
    if by is not None and len(measures) > 1:
        raise ScenarioError(f"choose one measure: there is a curve for each {by}")
    words = _words(points, x)
    curves = _curves(points, x, by, measures, words)
    if words is not None and (marks or square):
        raise ScenarioError(f"{x} has words as values, so no mark and no square can be drawn")
    figure = new_figure(_WIDTH_IN, _HEIGHT_IN)
    axes = figure.add_subplot()
    plain_axes(axes)
    for place, curve in enumerate(curves):
        _draw_curve(axes, curve, place, joined=words is None)
        if square:
            _draw_square(axes, curve, SERIES[place], label="" if place else "the square")
    for value, said in (marks or {}).items():
        axes.axvline(value, color=QUIET, linewidth=1, linestyle=":")
        axes.text(
            value,
            0.99,
            f" {visible(said)}",
            transform=axes.get_xaxis_transform(),
            rotation=90,
            va="top",
            ha="right",
            fontsize=8,
            color=QUIET,
            parse_math=False,
        )
    if words is not None:
        axes.set_xticks(range(len(words)), labels=[visible(word) for word in words])
    if x == ADOPTION:
        axes.set_xlim(0, 1.02)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("share of people with the app" if x == ADOPTION else x, color=INK, fontsize=9)
    axes.set_ylabel(MEASURES[measures[0]] if len(measures) == 1 else "share", color=INK, fontsize=9)
    if len(curves) > 1 or square:
        figure.legend(  # below the axes, where it covers neither points nor the words of a mark
            frameon=False,
            fontsize=9,
            loc="outside lower center",
            ncols=_LEGEND_COLUMNS,
            title=by,
            title_fontsize=9,
        )
    runs = min(point.runs - point.failed for point in points)
    title(
        axes,
        headline(curves, x, measures[-1], words),
        f"{scenario}: {runs} runs of each setting, bars show the central 90 %",
    )
    return figure


def headline(
    curves: Sequence[Curve], x: str, measure: str, words: Sequence[str] | None = None
) -> str:
    """Return what the last curve says, in one line.

    Args:
        curves: what is drawn, at least one.
        x: the key along the axis.
        measure: what the last curve shows.
        words: the values of ``x``, if they are words.
    """
    curve = curves[-1]
    if not curve.shares:
        return "There was no contact"
    name = "adoption" if x == ADOPTION else x.rpartition(".")[2]
    what = {
        "found": "Contacts on the list",
        "recorded": "Contacts in a log",
        "tif": "App users on the list",
        "kept": "App users in a log",
        "with_app": "Contacts with the app",
        "falsely_listed": "False names on lists",
        "false_per_person_hour": "False names per hour",
    }[measure]
    first, last = curve.shares[0], curve.shares[-1]
    rate = measure == "false_per_person_hour"
    if words is not None:
        best = int(np.argmax(curve.middle))
        value = _figure(curve.shares[best].median, rate=rate)
        return f"{what}: {value} at most, with {name} {words[best]}"
    start = f"{_figure(first.median, rate=rate)} at {name} {curve.x[0]:g}"
    if len(curve.shares) == 1:
        return f"{what}: {start}"
    low, high = curve.ends
    end = f"{_figure(last.median, rate=rate)} at {curve.x[-1]:g}"
    if low[-1] <= high[0] and low[0] <= high[-1]:
        return f"{what}: {start}, {end}, no clear change"
    said = f"{what}: {start}, {end}"
    if x == ADOPTION and (power := exponent(curve)) is not None:
        fitted, error = power
        said += f"; power {fitted:.1f} ± {error:.1f}"
    return said


def exponent(curve: Curve) -> tuple[float, float] | None:
    """Return p of share ~ x^p and half the width of its central 90 %; None for too few points.

    The fit is a straight line through the logarithms. The variance of a logarithm is that of the
    share over its square (delta method), from the width of the interval.
    """
    low, high = curve.ends
    usable = (curve.x > 0) & (curve.middle > 0) & (high > low)
    if usable.sum() < _FEWEST_FITTED:
        return None
    log_x, log_share = np.log(curve.x[usable]), np.log(curve.middle[usable])
    sd = (high - low)[usable] / (2 * NORMAL_95) / curve.middle[usable]
    weight = sd**-2
    centre = float((weight * log_x).sum() / weight.sum())
    spread = float((weight * (log_x - centre) ** 2).sum())
    power = float((weight * (log_x - centre) * log_share).sum()) / spread
    return power, NORMAL_95 / float(np.sqrt(spread))


def _figure(value: float, *, rate: bool) -> str:
    if rate:
        return f"{value:.2g}"
    return f"{100 * value:.0f} %" if value >= 0.1 else f"{100 * value:.2g} %"


def _chosen_keys(points: Sequence[Point], x: str | None, by: str | None) -> tuple[str, str | None]:
    """Return the keys along the axis and of the curves, by their full names."""
    varied = varied_keys(points)
    named = [None if key is None else full_key(key).name for key in (x, by)]
    for key in named:
        if key is not None and key not in varied and not (key == named[0] and not varied):
            raise ScenarioError(f"{key} was not varied; varied: {', '.join(varied) or 'nothing'}")
    left = [key for key in varied if key not in named]
    along = named[0] or (left.pop(0) if left else next(iter(points[0].settings), ADOPTION))
    curves = named[1] or (left.pop(0) if left else None)
    if left:
        raise ScenarioError(
            f"one picture shows two varied keys, and {', '.join(left)} was varied as well: "
            "draw a sweep over two keys"
        )
    return along, curves


def _words(points: Sequence[Point], x: str) -> list[str] | None:
    """Return the values of ``x`` in order, if they are not all numbers."""
    values = list(dict.fromkeys(point.settings[x] for point in points))
    try:
        [float(value) for value in values]
    except ValueError:
        return values
    return None


def _curves(
    points: Sequence[Point],
    x: str,
    by: str | None,
    measures: Sequence[str],
    words: Sequence[str] | None,
) -> list[Curve]:
    groups = [None] if by is None else list(dict.fromkeys(point.settings[by] for point in points))
    if len(groups) * len(measures) > _MOST_CURVES:
        raise ScenarioError(
            f"a picture shows up to {_MOST_CURVES} curves, not {len(groups) * len(measures)}: "
            "vary fewer values"
        )
    curves = []
    for measure in measures:
        if measure not in SHARES:
            raise ScenarioError(f"points have no {measure}")
        for group in groups:
            rows = [
                (float(words.index(at)) if words is not None else float(at), share)
                for point in points
                if (by is None or point.settings[by] == group)
                and (share := getattr(point, measure)) is not None
                for at in (point.settings[x],)
            ]
            rows.sort(key=lambda row: row[0])
            label = MEASURES[measure] if group is None else str(group)
            curves.append(
                Curve(label, np.array([at for at, _ in rows]), tuple(share for _, share in rows))
            )
    return curves


def _draw_curve(axes: "Axes", curve: Curve, place: int, *, joined: bool) -> None:
    low, high = curve.ends
    bars = np.abs(np.stack([curve.middle - low, high - curve.middle]))
    axes.errorbar(
        curve.x,
        curve.middle,
        bars,
        color=SERIES[place],
        marker=MARKS[place],
        linestyle=LINES[place] if joined else "none",
        linewidth=1.2,
        markersize=5,
        capsize=3,
        label=visible(curve.label),
    )


def _draw_square(axes: "Axes", curve: Curve, colour: str, *, label: str) -> None:
    if not len(curve.x) or curve.x[-1] <= 0:
        return
    fine = np.linspace(0, float(curve.x[-1]), 101)
    scale = float(curve.middle[-1]) / float(curve.x[-1]) ** 2
    axes.plot(fine, scale * fine**2, color=colour, linewidth=0.8, linestyle=":", label=label)
