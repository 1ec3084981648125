"""The curve of a sweep over adoption, for the page of a run of the same scenario."""

import csv
import json
from pathlib import Path

from simulations.studies.sweep_folder import PLAN
from simulations.studies.sweep_tables import ADOPTION, POINTS
from tracetogether.errors import StoreError


def adoption_curve(sweep: Path) -> list[list[float]]:
    """Return rows of adoption, and the low, median and high share of contacts recorded.

    Raises:
        StoreError: the folder holds no finished sweep over adoption.
    """
    file = sweep / f"{POINTS}.csv"
    low, high = "recorded_low", "recorded_high"
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            every = list(csv.DictReader(lines))
        if failed := sum(int(row.get("failed") or 0) for row in every):
            raise ValueError(f"{failed} of its runs failed")  # noqa: TRY301 - said below
        rows = [row for row in every if row["recorded"]]
        return [
            # A single run has no interval: low and high are the share itself.
            [float(row[name] or row["recorded"]) for name in (ADOPTION, low, "recorded", high)]
            for row in rows
        ]
    except (OSError, ValueError, KeyError) as error:
        raise StoreError(
            f"{sweep} holds no finished sweep over adoption ({error}); make one in an "
            "empty folder: tracetogether simulate sweep SCENARIO --vary adoption=0.1:1.0:10 "
            "--out DIR"
        ) from None


def sweep_text(sweep: Path, folder: Path, played: str) -> str:
    """Return a sentence that describes a sweep.

    Args:
        sweep: the sweep's folder.
        folder: of the run on the page.
        played: the scenario of that run.

    Raises:
        StoreError: it is a sweep of another scenario, or its plan is damaged.
    """
    if not (sweep / PLAN).exists():
        return "Of a sweep that does not say what it played."
    try:
        plan = json.loads((sweep / PLAN).read_text("utf-8"))["plan"]
        name, every = plan["scenario"], [dict(settings) for settings in plan["settings"]]
        fixed = {key: value for key, value in every[0].items() if key != ADOPTION}
        seeds = len(set(plan["seeds"]))
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        raise StoreError(f"{sweep / PLAN} is damaged; play the sweep again") from None
    if name != played:
        raise StoreError(
            f"{sweep} is a sweep of {name}, but {folder} is a run of {played}: leave out --sweep, "
            f"or give a sweep of {played}"
        )
    words = ", ".join(f"{key} = {value}" for key, value in fixed.items()) or "as it comes"
    return f"A sweep of {name}: {words}; {seeds} runs of each adoption."
