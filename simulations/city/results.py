"""What a run found: figures, curves by day, and the tables that are kept in a folder."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from simulations.city.keys import LAYERS
from simulations.city.outbreak import Outbreak, dispersion
from simulations.city.run import CityRun
from simulations.city.tree_table import CSV_FILE, PARQUET_FILE, save_tree
from simulations.pages.recording import prepare_folder
from simulations.studies.memory import peak_mb
from tracetogether.errors import StoreError
from tracetogether.units import Floats, Ints
from tracetogether.whole_file import whole_file

MANIFEST: Final = "manifest.json"
DAYS: Final = "days.csv"
LAYERS_OF_RUN: Final = "layers.csv"
AGES: Final = "ages.csv"
GENERATIONS: Final = "generations.csv"
TREES: Final = MappingProxyType({"csv": CSV_FILE, "parquet": PARQUET_FILE})
"""The file of who infected whom, by its format."""


def summary(played: CityRun, outbreak: Outbreak | None = None) -> dict[str, Any]:
    """Return the figures of a run by name.

    Args:
        played: the run.
        outbreak: its infected people, if they are known already.
    """
    outbreak = outbreak or Outbreak.of(played)
    new = played.new_infections
    infections = int(new.sum())
    cases, infected = outbreak.early()
    learned = played.lessons
    ages = outbreak.by_age()
    return {
        "scenario": played.scenario.name,
        "seed": played.seed,
        "digest": played.digest,
        "people": played.network.people,
        "days": played.scenario.days,
        "infections": infections,
        "attack_rate": infections / played.network.people,
        "peak_day": peak_day(new),
        "r": infected / cases if cases else None,
        "k": dispersion(outbreak.offspring_counts()),
        "severe": sum(row["severe"] for row in ages),
        "deaths": sum(row["deaths"] for row in ages),
        **outbreak.named(),
        **played.costs.to_json(),
        **played.gates.to_json(),
        "gate_showings": learned.showings,
        "gate_refusals": learned.refusals,
        "gate_bits": learned.bits,
        **played.presence.to_json(),
        "cost": played.scenario.prices.cost(played.costs.to_json()),
        "detection_table": f"{played.detection.protocol} {played.detection.digest}",
        "cpu_s": played.cpu_s,
        "peak_mb": max(played.peak_mb, peak_mb()),
    }


def peak_day(new: Ints) -> int:
    """Return the middle of the seven days with most new infections; the first if several tie."""
    width = min(7, len(new))
    sums = np.convolve(new, np.ones(width, dtype=np.int64), "valid")
    return int(np.argmax(sums)) + width // 2


def infections_by_layer(played: CityRun) -> dict[str, int]:
    """Return how many people were infected in each layer of contacts."""
    layers = played.people.layer
    counts = np.bincount(layers[layers >= 0], minlength=len(LAYERS))
    return dict(zip(LAYERS, counts.tolist(), strict=True))


def day_columns(outbreak: Outbreak) -> dict[str, Ints | Floats]:
    """Return the (days,) columns of a run by name; R is NaN where it is not known."""
    return {
        "day": np.arange(outbreak.played.scenario.days, dtype=np.int64),
        "infections": outbreak.played.new_infections,
        **outbreak.played.daily,
        "r_of_cases": outbreak.r_of_cases(),
        "r_instant": outbreak.r_instant(),
    }


def findings(played: CityRun, outbreak: Outbreak | None = None) -> dict[str, Any]:
    """Return everything of a run that fits into a small JSON document, and peoples' rows do not.

    Returns:
        The figures of ``summary``, and ``curves`` (day columns by name, None where R is not
        known), ``by_layer``, ``by_age``, ``early``, ``generations`` and ``offspring``.
    """
    outbreak = outbreak or Outbreak.of(played)
    columns = day_columns(outbreak)
    del columns["day"]
    return {
        **summary(played, outbreak),
        "curves": {name: listed(column) for name, column in columns.items()},
        "by_layer": infections_by_layer(played),
        **outbreak.to_json(),
    }


def listed(column: Ints | Floats) -> list[float | None]:
    """Return the numbers of a column, None for NaN."""
    return [None if value != value else value for value in column.tolist()]  # noqa: PLR0124


def save(
    played: CityRun, folder: Path, outbreak: Outbreak | None = None, *, tree: str | None = None
) -> None:
    """Keep a run in a folder: its figures, keys, curves, layers, ages and generations.

    Args:
        played: the run.
        folder: empty, or with an earlier run.
        outbreak: its infected people, if they are known already.
        tree: also write who infected whom, as "csv" or "parquet".

    Raises:
        StoreError: the folder holds something else, or can't be written, or ``tree`` is no format.
        MissingExtraError: pyarrow is not installed, which Parquet needs.
    """
    if tree is not None and tree not in TREES:
        raise StoreError(f"a tree is written as {' or '.join(TREES)}, not as {tree!r}")
    prepare_folder(folder)
    for stale in TREES.values():  # of another run that was kept here
        (folder / stale).unlink(missing_ok=True)
    outbreak = outbreak or Outbreak.of(played)
    columns = {name: listed(column) for name, column in day_columns(outbreak).items()}
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    save_table(rows, folder / DAYS)
    by_layer = infections_by_layer(played).items()
    save_table(
        [{"layer": name, "infections": count} for name, count in by_layer], folder / LAYERS_OF_RUN
    )
    if tree is not None:
        save_tree(outbreak, folder / TREES[tree])
    found = outbreak.to_json()
    save_table(found["by_age"], folder / AGES)
    made = zip(found["generations"]["cases"], found["generations"]["infected"], strict=True)
    save_table(
        [
            {"generation": number, "cases": cases, "infected": infected}
            for number, (cases, infected) in enumerate(made)
        ],
        folder / GENERATIONS,
        ("generation", "cases", "infected"),
    )
    kept = summary(played, outbreak) | found | {"keys": asdict(played.scenario)}
    with whole_file(folder / MANIFEST) as half:
        half.write_text(json.dumps(kept, indent=2) + "\n", "utf-8")


def save_table(rows: Sequence[Mapping[str, object]], path: Path, names: Sequence[str] = ()) -> None:
    """Write rows with the same names to a CSV file.

    Args:
        rows: the lines.
        path: the file.
        names: of the columns; needed if there may be no rows.
    """
    with whole_file(path) as half, half.open("w", encoding="utf-8", newline="") as file:
        columns = names or (list(rows[0]) if rows else [])
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
