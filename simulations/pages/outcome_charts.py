"""Charts of a run's page as SVG: where contacts were lost, P of contact against truth, shares."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Final

import numpy as np
from markupsafe import Markup

from simulations.pages.kept_run import KeptRun
from simulations.pages.outcomes import KINDS, WORDS, ContactOutcome, OutcomeColumns
from tracetogether.svg import area, box, circle, line, path, picture, text, titled
from tracetogether.units import Floats, Ints

_WIDTH, _HEIGHT = 460.0, 400.0
_LEFT, _RIGHT, _TOP, _FOOT = 56.0, 18.0, 34.0, 48.0
_STRIP: Final = 26.0
_MOST_DOTS: Final = 700
_MINUTES: Final = (0, 1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 360, 480, 720, 1440)
_ROOT_FROM: Final = 4  # as many times the policy's minutes: then the axis is by square root
_APART: Final = 34.0  # of two ticks, so that their words don't touch
_BAR_W, _BAR_H = 150.0, 14.0
_DRAWN: Final = (
    ContactOutcome.LEFT_OUT,
    ContactOutcome.TOO_LOW,
    ContactOutcome.WRONG,
    ContactOutcome.FOUND,
)


@dataclass(frozen=True, slots=True)
class OutcomeChart:
    """The chart of P against the true minutes.

    Attributes:
        picture: as SVG.
        by_root: whether the minutes are on an axis by square root.
        drawn, all: number of dots drawn, and of all.
    """

    picture: Markup
    by_root: bool
    drawn: int
    all: int


@dataclass(frozen=True, slots=True)
class _Minutes:
    """The axis of minutes."""

    most: float
    by_root: bool

    def __call__(self, minutes: float) -> float:
        part = sqrt(minutes / self.most) if self.by_root else minutes / self.most
        return _LEFT + part * (_WIDTH - _LEFT - _RIGHT)

    def ticks(self, wanted: float) -> list[float]:
        """Return round minutes, far enough apart to be read; ``wanted`` is one of them."""
        found = [wanted]
        for minutes in _MINUTES:
            far = all(abs(self(minutes) - self(other)) >= _APART for other in found)
            if far and minutes <= self.most:
                found.append(minutes)
        return sorted(found)


def outcome_chart(run: KeptRun, lines: OutcomeColumns, longest: float) -> OutcomeChart:
    """Return P of contact against true minutes near, with a mark for each outcome.

    Contacts who are on no list have no P: they are marks in strips below the axis.

    Args:
        run: the run.
        lines: what became of all pairs.
        longest: the greatest number of minutes on the axis; two runs have the same.
    """
    known = lines.true_minutes
    axis = _Minutes(
        most=max(1.25 * run.least_minutes, longest * 1.02),
        by_root=longest > _ROOT_FROM * run.least_minutes,
    )
    strips = [
        kind for kind in (ContactOutcome.NOT_HEARD, ContactOutcome.NO_APP) if lines.count(kind)
    ]
    height = _HEIGHT + _STRIP * len(strips)
    up = _TOP, _HEIGHT - _FOOT
    parts = _frame(run, axis, up, height)
    drawn = all_dots = 0
    for place, kind in enumerate(strips):
        rows, number = _some(np.flatnonzero(lines.outcome == kind))
        drawn, all_dots = drawn + len(rows), all_dots + number
        y = _HEIGHT - _FOOT + 8 + _STRIP * place
        parts.append(box(_LEFT, y, _WIDTH - _LEFT - _RIGHT, _STRIP - 8, "strip"))
        word = "no app" if kind == ContactOutcome.NO_APP else "unheard"
        parts.append(text(_LEFT - 6, y + 13, word, "number small quiet"))
        for minutes in known[rows].tolist():
            x = axis(minutes)
            parts.append(line(x, y + 3, x, y + _STRIP - 11, f"tick {KINDS[kind]}"))
    for kind in _DRAWN:
        has_chance = (lines.outcome == kind) & ~np.isnan(lines.chance)
        rows, number = _some(np.flatnonzero(has_chance), lines.chance)
        drawn, all_dots = drawn + len(rows), all_dots + number
        parts += [_mark(lines, int(row), axis, up) for row in rows]
    about = (
        f"P of contact against true minutes within {run.within_m:g} m: "
        f"{lines.count(ContactOutcome.FOUND)} found, "
        f"{lines.count(ContactOutcome.TOO_LOW)} estimated too low, "
        f"{lines.count(ContactOutcome.WRONG)} listed wrongly"
    )
    drawing = picture(_WIDTH, height, about, parts, kind="chart outcomes")
    return OutcomeChart(drawing, axis.by_root, drawn, all_dots)


def outcome_mark(outcome: ContactOutcome) -> Markup:
    """Return the mark of an outcome, for a key."""
    if outcome in {ContactOutcome.NOT_HEARD, ContactOutcome.NO_APP}:
        mark = line(7, 2, 7, 12, f"tick {KINDS[outcome]}")
    else:
        mark = _shape(7, 7, outcome)
    return Markup(
        '<svg class="picture key" width="14" height="14" viewBox="0 0 14 14" aria-hidden="true">'
        "{}</svg>"
    ).format(mark)


def link_mark(outcome: ContactOutcome) -> Markup:
    """Return the line of an outcome on the plan, for a key."""
    return Markup(
        '<svg class="picture key" width="30" height="12" viewBox="0 0 30 12" aria-hidden="true">'
        "{}</svg>"
    ).format(line(0, 6, 30, 6, f"tie {KINDS[outcome]}"))


def person_mark(kinds: str) -> Markup:
    """Return a person as on the plan, for a key."""
    return Markup(
        '<svg class="picture key" width="14" height="14" viewBox="0 0 14 14" aria-hidden="true">'
        "{}</svg>"
    ).format(circle(7, 7, 5.5, f"person {kinds}"))


def device_mark() -> Markup:
    """Return the device of a place as on the plan, for a key."""
    return Markup(
        '<svg class="picture key" width="14" height="14" viewBox="0 0 14 14" aria-hidden="true">'
        "{}</svg>"
    ).format(area([(1, 7), (7, 1), (13, 7), (7, 13)], "device"))


def flow_bar(counts: Sequence[tuple[ContactOutcome, int]]) -> Markup:
    """Return one bar of parts, each as wide as its count."""
    total = sum(count for _, count in counts)
    parts, begin = [], 0.0
    for outcome, count in counts:
        wide = 1000 * count / max(total, 1)
        parts.append(
            titled(
                f"{WORDS[outcome]}: {count:,}",
                box(begin, 0, wide, 36, f"part {KINDS[outcome]}", radius=0),
            )
        )
        begin += wide
    about = ", ".join(f"{WORDS[outcome]} {count:,}" for outcome, count in counts)
    drawing = picture(1000, 36, f"All contacts: {about}", parts, kind="flow")
    stretched = str(drawing).replace('role="group"', 'preserveAspectRatio="none" role="img"', 1)
    return Markup(stretched)  # noqa: S704 - escaped by picture


def share_bar(share: float | None, low: float | None, high: float | None) -> Markup:
    """Return a share from 0 to 1 as a bar with its interval; empty if there is none."""
    if share is None:
        return Markup("")
    parts = [
        box(0, 0, _BAR_W, _BAR_H, "rest", radius=0),
        box(0, 0, _BAR_W * share, _BAR_H, "share", radius=0),
    ]
    if low is not None and high is not None:
        middle = _BAR_H / 2
        parts += [line(_BAR_W * low, middle, _BAR_W * high, middle, "interval")]
        parts += [line(_BAR_W * x, 3, _BAR_W * x, _BAR_H - 3, "interval") for x in (low, high)]
    return Markup(
        '<svg class="picture bar" width="{0}" height="{1}" viewBox="0 0 {0} {1}" '
        'aria-hidden="true">{2}</svg>'
    ).format(_BAR_W, _BAR_H, Markup("").join(parts))


def adoption_chart(curve: Sequence[Sequence[float]], about: str) -> Markup:
    """Return the share of contacts in a log by adoption, beside the square of adoption.

    Args:
        curve: rows of adoption, and the low, median and high share.
        about: what a screen reader says.
    """

    def at(x: float, y: float) -> tuple[float, float]:
        wide, tall = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _FOOT - _TOP
        return _LEFT + x * wide, _HEIGHT - _FOOT - y * tall

    parts = [text(0, 16, "share of all contacts in a log", "strong")]
    for part in (0.0, 0.25, 0.5, 0.75, 1.0):
        kind = "rule" if part else "axis"
        parts.append(line(*at(0, part), *at(1, part), kind))
        parts.append(
            text(
                _LEFT - 8,
                at(0, part)[1] + 5,
                f"{100 * part:.0f}\N{NO-BREAK SPACE}%",
                "number quiet",
            )
        )
        parts.append(
            text(
                at(part, 0)[0],
                _HEIGHT - _FOOT + 20,
                f"{100 * part:.0f}\N{NO-BREAK SPACE}%",
                "middle quiet",
            )
        )
    parts.append(text(at(0.5, 0)[0], _HEIGHT - 6, "share of people with the app", "middle quiet"))
    law = [at(x, x * x) for x in np.linspace(0, 1, 51).tolist()]
    parts.append(path(law, "line second", 2))
    for share, low, middle, high in curve:
        parts.append(line(*at(share, low), *at(share, high), "whisker first"))
        said = f"{share:.0%} with the app: {middle:.1%} ({low:.1%} to {high:.1%})"
        parts.append(titled(said, circle(*at(share, middle), 4.5, "dot first")))
    return picture(_WIDTH, _HEIGHT, about, parts, kind="chart")


def _frame(run: KeptRun, axis: _Minutes, up: tuple[float, float], height: float) -> list[Markup]:
    top, foot = up
    right = _WIDTH - _RIGHT
    parts = [
        text(0, 16, f"how likely {run.least_minutes:g} min within {run.within_m:g} m", "strong")
    ]
    for part in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = foot - part * (foot - top)
        parts.append(line(_LEFT, y, right, y, "rule" if part else "axis"))
        parts.append(text(_LEFT - 8, y + 5, f"{100 * part:.0f}\N{NO-BREAK SPACE}%", "number quiet"))
    ticks = axis.ticks(run.least_minutes)
    for minutes in ticks:
        x = axis(minutes)
        parts.append(line(x, height - _FOOT, x, height - _FOOT + 5, "axis"))
        parts.append(text(x, height - _FOOT + 20, f"{minutes:g}", "middle quiet"))
    x = axis(run.least_minutes)
    parts.append(line(x, top, x, height - _FOOT, "border"))
    if run.least_chance is not None:
        y = foot - run.least_chance * (foot - top)
        parts.append(line(_LEFT, y, right, y, "border"))
    label = f"true minutes within {run.within_m:g} m" + (" (square-root axis)" * axis.by_root)
    parts.append(text((_LEFT + right) / 2, height - 6, label, "middle quiet"))
    return parts


def _some(rows: Ints, order: Floats | None = None) -> tuple[Ints, int]:
    """Return at most _MOST_DOTS of the rows, evenly taken in order, and how many there were."""
    if len(rows) <= _MOST_DOTS:
        return rows, len(rows)
    if order is not None:
        rows = rows[np.argsort(order[rows], kind="stable")]
    taken = np.linspace(0, len(rows) - 1, _MOST_DOTS).round().astype(np.int64)
    return rows[taken], len(rows)


def _mark(lines: OutcomeColumns, row: int, axis: _Minutes, up: tuple[float, float]) -> Markup:
    chance, minutes = float(lines.chance[row]), float(lines.true_minutes[row])
    outcome = ContactOutcome(int(lines.outcome[row]))
    shape = _shape(axis(minutes), up[1] - chance * (up[1] - up[0]), outcome)
    if outcome == ContactOutcome.LEFT_OUT:
        return shape
    said = (
        f"case {lines.case[row]}, person {lines.person[row]}: {chance:.0%} likely, "
        f"{minutes:.0f} min in truth; {WORDS[outcome]}"
    )
    return titled(said, shape)


def _shape(x: float, y: float, outcome: ContactOutcome) -> Markup:
    """Return a mark: a disc, a triangle, a diamond, or a small ring."""
    kind = f"spot {KINDS[outcome]}"
    if outcome == ContactOutcome.FOUND:
        return circle(x, y, 4, kind)
    if outcome == ContactOutcome.LEFT_OUT:
        return circle(x, y, 2, kind)
    if outcome == ContactOutcome.TOO_LOW:
        corners = [(0.0, -4.8), (4.6, 3.4), (-4.6, 3.4)]
    else:
        corners = [(0.0, -4.8), (4.8, 0.0), (0.0, 4.8), (-4.8, 0.0)]
    points = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in corners)
    return Markup('<polygon points="{}" class="{}"/>').format(points, kind)
