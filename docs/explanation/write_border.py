"""Write the table of docs/explanation/border.md again, from what the command prints as JSON.

python docs/write.py --only border
"""

import json
import sys
from pathlib import Path
from typing import Any

PAGE = Path(__file__).with_name("border.md")
BEGIN, END = "<!-- who is found across the border -->", "<!-- end of who is found -->"


def figure(row: dict[str, Any], name: str) -> str:
    """Return a figure with its interval."""
    if row[name] is None:
        return "–"
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    return f"{row[name]:.2f}" + ("" if low is None else f" ({low:.2f} to {high:.2f})")


COLUMNS = {
    "at home": "found_home",
    "across, without": "found_across_without",
    "across, with": "found_across",
    "across, one authority": "found_across_by_one",
    "all, without": "found_without",
    "all, with": "found",
    "wrong a case": "false_per_case",
    "wrong, one authority": "false_per_case_by_one",
}


def written(rows: list[dict[str, Any]]) -> str:
    """Return the part of the page between the marks."""
    lines = [
        f"| crowd | abroad | {' | '.join(COLUMNS)} |",
        "|---|---|" + "---|" * len(COLUMNS),
    ]
    for row in rows:
        abroad = list(row["home"].values())[1]
        cells = [figure(row, name) for name in COLUMNS.values()]
        lines.append(f"| {row['scenario']} | {abroad:g} | {' | '.join(cells)} |")
    played, same = (
        sum(row[name] for row in rows) for name in ("played_by_service", "judged_alike")
    )
    hours = sum(row["hours"] for row in rows) / len(rows)
    said = (
        f"The service itself handed over {2 * sum(row['crowds'] for row in rows)} logs, one of "
        f"each authority and crowd. Its lists hold {played} people, and {same} of them "
        f"are judged as in the table. From the upload to the partner it takes {hours:.1f} hours "
        "on average."
    )
    return f"{BEGIN}\n\n" + "\n".join([*lines, "", said]) + f"\n\n{END}"


if __name__ == "__main__":
    text = PAGE.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    rows = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    PAGE.write_text(before + written(rows) + rest.partition(END)[2], "utf-8")
