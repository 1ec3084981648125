"""`tracetogether evaluate`: all estimators side by side on a recording with known distances."""

from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Final

import click
import numpy as np

from tracetogether.cli.console import out, print_json, progress, warn
from tracetogether.cli.recording_options import RecordingOptions, parsed, recording_options
from tracetogether.evaluation.baselines.constant import Constant
from tracetogether.evaluation.comparison import differences
from tracetogether.evaluation.folds import fit_on as fit_on_another
from tracetogether.evaluation.folds import leave_groups_out
from tracetogether.evaluation.layout import RecordingLayout
from tracetogether.evaluation.pictures import draw
from tracetogether.evaluation.recordings import Recording, TableJoin
from tracetogether.evaluation.registry import REGISTRY, chosen_estimators
from tracetogether.evaluation.report import (
    facts,
    json_differences,
    json_rows,
    table,
    table_of_differences,
)
from tracetogether.evaluation.scoring import Question
from tracetogether.evaluation.scoring import evaluate as score_estimators
from tracetogether.evaluation.sharing import Sharing
from tracetogether.plain_text import counted

_TABLE_WIDTH: Final = 156


def _above_0(
    _ctx: click.Context, _param: click.Parameter, values: tuple[float, ...]
) -> tuple[float, ...]:
    for value in values:
        if not 0 < value < np.inf:
            raise click.BadParameter(f"{value:g} is not above 0")
    return tuple(dict.fromkeys(values))


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    chosen_estimators(names)  # a wrong name is wrong use
    return names


def _columns(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


@click.command()
@recording_options
@click.option(
    "--fit-on",
    type=click.Path(path_type=Path),
    metavar="READINGS",
    help="Fit on this recording, and score all of READINGS. Without it, estimators are fitted on "
    "the other scenes.",
)
@click.option(
    "--fit-columns",
    callback=parsed(RecordingLayout.parse),
    metavar="FIELD=COLUMN,...",
    help="Column names of --fit-on.  [default: those of --columns that it has]",
)
@click.option(
    "--fit-join",
    callback=parsed(TableJoin.parse),
    metavar="FILE.csv:KEY",
    help="Table to join to --fit-on, as for --join.",
)
@click.option(
    "--fit-tracks",
    type=click.Path(path_type=Path),
    metavar="TRACKS",
    help="Table of positions for --fit-on.",
)
@click.option(
    "--leave-out",
    callback=parsed(_columns),
    metavar="COLUMN,...",
    help="Leave out scenes together if they share a value in one of these columns, such as scene, "
    "home, rx_model; file[folder] is the folder of a path, file[series] that without the number at "
    "its end.  [default: all columns of places, people and phones that don't connect all scenes]",
)
@click.option(
    "--radius",
    "radii",
    type=float,
    callback=_above_0,
    multiple=True,
    default=(1.5, 2.0),
    show_default=True,
    metavar="METRES",
    help="Greatest distance that counts as near, in metres. Repeatable.",
)
@click.option(
    "--window",
    "windows",
    type=float,
    callback=_above_0,
    multiple=True,
    default=(300.0, 900.0),
    show_default=True,
    metavar="SECONDS",
    help="Length of a window, in seconds. Repeatable.",
)
@click.option(
    "--estimators",
    callback=parsed(_names),
    metavar="NAME,...",
    default="all",
    show_default=True,
    help=f"Estimators to score, of {', '.join(REGISTRY)}.",
)
@click.option(
    "--against",
    metavar="NAME",
    help="Also say by how much every estimator is worse than NAME, with 95 % intervals from "
    "leaving out one group at a time.",
)
@click.option(
    "--model",
    type=click.Path(path_type=Path),
    metavar="MODEL.toml",
    help="Figures of the posterior, from `tracetogether calibrate fit`, used unchanged.  [default: "
    "published figures, with phone offsets fitted on the training scenes]",
)
@click.option(
    "--pictures",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder for pictures of reliability, ROC and minutes (needs the extra plot).",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON list of rows.")
def evaluate(
    given: RecordingOptions,
    fit_on: Path | None,
    fit_columns: RecordingLayout | None,
    fit_join: TableJoin | None,
    fit_tracks: Path | None,
    leave_out: tuple[str, ...] | None,
    radii: tuple[float, ...],
    windows: tuple[float, ...],
    estimators: tuple[str, ...],
    against: str | None,
    model: Path | None,
    pictures: Path | None,
    *,
    as_json: bool,
) -> None:
    """Measure how well estimators separate near from far on READINGS with known distances.

    READINGS is a CSV or CSV.gz table with one line per reception: time, observer,
    peer, RSSI in dBm, true distance, and if known scene, transmit power and both phone models.

    A scene is never scored by what was fitted on it, thresholds included; see --leave-out. A
    window is floor(t / length) of the table's time within a scene, per observer and peer (logs:
    own) or per pair with both phones' readings (pair, all). Its truth is the mean of its known
    distances above 0.
    """
    fits = {"columns": fit_columns, "join": fit_join, "tracks": fit_tracks}
    for name, value in fits.items():
        given.needs(f"--fit-{name}", value, "--fit-on", fit_on)
    given.needs("--track-columns", given.track_columns, "--tracks", given.tracks or fit_tracks)
    calibration = given.phones()
    chosen = chosen_estimators(estimators, model)
    names = [made.name for made in chosen]
    if against not in {None, *names}:
        raise click.UsageError(
            f"--against {against} is not among the estimators {', '.join(names)}"
        )
    scored = given.read(connected_by=leave_out)
    groups = scored.sharing.groups
    if fit_on is None and leave_out is None and (shared := _still_shared(scored.sharing)):
        warn(shared)
    if fit_on is None:
        folds = leave_groups_out(scored.scenes, groups)
    else:
        training = replace(
            given,
            readings=fit_on,
            columns=fit_columns or given.columns,
            join=fit_join,
            tracks=fit_tracks,
        ).read(inherited=fit_columns is None, prefix="fit-")
        folds = fit_on_another(training.scenes, scored.scenes, groups)
    question = Question(radii, windows)
    with progress("Scoring") as advance:
        rows = score_estimators(
            chosen,
            folds,
            question,
            calibration=calibration,
            clock=perf_counter,
            on_progress=advance,
        )
    constant = rows
    if Constant().name not in names:  # its intervals stand beside others
        constant = score_estimators(
            [Constant()], folds, question, calibration=calibration, clock=perf_counter
        )
    with progress("Comparing"):
        compared = () if against is None else differences(rows, against)
        drawn = () if pictures is None else draw(rows, pictures)
    if as_json:
        listed = json_rows(rows, constant)
        print_json({"rows": listed, "worse_by": json_differences(compared)} if against else listed)
        return
    console = out()
    console.width = max(console.width, _TABLE_WIDTH)  # a narrower one would cut every figure
    console.print(table(rows, constant))
    if against is not None:
        console.print(table_of_differences(compared, against))
    left_out_together = () if fit_on else (_left_out(scored.sharing),)
    how = _how(given.readings, scored, fit_on, len(folds))
    for line in (*facts(rows), *left_out_together, how, *(f"Drawn: {path}" for path in drawn)):
        console.print(line, soft_wrap=True)


def _still_shared(sharing: Sharing) -> str:
    """Return what scenes that are fitted on may share with scored ones; "" for nothing known."""
    harder = "For a harder test name columns with --leave-out, or another recording with --fit-on."
    if not sharing.names_phones:
        return f"No column names people or phones: all scenes may have the same ones. {harder}"
    if not sharing.still_shared:
        return ""
    columns = ", ".join(sharing.still_shared)
    return (
        "The same people or phones are in all scenes, or nearly all: estimators are scored on some "
        f"that they were fitted on (column {columns}). {harder}"
    )


def _left_out(sharing: Sharing) -> str:
    count = len(np.unique(sharing.groups))
    if not sharing.by:
        return f"Left out: each scene alone ({count:,})."
    columns = " or ".join(sharing.by)
    return f"Left out together: scenes with the same {columns} ({counted(count, 'groups')})."


def _how(readings: Path, scored: Recording, fit_on: Path | None, folds: int) -> str:
    count = sum(len(scene.sightings) for scene in scored.scenes)
    groups = len(np.unique(scored.sharing.groups))
    others = "others" if groups == len(scored.scenes) else f"other of {counted(groups, 'groups')}"
    folded = f"each fitted on the {others} ({counted(folds, 'folds')})"
    fitted = f"fitted on {fit_on.name}" if fit_on else folded
    return (
        f"{readings.name}: {counted(count, 'readings')}, "
        f"{counted(len(scored.scenes), 'scenes')}, {fitted}."
    )
