"""Rows are read and written by the names of columns: a wrong order of columns changes nothing."""

from dataclasses import dataclass
from enum import Enum

import pytest
import sqlalchemy as sa

from tracetogether.adapters.sql_store.rows import RowFormat


class Shade(Enum):
    LIGHT = "light"
    DARK = "dark"


@dataclass(frozen=True)
class Stone:
    name: str
    shade: Shade
    found_at: float
    tags: tuple[str, ...]
    weight: float = 1.0


COLUMNS = ("weight", "found_at_s", "tags", "shade", "name", "unused")
TABLE = sa.Table("stones", sa.MetaData(), *(sa.Column(name) for name in COLUMNS))
FORMAT = RowFormat(
    TABLE,
    Stone,
    read={"shade": Shade, "tags": lambda text: tuple(text.split())},
    write={"tags": " ".join},
)


def test_a_row_comes_back_in_any_order_of_columns() -> None:
    stone = Stone("opal", Shade.DARK, 12.5, ("a", "b"), 3.0)
    values = FORMAT.values(stone)
    assert values == {
        "name": "opal",
        "shade": "dark",
        "found_at_s": 12.5,
        "tags": "a b",
        "weight": 3.0,
    }
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE TABLE stones ({', '.join(COLUMNS)})")
        connection.execute(TABLE.insert().values(**values))
        for columns in (TABLE.c, reversed(list(TABLE.c))):
            (row,) = connection.execute(sa.select(*columns)).mappings()
            assert FORMAT.item(row) == stone
    engine.dispose()


def test_a_field_without_a_column_is_refused_at_once() -> None:
    table = sa.Table("stones", sa.MetaData(), *(sa.Column(name) for name in COLUMNS[1:]))
    with pytest.raises(KeyError, match="weight"):
        RowFormat(table, Stone)
    without = RowFormat(table, Stone, read={"shade": Shade}, without=["weight"])
    row = {"name": "opal", "shade": "light", "found_at_s": 1.0, "tags": (), "unused": None}
    assert without.item(row, weight=2.0) == Stone("opal", Shade.LIGHT, 1.0, (), 2.0)  # type: ignore[arg-type]
