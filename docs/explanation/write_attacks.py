"""Write tables and picture of attacks.md again: `python docs/explanation/write_attacks.py`.

It takes seconds: measured figures come from attacks.json. `--play` first plays all attacks and both
curves, with the defaults of `tracetogether simulate attack`, for about five minutes.
"""

import argparse
import hashlib
import json
from dataclasses import fields
from pathlib import Path

import numpy as np

from simulations.attacks.deployments import PROTOCOLS
from simulations.attacks.library import ATTACKS
from simulations.attacks.playback import acceptance
from simulations.attacks.published import PUBLISHED
from simulations.attacks.rows import AttackSettings
from tracetogether.picture_style import INK, QUIET, new_figure, plain_axes, save_figure, title

HERE = Path(__file__).parent
PAGE, KEPT, PICTURE = (HERE / f"attacks.{ending}" for ending in ("md", "json", "png"))
DELAYS = [0, 30, 120, 170, 190, 400, 880, 1_800, 3_600, 7_100, 7_600, 14_000, 28_000, 60_000]
SNIFFERS = [16, 64, 256, 1_000]
CURVES = ("bluetrace", "robert", "gaen", "dp3t-low-cost", "dp3t-hybrid", "dp3t-unlinkable", "tcn")
COLOURS = ("#d1495b", "#8d5a97", "#2e86ab", "#1b998b", "#5aa469", "#b8b42d", "#e08e45")


def play():
    """Play everything and keep it."""
    kept = {"rows": {}, "acceptance": {}, "sniffers": {}}
    for name, attack in ATTACKS.items():
        rows = [row for each in PROTOCOLS for row in attack.play(each, AttackSettings())]
        kept["rows"][name] = [row.to_json() for row in rows]
        print(name, flush=True)
    for protocol in CURVES:
        kept["acceptance"][protocol] = acceptance(protocol, np.array(DELAYS, float)).tolist()
        kept["sniffers"][protocol] = [_joined(protocol, count) for count in SNIFFERS]
        print(protocol, flush=True)
    KEPT.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")


def _joined(protocol, count):
    rows = ATTACKS["sniffers"].play(protocol, AttackSettings(sniffers=count))
    return {row.metric: row.value for row in rows}["joined_track"]


def figure(row):
    """Return a figure as the page shows it, with its interval if it has one."""
    if row["value"] is None:
        return "no limit"
    text = _number(row["value"])
    if row["high"] - row["low"] < 1e-9:
        return text
    return f"{text} ({_number(row['low'])} to {_number(row['high'])})"


def _number(value):
    if abs(value) >= 10 or float(value).is_integer():
        return f"{value:,.0f}" if abs(value) >= 100 or float(value).is_integer() else f"{value:.1f}"
    return f"{value:.4f}" if abs(value) < 0.1 else f"{value:.2f}"


def measured(kept):
    """Return one table for each attack: a line for each figure, a column for each protocol."""
    parts = []
    for name, rows in kept["rows"].items():
        head = "| | " + " | ".join(PROTOCOLS) + " |\n" + "|---" * (len(PROTOCOLS) + 1) + "|\n"
        lines = []
        for metric, meaning in ATTACKS[name].metrics.items():
            of = {row["protocol"]: row for row in rows if row["metric"] == metric}
            cells = " | ".join(figure(of[protocol]) for protocol in PROTOCOLS)
            lines.append(f"| {meaning} | {cells} |\n")
        parts.append(f"**{name}**: {ATTACKS[name].summary}.\n\n{head}{''.join(lines)}")
    return "\n".join(parts)


def needed(_kept):
    """Return the table of what each attacker needs, and of the options that change it."""
    lines = ["| attack | the attacker's needs | options |\n|---|---|---|\n"]
    for name, attack in ATTACKS.items():
        cost = attack.cost(AttackSettings())
        words = [
            f"{getattr(cost, each.name):g} {_word(each.name, getattr(cost, each.name))}"
            for each in fields(cost)
            if each.name != "access" and getattr(cost, each.name)
        ]
        options = " ".join(f"`--{option.replace('_', '-')}`" for option in attack.takes)
        needs = ", ".join([*words, *filter(None, [cost.access])])
        lines.append(f"| `{name}` | {needs} | {options} |\n")
    return "".join(lines)


def _word(name, count):
    return name.removesuffix("s") if count == 1 else name


def published(_kept):
    """Return the table of what others found."""
    lines = ["| attack | published | source |\n|---|---|---|\n"]
    lines += [
        f"| `{name}` | {finding.says} | {finding.source} |\n"
        for name, findings in PUBLISHED.items()
        for finding in findings
    ]
    return "".join(lines)


PARTS = {"needs": needed, "measured": measured, "published": published}


def with_parts(page, kept):
    """Return the page with its tables renewed."""
    for name, table in PARTS.items():
        before, found, rest = page.partition(f"<!-- {name} of attacks -->\n")
        _, end, after = rest.partition(f"<!-- end of {name} of attacks -->")
        if not found or not end:
            raise ValueError(f"{PAGE.name} has no place for {name}")
        page = f"{before}{found}{table(kept)}{end}{after}"
    return page


def digest(kept):
    """Return the digest of what the picture shows."""
    shown = json.dumps([kept["acceptance"], kept["sniffers"]], sort_keys=True)
    return hashlib.sha256(shown.encode()).hexdigest()


def draw(kept):
    """Draw when a replay still counts, and how long the track of a net of receivers is."""
    drawn = new_figure(11, 4.2)
    left, right = drawn.subplots(1, 2)
    for protocol, colour in zip(CURVES, COLOURS, strict=True):
        # BlueTrace's lines lie on others': dashes on top let both be seen.
        hidden = protocol == "bluetrace"
        look = {
            "color": colour,
            "lw": 2,
            "ls": (0, (4, 4)) if hidden else "-",
            "zorder": 3 + hidden,
        }
        left.plot(np.array(DELAYS) + 10, kept["acceptance"][protocol], label=protocol, **look)
        right.plot(SNIFFERS, kept["sniffers"][protocol], marker="o", ms=4, **look)
    left.set_xscale("log")
    right.set_xscale("log")
    left.set_xticks([10, 190, 910, 7_210, 60_010], ["0", "3 min", "15 min", "2 h", "17 h"])
    right.set_xticks(SNIFFERS, [f"{count:,}" for count in SNIFFERS])
    for axes in (left, right):
        plain_axes(axes)
        axes.minorticks_off()
        axes.set_ylim(-0.03, 1.05)
    left.set_xlabel("seconds between recording and playing", color=QUIET)
    right.set_xlabel("receivers in a town of 16 km²", color=QUIET)
    title(left, "Share of replays that count")
    title(right, "Receivers joined to one track of a case")
    left.legend(frameon=False, labelcolor=INK, fontsize=8)
    save_figure(drawn, PICTURE, made_of=digest(kept))


def main():
    """Write the page and the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--play", action="store_true", help="play all attacks again first")
    if parser.parse_args().play:
        play()
    kept = json.loads(KEPT.read_text("utf-8"))
    PAGE.write_text(with_parts(PAGE.read_text("utf-8"), kept), "utf-8")
    draw(kept)


if __name__ == "__main__":
    main()
