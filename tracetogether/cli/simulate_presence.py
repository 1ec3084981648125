"""`tracetogether simulate check-in`: what check-in adds to Bluetooth in a crowd."""

from collections.abc import Callable
from typing import Final

import click
from rich.table import Table

from simulations.studies.presence import ADOPTIONS, SHARES, PresenceRow, study_presence
from tracetogether.cli.console import answer, fixed, progress, right, say_wide, table
from tracetogether.cli.options import FiniteNumber, as_json
from tracetogether.cli.simulate_options import seeds_option, setting, shown, workers_option

_TABLE_WIDTH: Final = 130
_CAPTION: Final = (
    "Each person is the case once. Found: share of the contacts, and of those in the venue for 15 "
    "minutes with the case. Brackets: central 90 % by crowds."
)


@click.command("check-in")
@click.argument("scenarios", nargs=-1, required=True)
@seeds_option(default=3, most=1000)
@click.option(
    "--adoption",
    "adoptions",
    type=FiniteNumber(0, 1),
    multiple=True,
    default=ADOPTIONS,
    show_default=True,
    metavar="SHARE",
    help="Share of people with the app. Repeatable.",
)
@click.option(
    "--check-in",
    "shares",
    type=FiniteNumber(0, 1),
    multiple=True,
    default=SHARES,
    show_default=True,
    metavar="SHARE",
    help="Share of people who scan the poster. Repeatable.",
)
@setting
@workers_option
@as_json
def study_check_in(
    scenarios: tuple[str, ...],
    seeds: int,
    adoptions: tuple[float, ...],
    shares: tuple[float, ...],
    settings: dict[str, str],
    workers: int,
    *,
    as_json: bool,
) -> None:
    """Say whom Bluetooth, check-in and both find in each SCENARIO, and how many they warn."""
    with progress("Playing crowds") as advance:
        rows = study_presence(
            scenarios,
            range(1, seeds + 1),
            adoptions=adoptions,
            shares=shares,
            settings=settings,
            workers=workers,
            on_progress=advance,
        )
    if as_json:
        answer([row.to_json() for row in rows], as_json=True)
        return
    say_wide(_table(rows), _TABLE_WIDTH)


def _table(rows: list[PresenceRow]) -> Table:
    def cell(name: str, digits: int = 2) -> Callable[[PresenceRow], str]:
        return lambda row: shown(row.figures[name], digits)

    return table(
        rows,
        (fixed("scenario"), lambda row: row.scenario),
        (right("app"), lambda row: f"{row.adoption:g}"),
        (right("check-in"), lambda row: f"{row.check_in:g}"),
        (fixed("by"), lambda row: row.way),
        (right("contacts found"), cell("found_of_contacts")),
        (right("air found"), cell("found_of_air")),
        (right("warned"), cell("warned_per_case", 1)),
        (right("no contact"), cell("no_contact")),
        caption=_CAPTION,
    )
