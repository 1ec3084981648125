"""Renew the table of crowds in accuracy.md from rows of `tracetogether simulate nearness`:

    tracetogether simulate nearness --seeds 8 --json > crowds.json
    tracetogether simulate nearness train-carriage --seeds 8 --logs both --json > both.json
    tracetogether simulate nearness --seeds 3 --estimator none --bounds --json > bounds.json
    python docs/explanation/write_crowds.py RECORDINGS crowds.json both.json bounds.json

RECORDINGS is a folder of recordings as docs/howto/evaluate.md names them. A row that more than one
file has is taken from the first.
"""

import json
import sys
from pathlib import Path

import numpy as np

from simulations.studies.nearness import NearnessRow
from simulations.studies.pair_answers import OWN, PairAnswers, added
from simulations.studies.pair_bounds import BOUNDS
from simulations.studies.pair_measures import with_intervals
from tracetogether.evaluation.layout import RecordingLayout
from tracetogether.evaluation.recordings import read_recording
from tracetogether.evaluation.truth import TrueMinutes
from tracetogether.parameters import CloseContactPolicy
from tracetogether.proximity.calibration import Calibration
from tracetogether.proximity.encounters import DEFAULT_ESTIMATOR, ESTIMATORS
from tracetogether.proximity.grid import numbers_in
from tracetogether.proximity.slots import fold

PAGE = Path(__file__).with_name("accuracy.md")
POLICY = CloseContactPolicy("2m-15min", 2.0, 15.0)
ALWAYS = ("none", "constant", DEFAULT_ESTIMATOR, *BOUNDS)
"""Of the other rules each scenario shows the best by minutes and the best by average precision."""

HEADER = ["scene", "estimator", "logs", "crowds", "pairs", "near, %", "P, %", "MAE", "bias", "ECE"]
HEADER += ["in 90 %", "Winkler", "one for all", "AUC", "AP", "P at k", "precision", "recall"]


def shown(row: dict, name: str, digits: int, *, scale: float = 1.0, width: bool = False) -> str:
    """Return a figure of a row, with half of its interval's width if asked for."""
    value, low, high = (row[name + end] for end in ("", "_low", "_high"))
    if value is None:
        return "-"
    text = f"{scale * value:.{digits}f}"
    return text if not width or low is None else f"{text} ± {scale * (high - low) / 2:.{digits}f}"


def cells(row: dict) -> list[str]:
    return [
        row["scenario"],
        row["estimator"],
        row["logs"],
        str(row["crowds"]),
        f"{row['pairs']:,}",
        shown(row, "near", 1, scale=100),
        shown(row, "mean_chance", 1, scale=100),
        shown(row, "mae", 2, width=True),
        shown(row, "bias", 2),
        shown(row, "ece", 3, width=True),
        shown(row, "coverage90", 2),
        shown(row, "winkler", 1),
        shown(row, "winkler_here", 1),
        shown(row, "auc", 3, width=True),
        shown(row, "average_precision", 3, width=True),
        shown(row, "precision_at_k", 3),
        shown(row, "precision", 2),
        shown(row, "recall", 2),
    ]


def chosen(rows: list[dict]) -> list[dict]:
    """Return the rows to show of one scenario: ours, and its strongest rivals."""

    def best(name: str, *, most: bool) -> str:
        known = [
            (row[name] * (-1 if most else 1), row["estimator"])
            for row in rows
            if row["estimator"] not in ALWAYS and row["logs"] == OWN and row[name] is not None
        ]
        return min(known)[1] if known else ""

    rivals = {best("mae", most=False), best("average_precision", most=True)}
    return [
        row
        for row in rows
        if row["estimator"] == DEFAULT_ESTIMATOR
        or (row["logs"] == OWN and row["estimator"] in rivals | set(ALWAYS))
    ]


def in_crowds(files: list[Path]) -> list[list[str]]:
    found: dict[tuple[str, str, str], dict] = {}
    for file in files:
        for row in json.loads(file.read_text("utf-8")):
            found.setdefault((row["scenario"], row["estimator"], row["logs"]), row)
    rows = list(found.values())
    lines = []
    for scenario in dict.fromkeys(row["scenario"] for row in rows if row["contacts"]):
        lines += [cells(row) for row in chosen([r for r in rows if r["scenario"] == scenario])]
    return lines


def recorded(folder: Path, phones: Calibration) -> dict[str, list[tuple[np.ndarray, PairAnswers]]]:
    """Return true minutes and answers of exp05's scenes, for the time that cameras saw both."""
    scenes = read_recording(
        folder / "dp3t_epfl" / "readings_exp05.csv.gz",
        RecordingLayout.parse("distance=dist_m,scene=scenario"),
        tracks=folder / "dp3t_epfl" / "traj_exp05_2hz.csv.gz",
    ).scenes
    found: dict[str, list[tuple[np.ndarray, PairAnswers]]] = {}
    for scene in (scene for scene in scenes if scene.tracks is not None):
        slots, truth = fold(scene.sightings, phones), TrueMinutes.of(scene.tracks, POLICY.within_m)
        first, second = (numbers_in(truth.names, who) for who in (slots.observer, slots.peer))
        seen = (first >= 0) & (second >= 0)
        people = len(truth.names)
        code, pair = np.unique((first * people + second)[seen], return_inverse=True)
        tracked = truth.tracked[np.divmod(code, people)]
        both = tracked > 0
        true = truth.near[np.divmod(code, people)][both]
        found.setdefault("none", []).append((true, nobody(len(true))))
        for name in (DEFAULT_ESTIMATOR, "smoothed"):
            said = ESTIMATORS[name]().estimate(slots, within_m=POLICY.within_m)
            heard = slots.total(slots.credit_s) / 60
            minutes = [said.minutes.low, said.minutes.median, said.minutes.high]
            columns = np.column_stack([*minutes, said.minutes_at_offset_quantiles(), heard])
            sums = added(pair.reshape(-1), columns[seen], len(code))
            share = np.minimum(1.0, tracked / np.maximum(sums[:, -1], 1e-9))
            sums = (sums[:, :-1] * share[:, None])[both]
            answers = PairAnswers.of_minutes(sums[:, :3], sums[:, 3:], POLICY)
            found.setdefault(name, []).append((true, answers))
    return found


def nobody(count: int) -> PairAnswers:
    unknown = np.full(count, np.nan)
    return PairAnswers(np.zeros(count), unknown, unknown, np.zeros(count), unknown)


def on_recordings(folder: Path) -> list[list[str]]:
    table = folder / "google_en_calibration" / "en-calibration-2020-12-14_measured.csv"
    lines = []
    for scene, phones in (
        ("exp05, recorded, phones known", Calibration.load(table)),
        ("exp05, recorded, phones unknown", Calibration.prior()),
    ):
        for name, parts in recorded(folder, phones).items():
            true, answers = (list(column) for column in zip(*parts, strict=True))
            everything = np.concatenate(true)
            figures = with_intervals(answers, true, POLICY.minutes, others=None)
            contacts = int((everything >= POLICY.minutes).sum())
            row = NearnessRow(scene, name, OWN, len(true), len(everything), contacts, figures)
            lines.append(cells(row.to_json()))
    return lines


def main() -> None:
    folder, *files = map(Path, sys.argv[1:])
    rows = [HEADER, ["---"] * len(HEADER), *on_recordings(folder), *in_crowds(files)]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    begin, end = "<!-- crowds -->", "<!-- end of crowds -->"
    before, rest = PAGE.read_text("utf-8").split(begin)
    PAGE.write_text(before + begin + "\n\n" + table + "\n\n" + end + rest.split(end)[1], "utf-8")


if __name__ == "__main__":
    main()
