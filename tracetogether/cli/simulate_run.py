"""`tracetogether simulate run`: one run with its scores, and a kept run played again."""

import time
from dataclasses import dataclass
from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from simulations.library.one_crowd import run
from simulations.one_run import DEFAULT_START, Run
from simulations.pages.recorded_run import RecordedRun, read_run
from simulations.pages.recording import prepare_folder
from simulations.people.trajectories import (
    TRACK_COLUMNS,
    choose_scene,
    load_tracks,
    on_recorded_tracks,
)
from simulations.places.tracks import CrowdTracks
from simulations.scores.breakdown import Breakdown
from simulations.scores.scoring import Scores
from simulations.settings.scenario import Scenario, load_scenario
from simulations.streams import Streams
from tracetogether.cli.console import note, percent, print_json, progress, right, say, table, warn
from tracetogether.cli.options import EXISTING_FILE, as_json
from tracetogether.cli.simulate_options import (
    caution,
    columns_option,
    fidelity_option,
    out_option,
    seed_option,
    setting,
    shown,
)
from tracetogether.errors import StoreError
from tracetogether.plain_text import counted


@dataclass(frozen=True, slots=True)
class _RunRequest:
    """The run that the command plays.

    Attributes:
        scenario, seed, start, tracks: as ``run`` takes them.
        recorded_tracks: the source of recorded tracks; None for simulated ones.
        again: the kept run to play again, if any.
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
@seed_option
@fidelity_option
@click.option(
    "--trajectories",
    type=EXISTING_FILE,
    metavar="FILE",
    help="Recorded tracks (CSV) that replace the scenario's people. The recording then gives the "
    "number of people, the duration and the positions.",
)
@columns_option(TRACK_COLUMNS, "tracks")
@click.option("--scene", help="Scene of the tracks to play, if the file has several.")
@out_option("Folder for positions, contact logs, truth, contact lists and a picture.")
@click.option(
    "--from",
    "manifest",
    type=click.Path(exists=True, path_type=Path),
    metavar="MANIFEST",
    help="Play a kept run again, from its manifest.json or its folder: same keys, seed and tracks. "
    "Refused if version, code or tables differ; fails if the digest differs.",
)
@click.option(
    "--despite-changes",
    is_flag=True,
    help="With --from: play it although version, code or tables differ, and print what differs.",
)
@as_json
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
    """Play SCENARIO, a TOML file or a name from `simulate list`, and score contact tracing.

    Each person with the app becomes the index case in turn. The authority's code makes a contact
    list from the logs, and the scores compare that list with the simulator's ground truth.
    """
    if manifest is not None:
        _expect_alone(context, "scenario", "settings", "seed", "trajectories", "columns", "scene")
        asked = _again(manifest, folder, despite_changes=despite_changes)
    elif scenario is None:
        raise click.UsageError("name a SCENARIO, or give --from with a kept run's manifest.json")
    elif despite_changes:
        raise click.UsageError("--despite-changes needs --from")
    else:
        asked = _new_run(load_scenario(scenario, settings), seed, trajectories, columns, scene)
    chosen = asked.scenario
    caution(chosen)
    if folder is not None:
        prepare_folder(folder)  # fails before the work, not after it
    began = time.monotonic()
    minutes = counted(chosen.duration_s / 60, "minutes")
    with progress(f"{counted(chosen.people.count, 'people')}, {minutes}") as advance:
        found = run(
            chosen,
            seed=asked.seed,
            start=asked.start,
            on_progress=advance,
            fidelity=fidelity,
            tracks=asked.tracks,
            recorded_tracks=asked.recorded_tracks,
        )
    played, scores, parts = found.run, found.scores, found.parts
    _expect_the_same_digest(played, asked.again, manifest)
    seconds = time.monotonic() - began
    if folder is not None:
        found.save(folder)
        if found.why_no_picture:
            warn(f"No picture: {found.why_no_picture}")
    if as_json:
        print_json(
            {
                "scenario": chosen.name,
                "seed": asked.seed,
                "digest": played.digest,
                "scores": scores.to_json() | parts.to_json(),
            }
        )
    else:
        _show(played, scores, parts, folder, seconds)


def _new_run(
    scenario: Scenario,
    seed: int,
    trajectories: Path | None,
    columns: dict[str, str] | None,
    scene: str | None,
) -> _RunRequest:
    if trajectories is None:
        if columns or scene is not None:
            raise click.UsageError("--columns and --scene need --trajectories")
        return _RunRequest(scenario, seed)
    scenes = load_tracks(trajectories, columns or {}, scenario.people, Streams(seed))
    recorded = choose_scene(scenes, scene, trajectories)
    placed, tracks = on_recorded_tracks(scenario, recorded)
    source = f"{trajectories.name}, scene {recorded.scene}"
    return _RunRequest(placed, seed, tracks=tracks, recorded_tracks=source)


def _expect_alone(context: click.Context, *names: str) -> None:
    """Refuse options that the manifest decides: with them it would be another run."""
    given = click.core.ParameterSource.DEFAULT
    for name in names:
        if context.get_parameter_source(name) != given:
            said = "SCENARIO" if name == "scenario" else f"--{name.replace('settings', 'set')}"
            raise click.UsageError(f"the manifest of --from decides this: leave out {said}")


def _again(manifest: Path, folder: Path | None, *, despite_changes: bool) -> _RunRequest:
    again = read_run(manifest)
    kept_in = manifest if manifest.is_dir() else manifest.parent
    if folder is not None and folder.resolve() == kept_in.resolve():
        raise StoreError(f"{folder} holds the run that is played again: choose another --out")
    if not despite_changes:
        again.expect_the_same_code(manifest)
    for change in again.differs:
        warn(f"Differs: {change}")
    return _RunRequest(
        again.scenario, again.seed, again.start, again.tracks, again.recorded_tracks, again
    )


def _expect_the_same_digest(played: Run, again: RecordedRun | None, manifest: Path | None) -> None:
    """Compare a run that was played again with the kept one.

    Raises:
        StoreError: the digests differ although version, code and tables are the same.
    """
    if again is None:
        return
    if played.digest == again.digest:
        note(f"The same digest as in {manifest}.")
        return
    words = f"{manifest} has the digest {again.digest}, but this run has {played.digest}"
    if not again.differs:
        raise StoreError(
            f"{words}. Version, code and tables are the same, so the manifest was changed, or it "
            "was written on another kind of machine. Nothing was kept"
        )
    warn(f"Another run: {words}.")


def _show(
    played: Run, scores: Scores, parts: Breakdown, folder: Path | None, seconds: float
) -> None:
    policy, counts = scores.policy, played.counts
    played_by = (
        f", seed {played.seed}: {counted(played.tracks.people, 'people')}, "
        f"{len(played.app)} with the app, "
        f"{counted(played.scenario.duration_s / 60, 'minutes')} ({seconds:.1f} s)"
    )
    scans, heard, tried, came, left = (
        counts.get(name, 0)
        for name in ("scans", "receptions", "connections_tried", "connections", "records")
    )
    rows = (
        ("index cases, one after the other", f"{len(scores.cases):,}"),
        ("true contacts with the app found", f"{scores.found:,}"),
        ("true contacts with the app missed", f"{scores.missed:,}"),
        ("falsely listed", f"{scores.false_contacts:,}"),
        (
            "traceable interaction fraction: found of those with the app (5 % to 95 %)",
            shown(scores.tif, none="no true contact"),
        ),
        (
            f"found of all {scores.all_contacts:,} true contacts, app or not (5 % to 95 %)",
            shown(scores.found_of_all, none="no true contact"),
        ),
        (
            "no contacts among those listed (5 % to 95 %)",
            shown(scores.falsely_listed, none="nobody listed"),
        ),
        ("precision", _number(scores.precision, "{:.2f}")),
        ("mean error of minutes", _number(scores.minutes_mae, "{:.1f}")),
        ("the same, guessing a constant", _number(scores.minutes_mae_constant, "{:.1f}")),
        ("intervals that hold the true minutes", _number(scores.coverage, "{:.0%}")),
    )
    say(
        Text.assemble((played.scenario.name, "bold"), played_by),
        f"{counted(scans, 'scans')} heard {counted(heard, 'advertisements')}. {came:,} of "
        f"{tried:,} connections succeeded and left {counted(left, 'records')}.",
        table(
            rows,
            ("what", lambda row: row[0]),
            (right("value"), lambda row: row[1]),
            show_header=False,
        ),
        f"Contact: within {policy.within_m:g} m for {policy.minutes:g} minutes or more, both with "
        f"the app. Listed as one: {percent(policy.least_chance)} likely or more. "
        "A pair counts twice, once with each of the two as the case. Intervals are over "
        "the people of this one run; a sweep over seeds shows how runs differ.",
        _systems_table(parts),
    )
    cost = ", ".join(
        f"{name} {share:.1f} %" for name, share in parts.battery_percent_per_hour.items()
    )
    if cost:
        say(f"Battery per hour, by assumed currents: {cost}.")
    if parts.lost:
        lost = ", ".join(f"{name} {count:,}" for name, count in parts.lost.items())
        say(f"Lost: {lost}.")
    say(f"Digest {played.digest}")
    if folder is not None:
        say(f"Kept in {folder}")


def _systems_table(parts: Breakdown) -> Table:
    return table(
        parts.by_systems,
        ("who - whom", lambda systems: systems.name),
        (right("quarters of an hour near"), lambda systems: f"{systems.windows:,}"),
        (right("recorded (5 % to 95 %)"), lambda systems: shown(systems.share)),
        (right("contacts found"), lambda systems: f"{systems.found} of {systems.true_contacts}"),
    )


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)
