"""The floor of a venue: walls, doors and furniture, for pictures and pages."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulations.places.venue import SEAT_DEPTH_M, Room
from simulations.settings.keys import PlaceKeys
from tracetogether.picture_style import FLOOR, GRID, QUIET, WALL
from tracetogether.units import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import Patch

_BEHIND_M: Final = 0.12  # from a sitting person's middle to the middle of the seat
_SEAT_M: Final = 0.42
DEVICE: Final = "#6b3fa0"
_DESK_M: Final = (0.35, 0.45)  # from the middle of a person to the near side of a desk; its depth


def desks(room: Room) -> Floats:
    """Return (s, 4, 2) the corners of the desk or table before each seat of a plan, m.

    Each person who sits has a part of a table as wide as the space to the next seat, up to 0.9 m.
    Those who sit opposite share the table, so their parts touch or overlap.
    """
    if not len(room.seats):
        return np.empty((0, 4, 2))
    gap = np.linalg.norm(room.seats[:, None] - room.seats[None], axis=2)
    np.fill_diagonal(gap, np.inf)
    half = np.clip(gap.min(axis=1), 0.6, 0.9) / 2
    ahead = np.stack([np.cos(room.seat_facing), np.sin(room.seat_facing)], axis=-1)
    aside = np.stack([-ahead[:, 1], ahead[:, 0]], axis=-1)
    near, depth = _DESK_M
    corners = [(near, -1.0), (near, 1.0), (near + depth, 1.0), (near + depth, -1.0)]
    return np.stack(
        [room.seats + at * ahead + (side * half)[:, None] * aside for at, side in corners], axis=1
    )


def floor_columns(room: Room) -> dict[str, Any]:
    """Return what a page draws, in metres rounded to centimetres.

    ``walls`` and ``doors`` hold x and y of both ends, ``desks`` four corners, ``seats`` x and y.
    Walls without ends reach to the sides of the room.
    """
    sides = np.array([room.length_m, room.width_m]) / 2
    across = np.clip(room.walls.across, [-np.inf, -sides[1], -sides[1]], [np.inf, *sides[[1, 1]]])
    along = np.clip(room.walls.along, [-np.inf, -sides[0], -sides[0]], [np.inf, *sides[[0, 0]]])
    gaps = [] if room.plan is None else [(door.across, *door.gap) for door in room.plan.doors]
    return {
        "walls": [
            *([at, low, at, high] for at, low, high in np.round(across, 2).tolist()),
            *([low, at, high, at] for at, low, high in np.round(along, 2).tolist()),
        ],
        "doors": [
            [
                round(value, 2)
                for value in ((at, low, at, high) if is_across else (low, at, high, at))
            ]
            for is_across, at, low, high in gaps
        ],
        "desks": [] if room.plan is None else np.round(desks(room), 2).tolist(),
        "seats": np.round(room.seats, 2).tolist(),
        "names": _names(room),
    }


def _names(room: Room) -> list[list[Any]]:
    """Return x and y of each space's upper left corner, and its name."""
    if room.plan is None:
        return []
    corners = np.round(room.walls.rooms[:, [0, 3]], 2).tolist()
    return [[*corner, name] for corner, name in zip(corners, room.plan.names, strict=True)]


def devices(places: Sequence[PlaceKeys], room: Room) -> list[tuple[float, float, str]]:
    """Return x, y and name of each place's device, metres from the middle of the venue.

    A place without a name is called by its number.
    """
    return [
        (
            place.at[0] - room.length_m / 2,
            place.at[1] - room.width_m / 2,
            place.name or f"place {number}",
        )
        for number, place in enumerate(places, start=1)
    ]


def draw_devices(axes: "Axes", places: Sequence[PlaceKeys], room: Room) -> None:
    """Draw the device of each place, with its name."""
    for x, y, name in devices(places, room):
        axes.plot(
            [x], [y], marker="D", markersize=7, color=DEVICE, markeredgecolor="white", zorder=6
        )
        # A name is text: `$` begins no formula.
        axes.text(x + 0.25, y + 0.2, name, fontsize=8, color=DEVICE, zorder=6, parse_math=False)


def draw_floor(axes: "Axes", room: Room) -> "Patch":
    """Draw walls, doors and furniture of a room, and return the outline of its floor."""
    from matplotlib.patches import Circle, Polygon, Rectangle  # noqa: PLC0415 - an optional package

    if room.plan is None:
        return _draw_one_room(axes, room)
    outline = Rectangle(
        (-room.length_m / 2, -room.width_m / 2),
        room.length_m,
        room.width_m,
        facecolor="none",
        edgecolor="none",
    )
    axes.add_patch(outline)
    for low_x, high_x, low_y, high_y in room.walls.rooms.tolist():
        axes.add_patch(
            Rectangle((low_x, low_y), high_x - low_x, high_y - low_y, facecolor=FLOOR, zorder=1)
        )
    for corners in desks(room):
        axes.add_patch(Polygon(corners, closed=True, facecolor=GRID, edgecolor="none", zorder=2))
    for (x, y), look in zip(room.seats.tolist(), room.seat_facing.tolist(), strict=True):
        at = (x - _BEHIND_M * np.cos(look), y - _BEHIND_M * np.sin(look))
        axes.add_patch(Circle(at, _SEAT_M / 2, facecolor=GRID, edgecolor="none", zorder=2))
    columns = floor_columns(room)
    for x, y, to_x, to_y in columns["walls"]:
        axes.plot([x, to_x], [y, to_y], color=WALL, linewidth=2.2, solid_capstyle="butt", zorder=3)
    for x, y, to_x, to_y in columns["doors"]:
        axes.plot([x, to_x], [y, to_y], color=QUIET, linewidth=1, linestyle=(0, (1, 1.5)), zorder=3)
    for x, y, name in columns["names"]:
        # A name is text: `$` begins no formula.
        axes.text(x + 0.2, y - 0.2, name, fontsize=7, color=QUIET, va="top", parse_math=False)
    return outline


def _draw_one_room(axes: "Axes", room: Room) -> "Patch":
    from matplotlib.patches import FancyBboxPatch  # noqa: PLC0415 - an optional package

    half_x, half_y = room.length_m / 2, room.width_m / 2
    floor = FancyBboxPatch(
        (-half_x, -half_y),
        room.length_m,
        room.width_m,
        boxstyle="round,pad=0.08,rounding_size=0.35",
        facecolor=FLOOR,
        edgecolor=WALL,
        linewidth=3,
    )
    axes.add_patch(floor)
    for x, y, to_x, to_y in floor_columns(room)["walls"]:
        axes.plot([x, to_x], [y, to_y], color=WALL, linewidth=2.2, zorder=2)
    for x, y in room.doors:
        wall = np.sign(y) * (half_y + 0.08)
        axes.plot([x - 0.62, x + 0.62], [wall, wall], color="white", linewidth=4.5, zorder=2)
        axes.plot([x - 0.62, x + 0.62], [wall, wall], color=QUIET, linewidth=1, zorder=3)
    for x, y in room.seats:
        outer = y - SEAT_DEPTH_M + 0.12 if y < 0 else y - 0.22
        axes.add_patch(
            FancyBboxPatch(
                (x - 0.17, outer),
                0.34,
                0.55,
                boxstyle="round,pad=0.02,rounding_size=0.08",
                facecolor=GRID,
                edgecolor="none",
                zorder=2,
            )
        )
    return floor
