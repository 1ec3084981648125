"""`tracetogether city validate`: a city beside theory and publications."""

import click

from simulations.city.city_statistics import validate_city
from simulations.city.scenario import load_city
from tracetogether.cli.city_options import city_setting
from tracetogether.cli.console import progress
from tracetogether.cli.options import as_json
from tracetogether.cli.simulate_options import seeds_option
from tracetogether.cli.simulate_validate import print_compared


@click.command("validate")
@click.argument("scenario", default="small-town")
@city_setting
@seeds_option(default=4, most=100)
@as_json
def validate_cities(scenario: str, settings: dict[str, str], seeds: int, *, as_json: bool) -> None:
    """Compare the contacts and epidemics of SCENARIO with theory and publications.

    Contacts must be mutual, partners uniform, and numbers of contacts as the keys say. Nobody may
    be traced without a contact, unless listed falsely and counted so. Cities where everybody meets
    everybody must end where theory says. First cases must infect as many as the scenario says. The
    spread between cases and infections at home must be in published ranges. The exit code is 1 if
    any figure is outside its range.
    """
    chosen = load_city(scenario, settings)
    with progress("Running cities") as advance:
        rows = validate_city(chosen, seeds=seeds, on_done=advance)
    print_compared(rows, digits=3, as_json=as_json)
    if not all(row.ok for row in rows):
        raise click.exceptions.Exit(1)
