"""`tracetogether authority limits` and `time-zone`: show and change what an authority keeps to."""

import time
from pathlib import Path

import click

from tracetogether.authority.cases.case import date_of_day
from tracetogether.cli.authority_folder import allow_pins, change_time_zone, opened_folder
from tracetogether.cli.authority_options import folder_argument
from tracetogether.cli.console import answer
from tracetogether.cli.options import as_json, number_option
from tracetogether.plain_text import counted


@click.command()
@folder_argument
@number_option(
    "--pins-a-day", "New maximum of upload PINs per UTC day. Restart servers afterwards."
)
@as_json
def limits(folder: Path, pins_a_day: int | None, *, as_json: bool) -> None:
    """Show or change how many upload PINs DIR (./authority) issues per day."""
    now = time.time()
    if pins_a_day is not None:
        allow_pins(folder, pins_a_day, now)
    with opened_folder(folder) as service:
        rules, given_out = service.pins.rules, service.pins.given_out(now)
    answer(
        {
            "pins_a_day": rules.a_day,
            "given_out_today": given_out,
            "tries": rules.tries,
            "guessed_a_day": rules.guessed_a_day,
        },
        f"Upload PINs   {given_out} of {rules.a_day} given out today; "
        f"{counted(rules.tries, 'tries')} each",
        f"Guessed       {rules.guessed_a_day:.2g} a day expected if strangers use up every try",
        as_json=as_json,
    )


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
    """Show or change the time zone in which DIR (./authority) counts the days of follow-up.

    A change moves the last day of each follow-up. Recorded calls keep their days. Keys and
    retention use UTC days in every time zone.
    """
    now = time.time()
    moved = 0 if name is None else change_time_zone(folder, name, now)
    with opened_folder(folder) as service:
        days = service.days
    today = date_of_day(days.day(now))
    answer(
        {"time_zone": days.name, "today": today, "moved": moved},
        f"Time zone  {days.name}; today is {today}",
        *([f"The last day of follow-up moved for {counted(moved, 'contacts')}"] if moved else []),
        as_json=as_json,
    )
