"""A table of positions as the tracks of a recording's scenes."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import tzinfo
from pathlib import Path
from typing import Final

import numpy as np

from tracetogether.errors import InvalidReadingsError
from tracetogether.evaluation.layout import RecordingLayout, wanted_columns
from tracetogether.evaluation.scene import Scene, Tracks
from tracetogether.evaluation.truth import track_distance_m
from tracetogether.labels import Labels
from tracetogether.tables.csv_columns import read_csv
from tracetogether.tables.timestamps import HowToSay, recognise
from tracetogether.units import Bools, Floats

_FARTHEST_PLACE_M: Final = 1e8  # geographic grids count in millions of metres
_TRACK_REQUIRED: Final = frozenset({"time", "person", "x", "y"})


def read_tracks(
    path: Path, layout: RecordingLayout, clock: tzinfo | None
) -> tuple[Tracks, Labels | None, tuple[str, ...]]:
    """Return all positions of a table, the scene of each if it tells, and what was assumed."""
    if any(source.constant is not None for source in layout.sources.values()):
        raise InvalidReadingsError(f"{path}: a track wants columns, not a number for every row")
    sources = dict(layout.sources)
    table = read_csv(
        path,
        **wanted_columns(sources, {}),
        required=_TRACK_REQUIRED | layout.named,
        named_by={field: f"--track-columns {field}=..." for field in sources},
    )
    scaled = {field: column * sources[field].factor for field, column in table.numbers.items()}
    source = sources["time"]
    times = recognise(
        table.times["time"],
        f"{path}, column {source.column!r},",
        unit=source.unit,
        in_zone=clock,
        how=HowToSay(unit=f"--track-columns time={source.column}[{{}}]"),
    )
    finite = np.isfinite(times.seconds) & _is_place(scaled["x"]) & _is_place(scaled["y"])
    tracks = Tracks(
        times.seconds[finite],
        table.labels["person"].take(finite),
        scaled["x"][finite],
        scaled["y"][finite],
    )
    scene = table.labels.get("scene")
    notes = times.notes
    if lost := int((~finite).sum()):
        notes += (f"{path}: {lost:,} positions without a time or place are left out.",)
    return tracks, None if scene is None else scene.take(finite), notes


def _is_place(metres: Floats) -> Bools:
    return np.abs(metres) < _FARTHEST_PLACE_M  # NaN is none


def with_tracks(
    path: Path, scenes: Sequence[Scene], tracks_path: Path, tracks: Tracks, scene: Labels | None
) -> tuple[Scene, ...]:
    """Return the scenes with their tracks, and with distances from them if they have none."""
    found = []
    for untracked in scenes:
        if scene is not None:
            rows = scene.codes == (
                scene.names.index(untracked.name) if untracked.name in scene.names else -2
            )
        elif len(scenes) == 1:
            rows = np.ones(len(tracks), dtype=np.bool_)
        else:  # tracks that name no scene belong to the scene that was recorded at the time
            time = untracked.sightings.time
            rows = (tracks.time >= time.min()) & (tracks.time <= time.max())
        if not rows.any():
            found.append(untracked)
            continue
        seen = Tracks(
            tracks.time[rows], tracks.person.take(rows), tracks.x_m[rows], tracks.y_m[rows]
        )
        distance = untracked.distance_m
        if distance is None:
            distance = track_distance_m(seen, untracked.sightings)
        found.append(replace(untracked, distance_m=distance, tracks=seen))
    people = {name for known in scenes for name in known.sightings.peer.names}
    if not people & set(tracks.person.names) or all(known.tracks is None for known in found):
        raise InvalidReadingsError(
            f"{tracks_path} tracks nobody of {path}: names of people (such as "
            f"{', '.join(sorted(people)[:3]) or 'none'} and {', '.join(tracks.person.names[:3])}) "
            "and of scenes must be the same in both"
        )
    return tuple(found)
