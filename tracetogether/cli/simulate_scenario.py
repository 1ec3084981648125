"""`tracetogether simulate list`, `keys`, `check` and `report`: a scenario before and after."""

from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from simulations.settings.scenario import (
    cautions,
    load_scenario,
    scenario_keys,
    scenario_names,
    scenario_schema,
)
from tracetogether.cli.console import answer, fixed, right, say, table
from tracetogether.cli.options import EXISTING_FOLDER, FILE, as_json
from tracetogether.cli.simulate_options import caution, keys_table, setting
from tracetogether.errors import MissingExtraError
from tracetogether.plain_text import counted


@click.command("list")
@as_json
def list_scenarios(*, as_json: bool) -> None:
    """List the scenarios that come with the library."""
    scenarios = [load_scenario(name) for name in scenario_names()]
    listed = [
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
    shown = table(
        scenarios,
        (fixed("scenario"), lambda scenario: scenario.name),
        (right("people"), lambda scenario: str(scenario.people.count)),
        (right("minutes"), lambda scenario: f"{scenario.duration_s / 60:g}"),
        (right("with app"), lambda scenario: f"{scenario.people.adoption:.0%}"),
        ("what it is", lambda scenario: scenario.title),
    )
    answer(listed, shown, as_json=as_json)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the JSON schema of a scenario file.")
def keys(*, as_json: bool) -> None:
    """List the keys of a scenario file with their limits, defaults and meanings."""
    answer(scenario_schema(), keys_table(scenario_keys()), as_json=as_json)


@click.command()
@click.argument("scenario")
@setting
@as_json
def check(scenario: str, settings: dict[str, str], *, as_json: bool) -> None:
    """Check SCENARIO, a TOML file or a name from `simulate list`, without playing it.

    Warns about a valid scenario that can't find anybody, such as one shorter than its policy.
    """
    chosen = load_scenario(scenario, settings)
    found = {"scenario": chosen.name, "ok": True, "warnings": cautions(chosen)}
    answer(
        {**found, "keys": asdict(chosen)},
        f"{chosen.name} is a valid scenario: {chosen.title} "
        f"({counted(chosen.people.count, 'people')}, {counted(chosen.duration_s / 60, 'minutes')}, "
        f"{chosen.people.adoption:.0%} with the app).",
        as_json=as_json,
    )
    if not as_json:
        caution(chosen)


@click.command()
@click.argument("folder", type=EXISTING_FOLDER, metavar="RUN")
@click.argument("other", type=EXISTING_FOLDER, metavar="[RUN]", required=False)
@click.option(
    "-o",
    "--output",
    type=FILE,
    default=Path("report.html"),
    show_default=True,
    metavar="FILE",
    help="The page to write.",
)
@click.option(
    "--sweep",
    type=EXISTING_FOLDER,
    metavar="DIR",
    help="Also draw the curve of a sweep over adoption, from the folder of its --out.",
)
def report(folder: Path, other: Path | None, output: Path, sweep: Path | None) -> None:
    """Make one HTML page of a kept run, or of two side by side.

    RUN is the folder of `simulate run --out`. The page has the share of contacts found, where the
    others were lost, the place with a replay, each list beside what happened, and tables. It needs
    no network and no other file, and prints on A4.
    """
    try:
        page: Any = import_module("simulations.pages.report_page")
    except ModuleNotFoundError as missing:
        if missing.name not in {"jinja2", "markupsafe"}:
            raise
        raise MissingExtraError("The page", "plot") from None
    page.save_page(folder, output, other=other, sweep=sweep)
    say(f"Written to {output}")
