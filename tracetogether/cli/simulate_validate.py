"""`tracetogether simulate validate`: the simulated radio beside recordings."""

from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.table import Column
from rich.text import Text

from simulations.people.trajectories import TRACK_COLUMNS, load_tracks
from simulations.settings.scenario import load_scenario
from simulations.streams import Streams
from simulations.studies.movement import DEFAULT_SEEDS as MOVEMENT_SEEDS
from simulations.studies.movement import validate_movement
from simulations.studies.replay import (
    READING_COLUMNS,
    load_readings,
    recorded_statistics,
    validate_replay,
)
from simulations.studies.trials import TRIALS, TrialRow
from simulations.studies.validation import DEFAULT_SEEDS, ComparedStatistic, validate_channel
from tracetogether.cli.console import out, print_json, progress, right, table
from tracetogether.cli.recording_options import parsed
from tracetogether.cli.simulate_figures import shown
from tracetogether.names import columns_of_fields
from tracetogether.proximity.calibration import Calibration

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_Command = TypeVar("_Command", bound=Callable[..., Any])


@click.group()
def validate() -> None:
    """Hold the simulated radio against recordings."""


def columns_option(
    known: Collection[str], flag: str = "--columns"
) -> Callable[[_Command], _Command]:
    """Return a decorator that adds an option for the names of a table's columns."""
    return click.option(
        flag,
        callback=parsed(partial(columns_of_fields, known=known)),
        metavar="FIELD=COLUMN,...",
        help=f"Column names of the table, where they differ from {', '.join(known)}.",
    )


_scenario = click.option(
    "--scenario", default="train-carriage", show_default=True, help="Whose channel."
)
_seeds = click.option(
    "--seeds",
    type=click.IntRange(1, 100),
    default=len(DEFAULT_SEEDS),
    show_default=True,
    help="How many runs to average.",
)
_movement_seeds = click.option(
    "--seeds",
    type=click.IntRange(1, 100),
    default=len(MOVEMENT_SEEDS),
    show_default=True,
    help="How many runs to average.",
)
_calibration = click.option(
    "--calibration", type=_FILE, metavar="FILE", help="Table of phone models' offsets."
)
_reading_columns = columns_option(READING_COLUMNS, "--reading-columns")
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON list of rows.")


@validate.command()
@_scenario
@_seeds
@click.option(
    "--readings",
    type=_FILE,
    metavar="FILE",
    help="A recording of your own with true distances; its figures take the measured ones' place.",
)
@_reading_columns
@_calibration
@_json
def channel(
    scenario: str,
    seeds: int,
    readings: Path | None,
    reading_columns: dict[str, str] | None,
    calibration: Path | None,
    *,
    as_json: bool,
) -> None:
    """Print what simulated readings say of the channel beside what recordings say.

    Exponent, spreads at each time scale, reciprocity, rotation, channels and losses, all computed
    from readings by the same code.
    """
    chosen = load_scenario(scenario)
    recorded = {}
    if readings is not None:
        recorded = recorded_statistics(
            load_readings(readings, reading_columns or {}), _offsets(calibration)
        )
    with progress("Reading the simulated air") as told:
        rows = validate_channel(chosen, seeds=range(seeds), on_progress=told)
    rows = [
        replace(row, measured=recorded[row.statistic], source=str(readings))
        if row.statistic in recorded
        else row
        for row in rows
    ]
    _print(rows, as_json=as_json)


@validate.command()
@click.option("--trajectories", type=_FILE, required=True, metavar="FILE", help="Recorded tracks.")
@click.option(
    "--readings", type=_FILE, required=True, metavar="FILE", help="Readings recorded with them."
)
@columns_option(TRACK_COLUMNS)
@_reading_columns
@_calibration
@_scenario
@_seeds
@_json
def replay(
    trajectories: Path,
    readings: Path,
    columns: dict[str, str] | None,
    reading_columns: dict[str, str] | None,
    calibration: Path | None,
    scenario: str,
    seeds: int,
    *,
    as_json: bool,
) -> None:
    """Put recorded tracks through the simulated radio; compare with the recorded readings.

    Prints quantiles of RSSI by distance (medians should agree within 3 dB) and how well an
    attenuation threshold tells readings from within 2 m (area under the curve, within 0.05).
    """
    chosen = load_scenario(scenario)
    scenes = load_tracks(trajectories, columns or {}, chosen.people, Streams(0))
    recorded = load_readings(readings, reading_columns or {})
    with progress("Replaying tracks") as told:
        rows = validate_replay(
            scenes,
            recorded,
            calibration=_offsets(calibration),
            channel=chosen.channel,
            seeds=range(seeds),
            on_progress=told,
        )
    _print(rows, as_json=as_json)


@validate.command()
@click.option(
    "--pedestrians", type=_FILE, metavar="FILE", help="Recorded tracks: scene, t, id, x, y."
)
@click.option(
    "--office", type=_FILE, metavar="FILE", help="Contacts of badges in an office: time, two ids."
)
@click.option(
    "--conference", type=_FILE, metavar="FILE", help="Contacts of badges at a conference."
)
@_movement_seeds
@_json
def movement(
    pedestrians: Path | None,
    office: Path | None,
    conference: Path | None,
    seeds: int,
    *,
    as_json: bool,
) -> None:
    """Hold walking speeds and lengths of meetings against recorded ones.

    Without files, against figures of ETH's and UCY's pedestrians and of SocioPatterns' badges;
    with files, against what the same code finds in them.
    """
    given = {"office-day": office, "conference": conference}
    with progress("Letting people move") as told:
        rows = validate_movement(
            pedestrians=pedestrians,
            badges={name: file for name, file in given.items() if file is not None},
            seeds=range(seeds),
            on_progress=told,
        )
    _print(rows, as_json=as_json)


@validate.command()
@click.option(
    "--trial",
    "names",
    multiple=True,
    type=click.Choice(list(TRIALS)),
    help="Which; all if not given. May be repeated.",
)
@click.option(
    "--seeds",
    type=click.IntRange(1, 1000),
    help="Runs of each setting; if not given, "
    + ", ".join(f"{name} {trial.seeds}" for name, trial in TRIALS.items())
    + ".",
)
@_json
def trials(names: tuple[str, ...], seeds: int | None, *, as_json: bool) -> None:
    """Play published field trials and print what they found beside what the chain finds.

    Locked iPhones in an office, TraceTogether v1.6 on a ward, exposure notification in a tram.
    Settings are the trials' or assumed, and fixed beforehand: what misses is said to miss.
    """
    rows: list[TrialRow] = []
    for name in names or tuple(TRIALS):
        trial = TRIALS[name]
        with progress(f"Playing the {name}") as told:
            rows += trial.play(range(1, (seeds or trial.seeds) + 1), told)
    if as_json:
        print_json([row.to_json() for row in rows])
        return
    cells = (
        _cells(
            row,
            shown(row.simulated),
            *(f"{value:.3f}" for value in (row.published, row.low, row.high)),
        )
        for row in rows
    )
    out().print(table(_headings("simulated (5 % to 95 %)", "published"), cells))


def _offsets(path: Path | None) -> Calibration:
    return Calibration.prior() if path is None else Calibration.load(path)


def _print(rows: list[ComparedStatistic], *, as_json: bool) -> None:
    if as_json:
        print_json([row.to_json() for row in rows])
        return
    cells = (
        _cells(row, *(f"{value:.2f}" for value in (row.simulated, row.measured, row.low, row.high)))
        for row in rows
    )
    out().print(table(_headings("simulated", "measured"), cells))


def _headings(simulated: str, beside: str) -> tuple[str | Column, ...]:
    numbers = map(right, (simulated, beside, "low", "high"))
    return Column("statistic", no_wrap=True), *numbers, "ok", f"{beside} by"


def _cells(row: ComparedStatistic | TrialRow, *figures: str) -> tuple[str | Text, ...]:
    """Return a statistic with its figures and whether it lies where it should."""
    return (
        row.statistic,
        *figures,
        Text("yes", "green") if row.ok else Text("no", "red"),
        row.source,
    )
