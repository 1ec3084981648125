"""`tracetogether simulate export`: detection numbers in the form other simulators want."""

from pathlib import Path

import click

from simulations.scores.intervals import Measured
from simulations.settings.scenario import load_scenario
from simulations.studies.export import (
    COVASIM_SCRIPT,
    NOTE,
    SIMULATORS,
    Detection,
    expect_layer,
    export,
)
from simulations.studies.sweep import plan, points, sweep
from tracetogether.cli.console import answer, progress
from tracetogether.cli.options import FOLDER, as_json
from tracetogether.cli.simulate_options import (
    cases_option,
    caution,
    seeds_option,
    setting,
    workers_option,
)
from tracetogether.cli.simulate_sweep import expect_all_played
from tracetogether.plain_text import counted


@click.command("export")
@click.argument("folder", type=FOLDER)
@click.option(
    "--for",
    "simulator",
    type=click.Choice(SIMULATORS),
    required=True,
    help="The epidemic simulator to write parameters for.",
)
@click.option(
    "--scenario",
    "scenarios",
    multiple=True,
    default=("train-carriage",),
    show_default=True,
    metavar="NAME[=LAYER]",
    help="Scenario to play, by name or file, with its layer in covasim: h household, s school, w "
    "work, c community. Without LAYER, the scenario's key `layer` counts. Repeatable.",
)
@setting
@seeds_option(default=5)
@workers_option
@cases_option
@as_json
def export_numbers(
    folder: Path,
    simulator: str,
    scenarios: tuple[str, ...],
    settings: dict[str, str],
    seeds: int,
    workers: int,
    cases: int | None,
    *,
    as_json: bool,
) -> None:
    """Play scenarios and write the share of contacts found into FOLDER, for another simulator.

    The files hold each number with its interval, and a note that explains it.
    """
    named = [_with_layer(word) for word in scenarios]
    loaded = [(name, layer, load_scenario(name, settings)) for name, layer in named]
    if simulator == "covasim":  # before the work, not after it
        for name, layer, chosen in loaded:
            expect_layer(name, layer if layer is not None else chosen.layer)
    caution(*(chosen for _, _, chosen in loaded))
    found = []
    for name, layer, chosen in loaded:
        parts = plan(name, {}, seeds=seeds, settings=settings, cases=cases)
        with progress(f"{name}, {counted(len(parts), 'runs')}") as advance:
            rows = sweep(parts, workers=workers, on_progress=advance)
        expect_all_played(rows)
        (point,) = points(rows)
        policy = f"within {chosen.policy.within_m:g} m for {chosen.policy.minutes:g} minutes"
        found.append(
            Detection.of(
                chosen.name,
                point,
                layer=layer if layer is not None else chosen.layer,
                adoption=chosen.people.adoption,
                policy=policy,
            )
        )
    target = export(found, simulator, folder)
    written = [f"Written to {target}", f"What it means: {folder / NOTE}"]
    if simulator == "covasim":
        written.append(f"Try it: python {folder / COVASIM_SCRIPT}")
    answer(
        {
            "file": str(target),
            "for": simulator,
            "scenarios": [
                {
                    "scenario": detection.scenario,
                    "layer": detection.layer,
                    "adoption": detection.adoption,
                    "runs": detection.runs,
                    "both": _three(detection.both),
                    "everybody": _three(detection.everybody),
                    "false_per_person_hour": _three(detection.false_per_person_hour),
                }
                for detection in found
            ],
        },
        *written,
        as_json=as_json,
    )


def _with_layer(word: str) -> tuple[str, str | None]:
    """Return name and layer of ``NAME=LAYER``; no layer where none is given."""
    if "=" not in word or Path(word).exists():
        return word, None
    name, _, layer = word.rpartition("=")
    return name, layer.strip()


def _three(value: Measured) -> list[float | None]:
    return [value.low, value.median, value.high]
