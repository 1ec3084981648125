"""Options that several commands share, with one wording each."""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from tracetogether.local_days import UTC_DAYS, LocalDays
from tracetogether.parameters import UPLOAD_PIN_DIGITS

_Command = TypeVar("_Command", bound=Callable[..., Any])

FILE: Final = click.Path(dir_okay=False, path_type=Path)
EXISTING_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER: Final = click.Path(file_okay=False, path_type=Path)
EXISTING_FOLDER: Final = click.Path(exists=True, file_okay=False, path_type=Path)

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
allow_plain_http = click.option(
    "--allow-plain-http", is_flag=True, help="Allow unencrypted http to another machine."
)


class FiniteNumber(click.FloatRange):
    """A number within limits, and neither nan nor inf, which are within all limits of click."""

    def convert(
        self,
        value: Any,  # noqa: ANN401 - a text, or a default of any type
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> float:
        """Return the number.

        Raises:
            click.BadParameter: it is no finite number, or outside the limits.
        """
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{number} is not a finite number", param, ctx)
        return number


class WholeNumber(click.IntRange):
    """A whole number within limits; click's own name in errors is "integer range"."""

    name = "whole number"


def number_option(
    flag: str, about: str, *, default: int | None = None, least: int = 1, most: int | None = None
) -> Callable[[_Command], _Command]:
    """Return a decorator that adds an option for a whole number from ``least`` to ``most``."""
    return click.option(
        flag,
        type=WholeNumber(least, most),
        metavar="NUMBER",
        default=default,
        show_default=default is not None,
        help=about,
    )


def moment_of(text: str, option: str, days: LocalDays = UTC_DAYS) -> float:
    """Return epoch seconds from a date, with or without a time, or from epoch seconds.

    Args:
        text: as it was typed.
        option: where it was typed.
        days: the time zone of a date that names none.

    Raises:
        click.BadParameter: it is neither; ``option`` is named.
    """
    try:
        if text.isdecimal():
            return float(int(text))  # OverflowError, where float alone would return infinity
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=days.zone)).timestamp()
    except (ValueError, OverflowError):
        msg = f"{text!r} is not a time: give 2020-05-04T08:00:00 ({days.name}) or epoch seconds"
        raise click.BadParameter(msg, param_hint=option) from None


def pin_digits(text: str) -> str:
    """Return the digits of an upload PIN, which people write with blanks and hyphens.

    Raises:
        click.BadParameter: it is no such PIN.
    """
    digits = re.sub(r"[\s-]", "", text)
    if not re.fullmatch(rf"[0-9]{{{UPLOAD_PIN_DIGITS}}}", digits):
        msg = f"an upload PIN has {UPLOAD_PIN_DIGITS} digits"
        raise click.BadParameter(msg, param_hint="--pin")
    return digits


def keep_apart(written: Mapping[str, Path | None], read: Iterable[Path | None]) -> None:
    """Refuse to write a file that the command also reads, or two results to one file.

    Args:
        written: option -> the file that it names.
        read: files that the command reads.

    Raises:
        click.UsageError: two of them are the same file.
    """
    taken = {path.resolve(): f"the command reads {path}" for path in read if path is not None}
    for option, path in written.items():
        if path is None:
            continue
        place = path.resolve()
        if place in taken:
            raise click.UsageError(f"{option}: {taken[place]}; choose another file to write")
        taken[place] = f"{path} is written by another option too"
