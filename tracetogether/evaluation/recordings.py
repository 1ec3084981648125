"""A recording as scenes: readings, true distances, and where people were."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np

from tracetogether.errors import InvalidReadingsError
from tracetogether.evaluation.layout import (
    RECORDING_COLUMNS,
    TRACK_COLUMNS,
    RecordingLayout,
    Source,
    wanted_columns,
)
from tracetogether.evaluation.scene import Scene
from tracetogether.evaluation.sharing import (
    Sharing,
    column_of,
    found_sharing,
    named_sharing,
    possible_columns,
)
from tracetogether.evaluation.track_tables import read_tracks, with_tracks
from tracetogether.labels import UNKNOWN, Labels
from tracetogether.sightings import Sightings
from tracetogether.tables.attenuation_columns import (
    StatedAttenuation,
    columns_of,
    repeated,
    without_signal,
)
from tracetogether.tables.csv_columns import BadLine, CsvColumns, read_csv
from tracetogether.tables.reading_faults import Faults, known_transmit_power
from tracetogether.tables.timestamps import HowToSay, Recognised, Times, recognise, zone
from tracetogether.units import SECONDS_PER_DAY, Floats, Ints

_KEY: Final = "key"
_SHARED: Final = "shared "
_LINE: Final = "line"  # in place of a column of times
_NAMELESS_OBSERVER: Final = "(the receiver)"
_NAMELESS_PEER: Final = "(the sender)"
_LONGEST_DAYS: Final = 31
_FARTHEST_M: Final = 100.0  # most readings are of phones that are nearer
_NEAREST_M, _BELIEVED_M = 0.001, 1000.0


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
        sharing: which scenes share a place, people or phones.
    """

    scenes: tuple[Scene, ...]
    sharing: Sharing
    dropped: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    bad_count: int = 0
    bad_lines: tuple[BadLine, ...] = ()
    unjoined: int = 0


def read_recording(
    path: Path | str,
    layout: RecordingLayout | str | None = None,
    *,
    join: TableJoin | str | None = None,
    tracks: Path | str | None = None,
    track_layout: RecordingLayout | str | None = None,
    inherited: bool = False,
    time_zone: str | None = None,
    connected_by: Sequence[str] | None = None,
    prefix: str = "",
    strict: bool = False,
    distances: bool = True,
    on_progress: Callable[[int, int], None] | None = None,
) -> Recording:
    """Read a recording.

    Args:
        path: a CSV or CSV.gz table, one line per reading.
        layout: where its fields are, or the text of `evaluate --columns`, such as
            "distance=range_ft[ft],scene=room". Only time and signal strength must exist, and what
            is named; a recording without observer or peer is of one pair, one without scene is one.
        join: where fields come from that the table does not have, or "FILE.csv:KEY".
        tracks: a table of positions. A recording without distances takes them from there.
        track_layout: where the fields of ``tracks`` are; its scene is in the column that
            the readings have it in, unless named.
        inherited: the layout was written for another recording, so that of what it names only
            time, signal strength, distance and scene must exist.
        time_zone: IANA name of the zone of dates that have none.
        connected_by: columns (or fields) of which scenes that share a value are one group;
            ``file[folder]`` is the folder of the paths in a column ``file``, ``file[series]``
            that without the number at its end. If None, what the recording has decides.
        prefix: of the options in error messages: "fit-" for ``--fit-columns``, not ``--columns``.
        strict: stop at the first malformed line.
        distances: refuse a recording without true distances.
        on_progress: called with (bytes read, bytes in all) as ``path`` is read.

    Raises:
        InvalidReadingsError: a table can't be read, lacks a column, or holds no reading with a true
            distance; says which and the remedy.
    """
    path, tracks = Path(path), None if tracks is None else Path(tracks)
    join = TableJoin.parse(join) if isinstance(join, str) else join
    layout, signal = _with_signal(
        path, _with_times(path, _layout(layout, RECORDING_COLUMNS)), f"--{prefix}columns"
    )
    must = frozenset({"time"}) | signal | layout.named
    if inherited:
        must &= signal | {"time", "distance", "scene"}
    telling = possible_columns(layout) if connected_by is None else connected_by
    shared = {f"{_SHARED}{number}": text for number, text in enumerate(telling)}
    named_by = {field: f"--{prefix}columns {field}=..." for field in layout.sources}
    named_by |= dict.fromkeys(shared, "--leave-out COLUMN")
    named_by[_KEY] = f"--{prefix}join FILE.csv:KEY"
    table, unjoined = _joined(
        path,
        layout.with_labels({field: column_of(text, layout) for field, text in shared.items()}),
        join,
        must | (set() if connected_by is None else set(shared)),
        named_by,
        strict=strict,
        on_progress=on_progress,
    )
    clock = None if time_zone is None else zone(time_zone)
    found = _seconds(path, table, layout, clock)
    numbers, labels, seconds = table.numbers, table.labels, found.seconds
    lines = StatedAttenuation.of(str(path), seconds, numbers)
    if lines is not None:
        seconds, labels = lines.time, lines.labels(labels)
        numbers = {field: column[lines.line] for field, column in numbers.items()}
        numbers["rssi"] = lines.rssi_dbm
    rows, nameless = len(seconds), Labels.constant(None, len(seconds))
    observer, peer = labels.get("observer", nameless), labels.get("peer", nameless)
    faults = Faults.of(
        seconds,
        numbers["rssi"],
        observer=None if _names_models(layout) else observer,
        peer=peer,
        odd_times=found.odd,
    )
    kept = repeated(np.flatnonzero(faults.valid), numbers.get("count"))
    if not len(kept):
        none_counts = faults.valid.any() or not rows
        cause = "its counts are 0" if none_counts else faults.likely_cause(numbers["rssi"])
        raise InvalidReadingsError(f"{path}: {cause}")
    power, notes = _transmit_power(numbers, kept, layout, found.notes)
    sightings = Sightings(
        time=seconds[kept],
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
        scene_column = layout.sources["scene"].column
        chosen = _layout(track_layout, TRACK_COLUMNS).renamed(scene=scene_column)
        seen, seen_scene, seen_notes = read_tracks(tracks, chosen, clock)
        scenes = with_tracks(path, scenes, tracks, seen, seen_scene)
        notes += seen_notes
    if distances:
        _check_distances(path, layout.sources["distance"].column, scenes, tracks)
    number = _scene_numbers(scenes, scene)
    columns = {text: labels[name].take(kept) for name, text in shared.items() if name in labels}
    return Recording(
        scenes,
        found_sharing(number, columns, layout)
        if connected_by is None
        else named_sharing(number, columns),
        rows - int(faults.valid.sum()),
        faults.reasons,
        notes,
        table.bad_count,
        table.bad_lines,
        unjoined,
    )


def _layout(given: RecordingLayout | str | None, defaults: Mapping[str, str]) -> RecordingLayout:
    """Return a layout that was given as one, as text, or not at all."""
    if isinstance(given, RecordingLayout):
        return given
    return RecordingLayout.parse(given, defaults)


def _transmit_power(
    numbers: Mapping[str, Floats], kept: Ints, layout: RecordingLayout, notes: tuple[str, ...]
) -> tuple[Floats, tuple[str, ...]]:
    """Return transmit powers, NaN where there is none, and notes; a user's number is believed."""
    if "tx_power" not in numbers:
        return np.full(len(kept), np.nan), notes
    power = numbers["tx_power"][kept]
    if layout.sources["tx_power"].constant is not None:
        return power, notes
    known, more = known_transmit_power(power)
    return known, notes + more


def _with_signal(
    path: Path, layout: RecordingLayout, option: str
) -> tuple[RecordingLayout, frozenset[str]]:
    """Return the layout with columns of signal strength, or of attenuation; and which they are."""
    stated, replaces = without_signal(path, layout.columns(), layout.named, option)
    unused = {"attenuation", "histogram"} | ({"rssi"} if replaces else set())
    signal = frozenset(stated) if replaces else frozenset({"rssi"})
    return layout.with_numbers(stated, frozenset(unused)), signal


def _with_times(path: Path, layout: RecordingLayout) -> RecordingLayout:
    """Return the layout with lines numbered in place of times, if a user wants that."""
    source = layout.sources["time"]
    if source.column != _LINE or "time" not in layout.named or _LINE in columns_of(path, ()):
        return layout
    numbered = MappingProxyType({**layout.sources, "time": replace(source, constant=0.0)})
    return replace(layout, sources=numbered)


def _scene_numbers(scenes: Sequence[Scene], scene: Labels) -> Ints:
    """Return (n,) the number of the scene of each reading."""
    place = {known.name: number for number, known in enumerate(scenes)}
    return np.array([*(place.get(name, -1) for name in scene.names), place.get("", -1)])[
        scene.codes
    ]


def _seconds(
    path: Path, table: CsvColumns, layout: RecordingLayout, clock: tzinfo | None
) -> Recognised:
    """Return the times of a table; a number that stands for all of them is no time of its own."""
    source = layout.sources["time"]
    if source.constant is not None and source.column == _LINE:
        note = f"{path}: its lines count as {source.factor:g} s apart; minutes are as true as that."
        seconds = np.arange(table.rows, dtype=np.float64) * source.factor
        return Recognised(np.asarray(seconds), notes=(note,))
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
        **wanted_columns(sources, key),
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


def _other_rows(
    join: TableJoin, missing: dict[str, Source], key: Labels, named_by: Mapping[str, str]
) -> tuple[CsvColumns, Ints]:
    """Return the joined table's columns, and which of its rows belongs to each key (-1: none)."""
    other = read_csv(
        join.path,
        **wanted_columns(missing, {_KEY: join.key}),
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
        found.append(Scene(name, _named(_own_names(sightings.take(rows))), known))
    return tuple(sorted(found, key=lambda scene: scene.name))


def _named(sightings: Sightings) -> Sightings:
    """Return the sightings with names for one end that no reading of a scene names.

    It is one phone then: minutes are of pairs, and a pair needs two names.
    """
    count = len(sightings)
    changes = {
        field: Labels.constant(name, count)
        for field, name in (("observer", _NAMELESS_OBSERVER), ("peer", _NAMELESS_PEER))
        if not getattr(sightings, field).names
    }
    return sightings.replaced(**changes)


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
