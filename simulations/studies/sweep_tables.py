"""A sweep's rows and points as tables: CSV, and Parquet if pyarrow is installed."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from simulations.scores.intervals import flat
from simulations.studies.sweep import SHARES, Point
from simulations.studies.sweep_folder import SweepRow
from tracetogether.errors import StoreError
from tracetogether.whole_file import whole_file

ROWS: Final = "rows"
POINTS: Final = "points"
ADOPTION: Final = "people.adoption"

Table = dict[str, list[Any]]


def flat_rows(rows: Sequence[SweepRow]) -> Table:
    """Return a column for each setting and number, a line for each run; None where it lacks one."""
    lines = []
    for row in rows:
        line = {name: value for name, value in row.items() if not isinstance(value, dict)}
        line |= row["settings"]
        scores = row.get("scores", {})
        line |= {
            name: value for name, value in scores.items() if not isinstance(value, dict | list)
        }
        battery = scores.get("battery_percent_per_hour", {})
        line |= {f"battery_percent_per_hour_{system}": cost for system, cost in battery.items()}
        for kind in ("by_systems", "by_distance", "by_carry"):
            for share in scores.get(kind, ()):
                name = f"{kind}_{share['name']}".replace(" ", "_")
                line |= {f"{name}_windows": share["windows"], f"{name}_recorded": share["recorded"]}
        lines.append(line)
    return _with_numbers(_columns(lines), {key for row in rows for key in row["settings"]})


def flat_points(points: Sequence[Point]) -> Table:
    """Return a line for each setting: number of runs, and each share with its interval."""
    lines = []
    for point in points:
        line: dict[str, Any] = dict(point.settings) | {"runs": point.runs, "failed": point.failed}
        for name in SHARES:
            line |= flat(name, getattr(point, name))
        lines.append(line)
    return _with_numbers(_columns(lines), {key for point in points for key in point.settings})


def _with_numbers(table: Table, settings: Iterable[str]) -> Table:
    """Turn the texts of settings into numbers where a whole column has numbers alone.

    Data tools then sort, plot and look up 0.4; a key such as ``app`` keeps its words.
    """
    for key in settings:
        with suppress(ValueError):
            table[key] = [None if text is None else float(text) for text in table[key]]
    return table


def _columns(lines: Sequence[Mapping[str, Any]]) -> Table:
    names = list(dict.fromkeys(name for line in lines for name in line))
    return {name: [line.get(name) for line in lines] for name in names}


def save_tables(rows: Sequence[SweepRow], points: Sequence[Point], folder: Path) -> list[Path]:
    """Write rows.csv and points.csv, and Parquet too if pyarrow is installed; return the files.

    Raises:
        StoreError: they can't be written.
    """
    tables = {ROWS: flat_rows(rows), POINTS: flat_points(points)}
    return [file for name, table in tables.items() for file in save_columns(table, folder, name)]


def save_columns(table: Mapping[str, Sequence[Any]], folder: Path, name: str) -> list[Path]:
    """Write columns as ``name``.csv, and as Parquet too if pyarrow is installed.

    Returns:
        The files.

    Raises:
        StoreError: they can't be written.
    """
    target = folder / f"{name}.csv"
    try:
        with whole_file(target) as half, half.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(table)
            writer.writerows(zip(*table.values(), strict=True))
        parquet = _parquet(table, folder / f"{name}.parquet")
    except OSError as error:
        raise StoreError(f"can't write into {folder}: {error.strerror or error}") from None
    return [target] if parquet is None else [target, parquet]


def _parquet(table: Mapping[str, Sequence[Any]], target: Path) -> Path | None:
    try:
        arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        return None
    with whole_file(target) as half:
        parquet.write_table(arrow.table(dict(table)), half)
    return target
