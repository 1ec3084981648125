"""Write columns to a file: CSV, NDJSON or Parquet, by its ending."""

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Final

import numpy as np

from tracetogether.errors import MissingExtraError
from tracetogether.labels import Labels
from tracetogether.tables.arrow_columns import ColumnTable, DataColumn, NamedColumns, UtcSeconds
from tracetogether.tables.spreadsheets import Cell, csv_text, ndjson_text
from tracetogether.whole_file import whole_file

ENDINGS: Final = (".csv", ".ndjson", ".parquet")
"""The endings of files that can be written."""


def write_table(table: ColumnTable, path: Path, more: Mapping[str, DataColumn]) -> None:
    """Write the rows of a table; a file that was there is replaced as a whole.

    Text files give times as ISO 8601 in UTC, and leave unknown values empty (CSV) or null.

    Args:
        table: the rows.
        path: ends in one of ENDINGS.
        more: further columns, of the same length.

    Raises:
        MissingExtraError: the package that writes Parquet is not installed.
        StoreError: the file can't be written.
        ValueError: the columns differ in length.
    """
    columns = NamedColumns({**table.columns, **more})
    if path.suffix.lower() == ".parquet":
        _write_parquet(columns, path)
        return
    rows = _rows(columns.columns)
    text = csv_text(rows) if path.suffix.lower() == ".csv" else ndjson_text(rows)
    with whole_file(path) as half, half.open("w", encoding="utf-8", newline="") as file:
        file.writelines(text)


def _write_parquet(columns: NamedColumns, path: Path) -> None:
    try:
        arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        raise MissingExtraError("a Parquet file", "parquet") from None
    with whole_file(path) as half:
        parquet.write_table(arrow.table(columns), half)


def _rows(columns: Mapping[str, DataColumn]) -> Iterator[Sequence[Cell]]:
    """Yield the names, then the rows."""
    yield list(columns)
    yield from zip(*map(_cells, columns.values()), strict=True)


def _cells(column: DataColumn) -> list[Cell]:
    match column:
        case Labels():
            return list(column)
        case UtcSeconds():
            times = column.microseconds().view("datetime64[us]")
            texts = np.datetime_as_string(times, unit="ms", timezone="UTC").tolist()
            return [None if text == "NaT" else text for text in texts]
        case _ if column.dtype.kind == "f":
            return [None if np.isnan(value) else value for value in column.tolist()]
        case _:
            return list(column.tolist())
