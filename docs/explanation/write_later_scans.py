"""Renew the table of later scans in simulation.md: `python docs/explanation/write_later_scans.py`.

Takes a quarter of an hour. SCENARIO ... renews the lines of these scenarios alone.
"""

import sys
from pathlib import Path

import numpy as np

from simulations.studies.later_scans import compare_ways

PAGE = Path(__file__).with_name("simulation.md")
BEGIN, END = "<!-- later scans -->", "<!-- end of later scans -->"
SCENES = {
    "train-carriage": {},
    "bus": {"app": "bluetrace"},
    "party": {},
    "classroom": {"duration_s": "3600"},
    "office-day": {"duration_s": "3600"},
}
SEEDS = range(1, 6)
HEADER = (
    "scenario",
    "a phone records",
    "readings per pair",
    "MAE",
    "ECE",
    "Winkler",
    "AUC",
    "average precision",
    "records per hour",
    "kB per hour",
    "connections per hour",
    "battery, % per hour",
)


def with_change(row, name, digits):
    """Return a figure; behind it its change against the first way, with half of the interval."""
    text = f"{row.figures[name].median:.{digits}f}"
    change = row.change[name]
    if change.low is None or change.high == change.low:
        return text
    reach = (change.high - change.low) / 2
    return f"{text} ({change.median:+.{digits}f} ± {reach:.{digits}f})"


def cells(row):
    costs = row.costs
    battery = costs["android_percent_per_hour"]
    return (
        row.scenario,
        row.way,
        f"{costs['readings_per_pair']:.1f}",
        with_change(row, "mae", 2),
        with_change(row, "ece", 3),
        with_change(row, "winkler", 1),
        with_change(row, "auc", 3),
        with_change(row, "average_precision", 3),
        f"{costs['records_per_hour']:,.0f}",
        f"{costs['bytes_per_hour'] / 1000:,.0f}",
        f"{costs['connections_per_hour']:,.0f}",
        "-" if np.isnan(battery) else f"{battery:.2f}",
    )


def lines_of(scene):
    rows = compare_ways(scene, SEEDS, settings=SCENES[scene])
    return [f"| {' | '.join(cells(row))} |" for row in rows]


def main():
    made = {}
    for scene in sys.argv[1:] or SCENES:
        made[scene] = lines_of(scene)
        print(scene)
    before, rest = PAGE.read_text("utf-8").split(BEGIN)
    held, after = rest.split(END)
    lines = {scene: [] for scene in SCENES}
    for line in held.splitlines():
        scene = line.split("|")[1].strip() if line.startswith("| ") else ""
        lines.get(scene, []).append(line)
    lines |= made
    table = [f"| {' | '.join(HEADER)} |", "|" + "---|" * len(HEADER)]
    for of_scene in lines.values():
        table += of_scene
    PAGE.write_text(f"{before}{BEGIN}\n\n" + "\n".join(table) + f"\n\n{END}{after}", "utf-8")


if __name__ == "__main__":
    main()
