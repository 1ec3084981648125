"""The venue from above as SVG: walls, doors, furniture, people, and what became of one case."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from markupsafe import Markup

from simulations.pages.floor import devices, floor_columns
from simulations.pages.kept_run import KeptRun
from simulations.pages.outcomes import KINDS, ContactOutcome, OutcomeColumns
from simulations.pages.report import best_tick
from tracetogether.svg import area, box, circle, line, picture, text, titled
from tracetogether.units import Floats, Ints

_WIDTH: Final = 1120.0
_MOST_HEIGHT: Final = 680.0
_LEAST_HEIGHT: Final = 120.0
_MARGIN_M: Final = 0.6
_BODY_M: Final = 0.2
_DEVICE_PX: Final = 16.0
_SEAT_M: Final = 0.26
_LEAST_RADIUS, _MOST_RADIUS = 3.5, 10.0
LINKED: Final = (
    ContactOutcome.NO_APP,
    ContactOutcome.WRONG,
    ContactOutcome.NOT_HEARD,
    ContactOutcome.TOO_LOW,
    ContactOutcome.FOUND,
)
"""Outcomes that are drawn as a line from the case, the last on top."""


@dataclass(frozen=True, slots=True)
class PlanScale:
    """Maps metres to places of the drawing.

    Attributes:
        left_m, top_m: x and y of the upper left corner, m.
        per_m: places of the drawing for each metre.
        width, height: of the drawing.
    """

    left_m: float
    top_m: float
    per_m: float
    width: float
    height: float

    @property
    def radius(self) -> float:
        """How large a person is drawn."""
        return float(np.clip(_BODY_M * self.per_m, _LEAST_RADIUS, _MOST_RADIUS))

    def at(self, x_m: float, y_m: float) -> tuple[float, float]:
        """Return the place of a point."""
        return (x_m - self.left_m) * self.per_m, (self.top_m - y_m) * self.per_m


@dataclass(frozen=True, slots=True)
class CaseMoment:
    """A case at a tick that shows it and its contacts together.

    Attributes:
        case: the person.
        tick: of the tracks.
    """

    case: int
    tick: int


def plan_scale(run: KeptRun) -> PlanScale:
    """Return a scale with all people, the room and its walls in the drawing."""
    xy = run.tracks.xy.reshape(-1, 2)
    points = [xy[~np.isnan(xy[:, 0])].astype(np.float64)]
    if run.room is not None:
        half = np.array([run.room.length_m, run.room.width_m]) / 2
        points += [np.stack([-half, half])]
    every = np.concatenate(points) if any(map(len, points)) else np.array([[-1.0, -1.0], [1, 1]])
    low, high = every.min(axis=0) - _MARGIN_M, every.max(axis=0) + _MARGIN_M
    wide, tall = (high - low).tolist()
    per_m = min(_WIDTH / wide, _MOST_HEIGHT / tall)
    return PlanScale(
        left_m=float(low[0]),
        top_m=float(high[1]),
        per_m=per_m,
        width=wide * per_m,
        height=max(tall * per_m, _LEAST_HEIGHT),
    )


def moment_of(run: KeptRun, lines: OutcomeColumns) -> CaseMoment | None:
    """Return the case with most to see, at a tick that shows it; None if there is no case."""
    ranked = []
    for case, rows in lines.by_case(run.cases):
        counts = np.bincount(lines.outcome[rows], minlength=len(ContactOutcome)).tolist()
        found, wrong = counts[ContactOutcome.FOUND], counts[ContactOutcome.WRONG]
        with_app = found + counts[ContactOutcome.TOO_LOW] + counts[ContactOutcome.NOT_HEARD]
        others = lines.person[rows][np.isin(lines.outcome[rows], LINKED)]
        ranked.append((with_app, found, wrong, -case, others[others >= 0]))
    if not ranked:
        return None
    *_, minus_case, others = max(ranked, key=lambda row: row[:-1])
    return CaseMoment(-minus_case, best_tick(run.tracks, -minus_case, others))


def last_known(xy: Floats, tick: int) -> tuple[float, float, bool] | None:
    """Return x, y of a person at a tick, and whether they are there.

    Of a person who has left it is the last place, of one who has not come yet the first; None for a
    person who was never there.

    Args:
        xy: (T, 2) positions, m; NaN while absent.
        tick: of the positions.
    """
    there = np.flatnonzero(~np.isnan(xy[:, 0]))
    if not len(there):
        return None
    before = there[there <= tick]
    nearest = int(before[-1]) if len(before) else int(there[0])
    return float(xy[nearest, 0]), float(xy[nearest, 1]), nearest == tick


def drawn_plan(
    run: KeptRun, lines: OutcomeColumns, moment: CaseMoment | None, scale: PlanScale, about: str
) -> Markup:
    """Return the venue with everybody at the moment, and the lines of its case."""
    tick = run.tracks.ticks // 2 if moment is None else moment.tick
    verdicts = {} if moment is None else case_verdicts(lines, moment.case)
    parts = [
        Markup('<g class="floor">{}</g>').format(Markup("").join(_floor(run, scale))),
        Markup('<g class="links">{}</g>').format(
            Markup("").join(_links(run, moment, verdicts, scale))
        ),
        Markup('<g class="people">{}</g>').format(
            Markup("").join(_people(run, tick, moment, verdicts, scale))
        ),
        Markup('<g class="devices">{}</g>').format(Markup("").join(_devices(run, scale))),
    ]
    return picture(scale.width, scale.height, about, parts, kind="plan")


def case_verdicts(lines: OutcomeColumns, case: int) -> dict[int, ContactOutcome]:
    """Return person -> outcome of a case, of those that are drawn."""
    ((_, rows),) = lines.by_case(np.array([case]))
    pairs = zip(lines.person[rows].tolist(), lines.outcome[rows].tolist(), strict=True)
    return {
        person: ContactOutcome(code) for person, code in pairs if code in LINKED and person >= 0
    }


def _floor(run: KeptRun, scale: PlanScale) -> Iterator[Markup]:
    room = run.room
    if room is None:
        return
    columns = floor_columns(room)
    rooms = [[-room.length_m / 2, room.length_m / 2, -room.width_m / 2, room.width_m / 2]]
    if room.plan is not None:
        rooms = room.walls.rooms.tolist()
    for low_x, high_x, low_y, high_y in rooms:
        kind = "ground" if room.plan is not None else "ground walled"
        wide, tall = (high_x - low_x) * scale.per_m, (high_y - low_y) * scale.per_m
        yield box(*scale.at(low_x, high_y), wide, tall, kind, radius=0)
    for corners in columns["desks"]:
        yield area([scale.at(x, y) for x, y in corners], "desk")
    for x, y in columns["seats"]:
        yield circle(*scale.at(x, y), _SEAT_M * scale.per_m, "desk")
    for x, y, to_x, to_y in columns["walls"]:
        yield line(*scale.at(x, y), *scale.at(to_x, to_y), "wall")
    for x, y, to_x, to_y in columns["doors"]:
        yield line(*scale.at(x, y), *scale.at(to_x, to_y), "doorway")
    if room.plan is None:
        for x, y in room.doors.tolist():
            if abs(abs(y) - room.width_m / 2) < 1:
                at = np.sign(y) * room.width_m / 2
                yield line(*scale.at(x - 0.6, at), *scale.at(x + 0.6, at), "doorway")
    for x, y, name in columns["names"]:
        left, top = scale.at(x, y)
        yield text(left + 5, top + 16, name, "quiet small")


def _devices(run: KeptRun, scale: PlanScale) -> Iterator[Markup]:
    """Yield the device of each place, with its name."""
    if run.room is None or run.scenario is None:
        return
    half = _DEVICE_PX / 2
    for x, y, name in devices(run.scenario.places, run.room):
        left, top = scale.at(x, y)
        corners = [(left - half, top), (left, top - half), (left + half, top), (left, top + half)]
        yield titled(name, area(corners, "device"))
        yield text(left + half + 4, top - 4, name, "device-name small")


def _links(
    run: KeptRun, moment: CaseMoment | None, verdicts: dict[int, ContactOutcome], scale: PlanScale
) -> Iterator[Markup]:
    if moment is None:
        return
    own = last_known(run.tracks.xy[moment.case], moment.tick)
    if own is None:
        return
    yield circle(*scale.at(own[0], own[1]), run.within_m * scale.per_m, "near")
    for outcome in LINKED:
        for person, verdict in sorted(verdicts.items()):
            there = last_known(run.tracks.xy[person], moment.tick)
            if verdict == outcome and there is not None:
                ends = (*scale.at(own[0], own[1]), *scale.at(there[0], there[1]))
                yield line(*ends, f"tie {KINDS[outcome]}")


def _people(
    run: KeptRun,
    tick: int,
    moment: CaseMoment | None,
    verdicts: dict[int, ContactOutcome],
    scale: PlanScale,
) -> Iterator[Markup]:
    with_app, case = set(run.app.tolist()), None if moment is None else moment.case
    for person in range(run.people):
        x, y = run.tracks.xy[person, tick].tolist()
        kinds = ["person"] + ["app"] * (person in with_app) + ["case"] * (person == case)
        here = not np.isnan(x)
        if not here and (person in verdicts or person == case):
            known = last_known(run.tracks.xy[person], tick)
            if known is not None:
                x, y, here = known[0], known[1], True
                kinds.append("left")
        radius = scale.radius * (1.3 if person == case else 1)
        at = scale.at(x, y) if here else (0.0, 0.0)
        yield circle(*at, radius, " ".join(kinds if here else [*kinds, "absent"]))


def frames_of(run: KeptRun, most_places: int) -> tuple[Ints, int]:
    """Return (F,) ticks of the replay, and by how many ticks they are apart.

    Args:
        run: the run.
        most_places: the largest number of positions in all frames together.
    """
    most = max(2, min(720, most_places // max(run.people, 1)))
    stride = max(1, -(-run.tracks.ticks // most))
    return np.arange(0, run.tracks.ticks, stride), stride
