"""All faults of a scenario file, each with its line."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tracetogether.errors import ScenarioError

_TABLE: Final = re.compile(r"\s*(\[\[?)\s*([\w.\s-]+?)\s*\]")
_KEY: Final = re.compile(r"\s*([\w-]+(?:\s*\.\s*[\w-]+)*)\s*=")
_QUOTES: Final = ('"""', "'''")


def lines_of_keys(text: str) -> Mapping[str, int]:
    r"""Return dotted key -> number of its line in a TOML text, for tables too.

    The n-th ``[[motion.timetable]]`` is ``motion.timetable.n``. Keys in quotes, and keys of inline
    tables, are not found.

    >>> lines_of_keys('title = "a"\n[people]\ncount = 3\n')
    {'title': 1, 'people': 2, 'people.count': 3}
    """
    found: dict[str, int] = {}
    numbered: Counter[str] = Counter()
    table, open_quotes = "", ""
    for number, line in enumerate(text.splitlines(), start=1):
        if open_quotes:  # within a text of several lines
            open_quotes = "" if open_quotes in line else open_quotes
            continue
        if head := _TABLE.match(line):
            name = re.sub(r"\s", "", head[2])
            if head[1] == "[[":
                numbered[name] += 1
                name = f"{name}.{numbered[name]}"
            found.setdefault(name, number)
            table = f"{name}."
        elif key := _KEY.match(line):
            found.setdefault(table + re.sub(r"\s", "", key[1]), number)
            open_quotes = next((mark for mark in _QUOTES if line.count(mark) % 2), "")
    return found


@dataclass(slots=True)
class FileFaults:
    """Faults of one file, in the order in which they were found.

    Attributes:
        source: the file, as messages name it.
        text: its text; "" if there is none, so that no line is named.
        replaced: keys whose values are not those of the file, so that their lines are not named.
        found: (dotted key, what is wrong and what to do) of each fault.
    """

    source: str
    text: str = ""
    replaced: frozenset[str] = frozenset()
    found: list[tuple[str, str]] = field(default_factory=list)

    def add(self, place: str, message: str) -> None:
        """Note a fault of the key or table ``place``."""
        self.found.append((place, message))

    def check(self) -> None:
        """Return if there is no fault.

        Raises:
            ScenarioError: there are faults; the message has a line for each of several.
        """
        if not self.found:
            return
        lines = lines_of_keys(self.text)
        faults = [
            (None if place in self.replaced else _line_of(place, lines), message)
            for place, message in self.found
        ]
        faults.sort(key=lambda fault: fault[0] or float("inf"))  # missing keys have no line
        if len(faults) == 1:
            ((line, message),) = faults
            raise ScenarioError(f"{self.source}{f', line {line}' if line else ''}: {message}")
        listed = [f"line {line}: {message}" if line else message for line, message in faults]
        raise ScenarioError("\n  ".join([f"{self.source} has {len(faults)} faults:", *listed]))


def _line_of(place: str, lines: Mapping[str, int]) -> int | None:
    """Return the line of a key; of the table that holds it if the key itself is not found."""
    while place:
        if place in lines:
            return lines[place]
        place = place.rpartition(".")[0]
    return None
