"""How the command line prints: results to stdout, progress and warnings to stderr.

Everything that is printed passes through here. Text is text: nothing in it is read as markup or
as an emoji's name, and no character of it steers the terminal. Own colours are given by ``style``.
"""

import io
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import Final, TypeVar

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, JustifyMethod, OverflowMethod, RenderableType
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.segment import Segment
from rich.style import Style
from rich.table import Column, Table
from rich.text import Text

from tracetogether.local_days import UTC_DAYS, LocalDays
from tracetogether.plain_text import escaped_json, visible
from tracetogether.units import SECONDS_PER_MINUTE, Interval

_T = TypeVar("_T")

_HALF_MINUTE_S: Final = 30.0


class _PlainConsole(Console):
    """A console that shows text and nothing else.

    Rich turns each string into ``Text`` by ``render_str``: what is printed, and cells, titles and
    captions of tables. So this override cleans all strings, whichever module built the table.
    """

    def render_str(
        self,
        text: str,
        *,
        style: str | Style = "",
        justify: JustifyMethod | None = None,
        overflow: OverflowMethod | None = None,
        emoji: bool | None = None,  # noqa: ARG002 - rich's signature
        markup: bool | None = None,  # noqa: ARG002
        highlight: bool | None = None,  # noqa: ARG002
        highlighter: Callable[[str | Text], Text] | None = None,
    ) -> Text:
        """Return ``text`` without hidden characters, and a part of a table in one line."""
        # Only `print` gives a highlighter. A line feed in a cell could pose as another row.
        shown = visible(text, lines=highlighter is not None)
        return Text(shown, style=style, justify=justify, overflow=overflow)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render anything as rich does, and own ``Text`` without hidden characters too."""
        if isinstance(renderable, Text):
            shown = visible(renderable.plain, lines=True)
            if shown != renderable.plain:
                renderable = renderable.copy()
                renderable.plain = shown  # one character for each: styles stay where they are
        return super().render(renderable, options)


def out() -> Console:
    """Return the console for results."""
    return _PlainConsole(file=sys.stdout, highlight=False, markup=False, emoji=False)


def err() -> Console:
    """Return the console for progress and warnings."""
    return _PlainConsole(file=sys.stderr, highlight=False, markup=False, emoji=False, stderr=True)


def print_json(value: object, *, indent: int | None = 2) -> None:
    """Print one JSON document, the only thing on stdout; in one line if ``indent`` is None."""
    text = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False)
    click.echo(escaped_json(text))


def right(heading: str) -> Column:
    """Return a column of numbers for ``table``."""
    return Column(heading, justify="right")


def fixed(heading: str) -> Column:
    """Return a column for ``table`` whose cells are never wrapped."""
    return Column(heading, no_wrap=True)


def table(
    items: Iterable[_T],
    *columns: tuple[str | Column, Callable[[_T], str | Text]],
    title: str | None = None,
    caption: str | None = None,
    show_header: bool = True,
) -> Table:
    """Return a table with one line for each item, to be printed by ``say``.

    Args:
        items: what the lines show.
        columns: heading and the function that returns the cell of an item.
        title: printed above.
        caption: printed below.
        show_header: whether the headings are printed.
    """
    found = Table(
        *(heading for heading, _ in columns),
        title=title,
        title_justify="left",
        caption=caption,
        caption_justify="left",
        show_header=show_header,
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for item in items:
        found.add_row(*(cell(item) for _, cell in columns))
    return found


def interval_text(value: Interval, digits: int = 0) -> str:
    """Return a figure with its central 90 % interval, such as ``12 (8-15)``."""
    return f"{value.median:.{digits}f} ({value.low:.{digits}f}-{value.high:.{digits}f})"


def percent(share: float) -> str:
    """Return a probability in at most four characters; more digits would claim too much."""
    return "<1 %" if share < 0.01 else ">99 %" if share > 0.99 else f"{100 * share:.0f} %"


def say(*shown: RenderableType) -> None:
    """Print results. A line of text is not wrapped: what follows in a pipe gets it whole."""
    for item in shown:
        out().print(item, soft_wrap=isinstance(item, str | Text))


def say_wide(shown: RenderableType, width: int) -> None:
    """Print a table of figures at least ``width`` columns wide: a narrower one would cut them."""
    console = out()
    console.width = max(console.width, width)
    console.print(shown)


def answer(value: object, *shown: RenderableType, as_json: bool) -> None:
    """Print ``value``, or what it returns if it is a function, as JSON; or else print ``shown``."""
    if as_json:
        print_json(value() if callable(value) else value)
    else:
        say(*shown)


def note(text: str) -> None:
    """Print on stderr what happens."""
    err().print(text, soft_wrap=True)


def warn(text: str) -> None:
    """Print a warning on stderr."""
    err().print(text, style="yellow", soft_wrap=True)


def print_error(error: Exception) -> None:
    """Print an error as one line on stderr; click's own with its usage line."""
    if isinstance(error, click.ClickException):
        text = io.StringIO()
        error.show(file=text)
        click.echo(visible(text.getvalue(), lines=True), err=True, nl=False)
    else:
        err().print(Text.assemble(("Error:", "bold red"), " ", str(error)), soft_wrap=True)


def utc_text(time: float) -> str:
    """Return ``time`` (epoch seconds) as people read it, in UTC."""
    return local_text(time, UTC_DAYS)


def local_text(time: float, days: LocalDays) -> str:
    """Return ``time`` (epoch seconds) as people read it in an authority's time zone."""
    return days.text(time, "%Y-%m-%d %H:%M:%S")


@contextmanager
def progress(description: str, *, bar: bool = True) -> Iterator[Callable[[int, int], None]]:
    """Say on stderr how far the body is; call the given function with (done, total).

    A terminal gets a bar. A file or a pipe gets one line each half minute, so that a log shows that
    the command is at work, also while it does not call the function.

    Args:
        description: what the body does.
        bar: False where the CPU time of a bar would count in a measurement.
    """
    console = err()
    if not console.is_terminal:
        with _lines_of_progress(description) as advance:
            yield advance
        return
    shown = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%", markup=False),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not bar,
    )
    with shown:
        task = shown.add_task(description, total=None)

        def advance(done: int, total: int) -> None:
            shown.update(task, completed=done, total=total)

        yield advance


@contextmanager
def _lines_of_progress(description: str) -> Iterator[Callable[[int, int], None]]:
    share: list[float] = []
    ended = Event()
    began = time.monotonic()

    def tell() -> None:
        while not ended.wait(_HALF_MINUTE_S):
            far = f"{percent(share[-1])} done" if share else "at work"
            with suppress(OSError, ValueError):  # stderr is closed: the command goes on
                note(f"{description}: {far} after {_duration(time.monotonic() - began)}")

    def advance(done: int, total: int) -> None:
        share[:] = [done / total] if total else []

    # Another thread: a step of the body may last longer than half a minute.
    teller = Thread(target=tell, name="progress", daemon=True)
    teller.start()
    try:
        yield advance
    finally:
        ended.set()
        teller.join()


def _duration(seconds: float) -> str:
    """Return a time as "30 s", "2 min 30 s" or "1 h 5 min"."""
    minutes, rest = divmod(round(seconds), SECONDS_PER_MINUTE)
    if minutes < 60:
        return f"{minutes} min {rest} s" if minutes else f"{rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
