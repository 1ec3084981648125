"""Renew the table of crowds in accuracy.md: `python docs/explanation/write_crowds.py RECORDINGS`.

RECORDINGS is a folder of recordings as docs/howto/evaluate.md names them. A second folder, if
named, keeps the played crowds for the next time. Takes some ten minutes of two processors.
"""

import sys
from pathlib import Path

import numpy as np

from simulations.scores.intervals import Measured
from simulations.settings.scenario import scenario_names
from simulations.studies.nearness import NAMES, NearnessQuestion, NearnessRow, measure_nearness
from simulations.studies.pair_answers import BOTH, OWN, PairAnswers, added
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
SEEDS = range(1, 9)
ALWAYS = ("none", "constant", DEFAULT_ESTIMATOR, *BOUNDS)
"""Of the other rules each scene shows the best by minutes and the best by average precision."""

HEADER = ["scene", "estimator", "logs", "pairs", "near, %", "P, %", "MAE", "bias", "ECE"]
HEADER += ["in 90 %", "Winkler", "one for all", "AUC", "AP", "P at k", "precision", "recall"]


def shown(figure: Measured, digits: int, *, scale: float = 1.0, width: bool = False) -> str:
    """Return a figure, with half of its interval's width if asked for."""
    if np.isnan(figure.median):
        return "-"
    text = f"{scale * figure.median:.{digits}f}"
    if not width or figure.low is None:
        return text
    return f"{text} ± {scale * (figure.high - figure.low) / 2:.{digits}f}"


def cells(row: NearnessRow) -> list[str]:
    f = row.figures
    return [
        row.scenario,
        row.estimator,
        row.logs,
        f"{row.pairs:,}",
        shown(f["near"], 1, scale=100),
        shown(f["mean_chance"], 1, scale=100),
        shown(f["mae"], 2, width=True),
        shown(f["bias"], 2),
        shown(f["ece"], 3, width=True),
        shown(f["coverage90"], 2),
        shown(f["winkler"], 1),
        shown(f["winkler_here"], 1),
        shown(f["auc"], 3, width=True),
        shown(f["average_precision"], 3, width=True),
        shown(f["precision_at_k"], 3),
        shown(f["precision"], 2),
        shown(f["recall"], 2),
    ]


def chosen(rows: list[NearnessRow]) -> list[NearnessRow]:
    """Return the rows to show of one scene."""

    def best(name: str, *, most: bool) -> str:
        known = [
            (row.figures[name].median * (-1 if most else 1), row.estimator)
            for row in rows
            if row.estimator not in ALWAYS
            and row.logs == OWN
            and not np.isnan(row.figures[name].median)
        ]
        return min(known)[1] if known else ""

    rivals = {best("mae", most=False), best("average_precision", most=True)}
    return [
        row
        for row in rows
        if (row.estimator in ALWAYS and (row.logs == OWN or row.estimator == DEFAULT_ESTIMATOR))
        or (row.estimator in rivals and row.logs == OWN)
    ]


def in_crowds(kept: Path | None) -> list[list[str]]:
    question = NearnessQuestion(POLICY, (*NAMES, *BOUNDS), (OWN, BOTH))
    question_of_bounds = [name for name in question.estimators if name.startswith("tree")]
    without_trees = tuple(name for name in question.estimators if name not in question_of_bounds)
    rows = []
    for estimators, logs in (
        (without_trees, (OWN,)),
        ((DEFAULT_ESTIMATOR,), (BOTH,)),
        (tuple(question_of_bounds), (OWN,)),
    ):
        rows += measure_nearness(
            scenario_names(),
            SEEDS,
            NearnessQuestion(POLICY, estimators, logs),
            settings={},
            keep=kept,
            workers=2,
            on_progress=lambda done, total: print(f"{done} of {total} crowds", file=sys.stderr),
        )
    lines = []
    for scenario in scenario_names():
        mine = [row for row in rows if row.scenario == scenario and row.contacts]
        lines += [cells(row) for row in chosen(mine)]
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
            lines.append(cells(row))
    return lines


def main() -> None:
    kept = Path(sys.argv[2]) if len(sys.argv) > 2 else None
    rows = [HEADER, ["---"] * len(HEADER), *on_recordings(Path(sys.argv[1])), *in_crowds(kept)]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    begin, end = "<!-- crowds -->", "<!-- end of crowds -->"
    before, rest = PAGE.read_text("utf-8").split(begin)
    PAGE.write_text(before + begin + "\n\n" + table + "\n\n" + end + rest.split(end)[1], "utf-8")


if __name__ == "__main__":
    main()
