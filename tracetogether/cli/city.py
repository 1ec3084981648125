"""`tracetogether city`: an epidemic in a whole city, with the measures against it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import click

from tracetogether.cli.lazy_commands import LazyCommands

_LISTED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "bench": "Measure CPU time and memory of a city, its construction included, with and "
        "without tracing.",
        "check": "Check SCENARIO, a TOML file or a name from `city list`, without running it.",
        "compare": "Run SCENARIO twice for each seed, and say in one sentence what the "
        "difference does.",
        "cost": "Measure CPU time and memory of singapore-2020 with other numbers of people.",
        "detection": "Compute what the app finds, by playing crowds with the app on every phone.",
        "keys": "List the keys of a city's scenario file with their limits, defaults and meanings.",
        "laws": "Compare what the app does in a city with the law of adoption and with "
        "publications.",
        "list": "List the cities that come with the library.",
        "presence": "Say what check-in and places add to Bluetooth in SCENARIO, at each adoption.",
        "report": "Make one HTML page of a sweep: the answer, pictures with intervals, tables, "
        "one outbreak.",
        "run": "Run SCENARIO, a TOML file or a name from `city list`, day by day.",
        "sweep": "Run SCENARIO for every combination of values and seeds.",
        "validate": "Compare the contacts and epidemics of SCENARIO with theory and publications.",
    }
)
"""Command -> the first sentence of its help. The list of commands imports none of them."""

_PLACES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "bench": "tracetogether.cli.city_bench:bench_city",
        "check": "tracetogether.cli.city_scenario:check",
        "compare": "tracetogether.cli.city_compare:compare_measures",
        "cost": "tracetogether.cli.city_cost:cost_by_size",
        "detection": "tracetogether.cli.city_scenario:detect",
        "keys": "tracetogether.cli.city_scenario:keys",
        "laws": "tracetogether.cli.city_laws:compare_laws",
        "list": "tracetogether.cli.city_scenario:list_cities",
        "presence": "tracetogether.cli.city_presence:presence_in_city",
        "report": "tracetogether.cli.city_report:report_city",
        "run": "tracetogether.cli.city_scenario:run_scenario",
        "sweep": "tracetogether.cli.city_sweep:sweep_cities",
        "validate": "tracetogether.cli.city_validate:validate_cities",
    }
)


@click.group(cls=LazyCommands, listed=_LISTED, places=_PLACES)
def city() -> None:
    """Simulate an epidemic in a city, person by person."""
