"""`tracetogether simulate`: play a crowd with the real library and score the whole chain."""

from dataclasses import asdict
from pathlib import Path

import click
from rich.box import SIMPLE_HEAD
from rich.table import Table

from simulations.pages.replay_page import save_page
from simulations.settings.scenario import cautions, load_scenario, scenario_names
from tracetogether.cli.console import out, print_json
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
