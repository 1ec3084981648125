"""The page of a city's sweep: what it says, that text stays text, and what it refuses."""

import base64
import hashlib
import json
import re
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from simulations.city.charts import HEIGHT, Chart, ChartLine, ChartMark, drawn, ticks
from simulations.city.outbreak import Outbreak
from simulations.city.outbreak_tree import APP, FOUND, MOST_CASES, PLACES, TESTED, tree_of
from simulations.city.report_charts import adoption_picture
from simulations.city.report_data import CityReport, report_of, scenario_of, spaced, weekly
from simulations.city.report_measures import measure_tables
from simulations.city.report_page import page_of
from simulations.city.run import run_city
from simulations.city.scenario import load_city
from simulations.city.sweeps import RESULTS, sweep_city
from simulations.city.tree_chart import drawn_tree
from tracetogether.cli.city import city
from tracetogether.errors import MissingExtraError, StoreError

SETTINGS = {
    "people.count": "2000",
    "days": "30",
    "tests.share": "0.8",
    "isolation.compliance": "0.6",
    "app.consent": "1",
}
ADOPTIONS = (0, 0.32, 0.9)
STRANGE = "</style></script><img src=x onerror=alert(1)>\u202e{{ 7 * 7 }}"


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    town = load_city("test-town", SETTINGS)
    made = sweep_city(town, {"app.adoption": ADOPTIONS}, seeds=3, workers=1)
    return json.loads(json.dumps(made.to_json()))


@pytest.fixture(scope="module")
def report(results: dict[str, Any]) -> CityReport:
    return report_of(results, source="here")


class Elements(HTMLParser):
    """The elements of a page, with their attributes, and the text of style and script."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.inside: dict[str, str] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.inside.setdefault(self.found[-1][0] if self.found else "", data)


def infections(results: dict[str, Any], adoption: float) -> np.ndarray:
    rows = [row for row in results["rows"] if row["settings"]["app.adoption"] == adoption]
    return np.array([row["infections"] for row in rows], dtype=float)


def test_the_headline_says_what_the_runs_say(results: dict[str, Any], report: CityReport) -> None:
    without, with_app = infections(results, 0), infections(results, 0.32)
    share = (without - with_app).sum() / without.sum()
    verb = "avert" if share >= 0 else "add"
    count = report.chosen.averted
    assert count is not None
    assert count.low is not None
    assert count.high is not None
    if count.low <= 0 <= count.high:
        verb = f"may {verb}"
    words = report.headline()
    per_cent = f"{100 * abs(share):.0f} %"
    assert words.startswith(
        f"In test-town, 640 of 2,000 people with the app (32 %) {verb} {per_cent} of infections ("
    )
    assert words.endswith("3 seeds).")
    assert report.chosen.averted is not None
    assert report.chosen.averted.mean == pytest.approx((without - with_app).mean())
    low, high = report.chosen.averted.low, report.chosen.averted.high
    assert low is not None
    assert high is not None
    assert low < report.chosen.averted.mean < high
    assert report.baseline.settings == {"app.adoption": "0"}
    assert report.baseline.averted is None


def test_the_page_says_where_r_is_not_known(results: dict[str, Any]) -> None:
    changed = json.loads(json.dumps(results))
    for point in changed["points"]:
        known = point["settings"]["app.adoption"] == 0.32
        point["r"] = (
            {"r": 1.4, "low": 0.9, "high": 2.1} if known else dict.fromkeys(("r", "low", "high"))
        )
    page = page_of(report_of(changed, source="here"), None)
    assert (
        "infects 1.40 (0.90 to 2.10) others. With no app it is not known: there are fewer" in page
    )
    assert "R of early cases is – where there are fewer than 10 early cases." in page
    assert "Computed here: 2,000 people" in page


def test_the_headline_does_not_claim_what_may_be_chance(results: dict[str, Any]) -> None:
    changed = json.loads(json.dumps(results))
    for row in changed["rows"]:
        averted = (300, -200, 200)[row["seed"] - 1]
        row["infections"] = 1000 - averted * (row["settings"]["app.adoption"] == 0.32)
    words = report_of(changed, source="here").headline()
    assert "people with the app (32 %) may avert 10 % of infections (90 % interval -" in words
    for row in changed["rows"]:
        averted = 300 + row["seed"]
        row["infections"] = 1000 - averted * (row["settings"]["app.adoption"] == 0.32)
    assert " (32 %) avert 30 % of" in report_of(changed, source="here").headline()


def test_another_key_and_words_as_values() -> None:
    town = load_city("test-town", SETTINGS | {"people.count": "500", "app.adoption": "0.8"})
    vary = {"app.protocol": ["bluetrace", "gaen"], "tests.delay_days": [0, 3]}
    report = report_of(sweep_city(town, vary, seeds=1, workers=1).to_json(), source="here")
    assert report.main == "tests.delay_days"
    assert [line[0].settings["app.protocol"] for line in report.lines] == ["bluetrace", "gaen"]
    assert {point.averted is None for line in report.lines for point in line[1:]} == {False}
    assert "In test-town with app.protocol = bluetrace, tests.delay_days = 3" in report.headline()
    assert "no interval" in report.headline()
    elements = Elements(page_of(report, None))
    assert Counter(tag for tag, _ in elements.found)["select"] == 1


def test_sliders_have_only_computed_points(report: CityReport) -> None:
    elements = Elements(page_of(report, None))
    (slider,) = [attrs for tag, attrs in elements.found if attrs.get("type") == "range"]
    assert json.loads(slider["data-values"] or "") == ["0", "0.32", "0.9"]
    shown = [json.loads(attrs["data-settings"] or "") for tag, attrs in elements.found
             if tag == "article"]  # fmt: skip
    assert shown == [dict(point.settings) for point in report.points]
    hidden = [attrs for _, attrs in elements.found if attrs.get("id") == "explore"]
    assert "hidden" in hidden[0]  # a script shows it: without one there is the table


def test_the_table_holds_every_point_with_its_interval(report: CityReport) -> None:
    page = page_of(report, None)
    for point in report.points:
        value = point.figures["infections"]
        assert f"{value.mean:,.0f}" in page
        assert f"<small>{value.low:,.0f} to {value.high:,.0f}</small>" in page


def test_costs_of_each_infection_averted_and_ages(results: dict[str, Any]) -> None:
    # Adoption decides alone here, so that infections averted are clearly above 0.
    changed = json.loads(json.dumps(results))
    for row in changed["rows"]:
        users = row["settings"]["app.adoption"]
        row |= {"infections": round(1000 * (1 - users)) + row["seed"], "calls": round(650 * users)}
    report = report_of(changed, source="here")
    assert report.chosen.share is not None
    assert report.chosen.share.ratio == pytest.approx(320 / 1002)
    assert report.chosen.per_averted["calls"].ratio == pytest.approx(208 / 320)
    page = page_of(report, None)
    assert "change for each infection averted, 32\u00a0% with the app" in page
    assert ">0.65<" in page.replace(" <", "<")
    ages = report.chosen.by_age
    assert sum(line["deaths"]["mean"] for line in ages) == pytest.approx(
        report.chosen.figures["deaths"].mean
    )
    assert re.search(r'<th scope="row">from 80</th>', page)
    without_ages = json.loads(json.dumps(results))
    for point in without_ages["points"]:
        point["by_age"] = []
    assert "Severe cases and deaths by age" not in page_of(report_of(without_ages, source=""), None)


def test_gates_and_presence_have_tables_where_they_act(report: CityReport) -> None:
    assert "What gates do" not in page_of(report, None)
    keys = {"people.count": "600", "gates.venues": "1", "gates.policy": "strict-2020",
            "presence.check_in": "0.6"}  # fmt: skip
    town = load_city("test-town", SETTINGS | keys)
    made = sweep_city(town, {"app.adoption": [0, 0.9]}, seeds=2, workers=1)
    acted = report_of(json.loads(json.dumps(made.to_json())), source="here")
    gates, presence = measure_tables(acted)
    rows = [row for row in made.rows if row["settings"]["app.adoption"] == 0.9]
    for found, words, over, under in (
        (gates, "of these contacts, met no case", "kept_out_contacts_falsely", "kept_out_contacts"),
        (presence, "contacts outside home found by check-in", "contacts_by_check_in", "contacts"),
    ):
        share = sum(row[over] for row in rows) / sum(row[under] for row in rows)
        cells = dict(found.rows)[words]
        assert cells[0] == ("–", "")  # without the app nobody is listed, and nobody checks in
        assert cells[1][0] == spaced(f"{share:.1%}")
    page = page_of(acted, None)
    assert page.index("What gates do") < page.index("What check-in and places add")
    assert "bits about health that gates learned, at most" in page


def test_text_of_others_is_text_and_nothing_else_runs(results: dict[str, Any]) -> None:
    strange = json.loads(json.dumps(results)) | {"scenario": STRANGE, "title": STRANGE}
    strange["keys"]["modelled_on"] = STRANGE
    report = report_of(strange, source="here")
    page = page_of(report, None)
    elements = Elements(page)
    names = Counter(tag for tag, _ in elements.found)
    assert (names["img"], names["script"], names["style"]) == (0, 1, 1)
    assert "{{ 7 * 7 }}" in page
    assert "\u202e" not in page + adoption_picture(report)
    assert "<img" not in adoption_picture(report)
    (policy,) = [attrs["content"] or "" for tag, attrs in elements.found
                 if attrs.get("http-equiv") == "Content-Security-Policy"]  # fmt: skip
    for name in ("style", "script"):
        digest = hashlib.sha256(elements.inside[name].encode()).digest()
        assert f"{name}-src 'sha256-{base64.b64encode(digest).decode()}'" in policy
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert not [attrs for _, attrs in elements.found if "style" in attrs]
    assert not [name for _, attrs in elements.found for name in attrs if name.startswith("on")]


def test_it_needs_no_network(report: CityReport) -> None:
    page = page_of(report, None)
    assert not re.search(r"src\s*=|@import|url\(|fetch\(", page)
    links = re.findall(r'(?:href|xmlns)="([^"]+)"', page)
    assert set(links) == {"#main", "http://www.w3.org/2000/svg"}


def test_the_tree_is_one_outbreak(results: dict[str, Any], report: CityReport) -> None:
    scenario = scenario_of(results, report.points[-1], source="here")
    tree = tree_of(scenario, seed=2)
    assert tree is not None
    assert [case.source for case in tree.cases].count(-1) == 1
    for place, case in enumerate(tree.cases[1:], 1):
        assert case.source < place
        assert tree.cases[case.source].day < case.day
        assert 0 <= case.place < len(PLACES)
    assert {case.found for case in tree.cases} >= {TESTED, APP}
    outbreak = Outbreak.of(run_city(scenario, seed=2))
    size = Counter[int]()
    for row in range(len(outbreak.person)):
        above = row
        while outbreak.source[above] >= 0:
            above = int(outbreak.source[above])
        size[above] += 1
    fits = [number for number in size.values() if 1 < number <= MOST_CASES]
    assert tree.size == max(fits)
    assert len(tree.cases) == tree.size
    assert (tree.first_cases, tree.alone) == (len(size), list(size.values()).count(1))
    assert str(drawn_tree(tree)).count("<title>") == len(tree.cases)
    page = page_of(report, tree)
    assert f"{tree.size:,} people from one of day 0." in page
    assert all(words in page for words in FOUND)


def test_a_tree_that_is_cut_and_none(monkeypatch: pytest.MonkeyPatch) -> None:
    town = load_city("test-town", SETTINGS | {"disease.reproduction_number": "4"})
    whole = tree_of(town, seed=1)
    assert whole is not None
    monkeypatch.setattr("simulations.city.outbreak_tree.MOST_CASES", 1)
    cut = tree_of(town, seed=1)
    assert cut is not None
    assert (len(cut.cases), cut.size) == (1, cut.size)
    assert cut.size > 1
    nobody = load_city("test-town", SETTINGS | {"disease.reproduction_number": "0"})
    assert tree_of(nobody, seed=1) is None


def test_days_of_a_week_are_averaged() -> None:
    assert weekly([7, 0, 0, 0, 0, 0, 0, 0]).tolist() == pytest.approx(
        [7 / 4, 7 / 5, 7 / 6, 1, 0, 0, 0, 0]
    )
    assert weekly([3, 5]).tolist() == [4, 4]
    assert weekly([]).tolist() == []
    assert weekly([None, 3, None, 6]).tolist() == pytest.approx([4.5] * 4)
    assert np.isnan(weekly([None, None])).all()


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [
        (0, 87, [0, 25, 50, 75, 100]),
        (0, 0.611, [0, 0.2, 0.4, 0.6, 0.8]),
        (-0.03, 0.1, [-0.05, 0, 0.05, 0.1]),
        (0, 0, [0, 0.25, 0.5, 0.75, 1]),
    ],
)
def test_ticks_are_round_and_cover_all(low: float, high: float, wanted: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(wanted) or ticks(low, high)[0] <= low


@pytest.mark.parametrize(("value", "at_foot"), [(0.1, False), (1.0, True)])
def test_words_of_a_mark_stand_where_no_line_is(value: float, at_foot: bool) -> None:
    line = ChartLine("first", [0, 0.4, 1], [0, value, 1], [None] * 3, [None] * 3)
    picture = str(drawn(Chart("a chart", "x", "y", [line], [ChartMark(0.3, ("here",))])))
    top = float(re.search(r'y="([\d.]+)" class="mark">here', picture)[1])  # type: ignore[index]
    assert (top > HEIGHT / 2) == at_foot


def call(*words: str | Path) -> Result:
    return CliRunner().invoke(city, ["report", *(str(word) for word in words)])


def test_from_the_command_line(results: dict[str, Any], report: CityReport, tmp_path: Path) -> None:
    folder = tmp_path / "sweep"
    folder.mkdir()
    (folder / RESULTS).write_text(json.dumps(results))
    page, picture = tmp_path / "page.html", tmp_path / "city.svg"
    done = call(folder, "-o", page, "--picture", picture, "--json")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert said["answer"] == report.headline()
    assert said["digest"] == results["digest"]
    tree = tree_of(scenario_of(results, report.chosen, source="here"), seed=1)
    assert page.read_text("utf-8") == page_of(report, tree)
    assert picture.read_text("utf-8") == adoption_picture(report)


@pytest.mark.slow
def test_a_scenario_is_swept_first(
    results: dict[str, Any], report: CityReport, tmp_path: Path
) -> None:
    again = tmp_path / "again.html"
    sets = [f"--set={key}={value}" for key, value in SETTINGS.items()]
    call("test-town", *sets, "--vary", "app.adoption=0,0.32,0.9", "--seeds", "3", "--workers", "1",
         "-o", again)  # fmt: skip
    tree = tree_of(scenario_of(results, report.chosen, source="here"), seed=1)
    assert again.read_text("utf-8") == page_of(report, tree)


def test_what_goes_wrong(
    results: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = call(tmp_path)
    assert isinstance(done.exception, StoreError)
    assert "city sweep SCENARIO --vary" in str(done.exception)
    done = call(tmp_path, "--seeds", "3")
    assert done.exit_code == 2
    assert "leave out --seeds" in done.output
    file = tmp_path / RESULTS
    for text, words in (
        ("{", "can't read"),
        ("[]", "is no sweep of a city"),
        (json.dumps(results | {"rows": results["rows"][1:]}), "have different seeds"),
        (json.dumps(results | {"rows": []}), "is damaged"),
        (
            json.dumps({key: results[key] for key in results if key != "title"}),
            "'title' is missing",
        ),
        (json.dumps(results | {"keys": results["keys"] | {"days": "x"}}), "is damaged"),
    ):
        file.write_text(text)
        done = call(tmp_path, "-o", tmp_path / "page.html")
        assert isinstance(done.exception, StoreError), (words, done.output, done.exception)
        assert words in str(done.exception)
    assert not (tmp_path / "page.html").exists()
    file.write_text(json.dumps(results))
    done = call(tmp_path, "-o", tmp_path / "page.html", "--picture", tmp_path / "city.png")
    assert "end its name in .svg" in str(done.exception)
    monkeypatch.setitem(sys.modules, "jinja2", None)
    for name in ("city.report_page", "pages.page_parts"):
        monkeypatch.delitem(sys.modules, f"simulations.{name}")
    done = call(tmp_path, "-o", tmp_path / "page.html")
    assert isinstance(done.exception, MissingExtraError)


def test_a_page_is_never_written_over_its_scenario(tmp_path: Path) -> None:
    scenario = tmp_path / "town.toml"
    scenario.write_text("schema = 1\n", "utf-8")
    done = CliRunner().invoke(city, ["report", str(scenario), "-o", str(scenario)])
    assert "choose another file to write" in done.stderr
    assert scenario.read_text("utf-8") == "schema = 1\n"


def test_a_place_that_can_not_be_written_is_refused_before_the_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def runs(*_: object, **__: object) -> None:
        raise AssertionError("it ran")

    monkeypatch.setattr("tracetogether.cli.city_report.sweep_city", runs)
    done = call("test-town", "-o", tmp_path / "none" / "page.html")
    assert isinstance(done.exception, StoreError)
    assert "there is no folder" in str(done.exception)
    done = call("test-town", "-o", tmp_path / "page.html", "--picture", tmp_path / "city.png")
    assert isinstance(done.exception, StoreError)
    assert "end its name in .svg" in str(done.exception)
