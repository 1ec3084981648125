"""Write what check-in and places add in a city: the table of visits.md and its picture.

    python docs/explanation/write_visits_city.py [ROWS]

ROWS is what `tracetogether city presence ... --json` printed. Without it, page and picture are
written again from visits-city.json.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from simulations.city.presence_study import BLUETOOTH, CityPresenceRow, presence_picture

HERE = Path(__file__).parent
DATA, PICTURE, PAGE = (HERE / name for name in ("visits-city.json", "visits-city.svg", "visits.md"))
BEGIN, END = "<!-- in a city -->\n", "<!-- end of the city -->"
COLUMNS = {
    "contacts found": ("found_of_contacts", "{:.2f}"),
    "shared air found": ("found_of_air", "{:.2f}"),
    "warned per case": ("warned_per_case", "{:,.0f}"),
    "of these, infected": ("infected_of_warned", "{:.3f}"),
    "of these, no contact": ("no_contact", "{:.2f}"),
    "infections averted": ("averted", "{:.2f}"),
    "published per case": ("published_per_case", "{:.1f}"),
    "stays learned per case": ("stays_per_case", "{:.1f}"),
}


def figure(value: Mapping[str, float | None] | None, form: str) -> str:
    """Return a figure with its interval."""
    if value is None or value["ratio"] is None:
        return ""
    low, high = value["low"], value["high"]
    bounds = "" if low is None else f" ({form.format(low)} to {form.format(high)})"
    return form.format(value["ratio"]) + bounds


def picture(found: Mapping[str, Any]) -> str:
    """Return the picture as SVG."""
    rows = [CityPresenceRow.from_json(row) for row in found["rows"]]
    title = (
        f"{found['scenario']}, {found['people']:,} people, {found['seeds']} seeds: what check-in "
        "and places add"
    )
    return presence_picture(rows, title, found["digest"])


def block(found: Mapping[str, Any]) -> str:
    """Return the part of the page between the marks."""
    lines = [
        f"![Contacts found and infections averted, by adoption]({PICTURE.name})",
        "",
        f"`tracetogether city presence {found['scenario']} --people {found['people']} "
        f"--days {found['days']} --seeds {found['seeds']}`, digest {found['digest'][:12]}; "
        f"{found['check_in']:.0%} of people with the app check in, ".replace("%", " %")
        + f"{found['places']:.0%} of places and vehicles have a device. In brackets the central 90 "
        f"% over only {found['seeds']} seeds:".replace("%", " %").replace("  %", " %"),
        "",
        f"| app | found by | {' | '.join(COLUMNS)} |",
        "|---|---|" + "---|" * len(COLUMNS),
    ]
    for row in found["rows"]:
        way = row["way"] if row["way"] == BLUETOOTH else f"{BLUETOOTH} {row['way']}"
        cells = [figure(row.get(name), form) for name, form in COLUMNS.values()]
        lines.append(f"| {row['adoption']:g} | {way} | {' | '.join(cells)} |")
    return f"{BEGIN}\n" + "\n".join(lines) + f"\n\n{END}"


def with_block(text: str, found: Mapping[str, Any]) -> str:
    """Return the page with the table of what was found."""
    before, _, rest = text.partition(BEGIN)
    return before + block(found) + rest.partition(END)[2]


if __name__ == "__main__":
    if sys.argv[1:]:
        rows = json.loads(Path(sys.argv[1]).read_text("utf-8"))
        DATA.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
    kept = json.loads(DATA.read_text("utf-8"))
    PICTURE.write_text(picture(kept), "utf-8")
    PAGE.write_text(with_block(PAGE.read_text("utf-8"), kept), "utf-8")
