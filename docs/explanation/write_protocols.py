"""Write tables and picture of protocols.md again: `python docs/explanation/write_protocols.py`.

It takes a second: measured figures come from protocols.json, costs from the formulas.
`python docs/explanation/write_protocols.py --play` first runs all commands that are kept there, for
about an hour, and `--play NAME` the commands whose words hold NAME ("attack", "office-day").
"""

import hashlib
import json
import math
import subprocess
import sys
from pathlib import Path

from simulations.attacks.library import ATTACKS
from simulations.scores.cost import PROTOCOLS, Use, cost_of
from simulations.scores.work_speeds import SPEEDS
from tracetogether.picture_style import (
    FALSE,
    FOUND,
    INK,
    QUIET,
    new_figure,
    plain_axes,
    save_figure,
)

HERE = Path(__file__).parent
PAGE, KEPT, PICTURE = (HERE / f"protocols.{ending}" for ending in ("md", "json", "png"))
SCENARIOS, RADIOS, SEEDS = ("office-day", "train-carriage"), ("own", "same"), 5
COMMANDS = (
    *(
        f"simulate protocols {scenario} --radio {radio} --seeds {SEEDS} --json"
        for scenario in SCENARIOS
        for radio in RADIOS
    ),
    *(f"simulate attack {name} --protocol all --json" for name in ATTACKS),
)
PARTS = ("one table", "found by radio", "attacks", "costs", "speeds")
NAMES = {
    "bluetrace": "BlueTrace",
    "gaen": "GAEN",
    "dp3t-low-cost": "DP-3T low-cost",
    "dp3t-hybrid": "DP-3T hybrid, 4 h",
    "dp3t-unlinkable": "DP-3T unlinkable",
    "robert": "ROBERT",
    "tcn": "TCN",
    "desire": "DESIRE",
}
USE = Use()


def play(wanted):
    """Run the commands whose words hold ``wanted`` and keep what they print."""
    kept = json.loads(KEPT.read_text("utf-8")) if KEPT.exists() else {}
    for command in COMMANDS:
        if wanted in command:
            words = [sys.executable, "-m", "tracetogether", *command.split()]
            done = subprocess.run(words, stdout=subprocess.PIPE, check=True, text=True)  # noqa: S603
            kept[command] = json.loads(done.stdout)
            print(command, flush=True)
            text = json.dumps({name: kept[name] for name in COMMANDS if name in kept}, indent=1)
            KEPT.write_text(text + "\n", "utf-8")


def crowd(kept, scenario, radio):
    """Return protocol -> its row in a crowd; empty if it was not played."""
    command = f"simulate protocols {scenario} --radio {radio} --seeds {SEEDS} --json"
    return {row["protocol"]: row for row in kept.get(command, {}).get("protocols", ())}


def attacked(kept, metric):
    """Return protocol -> the row of one figure of an attack."""
    return {
        row["protocol"]: row
        for command, said in kept.items()
        if command.startswith("simulate attack")
        for row in said["rows"]
        if row["metric"] == metric
    }


def share(row):
    """Return the share of contacts found, with its interval."""
    if row is None:
        return "–"
    if row["tif_low"] is None:
        return f"{row['tif']:.2f}"
    return f"{row['tif']:.2f} ({row['tif_low']:.2f}–{row['tif_high']:.2f})"


def number(row, form):
    """Return a figure of an attack; "no limit" where there is none."""
    if row is None:
        return "–"
    if row["value"] is None:
        return "no limit"
    return f"{row['value']:,.0f}" if abs(row["value"]) >= 1_000 else format(row["value"], form)


def size(count):
    """Return bytes in words."""
    for unit, name in ((1e6, "MB"), (1e3, "kB")):
        if count >= unit:
            return f"{count / unit:.3g} {name}"
    return f"{count:.0f} B"


def one_table(kept):
    """Return found, false, privacy, attacks and cost, a row for each protocol."""
    own, same = (crowd(kept, SCENARIOS[0], radio) for radio in RADIOS)
    linked, last, edges = (
        attacked(kept, metric) for metric in ("linked_share", "last_accepted_s", "edges_known")
    )
    heads = (
        "", "found, own radio", "found, same radio", "false per case", "linked by all",
        "replay counts, s", "authority sees", "down a day", "up a case", "battery a day, mAh",
    )  # fmt: skip
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for name, said in NAMES.items():
        cost, row = cost_of(name, USE), own.get(name)
        false = "–" if row is None else f"{row['false_per_case']:.2f}"
        cells = (
            said, share(row), share(same.get(name)), false, number(linked.get(name), ".2g"),
            number(last.get(name), ",.0f"), number(edges.get(name), ".0%"),
            size(cost.down_bytes_day + cost.up_bytes_day), size(cost.up_bytes_case),
            f"{cost.battery_mah_day:.0f}",
        )  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def found_by_radio(kept):
    """Return the share found in both scenarios under both radios, and what lies apart."""
    played = {(s, r): crowd(kept, s, r) for s in SCENARIOS for r in RADIOS}
    if not any(played.values()):
        return "Not played yet: `python docs/explanation/write_protocols.py --play`."
    heads = [f"{scenario}, {radio}" for scenario, radio in played]
    lines = [f"| found | {' | '.join(heads)} |", "|" + "---|" * (len(heads) + 1)]
    lines += [
        f"| {said} | {' | '.join(share(rows.get(name)) for rows in played.values())} |"
        for name, said in NAMES.items()
    ]
    for scenario in SCENARIOS:
        rows = list(played[scenario, "same"].values())
        if len({row["found"] for row in rows}) == 1:
            found, true = rows[0]["found"], rows[0]["true_contacts"]
            lines += ["", f"With the same radio all find {found} of {true} contacts in {scenario}."]
        elif rows and all(row["tif_low"] is not None for row in rows):
            low, high = max(row["tif_low"] for row in rows), min(row["tif_high"] for row in rows)
            words = "overlap" if low <= high else "do **not** all overlap"
            lines += ["", f"With the same radio in {scenario} the intervals of all {words}."]
    return "\n".join(lines)


def attacks(kept):
    """Return every figure of every attack that was played, protocols side by side."""
    lines = [f"| attack | what is counted | {' | '.join(NAMES.values())} |"]
    lines.append("|" + "---|" * (len(NAMES) + 2))
    for name, attack in ATTACKS.items():
        if f"simulate attack {name} --protocol all --json" not in kept:
            continue
        for metric, says in attack.metrics.items():
            rows = attacked(kept, metric)
            cells = " | ".join(number(rows.get(protocol), ",.3g") for protocol in NAMES)
            lines.append(f"| {name} | {says} | {cells} |")
    return "\n".join(lines)


def costs():
    """Return what each protocol costs with the defaults."""
    heads = ("", "down a day", "up a day", "up a case", "server CPU-s a day",
             "phone CPU-s a day", "battery a day, mAh", "bytes on the air")  # fmt: skip
    used = (
        f"{USE.users:,} users, {USE.cases_day:,.0f} cases a day of {USE.days} days each, "
        f"{USE.contacts_epoch:g} phones heard in each quarter of an hour, {USE.readings:g} records "
        "of each, no padding:"
    )
    lines = [
        used,
        "",
        f"| {' | '.join(heads)} |",
        "|" + "---|" * len(heads),
    ]
    for name, said in NAMES.items():
        cost = cost_of(name, USE)
        lines.append(
            f"| {said} | {size(cost.down_bytes_day)} | {size(cost.up_bytes_day)} | "
            f"{size(cost.up_bytes_case)} | {cost.server_cpu_s_day:,.0f} | "
            f"{cost.phone_cpu_s_day:.3f} | {cost.battery_mah_day:.0f} | {cost.air_bytes} |"
        )
    return "\n".join(lines)


def speeds():
    """Return the CPU time of each kind of work."""
    lines = ["| work | microseconds |", "|---|---|"]
    lines += [f"| {kind.value} | {1e6 * spent:.3g} |" for kind, spent in SPEEDS.items()]
    return "\n".join(lines)


def with_parts(text, kept):
    """Return the page with every part written again between its two marks."""
    parts = {
        "one table": one_table(kept),
        "found by radio": found_by_radio(kept),
        "attacks": attacks(kept),
        "costs": costs(),
        "speeds": speeds(),
    }
    for name in PARTS:
        start, end = f"<!-- {name} -->\n", f"\n<!-- end of {name} -->"
        before, mark, rest = text.partition(start)
        if not mark or end not in rest:
            raise ValueError(f"{PAGE.name} has no place for {name}")
        text = before + start + parts[name] + end + rest.partition(end)[2]
    return text


def panels(kept):
    """Return the panels of the picture: headline, scale, and values by protocol."""
    found = []
    for radio in RADIOS:
        rows = crowd(kept, SCENARIOS[0], radio)
        if rows:
            values = {name: row["tif"] for name, row in rows.items()}
            found.append((f"found in {SCENARIOS[0]},\n{radio} radio", "share", values))
    rows = crowd(kept, SCENARIOS[0], "own")
    if rows:
        values = {name: row["false_per_case"] for name, row in rows.items()}
        found.append(("people listed wrongly\nfor each case, own radio", "count", values))
    for headline, scale, metric in (
        ("a case's sightings that\neverybody can link", "share", "linked_share"),
        ("contacts that the\nauthority learns", "share", "edges_known"),
        ("a replayed token counts\nso long, seconds", "log", "last_accepted_s"),
    ):
        rows = attacked(kept, metric)
        found.append((headline, scale, {name: row["value"] for name, row in rows.items()}))
    sizes = {name: cost_of(name, USE) for name in PROTOCOLS}
    data = {name: cost.down_bytes_day + cost.up_bytes_day for name, cost in sizes.items()}
    return [*found, ("bytes a phone\nand day", "log", data)]


def digest(kept):
    """Return SHA-256 of what the picture shows."""
    return hashlib.sha256(json.dumps(panels(kept)).encode()).hexdigest()


def draw(kept):
    """Draw one row for each protocol and one panel for each question."""
    shown = panels(kept)
    figure = new_figure(1.9 * len(shown) + 1.3, 3.4)
    whole = figure.subplots(1, len(shown), sharey=True)
    for axes, (headline, scale, values) in zip(whole, shown, strict=True):
        plain_axes(axes)
        axes.grid(visible=False, axis="y")
        axes.set_title(headline, fontsize=9, color=INK, loc="left")
        top = max(value or 0.0 for value in values.values())
        ends = {"log": (-0.6, 8.0), "share": (-0.06, 1.06), "count": (0.0, 1.15 * top)}[scale]
        middle = sum(ends) / 2
        for place, name in enumerate(NAMES):
            value = values.get(name)
            if name in values and value is None:  # no limit
                axes.annotate(
                    "no limit", (1, place), xycoords=("axes fraction", "data"),
                    ha="right", va="center", fontsize=8, color=FALSE,
                )  # fmt: skip
            elif value is not None:
                at = math.log10(max(value, 0.5)) if scale == "log" else value
                good = FOUND if headline.startswith("found") else FALSE
                axes.plot(at, place, "o", color=good, markersize=6)
                if scale == "log":
                    said = size(value) if "bytes" in headline else f"{value:,.0f}"
                else:
                    said = f"{value:.2g}"
                right = at > middle
                axes.annotate(
                    said, (at, place), xytext=(-7 if right else 7, 0), textcoords="offset points",
                    ha="right" if right else "left", va="center", fontsize=8, color=QUIET,
                )  # fmt: skip
        axes.set_xticks([])
        axes.set_xlim(*ends)
    whole[0].set_yticks(range(len(NAMES)), NAMES.values())
    whole[0].invert_yaxis()
    save_figure(figure, PICTURE, made_of=digest(kept))


if __name__ == "__main__":
    if "--play" in sys.argv:
        play(sys.argv[-1] if sys.argv[-1] != "--play" else "")
    results = json.loads(KEPT.read_text("utf-8"))
    PAGE.write_text(with_parts(PAGE.read_text("utf-8"), results), "utf-8")
    draw(results)
