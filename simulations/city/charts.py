"""Charts of a city's page as SVG: means with intervals along an axis. Classes carry the colours."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import floor, log10
from typing import Final

from markupsafe import Markup

from tracetogether.svg import area, circle, line, path, picture, text, titled

WIDTH: Final = 440
HEIGHT: Final = 290
_LEFT, _RIGHT, _TOP, _FOOT = 58, 26, 40, 48
_WORDS_W, _WORDS_H = 120, 40  # room for the words of a mark
_TICKS: Final = 4
_STEPS: Final = (1.0, 2.0, 2.5, 5.0, 10.0)

Bound = float | None


@dataclass(frozen=True, slots=True)
class ChartLine:
    """A measured quantity along the horizontal axis.

    Attributes:
        kind: class that gives its colour and dashes.
        x: places on the horizontal axis, ascending.
        mean: its value at each place.
        low, high: bounds of its interval; None where it has none.
        said: what a pointer shows at each place; with it, each place gets a dot.
    """

    kind: str
    x: Sequence[float]
    mean: Sequence[float]
    low: Sequence[Bound]
    high: Sequence[Bound]
    said: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ChartMark:
    """A place on the horizontal axis that is marked by a line and words.

    Attributes:
        x: the place.
        words: lines of text beside the mark.
    """

    x: float
    words: Sequence[str]


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart with one vertical axis.

    Attributes:
        about: what a screen reader says.
        x_label, y_label: names of the axes, with units.
        lines: drawn in this order.
        marks: marked places.
        show_x, show_y: write a tick's value.
        x_ticks: places of ticks; chosen if empty.
    """

    about: str
    x_label: str
    y_label: str
    lines: Sequence[ChartLine]
    marks: Sequence[ChartMark] = ()
    show_x: Callable[[float], str] = field(default=lambda value: f"{value:g}")
    show_y: Callable[[float], str] = field(default=lambda value: f"{value:,.0f}")
    x_ticks: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class _Scale:
    """A linear map from values to places of the picture."""

    low: float
    high: float
    begin: float
    end: float

    def __call__(self, value: float) -> float:
        return self.begin + (value - self.low) / (self.high - self.low) * (self.end - self.begin)


def ticks(low: float, high: float, number: int = _TICKS) -> list[float]:
    """Return round values from at or below ``low`` to at or above ``high``.

    >>> ticks(0, 87)
    [0.0, 25.0, 50.0, 75.0, 100.0]
    """
    span = (high - low) or abs(high) or 1.0
    size = 10.0 ** floor(log10(span / number))
    step = next(size * times for times in _STEPS if size * times * number >= span * (1 - 1e-9))
    first = floor(low / step + 1e-9)
    found = [first * step]
    while found[-1] < high - 1e-9 * span:
        found.append((first + len(found)) * step)
    if len(found) == 1:
        found.append((first + 1) * step)
    return found


def drawn(chart: Chart) -> Markup:
    """Return a chart as a picture of WIDTH x HEIGHT."""
    return picture(WIDTH, HEIGHT, chart.about, chart_parts(chart), kind="chart")


def chart_parts(chart: Chart) -> list[Markup]:
    """Return the parts of a chart, to be drawn into a picture."""
    xs = [value for shown in chart.lines for value in shown.x]
    ys = [value for shown in chart.lines for value in _values(shown)]
    y_ticks = ticks(min([0.0, *ys]), max([0.0, *ys]))
    x_ticks = list(chart.x_ticks) or ticks(min(xs, default=0.0), max(xs, default=1.0), 5)
    across = _Scale(
        min([*xs, x_ticks[0]]), max([*xs, x_ticks[-1]]), float(_LEFT), float(WIDTH - _RIGHT)
    )
    up = _Scale(y_ticks[0], y_ticks[-1], float(HEIGHT - _FOOT), float(_TOP))
    parts = [text(0, 16, chart.y_label, "strong")]
    for value in y_ticks:
        kind = "axis" if value == 0 else "rule"
        parts += [line(_LEFT, up(value), WIDTH - _RIGHT, up(value), kind)]
        parts += [text(_LEFT - 8, up(value) + 5, chart.show_y(value), "number quiet")]
    for value in x_ticks:
        parts += [line(across(value), HEIGHT - _FOOT, across(value), HEIGHT - _FOOT + 5, "axis")]
        parts += [text(across(value), HEIGHT - _FOOT + 20, chart.show_x(value), "middle quiet")]
    middle = (_LEFT + WIDTH - _RIGHT) / 2
    parts.append(text(middle, HEIGHT - 6, chart.x_label, "middle quiet"))
    for mark in chart.marks:
        x = across(mark.x)
        beside = [
            up(value)
            for shown in chart.lines
            for place, *values in zip(shown.x, shown.mean, shown.high, strict=True)
            for value in values
            if value is not None and abs(across(place) - x) <= _WORDS_W
        ]
        parts += _marked(mark, x, low=min(beside, default=HEIGHT) < _TOP + _WORDS_H)
    for shown in chart.lines:
        parts += _line(shown, across, up)
    return parts


def _values(shown: ChartLine) -> Iterable[float]:
    for values in (shown.mean, shown.low, shown.high):
        yield from (value for value in values if value is not None)


def _marked(mark: ChartMark, x: float, *, low: bool) -> list[Markup]:
    """Return a mark at x; its words are at the foot if ``low``, where no line is."""
    at_right = x > (_LEFT + WIDTH) / 2
    shift, kind = (-7, "number mark") if at_right else (7, "mark")
    top = HEIGHT - _FOOT - _WORDS_H if low else _TOP
    words = [
        text(x + shift, top + 13 + 17 * place, word, kind) for place, word in enumerate(mark.words)
    ]
    return [line(x, _TOP, x, HEIGHT - _FOOT, "mark"), *words]


def _line(shown: ChartLine, across: _Scale, up: _Scale) -> list[Markup]:
    parts = []
    bounded = [
        (across(x), up(low), up(high))
        for x, low, high in zip(shown.x, shown.low, shown.high, strict=True)
        if low is not None and high is not None
    ]
    if len(bounded) > 1:
        top = [(x, high) for x, _, high in bounded]
        foot = [(x, low) for x, low, _ in reversed(bounded)]
        parts.append(area([*top, *foot], f"band {shown.kind}"))
    places = [(across(x), up(value)) for x, value in zip(shown.x, shown.mean, strict=True)]
    if len(places) > 1:
        parts.append(path(places, f"line {shown.kind}", 2))
    if shown.said:
        parts += [line(x, low, x, high, f"whisker {shown.kind}") for x, low, high in bounded]
        parts += [
            titled(words, circle(x, y, 4.5, f"dot {shown.kind}"))
            for (x, y), words in zip(places, shown.said, strict=True)
        ]
    return parts
