"""`tracetogether simulate places`: what one device at a fixed spot adds in a crowd."""

from collections.abc import Callable
from typing import Final

import click
from rich.table import Table

from simulations.studies.places import ALL_LOCKED, PlacesRow, study_places
from tracetogether.cli.console import answer, fixed, progress, right, say_wide, table
from tracetogether.cli.options import FiniteNumber, as_json
from tracetogether.cli.simulate_options import seeds_option, setting, shown, workers_option

_TABLE_WIDTH: Final = 130
_CAPTION: Final = (
    "Found: share of the cases' contacts, both with the app. False: share of those listed who were "
    "no contacts. Air found: share of the pairs who were at the place together for 15 minutes, by "
    "stays. Brackets: central 90 % by crowds."
)


@click.command("places")
@click.argument("scenarios", nargs=-1, required=True)
@seeds_option(default=3, most=1000)
@click.option(
    "--adoption",
    "adoptions",
    type=FiniteNumber(0, 1),
    multiple=True,
    metavar="SHARE",
    help="Share of people with the app. Repeatable.  [default: each scenario's]",
)
@click.option(
    "--all-locked",
    is_flag=True,
    help="All phones are iPhones, locked all the time, and no notification lights a screen.",
)
@setting
@workers_option
@as_json
def study_one_place(
    scenarios: tuple[str, ...],
    seeds: int,
    adoptions: tuple[float, ...],
    settings: dict[str, str],
    workers: int,
    *,
    all_locked: bool,
    as_json: bool,
) -> None:
    """Say what a place adds in each SCENARIO: to contacts found, and to shared air.

    Plays each crowd without a place and with the scenario's own; where it has none, one is put
    in the middle.
    """
    chosen = (dict(ALL_LOCKED) if all_locked else {}) | settings
    with progress("Playing crowds") as advance:
        rows = study_places(
            scenarios,
            range(1, seeds + 1),
            adoptions=adoptions,
            settings=chosen,
            workers=workers,
            on_progress=advance,
        )
    if as_json:
        answer([row.to_json() for row in rows], as_json=True)
        return
    say_wide(_table(rows), _TABLE_WIDTH)


def _table(rows: list[PlacesRow]) -> Table:
    def cell(name: str, digits: int = 2) -> Callable[[PlacesRow], str]:
        return lambda row: shown(row.figures[name], digits)

    return table(
        rows,
        (fixed("scenario"), lambda row: row.scenario),
        (right("app"), lambda row: f"{row.adoption:g}"),
        (right("found"), cell("found_without")),
        (right("with place"), cell("found_with")),
        (right("false"), cell("falsely_without")),
        (right("with place"), cell("falsely_with")),
        (right("air found"), cell("air_found")),
        (right("falsely"), cell("air_falsely")),
        (right("warned per case"), cell("warned_per_case", 1)),
        caption=_CAPTION,
    )
