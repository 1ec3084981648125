"""Make the pictures of the simulator again, and the table that belongs to one of them.

    python docs/explanation/write_pictures.py [NAME...]

NAME is adoption, demo or report; without one, all are made. adoption takes some minutes. report
needs Chromium and the extra `test`.

- docs/adoption.png and its table in docs/explanation/simulation.md: shares of contacts by adoption;
- docs/demo.png: the picture of `tracetogether demo`;
- docs/report.png: the page of a run of the office, docs/report-phone.png: a part of it on a phone,
  docs/report-two.png: the page of two runs of a carriage. Each holds the digest of its runs.
"""

import re
import shutil
import struct
import sys
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

from simulations import CrowdRun, CrowdSweep, Scenario, run, sweep
from simulations.scores.intervals import Measured
from simulations.studies.sweep import digest
from tracetogether.cli import cli

DOCS = Path(__file__).parent.parent
PAGE = DOCS / "explanation" / "simulation.md"
BLOCK = re.compile(r"<!-- adoption -->\n.*?<!-- end of adoption -->\n", re.DOTALL)
MARKS = {0.25: "25 %: the press, June 2020", 0.32: "32 %: downloads, June 2020"}
PLAYED_AGAIN = ("1", 2)  # the point, and how many of its seeds, that a test plays again


def carriage() -> Scenario:
    """Return a quarter of an hour in a carriage with 40 people."""
    return Scenario.load("train-carriage").with_({"policy.minutes": 8}, duration_s=900, count=40)


def by_adoption(values: list[str], seeds: int, workers: int = 2) -> CrowdSweep:
    """Return the sweep over adoption."""
    return sweep(
        carriage(), {"adoption": values}, seeds=seeds, fidelity="vectorized", workers=workers
    )


def share(value: Measured | None) -> str:
    """Return a cell."""
    if value is None:
        return "-"
    return f"{value.median:.3f} ({value.low:.3f} - {value.high:.3f})"


def adoption() -> None:
    """Write picture and table of contacts found by adoption."""
    found = by_adoption([f"{tenths / 10:g}" for tenths in range(1, 11)], seeds=20)
    if found.failed:
        raise SystemExit(found.failed[0]["error"])
    figure = found.plot(measures=("recorded", "found"), marks=MARKS, square=True)
    found.save_plot(DOCS / "adoption.png", figure)
    heads = (
        "adoption",
        "pairs with the app among 40",
        "contacts with the app at both ends (5 % to 95 %)",
        "of these in the other's log",
        "of all contacts in the other's log",
        "of all on the authority's list",
        "no contacts among those listed",
    )
    lines = ["<!-- adoption -->", f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for point in found.points:
        value = float(point.settings["people.adoption"])
        users = round(40 * value)
        pairs = users * (users - 1) / (40 * 39)
        cells = (point.with_app, point.kept, point.recorded, point.found, point.falsely_listed)
        lines.append(f"| {value:.1f} | {pairs:.3f} | {' | '.join(map(share, cells))} |")
    at, seeds = PLAYED_AGAIN
    again = [
        row
        for row in found.rows
        if row["settings"]["people.adoption"] == at and row["seed"] <= seeds
    ]
    lines += [
        "",
        f"Digest {found.digest}.",
        f"<!-- digest of {seeds} runs at {at}: {digest(again)} -->",
        "<!-- end of adoption -->",
    ]
    page, count = BLOCK.subn("\n".join(lines) + "\n", PAGE.read_text("utf-8"))
    if count != 1:
        raise SystemExit(f"{PAGE} has no block of adoption")
    PAGE.write_text(page, "utf-8")


def demo() -> None:
    """Write the picture of the demo."""
    cli(["demo", "--picture", str(DOCS / "demo.png")], standalone_mode=False)


def office() -> CrowdRun:
    """Return the run of docs/report.png and docs/report-phone.png."""
    return run("office-day", seed=1, fidelity="vectorized")


def carriages() -> list[CrowdRun]:
    """Return the runs of docs/report-two.png: the same people, all or half of them with the app."""
    return [
        run(carriage().with_(adoption=share), seed=1, fidelity="vectorized") for share in (1.0, 0.5)
    ]


def report() -> None:
    """Take pictures of the page of a run and of two."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - for these pictures alone

    with tempfile.TemporaryDirectory() as made, sync_playwright() as driver:
        place, browser = (
            Path(made),
            driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"]),
        )
        for name, part, size, colours, runs in (
            ("report", "", (1200, 1500), "light", [office()]),
            ("report-phone", "#likely", (390, 780), "dark", [office()]),
            ("report-two", "", (1200, 1280), "light", carriages()),
        ):
            folders = [found.save(place / f"{name}-{number}") for number, found in enumerate(runs)]
            words = ["simulate", "report", *map(str, folders), "-o", str(place / f"{name}.html")]
            cli(words, standalone_mode=False)
            page = browser.new_page(
                viewport={"width": size[0], "height": size[1]}, color_scheme=colours
            )
            page.goto((place / f"{name}.html").as_uri() + part)
            picture = with_digest(page.screenshot(), digest_of_runs(runs))
            (DOCS / f"{name}.png").write_bytes(picture)
            page.close()
        browser.close()


def digest_of_runs(runs: list[CrowdRun]) -> str:
    """Return the digests of runs as one text."""
    return " and ".join(found.digest for found in runs)


def with_digest(png: bytes, said: str) -> bytes:
    """Return a PNG with a digest in its metadata, as matplotlib writes it."""
    text = b"tEXtDescription\0" + f"digest {said}".encode()
    chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    return png[:33] + chunk + png[33:]  # behind the signature and the header


PICTURES: dict[str, Callable[[], None]] = {"adoption": adoption, "demo": demo, "report": report}


if __name__ == "__main__":
    for name in sys.argv[1:] or PICTURES:
        PICTURES[name]()
        print(f"made {name}")
