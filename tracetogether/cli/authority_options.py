"""Options that the authority's commands share, and moments and days as people give them."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import click
from click.core import ParameterSource

from tracetogether.authority.cases.casework import day_of
from tracetogether.cli.authority_folder import DEFAULT_FOLDER
from tracetogether.cli.console import err, out
from tracetogether.whole_file import read_secret

_FOLDER: Final = click.Path(file_okay=False, path_type=Path)
_Command = TypeVar("_Command", bound=Callable[..., Any])

folder_argument = click.argument("folder", metavar="[DIR]", type=_FOLDER, default=DEFAULT_FOLDER)
as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")

clock_is_right_option = click.option(
    "--clock-is-right",
    is_flag=True,
    help="The clock is right, though nothing confirms it: the service stood still for days.",
)


def _database_address(_: click.Context, option: click.Parameter, text: str | None) -> str | None:
    """Return the address, read from a file if the text is @FILE; warn of a password in argv."""
    if text is None:
        return None
    if text.startswith("@"):
        return read_secret(Path(text[1:])).strip()
    given = click.get_current_context().get_parameter_source(str(option.name))
    parts = urlsplit(text)
    shown = parts.password or "password=" in parts.query
    if given is ParameterSource.COMMANDLINE and shown:
        err().print(
            "The password in --database can be read by every user of this machine: write the "
            "address into a file of mode 600 and give --database @FILE, or set "
            "TRACETOGETHER_DATABASE.",
            soft_wrap=True,
        )
    return text


def database_option(about: str) -> Callable[[_Command], _Command]:
    """Return a decorator that adds --database, whose help begins with ``about``."""
    return click.option(
        "--database",
        metavar="URL",
        envvar="TRACETOGETHER_DATABASE",
        show_envvar=True,
        callback=_database_address,
        help=f"{about} @FILE reads the address from a file.",
    )


other_database_option = database_option("The PostgreSQL database, if not the one of init.")


class FolderCommand(click.Command):
    """A command that takes its folder by --dir, and says so to who gives it as an argument."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments."""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            if "unexpected extra argument" in error.message:
                msg = f"{error.message}. The authority's folder goes with --dir DIR."
                raise click.UsageError(msg, ctx) from None
            raise


def folder_option(command: _Command) -> _Command:
    """Add --dir to a command whose arguments name something else."""
    return click.option(
        "--dir",
        "folder",
        metavar="DIR",
        type=_FOLDER,
        default=DEFAULT_FOLDER,
        show_default=True,
        help="The authority's folder.",
    )(command)


def moment_of(text: str) -> float:
    """Return epoch seconds from themselves, or from a date with or without a time, in UTC."""
    try:
        if text.isdecimal():
            return float(int(text))  # OverflowError where float alone would say "infinite"
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        msg = f"{text!r} is no time: give 2020-05-04T08:00:00 (UTC) or epoch seconds"
        raise click.BadParameter(msg, param_hint="--now") from None


def day_named(text: str) -> int:
    """Return the number of a UTC day from YYYY-MM-DD, or from the number itself."""
    try:
        return int(text) if text.isdecimal() else day_of(date.fromisoformat(text))
    except (ValueError, OverflowError):
        msg = f"{text!r} is no day: give 2020-05-04, or days since 1970-01-01"
        raise click.BadParameter(msg) from None


def date_of(day: int) -> str:
    """Return a UTC day's number as YYYY-MM-DD."""
    return date.fromordinal(date(1970, 1, 1).toordinal() + day).isoformat()


offset_option = click.option(
    "--offset", type=click.IntRange(min=0), default=0, show_default=True, help="Rows to leave out."
)
limit_option = click.option(
    "--limit", type=click.IntRange(min=1), help="Rows to show at most; all if left out."
)


def print_shown(shown: int, offset: int, total: int, what: str) -> None:
    """Print how many rows there are, and, if not all were shown, how to see the rest."""
    if shown == total:
        out().print(f"{total} {what if total != 1 else what.removesuffix('s')}")
        return
    first, last = offset + 1, offset + shown
    rest = f"; --offset {last} shows the next" if shown and last < total else ""
    out().print(f"{first}-{last} of {total} {what}{rest}" if shown else f"0 of {total} {what}")
