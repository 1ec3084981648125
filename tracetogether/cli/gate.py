"""`tracetogether gate`: what a guard at a gate uses."""

import click

from tracetogether.cli.gate_check import check


@click.group()
def gate() -> None:
    """Check passes at a gate, without a network."""


gate.add_command(check)
