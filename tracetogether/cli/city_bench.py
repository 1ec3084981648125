"""`tracetogether city bench`: what a city costs, beside another simulator."""

import click

from simulations.city.city_bench import SIMULATORS, time_city
from tracetogether.cli.console import answer, note, progress, right, table
from tracetogether.cli.options import as_json, number_option
from tracetogether.cli.simulate_options import seed_option


@click.command("bench")
@click.option(
    "--against",
    type=click.Choice(SIMULATORS[1:]),
    help="Also time this simulator, with as many people, days and first cases.",
)
@number_option("--people", "Number of people.", default=20_000, least=50)
@number_option("--days", "Number of days.", default=120)
@seed_option
@as_json
def bench_city(against: str | None, people: int, days: int, seed: int, *, as_json: bool) -> None:
    """Measure CPU time and memory of small-town without measures, its construction included.

    covasim is installed by `pip install "covasim>=4"`. It keeps its own contacts and its own
    infectiousness, so attack rates are alike only as far as those are.
    """
    rows = []
    for simulator in SIMULATORS[:1] if against is None else (SIMULATORS[0], against):
        with progress(simulator, bar=False):
            rows.append(time_city(simulator, people, days, seed))
        note(f"{simulator}: {rows[-1].cpu_s:.2f} s")
    answer(
        {"rows": [row.to_json() for row in rows]},
        table(
            rows,
            ("simulator", lambda row: row.simulator),
            (right("people"), lambda row: f"{row.people:,}"),
            (right("days"), lambda row: str(row.days)),
            (right("CPU s"), lambda row: f"{row.cpu_s:.2f}"),
            (right("peak MB"), lambda row: f"{row.peak_mb:,.0f}"),
            (right("infected"), lambda row: f"{row.attack_rate:.1%}"),
            (right("agent days per CPU s"), lambda row: f"{row.agent_days_per_cpu_s:,.0f}"),
        ),
        as_json=as_json,
    )
