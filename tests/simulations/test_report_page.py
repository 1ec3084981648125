"""The page of a run, and of two: it says what happened, whatever the run and its names are."""

import base64
import csv
import html
import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from simulations.one_run import Run, run
from simulations.pages.kept_run import read_kept_run
from simulations.pages.outcome_charts import outcome_chart
from simulations.pages.outcomes import ContactOutcome, outcomes_of
from simulations.pages.plan_drawing import LINKED, frames_of, last_known
from simulations.pages.recording import save_run
from simulations.pages.report_page import save_page
from simulations.pages.report_tables import (
    carry_rows,
    flow_parts,
    list_rows,
    place_rows,
    trust_rows,
)
from simulations.places.venue import Posture
from simulations.scores.breakdown import break_down
from simulations.scores.scoring import score_run
from simulations.settings.scenario import Scenario, load_scenario
from simulations.studies.sweep_tables import ADOPTION
from tracetogether.cli.simulate import simulate
from tracetogether.errors import MissingExtraError, StoreError

STRANGE = "</script><img src=x onerror=alert(1)>"


def kept(played: Run, folder: Path) -> Path:
    scored = score_run(played)
    return save_run(played, scored, break_down(played, scored), folder)


@pytest.fixture(scope="module")
def folder(short_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return kept(short_run, tmp_path_factory.mktemp("page") / "run")


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    path = folder.parent / "report.html"
    save_page(folder, path)
    return path.read_text("utf-8")


def call(*words: object) -> Any:
    return CliRunner().invoke(simulate, ["report", *map(str, words)])


def plain(page: str) -> str:
    """Return the visible text of a page, with one space between words."""
    body = re.sub(r"<(script|style).*?</\1>", " ", page, flags=re.DOTALL)
    words = html.unescape(re.sub(r"<[^>]*>", " ", body))
    return " ".join(words.replace("\u00a0", " ").split())


def data_of(page: str) -> dict[str, Any]:
    return dict(json.loads(re.findall(r'class="data">(\{.*?)</script>', page, re.DOTALL)[0]))


def test_places_are_on_the_plan_by_name_and_their_stays_beside_the_truth(tmp_path: Path) -> None:
    settings = {
        "count": "8",
        "duration_s": "1300",
        "places.1.at": "[2, 3.5]",
        "places.1.name": STRANGE,
        "places.2.at": "[4.5, 6]",
    }
    save_page(
        kept(run(load_scenario("classroom", settings), seed=1), tmp_path / "run"),
        tmp_path / "p.html",
    )
    shown = (tmp_path / "p.html").read_text("utf-8")
    drawn = re.findall(r'<g><title>([^<]*)</title><polygon points="[^"]*" class="device"/>', shown)
    assert drawn == [html.escape(STRANGE), "place 2"]
    assert STRANGE not in shown
    assert html.escape(STRANGE) in shown
    words = plain(shown)
    assert "device of a place" in words
    assert "place 2" in words
    assert "stays, the person was there" in words


def test_a_run_without_places_says_nothing_of_them(page: str) -> None:
    assert 'class="device"' not in page
    assert "device of a place" not in plain(page)


def test_outcomes_are_those_of_the_scores(folder: Path, short_run: Run) -> None:
    kept_run = read_kept_run(folder)
    lines = outcomes_of(kept_run)
    scores = score_run(short_run).scores
    assert [case for case, _ in lines.by_case(kept_run.cases)] == short_run.app.tolist()
    for case, (person, rows) in zip(scores.cases, lines.by_case(kept_run.cases), strict=True):
        outcome, others = lines.outcome[rows], lines.person[rows]
        missed = np.isin(outcome, (ContactOutcome.TOO_LOW, ContactOutcome.NOT_HEARD))
        assert (person, case.found) == (case.person, (outcome == ContactOutcome.FOUND).sum())
        assert tuple(sorted(others[missed].tolist())) == case.missed_people
        assert (outcome == ContactOutcome.WRONG).sum() == case.false_contacts
        without = others[outcome == ContactOutcome.NO_APP]
        assert not np.isin(without, short_run.app).any()
        listed = [line.probability for line in case.listed]
        shown = [row[2] for row in list_rows(lines, person) if row[2] is not None]
        assert sorted(shown) == pytest.approx(sorted(listed), abs=6e-4)
    parts = flow_parts(kept_run, lines)
    assert sum(part.count for part in parts) == scores.all_contacts
    assert len(parts) > 2
    assert sum(row["cases"] for row in carry_rows(kept_run, lines)) == len(short_run.app)
    assert sum(number for _, number, _, _ in trust_rows(lines)) == len(kept_run.lists.case)


def test_the_page_says_the_headline_number_first(page: str, short_run: Run) -> None:
    scores = score_run(short_run).scores
    true = scores.found + scores.missed
    head = re.search(r"<h1>(.*?)</h1>", page)
    assert head is not None
    assert plain(head[0]) == (
        f"Found {scores.found} of {true} contacts ({100 * scores.found / true:.0f} %) within 2 m "
        f"for 4 min; {scores.false_contacts} listed wrongly"
    )
    text = plain(page)
    assert scores.tif is not None
    assert f"from {100 * (scores.tif.low or 0):.0f} to {100 * (scores.tif.high or 0):.0f} %" in text
    assert text.startswith("short: a simulated run Skip to content short, seed 1: 16 people")
    assert "<title>short: a simulated run</title>" in page
    assert short_run.digest in page
    assert "0.1.0" in text
    for name in ("front pocket", "Android hears Android", "0 to 1 m", "train-carriage"):
        assert (name in text) == (name != "train-carriage")


def test_the_script_gets_positions_lists_and_logs(page: str, folder: Path, short_run: Run) -> None:
    data = data_of(page)
    frames = np.frombuffer(base64.b64decode(data["frames"]), "<i2").reshape(-1, 16, 2)
    assert len(frames) == short_run.tracks.ticks
    there = short_run.tracks.present().T
    assert ((frames[..., 0] != -32768) == there).all()
    xy = short_run.tracks.xy.swapaxes(0, 1)[there]
    assert frames[there] * data["unit_m"] == pytest.approx(xy, abs=0.006)
    assert set(data["lists"]) == {str(person) for person in short_run.app.tolist()}
    bounds = data["log"]["bounds"]
    for person, log in short_run.logs.items():
        begin, end = bounds[str(person)]
        assert end - begin == len(log)
    with (folder / "contact-logs.csv").open(encoding="utf-8") as lines:
        tokens = {row["token"][:12]: row["peer"] for row in csv.DictReader(lines)}
    assert {text: str(peer) for text, peer in data["log"]["tokens"]} == tokens


def test_who_has_left_is_where_they_were_last() -> None:
    xy = np.full((6, 2), np.nan)
    xy[2], xy[3] = (1.0, 2.0), (3.0, 4.0)
    assert last_known(xy, 5) == (3.0, 4.0, False)
    assert last_known(xy, 3) == (3.0, 4.0, True)
    assert last_known(xy, 0) == (1.0, 2.0, False)
    assert last_known(np.full((3, 2), np.nan), 1) is None


def test_contacts_who_are_not_there_are_on_the_plan(folder: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    for file in folder.iterdir():
        (gone / file.name).write_bytes(file.read_bytes())
    lines = outcomes_of(read_kept_run(folder))
    case = int(lines.case[lines.outcome == ContactOutcome.FOUND][0])
    with np.load(gone / "positions.npz") as stored:
        columns = dict(stored)
    others = np.delete(np.arange(16), case)
    columns["xy"][others] = np.nan
    columns["xy"][others, 10 + others] = 1.0  # never two of them at once
    columns["xy"][case] = 0.5
    columns["posture"] = np.where(np.isnan(columns["xy"][..., 0]), Posture.ABSENT, Posture.STANDING)
    np.savez_compressed(gone / "positions.npz", **columns)
    manifest = json.loads((gone / "manifest.json").read_text("utf-8"))
    manifest["index_cases"] = [case]
    del manifest["sha256"]
    (gone / "manifest.json").write_text(json.dumps(manifest))
    save_page(gone, tmp_path / "page.html")
    plan = (tmp_path / "page.html").read_text("utf-8").partition('<svg class="picture plan"')[2]
    plan = plan.partition("</svg>")[0]
    assert plan.count('class="person app case"') == 1
    told_of = np.isin(lines.outcome, LINKED) & (lines.case == case)
    assert told_of.sum() > 1
    assert plan.count('class="tie ') == told_of.sum() == plan.count(' left"/>') + 1


def test_a_page_needs_no_network(page: str) -> None:
    text = re.sub(r'xmlns="http://www.w3.org/2000/svg"|"http://www.w3.org/2000/svg"', "", page)
    assert not re.search(r"(?<!data-)\bsrc\s*=|https?://|@import|url\(|fetch\(", text)
    assert "default-src 'none'; style-src 'sha256-" in html.unescape(page)
    assert 'style="' not in page


@pytest.mark.parametrize("people", [1, 2, 16])
@pytest.mark.parametrize("adoption", [0.0, 1.0])
def test_few_people_and_no_contacts(
    shortened: Callable[..., Scenario],
    carriage: Scenario,
    tmp_path: Path,
    people: int,
    adoption: float,
) -> None:
    scenario = shortened(carriage, duration_s=60.0, people=people)
    scenario = replace(scenario, people=replace(scenario.people, adoption=adoption))
    save_page(kept(run(scenario, seed=1), tmp_path / "run"), tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text("utf-8")
    text = plain(page)
    if adoption:
        assert "No two people with the app met within 2 m for 4 min" in text
        assert "Nobody is an index case" not in text
    else:
        assert "Nobody has the app, so none of 0 contacts" in text
        assert "Nobody is an index case" in text
    assert page.count('class="person') >= people
    cases = [str(person) for person in range(people)] if adoption else []
    assert set(data_of(page)["log"]["bounds"]) == set(cases)  # an empty log was not left out
    assert "nan" not in re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)


def test_two_runs_side_by_side(folder: Path, page: str, short: Scenario, tmp_path: Path) -> None:
    other = replace(short, people=replace(short.people, adoption=0.5))
    second = kept(run(other, seed=2), tmp_path / "other")
    done = call(folder, second, "-o", tmp_path / "two.html")
    assert done.exit_code == 0, done.output
    two = (tmp_path / "two.html").read_text("utf-8")
    text = plain(two)
    assert re.search(r"<h1>A found .*; B (found|had)", two)
    assert "The runs have different seeds" in text
    settings = re.search(r'label="Settings that differ".*?</table>', two, re.DOTALL)
    assert settings is not None
    adoption = [f"{value:g}" for value in (short.people.adoption, 0.5)]
    assert plain(settings[0]).endswith(f"people.adoption {adoption[0]} {adoption[1]}")
    assert two.count("data-run=") == 2 * page.count("data-run=") == 2
    same = call(folder, folder, "-o", tmp_path / "same.html")
    assert same.exit_code == 0, same.output
    assert "All settings are the same." in (tmp_path / "same.html").read_text("utf-8")


def test_names_of_others_are_text(folder: Path, tmp_path: Path) -> None:
    strange = tmp_path / "strange"
    strange.mkdir()
    for file in folder.iterdir():
        (strange / file.name).write_bytes(file.read_bytes())
    manifest = json.loads((strange / "manifest.json").read_text("utf-8"))
    manifest |= {"scenario": STRANGE, "title": STRANGE, "recorded_tracks": STRANGE}
    manifest["keys"]["modelled_on"] = STRANGE
    manifest["versions"]["tracetogether"] = STRANGE
    manifest["scores"]["lost"] = {STRANGE: 1}
    manifest["scores"]["battery_percent_per_hour"] = {STRANGE: 1.0}
    for kind in ("by_systems", "by_distance", "by_carry"):
        manifest["scores"][kind][0]["name"] = STRANGE
    with np.load(strange / "positions.npz") as stored:
        columns = dict(stored)
    columns["group"] = np.array([STRANGE] * 16)
    np.savez_compressed(strange / "positions.npz", **columns)
    truth = (strange / "truth.csv").read_text("utf-8").replace(",,,\n", f",,,{STRANGE}\n")
    assert STRANGE in truth
    (strange / "truth.csv").write_text(truth, "utf-8")
    del manifest["sha256"]
    (strange / "manifest.json").write_text(json.dumps(manifest))
    save_page(strange, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "<img" not in page
    assert page.count("&lt;img src=x") > 20


def test_runs_of_earlier_versions(folder: Path, tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    for file in folder.iterdir():
        (old / file.name).write_bytes(file.read_bytes())
    with np.load(old / "positions.npz") as stored:
        columns = {name: stored[name] for name in stored if name not in {"group", "space"}}
    np.savez_compressed(old / "positions.npz", **columns)
    for name, gone in (("truth.csv", 3), ("contacts.csv", 0)):
        rows = [line.split(",") for line in (old / name).read_text("utf-8").splitlines()]
        if name == "contacts.csv":
            at = rows[0].index("chance")
            rows = [row[:at] + row[at + 1 :] for row in rows]
        else:
            rows = [row[:-gone] for row in rows]
        (old / name).write_text("\n".join(map(",".join, rows)) + "\n", "utf-8")
    manifest = json.loads((old / "manifest.json").read_text("utf-8"))
    for key in ("sha256", "index_cases", "keys"):
        del manifest[key]
    (old / "manifest.json").write_text(json.dumps(manifest))
    save_page(old, tmp_path / "page.html")
    assert "<h1>Found " in (tmp_path / "page.html").read_text("utf-8")


def test_large_crowds_give_fewer_frames_and_marks(folder: Path) -> None:
    kept_run = read_kept_run(folder)
    ticks, stride = frames_of(kept_run, 16 * 100)
    assert len(ticks) <= 100
    assert stride == 5
    lines = outcomes_of(kept_run)
    times = -(-3000 // len(lines))
    many = replace(
        lines,
        **{
            name: np.tile(getattr(lines, name), (1, times) if name == "minutes" else times)
            for name in lines.__slots__
        },
    )
    chart = outcome_chart(kept_run, many, 7.0)
    assert chart.all == len(many) > chart.drawn
    assert chart.drawn <= 700 * len(ContactOutcome)


def test_a_folder_without_a_run(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(StoreError, match=r"manifest\.json is missing"):
        save_page(tmp_path, tmp_path / "page.html")
    with pytest.raises(StoreError, match=r"manifest\.json is missing"):
        save_page(folder, tmp_path / "page.html", other=tmp_path)
    with pytest.raises(StoreError, match="can't write"):
        save_page(folder, tmp_path / "none" / "page.html")
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(StoreError, match="damaged"):
        save_page(tmp_path, tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_from_the_command_line(
    folder: Path, page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tmp_path / "mine.html"
    done = call(folder, "-o", made)
    assert done.exit_code == 0, done.output
    assert made.read_text("utf-8") == page
    monkeypatch.setitem(sys.modules, "jinja2", None)
    for name in ("report_page", "page_parts"):
        monkeypatch.delitem(sys.modules, f"simulations.pages.{name}")
    assert isinstance(call(folder, "-o", made).exception, MissingExtraError)


def test_the_curve_of_a_sweep(folder: Path, tmp_path: Path) -> None:
    points, made = tmp_path / "points.csv", tmp_path / "page.html"
    header = "people.adoption,runs,recorded,recorded_low,recorded_high"
    points.write_text(f"{header}\n0.1,2,0.01,0.005,0.02\n0.5,2,0.25,0.2,0.3\n0.05,1,,,\n")
    played = {"settings": [[[ADOPTION, "0.1"], ["count", "16"]]], "seeds": [1]}
    for name in ("lift", "short"):
        (tmp_path / "sweep.json").write_text(json.dumps({"plan": played | {"scenario": name}}))
        if name == "lift":
            with pytest.raises(StoreError, match=r"is a sweep of lift, but .* is a run of short"):
                save_page(folder, made, sweep=tmp_path)
    assert call(folder, "-o", made, "--sweep", tmp_path).exit_code == 0
    text = plain(made.read_text("utf-8"))
    assert "A sweep of short: count = 16; 1 runs of each adoption." in text
    assert "50 % 25 % 20 % to 30 % 25 %" in text
    points.write_text("other\n1\n")
    with pytest.raises(StoreError, match="no finished sweep over adoption"):
        save_page(folder, made, sweep=tmp_path)


def test_rows_by_space_add_up_to_all_who_are_listed_wrongly(tmp_path: Path) -> None:
    office = load_scenario("office-day", {"duration_s": "1200", "policy.minutes": "3"})
    folder = kept(run(office, seed=1, fidelity="vectorized"), tmp_path / "office")
    kept_run = read_kept_run(folder)
    lines = outcomes_of(kept_run)
    wrong = int((lines.outcome == ContactOutcome.WRONG).sum())
    rows = [row for row in place_rows(kept_run, lines) if not row["name"].startswith("of ")]
    assert rows[-1]["name"] == "elsewhere, or never near"
    assert len(rows) > 2
    assert sum(int(row["wrong"].replace(",", "")) for row in rows) == wrong > 0
