"""`tracetogether authority time-zone`: by whose days people are called and shown dates."""

import time
from pathlib import Path

import click

from tracetogether.authority.cases.case import date_of_day
from tracetogether.cli.authority_folder import change_time_zone, opened_folder
from tracetogether.cli.authority_options import folder_argument
from tracetogether.cli.console import out, print_json
from tracetogether.cli.options import as_json


@click.command("time-zone")
@folder_argument
@click.option(
    "--set",
    "name",
    metavar="NAME",
    help="Count days in this time zone, such as Asia/Singapore. Restart servers afterwards.",
)
@as_json
def time_zone(folder: Path, name: str | None, *, as_json: bool) -> None:
    """Show the time zone whose days DIR (./authority) counts follow-up in; change it.

    A change moves the last day of each follow-up; recorded calls keep their days. Keys and
    retention are counted in UTC days in every zone.
    """
    now = time.time()
    moved = 0 if name is None else change_time_zone(folder, name, now)
    with opened_folder(folder) as service:
        days = service.days
    today = date_of_day(days.day(now))
    if as_json:
        print_json({"time_zone": days.name, "today": today, "moved": moved})
        return
    out().print(f"Time zone  {days.name}; today is {today}")
    if moved:
        out().print(f"The last day of follow-up moved for {moved} contacts")
