"""A group of commands whose modules are imported only when one of them is called."""

from collections.abc import Callable, Mapping
from importlib import import_module
from textwrap import shorten

import click


class LazyCommands(click.Group):
    """Commands by name, each in a module that is imported when the command is called.

    So the list of commands doesn't wait for the libraries that play crowds and draw pictures.

    Args:
        listed: command -> the first sentence of its help.
        places: command -> its module and its name there, separated by a colon.
        before: called with the name of a command before its module is imported.
    """

    def __init__(
        self,
        *arguments: object,
        listed: Mapping[str, str],
        places: Mapping[str, str],
        before: Callable[[str], None] | None = None,
        **named: object,
    ) -> None:
        super().__init__(*arguments, **named)  # type: ignore[arg-type]  # as click calls it
        self.listed = listed
        self._places = places
        self._before = before

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, sorted."""
        del ctx
        return sorted(self.listed)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands with as much of their help as fits into a line."""
        del ctx
        width = formatter.width - 6 - max(map(len, self.listed))
        with formatter.section("Commands"):
            formatter.write_dl(
                [
                    (name, shorten(text, width, placeholder="..."))
                    for name, text in sorted(self.listed.items())
                ]
            )

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, or None if there is none of that name."""
        del ctx
        if cmd_name not in self.listed:
            return None
        if self._before is not None:
            self._before(cmd_name)
        module, _, name = self._places[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command
