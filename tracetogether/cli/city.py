"""`tracetogether city`: an epidemic in a whole city, with the measures against it."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from simulations.city.keys import CityScenario
from simulations.city.results import infections_by_layer, save, summary
from simulations.city.run import run_city, with_people
from simulations.city.scenario import city_key, city_keys, city_names, city_schema, load_city
from simulations.pages.recording import prepare_folder
from tracetogether.cli.console import answer, fixed, right, say, table
from tracetogether.cli.options import as_json, number_option
from tracetogether.cli.simulate_options import keys_table, out_option, seed_option, settings_option

city_setting = settings_option(city_key, "people.count=5000 or reproduction_number=3")
people_option = number_option("--people", "Number of people, instead of the scenario's.", least=50)
days_option = number_option("--days", "Number of days, instead of the scenario's.")


@click.group()
def city() -> None:
    """Simulate an epidemic in a city, person by person."""


@city.command("list")
@as_json
def list_cities(*, as_json: bool) -> None:
    """List the cities that come with the library."""
    scenarios = [load_city(name) for name in city_names()]
    listed = [
        {
            "scenario": scenario.name,
            "title": scenario.title,
            "modelled_on": " ".join(scenario.modelled_on.split()),
            "people": scenario.people.count,
            "days": scenario.days,
        }
        for scenario in scenarios
    ]
    shown = table(
        scenarios,
        (fixed("scenario"), lambda scenario: scenario.name),
        (right("people"), lambda scenario: f"{scenario.people.count:,}"),
        (right("days"), lambda scenario: str(scenario.days)),
        ("what it is", lambda scenario: scenario.title),
    )
    answer(listed, shown, as_json=as_json)


@city.command()
@click.option("--json", "as_json", is_flag=True, help="Print the JSON schema of a scenario file.")
def keys(*, as_json: bool) -> None:
    """List the keys of a city's scenario file with their limits, defaults and meanings."""
    answer(city_schema(), keys_table(city_keys()), as_json=as_json)


@city.command()
@click.argument("scenario")
@city_setting
@as_json
def check(scenario: str, settings: dict[str, str], *, as_json: bool) -> None:
    """Check SCENARIO, a TOML file or a name from `city list`, without running it."""
    chosen = load_city(scenario, settings)
    answer(
        {"scenario": chosen.name, "ok": True, "keys": asdict(chosen)},
        f"{chosen.name} is a valid scenario: {chosen.title} ({chosen.people.count:,} people, "
        f"{chosen.days} days).",
        as_json=as_json,
    )


@city.command("run")
@click.argument("scenario")
@city_setting
@seed_option
@people_option
@days_option
@out_option("Folder for the figures, the curve and the layers of the run.")
@as_json
def run_scenario(
    scenario: str,
    settings: dict[str, str],
    seed: int,
    people: int | None,
    days: int | None,
    folder: Path | None,
    *,
    as_json: bool,
) -> None:
    """Run SCENARIO, a TOML file or a name from `city list`, day by day.

    Contacts are computed when they are needed and never stored. The same seed gives the same
    digest on every machine.
    """
    chosen = chosen_city(scenario, settings, people, days)
    if folder is not None:
        prepare_folder(folder)  # fails before the work, not after it
    played = run_city(chosen, seed=seed)
    found = summary(played)
    if folder is not None:
        save(played, folder)
    answer(found, *_shown(found, infections_by_layer(played)), as_json=as_json)
    if folder is not None and not as_json:
        say(f"Kept in {folder}")


def chosen_city(
    name: str, settings: dict[str, str], people: int | None, days: int | None
) -> CityScenario:
    """Return the scenario with what the command line replaces."""
    return with_people(load_city(name, settings), people, days)


def _shown(found: dict[str, Any], by_layer: dict[str, int]) -> list[Any]:
    spread = ", ".join(f"{name} {count:,}" for name, count in by_layer.items())
    return [
        (
            f"{found['scenario']}, seed {found['seed']}: {found['people']:,} people, "
            f"{found['days']} days ({found['cpu_s']:.1f} CPU seconds)"
        ),
        (
            f"{found['infections']:,} infected, {found['attack_rate']:.1%} of all; most around day "
            f"{found['peak_day']}."
        ),
        f"Infected by layer of contacts: {spread}.",
        f"Digest {found['digest']}",
    ]
