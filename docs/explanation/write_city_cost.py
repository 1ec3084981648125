"""Write lines of the table in city-cost.md again: `python docs/explanation/write_city_cost.py`.

Numbers of people as arguments choose the lines that are measured; without one, all are. Up to
5.6 million people that is some minutes of computing; 60 million need some minutes and 2 GB of
memory. Other lines stay.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from simulations.city.cost_by_size import SPREADS, CostOfSize, cost_of_size

PAGE = Path(__file__).with_name("city-cost.md")
BEGIN, END = "<!-- cost by size -->", "<!-- end of cost by size -->"
PLAN = (
    (10_000, 1, SPREADS),
    (100_000, 1, SPREADS),
    (1_000_000, 1, SPREADS),
    (5_600_000, 1, SPREADS),
    (5_600_000, 2, ("held back",)),
    (60_000_000, 1, ("held back",)),
    (60_000_000, 2, ("held back",)),
)
HEAD = (
    "| people | processes | run | infected | CPU s | peak MB | million agent-days per CPU s "
    "| digest |\n|--:|--:|---|--:|--:|--:|--:|---|"
)


def line(row: CostOfSize) -> str:
    """Return the line of a run."""
    return (
        f"| {row.people:,} | {row.processes} | {row.spread} | {row.attack_rate:.1%} | "
        f"{row.cpu_s:,.1f} | {row.peak_mb:,.0f} | {row.agent_days_per_cpu_s / 1e6:,.0f} | "
        f"`{row.digest[:12]}` |"
    )


def what_of(text: str) -> tuple[int, int, int]:
    """Return people, processes and the place of the kind of run of a line."""
    cells = [cell.strip() for cell in text.split("|")]
    return int(cells[1].replace(",", "")), int(cells[2]), SPREADS.index(cells[3])


def rewritten(page: str, rows: Sequence[CostOfSize]) -> str:
    """Return the page with lines of these runs in place of those of the same kind and size."""
    start, rest = page.split(BEGIN)
    old, end = rest.split(END)
    lines = {what_of(text): text for text in old.splitlines() if text[:3].strip("| ").isdigit()}
    lines |= {what_of(text): text for text in map(line, rows)}
    listed = [lines[what] for what in sorted(lines)]
    return f"{start}{BEGIN}\n\n" + "\n".join([HEAD, *listed]) + f"\n\n{END}{end}"


def main(words: Sequence[str]) -> None:
    """Measure, and write after each run."""
    sizes = {int(word.replace("_", "").replace(",", "")) for word in words}
    for people, processes, spreads in PLAN:
        if sizes and people not in sizes:
            continue
        for spread in spreads:
            row = cost_of_size(spread, people, processes=processes)
            PAGE.write_text(rewritten(PAGE.read_text("utf-8"), [row]), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
