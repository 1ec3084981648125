"""`tracetogether gate`: what a guard at a gate uses."""

import click

from tracetogether.cli.gate_check import check
from tracetogether.cli.gate_run import init, run


@click.group()
def gate() -> None:
    """Check passes at a gate, without a network."""


for _command in (check, init, run):
    gate.add_command(_command)
