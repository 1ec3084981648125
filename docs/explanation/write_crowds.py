"""Renew the table of crowds in accuracy.md: `python docs/explanation/write_crowds.py RECORDINGS`.

RECORDINGS is a folder of recordings as docs/howto/evaluate.md names them. In simulated crowds
everybody with the app is the index case in turn (every third where both phones' logs are used).
Takes some minutes.
"""

import sys
from pathlib import Path

import numpy as np

from simulations.run import run
from simulations.scores.tracing import open_run
from simulations.scores.truth import ground_truth
from simulations.settings.scenario import load_scenario
from tracetogether.authority.contacts.nearness import nearness
from tracetogether.evaluation.layout import RecordingLayout
from tracetogether.evaluation.recordings import read_recording
from tracetogether.evaluation.truth import TrueMinutes
from tracetogether.parameters import CloseContactPolicy
from tracetogether.proximity.calibration import BLUETRACE_TRANSMIT, Calibration
from tracetogether.proximity.estimates import chance_of
from tracetogether.proximity.grid import numbers_in
from tracetogether.proximity.single_log import SingleLogPosterior
from tracetogether.proximity.slots import fold
from tracetogether.proximity.smoothed import Smoothed

PAGE = Path(__file__).with_name("accuracy.md")
SCENES = {
    "train-carriage": {},
    "party": {},
    "classroom": {"duration_s": "1800"},
    "office-day": {"duration_s": "3600"},
}
SEEDS = (1, 2, 3)
EVERY = 3
POLICY = CloseContactPolicy("2m-15min", 2.0, 15.0)
BINS = 10


def added(pair, columns):
    """Return the pairs, and the sum of each column over each."""
    pairs, place = np.unique(pair, return_inverse=True)
    sums = np.zeros((len(pairs), columns.shape[1]))
    np.add.at(sums, place.reshape(-1), columns)
    return pairs, sums


def columns_of(minutes, at_quantiles):
    return np.column_stack([minutes.low, minutes.median, minutes.high, at_quantiles])


def people_of(played, users):
    """Return the person that each user id belongs to."""
    return users.numbers({user_id: person for person, user_id in played.user_ids.items()})


def by_own_logs(estimator, opened, played):
    slots = fold(opened.sightings, Calibration.prior(transmit=BLUETRACE_TRANSMIT))
    found = estimator.estimate(slots, within_m=POLICY.within_m)
    observer, peer = (people_of(played, column) for column in (slots.observer, slots.peer))
    pair = observer * len(played.phones) + peer
    return added(pair, columns_of(found.minutes, found.minutes_at_offset_quantiles()))


def by_both_logs(opened, played):
    parts, people = [], len(played.phones)
    for case in played.app[::EVERY]:
        mine = opened.owner == case
        own, others = (opened.sightings.take(np.flatnonzero(rows)) for rows in (mine, ~mine))
        if not len(own):
            continue
        near = nearness(own, POLICY, others, owner=played.user_ids[int(case)])
        met = people_of(played, near.person)
        parts.append(added(case * people + met, columns_of(near.of_encounters(), near.courses)))
    return np.concatenate([pairs for pairs, _ in parts]), np.concatenate(
        [sums for _, sums in parts]
    )


def line(scene, who, logs, parts):
    """Return a line: ``parts`` are pairs of (true minutes, estimates in columns)."""
    true = np.concatenate([minutes for minutes, _ in parts])
    low, median, high, *at_quantiles = np.concatenate([sums for _, sums in parts]).T
    close = true >= POLICY.minutes - 1e-6
    chance = np.array([chance_of(pair, POLICY.minutes) for pair in np.array(at_quantiles).T])
    place = np.minimum((chance * BINS).astype(int), BINS - 1)
    off = [
        (place == bin_).mean() * abs(chance[place == bin_].mean() - close[place == bin_].mean())
        for bin_ in np.unique(place)
    ]
    inside = (low <= true + 1e-9) & (true <= high + 1e-9)
    named = median >= POLICY.minutes
    return [
        scene,
        who,
        logs,
        f"{len(true):,}",
        f"{np.abs(median - true).mean():.1f}",
        f"{(median - true).mean():+.1f}",
        f"{inside.mean():.2f}",
        f"{100 * close.mean():.0f}",
        f"{100 * chance.mean():.0f}",
        f"{sum(off):.2f}",
        f"{named.sum():,}",
        f"{close[named].mean():.2f}" if named.any() else "-",
        f"{named[close].mean():.2f}" if close.any() else "-",
    ]


def lines_of(scene, settings):
    kinds = {(who, "own"): [] for who in ("none", "smoothed", "single-log")}
    kinds["single-log", "both"] = []
    for seed in SEEDS:
        played = run(load_scenario(scene, settings), seed=seed, fidelity="vectorized")
        opened, people = open_run(played), len(played.phones)
        truth = ground_truth(played.tracks, POLICY.within_m)
        found = {
            ("smoothed", "own"): by_own_logs(Smoothed(), opened, played),
            ("single-log", "own"): by_own_logs(SingleLogPosterior(), opened, played),
            ("single-log", "both"): by_both_logs(opened, played),
        }
        pairs, sums = found["smoothed", "own"]
        found["none", "own"] = pairs, np.zeros_like(sums)
        for kind, (pairs, sums) in found.items():
            kinds[kind].append((truth.minutes_of(pairs // people, pairs % people), sums))
    made = [line(scene, *kind, parts) for kind, parts in kinds.items()]
    made[0][6:] = ["-", made[0][7], "-", "-", "0", "-", "-"]  # it says no chance and no interval
    return made


def recorded(folder, calibration, estimator):
    """Return (true minutes, estimates in columns) of exp05's scenes, for the time both are seen."""
    scenes = read_recording(
        folder / "dp3t_epfl" / "readings_exp05.csv.gz",
        RecordingLayout.parse("distance=dist_m,scene=scenario"),
        tracks=folder / "dp3t_epfl" / "traj_exp05_2hz.csv.gz",
    ).scenes
    parts = []
    for scene in (scene for scene in scenes if scene.tracks is not None):
        slots, truth = fold(scene.sightings, calibration), TrueMinutes.of(scene.tracks, 2.0)
        first, second = (numbers_in(truth.names, who) for who in (slots.observer, slots.peer))
        seen = (first >= 0) & (second >= 0)
        found = estimator.estimate(slots, within_m=POLICY.within_m)
        columns = columns_of(found.minutes, found.minutes_at_offset_quantiles())
        heard = slots.total(slots.credit_s) / 60
        pairs, sums = added(
            (first * len(truth.names) + second)[seen],
            np.column_stack([columns, heard])[seen],
        )
        pair = np.divmod(pairs, len(truth.names))
        tracked = truth.tracked[pair]
        share = np.minimum(1.0, tracked / np.maximum(sums[:, -1], 1e-9))
        both = tracked > 0
        parts.append((truth.near[pair][both], (sums[:, :-1] * share[:, None])[both]))
    return parts


def recorded_lines(folder):
    table = folder / "google_en_calibration" / "en-calibration-2020-12-14_measured.csv"
    lines = []
    for name, phones in (
        ("exp05, recorded, phones known", Calibration.load(table)),
        ("exp05, recorded, phones unknown", Calibration.prior()),
    ):
        found = recorded(folder, phones, SingleLogPosterior())
        none = line(name, "none", "own", [(true, np.zeros_like(sums)) for true, sums in found])
        none[6:] = ["-", none[7], "-", "-", "0", "-", "-"]
        lines += [none, line(name, "smoothed", "own", recorded(folder, phones, Smoothed()))]
        lines.append(line(name, "single-log", "own", found))
    return lines


def main():
    header = ["scene", "estimator", "logs", "pairs", "MAE", "bias", "in 90 %"]
    header += ["15 min, %", "P, %", "ECE", "named", "precision", "recall"]
    rows = [header, ["---"] * len(header)]
    rows += recorded_lines(Path(sys.argv[1]))
    for scene, settings in SCENES.items():
        rows += lines_of(scene, settings)
        print(scene)
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    begin, end = "<!-- crowds -->", "<!-- end of crowds -->"
    before, rest = PAGE.read_text("utf-8").split(begin)
    PAGE.write_text(before + begin + "\n\n" + table + "\n\n" + end + rest.split(end)[1], "utf-8")


if __name__ == "__main__":
    main()
