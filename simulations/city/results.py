"""What a run found: figures, and the tables that are kept in a folder."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np

from simulations.city.keys import LAYERS
from simulations.city.run import CityRun
from simulations.pages.recording import prepare_folder
from simulations.studies.bench import peak_mb
from tracetogether.units import Ints
from tracetogether.whole_file import whole_file

MANIFEST: Final = "manifest.json"
DAYS: Final = "days.csv"
LAYERS_OF_RUN: Final = "layers.csv"


def summary(played: CityRun) -> dict[str, Any]:
    """Return the figures of a run by name."""
    new = played.new_infections
    infections = int(new.sum())
    return {
        "scenario": played.scenario.name,
        "seed": played.seed,
        "digest": played.digest,
        "people": played.network.people,
        "days": played.scenario.days,
        "infections": infections,
        "attack_rate": infections / played.network.people,
        "peak_day": peak_day(new),
        **played.costs.to_json(),
        "detection_table": f"{played.detection.protocol} {played.detection.digest}",
        "cpu_s": played.cpu_s,
        "peak_mb": peak_mb(),
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


def save(played: CityRun, folder: Path) -> None:
    """Keep a run in a folder: its figures, keys, curve and layers.

    Raises:
        StoreError: the folder holds something else, or can't be written.
    """
    prepare_folder(folder)
    days = [{"day": day, "infections": new} for day, new in enumerate(played.new_infections)]
    save_table(days, folder / DAYS)
    by_layer = infections_by_layer(played).items()
    save_table(
        [{"layer": name, "infections": count} for name, count in by_layer], folder / LAYERS_OF_RUN
    )
    kept = summary(played) | {"keys": asdict(played.scenario)}
    with whole_file(folder / MANIFEST) as half:
        half.write_text(json.dumps(kept, indent=2) + "\n", "utf-8")


def save_table(rows: Sequence[Mapping[str, object]], path: Path) -> None:
    """Write rows with the same names to a CSV file."""
    with whole_file(path) as half, half.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else [])
        writer.writeheader()
        writer.writerows(rows)
