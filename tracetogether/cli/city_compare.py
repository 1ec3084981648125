"""`tracetogether city compare`: two sets of measures in the same city."""

import os

import click

from simulations.city.compare import compare_cities
from simulations.city.run import with_people
from simulations.city.scenario import city_key, load_city, value_of
from tracetogether.cli.city_options import city_setting, days_option, people_option
from tracetogether.cli.console import answer, progress, right, table
from tracetogether.cli.options import as_json, number_option
from tracetogether.cli.simulate_options import seeds_option, settings_option


@click.command("compare")
@click.argument("scenario")
@city_setting
@settings_option(city_key, "app.adoption=0, on the other side of the comparison", "--against")
@seeds_option(default=10, most=1000)
@number_option("--workers", "Number of processes.  [default: one for each processor]")
@people_option
@days_option
@as_json
def compare_measures(
    scenario: str,
    settings: dict[str, str],
    against: dict[str, str],
    seeds: int,
    workers: int | None,
    people: int | None,
    days: int | None,
    *,
    as_json: bool,
) -> None:
    """Run SCENARIO twice for each seed, and say in one sentence what the difference does.

    One side has the values of --set. The other side has them too, but those of --against replace
    them. Both sides have the same people, contacts and random numbers.
    """
    if not against:
        raise click.UsageError("say what to compare with, such as --against app.adoption=0")
    first = with_people(load_city(scenario, settings), people, days)
    second = with_people(load_city(scenario, settings | against), people, days)
    with progress(f"{2 * seeds} runs") as advance:
        found = compare_cities(
            first, second, seeds=seeds, workers=workers or os.cpu_count() or 1, on_progress=advance
        )
    names = {key: city_key(key).name for key in against}
    mine = {city_key(key).name: value for key, value in settings.items()}
    sides = (
        ", ".join(f"{name}={mine.get(name, value_of(first, name))}" for name in names.values()),
        ", ".join(f"{names[key]}={value}" for key, value in against.items()),
    )
    answer(
        found.to_json(*sides),
        table(
            found.rows,
            (right("seed"), lambda row: str(row["seed"])),
            (right("infections"), lambda row: f"{row['infections']:,}"),
            (right("against"), lambda row: f"{row['against_infections']:,}"),
            (right("averted"), lambda row: f"{row['averted']:,}"),
            (right("quarantine, not infected"), lambda row: f"{row['quarantine_days_not']:,}"),
            (right("against"), lambda row: f"{row['against_quarantine_days_not']:,}"),
        ),
        found.answer(*sides),
        *found.details(),
        as_json=as_json,
    )
