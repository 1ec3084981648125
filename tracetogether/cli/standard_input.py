"""`-` in place of a file: the standard input, kept in a private file while a command reads it."""

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click

from tracetogether.errors import TraceTogetherError

_STANDARD_INPUT: Final = "standard input"


@contextmanager
def named_or_standard_input(path: Path) -> Iterator[tuple[Path, Callable[[str], str]]]:
    """Yield a file that can be read several times, and a function for texts that name it.

    A pipe can be read only once, and a table is read twice: its header, then its lines. So the
    standard input is first written to a temporary file, which only its owner can read. The function
    replaces that file's path in a text by "standard input".

    Raises:
        click.UsageError: the standard input is a terminal.
        TraceTogetherError: what the body raises, without the temporary file's path.
    """
    if str(path) != "-":
        yield path, str
        return
    if sys.stdin.isatty():
        raise click.UsageError("- reads the standard input: give it a file or a pipe")
    with tempfile.TemporaryDirectory(prefix="tracetogether-") as folder:
        copy = Path(folder) / _STANDARD_INPUT
        with copy.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)

        def as_named(text: str) -> str:
            return text.replace(str(copy), _STANDARD_INPUT)

        try:
            yield copy, as_named
        except TraceTogetherError as error:
            error.args = (as_named(str(error)),)
            raise
