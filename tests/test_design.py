"""The design page shows the rooms, floors and imports that the code has."""

import re
import runpy
import tomllib
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parent.parent
DESIGN = ROOT / "docs" / "explanation" / "design.md"
WRITER = runpy.run_path(str(DESIGN.with_name("write_design.py")))
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"][
    "contracts"
]
TABLES = {
    "tracetogether": "floor",
    "tracetogether.authority": "room of `tracetogether/authority`",
    "simulations": "room of `simulations`",
}


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    return WRITER["graph"]()


def table(head: str) -> list[list[str]]:
    """Return the cells of the table of design.md whose first column has this head."""
    text = DESIGN.read_text("utf-8")
    _, found, rest = text.partition(f"\n| {head} |")
    assert found, f"design.md has no table that begins with {head!r}"
    rows = rest.split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def names(cells: list[str]) -> set[str]:
    """Return the rooms that cells name, without the house before them."""
    return {name.rpartition("/")[2] for cell in cells for name in re.findall(r"`([\w/]+)`", cell)}


def floors() -> dict[int, set[str]]:
    return {int(row[0]): names([row[1]]) for row in table("floor")}


def test_the_pictures_are_drawn_from_the_imports() -> None:
    text = DESIGN.read_text("utf-8")
    assert text == WRITER["with_pictures"](text), "run `python docs/explanation/write_design.py`"


@pytest.mark.parametrize("house", TABLES)
def test_every_room_is_in_its_table_and_exists(house: str, imports: grimp.ImportGraph) -> None:
    rooms = {name.rpartition(".")[2] for name in imports.find_children(house)} - {"__main__"}
    column = 1 if house == "tracetogether" else 0
    listed = names([row[column] for row in table(TABLES[house])])
    if house == "tracetogether":
        rooms.add("simulations")
    assert listed == rooms


def test_no_room_imports_from_a_higher_floor(imports: grimp.ImportGraph) -> None:
    floor_of = {
        f"tracetogether.{room}": floor for floor, room_set in floors().items() for room in room_set
    }
    below = WRITER["rooms"](imports, "tracetogether")
    upward = [
        f"{room} -> {other}"
        for room, others in below.items()
        for other in others
        if floor_of[other] > floor_of[room]
    ]
    assert upward == []


def test_floors_0_to_3_are_held_free_of_input_and_output() -> None:
    held = {
        module.rpartition(".")[2]
        for contract in CONTRACTS
        if contract["type"] == "forbidden" and "socket" in contract["forbidden_modules"]
        for module in contract["source_modules"]
    }
    assert held == set().union(*(rooms for floor, rooms in floors().items() if floor <= 3))
