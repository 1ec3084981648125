"""A sweep's rows and points as tables (CSV; Parquet if pyarrow is installed) and as a curve."""

import csv
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np

from simulations.scores.intervals import flat
from simulations.studies.sweep import SHARES, Point
from simulations.studies.sweep_folder import SweepRow
from tracetogether.errors import MissingExtraError, StoreError
from tracetogether.whole_file import whole_file

ROWS: Final = "rows"
POINTS: Final = "points"
ADOPTION: Final = "people.adoption"
_MARKS: Final = ((0.25, "25 %: the press, June 2020"), (0.32, "32 %: downloads, June 2020"))

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
    return _columns(lines)


def flat_points(points: Sequence[Point]) -> Table:
    """Return a line for each setting: number of runs, and each share with its interval."""
    lines = []
    for point in points:
        line: dict[str, Any] = dict(point.settings) | {"runs": point.runs, "failed": point.failed}
        for name in SHARES:
            line |= flat(name, getattr(point, name))
        lines.append(line)
    return _columns(lines)


def _columns(lines: Sequence[Mapping[str, Any]]) -> Table:
    names = list(dict.fromkeys(name for line in lines for name in line))
    return {name: [line.get(name) for line in lines] for name in names}


def save_tables(rows: Sequence[SweepRow], points: Sequence[Point], folder: Path) -> list[Path]:
    """Write rows.csv and points.csv, and Parquet too if pyarrow is installed; return the files.

    Raises:
        StoreError: they can't be written.
    """
    made = []
    try:
        for name, table in ((ROWS, flat_rows(rows)), (POINTS, flat_points(points))):
            target = folder / f"{name}.csv"
            with whole_file(target) as half, half.open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(table)
                writer.writerows(zip(*table.values(), strict=True))
            made.append(target)
            if (parquet := _parquet(table, folder / f"{name}.parquet")) is not None:
                made.append(parquet)
    except OSError as error:
        raise StoreError(f"can't write into {folder}: {error.strerror or error}") from None
    return made


def _parquet(table: Table, target: Path) -> Path | None:
    try:
        arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        return None
    with whole_file(target) as half:
        parquet.write_table(arrow.table(table), half)
    return target


def save_curve(points: Sequence[Point], path: Path) -> None:
    """Draw the shares of contacts recorded and found by adoption, beside the square of adoption.

    Raises:
        MissingExtraError: matplotlib is not installed.
        StoreError: the file can't be written.
    """
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - an optional package
    except ImportError:
        raise MissingExtraError("The picture", "plot") from None
    figure = Figure(figsize=(7.5, 4.6), facecolor="white", layout="constrained")
    axes = figure.add_subplot()
    for name, colour, label in (
        ("recorded", "#5b8db8", "in the other's log"),
        ("found", "#0f7b5f", "on the authority's list"),
    ):
        rows = [
            (float(point.settings[ADOPTION]), share)
            for point in points
            if (share := getattr(point, name)) is not None
        ]
        if not rows:
            continue
        adoption = np.array([value for value, _ in rows])
        shares = [share for _, share in rows]
        middle = np.array([share.median for share in shares])
        # A point of one run has no interval: its bar has no length.
        ends = np.array([(share.low, share.high) for share in shares], dtype=np.float64).T
        bars = np.abs(np.where(np.isnan(ends), middle, ends) - middle)
        axes.errorbar(adoption, middle, bars, fmt="o", color=colour, capsize=3, label=label)
        scale = middle[np.argmax(adoption)] / adoption.max() ** 2
        fine = np.linspace(0, 1, 101)
        axes.plot(fine, scale * fine**2, color=colour, linewidth=1, linestyle="--")
    for adoption_mark, words in _MARKS:
        axes.axvline(adoption_mark, color="#8a929c", linewidth=1, linestyle=":")
        axes.text(adoption_mark, 1.0, f" {words}", rotation=90, va="top", ha="right", fontsize=8)
    axes.set_xlim(0, 1.02)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("share of people with the app")
    axes.set_ylabel("share of all true contacts")
    axes.set_title("Detected contacts go with the square of adoption (dashed)", loc="left")
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(0.36, 0.85))
    with whole_file(path) as half:
        figure.savefig(half, dpi=120)
