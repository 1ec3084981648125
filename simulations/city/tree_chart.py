"""The picture of an outbreak's tree: time to the right, a row for each person."""

from typing import Final

from markupsafe import Markup

from simulations.city.charts import ticks
from simulations.city.outbreak_tree import (
    APP,
    FOUND,
    NOT_FOUND,
    PLACES,
    TESTED,
    TRACERS,
    OutbreakTree,
)
from tracetogether.svg import area, box, circle, line, path, picture, text, titled

_WIDTH: Final = 860
_ROW: Final = 17
_LEFT, _RIGHT, _TOP, _FOOT = 24, 24, 34, 12
LINK_KINDS: Final = ("first", "fourth", "second", "third", "fifth")
"""Classes of the links, in the order of PLACES."""


def drawn_tree(tree: OutbreakTree) -> Markup:
    """Return the picture of a tree."""
    days = [case.day for case in tree.cases]
    marks = ticks(0, max(days), 8)
    height = _TOP + _ROW * len(tree.cases) + _FOOT
    wide = (_WIDTH - _LEFT - _RIGHT) / marks[-1]
    spots = [(_LEFT + wide * day, _TOP + _ROW * (row + 0.5)) for row, day in enumerate(days)]
    parts = []
    for mark in marks:
        x = _LEFT + wide * mark
        parts += [line(x, _TOP - 6, x, height - _FOOT, "rule")]
        parts += [text(x, 18, f"day {mark:.0f}" if mark else "day 0", "middle quiet small")]
    for case, (x, y) in zip(tree.cases, spots, strict=True):
        if case.source >= 0:
            from_x, from_y = spots[case.source]
            corner = [(from_x, from_y), (from_x, y), (x, y)]
            parts.append(path(corner, f"link {LINK_KINDS[case.place]}", 2))
    for case, (x, y) in zip(tree.cases, spots, strict=True):
        where = f", infected {PLACES[case.place]}" if case.place >= 0 else ", the first case"
        words = f"day {case.day}{where}; found: {FOUND[case.found]}"
        parts.append(titled(words, _mark(x, y, case.found)))
    return picture(_WIDTH, height, "Who infected whom, by day of infection", parts, kind="whole")


def found_mark(found: int) -> Markup:
    """Return the mark of a way of being found, for a legend."""
    return Markup(
        '<svg class="picture key" width="14" height="14" viewBox="0 0 14 14" aria-hidden="true">'
        "{}</svg>"
    ).format(_mark(7, 7, found))


def _mark(x: float, y: float, found: int) -> Markup:
    """Return a mark around (x, y): its shape and its colour say how the person was found."""
    if found == APP:
        return box(x - 5, y - 5, 10, 10, "by-app", 0)
    if found == TRACERS:
        return area([(x, y - 6), (x + 6, y), (x, y + 6), (x - 6, y)], "by-tracers")
    if found == NOT_FOUND:
        return circle(x, y, 4, "not-found")
    return circle(x, y, 5, "by-test" if found == TESTED else "kept-home")
