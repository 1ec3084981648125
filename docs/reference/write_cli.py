"""Write cli.md from the command itself: `python docs/reference/write_cli.py`."""

from pathlib import Path

import click

from tracetogether.cli import cli

HEAD = """# Command line

Written by `python docs/reference/write_cli.py` from the command's own help; the test suite
compares the two.

Results go to stdout, progress and warnings to stderr. With `--json`, stdout has one JSON document
and nothing else. The exit status is 0 for success, 1 for an error and 2 for wrong use. An error is
one line that says what failed, where, and what to do.
"""


def page() -> str:
    """Return the page."""
    return HEAD + "".join(_section(words, command) for words, command in commands(cli))


def commands(group: click.Group, path: str = "tracetogether") -> list[tuple[str, click.Command]]:
    """Return all commands below ``group`` with their words, in order."""
    found: list[tuple[str, click.Command]] = []
    context = click.Context(group)
    for word in sorted(group.list_commands(context)):
        command = group.get_command(context, word)
        if isinstance(command, click.Group):
            found += commands(command, f"{path} {word}")
        elif command is not None:
            found.append((f"{path} {word}", command))
    return found


def _section(words: str, command: click.Command) -> str:
    context = click.Context(
        command,
        info_name=words,
        max_content_width=92,
        terminal_width=92,
        help_option_names=["-h", "--help"],
    )
    text = command.get_help(context).rstrip()
    return f"\n## `{words}`\n\n```text\n{text}\n```\n"


if __name__ == "__main__":
    Path(__file__).with_name("cli.md").write_text(page(), "utf-8")
