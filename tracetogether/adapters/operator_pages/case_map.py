"""The picture of many cases: a column for each date, lines between those whose people met."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from tracetogether.adapters.operator_pages.rendering import day_text
from tracetogether.svg import (
    circle,
    curve,
    line,
    link,
    picture,
    text,
    titled,
)

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
        said: its tooltip.
    """

    one: str
    other: str
    kind: str
    thick: float
    said: str


def case_map(spots: Sequence[Spot], bonds: Sequence[Bond], about: str) -> Markup:
    """Return the picture; within a column, cases that are joined are close to each other."""
    days = sorted({spot.day for spot in spots})
    rows = _rows(spots, bonds)
    width = _LEFT + max(len(days), 3) * _COLUMN
    height = _HEAD + (max(rows.values(), default=0) + 1) * _ROW + 10
    column = {day: _LEFT + place * _COLUMN for place, day in enumerate(days)}
    place = {
        spot.name: (column[spot.day], _HEAD + (rows[spot.name] + 0.5) * _ROW) for spot in spots
    }
    parts = [text(x - 10, 16, day_text(day)[5:], "strong") for day, x in column.items()]
    parts.append(line(0, 26, width, 26, "rule"))
    parts += [_drawn(bond, *sorted((place[bond.one], place[bond.other]))) for bond in bonds]
    for spot in spots:
        x, y = place[spot.name]
        name = text(x + 11, y - 7, spot.name, "mono small halo")
        parts.append(link(spot.link, circle(x, y, 7, "knot case"), name))
    return picture(width, height, about, parts, kind="whole")


def _drawn(bond: Bond, start: tuple[float, float], end: tuple[float, float]) -> Markup:
    (x1, y1), (x2, y2) = start, end
    # Within a column, or a row, the line bows out, so that it passes beside those between.
    bow1, bow2 = (_COLUMN * 0.4,) * 2 if x1 == x2 else ((x2 - x1) / 2, (x1 - x2) / 2)
    down = 0 if y1 != y2 or x2 - x1 <= _COLUMN else min((x2 - x1) / 12, _ROW * 0.6)
    controls = (x1 + bow1, y1 + down, x2 + bow2, y2 + down)
    kind = f"edge {bond.kind}"
    return titled(bond.said, curve(x1, y1, *controls, x2, y2, thick=bond.thick, kind=kind))


def _rows(spots: Sequence[Spot], bonds: Sequence[Bond]) -> Mapping[str, int]:
    """Return each case's row within its column, close to the cases that it is joined to.

    Each column is sorted by the mean row of its cases' neighbours, a few times to and fro (the
    barycentre heuristic of layered graph drawing), so that few lines cross.
    """
    joined: dict[str, list[str]] = {spot.name: [] for spot in spots}
    for bond in bonds:
        joined[bond.one].append(bond.other)
        joined[bond.other].append(bond.one)
    columns: dict[int, list[str]] = {}
    for spot in spots:
        columns.setdefault(spot.day, []).append(spot.name)
    rows = {name: row for names in columns.values() for row, name in enumerate(names)}
    for _ in range(_TO_AND_FRO):
        for names in columns.values():
            middle = {
                name: sum(rows[other] for other in joined[name]) / len(joined[name])
                if joined[name]
                else rows[name]
                for name in names
            }
            in_order = sorted(names, key=lambda name: (middle[name], rows[name]))
            rows.update({name: row for row, name in enumerate(in_order)})
    return rows
