"""Pictures drawn here as SVG: classes for the style sheet, no style and no script inside."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

from markupsafe import Markup, escape

from tracetogether.adapters.operator_pages.rendering import day_text
from tracetogether.adapters.operator_pages.texts import Texts
from tracetogether.authority.cases.indicators import DayCounts, Ratio
from tracetogether.plain_text import visible

_ROW: Final = 30
_LABEL: Final = 120


def text(x: float, y: float, said: object, kind: str = "") -> Markup:
    """Return a word or a figure; ``kind`` has its classes."""
    return Markup('<text x="{}" y="{}"{}>{}</text>').format(
        short(x), short(y), Markup(' class="{}"').format(kind) if kind else "", visible(str(said))
    )


def _box(x: float, y: float, width: float, height: float, kind: str, radius: float = 2) -> Markup:
    return Markup('<rect x="{}" y="{}" width="{}" height="{}" rx="{}" class="{}"/>').format(
        short(x), short(y), short(max(width, 0)), short(max(height, 0)), radius, kind
    )


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    """Return a straight line."""
    return Markup('<line x1="{}" y1="{}" x2="{}" y2="{}" class="{}"/>').format(
        short(x1), short(y1), short(x2), short(y2), kind
    )


def short(number: float) -> str:
    """Return a number with one decimal, or with none."""
    return f"{number:.1f}".removesuffix(".0")


def picture(
    width: float, height: float, about: str, parts: Iterable[Markup], *, kind: str = ""
) -> Markup:
    """Return a picture from its parts; ``about`` is what a screen reader says of it.

    Not an image to it but a group, so that links inside can be reached. ``kind`` has classes;
    "whole" is never drawn smaller than it is.
    """
    return Markup(
        '<svg class="{4}" viewBox="0 0 {0} {1}" width="{0}" height="{1}" role="group" '
        'aria-label="{2}" xmlns="http://www.w3.org/2000/svg">{3}</svg>'
    ).format(short(width), short(height), about, Markup("").join(parts), f"picture {kind}".rstrip())


@dataclass(frozen=True, slots=True)
class Bar:
    """One line of a bar chart: what, how much, and the class that colours it."""

    label: str
    value: int
    kind: str = "accent"


def bars(rows: Sequence[Bar], about: str, *, width: float = 480) -> Markup:
    """Return horizontal bars with their figures."""
    most = max([one.value for one in rows], default=0) or 1
    room = width - _LABEL - 56
    parts = []
    for place, row in enumerate(rows):
        y = place * _ROW
        length = room * row.value / most
        parts += [
            text(0, y + 19, row.label),
            _box(_LABEL, y + 7, room, 16, "track"),
            _box(_LABEL, y + 7, max(length, 2) if row.value else 0, 16, row.kind),
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
            _box(0, y + 21, track, 12, "track"),
            _box(0, y + 21, track * (share or 0), 12, "accent"),
            text(track + 62, y + 32, figure, "number strong"),
            text(track + 76, y + 32, of, "quiet"),
        ]
    return picture(width, len(rows) * height, about, parts)


def columns(
    days: Sequence[DayCounts], series: Sequence[tuple[str, str]], about: str, *, width: float = 520
) -> Markup:
    """Return upright bars for each day; ``series`` are attributes of the days and their classes."""
    height, left, top, foot = 190, 44, 12, 26
    values = [[getattr(day, name) for name, _ in series] for day in days]
    most = _nice(max([one for some in values for one in some], default=0))
    room, step = height - top - foot, (width - left) / max(len(days), 1)
    parts = []
    for mark in (0, most // 2, most):
        y = top + room * (1 - mark / most)
        parts += [line(left, y, width, y, "axis" if mark == 0 else "rule")]
        parts += [text(left - 8, y + 4, f"{mark:,}", "number quiet")]
    bar = min(18.0, step * 0.8 / len(series))
    for place, (day, some) in enumerate(zip(days, values, strict=True)):
        begin = left + place * step + (step - bar * len(series)) / 2
        for which, value in enumerate(some):
            tall = room * value / most
            x = begin + which * bar
            parts.append(_box(x, top + room - tall, bar - 1, tall, series[which][1], 1))
        if place % 2 == len(days) % 2:
            label = day_text(day.day)[5:]
            parts.append(text(left + (place + 0.5) * step, height - 8, label, "middle quiet"))
    return picture(width, height, about, parts)


def _nice(most: int) -> int:
    """Return the next round and even number from ``most`` on."""
    size = 1
    while size * 10 <= most:
        size *= 10
    return max(2, next(size * one for one in (1, 2, 4, 6, 8, 10) if size * one >= most))


# --- the timeline of a case ---

_DAY_W: Final = 63
_CONTACT_H: Final = 68
_NAME_W: Final = 136
_HEAD_H: Final = 40


@dataclass(frozen=True, slots=True)
class DayNear:
    """One person on one day, to be drawn.

    Attributes:
        day: UTC day number.
        low, minutes, high: minutes within the policy's radius.
        nearest_m: the smallest distance.
        seen_by: "case", "contact" or "both".
        said: the same in words.
    """

    day: int
    low: float
    minutes: float
    high: float
    nearest_m: float
    seen_by: str
    said: str


@dataclass(frozen=True, slots=True)
class PersonNear:
    """One line of the timeline: who, where the link leads, how urgent, and the days."""

    name: str
    link: str
    under: str
    days: Sequence[DayNear]


def side_mark(x: float, y: float, seen_by: str, *, radius: float = 4.5) -> Markup:
    """Return a circle whose left half is full if the case's phone saw it, its right if the other.

    Args:
        x: where its middle is.
        y: where its middle is.
        seen_by: "case", "contact" or "both".
        radius: how large it is.
    """
    halves = {"case": "0", "contact": "1"}
    ring = Markup('<circle cx="{}" cy="{}" r="{}" class="ring{}"/>').format(
        short(x), short(y), radius, "" if seen_by in halves else " full"
    )
    if seen_by not in halves:
        return ring
    half = Markup('<path d="M{0} {1}A{2} {2} 0 0 {3} {0} {4}Z" class="ring full"/>').format(
        short(x), short(y - radius), radius, halves[seen_by], short(y + radius)
    )
    return ring + half


def side_key(seen_by: str) -> Markup:
    """Return the mark of a side for a legend."""
    return Markup(
        '<svg class="picture key" width="12" height="12" viewBox="0 0 12 12" aria-hidden="true">'
        "{}</svg>"
    ).format(side_mark(6, 6, seen_by))


def nearness_class(nearest_m: float) -> str:
    """Return how a bar is coloured: within a metre, within two, or farther."""
    return "accent" if nearest_m <= 1 else "second" if nearest_m <= 2 else "third"


def timeline(
    people: Sequence[PersonNear], first: int, last: int, about: str, *, limit: float
) -> Markup:
    """Return who was near on which day: a bar up to the median, a line from 5 % to 95 %.

    Args:
        people: lines, the most urgent first.
        first: UTC day of the first column.
        last: of the last one.
        about: what the picture shows.
        limit: minutes of the policy, drawn as a rule where it fits.
    """
    count = last - first + 1
    width, height = _NAME_W + count * _DAY_W, _HEAD_H + len(people) * _CONTACT_H
    most = max([day.high for one in people for day in one.days], default=0.0)
    scale = ceil(max(most, limit, 15.0) / 15) * 15
    parts = []
    for place in range(count):
        x = _NAME_W + place * _DAY_W
        date = day_text(first + place)
        if place % 2:
            parts.append(_box(x, 0, _DAY_W, height, "band", 0))
        kind = "middle strong" if place == count - 1 else "middle quiet"
        parts.append(text(x + _DAY_W / 2, 16, date[5:], kind))
    for place, person in enumerate(people):
        top = _HEAD_H + place * _CONTACT_H
        foot = top + _CONTACT_H - 14
        room = _CONTACT_H - 26
        parts.append(line(0, top - 6, width, top - 6, "rule"))
        name = text(0, top + 22, person.name, "mono strong")
        parts.append(Markup('<a href="{}">{}</a>').format(person.link, name))
        parts.append(text(0, top + 39, person.under, "quiet"))
        parts.append(line(_NAME_W, foot, width, foot, "axis"))
        for day in person.days:
            if first <= day.day <= last:
                x = _NAME_W + (day.day - first) * _DAY_W
                parts.append(_day(x, foot, room / scale, day))
    return picture(width, height, about, parts)


def _day(left: float, foot: float, per_minute: float, day: DayNear) -> Markup:
    middle = left + 20
    tall, low, high = (per_minute * one for one in (day.minutes, day.low, day.high))
    parts = [
        Markup("<title>{}</title>").format(day.said),
        _box(middle - 8, foot - tall, 16, max(tall, 1.5), nearness_class(day.nearest_m), 1),
        line(middle, foot - low, middle, foot - high, "whisker"),
        line(middle - 3.5, foot - high, middle + 3.5, foot - high, "whisker"),
        text(middle + 13, foot - 3, f"{day.minutes:.0f}", "strong"),
        side_mark(middle + 19, foot - 24, day.seen_by),
    ]
    return Markup("<g>{}</g>").format(Markup("").join(parts))


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
        others.update({one: link for one, link, _ in knot.elsewhere})
    row = 34
    height = max(len(knots), len(others), 3) * row + 20
    x_case, x_contact, x_other, width = 90, 420, 760, 900
    y_case = height / 2
    y_other = {one: height / (len(others) + 1) * (n + 1) for n, one in enumerate(others)}
    edges, nodes = [], []
    for place, knot in enumerate(knots):
        y = height / (len(knots) + 1) * (place + 1)
        thick = 1 + min(knot.minutes, 240) / 40
        edges.append(_curve(x_case, y_case, x_contact, y, f"edge {knot.kind}", thick))
        for one, _, own in knot.elsewhere:
            kind = "edge high" if own else "edge"
            edges.append(_curve(x_contact + 110, y, x_other, y_other[one], kind, 2 if own else 1.2))
        nodes.append(dot(x_contact, y, 7, knot.kind))
        label = text(x_contact + 14, y + 4, knot.name, "mono")
        nodes.append(Markup('<a href="{}">{}</a>').format(knot.link, label))
    nodes.append(dot(x_case, y_case, 12, "knot case"))
    nodes.append(text(x_case, y_case + 30, case_id, "mono strong middle"))
    for one, link in others.items():
        nodes.append(dot(x_other, y_other[one], 9, "knot"))
        label = text(x_other + 16, y_other[one] + 4, one, "mono")
        nodes.append(Markup('<a href="{}">{}</a>').format(link, label) if link else label)
    return picture(width, height, about, [*edges, *nodes])


def dot(x: float, y: float, radius: float, kind: str) -> Markup:
    """Return a round spot."""
    return Markup('<circle cx="{}" cy="{}" r="{}" class="{}"/>').format(
        short(x), short(y), radius, escape(kind)
    )


def _curve(x1: float, y1: float, x2: float, y2: float, kind: str, thick: float) -> Markup:
    middle = (x1 + x2) / 2
    return Markup(
        '<path d="M{} {}C{} {} {} {} {} {}" fill="none" stroke-width="{}" stroke-opacity="0.75" '
        'class="{}"/>'
    ).format(*map(short, (x1, y1, middle, y1, middle, y2, x2, y2, thick)), escape(kind))
