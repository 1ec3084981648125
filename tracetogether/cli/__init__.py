"""The command `tracetogether`."""

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from keyword import iskeyword
from pathlib import Path
from types import MappingProxyType
from typing import Final

import click

from tracetogether.cli.console import err, print_error
from tracetogether.cli.lazy_commands import LazyCommands
from tracetogether.errors import StoreError, TraceTogetherError
from tracetogether.version import __version__

_COMMANDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "authority": "Run a health authority: issue TempIDs, receive contact logs, list contacts.",
        "calibrate": "Fit the figures of the posterior, and phone models' offsets, to recordings.",
        "city": "Simulate an epidemic in a city, person by person.",
        "conformance": "Test other apps and servers: known answers, a server's answers, a phone's "
        "radio.",
        "continuity": "Measure how well the phones of READINGS detected each other; no distances "
        "are needed.",
        "demo": "Simulate half an hour in a train and a positive test, and show which contacts "
        "are found.",
        "estimate": "Estimate who was near whom, when and how long, from READINGS of signal "
        "strength.",
        "evaluate": "Measure how well estimators separate near from far on READINGS with known "
        "distances.",
        "gate": "Check passes at a gate, without a network.",
        "node": "Use this machine as a phone: advertise, scan, exchange TempIDs, keep a contact "
        "log.",
        "pass": "Show a pass at a gate, declare symptoms, and appeal, as the owner of a phone.",
        "privacy": "Measure what each feature tells gates, authorities, partners and thieves.",
        "record": "Write every advertisement that this machine hears into FILE.csv, until Ctrl-C.",
        "simulate": "Simulate crowds of people whose phones run this library.",
        "trip": "Note trips by train and flight on this phone, and see whether a case was aboard.",
        "upload": "Send LOG, a phone's contact log, to the health authority.",
        "venue": "Make the poster by which guests of a place note their visits.",
        "visit": "Note visits to places on this phone, and see warnings of these places.",
    }
)
"""Command -> the first sentence of its help. The list of commands imports none of them."""


_MODULES: Final = {name: f"{name}_" if iskeyword(name) else name for name in _COMMANDS}
_PLACES: Final = {name: f"{__name__}.{module}:{module}" for name, module in _MODULES.items()}
_OF_THE_SIMULATOR: Final = ("city", "demo", "privacy", "simulate")


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


def _before(name: str) -> None:
    """Refuse a command of the simulator where another package has the simulator's name."""
    if name in _OF_THE_SIMULATOR:
        _expect_own_simulations()


@click.group(
    cls=LazyCommands,
    listed=_COMMANDS,
    places=_PLACES,
    before=_before,
    context_settings={"help_option_names": ["-h", "--help"]},
)
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
