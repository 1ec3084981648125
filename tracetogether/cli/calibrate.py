"""`tracetogether calibrate`: figures of the posterior and offsets of phones, from recordings."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
from rich.table import Table

from tracetogether import __version__
from tracetogether.cli.console import answer, fixed, progress, right, table
from tracetogether.cli.options import as_json, keep_apart
from tracetogether.cli.recording_options import RecordingOptions, recording_options
from tracetogether.evaluation.fitting import ModelFit
from tracetogether.evaluation.fitting import fit as fit_figures
from tracetogether.evaluation.phone_tables import PhoneTable, phone_table
from tracetogether.picture_style import (
    INK,
    LOGGED,
    QUIET,
    digest_of_columns,
    new_figure,
    plain_axes,
    save_figure,
    title,
)
from tracetogether.plain_text import counted
from tracetogether.proximity.calibration import NOT_SHOWN, PhoneRow, origin, table_text
from tracetogether.whole_file import write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@click.group()
def calibrate() -> None:
    """Fit the figures of the posterior, and phone models' offsets, to recordings."""


@calibrate.command()
@recording_options
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="MODEL.toml",
    help="File for the figures, which `tracetogether evaluate --model` reads.",
)
@click.option(
    "--picture",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.png",
    help="Picture of how well the figures fit (needs the extra plot).",
)
@as_json
def fit(
    given: RecordingOptions,
    output: Path,
    picture: Path | None,
    *,
    as_json: bool,
) -> None:
    """Fit path loss, offsets and how errors last to READINGS, whose distances are known.

    READINGS is a table as for `tracetogether evaluate`. A spread that it doesn't determine stays
    near the built-in one. Standard errors come from the jackknife over scenes, or over pairs of
    people if there are fewer than three scenes.
    """
    keep_apart({"--output": output, "--picture": picture}, [given.readings, given.tracks])
    given.needs("--track-columns", given.track_columns, "--tracks", given.tracks)
    calibration = given.phones()
    recording = given.read()
    with progress("Fitting") as advance:
        found = fit_figures(recording.scenes, calibration, on_progress=advance)
    if picture is not None:
        _draw(found, picture)
    origin = f"{given.readings.name}: {counted(found.slots, 'minutes')} of pairs in "
    origin += counted(found.scenes, "scenes")
    errors = [
        f"{figure.name} = {figure.error!r}" for figure in found.figures if np.isfinite(figure.error)
    ]
    text = "\n".join(
        [
            f"# Fitted by tracetogether {__version__} calibrate fit to {origin}.",
            f"# SHA-256 of the readings: {_digest(given.readings)}",
            found.model.to_toml(),
            "[error]  # standard errors",
            *errors,
            "",
        ]
    )
    write_whole(output, text)
    paths = (output, *([] if picture is None else [picture]))
    answer(
        _json(found),
        table(
            found.figures,
            ("figure", lambda figure: figure.name),
            (right("fitted"), lambda figure: f"{figure.value:.3f}"),
            (right("std error"), lambda figure: _number(figure.error)),
            (right("built in"), lambda figure: f"{figure.built_in:g}"),
        ),
        f"{counted(found.slots, 'minutes')} of directed pairs in "
        f"{counted(found.scenes, 'scenes')}. Attenuation strays by {found.spread_db:.1f} dB, "
        f"by {found.residual_db:.1f} dB about the path loss, "
        f"and by {found.error_db:.1f} dB once people's and pairs' offsets are taken out.",
        *(f"Written: {path}" for path in paths),
        as_json=as_json,
    )


@calibrate.command()
@recording_options
@click.argument("more", nargs=-1, type=click.Path(path_type=Path), metavar="[MORE]...")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PHONES.csv",
    help="File for the table, which `--calibration` of other commands reads.",
)
@as_json
def phones(given: RecordingOptions, more: tuple[Path, ...], output: Path, *, as_json: bool) -> None:
    """Learn the offset of each phone model in READINGS, and in MORE tables with the same columns.

    The correction is what to add to the RSSI that a model reports, the power what it sends with.
    Distances make both more certain. Without distances, models that were heard in the same company
    are compared with each other. Where the readings say no more than was known before, the table
    has what was known, and says so. +- is the standard error.
    """
    keep_apart({"--output": output}, [given.readings, *more, given.tracks])
    given.needs("--track-columns", given.track_columns, "--tracks", given.tracks)
    calibration = given.phones()
    every = [replace(given, readings=path) for path in (given.readings, *more)]
    recordings = [recording.read(distances=False).scenes for recording in every]
    with progress("Comparing phones"):
        found = phone_table(recordings, calibration)
    write_whole(output, table_text(found.rows))
    answer(
        _phones_json(found),
        phone_lines(found.rows),
        f"Directed pairs: {found.pairs:,} in {counted(found.scenes, 'scenes')}, {found.known:,} of "
        "them with a known distance.",
        f"Written: {output}",
        as_json=as_json,
    )


def _correction(row: PhoneRow) -> str:
    offsets = row.offsets
    return _offset(offsets.correction_db, offsets.correction_sd_db, shown=row.correction_shown)


def _power(row: PhoneRow) -> str:
    offsets = row.offsets
    return _offset(offsets.transmit_dbm, offsets.transmit_sd_db, shown=row.transmit_shown)


def _offset(value: float, error: float, *, shown: bool) -> str:
    text = f"{value:.1f} +- {error:.1f}"
    return text if shown else f"({text})"


def _phones_json(found: PhoneTable) -> dict[str, object]:
    return {
        "scenes": found.scenes,
        "pairs": found.pairs,
        "pairs_with_distance": found.known,
        "level_db": found.found.level_db,
        "level_error_db": found.found.level_sd_db,
        "phones": phone_json(found.rows),
    }


def phone_lines(rows: Sequence[PhoneRow]) -> Table:
    """Return a table of phone models as it is printed."""
    return table(
        rows,
        (fixed("model"), lambda row: row.model),
        (right("correction, dB"), _correction),
        (right("power, dBm"), _power),
        (right("people"), lambda row: f"{row.people:,}"),
        (right("encounters"), lambda row: f"{row.encounters:,}"),
        (right("readings"), lambda row: f"{row.readings:,}"),
        caption=f"In brackets: {NOT_SHOWN}, but known before.",
    )


def phone_json(rows: Sequence[PhoneRow]) -> list[dict[str, object]]:
    """Return a table of phone models for a JSON document."""
    return [
        {
            "model": row.model,
            "correction_db": row.offsets.correction_db,
            "correction_error_db": row.offsets.correction_sd_db,
            "correction_from": origin(shown=row.correction_shown),
            "power_dbm": row.offsets.transmit_dbm,
            "power_error_db": row.offsets.transmit_sd_db,
            "power_from": origin(shown=row.transmit_shown),
            "people": row.people,
            "encounters": row.encounters,
            "readings": row.readings,
        }
        for row in rows
    ]


def _digest(path: Path) -> str:
    """Return SHA-256 (hex) of a file, which identifies it better than its name."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _json(found: ModelFit) -> dict[str, object]:
    def number(value: float) -> float | None:
        return value if np.isfinite(value) else None

    return {
        "slots": found.slots,
        "scenes": found.scenes,
        "spread_db": found.spread_db,
        "residual_db": found.residual_db,
        "error_db": found.error_db,
        "figures": [
            {
                "name": figure.name,
                "value": figure.value,
                "error": number(figure.error),
                "built_in": figure.built_in,
            }
            for figure in found.figures
        ],
    }


def _number(error: float) -> str:
    return f"{error:.3f}" if np.isfinite(error) else "-"


def _draw(found: ModelFit, path: Path) -> None:
    """Draw attenuation by distance with the fitted line, and how errors last.

    Raises:
        MissingExtraError: matplotlib is not installed.
        StoreError: the picture can't be written.
    """
    figure = new_figure(10, 4.5)
    left, right = figure.subplots(1, 2)
    _draw_path_loss(left, found)
    _draw_errors(right, found)
    save_figure(figure, path, made_of=digest_of_columns(found.distance_m, found.attenuation_db))


def _draw_path_loss(axes: "Axes", found: ModelFit) -> None:
    model = found.model
    axes.plot(
        found.distance_m,
        found.attenuation_db,
        ".",
        color=LOGGED,
        markersize=1.5,
        alpha=0.3,
        label="one minute of a pair",
    )
    distance = np.geomspace(found.distance_m.min(), found.distance_m.max(), 50)
    line = model.level_db + model.slope_db * np.log10(distance / 2)
    axes.plot(distance, line, label="fitted", color=INK)
    for side, label in ((-1, f"fitted ± {found.residual_db:.1f} dB (one sd)"), (1, None)):
        shifted = line + side * found.residual_db
        axes.plot(distance, shifted, "--", color=INK, linewidth=0.8, label=label)
    axes.set(xscale="log", xlabel="distance, m", ylabel="attenuation, dB")
    plain_axes(axes)
    title(axes, f"Path loss: {model.slope_db:.1f} dB for each ten times the distance")
    axes.legend(frameon=False, fontsize=9)


def _draw_errors(axes: "Axes", found: ModelFit) -> None:
    model = found.model
    lag = np.linspace(1, max(2.0, float(found.lag_minutes.max(initial=2))), 50)
    fitted = model.pair_sd_db**2 + model.slow_sd_db**2 * np.exp(-lag / model.slow_minutes)
    axes.plot(found.lag_minutes, found.covariance_db2, "o", color=LOGGED, label="measured")
    axes.plot(lag, fitted, color=INK, label="fitted")
    axes.axhline(0, color=QUIET, linewidth=0.5)
    axes.set(xlabel="minutes apart", ylabel="covariance, dB²")
    plain_axes(axes)
    title(axes, f"Errors of a pair last {model.slow_minutes:.0f} minutes")
    axes.legend(frameon=False, fontsize=9)
