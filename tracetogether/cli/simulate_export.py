"""`tracetogether simulate export`: detection numbers in the form other simulators want."""

from pathlib import Path

import click

from simulations.settings.scenario import load_scenario
from simulations.studies.export import NOTE, SIMULATORS, Detection, export
from simulations.studies.sweep import plan, points, sweep
from tracetogether.cli.console import out, print_json, progress
from tracetogether.cli.simulate_settings import setting


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
    metavar="NAME",
    help="A scenario to play, by name or file; may be repeated.",
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
    found = []
    for name in scenarios:
        chosen = load_scenario(name, settings)
        parts = plan(name, {}, seeds=seeds, settings=settings, cases=cases)
        with progress(f"{name}, {len(parts)} runs") as told:
            rows = sweep(parts, workers=workers, on_progress=told)
        (point,) = points(rows)
        policy = f"within {chosen.policy.within_m:g} m for {chosen.policy.minutes:g} minutes"
        found.append(
            Detection.of(chosen.name, point, adoption=chosen.people.adoption, policy=policy)
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
                        "adoption": one.adoption,
                        "both": [one.both.low, one.both.median, one.both.high],
                        "everybody": [
                            one.everybody.low,
                            one.everybody.median,
                            one.everybody.high,
                        ],
                    }
                    for one in found
                ],
            }
        )
        return
    out().print(f"Written to {target}", soft_wrap=True)
    out().print(f"What it means: {folder / NOTE}", soft_wrap=True)
