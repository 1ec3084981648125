"""Anybody's recording as scenes: readings, true distances, and where people were."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from tracetogether.csv_columns import BadLine, CsvColumns, read_csv
from tracetogether.errors import InvalidReadingsError
from tracetogether.evaluation.layout import NUMBERS, TRACK_COLUMNS, Layout, Source
from tracetogether.labels import UNKNOWN, Labels
from tracetogether.proximity.scene import Scene, Tracks
from tracetogether.proximity.truth import track_distance_m
from tracetogether.sightings import Sightings, valid_readings
from tracetogether.units import Floats, Ints

_KEY: Final = "key"
_REQUIRED: Final = frozenset({"time", "rssi"})
_TRACK_REQUIRED: Final = frozenset({"time", "person", "x", "y"})


@dataclass(frozen=True, slots=True)
class Join:
    """A second table with one row per key, and the column of that key in both tables."""

    path: Path
    key: str

    @classmethod
    def parse(cls, text: str) -> "Join":
        """Return the join that ``FILE.csv:key`` describes.

        Raises:
            InvalidReadingsError: it is not of that form.
        """
        path, colon, key = text.rpartition(":")
        if not (colon and path.strip() and key.strip()):
            raise InvalidReadingsError(f"{text!r} is not FILE.csv:KEY, such as files.csv:file_id")
        return cls(Path(path.strip()), key.strip())


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording's scenes, and what could not be used of it.

    Attributes:
        scenes: ordered by name.
        dropped: readings without a valid signal strength or time.
        bad_count: malformed lines that were skipped.
        bad_lines: the first of them.
        unjoined: readings whose key the joined table does not have.
    """

    scenes: tuple[Scene, ...]
    dropped: int = 0
    bad_count: int = 0
    bad_lines: tuple[BadLine, ...] = ()
    unjoined: int = 0


def read_recording(
    path: Path,
    layout: Layout,
    *,
    join: Join | None = None,
    tracks: Path | None = None,
    track_layout: Layout | None = None,
    inherited: bool = False,
    strict: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> Recording:
    """Read a recording.

    Args:
        path: a CSV or CSV.gz table, one line per reading.
        layout: where its fields are. Only time and signal strength must exist, and what a user
            named; a recording without observer or peer is of one pair, one without scene is one.
        join: where fields come from that the table does not have.
        tracks: a table of positions. A recording without distances takes them from there.
        track_layout: where the fields of ``tracks`` are; its scene is in the column that
            the readings have it in, unless named.
        inherited: the layout was written for another recording, so that of what it names only
            time, signal strength, distance and scene must exist.
        strict: stop at the first malformed line.
        on_progress: called with (bytes read, bytes in all) as ``path`` is read.

    Raises:
        InvalidReadingsError: a table can't be read, or lacks a column; says which and the remedy.
    """
    must = _REQUIRED | layout.named
    if inherited:
        must &= _REQUIRED | {"distance", "scene"}
    table, unjoined = _joined(path, layout, join, must, strict=strict, on_progress=on_progress)
    numbers, labels = table.numbers, table.labels
    rows = table.rows
    blank = np.full(rows, np.nan)
    valid = valid_readings(numbers["time"], numbers["rssi"])
    kept = _repeated(np.flatnonzero(valid), numbers.get("count"))
    nameless = Labels.constant(None, rows)

    def names(field: str) -> Labels:
        return labels.get(field, nameless).take(kept)

    sightings = Sightings.from_columns(
        time=numbers["time"][kept],
        rssi_dbm=numbers["rssi"][kept],
        tx_power_dbm=numbers.get("tx_power", blank)[kept],
        peer=names("peer"),
        observer=names("observer"),
        observer_model=names("observer_model"),
        peer_model=names("peer_model"),
    )
    distance = numbers["distance"][kept] if "distance" in numbers else None
    scene = labels.get("scene", Labels.constant(path.name.split(".")[0], rows)).take(kept)
    scenes = _scenes(sightings, distance, scene)
    if tracks is not None:
        chosen = track_layout or Layout.parse(None, TRACK_COLUMNS)
        seen = _read_tracks(tracks, chosen.renamed(scene=layout.sources["scene"].column))
        scenes = _with_tracks(path, scenes, tracks, *seen)
    if all(one.distance_m is None for one in scenes):
        raise InvalidReadingsError(
            f"{path} has no column {layout.sources['distance'].column!r} with true distances; name "
            "another with --columns distance=..., bring one in with --join, or give --tracks"
        )
    return Recording(scenes, rows - int(valid.sum()), table.bad_count, table.bad_lines, unjoined)


def _joined(
    path: Path,
    layout: Layout,
    join: Join | None,
    must: frozenset[str],
    *,
    strict: bool,
    on_progress: Callable[[int, int], None] | None,
) -> tuple[CsvColumns, int]:
    """Return the fields of the table, the missing ones from the joined one, in metres and seconds.

    The second part counts the rows whose key the joined table does not have.
    """
    sources = {f: source for f, source in layout.sources.items() if source.constant is None}
    key = {_KEY: join.key} if join is not None else {}
    table = read_csv(
        path,
        numbers=_columns(sources, numbers=True),
        labels={**_columns(sources, numbers=False), **key},
        required=frozenset(key) | (must & set(sources) if join is None else frozenset()),
        may_be_empty=set(sources) - {"time"},
        strict=strict,
        on_progress=on_progress,
    )
    numbers, labels = dict(table.numbers), dict(table.labels)
    unjoined = 0
    if join is not None:
        missing = {f: source for f, source in sources.items() if f not in {*numbers, *labels}}
        other, row = _other_rows(join, missing, labels.pop(_KEY))
        found = row >= 0
        unjoined = int((~found).sum())
        for field, column in other.numbers.items():
            numbers[field] = np.where(found, column[row], np.nan)
        for field, names in other.labels.items():
            if field != _KEY:
                codes = np.where(found, names.codes[row], UNKNOWN).astype(np.int32)
                labels[field] = Labels(codes, names.names)
        for field in sorted(must & set(sources)):
            if field not in {*numbers, *labels}:
                raise InvalidReadingsError(
                    f"neither {path} nor {join.path} has a column {sources[field].column!r} for "
                    f"the {field}; name another with --columns {field}=..."
                )
    for field, source in layout.sources.items():
        if source.constant is not None:
            numbers[field] = np.full(table.rows, source.constant)
        if field in numbers and source.factor != 1:
            numbers[field] = numbers[field] * source.factor
    return replace(table, numbers=numbers, labels=labels), unjoined


def _columns(sources: dict[str, Source], *, numbers: bool) -> dict[str, str]:
    return {
        field: source.column for field, source in sources.items() if (field in NUMBERS) is numbers
    }


def _other_rows(join: Join, missing: dict[str, Source], key: Labels) -> tuple[CsvColumns, Ints]:
    """Return the joined table's columns, and which of its rows belongs to each key (-1: none)."""
    other = read_csv(
        join.path,
        numbers=_columns(missing, numbers=True),
        labels={**_columns(missing, numbers=False), _KEY: join.key},
        required={_KEY},
        may_be_empty=set(missing),
    )
    keys = other.labels[_KEY].to_list()
    place = {name: row for row, name in enumerate(keys)}
    if len(place) < len(keys):
        twice = next(name for row, name in enumerate(keys) if place[name] != row)
        raise InvalidReadingsError(
            f"{join.path} has the {join.key} {twice!r} more than once; a key must be unique"
        )
    table = np.array([*(place.get(name, -1) for name in key.names), -1], dtype=np.int64)
    return other, table[key.codes]


def _repeated(rows: Ints, count: Floats | None) -> Ints:
    """Return the rows as often as their count says: tables may hold runs of equal readings."""
    if count is None:
        return rows
    times = np.nan_to_num(count[rows], nan=1.0)
    return np.repeat(rows, np.maximum(times, 0).astype(np.int64))


def _scenes(sightings: Sightings, distance: Floats | None, scene: Labels) -> tuple[Scene, ...]:
    """Return the rows of each scene as a scene; a blank name is one of its own."""
    order = np.argsort(scene.codes, kind="stable")
    codes, starts = np.unique(scene.codes[order], return_index=True)
    ends = [*starts[1:].tolist(), len(order)]
    found = []
    for code, start, end in zip(codes.tolist(), starts.tolist(), ends, strict=True):
        rows = order[start:end]
        name = "" if code == UNKNOWN else scene.names[code]
        known = None if distance is None else distance[rows]
        found.append(Scene(name, _own_names(sightings.take(rows)), known))
    return tuple(sorted(found, key=lambda one: one.name))


def _own_names(sightings: Sightings) -> Sightings:
    """Return the sightings with none but their own people in the tables of names."""

    def own(labels: Labels) -> Labels:
        used, codes = np.unique(labels.codes, return_inverse=True)
        known = used[used >= 0]
        shift = len(used) - len(known)
        return Labels(
            (codes.reshape(-1) - shift).astype(np.int32),
            tuple(labels.names[code] for code in known.tolist()),
        )

    return sightings.replaced(observer=own(sightings.observer), peer=own(sightings.peer))


# --- tracks ------------------------------------------------------------------------


def _read_tracks(path: Path, layout: Layout) -> tuple[Tracks, Labels | None]:
    """Return all positions of a table, and the scene of each if it tells."""
    if any(source.constant is not None for source in layout.sources.values()):
        raise InvalidReadingsError(f"{path}: a track wants columns, not a number for every row")
    sources = dict(layout.sources)
    table = read_csv(
        path,
        numbers=_columns(sources, numbers=True),
        labels=_columns(sources, numbers=False),
        required=_TRACK_REQUIRED | layout.named,
    )
    scaled = {field: column * sources[field].factor for field, column in table.numbers.items()}
    finite = np.isfinite(scaled["time"]) & np.isfinite(scaled["x"]) & np.isfinite(scaled["y"])
    tracks = Tracks(
        scaled["time"][finite],
        table.labels["person"].take(finite),
        scaled["x"][finite],
        scaled["y"][finite],
    )
    scene = table.labels.get("scene")
    return tracks, None if scene is None else scene.take(finite)


def _with_tracks(
    path: Path, scenes: Sequence[Scene], tracks_path: Path, tracks: Tracks, scene: Labels | None
) -> tuple[Scene, ...]:
    """Return the scenes with their tracks, and with distances from them if they have none."""
    found = []
    for one in scenes:
        if scene is not None:
            rows = scene.codes == (scene.names.index(one.name) if one.name in scene.names else -2)
        elif len(scenes) == 1:
            rows = np.ones(len(tracks), dtype=np.bool_)
        else:  # tracks that name no scene belong to the scene that was recorded at the time
            time = one.sightings.time
            rows = (tracks.time >= time.min()) & (tracks.time <= time.max())
        if not rows.any():
            found.append(one)
            continue
        seen = Tracks(
            tracks.time[rows], tracks.person.take(rows), tracks.x_m[rows], tracks.y_m[rows]
        )
        distance = one.distance_m
        if distance is None:
            distance = track_distance_m(seen, one.sightings)
        found.append(replace(one, distance_m=distance, tracks=seen))
    people = {name for one in scenes for name in one.sightings.peer.names}
    if not people & set(tracks.person.names) or all(one.tracks is None for one in found):
        raise InvalidReadingsError(
            f"{tracks_path} tracks nobody of {path}: names of people (such as "
            f"{', '.join(sorted(people)[:3]) or 'none'} and {', '.join(tracks.person.names[:3])}) "
            "and of scenes must be the same in both"
        )
    return tuple(found)
