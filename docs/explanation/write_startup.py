"""Measure how long commands and imports take to start, before and now, and write scale.md's table.

    python docs/explanation/write_startup.py [COMMIT]

COMMIT is the version to compare with, by default af2242a, which still imported every command.
Both are measured in turn in one run: CPU seconds of a fresh process, the least of five. Takes a
minute. Needs git and the history of the repository.
"""

import io
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

PAGE = Path(__file__).with_name("scale.md")
ROOT = PAGE.parents[2]
BEGIN, END = "<!-- start-up -->\n", "<!-- end of start-up -->\n"
BEFORE, TRIES = "af2242a", 5
STARTS = {
    "`tracetogether --help`": ["-m", "tracetogether", "--help"],
    "`tracetogether simulate --help`": ["-m", "tracetogether", "simulate", "--help"],
    "`tracetogether city --help`": ["-m", "tracetogether", "city", "--help"],
    "`tracetogether authority --help`": ["-m", "tracetogether", "authority", "--help"],
    "`import tracetogether`": ["-c", "import tracetogether"],
    "`from tracetogether import Sightings, encounters`": [
        "-c", "from tracetogether import Sightings, encounters",
    ],
    "`from simulations import Scenario, run`": ["-c", "from simulations import Scenario, run"],
}  # fmt: skip


def cpu_s(words: list[str], source: Path, *, tries: int = TRIES) -> float | None:
    """Return the least CPU seconds of some Python processes with this source; None if they fail."""
    spent = []
    for _ in range(tries + 1):  # the first writes compiled files
        before = getrusage(RUSAGE_CHILDREN)
        done = subprocess.run(  # noqa: S603 - our own commands
            [sys.executable, *words],
            cwd=source,
            env={**os.environ, "PYTHONPATH": str(source)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode:
            return None
        after = getrusage(RUSAGE_CHILDREN)
        user, system = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
        spent.append(user + system)
    return min(spent[1:])


def table(commit: str) -> str:
    """Return the table, with both versions measured in turn."""
    with tempfile.TemporaryDirectory() as folder:
        packed = subprocess.run(  # noqa: S603 - as above
            ["git", "archive", commit, "tracetogether", "simulations"],  # noqa: S607
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(folder, filter="data")
        lines = [f"| CPU seconds to start | commit {commit} | now |\n|---|--:|--:|\n"]
        for name, words in STARTS.items():
            figures = [cpu_s(words, source) for source in (Path(folder), ROOT)]
            cells = ["not there" if figure is None else f"{figure:.2f}" for figure in figures]
            lines.append(f"| {name} | {' | '.join(cells)} |\n")
    return "".join(lines)


def page_with(rows: str) -> str:
    """Return the page with the table."""
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    return before + BEGIN + rows + END + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(page_with(table(sys.argv[1] if len(sys.argv) > 1 else BEFORE)), "utf-8")
