"""Write docs/city.svg, its data docs/city.json, and its captions in README.md and city.md.

    python docs/howto/write_city_picture.py [SWEEP]

SWEEP is the folder of a finished sweep over app.adoption, from 0 and with 0.32:

    tracetogether city sweep singapore-2020 --vary app.adoption=0,0.1,0.2,0.32,0.45,0.6,0.8,1 \\
        --seeds 10 -o SWEEP

Without it, picture and captions are written again from docs/city.json.
"""

import json
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from simulations.city.report_charts import adoption_picture
from simulations.city.report_data import CityReport, read_results, report_of, share_of_people
from simulations.city.report_words import is_enough, percent_text
from simulations.provenance import digest_of

DOCS = Path(__file__).parent.parent
DATA, PICTURE = DOCS / "city.json", DOCS / "city.svg"
CAPTIONS = {DOCS.parent / "README.md": "docs/city.svg", DOCS / "howto" / "city.md": "../city.svg"}
BEGIN, END = "<!-- the picture of 1.8 million -->\n", "<!-- end of the picture -->\n"
KEPT = ("settings", "seed", "digest", "people", "days", "infections", "quarantine_days_not",
        "detection_table")  # fmt: skip


def kept(results: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a sweep's results that the picture and its caption need."""
    rows = [
        {name: row[name] for name in KEPT} | {"curves": {"infections": [], "r_instant": []}}
        for row in results["rows"]
    ]
    names = ("format", "scenario", "title", "people", "days", "seeds", "keys", "made_by",
             "threshold")  # fmt: skip
    return {name: results[name] for name in names} | {
        "digest": digest_of(rows),
        "points": [
            {name: point[name] for name in ("settings", "r")} | {"by_age": []}
            for point in results["points"]
        ],
        "rows": rows,
    }


def report() -> CityReport:
    return report_of(json.loads(DATA.read_text("utf-8")), source=str(DATA))


def caption(found: CityReport, picture: str) -> str:
    """Return the picture and its caption as Markdown."""
    last = found.lines[0][-1]
    share = last.share
    most = float(last.settings["app.adoption"])
    if share is None or share.ratio is None:
        sys.exit(f"{DATA} holds no sweep over app.adoption from 0 on")
    words = (
        f"{found.headline()} {is_enough(found)} With {share_of_people(most)}, the epidemic grows "
        f"more slowly: in {found.days} days {percent_text(share.ratio)} of infections are averted "
        f"({percent_text(share.low or 0)} to {percent_text(share.high or 0)})."
    )
    about = "Infections averted and days of false quarantine, by the share of people with the app"
    return f"![{about}]({picture})\n\n{_wrapped(words)}\n"


def _wrapped(words: str) -> str:
    """Return lines of a text; a number and its per cent sign stay together."""
    return textwrap.fill(words.replace(" %", "\0%"), 118).replace("\0", " ")


def with_caption(page: Path, found: CityReport) -> str:
    """Return the text of a page with the caption of today."""
    head, _, rest = page.read_text("utf-8").partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}{caption(found, CAPTIONS[page])}{END}{tail}"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        smaller = kept(read_results(Path(sys.argv[1])))
        DATA.write_text(json.dumps(smaller, separators=(",", ":")) + "\n", "utf-8")
    PICTURE.write_text(adoption_picture(report()), "utf-8")
    for path in CAPTIONS:
        path.write_text(with_caption(path, report()), "utf-8")
