"""`tracetogether simulate run`: one run with its scores, and a kept run played again."""

import time
from dataclasses import dataclass
from pathlib import Path

import click
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from simulations.pages.recorded_run import RecordedRun, read_run
from simulations.pages.recording import PICTURE, prepare_folder, save_run
from simulations.pages.report import save_picture
from simulations.people.trajectories import (
    TRACK_COLUMNS,
    choose_scene,
    load_tracks,
    on_recorded_tracks,
)
from simulations.places.tracks import CrowdTracks
from simulations.run import DEFAULT_START, FIDELITIES, Run, run
from simulations.scores.breakdown import Breakdown
from simulations.scores.breakdown_columns import break_down
from simulations.scores.bulk_tracing import ScoredRun, judge
from simulations.scores.scoring import CaseScore, Scores
from simulations.settings.scenario import Scenario, load_scenario
from simulations.streams import Streams
from tracetogether.cli.console import err, out, print_json, progress
from tracetogether.cli.simulate_figures import shown
from tracetogether.cli.simulate_settings import caution, setting
from tracetogether.cli.simulate_validate import columns_option
from tracetogether.errors import MissingExtraError, StoreError


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is to be played.

    Attributes:
        scenario, seed, start, tracks: as ``run`` takes them.
        recorded_tracks: where the tracks are from, if they are recorded ones.
        again: the kept run that is played again, if it is one.
    """

    scenario: Scenario
    seed: int
    start: float = DEFAULT_START
    tracks: CrowdTracks | None = None
    recorded_tracks: str | None = None
    again: RecordedRun | None = None


@click.command("run")
@click.argument("scenario", required=False)
@setting
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Of all chance.")
@click.option(
    "--fidelity",
    type=click.Choice(FIDELITIES),
    default="auto",
    show_default=True,
    help="One object per phone (object) or all phones in columns (vectorized); both give the same "
    "run and digest. auto chooses vectorized for large crowds.",
)
@click.option(
    "--trajectories",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Recorded tracks (CSV) to put in the place of the scenario's people; how many there are, "
    "for how long and where is then the recording's.",
)
@columns_option(TRACK_COLUMNS)
@click.option("--scene", help="Which scene of the tracks, where they hold several.")
@click.option(
    "--out",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Keep positions, contact logs, truth, contact lists and a picture in this folder.",
)
@click.option(
    "--from",
    "manifest",
    type=click.Path(exists=True, path_type=Path),
    metavar="MANIFEST",
    help="Play a kept run again, by its manifest.json (or its folder): the same keys, seed and "
    "tracks. Refused where version, code or tables differ, and failed if the digest does.",
)
@click.option(
    "--despite-changes",
    is_flag=True,
    help="With --from: play it also with another version, code or tables, and say what differs.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def run_scenario(
    context: click.Context,
    scenario: str | None,
    settings: dict[str, str],
    seed: int,
    fidelity: str,
    trajectories: Path | None,
    columns: dict[str, str] | None,
    scene: str | None,
    folder: Path | None,
    manifest: Path | None,
    *,
    despite_changes: bool,
    as_json: bool,
) -> None:
    """Play SCENARIO (a name from the list, or a TOML file of your own) and score the chain.

    Every person with the app is taken as the index case in turn; the contact lists that the
    authority's code makes of their logs are held against the simulator's ground truth.
    """
    if manifest is not None:
        _expect_alone(context, "scenario", "settings", "seed", "trajectories", "columns", "scene")
        asked = _again(manifest, folder, despite_changes=despite_changes)
    elif scenario is None:
        raise click.UsageError("name a SCENARIO, or give --from with a kept run's manifest.json")
    elif despite_changes:
        raise click.UsageError("--despite-changes speaks of --from, which is missing")
    else:
        asked = _anew(load_scenario(scenario, settings), seed, trajectories, columns, scene)
    chosen = asked.scenario
    caution(chosen)
    if folder is not None:
        prepare_folder(folder)  # say so before the work, not after it
    began = time.monotonic()
    with progress(f"{chosen.people.count} people, {chosen.duration_s / 60:g} minutes") as told:
        played = run(
            chosen,
            seed=asked.seed,
            start=asked.start,
            on_progress=told,
            fidelity=fidelity,
            tracks=asked.tracks,
        )
    _expect_the_same_digest(played, asked.again, manifest)
    with progress("Opening logs, tracing contacts") as told:
        judged = judge(played, on_progress=told)
    scores, apart = judged.scores, break_down(played, judged)
    seconds = time.monotonic() - began
    if folder is not None:
        _keep(played, judged, apart, folder, asked.recorded_tracks)
    if as_json:
        print_json(
            {
                "scenario": chosen.name,
                "seed": asked.seed,
                "digest": played.digest,
                "scores": scores.to_json() | apart.to_json(),
            }
        )
    else:
        _show(played, scores, apart, folder, seconds)


def _anew(
    scenario: Scenario,
    seed: int,
    trajectories: Path | None,
    columns: dict[str, str] | None,
    scene: str | None,
) -> _Asked:
    if trajectories is None:
        if columns or scene is not None:
            raise click.UsageError(
                "--columns and --scene speak of --trajectories, which is missing"
            )
        return _Asked(scenario, seed)
    scenes = load_tracks(trajectories, columns or {}, scenario.people, Streams(seed))
    recorded = choose_scene(scenes, scene, trajectories)
    placed, tracks = on_recorded_tracks(scenario, recorded)
    source = f"{trajectories.name}, scene {recorded.scene}"
    return _Asked(placed, seed, tracks=tracks, recorded_tracks=source)


def _expect_alone(context: click.Context, *names: str) -> None:
    """Refuse what a manifest says already: it would be another run."""
    given = click.core.ParameterSource.DEFAULT
    for name in names:
        if context.get_parameter_source(name) != given:
            said = "SCENARIO" if name == "scenario" else f"--{name.replace('settings', 'set')}"
            raise click.UsageError(f"--from plays what the manifest says; leave out {said}")


def _again(manifest: Path, folder: Path | None, *, despite_changes: bool) -> _Asked:
    again = read_run(manifest)
    kept_in = manifest if manifest.is_dir() else manifest.parent
    if folder is not None and folder.resolve() == kept_in.resolve():
        raise StoreError(f"{folder} holds the run that is played again: choose another --out")
    if not despite_changes:
        again.expect_the_same_code(manifest)
    for change in again.differs:
        err().print(f"Differs: {change}", style="yellow", soft_wrap=True)
    return _Asked(
        again.scenario, again.seed, again.start, again.tracks, again.recorded_tracks, again
    )


def _expect_the_same_digest(played: Run, again: RecordedRun | None, manifest: Path | None) -> None:
    """Compare a run that was played again with the kept one.

    Raises:
        StoreError: the digest is another, though nothing is known to differ.
    """
    if again is None:
        return
    if played.digest == again.digest:
        err().print(f"The same digest as in {manifest}.", soft_wrap=True)
        return
    words = f"{manifest} has the digest {again.digest}, but this run has {played.digest}"
    if not again.differs:
        raise StoreError(
            f"{words}. Version, code and tables are the same, so the manifest was changed, or it "
            "was written on another kind of machine. Nothing was kept"
        )
    err().print(f"Another run: {words}.", style="yellow", soft_wrap=True)


def _keep(
    played: Run, judged: ScoredRun, apart: Breakdown, folder: Path, recorded_tracks: str | None
) -> None:
    scores = judged.scores
    save_run(played, judged.truth, scores, apart, folder, recorded_tracks=recorded_tracks)
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
    table.add_row(
        "traceable interaction fraction: found of those with the app (5 % to 95 %)",
        shown(scores.tif, none="no true contact"),
    )
    table.add_row(
        f"found of all {scores.all_contacts:,} true contacts, app or not (5 % to 95 %)",
        shown(scores.found_of_all, none="no true contact"),
    )
    table.add_row(
        "no contacts among those listed (5 % to 95 %)",
        shown(scores.falsely_listed, none="nobody listed"),
    )
    table.add_row("precision", _number(scores.precision, "{:.2f}"))
    table.add_row("mean error of minutes", _number(scores.minutes_mae, "{:.1f}"))
    table.add_row("the same, guessing a constant", _number(scores.minutes_mae_constant, "{:.1f}"))
    table.add_row("intervals that hold the true minutes", _number(scores.coverage, "{:.0%}"))
    console.print(table)
    console.print(
        f"Contact: within {policy.within_m:g} m for {policy.minutes:g} minutes or more, both with "
        "the app; a pair counts once for each of the two as the case. Intervals are by people of "
        "this one run; how far runs differ, a sweep over seeds says.",
        soft_wrap=True,
    )
    console.print(_systems_table(apart))
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
        table.add_row(
            one.name,
            f"{one.windows:,}",
            shown(one.share),
            f"{one.found} of {one.true_contacts}",
        )
    return table


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)
