"""Pictures of one office's work: bars, shares, columns, a case's timeline and its graph."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

from markupsafe import Markup

from tracetogether.adapters.operator_pages.rendering import day_text
from tracetogether.adapters.operator_pages.texts import Texts
from tracetogether.authority.cases.indicators import DayCounts, Ratio
from tracetogether.authority.contacts.lines import ContactDay
from tracetogether.svg import (
    box,
    circle,
    curve,
    half_disc,
    line,
    link,
    picture,
    text,
    titled,
)

_ROW: Final = 30
_LABEL: Final = 120


@dataclass(frozen=True, slots=True)
class Bar:
    """One line of a bar chart: what, how much, and the class that colours it."""

    label: str
    value: int
    kind: str = "accent"


def bars(rows: Sequence[Bar], about: str, *, width: float = 480) -> Markup:
    """Return horizontal bars with their figures."""
    most = max([row.value for row in rows], default=0) or 1
    room = width - _LABEL - 56
    parts = []
    for place, row in enumerate(rows):
        y = place * _ROW
        length = room * row.value / most
        parts += [
            text(0, y + 19, row.label),
            box(_LABEL, y + 7, room, 16, "track"),
            box(_LABEL, y + 7, max(length, 2) if row.value else 0, 16, row.kind),
            text(width, y + 20, f"{row.value:,}", "number strong"),
        ]
    return picture(width, len(rows) * _ROW, about, parts)


def shares(rows: Sequence[tuple[str, Ratio]], about: str, t: Texts) -> Markup:
    """Return shares of one hundred per cent, each with what it is a share of."""
    width, height, track = 520, 46, 320
    parts = []
    for place, (label, ratio) in enumerate(rows):
        y = place * height
        share = ratio.share
        figure = "–" if share is None else f"{100 * share:.0f} %"
        of = t("{some:,} of {all:,}", some=ratio.numerator, all=ratio.denominator)
        parts += [
            text(0, y + 14, label),
            box(0, y + 21, track, 12, "track"),
            box(0, y + 21, track * (share or 0), 12, "accent"),
            text(track + 62, y + 32, figure, "number strong"),
            text(track + 76, y + 32, of, "quiet"),
        ]
    return picture(width, len(rows) * height, about, parts)


def columns(
    days: Sequence[DayCounts], series: Sequence[tuple[str, str]], about: str, *, width: float = 520
) -> Markup:
    """Return upright bars for each day.

    Args:
        days: counts of the days, in their order.
        series: attribute of the counts and class of its bars, for each bar of a day.
        about: what the picture shows.
        width: of the picture.
    """
    height, left, top, foot = 190, 44, 12, 26
    values = [[getattr(day, name) for name, _ in series] for day in days]
    most = _nice(max([value for of_day in values for value in of_day], default=0))
    room, step = height - top - foot, (width - left) / max(len(days), 1)
    parts = []
    for mark in (0, most // 2, most):
        y = top + room * (1 - mark / most)
        parts += [line(left, y, width, y, "axis" if mark == 0 else "rule")]
        parts += [text(left - 8, y + 4, f"{mark:,}", "number quiet")]
    bar = min(18.0, step * 0.8 / len(series))
    for place, (day, of_day) in enumerate(zip(days, values, strict=True)):
        begin = left + place * step + (step - bar * len(series)) / 2
        for which, value in enumerate(of_day):
            tall = room * value / most
            x = begin + which * bar
            parts.append(box(x, top + room - tall, bar - 1, tall, series[which][1], 1))
        if place % 2 == len(days) % 2:
            label = day_text(day.day)[5:]
            parts.append(text(left + (place + 0.5) * step, height - 8, label, "middle quiet"))
    return picture(width, height, about, parts)


def _nice(most: int) -> int:
    """Return the first round, even number that is not below ``most``."""
    size = 1
    while size * 10 <= most:
        size *= 10
    return max(2, next(size * step for step in (1, 2, 4, 6, 8, 10) if size * step >= most))


# --- the timeline of a case ---

_DAY_W: Final = 63
_CONTACT_H: Final = 68
_NAME_W: Final = 136
_HEAD_H: Final = 40


@dataclass(frozen=True, slots=True)
class TimelineRow:
    """One person of the timeline.

    Attributes:
        name: pseudonym.
        link: where it leads.
        under: what stands below the name.
        days: days on which the person was near, each with its sentence for the tooltip.
    """

    name: str
    link: str
    under: str
    days: Sequence[tuple[ContactDay, str]]


def side_mark(x: float, y: float, seen_by: str, *, radius: float = 4.5) -> Markup:
    """Return a circle: left half full for the case's phone, right half for the contact's.

    Args:
        x: of its centre.
        y: of its centre.
        seen_by: "case", "contact" or "both".
        radius: of the circle.
    """
    side = {"case": "left", "contact": "right"}.get(seen_by)
    if side is None:
        return circle(x, y, radius, "ring full")
    return circle(x, y, radius, "ring") + half_disc(x, y, radius, side, "ring full")


def side_key(seen_by: str) -> Markup:
    """Return the mark of a side for a legend."""
    return Markup(
        '<svg class="picture key" width="12" height="12" viewBox="0 0 12 12" aria-hidden="true">'
        "{}</svg>"
    ).format(side_mark(6, 6, seen_by))


def nearness_class(nearest_m: float) -> str:
    """Return the class of a bar: within a metre, within two, or farther."""
    return "accent" if nearest_m <= 1 else "second" if nearest_m <= 2 else "third"


def timeline(
    people: Sequence[TimelineRow], first: int, last: int, about: str, *, limit: float
) -> Markup:
    """Return who was near on which day: a bar up to the median, a line from 5 % to 95 %.

    Args:
        people: rows, the most urgent first.
        first: number of the first day that is drawn.
        last: number of the last one.
        about: what the picture shows.
        limit: minutes of the policy; the scale reaches at least so far.
    """
    count = last - first + 1
    width, height = _NAME_W + count * _DAY_W, _HEAD_H + len(people) * _CONTACT_H
    most = max([day.minutes.high for person in people for day, _ in person.days], default=0.0)
    scale = ceil(max(most, limit, 15.0) / 15) * 15
    parts = []
    for place in range(count):
        x = _NAME_W + place * _DAY_W
        date = day_text(first + place)
        if place % 2:
            parts.append(box(x, 0, _DAY_W, height, "band", 0))
        kind = "middle strong" if place == count - 1 else "middle quiet"
        parts.append(text(x + _DAY_W / 2, 16, date[5:], kind))
    for place, person in enumerate(people):
        top = _HEAD_H + place * _CONTACT_H
        foot = top + _CONTACT_H - 14
        room = _CONTACT_H - 26
        parts += [
            line(0, top - 6, width, top - 6, "rule"),
            link(person.link, text(0, top + 22, person.name, "mono strong")),
            text(0, top + 39, person.under, "quiet"),
            line(_NAME_W, foot, width, foot, "axis"),
        ]
        for day, title in person.days:
            if first <= day.day <= last:
                x = _NAME_W + (day.day - first) * _DAY_W
                parts.append(_day(x, foot, room / scale, day, title))
    return picture(width, height, about, parts)


def _day(left: float, foot: float, per_minute: float, day: ContactDay, title: str) -> Markup:
    middle, minutes = left + 20, day.minutes
    tall, low, high = (per_minute * m for m in (minutes.median, minutes.low, minutes.high))
    kind = nearness_class(day.nearest_m.median)
    return titled(
        title,
        box(middle - 8, foot - tall, 16, max(tall, 1.5), kind, 1),
        line(middle, foot - low, middle, foot - high, "whisker"),
        line(middle - 3.5, foot - high, middle + 3.5, foot - high, "whisker"),
        text(middle + 13, foot - 3, f"{minutes.median:.0f}", "strong"),
        side_mark(middle + 19, foot - 24, day.seen_by),
    )


# --- the graph of a case ---


@dataclass(frozen=True, slots=True)
class Knot:
    """A contact in the graph, with the ids of the cases that it is known from besides."""

    name: str
    link: str
    kind: str
    minutes: float
    elsewhere: Sequence[tuple[str, str, bool]]
    """(case id, link or "", whether it is the contact's own case)."""


def graph(case_id: str, knots: Sequence[Knot], about: str) -> Markup:
    """Return a case with its contacts, and the cases that these lead to.

    Three columns, as one reads: the case, its contacts in order of urgency (the thicker the
    line, the longer they were near), the other cases. Each other case is drawn once.
    """
    others: dict[str, str] = {}
    for knot in knots:
        others.update({other: to for other, to, _ in knot.elsewhere})
    row = 34
    height = max(len(knots), len(others), 3) * row + 20
    x_case, x_contact, x_other, width = 90, 420, 760, 900
    y_case = height / 2
    y_other = {other: height / (len(others) + 1) * (n + 1) for n, other in enumerate(others)}
    edges, nodes = [], []
    for place, knot in enumerate(knots):
        y = height / (len(knots) + 1) * (place + 1)
        thick = 1 + min(knot.minutes, 240) / 40
        edges.append(_edge(x_case, y_case, x_contact, y, f"edge {knot.kind}", thick))
        for other, _, own in knot.elsewhere:
            kind, thick = ("edge high", 2) if own else ("edge", 1.2)
            edges.append(_edge(x_contact + 110, y, x_other, y_other[other], kind, thick))
        nodes.append(circle(x_contact, y, 7, knot.kind))
        nodes.append(link(knot.link, text(x_contact + 14, y + 4, knot.name, "mono")))
    nodes.append(circle(x_case, y_case, 12, "knot case"))
    nodes.append(text(x_case, y_case + 30, case_id, "mono strong middle"))
    for other, to in others.items():
        nodes.append(circle(x_other, y_other[other], 9, "knot"))
        nodes.append(link(to, text(x_other + 16, y_other[other] + 4, other, "mono")))
    return picture(width, height, about, [*edges, *nodes])


def _edge(x1: float, y1: float, x2: float, y2: float, kind: str, thick: float) -> Markup:
    middle = (x1 + x2) / 2
    return curve(x1, y1, middle, y1, middle, y2, x2, y2, thick=thick, kind=kind)
