"""Recorded tracks: from a table of (scene, time, person, x, y) to CrowdTracks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from simulations.people.carrying import carry_over_time
from simulations.places.tracks import CrowdTracks, Floats32
from simulations.places.venue import Posture
from simulations.settings.keys import PeopleKeys, VenueKeys
from simulations.settings.scenario import Scenario
from simulations.streams import Streams
from tracetogether.errors import InvalidReadingsError
from tracetogether.labels import Labels
from tracetogether.tables.csv_columns import read_csv
from tracetogether.tables.csv_text import opened
from tracetogether.units import Bools, Floats

# field -> accepted names of its column, if the user names none
TRACK_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "scene": ("scene", "scenario"),
    "t": ("t", "time"),
    "id": ("id", "person"),
    "x": ("x",),
    "y": ("y",),
}
UNKNOWN: Final = "?"

_LEAST_S: Final = 10.0  # shortest recording
_EDGE_M: Final = 1.0  # floor around the outermost positions
_GAP_S: Final = 5.0  # a person is absent during longer gaps
_MOVING_M_S: Final = 0.3
_TALKING_M: Final = 1.5  # people who stand within this distance face each other
_TALKING_RAD: Final = 0.6  # ... up to this angle off


@dataclass(frozen=True, slots=True)
class RecordedTracks:
    """The people of one scene.

    Attributes:
        scene: its name.
        begin_s: the recording's time at tick 0.
        names: (P,) ids of the people.
        tracks: their positions, one tick per second.
    """

    scene: str
    begin_s: float
    names: tuple[str, ...]
    tracks: CrowdTracks


def named_columns(
    path: Path, columns: Mapping[str, str], accepted: Mapping[str, tuple[str, ...]]
) -> dict[str, str]:
    """Return field -> column: the column that ``columns`` names, or the first accepted one.

    Args:
        path: the table; only its header is read.
        columns: field -> column that the user names.
        accepted: field -> accepted names.
    """
    with opened(path) as (_, file):
        header = file.readline().decode("utf-8", "replace").strip().split(",")
    return {
        field: columns.get(field, next((name for name in names if name in header), names[0]))
        for field, names in accepted.items()
    }


def load_tracks(
    path: Path, columns: Mapping[str, str], people: PeopleKeys, streams: Streams
) -> list[RecordedTracks]:
    """Return the scenes of a CSV table, plain or gzipped: scene, t (s), id, x, y (m).

    Recordings lack directions of view and places of phones. So people who walk face forward.
    People who stand face those near them, or turn slowly at random. ``people`` gives the places
    of the phones.

    Raises:
        InvalidReadingsError: the table can't be read, or lacks a column.
    """
    named = named_columns(path, columns, TRACK_COLUMNS)
    table = read_csv(
        path,
        numbers={name: named[name] for name in ("t", "x", "y")},
        labels={name: named[name] for name in ("scene", "id")},
        required={"t", "x", "y", "id"},
        may_be_empty=set(),
        strict=False,
        on_progress=None,
    )
    rows = len(table.numbers["t"])
    if not rows:
        raise InvalidReadingsError(f"{path} holds no track")
    scene = table.labels.get("scene", Labels.constant(UNKNOWN, rows))
    found = []
    for name, chosen in by_label(scene):
        t, x, y = (table.numbers[field][chosen] for field in ("t", "x", "y"))
        person = np.asarray(table.labels["id"].codes)[chosen]
        ids = np.unique(person)
        begin = float(np.floor(t.min()))
        ticks = int(np.ceil(t.max() - begin)) + 1
        xy = np.full((len(ids), ticks, 2), np.nan, np.float32)
        for row, code in enumerate(ids.tolist()):
            mine = person == code
            order = np.argsort(t[mine], kind="stable")
            when = t[mine][order] - begin
            xy[row] = _each_second(when, x[mine][order], y[mine][order], ticks)
        names = tuple(str(table.labels["id"].names[code]) for code in ids.tolist())
        found.append(RecordedTracks(name, begin, names, _tracks(xy, people, streams, name)))
    return found


def choose_scene(scenes: Sequence[RecordedTracks], name: str | None, path: Path) -> RecordedTracks:
    """Return the scene with that name, or the only one if the name is None.

    Raises:
        InvalidReadingsError: no scene has that name, or there are several and it is None.
    """
    names = ", ".join(scene.scene for scene in scenes)
    if name is None and len(scenes) > 1:
        raise InvalidReadingsError(f"{path} holds several scenes ({names}): choose with --scene")
    for scene in scenes:
        if name is None or scene.scene == name:
            return scene
    raise InvalidReadingsError(f"{path} holds no scene {name!r}; there are: {names}")


def on_recorded_tracks(
    scenario: Scenario, recorded: RecordedTracks
) -> tuple[Scenario, CrowdTracks]:
    """Return the scenario with the recording's people, duration and floor, and their tracks.

    Phones and channel stay the scenario's. The venue becomes an open floor around all positions,
    without walls; its centre is the origin.

    Raises:
        InvalidReadingsError: the recording is shorter than ten seconds, or of one person.
    """
    tracks = recorded.tracks
    duration_s = (tracks.ticks - 1) * tracks.tick_s
    if tracks.people < 2 or duration_s < _LEAST_S:
        raise InvalidReadingsError(
            f"the scene {recorded.scene!r} has {tracks.people} people and {duration_s:g} s; a run "
            f"wants two people and {_LEAST_S:g} s at least"
        )
    low, high = np.nanmin(tracks.xy, axis=(0, 1)), np.nanmax(tracks.xy, axis=(0, 1))
    length_m, width_m = np.ceil(high - low + 2 * _EDGE_M).tolist()
    # Only the recorded people take part: nobody joins or leaves by the scenario's rules.
    return (
        replace(
            scenario,
            title=f"{scenario.title} - on the recorded tracks {recorded.scene}",
            duration_s=duration_s,
            people=replace(scenario.people, count=tracks.people, groups={}),
            motion=replace(scenario.motion, timetable=()),
            venue=VenueKeys(kind="hall", length_m=length_m, width_m=width_m),
        ),
        replace(tracks, xy=(tracks.xy - (low + high) / 2).astype(np.float32)),
    )


def by_label(labels: Labels) -> Iterator[tuple[str, Bools]]:
    """Yield each label that occurs, and (n,) which rows have it."""
    for code, name in enumerate(labels.names):
        chosen = np.asarray(labels.codes) == code
        if chosen.any():
            yield str(name), chosen


def _each_second(when: Floats, x: Floats, y: Floats, ticks: int) -> Floats:
    at = np.arange(ticks, dtype=np.float64)
    after = np.clip(np.searchsorted(when, at), 0, len(when) - 1)
    before = np.maximum(after - 1, 0)
    near = np.minimum(np.abs(when[after] - at), np.abs(when[before] - at))
    bridged = (when[after] - when[before] <= _GAP_S) & (at >= when[0]) & (at <= when[-1])
    here = bridged | (near <= 0.5)
    place = np.column_stack([np.interp(at, when, x), np.interp(at, when, y)])
    place[~here] = np.nan
    return place


def _tracks(xy: Floats32, people: PeopleKeys, streams: Streams, scene: str) -> CrowdTracks:
    count, ticks = xy.shape[:2]
    step = np.gradient(xy, axis=1) if ticks > 1 else np.zeros_like(xy)
    speed = np.hypot(step[..., 0], step[..., 1])
    there = ~np.isnan(xy[..., 0])
    chance = streams.generator("replay", "facing", scene)
    drift = np.cumsum(chance.normal(scale=0.1, size=(count, ticks)), axis=1)
    alone = chance.uniform(-np.pi, np.pi, (count, 1)) + drift
    off = _TALKING_RAD * np.sin(drift)  # people don't look straight at each other all the time
    moving = np.nan_to_num(speed) > _MOVING_M_S
    towards = _to_those_near(xy)
    still = np.where(np.isnan(towards), alone, towards + off)
    facing = np.where(moving, np.arctan2(step[..., 1], step[..., 0]), still)
    posture = np.where(moving, Posture.WALKING, Posture.STANDING)
    return CrowdTracks(
        xy=xy,
        facing=np.nan_to_num(facing).astype(np.float32),
        posture=np.where(there, posture, Posture.ABSENT).astype(np.int8),
        carry=carry_over_time(people, count, ticks, streams),
    )


def _to_those_near(xy: Floats32) -> Floats:
    """Return (P, T) directions to the centre of people within talking distance; NaN for none.

    People who stand together form a ring and face the space in its centre (Kendon's
    F-formations).
    """
    found = np.full(xy.shape[:2], np.nan)
    for person in range(len(xy)):
        way = (xy - xy[person]).astype(np.float64)
        gap = np.hypot(way[..., 0], way[..., 1])
        near = (gap < _TALKING_M) & (gap > 0.0)  # NaN (absent) compares false
        x, y = (np.where(near, way[..., axis], 0.0).sum(axis=0) for axis in range(2))
        found[person] = np.where(near.any(axis=0), np.arctan2(y, x), np.nan)
    return found
