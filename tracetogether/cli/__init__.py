"""The command `tracetogether`."""

import os
import sys
from contextlib import suppress
from importlib import import_module
from typing import Final

import click

from tracetogether import __version__
from tracetogether.cli.console import err, print_error
from tracetogether.errors import TraceTogetherError

_COMMANDS: Final = (
    "authority",
    "calibrate",
    "city",
    "conformance",
    "demo",
    "estimate",
    "evaluate",
    "node",
    "simulate",
    "upload",
)


class _Commands(click.Group):
    """Commands by name, each in the module of its name, which is imported when it is called.

    So `authority case open` doesn't wait for the libraries that fit models and draw pictures.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, sorted."""
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, or None if there is none of that name."""
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"{__name__}.{cmd_name}"), cmd_name)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tracetogether")
def cli() -> None:
    """Bluetooth proximity contact tracing: estimate, trace and simulate contacts.

    Start with `tracetogether demo`, which shows every step in one minute.
    """


def main() -> None:
    """Run the command; an error is one line on stderr, never a traceback."""
    try:
        try:
            code = cli.main(prog_name="tracetogether", standalone_mode=False)
        finally:
            sys.stdout.flush()  # here, where a full disk still gives a one-line error
    except (TraceTogetherError, click.ClickException) as error:
        print_error(error)
        sys.exit(getattr(error, "exit_code", 1))
    except click.Abort:
        err().print("Aborted!")
        sys.exit(1)
    except BrokenPipeError:  # `| head` closed the pipe: not an error
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        place = error.filename or "standard output"
        print_error(OSError(f"can't read or write {place}: {error.strerror or error}"))
        with suppress(
            OSError, ValueError
        ):  # else Python flushes again at exit, and prints a traceback
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)
