"""`tracetogether authority open-data`: figures for everybody, seen first and published once."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.cases.case import date_of_day
from tracetogether.authority.open_data.publishing import OpenDay
from tracetogether.cli.authority_folder import opened_folder
from tracetogether.cli.authority_options import folder_argument
from tracetogether.cli.console import answer, fixed, right, say, table
from tracetogether.cli.options import as_json
from tracetogether.errors import InvalidRequestError
from tracetogether.parameters import OPEN_DATA
from tracetogether.plain_text import counted


@click.group("open-data")
def open_data() -> None:
    """Publish daily figures with noise for everybody, as pages and files below /open/."""


@open_data.command()
@folder_argument
@as_json
def preview(folder: Path, *, as_json: bool) -> None:
    """Show the figures that `publish` of DIR (./authority) would publish now.

    A day can be published two days later. Its noise is the same each time.
    """
    now = time.time()
    with opened_folder(folder) as service:
        days = service.open_data.preview(now, by=CONSOLE)
        region = service.open_data.organisation
    answer(_json(days, region), *_lines(days, "No day is due."), as_json=as_json)


@open_data.command()
@folder_argument
@click.option("--daily", is_flag=True, help="Let the server publish each further day when due.")
@click.option("--licence", default="", metavar="NAME", help="Licence of the files: CC-BY-4.0.")
@click.option("--yes", is_flag=True, help="Don't ask. What is published can't be taken back.")
@as_json
def publish(folder: Path, licence: str, *, daily: bool, yes: bool, as_json: bool) -> None:
    """Publish all days of DIR (./authority) that are due, and serve them below /open/.

    A published day never changes.
    """
    now = time.time()
    with opened_folder(folder) as service:
        due = service.open_data.preview(now, by=CONSOLE)
        if not yes:
            if as_json:
                msg = "--json can't ask: give --yes too"
                raise InvalidRequestError(msg)
            say(*_lines(due, "No day is due; the files are served from now on."))
            click.confirm("Publish this for everybody, for good?", abort=True, err=True)
        days = service.open_data.publish(now, daily=daily, licence=licence, by=CONSOLE)
        region = service.open_data.organisation
    answer(
        _json(days, region),
        f"Published {counted(len(days), 'days')}; /open/ shows them",
        as_json=as_json,
    )


@open_data.command("list")
@folder_argument
@as_json
def list_published(folder: Path, *, as_json: bool) -> None:
    """Show what DIR (./authority) has published."""
    with opened_folder(folder) as service:
        days = service.open_data.all(by=CONSOLE)
        chosen = service.open_data.settings()
        region = service.open_data.organisation
    served = "served below /open/" if chosen.served else "not served"
    when = "each further day when it is due" if chosen.daily else "when you say so"
    answer(
        {
            **_json(days, region),
            "served": chosen.served,
            "daily": chosen.daily,
            "licence": chosen.licence,
        },
        *_lines(days, "Nothing is published."),
        f"The files are {served}, and published {when}.",
        as_json=as_json,
    )


@open_data.command()
@folder_argument
@as_json
def stop(folder: Path, *, as_json: bool) -> None:
    """Serve the files of DIR (./authority) no more. `publish` serves them again."""
    with opened_folder(folder) as service:
        service.open_data.stop(time.time(), by=CONSOLE)
    answer({"served": False}, "The files are served no more", as_json=as_json)


def _json(days: Sequence[OpenDay], region: str) -> dict[str, Any]:
    return {
        "region": region,
        "days": [
            {
                "date": date_of_day(day.day),
                "figures": {
                    cell.figure: {"people": cell.people, "noise_95": cell.noise_95}
                    for cell in day.cells
                },
            }
            for day in days
        ],
    }


def _lines(days: Sequence[OpenDay], otherwise: str) -> tuple[Any, ...]:
    if not days:
        return (otherwise,)
    shown = table(
        [(day, cell) for day in days for cell in day.cells],
        (fixed("date"), lambda row: date_of_day(row[0].day)),
        (fixed("figure"), lambda row: row[1].figure),
        (right("people"), lambda row: "" if row[1].people is None else f"{row[1].people:,}"),
        (right("noise"), lambda row: f"±{row[1].noise_95}"),
        caption=f"Blank: fewer than {OPEN_DATA.small}, or not counted.",
    )
    return (shown,)
