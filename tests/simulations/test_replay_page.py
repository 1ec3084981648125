"""The page of a run, as text and in a real browser."""

import csv
import html
import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from simulations.one_run import Run, run
from simulations.pages.recording import save_run
from simulations.pages.replay_page import page_columns, save_page
from simulations.scores.breakdown import break_down
from simulations.scores.scoring import score_run
from simulations.settings.scenario import Scenario
from simulations.studies.sweep_tables import ADOPTION
from tracetogether.cli.simulate import simulate
from tracetogether.errors import StoreError


@pytest.fixture(scope="module")
def folder(short_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    scored = score_run(short_run)
    folder = tmp_path_factory.mktemp("page") / "run"
    return save_run(short_run, scored, break_down(short_run, scored), folder)


@pytest.fixture(scope="module")
def page(folder: Path) -> Path:
    path = folder.parent / "report.html"
    save_page(folder, path)
    return path


def test_what_it_holds_is_what_happened(folder: Path, short_run: Run) -> None:
    said = page_columns(folder)
    scores = score_run(short_run).scores
    assert {case["person"] for case in said["cases"]} == set(short_run.app.tolist())
    for case in scores.cases:
        shown = next(shown for shown in said["cases"] if shown["person"] == case.person)
        assert shown["missed"] == sorted(case.missed_people)
        assert (len(shown["found"]), len(shown["false"])) == (case.found, case.false_contacts)
        chances = [chance for chance, *_ in said["lists"][case.person]]
        assert chances == pytest.approx([line.probability for line in case.listed], abs=1e-4)
        people = [line.person for line in case.listed]
        assert [person for _, person, *_ in said["lists"][case.person]] == people
    for person, log in short_run.logs.items():
        assert len(said["logs"][person]) == len(log)
    assert len(said["xy"]) == short_run.tracks.ticks
    assert len(said["minutes"]) == sum(len(case.listed) for case in scores.cases)


def test_logs_say_whose_tempid_it_was(folder: Path, short_run: Run) -> None:
    with (folder / "contact-logs.csv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert rows
    for row in rows:
        opened = short_run.issuer.open(row["token"], float(row["time"]))  # type: ignore[union-attr]
        assert short_run.user_ids[int(row["peer"])] == opened.user_id  # type: ignore[union-attr]


def test_it_needs_no_network(page: Path) -> None:
    text = page.read_text("utf-8")
    assert "@DATA@" not in text
    assert not re.search(r"(src|href)\s*=|https?://|@import|fetch\(", text)


def test_a_folder_without_a_run(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(StoreError, match=r"manifest\.json is missing"):
        save_page(tmp_path, tmp_path / "page.html")
    with pytest.raises(StoreError, match="can't write"):
        save_page(folder, tmp_path / "none" / "page.html")
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(StoreError, match="damaged"):
        save_page(tmp_path, tmp_path / "page.html")


def test_from_the_command_line(folder: Path, page: Path, tmp_path: Path) -> None:
    made = tmp_path / "mine.html"
    done = CliRunner().invoke(simulate, ["report", str(folder), "-o", str(made)])
    assert done.exit_code == 0, done.output
    assert made.read_bytes() == page.read_bytes()


def in_browser(chromium: str, page: Path, hash_part: str, budget_ms: int, tmp_path: Path) -> str:
    """Return the page's text after some of the browser's own, virtual time."""
    done = subprocess.run(
        [
            *(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            f"--user-data-dir={tmp_path / 'profile'}",
            f"--virtual-time-budget={budget_ms}",
            "--dump-dom",
            f"{page.as_uri()}#{hash_part}",
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout


def element(dom: str, name: str) -> str:
    found = re.search(
        rf'id="{name}"[^>]*>(.*?)</(?:output|span|b|tbody|h1|p|table|button)>', dom, re.DOTALL
    )
    assert found, name
    return html.unescape(found[1])


def test_chromium_shows_the_log_as_of_any_time(
    chromium: str, page: Path, folder: Path, tmp_path: Path
) -> None:
    said = page_columns(folder)
    person = said["cases"][0]["person"]
    dom = in_browser(chromium, page, f"t=300&case={person}", 500, tmp_path)
    log = [row for row in said["logs"][person] if row[0] <= 300]
    assert element(dom, "clock") == "5:00"
    assert element(dom, "records") == str(len(log)) != "0"
    assert element(dom, "log").count("<tr>") == len(log)
    newest = said["tokens"][log[-1][1]]
    assert newest in element(dom, "log")
    assert element(dom, "tempids").count("<tr>") == len({row[3] for row in log})
    case = said["cases"][0]
    assert f"{len(case['found'])} found, {len(case['missed'])} missed" in element(dom, "verdict")
    assert element(dom, "title") == said["title"]
    assert element(dom, "systems").count("<tr>") == len(said["by_systems"])
    shares = [
        share for kind in ("by_systems", "by_distance") for share in said[kind] if share["windows"]
    ]
    assert dom.count('<div class="interval"') == len(shares) > 3
    assert 'id="curve" hidden' in dom  # no sweep was given


def test_chromium_plays(chromium: str, page: Path, tmp_path: Path) -> None:
    dom = in_browser(chromium, page, "play", 4000, tmp_path)
    minutes, seconds = (int(part) for part in element(dom, "clock").split(":"))
    assert minutes * 60 + seconds > 20
    assert json.loads(re.search(r">(\{.*?)</script>", dom, re.DOTALL)[1])["people"] == 16  # type: ignore[index]


def test_chromium_draws_the_adoption_curve_and_a_crowd_without_the_app(
    chromium: str, short: Scenario, tmp_path: Path
) -> None:
    nobody = run(
        replace(short, duration_s=30.0, people=replace(short.people, adoption=0.0)), seed=1
    )
    scored = score_run(nobody)
    kept = save_run(nobody, scored, break_down(nobody, scored), tmp_path / "run")
    points = tmp_path / "points.csv"
    header = "people.adoption,runs,recorded,recorded_low,recorded_high"
    points.write_text(f"{header}\n0.1,2,0.01,0.005,0.02\n0.5,2,0.25,0.2,0.3\n0.05,1,,,\n")
    made = tmp_path / "page.html"
    words = ["report", str(kept), "-o", str(made), "--sweep", str(tmp_path)]
    played = {"scenario": "short", "settings": [[[ADOPTION, "0.1"], ["count", "16"]]], "seeds": [1]}
    for name in ("lift", "short"):
        (tmp_path / "sweep.json").write_text(json.dumps({"plan": played | {"scenario": name}}))
        if name == "lift":
            with pytest.raises(StoreError, match=r"is a sweep of lift, but .* is a run of short"):
                save_page(kept, made, sweep=tmp_path)
    assert CliRunner().invoke(simulate, words).exit_code == 0
    dom = in_browser(chromium, made, "t=20", 500, tmp_path)
    assert 'id="curve" hidden' not in dom
    assert '"adoption":[[0.1,0.005,0.01,0.02],[0.5,0.2,0.25,0.3]]' in dom
    of = "A sweep of short: count = 16; 1 runs of each adoption."
    assert element(dom, "curve-of") == of
    assert element(dom, "verdict") == "Nobody has the app."
    assert element(dom, "clock") == "0:20"
    points.write_text("other\n1\n")
    with pytest.raises(StoreError, match="no finished sweep over adoption"):
        save_page(kept, made, sweep=tmp_path)
