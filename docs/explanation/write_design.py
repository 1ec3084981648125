"""Write the pictures in design.md from the imports: `python docs/explanation/write_design.py`."""

from collections.abc import Iterable
from pathlib import Path

import grimp

HOUSES = ("tracetogether", "tracetogether.authority", "simulations")
PAGE = Path(__file__).with_name("design.md")
LEFT_OUT = frozenset({"tracetogether.__main__"})


def graph() -> grimp.ImportGraph:
    """Return the imports of every module of the project."""
    return grimp.build_graph("tracetogether", "simulations", cache_dir=None)


def rooms(imports: grimp.ImportGraph, house: str) -> dict[str, set[str]]:
    """Return for each module or package directly in `house` the others that it imports from."""
    members = imports.find_children(house) - LEFT_OUT
    owners = {
        module: member
        for member in members
        for module in {member, *imports.find_descendants(member)}
    }
    below: dict[str, set[str]] = {member: set() for member in members}
    for module, member in owners.items():
        for imported in imports.find_modules_directly_imported_by(module):
            other = owners.get(imported)
            if other is not None and other != member:
                below[member].add(other)
    return below


def picture(below: dict[str, set[str]]) -> str:
    """Return a Mermaid flow chart. An arrow that follows from other arrows is left out."""
    reach = _reach(below)
    lines = ["```mermaid", "flowchart TD"]
    alone = (
        set(below)
        - {room for room, direct in below.items() if direct}
        - set().union(*below.values())
    )
    lines += [f"  {_name(room)}" for room in sorted(alone)]
    for room, direct in sorted(below.items()):
        shown = {to for to in direct if not any(to in reach[via] for via in direct - {to})}
        lines += [f"  {_name(room)} --> {_name(to)}" for to in sorted(shown)]
    return "\n".join([*lines, "```"])


def _name(module: str) -> str:
    return module.rpartition(".")[2]


def _reach(below: dict[str, set[str]]) -> dict[str, set[str]]:
    """Return everything that each room imports, directly or through others."""
    reach: dict[str, set[str]] = {}

    def of(room: str) -> set[str]:
        if room not in reach:
            reach[room] = below[room].union(*(of(other) for other in below[room]))
        return reach[room]

    for room in below:
        of(room)
    return reach


def with_pictures(text: str, houses: Iterable[str] = HOUSES) -> str:
    """Return the text of design.md with each picture renewed between its two markers."""
    imports = graph()
    for house in houses:
        start, end = f"<!-- imports of {house} -->\n", f"\n<!-- end of {house} -->"
        before, _, rest = text.partition(start)
        _, marker, after = rest.partition(end)
        if not marker:
            msg = f"{PAGE.name} has no place for a picture: add {start.strip()} and {end.strip()}"
            raise ValueError(msg)
        text = before + start + picture(rooms(imports, house)) + end + after
    return text


if __name__ == "__main__":
    PAGE.write_text(with_pictures(PAGE.read_text("utf-8")), "utf-8")
