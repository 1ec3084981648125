"""Write the tables of places in docs/explanation/visits.md again, from what the command prints.

python docs/write.py --only places
"""

import json
import sys
from pathlib import Path
from typing import Any

PAGE = Path(__file__).with_name("visits.md")
BEGIN, END = "<!-- what places add -->", "<!-- end of what places add -->"


def figure(row: dict[str, Any], name: str, digits: int = 2) -> str:
    """Return a figure with its interval."""
    if row[name] is None:
        return "–"
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    bounds = "" if low is None else f" ({low:.{digits}f} to {high:.{digits}f})"
    return f"{row[name]:.{digits}f}{bounds}"


def table(head: list[str], lines: list[list[str]]) -> str:
    """Return a table of Markdown."""
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def locked(dark: dict[str, Any], lit: dict[str, Any]) -> str:
    """Return the table of a room of locked iPhones, seed by seed and together."""
    head = ["seed", "dark, no place", "dark, one place", "lit, no place", "lit, one place"]
    lines = []
    for seed, (first, second) in enumerate(zip(dark["by_seed"], lit["by_seed"], strict=True), 1):
        cells = [each[way] for each in (first, second) for way in ("without", "with")]
        lines.append([str(seed), *(f"{cell:.2f}" for cell in cells)])
    for words, name in (("all", "found"), ("of those listed, falsely", "falsely")):
        cells = [figure(row, f"{name}_{way}") for row in (dark, lit) for way in ("without", "with")]
        lines.append([words, *cells])
    return table(head, lines)


def crowds(rows: list[dict[str, Any]]) -> str:
    """Return the table of crowds whose phones are as their scenarios have them."""
    columns = {
        "contacts found, no place": ("found_without", 2),
        "with": ("found_with", 2),
        "shared air found by stays": ("air_found", 2),
        "of these, falsely": ("air_falsely", 2),
        "warned per case": ("warned_per_case", 1),
    }
    return table(
        ["scenario, adoption", *columns],
        [
            [
                f"{row['scenario']}, {row['adoption']:g}",
                *(figure(row, *column) for column in columns.values()),
            ]
            for row in rows
        ],
    )


def read(name: str) -> list[dict[str, Any]]:
    """Return the rows that the command printed into a file."""
    rows: list[dict[str, Any]] = json.loads(Path(name).read_text("utf-8"))
    return rows


if __name__ == "__main__":
    dark, lit, played = map(read, sys.argv[1:])
    text = PAGE.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    middle = (
        "Locked iPhones in `classroom`; contacts found, in brackets the central 90 % by crowds:"
        f"\n\n{locked(dark[0], lit[0])}\n\n"
        f"Crowds as shipped, {played[0]['crowds']} seeds each, one place in the middle:"
        f"\n\n{crowds(played)}"
    )
    PAGE.write_text(f"{before}{BEGIN}\n\n{middle}\n\n{END}{rest.partition(END)[2]}", "utf-8")
