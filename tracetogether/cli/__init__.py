"""The command `tracetogether`."""

import sys
from typing import Final

import click

from tracetogether import __version__
from tracetogether.cli.authority import authority
from tracetogether.cli.calibrate import calibrate
from tracetogether.cli.console import err
from tracetogether.cli.demo import demo
from tracetogether.cli.estimate import estimate
from tracetogether.cli.evaluate import evaluate
from tracetogether.cli.node import node
from tracetogether.cli.simulate import simulate
from tracetogether.cli.upload import upload
from tracetogether.errors import TraceTogetherError

_COMMANDS: Final = (demo, estimate, evaluate, calibrate, simulate, authority, node, upload)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tracetogether")
def cli() -> None:
    """Bluetooth proximity contact tracing: nearness from signal, contact logs, uploads, crowds.

    Start with `tracetogether demo`: the whole chain in one minute.
    """


for _command in _COMMANDS:
    cli.add_command(_command)


def main() -> None:
    """Run the command; an error of ours is one line, never a traceback."""
    try:
        cli(prog_name="tracetogether")
    except TraceTogetherError as error:
        err().print(f"[bold red]Error:[/] {_plain(error)}", soft_wrap=True)
        sys.exit(1)
    except BrokenPipeError:  # `| head` closed the pipe: that is no error of anybody
        sys.stderr.close()
        sys.exit(0)


def _plain(error: Exception) -> str:
    return str(error).replace("[", r"\[")
