"""`tracetogether city bench`: what a city costs, beside another simulator."""

from dataclasses import asdict

import click

from simulations.city.city_bench import SIMULATORS, CityTiming, bench, means
from tracetogether.cli.console import answer, note, right, table
from tracetogether.cli.options import as_json, number_option
from tracetogether.cli.simulate_options import seeds_option
from tracetogether.plain_text import counted


@click.command("bench")
@click.option(
    "--against",
    type=click.Choice(SIMULATORS[1:]),
    help="Also time this simulator, and make the city like its cities.",
)
@number_option("--people", "Number of people.", default=20_000, least=50)
@number_option("--days", "Number of days.", default=120)
@seeds_option(default=3, most=100)
@as_json
def bench_city(against: str | None, people: int, days: int, seeds: int, *, as_json: bool) -> None:
    """Measure CPU time and memory of a city, its construction included, with and without tracing.

    covasim is installed by `pip install "covasim>=4"`. Both cities have the same households,
    school and work groups and random contacts. First, cities of covasim are run in which few
    people are infected: how many they infect, and when, is what our city is calibrated to. Nobody
    is infected twice. With tracing, half of the people with symptoms get a test, and contacts of
    cases at home, at school and at work are called.
    """
    rows, like = bench(people, days, seeds, against=against is not None, on_done=_say)
    averages = means(rows)
    answer(
        {
            "rows": [row.to_json() for row in rows],
            "means": averages,
            "matched_to": asdict(like) if against else None,
        },
        table(
            averages,
            ("simulator", lambda row: row["simulator"]),
            ("measures", lambda row: row["measures"]),
            (right("CPU s"), lambda row: f"{row['cpu_s']:.2f}"),
            (right("peak MB"), lambda row: f"{row['peak_mb']:,.0f}"),
            (right("infected (lowest - highest)"), _infected),
            (right("worst week around day"), _peak),
            (right("agent days per CPU s"), lambda row: f"{row['agent_days_per_cpu_s']:,.0f}"),
        ),
        (
            f"Means of {counted(seeds, 'seeds')}, {counted(people, 'people')}, "
            f"{counted(days, 'days')}."
        ),
        as_json=as_json,
    )


def _say(row: CityTiming) -> None:
    note(f"{row.simulator}, measures: {row.measures}, seed {row.seed}: {row.cpu_s:.2f} s")


def _infected(row: dict[str, float]) -> str:
    low, high = row["attack_rate_lowest"], row["attack_rate_highest"]
    return f"{row['attack_rate']:.1%} ({low:.1%} - {high:.1%})"


def _peak(row: dict[str, float]) -> str:
    return f"{row['peak_day']:.0f} ({row['peak_day_lowest']:.0f} - {row['peak_day_highest']:.0f})"
