"""Write tables and pictures of city.md again: `python docs/explanation/write_city.py`.

Some ten minutes of computing: it runs `tracetogether city laws --json` and keeps what it printed in
city-laws.json. `python docs/explanation/write_city.py --kept` writes the page from that file alone.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from simulations.city import shuffles
from simulations.city.keys import LAYERS
from simulations.city.network import Network
from simulations.city.scenario import load_city
from simulations.city.study_settings import STUDIES

HERE = Path(__file__).parent
PAGE, KEPT = HERE / "city.md", HERE / "city-laws.json"
LAW_PICTURE, SHUFFLE_PICTURE = HERE / "city-law.png", HERE / "city-shuffle.png"
PARTS = ("settings", "law", "studies", "layers")
FINDS = {"captured": "80 % of contacts, as the authors assume", "radio": "what the radio finds"}


def keys_of(row):
    """Return a setting's keys and values, by table."""
    tables = {}
    for key, value in row.keys.items():
        table, _, name = key.rpartition(".")
        tables.setdefault(table, []).append(f"{name} {value}")
    return "<br>".join(
        f"`{table}`: {', '.join(values)}" if table else ", ".join(values)
        for table, values in tables.items()
    )


def settings_tables():
    """Return the settings of all studies: value, origin and reason."""
    lines = []
    for study in STUDIES:
        lines += [f"**{study.name}**: {study.title}.", ""]
        lines += ["| settings | are | because |", "|---|---|---|"]
        lines += [f"| {keys_of(row)} | {row.origin} | {row.reason} |" for row in study.settings]
        adoptions = ", ".join(f"{adoption:.0%}" for adoption in study.adoptions)
        said = f"Adoptions {adoptions}, {study.seeds} seeds each. Left out: {study.left_out}"
        lines += ["", said, ""]
    return "\n".join(lines).strip()


def law_table(kept):
    """Return the shares at each adoption, and the tests of fit."""
    law, followed = kept["advice_ignored"], kept["advice_followed"]
    heads = ["adoption u", "transmissions"]
    for name in ("both have the app", "the app lists it", "the same, advice followed"):
        heads += [name, "over c u²"]
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for row, other in zip(law["points"], followed["points"], strict=True):
        cells = [f"{row['adoption']:.0%}", f"{row['transmissions']:,}"]
        for point, name, constant in (
            (row, "both", law["both"]["constant"]),
            (row, "traced", law["traced"]["constant"]),
            (other, "traced", law["traced"]["constant"]),
        ):
            cells += [
                f"{point[name]:.2%} ({point[f'{name}_low']:.2%} to {point[f'{name}_high']:.2%})",
                f"{point[name] / (constant * point['adoption'] ** 2):.2f}",
            ]
        lines.append("| " + " | ".join(cells) + " |")
    tables = " and ".join(f"{name} {digest}" for name, digest in kept["detection_tables"].items())
    lines += ["", f"With the detection tables {tables}:", ""]
    for words, fit in (
        ("Both have the app", law["both"]),
        ("The app lists it", law["traced"]),
        ("The app lists it, advice followed", followed["traced"]),
    ):
        lines.append(
            f"- {words}: c = {fit['constant']:.3f}, p = {fit['p']:.2g} (chi-square, 7 degrees of "
            f"freedom). With a free exponent it is {fit['exponent']:.3f}, 95 % interval "
            f"{fit['exponent_low']:.3f} to {fit['exponent_high']:.3f}. At the least certain "
            f"adoption, a share {fit['admitted']:.0%} off the law is not excluded."
        )
    return "\n".join(lines)


def studies_table(kept):
    """Return ours beside theirs."""
    lines = [
        "| publication | result | published | the app finds | ours (90 %) | agrees |",
        "|---|---|---|---|---|---|",
    ]
    for row in kept["studies"]:
        unit = 1 if row["result"].startswith("%") else 100
        sign = "" if unit == 1 else " %"
        ours = f"{row['ours'] * unit:.2g}{sign}"
        if row["ours_low"] is not None:
            ours += f" ({row['ours_low'] * unit:.2g} to {row['ours_high'] * unit:.2g})"
        lines.append(
            f"| {row['study']} | {row['result']} | {row['published']} | {FINDS[row['finds']]} | "
            f"{ours} | {'yes' if row['agrees'] else '**no**'} |"
        )
    return "\n".join(lines)


def layers_table():
    """Return the mean number of contacts a weekday in the layers of two cities."""
    cities = ("small-town", "singapore-2020")
    lines = ["| layer | " + " | ".join(cities) + " | partners |", "|---|---|---|---|"]
    partners = {
        "household": "the same each day",
        "classroom": "the same each weekday",
        "team": "the same each weekday",
        "school": "others of the school, by reflection",
        "workplace": "others of the workplace, by reflection",
        "neighbourhood": "anybody of 5,000, by a shuffle",
        "city": "anybody, by a shuffle",
        "transport": "riders of a line, two trips, by a shuffle",
    }
    means = []
    for name in cities:
        network = Network(load_city(name), 1)
        people = np.arange(0, network.people, max(1, network.people // 20_000), dtype=np.int64)
        layer = network.contacts(people, 1).layer
        means.append(np.bincount(layer, minlength=len(LAYERS)) / len(people))
    for number, layer in enumerate(LAYERS):
        cells = " | ".join(f"{mean[number]:.1f}" for mean in means)
        lines.append(f"| {layer} | {cells} | {partners[layer]} |")
    totals = " | ".join(f"{mean.sum():.1f}" for mean in means)
    return "\n".join([*lines, f"| all | {totals} | |"])


def with_parts(text, kept):
    """Return the page with every part written again between its two marks."""
    parts = {
        "settings": settings_tables(),
        "law": law_table(kept),
        "studies": studies_table(kept),
        "layers": layers_table(),
    }
    for name in PARTS:
        start, end = f"<!-- {name} -->\n", f"\n<!-- end of {name} -->"
        before, mark, rest = text.partition(start)
        if not mark or end not in rest:
            msg = f"{PAGE.name} has no place for {name}: add {start.strip()} and {end.strip()}"
            raise ValueError(msg)
        text = before + start + parts[name] + end + rest.partition(end)[2]
    return text


def draw_law(kept):
    """Draw the shares over adoption, with their intervals and the square."""
    figure = Figure(figsize=(6, 3.2), dpi=110, layout="constrained")
    left, right = figure.subplots(1, 2)
    u = np.linspace(0.08, 0.85, 50)
    for axes, name, title in (
        (left, "both", "both have the app"),
        (right, "traced", "the app lists it"),
    ):
        fit, points = kept["advice_ignored"][name], kept["advice_ignored"]["points"]
        axes.loglog(u, 100 * fit["constant"] * u**2, color="0.6", label="c u²")
        for rows, colour, words in (
            (points, "tab:blue", "advice ignored"),
            (kept["advice_followed"]["points"], "tab:orange", "advice followed"),
        ):
            mean = np.array([row[name] for row in rows])
            low, high = (
                np.array([row[f"{name}_{end}"] for row in rows]) for end in ("low", "high")
            )
            axes.errorbar(
                [row["adoption"] for row in rows],
                100 * mean,
                100 * np.array([mean - low, high - mean]),
                fmt="o",
                ms=3,
                color=colour,
                label=words,
            )
        axes.set(title=title, xlabel="adoption u", ylabel="% of transmissions")
        axes.set_xticks([0.1, 0.2, 0.4, 0.8], ["10 %", "20 %", "40 %", "80 %"])
        axes.minorticks_off()
    left.legend(frameon=False, fontsize=8)
    figure.savefig(LAW_PICTURE)


def draw_shuffle():
    """Draw where 300 neighbouring places go after two and after four rounds."""
    figure = Figure(figsize=(6, 2.4), dpi=110, layout="constrained")
    size, places = 10_000, np.arange(10_000)
    whole = shuffles.ROUNDS
    for axes, rounds in zip(figure.subplots(1, 2, sharey=True), (2, 4), strict=True):
        shuffles.ROUNDS = rounds
        moved = shuffles.Shuffle(size, 1, "picture").forward(places, 0)
        axes.plot(places, moved, ",", color="tab:blue")
        axes.set(title=f"{rounds} rounds", xlabel="place", ylabel="goes to" if rounds == 2 else "")
    shuffles.ROUNDS = whole
    figure.savefig(SHUFFLE_PICTURE)


if __name__ == "__main__":
    if "--kept" not in sys.argv:
        words = [sys.executable, "-m", "tracetogether", "city", "laws", "--json"]
        done = subprocess.run(words, stdout=subprocess.PIPE, check=False, text=True)  # noqa: S603
        KEPT.write_text(json.dumps(json.loads(done.stdout), indent=1) + "\n", "utf-8")
    results = json.loads(KEPT.read_text("utf-8"))
    PAGE.write_text(with_parts(PAGE.read_text("utf-8"), results), "utf-8")
    draw_law(results)
    draw_shuffle()
