"""`tracetogether simulate sweep`: many runs over settings and seeds."""

from pathlib import Path

import click
from rich.box import SIMPLE_HEAD
from rich.table import Table

from simulations.run import FIDELITIES
from simulations.studies.curves import ADOPTION, save_curve
from simulations.studies.sweep import (
    Point,
    digest,
    plan,
    points,
    scenarios_of,
    sweep,
    values_of,
)
from simulations.studies.sweep_folder import SweepFolder, SweepRow
from simulations.studies.sweep_tables import save_tables
from tracetogether.cli.console import err, out, print_json, progress
from tracetogether.cli.simulate_figures import shown
from tracetogether.cli.simulate_settings import caution, read_settings, setting
from tracetogether.errors import MissingExtraError, StoreError

CURVE = "adoption.png"


@click.command("sweep")
@click.argument("scenario")
@click.option(
    "--vary",
    multiple=True,
    required=True,
    callback=read_settings,
    metavar="KEY=VALUES",
    help="LOW:HIGH:COUNT, such as adoption=0.1:1.0:10, or values with commas; may be repeated.",
)
@setting
@click.option(
    "--seeds", type=click.IntRange(1), default=5, show_default=True, help="Runs of each setting."
)
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Processes.")
@click.option("--cluster", metavar="ADDRESS", help="A Dask scheduler, instead of processes here.")
@click.option(
    "--cases", type=click.IntRange(1), help="Index cases of each run; everybody if not given."
)
@click.option(
    "--fidelity",
    type=click.Choice(FIDELITIES),
    default="auto",
    show_default=True,
    help="An object per phone, or all in columns; both give the same logs.",
)
@click.option(
    "--out",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Keep every finished run there, and tables of all; the same command goes on from it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
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
    *,
    as_json: bool,
) -> None:
    """Play SCENARIO for every combination of values and seeds 1 to N.

    A run that fails is named and the others go on; the command then ends with status 1, and the
    next one plays it again. The result is the same to the bit for any number of workers, and for a
    sweep that was stopped and taken up again. A kept run counts only where every key, the version
    and the tables of numbers are the same: after a change the runs are played again.
    """
    choices = {key: values_of(text) for key, text in vary.items()}
    parts = plan(scenario, choices, seeds=seeds, settings=settings, cases=cases, fidelity=fidelity)
    caution(*scenarios_of(parts))
    with progress(f"{len(parts)} runs") as told:
        rows = sweep(parts, folder=folder, workers=workers, cluster=cluster, on_progress=told)
    found = points(rows)
    failed = [row for row in rows if "error" in row]
    if folder is not None:
        _keep(rows, found, folder, draw=not failed)
        if others := SweepFolder(folder).others([part.name for part in parts]):
            err().print(
                f"{folder} also holds {others} runs of another version of the scenario or of "
                "tracetogether; they are not used.",
                style="yellow",
                soft_wrap=True,
            )
    if as_json:
        print_json(
            {
                "scenario": scenario,
                "digest": None if failed else digest(rows),
                "points": [point.to_json() for point in found],
                "rows": rows,
            }
        )
    else:
        out().print(_table(found))
        if not failed:
            out().print(f"Digest {digest(rows)}", soft_wrap=True)
    expect_all_played(rows)


def _keep(rows: list[SweepRow], found: list[Point], folder: Path, *, draw: bool) -> None:
    save_tables(rows, found, folder)
    if draw and all(ADOPTION in point.settings for point in found):
        if not any(point.recorded for point in found):
            err().print("No picture: nobody was in contact.", style="yellow", soft_wrap=True)
            return
        try:
            save_curve(found, folder / CURVE)
        except MissingExtraError as missing:
            err().print(f"No picture: {missing}", style="yellow", soft_wrap=True)


def expect_all_played(rows: list[SweepRow]) -> None:
    """Say which runs failed, and why.

    Raises:
        StoreError: one did.
    """
    failed = [row for row in rows if "error" in row]
    for row in failed:
        settings = " ".join(f"{key}={value}" for key, value in row["settings"].items())
        err().print(f"failed: {settings} seed {row['seed']}: {row['error']}", soft_wrap=True)
    if failed:
        raise StoreError(
            f"{len(failed)} of {len(rows)} runs failed: there is no result of all. Mend what they "
            "say. The same command plays again what is not kept; another one wants another --out"
        )


def _table(found: list[Point]) -> Table:
    # What all points share is in the command; here it would push the figures out of sight.
    varied = {key for key in found[0].settings if len({p.settings[key] for p in found}) > 1}
    varied = varied or set(found[0].settings)
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("setting", overflow="fold")
    for heading in (
        "runs",
        "failed",
        "of all contacts in a log",
        "on a list",
        "of those with app",
        "falsely listed of listed",
    ):
        table.add_column(heading, justify="right")
    for point in found:
        table.add_row(
            " ".join(f"{key}={value}" for key, value in point.settings.items() if key in varied),
            str(point.runs),
            str(point.failed),
            *(
                shown(figure, 3)
                for figure in (point.recorded, point.found, point.tif, point.falsely_listed)
            ),
        )
    return table
