"""Pictures of runs and sweeps, by matplotlib, which is an optional package."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, Final

import numpy as np

from simulations.city.sweep_points import Findings
from tracetogether.errors import MissingExtraError

_BLUE, _RED, _GREY = "#2f6f9f", "#b3452c", "#8a929c"
_MOST_LINES: Final = 8


def _figure(what: str, panels: int) -> tuple[Any, Any]:
    """Return an empty matplotlib figure and its axes, one above the other.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        figures: Any = import_module("matplotlib.figure")
    except ImportError:
        raise MissingExtraError(what, "plot") from None
    figure = figures.Figure(figsize=(7.5, 2.6 * panels + 0.6), facecolor="white")
    figure.set_layout_engine("constrained")
    return figure, figure.subplots(panels, sharex=True)


def plot_run(findings: Findings) -> Any:  # noqa: ANN401 - matplotlib has no types here
    """Return a figure of one run: infections, R and people at home by day.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figure, (new, r, home) = _figure("The picture of a run", 3)
    curves = findings["curves"]
    new.plot(curves["infections"], color=_BLUE)
    new.set_ylabel("infected per day")
    title = f"{findings['scenario']}: {findings['infections']:,} of {findings['people']:,} infected"
    new.set_title(title, loc="left")
    r.plot(_numbers(curves["r_instant"]), color=_BLUE, label="instantaneous")
    r.plot(_numbers(curves["r_of_cases"]), color=_GREY, label="of the cases of a day")
    r.axhline(1, color=_RED, linewidth=1)
    r.set_ylim(0, 4)
    r.set_ylabel("R")
    r.legend(frameon=False)
    home.plot(curves["home_not"], color=_RED, label="contacts, not infected")
    home.plot(curves["home_infected"], color=_BLUE, label="contacts, infected")
    home.plot(curves["home_isolated"], color=_GREY, label="cases")
    home.set_ylabel("at home")
    home.set_xlabel("day")
    home.legend(frameon=False)
    return figure


def plot_points(points: Sequence[Mapping[str, Any]]) -> Any:  # noqa: ANN401 - same
    """Return a figure of a sweep: infections by day at each setting, with intervals.

    At most eight settings are drawn, evenly chosen.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figure, axes = _figure("The picture of a sweep", 1)
    chosen = np.linspace(0, len(points) - 1, min(len(points), _MOST_LINES)).round().astype(int)
    colours = import_module("matplotlib").colormaps["viridis"]
    for turn, index in enumerate(chosen.tolist()):
        point = points[index]
        curve = point["curves"]["infections"]
        colour = colours(turn / max(len(chosen) - 1, 1) * 0.9)
        label = ", ".join(f"{key}={value}" for key, value in point["settings"].items())
        axes.plot(curve["mean"], color=colour, label=label)
        low, high = _numbers(curve["low"]), _numbers(curve["high"])
        axes.fill_between(np.arange(len(low)), low, high, color=colour, alpha=0.15, linewidth=0)
    axes.set_xlabel("day")
    axes.set_ylabel("infected per day")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, fontsize=8)
    return figure


def _numbers(values: Sequence[float | None]) -> np.ndarray:
    return np.array(values, dtype=np.float64)
