"""Notices on this system: the option ``--lang``, its default, and times in the local time zone."""

import os
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final

import click

from tracetogether.errors import InvalidRequestError
from tracetogether.healthcode.notices import LANGUAGES, language_of
from tracetogether.local_days import LocalDays


class _SystemZone(tzinfo):
    """The time zone of this system, with the rules that hold at each time."""

    def fromutc(self, moment: datetime) -> datetime:
        """Return a time in this zone."""
        return moment.replace(tzinfo=UTC).astimezone()

    def utcoffset(self, moment: datetime | None) -> timedelta | None:
        """Return how far this zone is ahead of UTC at a time of its own."""
        return None if moment is None else moment.replace(tzinfo=None).astimezone().utcoffset()

    def dst(self, _: datetime | None) -> None:
        """Return None: nobody asks."""

    def tzname(self, _: datetime | None) -> str:
        """Return a name."""
        return "local"


SYSTEM_DAYS: Final = LocalDays("local", _SystemZone())
"""Days and times as the clock of this system shows them."""


def system_language() -> str:
    """Return the language of this system's locale; English where there are no notices in it."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if os.environ.get(name):
            try:
                return language_of(os.environ[name])
            except InvalidRequestError:
                return "en"
    return "en"


def _checked(ctx: click.Context, param: click.Parameter, value: Any) -> str:  # noqa: ANN401 - as click gives it
    try:
        return system_language() if value is None else language_of(value)
    except InvalidRequestError as error:
        raise click.BadParameter(str(error), ctx, param) from None


language_option = click.option(
    "--lang",
    "language",
    metavar="LANGUAGE",
    callback=_checked,
    help=f"Language of the notice: {', '.join(LANGUAGES)}.  [default: the system's]",
)
