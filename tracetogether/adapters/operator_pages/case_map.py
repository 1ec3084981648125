"""The picture of many cases: a column for each date, lines between those whose people met."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from tracetogether.adapters.operator_pages.pictures import dot, line, picture, short, text
from tracetogether.adapters.operator_pages.rendering import day_text

_COLUMN: Final = 112
_ROW: Final = 52
_HEAD: Final = 40
_LEFT: Final = 24
_LABEL: Final = 100
_TO_AND_FRO: Final = 4


@dataclass(frozen=True, slots=True)
class Spot:
    """A case in the picture.

    Attributes:
        name: what it is called.
        link: to its page.
        day: UTC day number of its date.
    """

    name: str
    link: str
    day: int


@dataclass(frozen=True, slots=True)
class Bond:
    """What joins two cases.

    Attributes:
        one, other: names of the cases.
        kind: class of the line.
        thick: its width.
        said: what the pointer on it is told.
    """

    one: str
    other: str
    kind: str
    thick: float
    said: str


def case_map(spots: Sequence[Spot], bonds: Sequence[Bond], about: str) -> Markup:
    """Return the picture; within a column those stand side by side that are joined."""
    days = sorted({one.day for one in spots})
    rows = _rows(spots, bonds)
    width = _LEFT + max(len(days), 3) * _COLUMN
    height = _HEAD + (max(rows.values(), default=0) + 1) * _ROW + 10
    column = {day: _LEFT + place * _COLUMN for place, day in enumerate(days)}
    place = {one.name: (column[one.day], _HEAD + (rows[one.name] + 0.5) * _ROW) for one in spots}
    parts = [text(x - 10, 16, day_text(day)[5:], "strong") for day, x in column.items()]
    parts.append(line(0, 26, width, 26, "rule"))
    parts += [_drawn(bond, *sorted((place[bond.one], place[bond.other]))) for bond in bonds]
    for one in spots:
        x, y = place[one.name]
        name = text(x + 11, y - 7, one.name, "mono small halo")
        spot = dot(x, y, 7, "knot case")
        parts.append(Markup('<a href="{}">{}{}</a>').format(one.link, spot, name))
    return picture(width, height, about, parts, kind="whole")


def _drawn(bond: Bond, start: tuple[float, float], end: tuple[float, float]) -> Markup:
    (x1, y1), (x2, y2) = start, end
    # Within a column, or a row, the line bows out, so that it passes beside those between.
    bow1, bow2 = (_COLUMN * 0.4,) * 2 if x1 == x2 else ((x2 - x1) / 2, (x1 - x2) / 2)
    down = 0 if y1 != y2 or x2 - x1 <= _COLUMN else min((x2 - x1) / 12, _ROW * 0.6)
    return Markup(
        '<g><title>{}</title><path d="M{} {}C{} {} {} {} {} {}" fill="none" stroke-width="{}" '
        'stroke-opacity="0.75" class="edge {}"/></g>'
    ).format(
        bond.said,
        *map(short, (x1, y1, x1 + bow1, y1 + down, x2 + bow2, y2 + down, x2, y2, bond.thick)),
        bond.kind,
    )


def _rows(spots: Sequence[Spot], bonds: Sequence[Bond]) -> Mapping[str, int]:
    """Return which row of its column each case stands in: near those that it is joined to."""
    joined: dict[str, list[str]] = {one.name: [] for one in spots}
    for bond in bonds:
        joined[bond.one].append(bond.other)
        joined[bond.other].append(bond.one)
    columns: dict[int, list[str]] = {}
    for one in spots:
        columns.setdefault(one.day, []).append(one.name)
    rows = {name: row for names in columns.values() for row, name in enumerate(names)}
    for _ in range(_TO_AND_FRO):
        for names in columns.values():
            middle = {
                name: sum(rows[one] for one in joined[name]) / len(joined[name])
                if joined[name]
                else rows[name]
                for name in names
            }
            in_order = sorted(names, key=lambda one: (middle[one], rows[one]))
            rows.update({name: row for row, name in enumerate(in_order)})
    return rows
