"""Pictures of runs and sweeps of a city, by matplotlib, which is an optional package."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulations.city.sweep_points import Findings
from tracetogether.picture_style import (
    FALSE,
    FOUND,
    LINES,
    LOGGED,
    QUIET,
    SERIES,
    new_figure,
    plain_axes,
    title,
)
from tracetogether.units import Floats

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_LINES: Final = len(SERIES)
_HIGHEST_R: Final = 4


def plot_run(findings: Findings) -> "Figure":
    """Return a figure of one run: infections, R and people at home by day.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figure = new_figure(7.5, 8.0, what="The picture of a run")
    new, r, home = figure.subplots(3, sharex=True)
    curves = findings["curves"]
    for axes in (new, r, home):
        plain_axes(axes)
    title(
        new,
        f"{findings['infections']:,} of {findings['people']:,} infected",
        f"{findings['scenario']}, seed {findings['seed']}",
    )
    new.plot(curves["infections"], color=FOUND)
    new.set_ylabel("infected per day")
    r.plot(_numbers(curves["r_instant"]), color=FOUND, label="instantaneous")
    r.plot(
        _numbers(curves["r_of_cases"]), color=LOGGED, linestyle="--", label="of the cases of a day"
    )
    r.axhline(1, color=QUIET, linewidth=1)
    r.set_ylim(0, _HIGHEST_R)
    r.set_ylabel("R")
    home.plot(curves["home_not"], color=FALSE, label="contacts who were not infected")
    home.plot(
        curves["home_infected"], color=FOUND, linestyle="--", label="contacts who were infected"
    )
    home.plot(curves["home_isolated"], color=QUIET, linestyle="-.", label="cases")
    home.set_ylabel("people at home")
    home.set_xlabel("day")
    for axes in (r, home):
        axes.legend(frameon=False, fontsize=8)
    return figure


def plot_points(points: Sequence[Mapping[str, Any]]) -> "Figure":
    """Return a figure of a sweep: infections by day at each setting, with intervals.

    At most as many settings are drawn as there are colours, evenly chosen.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figure = new_figure(7.5, 4.2, what="The picture of a sweep")
    axes = figure.subplots()
    plain_axes(axes)
    title(axes, "Infected per day", "mean over seeds with its central 90 %")
    chosen = np.linspace(0, len(points) - 1, min(len(points), _MOST_LINES)).round().astype(int)
    for turn, index in enumerate(chosen.tolist()):
        point = points[index]
        curve = point["curves"]["infections"]
        label = ", ".join(f"{key}={value}" for key, value in point["settings"].items())
        axes.plot(curve["mean"], color=SERIES[turn], linestyle=LINES[turn], label=label)
        low, high = _numbers(curve["low"]), _numbers(curve["high"])
        axes.fill_between(
            np.arange(len(low)), low, high, color=SERIES[turn], alpha=0.15, linewidth=0
        )
    axes.set_xlabel("day")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, fontsize=8)
    return figure


def _numbers(values: Sequence[float | None]) -> Floats:
    return np.array(values, dtype=np.float64)
