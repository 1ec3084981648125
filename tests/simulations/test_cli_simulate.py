import json
from importlib import resources
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tracetogether.cli.simulate import simulate
from tracetogether.errors import ScenarioError, StoreError, TraceTogetherError

SMALL = {
    "duration_s = 1800": "duration_s = 420",
    "count = 60": "count = 16",
    "length_m = 23.0": "length_m = 12.0",
    "doors_per_side = 4": "doors_per_side = 2",
    "standing_places = 40": "standing_places = 12",
    "\nminutes = 15": "\nminutes = 4",
}


@pytest.fixture
def small(tmp_path: Path) -> Path:
    text = (resources.files("simulations") / "scenarios" / "train-carriage.toml").read_text("utf-8")
    for before, after in SMALL.items():
        assert before in text
        text = text.replace(before, after)
    file = tmp_path / "small.toml"
    file.write_text(text, "utf-8")
    return file


def call(*words: str | Path, fails: type[TraceTogetherError] | None = None) -> Result:
    done = CliRunner().invoke(simulate, [str(word) for word in words])
    if fails is None:
        assert done.exit_code == 0, done.output
    else:
        assert isinstance(done.exception, fails), done.output
    return done


def test_list() -> None:
    assert "train-carriage" in call("list").stdout
    said = {listed["scenario"]: listed for listed in json.loads(call("list", "--json").stdout)}
    assert len(said) == 17
    train = said["train-carriage"]
    assert train["people"] == 60
    assert train["duration_s"] == 1800


def test_check(small: Path) -> None:
    assert "small is a valid scenario" in call("check", small).stdout
    said = json.loads(call("check", "train-carriage", "--set", "adoption=0.5", "--json").stdout)
    assert (said["scenario"], said["ok"]) == ("train-carriage", True)
    assert said["keys"]["people"]["adoption"] == 0.5
    small.write_text(small.read_text("utf-8").replace("adoption", "adopton"), "utf-8")
    done = call("check", small, fails=ScenarioError)
    assert "unknown key 'people.adopton'; did you mean 'adoption'?" in str(done.exception)
    assert CliRunner().invoke(simulate, ["check", "lift", "--set", "adoption"]).exit_code == 2


def test_keys_prints_defaults_as_a_scenario_file_writes_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    lines = call("keys").stdout.splitlines()
    (stale,) = (line for line in lines if "phones.stale_tempid" in line)
    assert "true or false" in stale
    assert " false " in stale.replace("true or false", "")
    assert "False" not in stale


def test_check_counts_one_minute(small: Path) -> None:
    assert ", 1 minute, " in call("check", small, "--set", "duration_s=60").stdout


def test_run_with_settings(small: Path) -> None:
    said = json.loads(call("run", small, "--set", "adoption=0.5", "--json").stdout)
    assert said["scores"]["cases"] == 8


def test_run_as_json(small: Path) -> None:
    said = json.loads(call("run", small, "--seed", "3", "--json").stdout)
    assert list(said) == ["scenario", "seed", "digest", "scores"]
    assert (said["scenario"], said["seed"]) == ("small", 3)
    assert said["scores"]["cases"] == 13
    again = json.loads(call("run", small, "--seed", "3", "--json").stdout)
    assert again == said
    other = json.loads(call("run", small, "--seed", "4", "--json").stdout)
    assert other["digest"] != said["digest"]


def test_run_for_people_and_into_a_folder(small: Path, tmp_path: Path) -> None:
    folder = tmp_path / "kept" / "run"
    done = call("run", small, "--out", folder)
    words = " ".join(done.stdout.split())
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    scores = manifest["scores"]
    assert f"true contacts with the app found {scores['found']}" in words
    assert f"true contacts with the app missed {scores['missed']}" in words
    assert f"falsely listed {scores['false_contacts']}" in words
    assert manifest["digest"] in words
    assert "within 2 m for 4 minutes" in words
    assert (folder / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_what_goes_wrong(small: Path, tmp_path: Path) -> None:
    done = call("run", "train-carrige", fails=ScenarioError)
    assert "did you mean 'train-carriage'" in str(done.exception)
    full = tmp_path / "full"
    full.mkdir()
    (full / "thesis.txt").write_text("years of work")
    call("run", small, "--out", full, fails=StoreError)
    assert CliRunner().invoke(simulate, ["run"]).exit_code == 2
    assert CliRunner().invoke(simulate, ["run", str(small), "--seed", "-1"]).exit_code == 2
    wrong = CliRunner().invoke(simulate, ["run", str(small), "--seed", "x"])
    assert "'x' is not a valid whole number" in wrong.stderr


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("adoption=0", "With the app on 0 of 16 phones, nobody can be found"),
        ("adoption=0.06", "With the app on 1 of 16 phones, nobody can be found"),
        ("adoption=1", "It lasts 1 minute, and its policy needs 4 minutes for a contact"),
        ("packet_loss=1", "heard 0 advertisements. 0 of 0 connections succeeded"),
    ],
)
def test_nothing_to_hear_is_a_result(small: Path, tmp_path: Path, setting: str, words: str) -> None:
    folder, page = tmp_path / "kept", tmp_path / "report.html"
    done = call("run", small, "--set", setting, "--set", "duration_s=60", "--out", folder)
    assert words in " ".join(done.output.split())
    scores = json.loads((folder / "manifest.json").read_text("utf-8"))["scores"]
    assert (scores["found"], scores["false_contacts"]) == (0, 0)
    call("report", folder, "-o", page)
    assert page.stat().st_size > 1000


def warnings(*words: str | Path) -> list[str]:
    said: list[str] = json.loads(call("check", *words, "--json").stdout)["warnings"]
    return said


def test_check_warns_of_a_scenario_shorter_than_its_policy_and_the_remedies_work() -> None:
    (warning,) = warnings("lift")
    assert "set duration_s to 900 or more, or policy.minutes to 10 or less" in warning
    assert "Warning: It lasts 10 minutes" in call("check", "lift").stderr
    for remedy in ("duration_s=900", "policy.minutes=10"):
        assert warnings("lift", "--set", remedy) == []
        assert "Warning" not in call("check", "lift", "--set", remedy).output
    short = ("--set", "duration_s=899.9", "--set", "policy.minutes=15")
    assert len(warnings("train-carriage", *short)) == 1
    assert warnings("train-carriage") == []


def test_check_warns_of_too_few_with_the_app_and_the_remedy_works() -> None:
    for count in (2, 3, 7, 60, 999):
        alone = ("--set", f"count={count}", "--set", "policy.minutes=1")
        (warning,) = warnings("stadium-exit", *alone, "--set", "adoption=0")
        remedy = warning.partition("people.adoption to ")[2].partition(" ")[0]
        assert warnings("stadium-exit", *alone, "--set", f"adoption={remedy}") == []


def test_sweep_and_export_warn_as_well(tmp_path: Path) -> None:
    short = ("--set", "duration_s=30", "--set", "count=4", "--seeds", "1")
    done = call("sweep", "lift", "--vary", "policy.minutes=0.1,15", *short)
    assert done.stderr.count("Warning: It lasts 0.5 minutes") == 1
    words = ("export", tmp_path / "x", "--for", "openabm", "--scenario", "lift", *short)
    done = call(*words, fails=StoreError)
    assert "Warning: It lasts 0.5 minutes" in done.stderr


def test_run_prints_the_share_of_all_contacts_and_of_falsely_listed(small: Path) -> None:
    half = ("--set", "adoption=0.5", "--seed", "3")
    scores = json.loads(call("run", small, *half, "--json").stdout)["scores"]
    words = " ".join(call("run", small, *half).stdout.split())
    of_all = scores["found"] / scores["all_contacts"]
    assert 0 < scores["found_of_all_low"] < of_all < scores["found_of_all_high"] < scores["tif"]
    assert scores["found_of_all"] == of_all
    assert f"found of all {scores['all_contacts']} true contacts, app or not" in words
    assert f"{of_all:.2f} ({scores['found_of_all_low']:.2f} -" in words
    listed = scores["found"] + scores["false_contacts"]
    assert scores["falsely_listed"] == scores["false_contacts"] / listed
    assert f"no contacts among those listed (5 % to 95 %) {scores['falsely_listed']:.2f}" in words
    whole = json.loads(call("run", small, "--seed", "3", "--set", "adoption=1", "--json").stdout)
    assert whole["scores"]["all_contacts"] == scores["all_contacts"]  # the same people and places
    assert whole["scores"]["found_of_all"] == pytest.approx(whole["scores"]["tif"])
    vectorized = call("run", small, *half, "--fidelity", "vectorized", "--json").stdout
    assert json.loads(vectorized)["scores"]["found_of_all_low"] == scores["found_of_all_low"]
