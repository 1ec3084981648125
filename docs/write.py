"""Write every generated page, picture and figure of the docs again, each by its own script.

    python docs/write.py [--check] [--only NAME]... [--slow]

Without --slow, works of more than two minutes are left out, unless --only names them. --check runs
the scripts on a copy, lists what is stale and writes nothing. A script that fails is named, and
the others run. Exit status 1 if anything is stale or failed. Says how long each took. Recordings
are in the folder that TRACETOGETHER_RECORDINGS names.
"""

import argparse
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).parent
ROOT = DOCS.parent
KEPT = DOCS / "written.json"
LONG_MINUTES = 2.0
BLOCK = re.compile(r"<!-- (?!end of)([^>]+) -->(.*?)<!-- end of", re.DOTALL)
SOURCE = re.compile(rb"digest ([0-9a-f]{64})")
RECORDINGS = "TRACETOGETHER_RECORDINGS"


@dataclass(frozen=True)
class Work:
    """One script of the docs.

    Attributes:
        script: its path below docs, with its words; {folder} is an empty folder for what the
            steps write, {recordings} the folder of recordings.
        writes: what it writes, below docs.
        minutes: about how long it takes.
        held_by: the test, below tests, that fails if a file is not what the script writes; "" where
            written.json holds the digest of the file, or of the page's marked blocks.
        before: commands of `tracetogether` whose output it reads, by the name of the file.
        quiet: whether it can be compared byte by byte: no times, no screenshots.
    """

    script: str
    writes: tuple[str, ...]
    minutes: float
    held_by: str = ""
    before: tuple[tuple[str, str], ...] = ()
    quiet: bool = True


_NEARNESS = (
    ("crowds.json", "simulate nearness --seeds 8 --json"),
    ("both.json", "simulate nearness train-carriage --seeds 8 --logs both --json"),
    ("bounds.json", "simulate nearness --seeds 3 --estimator none --bounds --json"),
)
_PLACED = "classroom train-carriage hawker-centre --adoption 0.3 --adoption 0.8"
_SWEEP = "city sweep singapore-2020 --vary app.adoption=0,0.1,0.2,0.32,0.45,0.6,0.8,1 --seeds 10 -o"
WORKS = {
    "cli": Work("reference/write_cli.py", ("reference/cli.md",), 0.1, "test_docs.py"),
    "radio": Work(
        "reference/write_radio.py", ("reference/radio.md",), 0.1, "integration/test_radio_page.py"
    ),
    "openapi": Work(
        "reference/write_openapi.py", ("reference/openapi.json",), 0.1, "test_openapi_document.py"
    ),
    "permissions": Work(
        "reference/write_permissions.py",
        ("reference/permissions.md",),
        0.1,
        "integration/test_permissions.py",
    ),
    "keys": Work(
        "reference/write_scenario_keys.py",
        ("reference/scenario-keys.md", "reference/city-keys.md"),
        0.1,
        "simulations/test_scenario.py",
    ),
    "texts": Work("reference/write_texts.py", (), 0.1, "test_page_texts.py", quiet=False),
    "design": Work(
        "explanation/write_design.py", ("explanation/design.md",), 0.1, "test_design.py"
    ),
    "notebook": Work(
        "howto/write_notebook.py",
        ("howto/notebook.md",),
        0.5,
        "simulations/test_notebook_script.py",
    ),
    "startup": Work(
        "explanation/write_startup.py",
        ("explanation/scale.md",),
        1.0,
        "test_cli_start.py",
        quiet=False,
    ),
    "minimum-data": Work(
        "explanation/write_minimum_data.py",
        ("explanation/minimum-data.md",),
        2.0,
        "simulations/test_minimum_data.py",
    ),
    "school": Work(
        "howto/write_school_picture.py",
        ("school.png", "howto/simulate.md"),
        0.5,
        "simulations/test_floor.py",
    ),
    "demo": Work("explanation/write_pictures.py demo", ("demo.png",), 0.5, "test_cli_demo.py"),
    "report": Work(
        "explanation/write_pictures.py report",
        ("report.png", "report-two.png", "report-phone.png"),
        1.0,
        "simulations/test_docs_pictures.py",
    ),
    "protocols": Work(
        "explanation/write_protocols.py",
        ("explanation/protocols.md", "explanation/protocols.png"),
        0.2,
        "simulations/test_protocols_page.py",
    ),
    "protocols-played": Work(
        "explanation/write_protocols.py --play",
        (
            "explanation/protocols.json",
            "explanation/protocols.md",
            "explanation/protocols.png",
        ),
        60.0,
        "simulations/test_protocols_page.py",
    ),
    "attacks": Work(
        "explanation/write_attacks.py",
        ("explanation/attacks.md", "explanation/attacks.png"),
        0.2,
        "simulations/test_attacks_page.py",
    ),
    "attacks-played": Work(
        "explanation/write_attacks.py --play",
        ("explanation/attacks.json", "explanation/attacks.md", "explanation/attacks.png"),
        6.0,
        "simulations/test_attacks_page.py",
    ),
    "adoption": Work(
        "explanation/write_pictures.py adoption",
        ("adoption.png", "explanation/simulation.md"),
        5.0,
        "simulations/test_docs_pictures.py",
    ),
    "later-scans": Work(
        "explanation/write_later_scans.py",
        ("explanation/simulation.md",),
        15.0,
        "simulations/test_later_scans_study.py",
    ),
    "places": Work(
        "explanation/write_places.py {folder}/dark.json {folder}/lit.json {folder}/crowds.json",
        ("explanation/visits.md",),
        8.0,
        before=(
            ("dark.json", "simulate places classroom --all-locked --seeds 3 --json"),
            (
                "lit.json",
                "simulate places classroom --all-locked --set lit_every_s=720 --seeds 3 --json",
            ),
            ("crowds.json", f"simulate places {_PLACED} --seeds 5 --json"),
        ),
    ),
    "border": Work(
        "explanation/write_border.py {folder}/border.json",
        ("explanation/border.md",),
        5.0,
        before=(("border.json", "simulate border train-carriage classroom --seeds 4 --json"),),
    ),
    "visits-city": Work(
        "explanation/write_visits_city.py {folder}/rows.json",
        (
            "explanation/visits-city.json",
            "explanation/visits-city.svg",
            "explanation/visits.md",
        ),
        20.0,
        "simulations/test_city_presence_study.py",
        before=(
            (
                "rows.json",
                "city presence singapore-2020 --people 20000 --days 70 --seeds 5 --json",
            ),
        ),
    ),
    "costs": Work("explanation/write_costs.py", ("explanation/costs.md",), 5.0),
    "accuracy": Work(
        "explanation/write_accuracy.py {recordings}",
        ("explanation/accuracy.md",),
        60.0,
        quiet=False,
    ),
    "crowds": Work(
        "explanation/write_crowds.py {recordings} {folder}/crowds.json {folder}/both.json "
        "{folder}/bounds.json",
        ("explanation/accuracy.md",),
        240.0,
        before=_NEARNESS,
    ),
    "laws": Work(
        "explanation/write_city.py",
        (
            "explanation/city.md",
            "explanation/city-laws.json",
            "explanation/city-law.png",
            "explanation/city-shuffle.png",
        ),
        10.0,
        "test_city_page.py",
    ),
    "city-cost": Work(
        "explanation/write_city_cost.py",
        ("explanation/city-cost.md",),
        30.0,
        "simulations/test_city_cost.py",
        quiet=False,
    ),
    "city": Work(
        "howto/write_city_picture.py {folder}/sweep",
        ("city.svg", "city.json", "howto/city.md", "../README.md"),
        600.0,
        "simulations/test_city_report.py",
        before=(("sweep.log", f"{_SWEEP} {{folder}}/sweep"),),
    ),
    "calls": Work("howto/write_calls.py", ("howto/trace-a-case.md",), 4.0, quiet=False),
    "desk": Work("howto/write_screenshots.py", ("desk",), 2.0, quiet=False),
}  # fmt: skip
"""In the order of writing: quick ones first."""

OTHERS_HOLD = {"desk"}
"""Screenshots of a browser: fonts and dates differ, so no digest holds them."""


def held(path: str) -> str:
    """Return the digest of a file, or of the marked blocks of a page."""
    content = (DOCS / path).read_bytes()
    if path.endswith(".md"):
        content = "".join(block[1] for block in BLOCK.findall(content.decode())).encode()
    return hashlib.sha256(content).hexdigest()


def held_here() -> list[str]:
    """Return the files that no test of their own holds."""
    paths = {path for work in WORKS.values() if not work.held_by for path in work.writes}
    pictures = {path for work in WORKS.values() for path in work.writes if path.endswith(".png")}
    of_runs = {path for path in pictures if SOURCE.search((DOCS / path).read_bytes())}
    return sorted((paths | pictures) - OTHERS_HOLD - of_runs)


def run(work: Work, docs: Path) -> None:
    """Run a script of a folder of docs, and the commands before it."""
    with tempfile.TemporaryDirectory() as folder:
        places = {"folder": folder, "recordings": os.environ.get(RECORDINGS, "")}
        for name, words in work.before:
            with (Path(folder) / name).open("w") as output:
                command = [sys.executable, "-m", "tracetogether", *words.format(**places).split()]
                subprocess.run(command, stdout=output, cwd=ROOT, check=True)  # noqa: S603
        script, *words = work.script.format(**places).split()
        subprocess.run([sys.executable, str(docs / script), *words], cwd=ROOT, check=True)  # noqa: S603


def copied(folder: Path) -> Path:
    """Return a copy of the docs, beside links to the rest of the project."""
    folder.mkdir()
    shutil.copytree(DOCS, folder / "docs")
    shutil.copy(ROOT / "README.md", folder)
    for path in ROOT.iterdir():
        if path.name not in {"docs", "README.md"}:
            (folder / path.name).symlink_to(path)
    return folder / "docs"


def stale(work: Work, copy: Path) -> list[str]:
    """Return which files of a copy differ from those here; pictures by the digest of their runs."""
    found = []
    for path in work.writes:
        here, there = ((folder / path).read_bytes() for folder in (DOCS, copy))
        by_runs = path.endswith(".png") and SOURCE.search(here)
        same = SOURCE.findall(here) == SOURCE.findall(there) if by_runs else here == there
        if not same:
            found.append(path)
    return found


def chosen(only: list[str], *, slow: bool, check: bool) -> dict[str, Work]:
    """Return the works to do, in order."""
    found = {}
    for name, work in WORKS.items():
        if only and name not in only:
            continue
        if not only and work.minutes > LONG_MINUTES and not slow:
            print(f"{name}: left out, takes about {work.minutes:g} minutes (--slow)")
        elif "{recordings}" in work.script and not os.environ.get(RECORDINGS):
            print(f"{name}: left out, needs recordings ({RECORDINGS})")
        elif check and not work.quiet:
            print(f"{name}: left out, each run differs: times, screenshots or keys in place")
        else:
            found[name] = work
    return found


def main() -> int:
    """Write or check; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="Write nothing, list what is stale.")
    parser.add_argument("--only", action="append", default=[], choices=WORKS, metavar="NAME")
    parser.add_argument("--slow", action="store_true", help="The long ones too.")
    options = parser.parse_args()
    kept = json.loads(KEPT.read_text("utf-8")) if KEPT.exists() else {}
    old = [path for path in held_here() if kept.get(path) != held(path)] if options.check else []
    failed = list[str]()
    with tempfile.TemporaryDirectory() as folder:
        docs = copied(Path(folder) / "copy") if options.check else DOCS
        for name, work in chosen(options.only, slow=options.slow, check=options.check).items():
            began = time.perf_counter()
            try:
                run(work, docs)
            except subprocess.CalledProcessError as error:
                print(f"{name}: failed with exit status {error.returncode}", flush=True)
                failed.append(f"{name}: {shlex.join(map(str, error.cmd))}")
                continue
            found = stale(work, docs) if options.check else []
            said = (
                f"stale: {', '.join(found)}"
                if found
                else "up to date"
                if options.check
                else "written"
            )
            print(f"{name}: {said} ({time.perf_counter() - began:.0f} s)", flush=True)
            old += found
            if not options.check:
                kept |= {path: held(path) for path in work.writes if path in held_here()}
    if not options.check:
        KEPT.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", "utf-8")
    for path in sorted(set(old)):
        print(f"stale: docs/{path}", file=sys.stderr)
    for command in failed:
        print(f"failed: {command}", file=sys.stderr)
    return 1 if old or failed else 0


if __name__ == "__main__":
    sys.exit(main())
