"""`tracetogether simulate`: play a crowd with the real library and score the whole chain."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import click

from tracetogether.cli.lazy_commands import LazyCommands

_LISTED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "attack": "Play an attack against the code of each protocol and print what it yields.",
        "bench": "Measure the CPU time of a crowd, from movement to scores, in one process.",
        "border": "Say who is found in each SCENARIO across the border between two authorities, "
        "and how late.",
        "check": "Check SCENARIO, a TOML file or a name from `simulate list`, without playing it.",
        "check-in": "Say whom Bluetooth, check-in and both find in each SCENARIO, and how many "
        "they warn.",
        "cost-curve": "Show how many calls find how many contacts in SCENARIO, as lists "
        "promise and in truth.",
        "costs": "Say what each protocol costs a phone and its server, by formulas.",
        "export": "Play scenarios and write the share of contacts found into FOLDER, for "
        "another simulator.",
        "gates": "Say whom gates would keep out after each SCENARIO, by default all, and how "
        "often wrongly.",
        "keys": "List the keys of a scenario file with their limits, defaults and meanings.",
        "list": "List the scenarios that come with the library.",
        "nearness": "Measure estimators of minutes and of P(contact) in each SCENARIO, by "
        "default in all.",
        "places": "Say what a place adds in each SCENARIO: to contacts found, and to shared air.",
        "protocols": "Play SCENARIO under every protocol: who is found, what it costs, what "
        "attacks yield.",
        "report": "Make one HTML page of a kept run, or of two side by side.",
        "run": "Play SCENARIO, a TOML file or a name from `simulate list`, and score contact "
        "tracing.",
        "sweep": "Play SCENARIO for every combination of values and seeds.",
        "validate": "Compare the simulated radio and movement with recordings.",
    }
)
"""Command -> the first sentence of its help. The list of commands imports none of them."""

_PLACES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "attack": "tracetogether.cli.simulate_attack:attack_protocols",
        "bench": "tracetogether.cli.simulate_bench:bench_crowds",
        "border": "tracetogether.cli.simulate_border:study_two_authorities",
        "check": "tracetogether.cli.simulate_scenario:check",
        "check-in": "tracetogether.cli.simulate_presence:study_check_in",
        "cost-curve": "tracetogether.cli.simulate_costs:cost_curve",
        "costs": "tracetogether.cli.simulate_protocol_costs:protocol_costs",
        "export": "tracetogether.cli.simulate_export:export_numbers",
        "gates": "tracetogether.cli.simulate_gates:study_kept_out",
        "keys": "tracetogether.cli.simulate_scenario:keys",
        "list": "tracetogether.cli.simulate_scenario:list_scenarios",
        "nearness": "tracetogether.cli.simulate_nearness:measure",
        "places": "tracetogether.cli.simulate_places:study_one_place",
        "protocols": "tracetogether.cli.simulate_protocols:compare",
        "report": "tracetogether.cli.simulate_scenario:report",
        "run": "tracetogether.cli.simulate_run:run_scenario",
        "sweep": "tracetogether.cli.simulate_sweep:sweep_scenario",
        "validate": "tracetogether.cli.simulate_validate:validate",
    }
)


@click.group(cls=LazyCommands, listed=_LISTED, places=_PLACES)
def simulate() -> None:
    """Simulate crowds of people whose phones run this library."""
