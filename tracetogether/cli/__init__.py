"""The command `tracetogether`."""

import os
import sys
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import click

from tracetogether import __version__
from tracetogether.cli.console import err, print_error
from tracetogether.errors import StoreError, TraceTogetherError

_COMMANDS: Final = (
    "authority",
    "calibrate",
    "city",
    "conformance",
    "continuity",
    "demo",
    "estimate",
    "evaluate",
    "node",
    "record",
    "simulate",
    "upload",
)


_OF_THE_SIMULATOR: Final = ("city", "demo", "simulate")


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
        if cmd_name in _OF_THE_SIMULATOR:
            _expect_own_simulations()
        command: click.Command = getattr(import_module(f"{__name__}.{cmd_name}"), cmd_name)
        return command


def _expect_own_simulations() -> None:
    """Check that the package ``simulations`` is this project's.

    `python -m tracetogether` looks into the current folder first, where a user may have a folder
    or a file of this name.

    Raises:
        StoreError: another one would be imported.
    """
    own = Path(__file__).parent.parent.parent / "simulations"
    found = find_spec("simulations")
    places = [] if found is None else list(found.submodule_search_locations or [found.origin or ""])
    if own not in [Path(place).resolve() for place in places]:
        where = f"{places[0]} is in the way of it" if places else "it is missing"
        raise StoreError(
            f"this command needs the simulator, the package simulations in {own.parent}, and "
            f"{where}: use the command `tracetogether` in place of `python -m tracetogether`, or "
            "call it in another folder"
        )


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
