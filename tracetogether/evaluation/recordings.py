"""A recording as scenes: readings, true distances, and where people were."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from pathlib import Path
from typing import Final, TypedDict

import numpy as np

from tracetogether.errors import InvalidReadingsError
from tracetogether.evaluation.folds import connected_groups
from tracetogether.evaluation.layout import NUMBERS, TRACK_COLUMNS, RecordingLayout, Source
from tracetogether.evaluation.scene import Scene, Tracks
from tracetogether.evaluation.truth import track_distance_m
from tracetogether.labels import UNKNOWN, Labels
from tracetogether.sightings import Sightings
from tracetogether.tables.csv_columns import BadLine, CsvColumns, read_csv
from tracetogether.tables.reading_faults import Faults, known_transmit_power
from tracetogether.tables.timestamps import HowToSay, Recognised, Times, recognise, zone
from tracetogether.units import SECONDS_PER_DAY, Bools, Floats, Ints

_KEY: Final = "key"
_SHARED: Final = "shared "
_FOLDER: Final = "[folder]"
_LONGEST_DAYS: Final = 31
_FARTHEST_M: Final = 100.0  # most readings are of phones that are nearer
_NEAREST_M, _BELIEVED_M = 0.001, 1000.0
_FARTHEST_PLACE_M: Final = 1e8  # geographic grids count in millions of metres
_REQUIRED: Final = frozenset({"time", "rssi"})
_TRACK_REQUIRED: Final = frozenset({"time", "person", "x", "y"})


@dataclass(frozen=True, slots=True)
class TableJoin:
    """A second table with one row per key, and the column of that key in both tables."""

    path: Path
    key: str

    @classmethod
    def parse(cls, text: str) -> "TableJoin":
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
        dropped: readings that can't be true.
        reasons: why not -> how many.
        notes: what was assumed of the table, one sentence each.
        bad_count: malformed lines that were skipped.
        bad_lines: the first of them.
        unjoined: readings whose key the joined table does not have.
        groups: (scenes,) the number of each scene's group, if columns were named by which scenes
            are connected; else None.
    """

    scenes: tuple[Scene, ...]
    dropped: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    bad_count: int = 0
    bad_lines: tuple[BadLine, ...] = ()
    unjoined: int = 0
    groups: Ints | None = None


def read_recording(
    path: Path,
    layout: RecordingLayout,
    *,
    join: TableJoin | None = None,
    tracks: Path | None = None,
    track_layout: RecordingLayout | None = None,
    inherited: bool = False,
    time_zone: str | None = None,
    connected_by: Sequence[str] = (),
    prefix: str = "",
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
        time_zone: IANA name of the zone of dates that have none.
        connected_by: columns (or fields) of which scenes that share a value are one group;
            ``file[folder]`` is the folder of the paths in a column ``file``.
        prefix: of the options in error messages: "fit-" for ``--fit-columns``, not ``--columns``.
        strict: stop at the first malformed line.
        on_progress: called with (bytes read, bytes in all) as ``path`` is read.

    Raises:
        InvalidReadingsError: a table can't be read, lacks a column, or holds no reading with a true
            distance; says which and the remedy.
    """
    clock = None if time_zone is None else zone(time_zone)
    must = _REQUIRED | layout.named
    if inherited:
        must &= _REQUIRED | {"distance", "scene"}
    shared = {f"{_SHARED}{number}": text for number, text in enumerate(connected_by)}
    named_by = {field: f"--{prefix}columns {field}=..." for field in layout.sources}
    named_by |= dict.fromkeys(shared, "--leave-out COLUMN")
    named_by[_KEY] = f"--{prefix}join FILE.csv:KEY"
    table, unjoined = _joined(
        path,
        layout.with_labels({field: _column_of(text, layout) for field, text in shared.items()}),
        join,
        must | set(shared),
        named_by,
        strict=strict,
        on_progress=on_progress,
    )
    numbers, labels = table.numbers, table.labels
    rows = table.rows
    found = _seconds(path, table, layout, clock)
    nameless = Labels.constant(None, rows)
    observer, peer = labels.get("observer", nameless), labels.get("peer", nameless)
    named = None if _names_models(layout) else observer
    faults = Faults.of(
        found.seconds, numbers["rssi"], observer=named, peer=peer, odd_times=found.odd
    )
    kept = _repeated(np.flatnonzero(faults.valid), numbers.get("count"))
    if not len(kept):
        cause = (
            faults.likely_cause(numbers["rssi"]) if not faults.valid.any() else "its counts are 0"
        )
        raise InvalidReadingsError(f"{path}: {cause}")
    power, notes = numbers.get("tx_power", np.full(rows, np.nan))[kept], found.notes
    if layout.sources["tx_power"].constant is None:
        power, more = known_transmit_power(power)
        notes += more
    sightings = Sightings(
        time=found.seconds[kept],
        rssi_dbm=numbers["rssi"][kept],
        tx_power_dbm=power,
        peer=peer.take(kept),
        observer=observer.take(kept),
        observer_model=labels.get("observer_model", nameless).take(kept),
        peer_model=labels.get("peer_model", nameless).take(kept),
    )
    distance = None
    if "distance" in numbers:
        column = layout.sources["distance"].column
        distance, more = _true_distances(path, column, numbers["distance"][kept])
        notes += more
    scene = labels.get("scene", Labels.constant(path.name.split(".")[0], rows)).take(kept)
    scenes = _scenes(sightings, distance, scene)
    _check_lengths(path, layout.sources["time"].column, scenes)
    if tracks is not None:
        chosen = track_layout or RecordingLayout.parse(None, TRACK_COLUMNS)
        chosen = chosen.renamed(scene=layout.sources["scene"].column)
        seen, seen_scene, seen_notes = _read_tracks(tracks, chosen, clock)
        scenes = _with_tracks(path, scenes, tracks, seen, seen_scene)
        notes += seen_notes
    _check_distances(path, layout.sources["distance"].column, scenes, tracks)
    return Recording(
        scenes,
        rows - int(faults.valid.sum()),
        faults.reasons,
        notes,
        table.bad_count,
        table.bad_lines,
        unjoined,
        None if not shared else _groups(scenes, scene, kept, table, shared),
    )


def _column_of(text: str, layout: RecordingLayout) -> str:
    """Return the column that scenes are connected by: a field's own, or one of that name."""
    name = text.removesuffix(_FOLDER).strip()
    return layout.sources[name].column if name in layout.sources else name


def _groups(
    scenes: Sequence[Scene], scene: Labels, kept: Ints, table: CsvColumns, shared: dict[str, str]
) -> Ints:
    """Return the group of each scene: those that share a value in any of the columns."""
    place = {known.name: number for number, known in enumerate(scenes)}
    number = np.array([*(place[name] for name in scene.names), place.get("", -1)])[scene.codes]
    columns = []
    for name, text in shared.items():
        values = table.labels[name].take(kept)
        columns.append(_folders(values) if text.endswith(_FOLDER) else values)
    return connected_groups(number, columns)


def _folders(paths: Labels) -> Labels:
    """Return the folder of each path."""
    folders = [name.replace("\\", "/").rpartition("/")[0] for name in paths.names]
    of_name = Labels.encode(folders)
    codes = np.append(of_name.codes, UNKNOWN)[paths.codes]  # code -1 picks the last
    return Labels(codes.astype(np.int32), of_name.names)


def _seconds(
    path: Path, table: CsvColumns, layout: RecordingLayout, clock: tzinfo | None
) -> Recognised:
    """Return the times of a table; a number that stands for all of them is no time of its own."""
    source = layout.sources["time"]
    if source.constant is not None:
        return Recognised(table.numbers["time"])
    return recognise(
        table.times["time"],
        f"{path}, column {source.column!r},",
        unit=source.unit,
        in_zone=clock,
        how=HowToSay(unit=f"--columns time={source.column}[{{}}]"),
    )


def _names_models(layout: RecordingLayout) -> bool:
    """Return whether phone models serve as names, so that two phones may have the same."""
    models = {layout.sources[field].column for field in ("observer_model", "peer_model")}
    return bool({layout.sources[field].column for field in ("observer", "peer")} & models)


def _check_lengths(path: Path, column: str, scenes: Sequence[Scene]) -> None:
    """Refuse scenes longer than 31 days, whose minutes would fill the memory."""
    for scene in scenes:
        days = float(np.ptp(scene.sightings.time)) / SECONDS_PER_DAY
        if days > _LONGEST_DAYS:
            raise InvalidReadingsError(
                f"{path}: the scene {scene.name!r} lasts {days:,.0f} days; check the times (column "
                f"{column!r}), or say which column tells scenes apart with --columns scene=..."
            )


def _true_distances(path: Path, column: str, distance: Floats) -> tuple[Floats, tuple[str, ...]]:
    """Return distances, NaN where nobody can have measured them, and a note of these.

    Raises:
        InvalidReadingsError: most of them are beyond the reach of phones.
    """
    given = ~np.isnan(distance) & (distance > 0)
    finite = distance[given & np.isfinite(distance)]
    middle = float(np.median(finite)) if len(finite) else 0.0
    if middle > _FARTHEST_M:
        raise InvalidReadingsError(
            f"{path}: true distances of {middle:g} m, as the middle one is, are beyond the reach "
            f"of phones; say the unit, such as --columns distance={column}[cm]"
        )
    wrong = given & ~((distance >= _NEAREST_M) & (distance <= _BELIEVED_M))
    if not wrong.any():
        return distance, ()
    note = (
        f"{path}: {int(wrong.sum()):,} true distances, such as {distance[wrong][0]:g} m, can't be "
        "true; they count as unknown."
    )
    return np.where(wrong, np.nan, distance), (note,)


def _check_distances(path: Path, column: str, scenes: Sequence[Scene], tracks: Path | None) -> None:
    """Refuse a recording without true distances."""
    known = [scene.distance_m for scene in scenes if scene.distance_m is not None]
    if not known:
        raise InvalidReadingsError(
            f"{path} has no column {column!r} with true distances; name "
            "another with --columns distance=..., bring one in with --join, or give --tracks"
        )
    distance = np.concatenate(known)
    if not np.any(np.isfinite(distance) & (distance > 0)):
        where = f"column {column!r}" if tracks is None else f"column {column!r} and {tracks}"
        raise InvalidReadingsError(
            f"{path}: no reading has a true distance above 0 ({where}); fill it in, or give "
            "--tracks of the same people at the same times"
        )


def _joined(
    path: Path,
    layout: RecordingLayout,
    join: TableJoin | None,
    must: frozenset[str],
    named_by: Mapping[str, str],
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
        **_columns(sources, key),
        required=frozenset(key) | (must & set(sources) if join is None else frozenset()),
        may_be_empty=set(sources) - {"time"},
        named_by=named_by,
        strict=strict,
        on_progress=on_progress,
    )
    numbers, times, labels = dict(table.numbers), dict(table.times), dict(table.labels)
    unjoined = 0
    if join is not None:
        missing = {
            f: source for f, source in sources.items() if f not in {*numbers, *times, *labels}
        }
        other, row = _other_rows(join, missing, labels.pop(_KEY), named_by)
        found = row >= 0
        unjoined = int((~found).sum())
        for field, column in other.numbers.items():
            numbers[field] = np.where(found, column[row], np.nan)
        for field, written in other.times.items():
            values = np.where(found, written.values[row], np.nan)
            times[field] = Times(values, written.forms[row])
        for field, names in other.labels.items():
            if field != _KEY:
                codes = np.where(found, names.codes[row], UNKNOWN).astype(np.int32)
                labels[field] = Labels(codes, names.names)
        for field in sorted(must & set(sources)):
            if field not in {*numbers, *times, *labels}:
                raise InvalidReadingsError(
                    f"neither {path} nor {join.path} has a column {sources[field].column!r}; "
                    f"name another with {named_by[field]}"
                )
    for field, source in layout.sources.items():
        if source.constant is not None:
            numbers[field] = np.full(table.rows, source.constant)
        if field in numbers and source.factor != 1:
            numbers[field] = numbers[field] * source.factor
    return replace(table, numbers=numbers, times=times, labels=labels), unjoined


class _Wanted(TypedDict):
    numbers: dict[str, str]
    times: dict[str, str]
    labels: dict[str, str]


def _columns(sources: Mapping[str, Source], key: Mapping[str, str]) -> _Wanted:
    """Return the columns that hold numbers, times, and names; ``key`` is a name."""
    columns = {field: source.column for field, source in sources.items()}
    return {
        "numbers": {f: column for f, column in columns.items() if f in NUMBERS - {"time"}},
        "times": {f: column for f, column in columns.items() if f == "time"},
        "labels": {**{f: c for f, c in columns.items() if f not in NUMBERS}, **key},
    }


def _other_rows(
    join: TableJoin, missing: dict[str, Source], key: Labels, named_by: Mapping[str, str]
) -> tuple[CsvColumns, Ints]:
    """Return the joined table's columns, and which of its rows belongs to each key (-1: none)."""
    other = read_csv(
        join.path,
        **_columns(missing, {_KEY: join.key}),
        required={_KEY},
        may_be_empty=set(missing),
        named_by=named_by,
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
    return tuple(sorted(found, key=lambda scene: scene.name))


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


def _read_tracks(
    path: Path, layout: RecordingLayout, clock: tzinfo | None
) -> tuple[Tracks, Labels | None, tuple[str, ...]]:
    """Return all positions of a table, the scene of each if it tells, and what was assumed."""
    if any(source.constant is not None for source in layout.sources.values()):
        raise InvalidReadingsError(f"{path}: a track wants columns, not a number for every row")
    sources = dict(layout.sources)
    table = read_csv(
        path,
        **_columns(sources, {}),
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


def _with_tracks(
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
