"""Options that the authority's commands share, and times and days that a user writes."""

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import click
from click.core import ParameterSource

from tracetogether.authority.access.permissions import CONSOLE, Caller
from tracetogether.authority.cases.case import day_of
from tracetogether.authority.service import Authority
from tracetogether.cli.authority_folder import DEFAULT_FOLDER
from tracetogether.cli.console import note
from tracetogether.cli.options import EXISTING_FILE, FOLDER, number_option
from tracetogether.plain_text import counted
from tracetogether.whole_file import read_secret

_Command = TypeVar("_Command", bound=Callable[..., Any])

folder_argument = click.argument("folder", metavar="[DIR]", type=FOLDER, default=DEFAULT_FOLDER)
clock_is_right_option = click.option(
    "--clock-is-right",
    is_flag=True,
    help="Trust the system clock even though the last purge was days ago (the service was "
    "stopped).",
)


def _database_address(_: click.Context, option: click.Parameter, text: str | None) -> str | None:
    """Return the address, from a file if the text is @FILE; warn about a password in argv."""
    if text is None:
        return None
    if text.startswith("@"):
        return read_secret(Path(text[1:])).strip()
    given = click.get_current_context().get_parameter_source(str(option.name))
    parts = urlsplit(text)
    shown = parts.password or "password=" in parts.query
    if given is ParameterSource.COMMANDLINE and shown:
        note(
            "Every user of this machine can read the password in --database: write the address "
            "into a file of mode 600 and give --database @FILE, or set TRACETOGETHER_DATABASE."
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


other_database_option = database_option("PostgreSQL database, if it is not the one of init.")


class FolderCommand(click.Command):
    """A command that takes its folder by --dir; an extra argument gets an error that says so."""

    def extra_argument(self, message: str) -> str:
        """Return the error message for one argument too many; ``message`` is click's."""
        return f"{message}. Give the authority's folder by --dir DIR."

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments."""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            if "unexpected extra argument" not in error.message:
                raise
            raise click.UsageError(self.extra_argument(error.message), ctx) from None


def folder_option(command: _Command) -> _Command:
    """Add --dir to a command whose arguments name something else."""
    return click.option(
        "--dir",
        "folder",
        metavar="DIR",
        type=FOLDER,
        default=DEFAULT_FOLDER,
        show_default=True,
        help="Folder of the authority.",
    )(command)


def day_named(text: str) -> int:
    """Return the number of a UTC day from YYYY-MM-DD, or from the number itself."""
    try:
        return int(text) if text.isdecimal() else day_of(date.fromisoformat(text))
    except (ValueError, OverflowError):
        msg = f"{text!r} is not a day: give 2020-05-04, or days since 1970-01-01"
        raise click.BadParameter(msg) from None


class _Date(click.DateTime):
    """A date, YYYY-MM-DD; click's own error names a format that few people can read."""

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Return midnight of the date."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f"{value!r} is not a date: write it like 2026-02-01", param, ctx)


def date_option(about: str) -> Callable[[_Command], _Command]:
    """Return a decorator that adds --date, whose default is today."""
    return click.option(
        "--date",
        type=_Date(["%Y-%m-%d"]),
        metavar="YYYY-MM-DD",
        help=f"{about}  [default: today]",
    )


offset_option = number_option("--offset", "Number of rows to skip.", default=0, least=0)
limit_option = number_option("--limit", "Maximum number of rows.  [default: all]")


def count_text(shown: int, offset: int, total: int, what: str) -> str:
    """Return how many rows there are and, if some were not shown, how to see the next ones."""
    if shown == total:
        return counted(total, what)
    first, last = offset + 1, offset + shown
    rest = f"; --offset {last} shows the next" if shown and last < total else ""
    return (
        f"{first}-{last} of {counted(total, what)}{rest}"
        if shown
        else f"0 of {counted(total, what)}"
    )


token_option = click.option(
    "--token-file",
    "--operator-token",
    "token",
    type=EXISTING_FILE,
    help="File with the token of the operator who does this; `add` and `confirm` need one, since "
    "the console is no person.",
)


def operator_of(service: Authority, token: Path | None) -> Caller:
    """Return who acts: the operator of a token, or the console.

    Raises:
        AccessDeniedError: the token is unknown, or its operator is disabled.
    """
    if token is None:
        return CONSOLE
    return service.access.operator(read_secret(token).strip()).caller
