"""Renew the tables of accuracy.md: `python docs/explanation/write_accuracy.py RECORDINGS`.

RECORDINGS is a folder of recordings as docs/howto/evaluate.md names them. Takes some minutes.
`--only NAME` renews one table.
"""

import sys
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import numpy as np

from tracetogether.evaluation.folds import fit_on, leave_scenes_out
from tracetogether.evaluation.layout import RecordingLayout
from tracetogether.evaluation.recordings import TableJoin, read_recording
from tracetogether.evaluation.registry import chosen_estimators
from tracetogether.evaluation.scoring import Question, evaluate
from tracetogether.proximity.calibration import Calibration
from tracetogether.proximity.distances import LogsUsed

PAGE = Path(__file__).with_name("accuracy.md")
MITRE = (
    "scene=file_id,distance=range_ft[ft],observer=rx_model,peer=tx_model,"
    "observer_model=rx_model,peer_model=tx_model"
)
MITLL = "scene=file_id,distance=range_ft[ft],observer=rx_model,observer_model=rx_model"
QUARTER = 900.0
BOTH = Question((1.5, 2.0), (QUARTER,))
TWO = Question((2.0,), (QUARTER,))
OWN = frozenset({LogsUsed.OWN})  # a file of these is one phone's log of one other
ONE_OR_TWO = frozenset({LogsUsed.OWN, LogsUsed.PAIR})
MINUTE = Question((2.0,), (60.0,))


def exp05(folder):
    return read_recording(
        folder / "dp3t_epfl" / "readings_exp05.csv.gz",
        RecordingLayout.parse("distance=dist_m,scene=scenario"),
        tracks=folder / "dp3t_epfl" / "traj_exp05_2hz.csv.gz",
    ).scenes


def pairs_per_file(folder, name, columns):
    return read_recording(
        folder / name / "readings.csv.gz",
        RecordingLayout.parse(columns),
        join=TableJoin(folder / name / "files.csv", "file_id"),
    ).scenes


def measured(folder, folds, question, names=("all",), logs=frozenset(LogsUsed)):
    table = folder / "google_en_calibration" / "en-calibration-2020-12-14_measured.csv"
    calibration = Calibration.load(table)
    estimators = [
        replace(estimator, logs=estimator.logs & logs) for estimator in chosen_estimators(names)
    ]
    return evaluate(estimators, folds, question, calibration=calibration, clock=perf_counter)


def own_scenes(folder):
    rows = measured(folder, leave_scenes_out(exp05(folder)), BOTH)
    header = ["estimator", "logs"]
    header += [f"{what} {radius:g} m" for radius in BOTH.radii_m for what in ("AUC", "nDCF")]
    header += ["ECE 2 m", "MAE", "bias", "r", "in 90 %", "P15", "R15", "readings/s"]
    lines = []
    for row in rows:
        if row.radius_m != 2.0:
            continue
        nearer = next(
            other
            for other in rows
            if (other.estimator, other.logs, other.radius_m) == (row.estimator, row.logs, 1.5)
        )
        lines.append(
            [
                row.estimator,
                row.logs,
                *(share(value) for value in (nearer.auc, nearer.ndcf, row.auc, row.ndcf, row.ece)),
                number(row.minutes_mae),
                number(row.minutes_bias),
                *(
                    share(value, 2)
                    for value in (
                        row.minutes_r,
                        row.coverage90,
                        row.precision_15min,
                        row.recall_15min,
                    )
                ),
                speed(row.readings_per_s),
            ]
        )
    return markdown(header, lines)


def by_scene(folder):
    header = ["scene", "estimator", "logs", "near, %", "AUC", "nDCF", "MAE", "bias", "in 90 %"]
    rows = [
        (fold.scored[0].name, row)
        for fold in leave_scenes_out(exp05(folder))
        for row in measured(folder, [fold], TWO, ("mean-attenuation", "posterior"), ONE_OR_TWO)
        if row.n
    ]
    lines = [
        [
            scene,
            row.estimator,
            row.logs,
            f"{100 * row.prevalence:.0f}",
            share(row.auc),
            share(row.ndcf),
            number(row.minutes_mae),
            number(row.minutes_bias),
            share(row.coverage90, 2),
        ]
        for scene, row in rows
    ]
    return markdown(header, lines)


def elsewhere(folder):
    mitre = pairs_per_file(folder, "mitre_rau", MITRE)
    mitll = pairs_per_file(folder, "mitll_h0h1", MITLL)
    names = ("posterior", "mean-attenuation", "smoothed", "kalman", "robert", "bucket-swisscovid")
    found = [
        ("mitre_rau, on its others", measured(folder, leave_scenes_out(mitre), MINUTE, names, OWN)),
        ("mitll_h0h1", measured(folder, fit_on(mitre, mitll), MINUTE, names, OWN)),
        ("exp05", measured(folder, fit_on(mitre, exp05(folder)), TWO, names, ONE_OR_TWO)),
    ]
    lines = [
        [what, row.estimator, row.logs, share(row.auc), share(row.ndcf), share(row.ece)]
        for what, rows in found
        for row in rows
    ]
    return markdown(["scored", "estimator", "logs", "AUC 2 m", "nDCF 2 m", "ECE 2 m"], lines)


def share(value, digits=3):
    return "-" if np.isnan(value) else f"{value:.{digits}f}"


def number(value):
    return "-" if np.isnan(value) else f"{value:.2f}"


def speed(value):
    return f"{value / 1e6:.1f} M" if value >= 1e6 else f"{value / 1e3:.1f} k"


def markdown(header, lines):
    rows = [header, ["---"] * len(header), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def renewed(page, name, table):
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, rest = page.split(begin)
    return before + begin + "\n\n" + table + "\n\n" + end + rest.split(end)[1]


TABLES = {"exp05": own_scenes, "scenes": by_scene, "elsewhere": elsewhere}


def main():
    folder = Path(sys.argv[1])
    chosen = sys.argv[3:] if sys.argv[2:3] == ["--only"] else list(TABLES)
    for name in chosen:
        table = TABLES[name](folder)
        PAGE.write_text(renewed(PAGE.read_text("utf-8"), name, table), "utf-8")
        print(name)


if __name__ == "__main__":
    main()
