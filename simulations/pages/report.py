"""A picture of one case: the place from above with links, and true and estimated minutes."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulations.one_run import Run
from simulations.pages.floor import draw_devices, draw_floor
from simulations.places.tracks import CrowdTracks
from simulations.places.venue import Posture, Room
from simulations.scores.scoring import CaseScore, ContactScore
from tracetogether.picture_style import (
    FALSE,
    FOUND,
    GRID,
    INK,
    LOGGED,
    MISSED,
    QUIET,
    WALL,
    new_figure,
    save_figure,
)
from tracetogether.plain_text import visible
from tracetogether.units import SECONDS_PER_MINUTE, Floats, Ints

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FOUND: Final = FOUND
_MISSED: Final = MISSED
_FALSE: Final = FALSE
_CASE: Final = INK
_WITH_APP: Final = LOGGED
_WITHOUT_APP: Final = "#ffffff"
_QUIET: Final = QUIET
_BODY_M: Final = 0.2
_MOST_ROWS: Final = 18
_WIDTH_IN, _PLAN_TOP_IN, _PLAN_IN, _LEGENDS_IN, _FOOT_IN = 11.5, 1.15, 1.9, 0.95, 0.5
_MOST_PLAN_IN: Final = 6.0
_STYLES: Final[dict[str, tuple[float, tuple[float, ...]]]] = {
    _FOUND: (0, ()),
    _MISSED: (0, (4, 2)),
    _FALSE: (0, (1, 1.2)),
}
_MEDIAN_MARK: Final[dict[str, Any]] = {"marker": "o", "linestyle": "none", "markersize": 8}
_TRUE_MARK: Final[dict[str, Any]] = {
    "marker": "D",
    "linestyle": "none",
    "color": "white",
    "markeredgecolor": _CASE,
    "markersize": 6.5,
    "markeredgewidth": 1.5,
}
_WORDS: Final = {_FOUND: "found", _MISSED: "missed", _FALSE: "listed, but no contact"}


def save_picture(run: Run, case: CaseScore, path: str | Path) -> None:
    """Save the picture of one case as PNG, PDF or SVG, by the file name's ending.

    Raises:
        MissingExtraError: matplotlib is not installed.
        StoreError: the file can't be written, or its ending names no known format.
    """
    save_figure(draw_case(run, case), path, made_of=picture_digest(run, case))


def picture_digest(run: Run, case: CaseScore) -> str:
    """Return SHA-256 (hex) over what the picture shows: the run, and the case's list."""
    shown = [
        (line.person, line.close_contact, line.true_contact, f"{line.probability:.6f}")
        for line in case.listed
    ]
    return hashlib.sha256(repr((run.digest, case.person, shown)).encode()).hexdigest()


def draw_case(run: Run, case: CaseScore) -> "Figure":
    """Return the picture of one case.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    rows = _rows(case)
    bars_in = 0.3 * max(len(rows), 4)
    plan_in = _plan_in(run.venue)
    height_in = _PLAN_TOP_IN + plan_in + _LEGENDS_IN + bars_in + _FOOT_IN
    figure = new_figure(_WIDTH_IN, height_in, constrained=False)

    def axes(left_in: float, top_in: float, width_in: float, tall_in: float) -> "Axes":
        bottom = 1 - (top_in + tall_in) / height_in
        return figure.add_axes(
            (left_in / _WIDTH_IN, bottom, width_in / _WIDTH_IN, tall_in / height_in)
        )

    _draw_plan(axes(0.2, _PLAN_TOP_IN, _WIDTH_IN - 0.4, plan_in), run, case)
    bars_top_in = _PLAN_TOP_IN + plan_in + _LEGENDS_IN
    _draw_minutes(axes(1.35, bars_top_in, _WIDTH_IN - 1.75, bars_in), run, rows)
    _title(figure, run, case)
    return figure


def _plan_in(venue: Room) -> float:
    """Return the height of the plan: higher for several rooms, by their proportions, inches."""
    if venue.plan is None:
        return _PLAN_IN
    whole = (_WIDTH_IN - 0.4) * (venue.width_m + 1) / (venue.length_m + 1)
    return float(np.clip(whole, _PLAN_IN, _MOST_PLAN_IN))


def _colour(line: ContactScore) -> str | None:
    if line.close_contact:
        return _FOUND if line.true_contact else _FALSE
    return _MISSED if line.true_contact else None


def _rows(case: CaseScore) -> list[ContactScore]:
    """Return the lines to draw: contacts in truth or on the list, in the list's order."""
    return [line for line in case.listed if _colour(line) is not None][:_MOST_ROWS]


def _verdicts(case: CaseScore) -> dict[int, str]:
    """Return person -> colour of the link to the case."""
    listed = [(line.person, _colour(line)) for line in case.listed]
    return dict.fromkeys(case.missed_people, _MISSED) | {
        person: colour for person, colour in listed if person is not None and colour is not None
    }


def best_tick(tracks: CrowdTracks, case: int, others: Ints) -> int:
    """Return a tick at which ``case`` and most of ``others`` are there, and few of them walk."""
    present = tracks.present()
    together = present[others].sum(axis=0) * present[case] + present[case]
    # The picture should show how people sit and stand.
    walking = (tracks.posture[others] == Posture.WALKING).sum(axis=0)
    worth = together * (len(others) + 1) - walking
    best = np.flatnonzero(worth == worth.max())
    return int(best[len(best) // 2])


def _draw_plan(axes: "Axes", run: Run, case: CaseScore) -> None:
    from matplotlib.patches import Circle  # noqa: PLC0415 - an optional package

    venue = run.venue
    verdicts = _verdicts(case)
    tick = best_tick(run.tracks, case.person, np.array(sorted(verdicts), dtype=np.int64))
    half_x, half_y = venue.length_m / 2, venue.width_m / 2
    floor = draw_floor(axes, venue)
    minutes = tick * run.tracks.tick_s / SECONDS_PER_MINUTE
    xy = run.tracks.xy[:, tick].astype(np.float64)
    if not np.isnan(xy[case.person, 0]):
        x, y = float(xy[case.person, 0]), float(xy[case.person, 1])
        near = Circle((x, y), run.scenario.policy.within_m, facecolor=_CASE, alpha=0.09, zorder=2.5)
        axes.add_patch(near)
        near.set_clip_path(floor)
    _draw_links(axes, xy, case.person, verdicts)
    _draw_people(axes, xy, case.person, run.app, verdicts)
    draw_devices(axes, run.scenario.places, venue)
    axes.set_xlim(-half_x - 0.5, half_x + 0.5)
    axes.set_ylim(-half_y - 0.45, half_y + 0.45)
    axes.set_aspect("equal")
    axes.axis("off")
    axes.set_title(
        f"From above, after {minutes:.0f} minutes; the shade reaches "
        f"{run.scenario.policy.within_m:g} m",
        fontsize=10,
        color=_CASE,
        loc="left",
        x=0.012,
    )
    _plan_legend(axes, verdicts)


def _draw_links(axes: "Axes", xy: Floats, case: int, verdicts: dict[int, str]) -> None:
    from matplotlib.patches import FancyArrowPatch  # noqa: PLC0415 - an optional package

    for person, colour in sorted(verdicts.items()):
        ends = xy[[case, person]]
        if not np.isnan(ends).any():
            # Bent towards the aisle: people on one bench sit in one line.
            step = ends[1] - ends[0]
            one_row = max(0.0, 1.0 - abs(float(step[1])) / 1.2)
            most = min(0.8, 2.2 / max(float(np.hypot(*step)), 0.1))
            bend = most * one_row * np.sign(step[0]) * np.sign(ends[0, 1] or 1.0)
            axes.add_patch(
                FancyArrowPatch(
                    (float(ends[0, 0]), float(ends[0, 1])),
                    (float(ends[1, 0]), float(ends[1, 1])),
                    connectionstyle=f"arc3,rad={bend:.3f}",
                    arrowstyle="-",
                    color=colour,
                    linestyle=_STYLES[colour],
                    linewidth=2.2,
                    shrinkA=0,
                    shrinkB=0,
                    zorder=3.5,
                )
            )


def _draw_people(axes: "Axes", xy: Floats, case: int, app: Ints, verdicts: dict[int, str]) -> None:
    from matplotlib.patches import Circle  # noqa: PLC0415 - an optional package

    with_app = set(app.tolist())
    for person in range(len(xy)):
        if np.isnan(xy[person, 0]):
            continue
        fill = _CASE if person == case else _WITH_APP if person in with_app else _WITHOUT_APP
        edge = verdicts.get(person, _CASE if person == case else _QUIET)
        marked = person in verdicts or person == case
        axes.add_patch(
            Circle(
                (float(xy[person, 0]), float(xy[person, 1])),
                _BODY_M * (1.25 if person == case else 1.0),
                facecolor=fill,
                edgecolor=edge,
                linewidth=2.4 if marked else 0.9,
                zorder=5 if marked else 4,
            )
        )


def _plan_legend(axes: "Axes", verdicts: dict[int, str]) -> None:
    dot: dict[str, Any] = {"marker": "o", "linestyle": "none", "markeredgecolor": _QUIET}
    marks = [
        {**dot, "markersize": 8, "markerfacecolor": colour, "label": label}
        for colour, label in (
            (_CASE, "tested positive"),
            (_WITH_APP, "has the app"),
            (_WITHOUT_APP, "has not"),
        )
    ]
    for colour, style in _STYLES.items():
        number = sum(verdict == colour for verdict in verdicts.values())
        label = f"{_WORDS[colour]}: {number}"
        marks.append({"color": colour, "linestyle": style, "linewidth": 2, "label": label})
    _legend(axes, marks, loc="upper center", bbox_to_anchor=(0.5, 0.0))


def _legend(axes: "Axes", marks: list[dict[str, Any]], **place: Any) -> None:  # noqa: ANN401
    """Draw a legend in one line: a mark for each of ``marks``, the properties of a line."""
    from matplotlib.lines import Line2D  # noqa: PLC0415 - an optional package

    axes.legend(
        handles=[Line2D([], [], **mark) for mark in marks],
        ncols=len(marks),
        frameon=False,
        fontsize=9,
        handletextpad=0.5,
        columnspacing=1.6,
        **place,
    )


def _draw_minutes(axes: "Axes", run: Run, rows: list[ContactScore]) -> None:
    policy = run.scenario.policy
    total = run.scenario.duration_s / SECONDS_PER_MINUTE
    axes.axvline(policy.minutes, color=_QUIET, linewidth=1, linestyle=(0, (2, 2)), zorder=1)
    axes.set_title(
        f"How likely within {policy.within_m:g} m for {policy.minutes:g} min (left); minutes",
        fontsize=10,
        color=_CASE,
        loc="left",
    )
    for place, line in enumerate(rows):
        colour = _colour(line) or _QUIET
        axes.plot(
            [line.minutes.low, line.minutes.high],
            [place, place],
            color=colour,
            linewidth=5,
            alpha=0.3,
            solid_capstyle="round",
        )
        axes.plot(line.minutes.median, place, color=colour, zorder=3, **_MEDIAN_MARK)
        axes.plot(line.true_minutes, place, zorder=4, clip_on=False, **_TRUE_MARK)
    if not rows:
        axes.text(
            0.5,
            0.5,
            "nobody is a close contact, in truth or on the list",
            transform=axes.transAxes,
            ha="center",
            va="center",
            color=_QUIET,
        )
    axes.set_yticks(
        range(len(rows)),
        labels=[f"{line.pseudonym} {100 * line.probability:3.0f} %" for line in rows],
        family="monospace",
        fontsize=8,
    )
    axes.set_ylim(max(len(rows), 1) - 0.4, -0.8)
    axes.set_xlim(-0.02 * total, total * 1.02)
    axes.tick_params(axis="both", length=0, labelcolor=_CASE)
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(WALL)
    _minutes_legend(axes)


def _minutes_legend(axes: "Axes") -> None:
    marks: list[dict[str, Any]] = [
        {"color": _QUIET, "linewidth": 5, "alpha": 0.4, "label": "estimated, 5 % to 95 %"},
        _MEDIAN_MARK | {"color": _QUIET, "label": "median"},
        _TRUE_MARK | {"label": "true"},
    ]
    _legend(axes, marks, loc="lower right", bbox_to_anchor=(1.0, 0.99), borderaxespad=0.1)


def _title(figure: "Figure", run: Run, case: CaseScore) -> None:
    height = float(figure.get_size_inches()[1])
    figure.text(
        0.02,
        1 - 0.3 / height,
        f"Found {case.found} of {case.true_contacts} contacts with the app, "
        f"missed {case.missed}, listed {case.false_contacts} falsely",
        fontsize=14,
        fontweight="bold",
        color=_CASE,
        va="center",
    )
    figure.text(
        0.02,
        1 - 0.58 / height,
        f"{visible(run.scenario.name)}, seed {run.seed}: {run.tracks.people} people, "
        f"{len(run.app)} with the app; contact: within {run.scenario.policy.within_m:g} m for "
        f"{run.scenario.policy.minutes:g} minutes or more",
        fontsize=9.5,
        color=_QUIET,
        va="center",
        parse_math=False,  # a scenario's name is text: `$` begins no formula
    )
