"""`tracetogether simulate gates`: whom an automatic rule would keep out after a crowd."""

from collections.abc import Callable
from typing import Final

import click
from rich.table import Table

from simulations.settings.scenario import scenario_names
from simulations.studies.gates import CHANCES, RISK_PER_HOUR, KeptOutRow, study_gates
from tracetogether.cli.console import answer, fixed, progress, right, say_wide, table
from tracetogether.cli.options import FiniteNumber, as_json
from tracetogether.cli.simulate_options import seeds_option, setting, shown, workers_option

_TABLE_WIDTH: Final = 190
_CAPTION: Final = (
    "Each person with the app is taken as the case once. advice: only the case has no pass; "
    "strict-2020: nor has who is listed, for 7 days. Brackets: central 90 % by crowds."
)


@click.command("gates")
@click.argument("scenarios", nargs=-1)
@seeds_option(default=3, most=1000)
@click.option(
    "--least-chance",
    "chances",
    type=FiniteNumber(0, 1),
    multiple=True,
    default=CHANCES,
    show_default=True,
    metavar="CHANCE",
    help="Also restrict whom the list gives this chance of a contact or more, beside the chance "
    "of the scenario's policy. Repeatable.",
)
@click.option(
    "--risk-per-hour",
    type=FiniteNumber(0, 100),
    default=RISK_PER_HOUR,
    show_default=True,
    metavar="RISK",
    help="Chance of an infection for each hour near a case.",
)
@setting
@workers_option
@as_json
def study_kept_out(
    scenarios: tuple[str, ...],
    seeds: int,
    chances: tuple[float, ...],
    risk_per_hour: float,
    settings: dict[str, str],
    workers: int,
    *,
    as_json: bool,
) -> None:
    """Say whom gates would keep out after each SCENARIO, by default all, and how often wrongly.

    A rule that takes the passes of everybody listed by Bluetooth is compared with one that only
    advises. The true positions say whether those kept out met the case, and for how long.
    """
    with progress("Playing crowds") as advance:
        rows = study_gates(
            scenarios or scenario_names(),
            range(1, seeds + 1),
            settings=settings,
            chances=chances,
            risk_per_hour=risk_per_hour,
            workers=workers,
            on_progress=advance,
        )
    if as_json:
        answer([row.to_json() for row in rows], as_json=True)
        return
    say_wide(_table(rows), _TABLE_WIDTH)


def _table(rows: list[KeptOutRow]) -> Table:
    def cell(name: str, digits: int = 2) -> Callable[[KeptOutRow], str]:
        return lambda row: _cell(row, name, digits)

    return table(
        rows,
        (fixed("scenario"), lambda row: row.scenario),
        (fixed("policy"), lambda row: row.policy),
        (right("from chance"), lambda row: _chance(row.least_chance)),
        (right("kept out per case"), cell("kept_out")),
        (right("no contact"), cell("no_contact")),
        (right("not infected"), cell("not_infected", 3)),
        (right("wrong days per case"), cell("wrong_days", 1)),
        (right("infected kept out"), cell("infected_kept_out")),
        (right("bits per person"), cell("bits")),
        caption=_CAPTION,
    )


def _cell(row: KeptOutRow, name: str, digits: int) -> str:
    figure = row.figures[name]
    advised = row.least_chance is None and name != "bits"
    return "0" if advised and figure is not None else shown(figure, digits)


def _chance(least: float | None) -> str:
    return "-" if least is None else f"{least:g}"
