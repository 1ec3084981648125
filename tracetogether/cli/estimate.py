"""`tracetogether estimate`: a table of readings to encounters with minutes near."""

import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import click
import numpy as np
from rich.table import Column, Table

from tracetogether.cli.console import (
    answer,
    interval_text,
    note,
    out,
    percent,
    print_json,
    progress,
    right,
    table,
    utc_text,
    warn,
)
from tracetogether.cli.estimate_plot import save_plot
from tracetogether.cli.options import FILE, keep_apart
from tracetogether.cli.recording_options import (
    TIME_ZONE_HELP,
    checked_zone,
    parsed,
    warn_of_readings,
)
from tracetogether.cli.standard_input import named_or_standard_input
from tracetogether.labels import UNKNOWN, Labels
from tracetogether.names import columns_of_fields, unknown_name
from tracetogether.parameters import DEMO_POLICY
from tracetogether.proximity.by_time import Moments, encounters_by_time
from tracetogether.proximity.calibration import Calibration
from tracetogether.proximity.encounters import (
    DEFAULT_ESTIMATOR,
    ESTIMATORS,
    Encounters,
    encounters,
    named_estimator,
)
from tracetogether.proximity.estimates import Intervals
from tracetogether.sightings import READINGS_COLUMNS, READINGS_FIELDS, Sightings
from tracetogether.tables.csv_columns import BadLine
from tracetogether.tables.spreadsheets import Cell, csv_text
from tracetogether.tables.table_files import ENDINGS
from tracetogether.tables.table_files import write_table as save_table
from tracetogether.tables.timestamps import UNIT_SECONDS
from tracetogether.units import Interval

_ROWS_SHOWN: Final = 20
_PEOPLE_SHOWN: Final = 40
_BAD_LINES_SHOWN: Final = 5
_WIDE: Final = 100  # columns of a terminal that shows all figures
_LONGEST_NAME: Final = 32
_BY_TIME: Final = (
    *("observer", "peer", "start_s", "seconds", "chance_near"),
    *("distance_m", "distance_low_m", "distance_high_m"),
)


def _radius(_ctx: click.Context, _param: click.Parameter, value: float) -> float:
    if not 0 < value < np.inf:
        raise click.BadParameter(f"{value} is not a distance above 0 m")
    return value


def _least_minutes(_ctx: click.Context, _param: click.Parameter, value: float) -> float:
    if not 0 < value < np.inf:
        raise click.BadParameter(f"{value} is not a time above 0 minutes")
    return value


def _estimator(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    if value not in ESTIMATORS:
        raise click.BadParameter(unknown_name(value, ESTIMATORS, "estimator"))
    return value


def _table_file(_ctx: click.Context, _param: click.Parameter, value: Path | None) -> Path | None:
    if value is not None and value.suffix.lower() not in ENDINGS:
        raise click.BadParameter(f"{value} must end in one of {', '.join(ENDINGS)}")
    return value


@click.command()
@click.argument("readings", type=click.Path(path_type=Path))
@click.option(
    "--radius",
    type=float,
    callback=_radius,
    metavar="METRES",
    default=2.0,
    show_default=True,
    help="Greatest distance that counts as near, in metres.",
)
@click.option(
    "--minutes",
    "least_minutes",
    type=float,
    callback=_least_minutes,
    metavar="MINUTES",
    default=DEMO_POLICY.minutes,
    show_default=True,
    help="The column `chance` is the probability of these minutes near, or more.",
)
@click.option(
    "--columns",
    callback=parsed(partial(columns_of_fields, known=READINGS_FIELDS)),
    metavar="FIELD=COLUMN,...",
    help="Column names of READINGS, where they differ from "
    + ", ".join(f"{field}={column}" for field, column in READINGS_COLUMNS.items())
    + ".",
)
@click.option(
    "--estimator",
    callback=_estimator,
    metavar="NAME",
    default=DEFAULT_ESTIMATOR,
    show_default=True,
    help=f"One of {', '.join(ESTIMATORS)}. Bucket rules use their thresholds, not --radius.",
)
@click.option(
    "--calibration",
    type=click.Path(path_type=Path),
    metavar="TABLE",
    help="Table of phone models' offsets: a published en-calibration table, or one that "
    "`calibrate phones` wrote.",
)
@click.option(
    "--time-unit",
    type=click.Choice(list(UNIT_SECONDS)),
    help="Unit of times that are numbers.  [default: inferred from their size]",
)
@click.option(
    "--time-zone",
    callback=parsed(checked_zone),
    metavar="ZONE",
    help=TIME_ZONE_HELP,
)
@click.option("--strict", is_flag=True, help="Stop at the first malformed line.")
@click.option(
    "--by-time",
    is_flag=True,
    help="Print each half minute instead of each encounter: P(near), distance, seconds. As CSV, or "
    "as a JSON list with --json.",
)
@click.option(
    "--plot",
    type=FILE,
    metavar="FILE",
    help="Also draw P(near) over time of the likeliest pairs into FILE (.svg, .png or .pdf).",
)
@click.option(
    "-o",
    "--output",
    type=FILE,
    callback=_table_file,
    metavar="FILE",
    help="Write the encounters, or half minutes with --by-time, to FILE instead: .csv, .ndjson or "
    ".parquet (needs the extra parquet).",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON list of encounters, or half minutes."
)
def estimate(
    readings: Path,
    radius: float,
    least_minutes: float,
    columns: dict[str, str] | None,
    estimator: str,
    calibration: Path | None,
    *,
    time_unit: str | None,
    time_zone: str | None,
    strict: bool,
    by_time: bool,
    plot: Path | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Estimate who was near whom, when and how long, from READINGS of signal strength.

    READINGS is a CSV or CSV.gz table with one line per reception: time (since 1970, or as a date
    of ISO 8601), observer, peer and RSSI in dBm, and if known the transmit power and both phone
    models. `-` is the standard input.
    """
    keep_apart({"--output": output, "--plot": plot}, [readings, calibration])
    phones = Calibration.prior() if calibration is None else Calibration.load(calibration)
    skipped = 0

    def on_bad_lines(count: int, first: Sequence[BadLine]) -> None:
        nonlocal skipped
        skipped = count
        _warn_of_bad_lines(count, first)

    with (
        named_or_standard_input(readings) as (file, as_named),
        progress(f"Reading {as_named(file.name)}") as advance,
    ):
        sightings = Sightings.from_csv(
            file,
            columns or {},
            time_unit=time_unit,
            time_zone=time_zone,
            strict=strict,
            on_bad_lines=on_bad_lines,
            on_progress=advance,
        )
        notes = [as_named(text) for text in sightings.notes]
        warn_of_readings(as_named(file.name), sightings.dropped, sightings.reasons, notes)
    found = encounters(sightings, within_m=radius, estimator=estimator, calibration=phones)
    moments = None
    if by_time or plot is not None:
        moments = encounters_by_time(
            sightings, within_m=radius, estimator=named_estimator(estimator), calibration=phones
        )
        if plot is not None:
            save_plot(found, moments, plot, within_m=radius, least_minutes=least_minutes)
    if output is not None:
        written = moments if by_time and moments is not None else found
        save_table(written, output, {} if by_time else {"chance": found.chances(least_minutes)})
        note(f"Written to {output}: {_count(len(written), 'row')}.")
    if by_time and moments is not None:
        if as_json or output is None:
            _print_by_time(moments, as_json=as_json)
        return
    rule = "minutes by its rule" if estimator.startswith("bucket-") else f"within {radius:g} m"
    people = len(np.unique(found.observer.codes))
    tables = (_likeliest(found, rule, least_minutes), _people(found, rule))
    answer(
        lambda: _rows(found, least_minutes),
        *(tables if output is None else ()),
        f"{_count(len(found), 'encounter')}, as {_count(people, 'phone')} heard them, from "
        f"{_count(len(sightings), 'reading')}; {_count(sightings.dropped, 'reading')} dropped, "
        f"{_count(skipped, 'line')} skipped. Estimator: {estimator}.",
        as_json=as_json,
    )


def _warn_of_bad_lines(count: int, first: Sequence[BadLine]) -> None:
    warn(f"Skipped {_count(count, 'malformed line')}:")
    for bad in first[:_BAD_LINES_SHOWN]:
        warn(f"  line {bad.line}: {bad.reason}")
    if count > _BAD_LINES_SHOWN:
        warn("  ...")


def _rows(found: Encounters, least_minutes: float) -> list[dict[str, object]]:
    return [
        {
            "observer": encounter.observer,
            "peer": encounter.peer,
            "start_s": encounter.start,
            "end_s": encounter.end,
            "chance": chance,
            "minutes_near": encounter.minutes.median,
            "minutes_low": encounter.minutes.low,
            "minutes_high": encounter.minutes.high,
            "nearest_m": encounter.nearest_m.median,
            "readings": encounter.readings,
        }
        for encounter, chance in zip(found, found.chances(least_minutes).tolist(), strict=True)
    ]


def _print_by_time(moments: Moments, *, as_json: bool) -> None:
    if as_json:
        print_json([dict(zip(_BY_TIME, row, strict=True)) for row in _moments(moments)])
    else:
        sys.stdout.writelines(csv_text([_BY_TIME, *_moments(moments)]))


def _moments(moments: Moments) -> Iterator[tuple[Cell, ...]]:
    for moment in moments:
        metres = moment.distance_m
        bounds = (None,) * 3 if metres is None else (metres.median, metres.low, metres.high)
        yield (moment.observer, moment.peer, moment.start, moment.seconds, moment.chance, *bounds)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _likeliest(found: Encounters, rule: str, least_minutes: float) -> Table:
    """Return a table of the encounters that most likely reach the minutes, then the longest."""
    chances = found.chances(least_minutes)
    order = np.lexsort((found.start_s, -found.minutes.median, -chances))[:_ROWS_SHOWN]

    narrow = out().width < _WIDE
    years = {_when(float(time))[:4] for time in found.start_s[order].tolist()}
    one_year = (
        narrow and len(years) == 1 and min(years).isdigit()
    )  # of a narrow terminal's columns each counts

    def name(heading: str) -> Column:
        return Column(heading, overflow="fold", min_width=8, max_width=16)

    def number(heading: str, width: int) -> Column:
        return Column(heading, justify="right", min_width=width, no_wrap=True)

    def nearest(row: int) -> str:
        metres = _at(found.nearest_m, row)
        return f"{metres.median:.1f}" if narrow else interval_text(metres, 1)

    readings = (number("readings", 8), lambda row: f"{found.readings[row]:,}")
    return table(
        order.tolist(),
        (name("observer"), lambda row: _short(_name(found.observer, row))),
        (name("peer"), lambda row: _short(_name(found.peer, row))),
        (
            number(f"from, {min(years)}" if one_year else "from (UTC)", 11),
            lambda row: _when(float(found.start_s[row]))[5 if one_year else 0 :],
        ),
        (right(f"{least_minutes:g} min likely"), lambda row: percent(float(chances[row]))),
        (number("minutes near", 12), lambda row: interval_text(_at(found.minutes, row), 1)),
        (number("nearest, m", 10), nearest),
        *(() if narrow else (readings,)),
        title=f"Encounters, the likeliest first ({len(order)} of {len(found):,}; {rule})",
        caption=f"{least_minutes:g} min likely: how likely they were near for so long or longer; "
        "in brackets: from 5 % to 95 %." + (" Times are in UTC." if one_year else ""),
    )


def _short(name: str) -> str:
    """Return a name as the table shows it: a token would fill ten lines of it."""
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def _people(found: Encounters, rule: str) -> Table:
    """Return a table with one line per observer: what all their encounters come to."""
    codes, first, inverse = np.unique(found.observer.codes, return_index=True, return_inverse=True)
    minutes = np.bincount(inverse, weights=found.minutes.median)
    readings = np.bincount(inverse, weights=found.readings)
    encounters_of = np.bincount(inverse)
    pairs = np.unique(np.stack([inverse, found.peer.codes]), axis=1)
    peers = np.bincount(pairs[0], minlength=len(codes))
    order = np.argsort(-minutes, kind="stable")[:_PEOPLE_SHOWN]
    return table(
        order.tolist(),
        (
            Column("observer", overflow="fold", min_width=8),
            lambda person: _name(found.observer, int(first[person])),
        ),
        (right("peers heard"), lambda person: f"{peers[person]:,}"),
        (right("encounters"), lambda person: f"{encounters_of[person]:,}"),
        (right("person-minutes near"), lambda person: f"{minutes[person]:.1f}"),
        (right("readings"), lambda person: f"{int(readings[person]):,}"),
        title=f"By person ({len(order)} of {len(codes):,}; {rule})",
    )


def _at(column: Intervals, row: int) -> Interval:
    return Interval(float(column.low[row]), float(column.median[row]), float(column.high[row]))


def _name(labels: Labels, row: int) -> str:
    code = int(labels.codes[row])
    return "-" if code == UNKNOWN else labels.names[code]


def _when(time: float) -> str:
    try:
        return utc_text(time)[: len("2020-04-17 07:33")]
    except (ValueError, OverflowError, OSError):  # beyond the calendar
        return f"{time:.6g} s"
