"""What commands that read a recording with known distances ask for alike."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from tracetogether.cli.console import err
from tracetogether.errors import InvalidReadingsError
from tracetogether.evaluation.layout import RECORDING_COLUMNS, TRACK_COLUMNS, RecordingLayout
from tracetogether.evaluation.recordings import Recording, TableJoin
from tracetogether.tables.reading_faults import describe
from tracetogether.tables.timestamps import zone

TIME_ZONE_HELP: Final = (
    "Zone of the dates that have none, such as Asia/Singapore or UTC; numbers since 1970 are UTC."
)
_BAD_LINES_SHOWN: Final = 5

_Parsed = TypeVar("_Parsed")
_Command = TypeVar("_Command", bound=Callable[..., Any])


def parsed(
    parse: Callable[[str], _Parsed],
) -> Callable[[click.Context, click.Parameter, str | None], _Parsed | None]:
    """Return a callback that reads an option's text, and calls a mistake wrong use."""

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


def recording_options(command: _Command) -> _Command:
    """Add the argument READINGS and the options that say how to read it."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


_OPTIONS: Final = (
    click.argument("readings", type=click.Path(path_type=Path)),
    click.option(
        "--columns",
        callback=parsed(RecordingLayout.parse),
        metavar="FIELD=COLUMN,...",
        help=f"Names of the table's columns, where they differ from "
        f"{_defaults(dict(RECORDING_COLUMNS))}; count names a column of how often a line stands "
        "for. A unit may follow, such as distance=range_ft[ft]; a number stands for every line.",
    ),
    click.option(
        "--join",
        callback=parsed(TableJoin.parse),
        metavar="FILE.csv:KEY",
        help="Take columns that READINGS lacks from FILE.csv, by the column KEY of both.",
    ),
    click.option(
        "--tracks",
        type=click.Path(path_type=Path),
        metavar="TRACKS",
        help="Table of people's positions, for true minutes (and distances, if READINGS has none).",
    ),
    click.option(
        "--track-columns",
        callback=parsed(tracks_layout),
        metavar="FIELD=COLUMN,...",
        help=f"Names of its columns, where they differ from {_defaults(dict(TRACK_COLUMNS))}; the "
        "scene is looked for in the column where READINGS has it.",
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
        help="Phone models' offsets, a table in either published en-calibration layout.",
    ),
)


def warn_of_readings(
    name: str, dropped: int, reasons: Mapping[str, int], notes: Iterable[str]
) -> None:
    """Say on stderr what was assumed of a table, and which of its readings are not used."""
    for note in notes:
        warn(note)
    if dropped:
        warn(f"{name}: dropped {dropped:,} readings: {describe(reasons)}.")


def warn(text: str) -> None:
    """Print a warning on stderr."""
    err().print(text, style="yellow", soft_wrap=True)


def warn_of(path: Path, recording: Recording) -> None:
    """Say on stderr what of a recording could not be used."""
    if recording.bad_count:
        warn(f"{path.name}: skipped malformed lines: {recording.bad_count:,}")
        for bad in recording.bad_lines[:_BAD_LINES_SHOWN]:
            warn(f"  line {bad.line}: {bad.reason}")
    warn_of_readings(path.name, recording.dropped, recording.reasons, recording.notes)
    if recording.unjoined:
        warn(f"{path.name}: readings whose key the joined table lacks: {recording.unjoined:,}")
