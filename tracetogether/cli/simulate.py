"""`tracetogether simulate`: play a crowd with the real library and score the whole chain."""

import time
from dataclasses import asdict
from pathlib import Path

import click
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from simulations.pages.recording import prepare_folder, save_run
from simulations.pages.replay_page import save_page
from simulations.pages.report import save_picture
from simulations.people.trajectories import (
    TRACK_COLUMNS,
    choose_scene,
    load_tracks,
    on_recorded_tracks,
)
from simulations.run import FIDELITIES, Run, run
from simulations.scores.breakdown import Breakdown
from simulations.scores.breakdown_columns import take_apart
from simulations.scores.bulk_tracing import Judged, judge
from simulations.scores.scoring import CaseScore, Scores
from simulations.settings.scenario import load_scenario, scenario_names
from simulations.streams import Streams
from tracetogether.cli.console import err, out, print_json, progress
from tracetogether.cli.simulate_bench import bench_crowds
from tracetogether.cli.simulate_export import export_numbers
from tracetogether.cli.simulate_settings import setting
from tracetogether.cli.simulate_sweep import sweep_scenario
from tracetogether.cli.simulate_validate import track_columns, validate
from tracetogether.errors import MissingExtraError

PICTURE = "picture.png"


@click.group()
def simulate() -> None:
    """Play crowds of simulated people whose phones run this very library."""


simulate.add_command(validate)
simulate.add_command(sweep_scenario)
simulate.add_command(export_numbers)
simulate.add_command(bench_crowds)


@simulate.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON list.")
def list_scenarios(*, as_json: bool) -> None:
    """Name the scenarios that come with the library."""
    scenarios = [load_scenario(name) for name in scenario_names()]
    if as_json:
        print_json(
            [
                {
                    "scenario": one.name,
                    "title": one.title,
                    "modelled_on": " ".join(one.modelled_on.split()),
                    "people": one.people.count,
                    "duration_s": one.duration_s,
                    "adoption": one.people.adoption,
                }
                for one in scenarios
            ]
        )
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("scenario", no_wrap=True)
    for heading in ("people", "minutes", "with app"):
        table.add_column(heading, justify="right")
    table.add_column("what it is")
    for one in scenarios:
        table.add_row(
            one.name,
            str(one.people.count),
            f"{one.duration_s / 60:g}",
            f"{one.people.adoption:.0%}",
            one.title,
        )
    out().print(table)


@simulate.command()
@click.argument("scenario")
@setting
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def check(scenario: str, settings: dict[str, str], *, as_json: bool) -> None:
    """Check SCENARIO, a TOML file of your own or a name from the list, without playing it."""
    chosen = load_scenario(scenario, settings)
    if as_json:
        print_json({"scenario": chosen.name, "ok": True, "keys": asdict(chosen)})
        return
    out().print(
        f"{chosen.name} is a valid scenario: {chosen.title} ({chosen.people.count} people, "
        f"{chosen.duration_s / 60:g} minutes, {chosen.people.adoption:.0%} with the app).",
        soft_wrap=True,
    )


@simulate.command("run")
@click.argument("scenario")
@setting
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Of all chance.")
@click.option(
    "--fidelity",
    type=click.Choice(FIDELITIES),
    default="auto",
    show_default=True,
    help="An object per phone (handset) or all in columns (fleet): the same run, to the digest. "
    "auto takes the fleet for large crowds.",
)
@click.option(
    "--trajectories",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Recorded tracks (CSV) to put in the place of the scenario's people; how many there are, "
    "for how long and where is then the recording's.",
)
@click.option(
    "--columns",
    callback=track_columns,
    metavar="FIELD=COLUMN,...",
    help="Names of the tracks' columns, where they differ from " + ", ".join(TRACK_COLUMNS) + ".",
)
@click.option("--scene", help="Which scene of the tracks, where they hold several.")
@click.option(
    "--out",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Keep positions, contact logs, truth, contact lists and a picture in this folder.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def run_scenario(
    scenario: str,
    settings: dict[str, str],
    seed: int,
    fidelity: str,
    trajectories: Path | None,
    columns: dict[str, str],
    scene: str | None,
    folder: Path | None,
    *,
    as_json: bool,
) -> None:
    """Play SCENARIO (a name from the list, or a TOML file of your own) and score the chain.

    Every person with the app is taken as the index case in turn; the contact lists that the
    authority's code makes of their logs are held against the simulator's ground truth.
    """
    chosen, tracks = load_scenario(scenario, settings), None
    if trajectories is not None:
        scenes = load_tracks(trajectories, columns, chosen.people, Streams(seed))
        chosen, tracks = on_recorded_tracks(chosen, choose_scene(scenes, scene, trajectories))
    elif columns or scene is not None:
        raise click.UsageError("--columns and --scene speak of --trajectories, which is missing")
    if folder is not None:
        prepare_folder(folder)  # say so before the work, not after it
    began = time.monotonic()
    with progress(f"{chosen.people.count} people, {chosen.duration_s / 60:g} minutes") as told:
        played = run(chosen, seed=seed, on_progress=told, fidelity=fidelity, tracks=tracks)
    with progress("Opening logs, tracing contacts") as told:
        judged = judge(played, on_progress=told)
    scores, apart = judged.scores, take_apart(played, judged)
    seconds = time.monotonic() - began
    if folder is not None:
        _keep(played, judged, apart, folder)
    if as_json:
        print_json(
            {
                "scenario": chosen.name,
                "seed": seed,
                "digest": played.digest,
                "scores": scores.to_json() | apart.to_json(),
            }
        )
    else:
        _show(played, scores, apart, folder, seconds)


@simulate.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("report.html"),
    show_default=True,
    metavar="FILE",
    help="Where to write the page.",
)
@click.option(
    "--sweep",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="A sweep over adoption, to draw its curve as well.",
)
def report(folder: Path, output: Path, sweep: Path | None) -> None:
    """Make one page of the run kept in FOLDER: the crowd replayed, its links, logs and scores.

    The page holds everything and needs no network.
    """
    save_page(folder, output, sweep=sweep)
    out().print(f"Written to {output}", soft_wrap=True)


def _keep(played: Run, judged: Judged, apart: Breakdown, folder: Path) -> None:
    scores = judged.scores
    save_run(played, judged.truth, scores, apart, folder)
    if not scores.cases:
        return  # nobody has the app, so there is no case to picture
    try:
        save_picture(played, _telling(scores), folder / PICTURE)
    except MissingExtraError as missing:
        err().print(f"No picture: {missing}", style="yellow", soft_wrap=True)


def _telling(scores: Scores) -> CaseScore:
    """Return the case with the most to see: most true contacts, then most listed."""
    return max(scores.cases, key=lambda case: (case.true_contacts, case.found, case.false_contacts))


def _show(
    played: Run, scores: Scores, apart: Breakdown, folder: Path | None, seconds: float
) -> None:
    console = out()
    policy, counts = scores.policy, played.counts
    played_by = (
        f", seed {played.seed}: {played.tracks.people} people, {len(played.app)} with the app, "
        f"{played.scenario.duration_s / 60:g} minutes ({seconds:.1f} s)"
    )
    console.print(Text.assemble((played.scenario.name, "bold"), played_by), soft_wrap=True)
    scans, heard, tried, came, left = (
        counts.get(name, 0)
        for name in ("scans", "receptions", "connections_tried", "connections", "records")
    )
    console.print(
        f"{scans:,} scans heard {heard:,} advertisements; {came:,} of {tried:,} connections came "
        f"about and left {left:,} records.",
        soft_wrap=True,
    )
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_header=False)
    table.add_column("what")
    table.add_column("value", justify="right")
    table.add_row("index cases, one after the other", f"{len(scores.cases):,}")
    table.add_row("true contacts found", f"{scores.found:,}")
    table.add_row("true contacts missed", f"{scores.missed:,}")
    table.add_row("falsely listed", f"{scores.false_contacts:,}")
    tif = scores.tif
    table.add_row(
        "traceable interaction fraction (5 % to 95 %)",
        "no true contact" if tif is None else f"{tif.median:.2f} ({tif.low:.2f} - {tif.high:.2f})",
    )
    table.add_row("precision", _number(scores.precision, "{:.2f}"))
    table.add_row("mean error of minutes", _number(scores.minutes_mae, "{:.1f}"))
    table.add_row("the same, guessing a constant", _number(scores.minutes_mae_constant, "{:.1f}"))
    table.add_row("intervals that hold the true minutes", _number(scores.coverage, "{:.0%}"))
    console.print(table)
    console.print(
        f"Contact: within {policy.within_m:g} m for {policy.minutes:g} minutes or more, both with "
        "the app; a pair counts once for each of the two as the case.",
        soft_wrap=True,
    )
    console.print(_systems_table(apart))
    if len(played.app) < 2:
        console.print(
            f"With {len(played.app)} of {played.tracks.people} people on it the app can find "
            "nobody: set people.adoption higher.",
            style="yellow",
            soft_wrap=True,
        )
    cost = ", ".join(
        f"{name} {percent:.1f} %" for name, percent in apart.battery_percent_per_hour.items()
    )
    if cost:
        console.print(f"Battery per hour, by assumed currents: {cost}.", soft_wrap=True)
    if apart.lost:
        lost = ", ".join(f"{name} {count:,}" for name, count in apart.lost.items())
        console.print(f"Lost: {lost}.", soft_wrap=True)
    console.print(f"Digest {played.digest}", soft_wrap=True)
    if folder is not None:
        console.print(f"Kept in {folder}", soft_wrap=True)


def _systems_table(apart: Breakdown) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("who - whom")
    for heading in ("quarters of an hour near", "recorded (5 % to 95 %)", "contacts found"):
        table.add_column(heading, justify="right")
    for one in apart.by_systems:
        share = one.share
        table.add_row(
            one.name,
            f"{one.windows:,}",
            "-" if share is None else f"{share.median:.2f} ({share.low:.2f} - {share.high:.2f})",
            f"{one.found} of {one.true_contacts}",
        )
    return table


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)
