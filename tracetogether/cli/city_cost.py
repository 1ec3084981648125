"""`tracetogether city cost`: what a run costs by its number of people."""

import click

from simulations.city.cost_by_size import SPREADS, cost_of_size
from tracetogether.cli.city_options import processes_option
from tracetogether.cli.console import answer, fixed, note, right, table
from tracetogether.cli.options import WholeNumber, as_json, number_option
from tracetogether.cli.simulate_options import seed_option


@click.command("cost")
@click.option(
    "--people",
    "sizes",
    multiple=True,
    type=WholeNumber(50, None),
    metavar="NUMBER",
    default=(10_000, 100_000, 1_000_000),
    show_default=True,
    help="Number of people. Repeatable.",
)
@click.option(
    "--spread",
    "spreads",
    multiple=True,
    type=click.Choice(SPREADS),
    help="How far the infection gets against the measures; in a wave there are none. Repeatable.  "
    "[default: all]",
)
@number_option("--days", "Number of days.", default=120)
@processes_option
@seed_option
@as_json
def cost_by_size(
    sizes: tuple[int, ...],
    spreads: tuple[str, ...],
    days: int,
    processes: int,
    seed: int,
    *,
    as_json: bool,
) -> None:
    """Measure CPU time and memory of singapore-2020 with other numbers of people.

    The page docs/explanation/city-cost.md has such a table up to 60 million people.
    """
    rows = []
    for people in sizes:
        for spread in spreads or SPREADS:
            rows.append(cost_of_size(spread, people, days=days, processes=processes, seed=seed))
            note(f"{spread}, {people:,} people: {rows[-1].cpu_s:.2f} s")
    answer(
        {"rows": [row.to_json() for row in rows]},
        table(
            rows,
            (fixed("run"), lambda row: row.spread),
            (right("people"), lambda row: f"{row.people:,}"),
            (right("processes"), lambda row: str(row.processes)),
            (right("CPU s"), lambda row: f"{row.cpu_s:.2f}"),
            (right("peak MB"), lambda row: f"{row.peak_mb:,.0f}"),
            (right("infected"), lambda row: f"{row.attack_rate:.1%}"),
            (right("agent days per CPU s"), lambda row: f"{row.agent_days_per_cpu_s:,.0f}"),
        ),
        as_json=as_json,
    )
