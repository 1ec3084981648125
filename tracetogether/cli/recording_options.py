"""The options that `evaluate` and `calibrate` share: a recording with known distances."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from tracetogether.cli.console import progress, warn
from tracetogether.errors import InvalidReadingsError
from tracetogether.evaluation.layout import RECORDING_COLUMNS, TRACK_COLUMNS, RecordingLayout
from tracetogether.evaluation.recordings import Recording, TableJoin, read_recording
from tracetogether.proximity.calibration import Calibration
from tracetogether.tables.reading_faults import describe
from tracetogether.tables.timestamps import zone

TIME_ZONE_HELP: Final = (
    "Time zone of dates that name none, such as Asia/Singapore. Numbers since 1970 are in UTC."
)
_BAD_LINES_SHOWN: Final = 5

_Parsed = TypeVar("_Parsed")


def parsed(
    parse: Callable[[str], _Parsed],
) -> Callable[[click.Context, click.Parameter, str | None], _Parsed | None]:
    """Return a callback that parses an option's text; a mistake is a usage error."""

    def callback(_ctx: click.Context, _param: click.Parameter, value: str | None) -> _Parsed | None:
        if value is None:
            return None
        try:
            return parse(value)
        except InvalidReadingsError as error:
            raise click.BadParameter(str(error)) from None

    return callback


def tracks_layout(text: str) -> RecordingLayout:
    """Return the layout of a table of tracks."""
    return RecordingLayout.parse(text, TRACK_COLUMNS)


def checked_zone(name: str) -> str:
    """Return the name of a time zone.

    Raises:
        InvalidReadingsError: there is none of this name.
    """
    zone(name)
    return name


def _defaults(columns: dict[str, str]) -> str:
    return ", ".join(f"{field}={column}" for field, column in columns.items() if column)


@dataclass(frozen=True, slots=True)
class RecordingOptions:
    """The recording that a command reads, as its options describe it."""

    readings: Path
    columns: RecordingLayout | None
    join: TableJoin | None
    tracks: Path | None
    track_columns: RecordingLayout | None
    time_zone: str | None
    calibration: Path | None
    strict: bool

    def read(
        self,
        *,
        inherited: bool = False,
        connected_by: tuple[str, ...] | None = None,
        prefix: str = "",
        distances: bool = True,
    ) -> Recording:
        """Return the recording; warn on stderr about what can't be used."""
        with progress(f"Reading {self.readings.name}") as advance:
            recording = read_recording(
                self.readings,
                self.columns or RecordingLayout.parse(None),
                join=self.join,
                tracks=self.tracks,
                track_layout=self.track_columns,
                inherited=inherited,
                time_zone=self.time_zone,
                connected_by=connected_by,
                prefix=prefix,
                strict=self.strict,
                distances=distances,
                on_progress=advance,
            )
        warn_of(self.readings, recording)
        return recording

    def phones(self) -> Calibration:
        """Return what is known of phone models: the table, or priors alone."""
        return (
            Calibration.prior() if self.calibration is None else Calibration.load(self.calibration)
        )

    def needs(self, option: str, given: object, of: str, target: object) -> None:
        """Refuse an option that describes another one which is not given.

        Raises:
            click.UsageError: ``given`` is there and ``target`` is not.
        """
        if given is not None and target is None:
            raise click.UsageError(f"{option} describes {of}, which is not given")


def recording_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the argument READINGS and its options; pass them on as one RecordingOptions."""

    @wraps(command)
    def with_recording(**options: Any) -> None:  # noqa: ANN401  click has checked their types
        chosen = {field.name: options.pop(field.name) for field in fields(RecordingOptions)}
        command(RecordingOptions(**chosen), **options)

    for option in reversed(_OPTIONS):
        with_recording = option(with_recording)
    return with_recording


_OPTIONS: Final = (
    click.argument("readings", type=click.Path(path_type=Path)),
    click.option(
        "--columns",
        callback=parsed(RecordingLayout.parse),
        metavar="FIELD=COLUMN,...",
        help="Column names of READINGS, where they differ from "
        f"{_defaults(dict(RECORDING_COLUMNS))}. count: how many readings a line stands for. Add a "
        "unit in brackets, such as distance=range_ft[ft]; a number applies to every line.",
    ),
    click.option(
        "--join",
        callback=parsed(TableJoin.parse),
        metavar="FILE.csv:KEY",
        help="Read missing columns from FILE.csv; both tables have the column KEY.",
    ),
    click.option(
        "--tracks",
        type=click.Path(path_type=Path),
        metavar="TRACKS",
        help="Table of positions, for true minutes, and for distances if READINGS has none.",
    ),
    click.option(
        "--track-columns",
        callback=parsed(tracks_layout),
        metavar="FIELD=COLUMN,...",
        help="Column names of --tracks, where they differ from "
        f"{_defaults(dict(TRACK_COLUMNS))}. Its scene column has the same name as in READINGS.",
    ),
    click.option(
        "--time-zone",
        callback=parsed(checked_zone),
        metavar="ZONE",
        help=TIME_ZONE_HELP,
    ),
    click.option(
        "--calibration",
        type=click.Path(path_type=Path),
        metavar="TABLE",
        help="Table of phone models' offsets: a published en-calibration table, or one that "
        "`calibrate phones` wrote.",
    ),
    click.option("--strict", is_flag=True, help="Stop at the first malformed line."),
)


def warn_of_readings(
    name: str, dropped: int, reasons: Mapping[str, int], notes: Iterable[str]
) -> None:
    """Warn on stderr about what was assumed of a table, and about readings that are not used."""
    for note in notes:
        warn(note)
    if dropped:
        warn(f"{name}: dropped {dropped:,} readings: {describe(reasons)}.")


def warn_of(path: Path, recording: Recording) -> None:
    """Warn on stderr about what can't be used of a recording."""
    if recording.bad_count:
        warn(f"{path.name}: skipped malformed lines: {recording.bad_count:,}")
        for bad in recording.bad_lines[:_BAD_LINES_SHOWN]:
            warn(f"  line {bad.line}: {bad.reason}")
    warn_of_readings(path.name, recording.dropped, recording.reasons, recording.notes)
    if recording.unjoined:
        warn(f"{path.name}: readings whose key the joined table lacks: {recording.unjoined:,}")
