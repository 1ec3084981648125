"""Write the table of minimum-data.md: what each feature tells each actor, measured.

`python docs/explanation/write_minimum_data.py` plays all attackers, as `tracetogether privacy
measure` does. `--ledger FILE` takes the output of `tracetogether privacy measure --json` instead.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

PAGE: Final = Path(__file__).with_name("minimum-data.md")
BEGIN: Final = "<!-- rows of the ledger -->\n"
END: Final = "<!-- end of the rows -->"
_HEAD: Final = (
    "| feature | actor | learns | bits | budget | right answers | how it was played |\n"
    "|---|---|---|---|---|---|---|\n"
)


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the Markdown table of the rows of ``privacy measure --json``."""
    lines = [
        f"| {row['feature']} | {row['actor']} | {row['learns']} | {row['bits']:.2f} | "
        f"{row['budget']:.2f} | {_score(row)} | {row['played']} |\n"
        for row in rows
    ]
    return _HEAD + "".join(lines)


def with_table(page: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the page with the table in the place of its old one."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{table(rows)}{END}{after}"


def _score(row: Mapping[str, Any]) -> str:
    if row["score"] is None:
        return "-"
    bounds = "" if row["low"] is None else f" ({row['low']:.3f} to {row['high']:.3f})"
    return f"{row['score']:.3f}{bounds}, by guessing {row['chance']:.3g}"


def main() -> None:
    """Write the page again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ledger", type=Path, help="output of `privacy measure --json`")
    given = parser.parse_args().ledger
    if given is None:
        from tracetogether.cli.privacy import measured_ledger  # noqa: PLC0415 - takes long to load

        found = measured_ledger(seed=1).to_json()
    else:
        found = json.loads(given.read_text("utf-8"))
    PAGE.write_text(with_table(PAGE.read_text("utf-8"), found["rows"]), "utf-8")


if __name__ == "__main__":
    main()
