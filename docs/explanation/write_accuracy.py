"""Renew the tables of accuracy.md: `python docs/explanation/write_accuracy.py RECORDINGS`.

RECORDINGS is a folder of recordings as docs/howto/evaluate.md names them. Every table is measured
as `tracetogether evaluate` measures it: scenes that share a place, people or phones leave together,
as far as columns tell. `--only NAME` renews one table.
"""

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter, process_time

import numpy as np

from tracetogether.evaluation.comparison import best_or_level
from tracetogether.evaluation.folds import fit_on, leave_groups_out
from tracetogether.evaluation.layout import RecordingLayout
from tracetogether.evaluation.metrics import DurationScores, auc, ndcf
from tracetogether.evaluation.recordings import TableJoin, read_recording
from tracetogether.evaluation.registry import chosen_estimators
from tracetogether.evaluation.scoring import Question, evaluate
from tracetogether.proximity.calibration import Calibration
from tracetogether.proximity.distances import LogsUsed

PAGE = Path(__file__).with_name("accuracy.md")
QUARTER = 900.0
BOTH = Question((1.5, 2.0), (QUARTER,))
OWN = frozenset({LogsUsed.OWN})
ONE_OR_TWO = frozenset({LogsUsed.OWN, LogsUsed.PAIR})
MINUTE = Question((2.0,), (60.0,))
PLAIN = ("constant", "mean-attenuation", "loudest", "lower-quantile", "packet-count")
OURS = ("posterior", "single-log", "smoothed")
RULES = ("kalman", "robert", "bucket-cwa", "bucket-swisscovid")
SHOWN_BY_SCENE = ("posterior", "mean-attenuation", "constant")


@dataclass(frozen=True)
class Source:
    """A recording as `evaluate` reads it: file, --columns, --join and --tracks."""

    file: str
    columns: str
    join: str | None = None
    tracks: str | None = None

    def read(self, folder):
        return read_recording(
            folder / self.file,
            RecordingLayout.parse(self.columns),
            join=None if self.join is None else TableJoin.parse(f"{folder / self.join}"),
            tracks=None if self.tracks is None else folder / self.tracks,
        )


EXP05 = Source(
    "dp3t_epfl/readings_exp05.csv.gz",
    "distance=dist_m,scene=scenario",
    tracks="dp3t_epfl/traj_exp05_2hz.csv.gz",
)
MITRE = Source(
    "mitre_rau/readings.csv.gz",
    "scene=file_id,distance=range_ft[ft],observer=rx_model,peer=tx_model,"
    "observer_model=rx_model,peer_model=tx_model",
    "mitre_rau/files.csv:file_id",
)
MITLL = Source(
    "mitll_h0h1/readings.csv.gz",
    "scene=file_id,distance=range_ft[ft],observer=rx_model,observer_model=rx_model",
    "mitll_h0h1/files.csv:file_id",
)
ELANFER = Source(
    "elanfer_multichannel/readings.csv.gz",
    "time=line[s],rssi=rssiBLE,distance=distance[cm],scene=env,observer=setting,peer=distance",
)
PAIRS = {"mitre_rau": MITRE, "mitll_h0h1": MITLL, "elanfer": ELANFER}


def measured(folder, folds, question, names=("all",), logs=frozenset(LogsUsed)):
    table = folder / "google_en_calibration" / "en-calibration-2020-12-14_measured.csv"
    calibration = Calibration.load(table)
    estimators = [
        replace(estimator, logs=estimator.logs & logs) for estimator in chosen_estimators(names)
    ]
    rows = evaluate(estimators, folds, question, calibration=calibration, clock=perf_counter)
    return list(zip(rows, best_or_level(rows), strict=True))


def left_out(recording):
    return leave_groups_out(recording.scenes, recording.sharing.groups)


def own_scenes(folder):
    recording = EXP05.read(folder)
    rows = measured(folder, left_out(recording), BOTH)
    nearer = {
        (row.estimator, row.logs): marked(row, best, "auc", "ndcf")
        for row, best in rows
        if row.radius_m == 1.5
    }
    header = ["estimator", "logs", "AUC 1.5 m", "nDCF 1.5 m", "AUC 2 m", "nDCF 2 m", "ECE 2 m"]
    header += ["MAE", "bias", "r", "in 90 %", "Winkler", "P15", "R15"]
    within_2m = [(row, best) for row, best in rows if row.radius_m == 2.0]
    lines = [
        [
            row.estimator,
            row.logs,
            *nearer[row.estimator, row.logs],
            *marked(row, best, "auc", "ndcf", "ece", "minutes_mae"),
            number(row.minutes_bias),
            *(share(value, 2) for value in (row.minutes_r, row.coverage90)),
            *marked(row, best, "winkler"),
            *(share(value, 2) for value in (row.precision_15min, row.recall_15min)),
        ]
        for row, best in within_2m
    ]
    names = [scene.name for scene in recording.scenes]
    return {
        "exp05": markdown(header, lines),
        "scenes": by_scene(names, [row for row, _ in within_2m]),
    }


def by_scene(names, rows):
    header = ["scene", "estimator", "logs", "near, %", "AUC", "nDCF", "MAE", "bias", "in 90 %"]
    lines = []
    for number_of_scene, scene in enumerate(names):
        for row in rows:
            windows, minutes = row.windows, row.minutes
            of_scene, pairs = windows.group == number_of_scene, minutes.group == number_of_scene
            if row.estimator not in SHOWN_BY_SCENE or not of_scene.any():
                continue
            near = windows.near[of_scene]
            columns = (minutes.low, minutes.estimated, minutes.high, minutes.true)
            scores = DurationScores.of(*(column[pairs] for column in columns))
            lines.append(
                [
                    scene,
                    row.estimator,
                    row.logs,
                    f"{100 * near.mean():.0f}",
                    share(auc(windows.score[of_scene], near)),
                    share(ndcf(windows.chosen[of_scene], near)),
                    number(scores.mae),
                    number(scores.bias),
                    share(scores.coverage90, 2),
                ]
            )
    return markdown(header, lines)


def pairs(folder):
    header = ["recording", "estimator", "AUC", "nDCF", "ECE", "MAE", "bias", "in 90 %", "Winkler"]
    lines = []
    for name, source in PAIRS.items():
        rows = measured(folder, left_out(source.read(folder)), MINUTE, OURS + PLAIN + RULES, OWN)
        lines += [
            [
                name,
                row.estimator,
                *marked(row, best, "auc", "ndcf", "ece", "minutes_mae"),
                number(row.minutes_bias),
                share(row.coverage90, 2),
                *marked(row, best, "winkler"),
            ]
            for row, best in rows
        ]
        print(f"{name}: {process_time():.0f} s of processor time", flush=True)
    return {"pairs": markdown(header, lines)}


def elsewhere(folder):
    mitre, mitll, exp05 = (source.read(folder) for source in (MITRE, MITLL, EXP05))
    names = ("posterior", "single-log", *PLAIN[1:], *RULES)
    lines = []
    for what, scored, question, logs in (
        ("mitll_h0h1", mitll, MINUTE, OWN),
        ("exp05", exp05, replace(MINUTE, windows_s=(QUARTER,)), ONE_OR_TWO),
    ):
        folds = fit_on(mitre.scenes, scored.scenes, scored.sharing.groups)
        lines += [
            [
                what,
                row.estimator,
                row.logs,
                *marked(row, best, "auc", "ndcf", "ece", "minutes_mae", "winkler"),
            ]
            for row, best in measured(folder, folds, question, names, logs)
        ]
    header = ["scored", "estimator", "logs", "AUC 2 m", "nDCF 2 m", "ECE 2 m", "MAE", "Winkler"]
    return {"elsewhere": markdown(header, lines)}


def marked(row, best, *measures):
    """Return figures, with a star where the estimator is best or level with the best."""
    minutes = {"minutes_mae", "winkler"}
    return [
        (number if measure in minutes else share)(getattr(row, measure))
        + ("\\*" if measure in best else "")
        for measure in measures
    ]


def share(value, digits=3):
    return "-" if np.isnan(value) else f"{value:.{digits}f}"


def number(value):
    return "-" if np.isnan(value) else f"{value:.2f}"


def markdown(header, lines):
    rows = [header, ["---"] * len(header), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def renewed(page, name, table):
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, rest = page.split(begin)
    return before + begin + "\n\n" + table + "\n\n" + end + rest.split(end)[1]


TABLES = {"exp05": own_scenes, "pairs": pairs, "elsewhere": elsewhere}
"""What can be renewed alone; the table of scenes comes with that of exp05."""


def main():
    folder = Path(sys.argv[1])
    chosen = sys.argv[3:] if sys.argv[2:3] == ["--only"] else list(TABLES)
    for name in chosen:
        for part, table in TABLES[name](folder).items():
            PAGE.write_text(renewed(PAGE.read_text("utf-8"), part, table), "utf-8")
            print(f"{part}: {process_time():.0f} s of processor time", flush=True)


if __name__ == "__main__":
    main()
