"""Who infected whom, as a table of everybody who was infected: CSV or Parquet.

It has a line for each infected person, in order of day. A city has millions of them, so lines are
made and written in blocks.
"""

import csv
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np

from simulations.city.keys import LAYERS
from simulations.city.outbreak import Outbreak
from simulations.city.people import BY_APP, BY_TRACERS, OF_SOURCE
from tracetogether.errors import MissingExtraError, StoreError
from tracetogether.whole_file import whole_file

CSV_FILE: Final = "tree.csv"
PARQUET_FILE: Final = "tree.parquet"
COLUMNS: Final = (
    "person",
    "source",
    "layer",
    "day",
    "generation",
    "infected",
    "named_by_app",
    "named_by_tracers",
    "app_found_transmission",
    "tracers_found_transmission",
    "tested",
    "from_age",
    "severe",
    "died",
)
"""The columns of the table; docs/howto/city.md describes them."""
_BLOCK: Final = 1 << 16
_NO_LAYER: Final = ""


def tree_blocks(outbreak: Outbreak, rows: int = _BLOCK) -> Iterator[dict[str, np.ndarray]]:
    """Yield the table in blocks: name -> column.

    Args:
        outbreak: everybody who was infected.
        rows: most rows of a block.

    Yields:
        The columns of COLUMNS. ``source`` is -1, and ``layer`` "", for cases of day 0.
    """
    played = outbreak.played
    names = np.array([*LAYERS, _NO_LAYER])  # index -1 is the last
    for low in range(0, len(outbreak.person), rows):
        block = slice(low, low + rows)
        person, by = outbreak.person[block].astype(np.int64), outbreak.source[block]
        found = outbreak.found[block]
        yield dict(
            zip(
                COLUMNS,
                (
                    person,
                    np.where(by >= 0, outbreak.person[by], -1),
                    names[outbreak.layer[block]],
                    outbreak.day[block],
                    outbreak.generation[block],
                    outbreak.offspring[block],
                    found & BY_APP > 0,
                    found & BY_TRACERS > 0,
                    found & (BY_APP << OF_SOURCE) > 0,
                    found & (BY_TRACERS << OF_SOURCE) > 0,
                    played.people.tested[person],
                    10 * played.disease.decade(person),
                    played.disease.is_severe(person),
                    played.disease.is_deadly(person),
                ),
                strict=True,
            )
        )


def tree_columns(outbreak: Outbreak) -> dict[str, np.ndarray]:
    """Return the whole table: name -> column of everybody who was infected."""
    (found,) = tree_blocks(outbreak, max(len(outbreak.person), 1))
    return found


def save_tree(outbreak: Outbreak, path: Path) -> None:
    """Write the table to a file: Parquet if its name ends so, else CSV with 1 and 0 for yes and no.

    Raises:
        StoreError: the file can't be written.
        MissingExtraError: pyarrow is not installed.
    """
    try:
        if path.suffix == ".parquet":
            _save_parquet(outbreak, path)
        else:
            _save_csv(outbreak, path)
    except OSError as error:
        raise StoreError(f"can't write {path}: {error.strerror or error}") from None


def _save_csv(outbreak: Outbreak, path: Path) -> None:
    with whole_file(path) as half, half.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for block in tree_blocks(outbreak):
            columns = [
                column.astype(np.int8) if column.dtype == bool else column
                for column in block.values()
            ]
            writer.writerows(zip(*(column.tolist() for column in columns), strict=True))


def _save_parquet(outbreak: Outbreak, path: Path) -> None:
    try:
        arrow: Any = import_module("pyarrow")
        parquet: Any = import_module("pyarrow.parquet")
    except ImportError:
        raise MissingExtraError("A Parquet file", "parquet") from None
    with whole_file(path) as half:
        writer = None
        for block in tree_blocks(outbreak):
            table = arrow.table(block)
            writer = writer or parquet.ParquetWriter(half, table.schema)
            writer.write_table(table)
        if writer is not None:
            writer.close()
