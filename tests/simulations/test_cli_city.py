"""The command `tracetogether city`."""

import json
import runpy
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from simulations.city import city_bench, covasim_city
from simulations.city.detection import detection_table
from simulations.city.scenario import city_keys, city_names, city_schema, load_city
from simulations.provenance import provenance
from tracetogether.cli.city import city
from tracetogether.errors import ScenarioError, StoreError, TraceTogetherError

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
FAST = ("--people", "2000", "--days", "20")


def call(*words: str | Path, fails: type[TraceTogetherError] | None = None) -> Result:
    done = CliRunner().invoke(city, [str(word) for word in words])
    if fails is None:
        assert done.exit_code == 0, done.output
    else:
        assert isinstance(done.exception, fails), done.output
    return done


def test_list_and_keys() -> None:
    said = {listed["scenario"]: listed for listed in json.loads(call("list", "--json").stdout)}
    assert list(said) == city_names()
    assert said["test-town"]["people"] == 10_000
    assert "test-town" in call("list").stdout
    assert "disease.reproduction_number" in call("keys").stdout
    assert json.loads(call("keys", "--json").stdout) == city_schema()


@pytest.mark.parametrize("name", city_names())
def test_check(name: str) -> None:
    assert f"{name} is a valid scenario" in call("check", name).stdout
    said = json.loads(call("check", name, "--set", "workers=0.25", "--json").stdout)
    assert (said["ok"], said["keys"]["people"]["workers"]) == (True, 0.25)


def test_run_as_json_and_into_a_folder(tmp_path: Path) -> None:
    said = json.loads(call("run", "test-town", *FAST, "--json", "--out", tmp_path / "run").stdout)
    assert (said["people"], said["days"], said["seed"]) == (2_000, 20, 1)
    assert said["attack_rate"] == said["infections"] / 2_000
    kept = json.loads((tmp_path / "run" / "manifest.json").read_text("utf-8"))
    assert kept["digest"] == said["digest"]
    assert kept["keys"]["people"]["count"] == 2_000
    lines = (tmp_path / "run" / "days.csv").read_text("utf-8").splitlines()
    assert sum(int(line.split(",")[1]) for line in lines[1:]) == said["infections"]
    again = json.loads(call("run", "test-town", *FAST, "--json").stdout)
    assert again["digest"] == said["digest"]
    other = json.loads(call("run", "test-town", *FAST, "--seed", "2", "--json").stdout)
    assert other["digest"] != said["digest"]


def test_run_for_people() -> None:
    words = call("run", "test-town", *FAST).stdout
    assert words.startswith("test-town, seed 1: 2,000 people, 20 days (")
    assert "Digest" in words


def test_what_goes_wrong(tmp_path: Path) -> None:
    done = call("run", "test-twon", fails=ScenarioError)
    assert "did you mean 'test-town'" in str(done.exception)
    assert "tracetogether city list" in str(done.exception)
    done = call("run", "test-town", "--set", "reproduction_nubmer=2", fails=ScenarioError)
    assert "did you mean 'disease.reproduction_number'" in str(done.exception) or (
        "did you mean 'reproduction_number'" in str(done.exception)
    )
    shares = [f"--set=people.households.size_{size}=0" for size in range(1, 9)]
    done = call("check", "test-town", *shares, fails=ScenarioError)
    assert "[people.households] are all 0" in str(done.exception)
    full = tmp_path / "full"
    full.mkdir()
    (full / "thesis.txt").write_text("years of work")
    call("run", "test-town", "--out", full, fails=StoreError)


def test_an_unknown_key_in_a_file_names_the_nearest(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    text = (Path(load_city.__code__.co_filename).parent / "scenarios" / "test-town.toml").read_text(
        "utf-8"
    )
    file.write_text(text.replace("workers =", "wrokers ="), "utf-8")
    done = call("check", file, fails=ScenarioError)
    assert "unknown key 'people.wrokers'; did you mean 'workers'?" in str(done.exception)


def test_the_reference_page_is_written_from_the_keys() -> None:
    written = runpy.run_path(str(REFERENCE / "write_scenario_keys.py"))["city_page"]()
    page = (REFERENCE / "city-keys.md").read_text("utf-8")
    assert page == written, "run `python docs/reference/write_scenario_keys.py`"
    rows = [line.split("`")[1] for line in page.splitlines() if line.startswith("| `")]
    assert sorted(rows) == sorted(key.name for key in city_keys())


@pytest.mark.slow
def test_the_detection_table_is_written_again(tmp_path: Path) -> None:
    """The runs of one setting are those of the shipped table, to the digest."""
    if detection_table("bluetrace").manifest["code_and_tables"] != provenance().digest:
        pytest.skip("other code made the tables: write them with `tracetogether city detection`")
    file = tmp_path / "table.json"
    words = ("detection", "--setting", "transport", "--seeds", "1", "-o", file)
    said = json.loads(call(*words, "--json").stdout)
    assert json.loads(file.read_text("utf-8")) == said
    kept = detection_table("bluetrace").manifest["runs"]
    runs = [row for row in kept if row["setting"] == "transport" and row["seed"] == 1]
    assert said["manifest"]["runs"] == runs
    assert "android-ios" in call(*words[:5]).stdout


COMPARE = ("compare", "test-town", *FAST, "--set", "tests.share=1", "--set", "app.adoption=0.9")


def test_compare_says_the_difference_in_one_sentence() -> None:
    words = (*COMPARE, "--against", "adoption=0", "--seeds", "3", "--workers", "1")
    said = json.loads(call(*words, "--json").stdout)
    assert [row["seed"] for row in said["rows"]] == [1, 2, 3]
    averted = [row["against_infections"] - row["infections"] for row in said["rows"]]
    assert said["averted"] == sum(averted) / 3
    assert said["averted_low"] <= said["averted"] <= said["averted_high"]
    assert all(row["against_warned"] == 0 < row["warned"] for row in said["rows"])
    sentence = "In test-town (2,000 people, 20 days), app.adoption=0.9 instead of app.adoption=0 "
    assert said["answer"].startswith(sentence)
    assert set(said) >= {"details", "more", "per_averted", "curves", "against_curves"}
    assert len(said["against_curves"]["infections"]["low"]) == 20
    shown = call(*words).stdout
    assert all(sentence in shown for sentence in (said["answer"], *said["details"]))


def test_a_city_compared_with_itself_averts_nothing() -> None:
    words = (*COMPARE, "--against", "app.adoption=0.9", "--seeds", "2", "--workers", "1", "--json")
    said = json.loads(call(*words).stdout)
    assert (said["averted"], said["averted_low"], said["averted_high"]) == (0, 0, 0)
    assert CliRunner().invoke(city, ["compare", "test-town"]).exit_code == 2


@pytest.mark.slow
def test_compare_gives_the_same_with_any_number_of_processes() -> None:
    words = (*COMPARE, "--against", "adoption=0", "--seeds", "2", "--json", "--workers")
    one, two = (json.loads(call(*words, number).stdout)["rows"] for number in ("1", "2"))
    assert [row["digest"] for row in one] == [row["digest"] for row in two]
    assert [row["against_digest"] for row in one] == [row["against_digest"] for row in two]


def likeness_of_few() -> covasim_city.Likeness:
    """Measure what a city takes from covasim's in fewer and smaller cities, in a process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(covasim_city, "_LIKE_SEEDS", (101, 102))
        patch.setattr(covasim_city, "_LIKE_PEOPLE", 50_000)
        return covasim_city.likeness()


@pytest.mark.slow
def test_bench_times_a_city_beside_covasim(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(city_bench, "likeness", likeness_of_few)
    words = ("bench", "--against", "covasim", "--people", "3000", "--days", "20", "--seeds", "1")
    found = json.loads(call(*words, "--json").stdout)
    assert [(row["simulator"], row["measures"], row["seed"]) for row in found["rows"]] == [
        (simulator, measures, seed)
        for measures in ("none", "tracing")
        for simulator in ("tracetogether", "covasim")
        for seed in (1,)
    ]
    for row in found["rows"]:
        assert (row["people"], row["days"]) == (3_000, 20)
        assert row["attack_rate"] >= 20 / 3_000
        assert row["agent_days_per_cpu_s"] == pytest.approx(60_000 / row["cpu_s"])
    like = found["matched_to"]
    assert like["reproduction_number"] == pytest.approx(2.5, abs=0.2)
    assert sum(like["generation"]) == pytest.approx(1, abs=1e-4)


def test_bench_times_our_city_alone() -> None:
    found = json.loads(
        call("bench", "--people", "3000", "--days", "10", "--seeds", "1", "--json").stdout
    )
    assert [row["measures"] for row in found["rows"]] == ["none", "tracing"]
    assert found["matched_to"] is None
    (mean, _) = found["means"]
    assert mean["attack_rate_lowest"] == mean["attack_rate"] == mean["attack_rate_highest"]
