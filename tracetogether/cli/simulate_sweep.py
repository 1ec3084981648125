"""`tracetogether simulate sweep`: many runs over settings and seeds."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import click
from rich.table import Table

from simulations.library.sweeps import distinct, sweep_parts
from simulations.pages.sweep_picture import MEASURES
from simulations.scores.intervals import Measured
from simulations.studies.sweep import Point, plan, scenarios_of, values_of
from simulations.studies.sweep_folder import SweepFolder, SweepRow
from tracetogether.cli.console import answer, fixed, note, progress, right, say, table, warn
from tracetogether.cli.options import FILE, as_json
from tracetogether.cli.simulate_options import (
    cases_option,
    caution,
    fidelity_option,
    out_option,
    read_settings,
    seeds_option,
    setting,
    shown,
    workers_option,
)
from tracetogether.errors import StoreError
from tracetogether.plain_text import counted


@click.command("sweep")
@click.argument("scenario")
@click.option(
    "--vary",
    multiple=True,
    required=True,
    callback=read_settings,
    metavar="KEY=VALUES",
    help="Values to try: LOW:HIGH:COUNT, such as adoption=0.1:1.0:10, or VALUE,VALUE,... "
    "Repeatable.",
)
@setting
@seeds_option(default=5)
@workers_option
@click.option("--cluster", metavar="ADDRESS", help="Use the Dask scheduler at this address.")
@cases_option
@fidelity_option
@out_option("Keep each finished run and the tables in this folder; the same command resumes it.")
@click.option(
    "--picture",
    type=FILE,
    metavar="FILE",
    help="Draw the shares over the varied keys, one or two of them: .svg, .pdf or .png.",
)
@click.option(
    "--measure",
    "measures",
    multiple=True,
    type=click.Choice(list(MEASURES)),
    help="Share in the picture.  [default: recorded and found; found for two keys]",
)
@click.option(
    "--mark",
    "marks",
    multiple=True,
    callback=lambda _, __, words: _marks(words),
    metavar="VALUE=WORDS",
    help="Line in the picture at this value, with these words. Repeatable.",
)
@click.option("--square", is_flag=True, help="Curve in the picture that goes with the square.")
@as_json
def sweep_scenario(
    scenario: str,
    vary: dict[str, str],
    settings: dict[str, str],
    seeds: int,
    workers: int,
    cluster: str | None,
    cases: int | None,
    fidelity: str,
    folder: Path | None,
    picture: Path | None,
    measures: tuple[str, ...],
    marks: dict[float, str],
    *,
    square: bool,
    as_json: bool,
) -> None:
    """Play SCENARIO for every combination of values and seeds.

    If a run fails, the others continue and the command ends with status 1; the same command plays
    failed runs again. The result is equal to the bit for any number of workers, and for a resumed
    sweep. A kept run is reused only if every key, the version, the code and the tables are equal.
    """
    choices = {key: distinct(values_of(text)) for key, text in vary.items()}
    parts = plan(scenario, choices, seeds=seeds, settings=settings, cases=cases, fidelity=fidelity)
    caution(*scenarios_of(parts))
    with progress(counted(len(parts), "runs")) as advance:
        swept = sweep_parts(
            parts, folder=folder, workers=workers, cluster=cluster, on_progress=advance
        )
    if folder is not None:
        swept.save(folder)
        if swept.why_no_picture and not swept.failed:
            warn(f"No picture: {swept.why_no_picture}.")
        if others := SweepFolder(folder).others([part.name for part in parts]):
            warn(
                f"{folder} also holds {counted(others, 'runs')} of another version of the "
                "scenario or of tracetogether, which this command leaves out."
            )
    sweep_digest = None if swept.failed else swept.digest
    answer(
        {
            "scenario": scenario,
            "digest": sweep_digest,
            "points": [point.to_json() for point in swept.points],
            "rows": swept.rows,
        },
        _table(swept.points),
        *([] if swept.failed else [f"Digest {sweep_digest}"]),
        as_json=as_json,
    )
    expect_all_played(swept.rows)
    if picture is not None:
        figure = swept.plot(measures=measures, marks=marks, square=square)
        say(f"Picture: {swept.save_plot(picture, figure)}")


def _marks(words: tuple[str, ...]) -> dict[float, str]:
    """Read VALUE=WORDS."""
    found = {}
    for word in words:
        value, equals, said = word.partition("=")
        try:
            place = float(value)
        except ValueError:
            place = math.nan
        if not (equals and said and math.isfinite(place)):
            raise click.BadParameter(f"write VALUE=WORDS, such as 0.32=uptake, not {word!r}")
        found[place] = said
    return found


def expect_all_played(rows: Sequence[SweepRow]) -> None:
    """Return if all runs succeeded; print each failed one with its error.

    Raises:
        StoreError: a run failed.
    """
    failed = [row for row in rows if "error" in row]
    for row in failed:
        settings = " ".join(f"{key}={value}" for key, value in row["settings"].items())
        note(f"failed: {settings} seed {row['seed']}: {row['error']}")
    if failed:
        raise StoreError(
            f"{len(failed)} of {counted(len(rows), 'runs')} failed, so there is no result over all "
            "runs. Correct what the errors name. The same command then plays them again; "
            "a changed command needs another --out"
        )


def _table(found: Sequence[Point]) -> Table:
    """Return a table that keeps each varied key whole on a terminal of 80 columns."""
    # Settings that all points share are in the command. Here they would push the figures aside.
    varied = [key for key in found[0].settings if len({p.settings[key] for p in found}) > 1]
    varied = varied or list(found[0].settings)
    ends = [key.rpartition(".")[2] for key in varied]
    headings = [end if ends.count(end) == 1 else key for key, end in zip(varied, ends, strict=True)]
    failed = any(point.failed for point in found)
    return table(
        found,
        *(
            (fixed(heading), _setting_of(key))
            for key, heading in zip(varied, headings, strict=True)
        ),
        (fixed("runs"), lambda point: str(point.runs)),
        *([(fixed("failed"), lambda point: str(point.failed))] if failed else []),
        (right("in a log"), lambda point: _figure(point.recorded)),
        (right("on a list"), lambda point: _figure(point.found)),
        (right("of app's"), lambda point: _figure(point.tif)),
        (right("wrong"), lambda point: _figure(point.falsely_listed)),
        caption="in a log, on a list: of all contacts; of app's: on a list, of contacts between "
        "people with the app; wrong: listed and no contact, of those listed; in brackets: from 5 % "
        "to 95 %.",
    )


def _setting_of(key: str) -> Callable[[Point], str]:
    return lambda point: str(point.settings[key])


def _figure(value: Measured | None) -> str:
    return shown(value).replace(" - ", "-")  # one word, so that it breaks before the bracket
