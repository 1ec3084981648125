"""`tracetogether authority limits`: how many upload PINs a day, and how likely one is guessed."""

import time
from pathlib import Path

import click

from tracetogether.cli.authority_folder import allow_pins, opened_folder
from tracetogether.cli.authority_options import folder_argument
from tracetogether.cli.console import out, print_json
from tracetogether.cli.options import as_json


@click.command()
@folder_argument
@click.option(
    "--pins-a-day",
    type=click.IntRange(min=1),
    help="Give out so many upload PINs on a UTC day at most. Restart servers afterwards.",
)
@as_json
def limits(folder: Path, pins_a_day: int | None, *, as_json: bool) -> None:
    """Show how many upload PINs DIR (./authority) gives out in a day; change it."""
    now = time.time()
    if pins_a_day is not None:
        allow_pins(folder, pins_a_day, now)
    with opened_folder(folder) as service:
        rules, given_out = service.pins.rules, service.pins.given_out(now)
    if as_json:
        print_json(
            {
                "pins_a_day": rules.a_day,
                "given_out_today": given_out,
                "tries": rules.tries,
                "guessed_a_day": rules.guessed_a_day,
            }
        )
        return
    out().print(
        f"Upload PINs   {given_out} of {rules.a_day} given out today; {rules.tries} tries each\n"
        f"Guessed       {rules.guessed_a_day:.2g} a day expected if strangers use up every try",
        soft_wrap=True,
    )
