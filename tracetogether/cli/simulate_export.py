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
from tracetogether.cli.console import out, print_json, progress
from tracetogether.cli.simulate_settings import caution, setting
from tracetogether.cli.simulate_sweep import expect_all_played


@click.command("export")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--for",
    "simulator",
    type=click.Choice(SIMULATORS),
    required=True,
    help="Whose parameters: OpenABM-Covid19 or covasim.",
)
@click.option(
    "--scenario",
    "scenarios",
    multiple=True,
    default=("train-carriage",),
    show_default=True,
    metavar="NAME[=LAYER]",
    help="A scenario to play, by name or file; may be repeated. LAYER is covasim's: h household, "
    "s school, w work, c community; without it the file's own key `layer` counts.",
)
@setting
@click.option(
    "--seeds", type=click.IntRange(1), default=5, show_default=True, help="Runs of each scenario."
)
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Processes.")
@click.option(
    "--cases", type=click.IntRange(1), help="Index cases of each run; everybody if not given."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
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
    """Play scenarios and write what share of contacts is found into FOLDER, for a simulator.

    The numbers come with their interval and a note of what they mean there.
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
        with progress(f"{name}, {len(parts)} runs") as told:
            rows = sweep(parts, workers=workers, on_progress=told)
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
    if as_json:
        print_json(
            {
                "file": str(target),
                "for": simulator,
                "scenarios": [
                    {
                        "scenario": one.scenario,
                        "layer": one.layer,
                        "adoption": one.adoption,
                        "runs": one.runs,
                        "both": _three(one.both),
                        "everybody": _three(one.everybody),
                        "false_per_person_hour": _three(one.false_per_person_hour),
                    }
                    for one in found
                ],
            }
        )
        return
    out().print(f"Written to {target}", soft_wrap=True)
    out().print(f"What it means: {folder / NOTE}", soft_wrap=True)
    if simulator == "covasim":
        out().print(f"Try it: python {folder / COVASIM_SCRIPT}", soft_wrap=True)


def _with_layer(word: str) -> tuple[str, str | None]:
    """Return name and layer of ``NAME=LAYER``; no layer where none is given."""
    if "=" not in word or Path(word).exists():
        return word, None
    name, _, layer = word.rpartition("=")
    return name, layer.strip()


def _three(value: Measured) -> list[float | None]:
    return [value.low, value.median, value.high]
