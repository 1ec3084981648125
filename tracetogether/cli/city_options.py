"""Options that the commands about cities share."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from simulations.city.scenario import city_key
from tracetogether.cli.options import FOLDER, number_option
from tracetogether.cli.simulate_options import settings_option, settings_reader

_Command = TypeVar("_Command", bound=Callable[..., Any])

city_setting = settings_option(city_key, "app.adoption=0.32 or reproduction_number=3")
people_option = number_option("--people", "Number of people, instead of the scenario's.", least=50)
days_option = number_option("--days", "Number of days, instead of the scenario's.")
processes_option = number_option(
    "--processes",
    "Processes that share one city, each with a part of the people.",
    default=1,
)
cluster_option = click.option(
    "--cluster",
    metavar="ADDRESS",
    help="Use the workers of the Dask scheduler at this address, with --processes parts of a city.",
)


def out_folder(about: str) -> Callable[[_Command], _Command]:
    """Return a decorator that adds -o and --out DIR."""
    return click.option("-o", "--out", "folder", type=FOLDER, metavar="DIR", help=about)


def vary_option(*, required: bool, usual: str = "") -> Callable[[_Command], _Command]:
    """Return a decorator that adds --vary: the values that a sweep tries.

    Args:
        required: whether it must be given.
        usual: what is varied without it, for the help.
    """
    default = f"  [default: {usual}]" if usual else ""
    return click.option(
        "--vary",
        multiple=True,
        required=required,
        callback=settings_reader(city_key),
        metavar="KEY=VALUES",
        help="Values to try: VALUE,VALUE,... such as app.adoption=0,0.2,0.4, or LOW:HIGH:COUNT. "
        f"Repeatable.{default}",
    )
