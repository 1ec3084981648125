"""`tracetogether simulate validate`: the simulated radio beside recordings."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

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
from simulations.studies.trials import TRIALS
from simulations.studies.validation import DEFAULT_SEEDS, ComparedStatistic, validate_channel
from tracetogether.cli.console import answer, fixed, progress, table
from tracetogether.cli.options import EXISTING_FILE, WholeNumber, as_json
from tracetogether.cli.simulate_options import columns_option, seeds_option, shown
from tracetogether.proximity.calibration import Calibration


@click.group()
def validate() -> None:
    """Compare the simulated radio and movement with recordings."""


_scenario = click.option(
    "--scenario",
    default="train-carriage",
    show_default=True,
    help="Scenario that gives the channel.",
)

_calibration = click.option(
    "--calibration",
    type=EXISTING_FILE,
    metavar="FILE",
    help="Table of the offsets of phone models.",
)
_reading_columns = columns_option(READING_COLUMNS, "readings", "--reading-columns")


@validate.command()
@_scenario
@seeds_option(default=len(DEFAULT_SEEDS), most=100)
@click.option(
    "--readings",
    type=EXISTING_FILE,
    metavar="FILE",
    help="Your own recording with true distances; its figures replace the built-in measured ones.",
)
@_reading_columns
@_calibration
@as_json
def channel(
    scenario: str,
    seeds: int,
    readings: Path | None,
    reading_columns: dict[str, str] | None,
    calibration: Path | None,
    *,
    as_json: bool,
) -> None:
    """Compare statistics of simulated readings with those of recordings.

    The statistics are the path-loss exponent, spreads at each time scale, reciprocity, rotation,
    channels and losses. The same code computes them from both kinds of readings.
    """
    chosen = load_scenario(scenario)
    recorded = {}
    if readings is not None:
        recorded = recorded_statistics(
            load_readings(readings, reading_columns or {}), _offsets(calibration)
        )
    with progress("Reading the simulated air") as advance:
        rows = validate_channel(chosen, seeds=range(seeds), on_progress=advance)
    rows = [
        replace(row, reference=recorded[row.statistic], source=str(readings))
        if row.statistic in recorded
        else row
        for row in rows
    ]
    print_compared(rows, as_json=as_json)


@validate.command()
@click.option(
    "--trajectories",
    type=EXISTING_FILE,
    required=True,
    metavar="FILE",
    help="Recorded tracks (CSV).",
)
@click.option(
    "--readings",
    type=EXISTING_FILE,
    required=True,
    metavar="FILE",
    help="Readings recorded with the tracks.",
)
@columns_option(TRACK_COLUMNS, "tracks")
@_reading_columns
@_calibration
@_scenario
@seeds_option(default=len(DEFAULT_SEEDS), most=100)
@as_json
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
    """Simulate the radio along recorded tracks, and compare with the recorded readings.

    Prints quantiles of RSSI by distance, and how well an attenuation threshold separates readings
    within 2 m from others (area under the ROC curve). Medians should agree within 3 dB, areas
    within 0.05.
    """
    chosen = load_scenario(scenario)
    scenes = load_tracks(trajectories, columns or {}, chosen.people, Streams(0))
    recorded = load_readings(readings, reading_columns or {})
    with progress("Replaying tracks") as advance:
        rows = validate_replay(
            scenes,
            recorded,
            calibration=_offsets(calibration),
            channel=chosen.channel,
            seeds=range(seeds),
            on_progress=advance,
        )
    print_compared(rows, as_json=as_json)


@validate.command()
@click.option(
    "--pedestrians", type=EXISTING_FILE, metavar="FILE", help="Recorded tracks: scene, t, id, x, y."
)
@click.option(
    "--office",
    type=EXISTING_FILE,
    metavar="FILE",
    help="Contacts of badges in an office: time and two ids in a line.",
)
@click.option("--conference", type=EXISTING_FILE, metavar="FILE", help="The same for a conference.")
@seeds_option(default=len(MOVEMENT_SEEDS), most=100)
@as_json
def movement(
    pedestrians: Path | None,
    office: Path | None,
    conference: Path | None,
    seeds: int,
    *,
    as_json: bool,
) -> None:
    """Compare walking speeds and lengths of meetings with recorded ones.

    Without files, compares with published figures: pedestrians of ETH and UCY, badges of
    SocioPatterns. With files, compares with what the same code computes from them.
    """
    given = {"office-day": office, "conference": conference}
    with progress("Letting people move") as advance:
        rows = validate_movement(
            pedestrians=pedestrians,
            badges={name: file for name, file in given.items() if file is not None},
            seeds=range(seeds),
            on_progress=advance,
        )
    print_compared(rows, as_json=as_json)


@validate.command()
@click.option(
    "--trial",
    "names",
    multiple=True,
    type=click.Choice(list(TRIALS)),
    help="Trial to play. Repeatable.  [default: all]",
)
@click.option(
    "--seeds",
    metavar="NUMBER",
    type=WholeNumber(1, 1000),
    help="Number of runs of each setting.  [default: "
    + ", ".join(f"{name} {trial.seeds}" for name, trial in TRIALS.items())
    + "]",
)
@as_json
def trials(names: tuple[str, ...], seeds: int | None, *, as_json: bool) -> None:
    """Simulate published field trials and print simulated beside published results.

    The trials are locked iPhones in an office, TraceTogether v1.6 on a ward, and exposure
    notification in a tram. Settings are from the publications or assumed, and were fixed before
    the comparison. A result outside its range is printed as such.
    """
    rows: list[ComparedStatistic] = []
    for name in names or tuple(TRIALS):
        trial = TRIALS[name]
        with progress(f"Playing the {name}") as advance:
            rows += trial.play(range(1, (seeds or trial.seeds) + 1), advance)
    print_compared(rows, digits=3, as_json=as_json)


def _offsets(path: Path | None) -> Calibration:
    return Calibration.prior() if path is None else Calibration.load(path)


def print_compared(rows: Sequence[ComparedStatistic], *, digits: int = 2, as_json: bool) -> None:
    """Print figures beside those from elsewhere."""
    beside = rows[0].beside
    lines = table(
        rows,
        ("statistic", lambda row: row.statistic),
        (_uncut("simulated"), _simulated),
        (_uncut(beside), lambda row: f"{row.reference:.{digits}f}"),
        (fixed("range"), lambda row: f"{row.low:.{digits}f} to {row.high:.{digits}f}"),
        ("ok", lambda row: Text("yes", "green") if row.ok else Text("no", "red")),
        (f"{beside} by", lambda row: row.source),
    )
    answer([row.to_json() for row in rows], lines, as_json=as_json)


def _uncut(heading: str) -> Column:
    """Return a column of numbers that a narrow terminal does not cut."""
    return Column(heading, justify="right", no_wrap=True)


def _simulated(row: ComparedStatistic) -> str:
    figure = row.simulated
    return f"{figure:.2f}" if isinstance(figure, float) else shown(figure)
