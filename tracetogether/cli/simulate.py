"""`tracetogether simulate`: play a crowd with the real library and score the whole chain."""

from dataclasses import asdict
from pathlib import Path

import click
from rich.table import Column

from simulations.pages.replay_page import save_page
from simulations.settings.scenario import (
    cautions,
    load_scenario,
    scenario_keys,
    scenario_names,
    scenario_schema,
)
from tracetogether.cli.console import out, print_json, right, table
from tracetogether.cli.simulate_bench import bench_crowds
from tracetogether.cli.simulate_export import export_numbers
from tracetogether.cli.simulate_run import run_scenario
from tracetogether.cli.simulate_settings import caution, setting
from tracetogether.cli.simulate_sweep import sweep_scenario
from tracetogether.cli.simulate_validate import validate


@click.group()
def simulate() -> None:
    """Play crowds of simulated people whose phones run this very library."""


simulate.add_command(validate)
simulate.add_command(run_scenario)
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
                    "scenario": scenario.name,
                    "title": scenario.title,
                    "modelled_on": " ".join(scenario.modelled_on.split()),
                    "people": scenario.people.count,
                    "duration_s": scenario.duration_s,
                    "adoption": scenario.people.adoption,
                }
                for scenario in scenarios
            ]
        )
        return
    headings = (
        Column("scenario", no_wrap=True),
        right("people"),
        right("minutes"),
        right("with app"),
        "what it is",
    )
    rows = (
        (
            scenario.name,
            str(scenario.people.count),
            f"{scenario.duration_s / 60:g}",
            f"{scenario.people.adoption:.0%}",
            scenario.title,
        )
        for scenario in scenarios
    )
    out().print(table(headings, rows))


@simulate.command()
@click.option("--json", "as_json", is_flag=True, help="Print the JSON schema of a scenario file.")
def keys(*, as_json: bool) -> None:
    """List the keys of a scenario file with their limits, defaults and meanings."""
    if as_json:
        print_json(scenario_schema())
        return
    rows = (
        (key.name, key.span, "required" if key.default is None else str(key.default), key.doc)
        for key in scenario_keys()
    )
    headings = (Column("key", no_wrap=True), "values", "default", "meaning")
    out().print(table(headings, rows))


@simulate.command()
@click.argument("scenario")
@setting
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def check(scenario: str, settings: dict[str, str], *, as_json: bool) -> None:
    """Check SCENARIO, a TOML file of your own or a name from the list, without playing it.

    Warns of one that is valid and can find nobody, such as one that is shorter than its policy.
    """
    chosen = load_scenario(scenario, settings)
    if as_json:
        said = {"scenario": chosen.name, "ok": True, "warnings": cautions(chosen)}
        print_json({**said, "keys": asdict(chosen)})
        return
    out().print(
        f"{chosen.name} is a valid scenario: {chosen.title} ({chosen.people.count} people, "
        f"{chosen.duration_s / 60:g} minutes, {chosen.people.adoption:.0%} with the app).",
        soft_wrap=True,
    )
    caution(chosen)


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
