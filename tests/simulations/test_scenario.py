import doctest
import re
import runpy
import tomllib
from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest

from simulations.settings import scenario as scenario_module
from simulations.settings.scenario import (
    Scenario,
    load_scenario,
    parse_scenario,
    scenario_keys,
    scenario_names,
    scenario_schema,
)
from tracetogether.errors import ScenarioError

ROOT = Path(__file__).parents[2]
TEXT = (resources.files("simulations") / "scenarios" / "train-carriage.toml").read_text("utf-8")


def parse(text: str) -> Scenario:
    return parse_scenario(text, name="mine", source="mine.toml")


def test_every_shipped_scenario_loads_and_says_what_it_is_modelled_on() -> None:
    assert "train-carriage" in scenario_names()
    for name in scenario_names():
        scenario = load_scenario(name)
        assert scenario.name == name
        assert len(scenario.modelled_on) > 80
        assert scenario.title


def test_the_train_carriage() -> None:
    scenario = load_scenario("train-carriage")
    assert scenario.people.count == 60
    assert scenario.duration_s == 1800
    assert scenario.people.adoption == 0.8
    assert 0 < scenario.phones.ios < 1


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("adoption =", "adopton =", "unknown key 'people.adopton'; did you mean 'adoption'?"),
        ("[motion]", "[motoin]", "unknown key 'motoin'; did you mean 'motion'?"),
        ("count = 60", "", "the key 'people.count' is missing: Number of people"),
        ("count = 60", "count = 60.5", "'people.count' wants a whole number, got 60.5"),
        ("count = 60", "count = true", "'people.count' wants a whole number, got True"),
        ("count = 60", "count = 1", "'people.count' is from 2 to 200000, not 1"),
        ("count = 60", "count = 120", "has only 82 places"),
        ("adoption = 0.8", "adoption = 1.1", "'people.adoption' is from 0 to 1, not 1.1"),
        ("adoption = 0.8", "adoption = nan", "'people.adoption' is from 0 to 1, not nan"),
        ('kind = "carriage"', 'kind = "cariage"', "did you mean 'carriage'?"),
        ("dwell_s = 25", "dwell_s = 165", "'motion.dwell_s' must be shorter"),
        ("stay_median_s = 1800", "stay_median_s = inf", "'motion.stay_median_s' must be finite"),
        ("schema = 1", "schema = 2", "'schema' is 1, not 2"),
        ("seats_per_bench = 7", "seats_per_bench = 12", "a bench of 12 seats is 5.40 m long"),
        ("standing_places = 40", "standing_places = 500", "standing places, not 500"),
        (
            "front_pocket = 0.5\nback_pocket = 0.15\nbag = 0.35",
            "front_pocket = 0\nback_pocket = 0\nbag = 0",
            "all 0",
        ),
        ("schema = 1", "schema = = 1", "this is not TOML"),
    ],
)
def test_what_is_wrong_is_named(before: str, after: str, message: str) -> None:
    assert before in TEXT
    with pytest.raises(ScenarioError) as raised:
        parse(TEXT.replace(before, after, 1))
    assert re.match(r"mine\.toml(: |, line \d+: | has \d+ faults:\n)", str(raised.value))
    assert message in str(raised.value)


def test_a_table_must_be_one() -> None:
    text = TEXT.replace("[policy]", "[other]").split("[other]")[0]
    with pytest.raises(ScenarioError, match=r"'policy' is a table: write \[policy\]"):
        parse("policy = 3\n" + text)


def test_what_is_left_out_takes_its_default() -> None:
    scenario = parse(TEXT.split("[policy]")[0])
    assert scenario.policy.minutes == 15
    assert scenario.policy.policy().within_m == 2.0


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "evening.toml"
    file.write_text(TEXT.replace("count = 60", "count = 12"), "utf-8")
    scenario = load_scenario(file)
    assert scenario.name == "evening"
    assert scenario.people.count == 12
    assert replace(scenario, name="x") == replace(load_scenario(str(file)), name="x")


def test_no_such_scenario_or_file(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="did you mean 'train-carriage'"):
        load_scenario("train-carriages")
    with pytest.raises(ScenarioError, match="can't be read: No such file"):
        load_scenario(tmp_path / "none.toml")
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ScenarioError, match="not UTF-8"):
        load_scenario(binary)


def test_settings_take_the_place_of_the_files_keys() -> None:
    settings = {"adoption": "0.32", "phones.ios": "1", "policy.name": "mine", "floor_dbm": "-90"}
    settings |= {"stale_tempid": "True", "ios_background_rules": "false"}
    scenario = load_scenario("train-carriage", settings)
    assert scenario.people.adoption == 0.32
    assert scenario.phones.ios == 1.0
    assert scenario.policy.name == "mine"
    assert scenario.channel.floor_dbm == -90.0
    assert (scenario.phones.stale_tempid, scenario.phones.ios_background_rules) == (True, False)
    assert load_scenario("train-carriage", {}) == load_scenario("train-carriage")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("adoptoin", "0.3", "there is no scenario key 'adoptoin'; did you mean 'people.adoption'?"),
        ("phones.iso", "0.3", "did you mean 'phones.ios'?"),
        ("name", "x", ""),
        ("adoption", "many", "'people.adoption' wants a number, got 'many'"),
        ("adoption", "true", "'people.adoption' wants a number, got True"),
        ("stale_tempid", "yes", "'phones.stale_tempid' is true or false, not 'yes'"),
        ("stale_tempid", "1", "'phones.stale_tempid' is true or false, not 1"),
        ("adoption", "1.5", "'people.adoption' is from 0 to 1, not 1.5"),
        ("count", "12.5", "'people.count' wants a whole number, got 12.5"),
        ("count", "1\nx = 3", "'people.count' wants a whole number"),
        ("venue.kind", "cariage", "did you mean 'carriage'?"),
    ],
)
def test_settings_that_are_wrong(key: str, value: str, message: str) -> None:
    if not message:
        assert load_scenario("train-carriage", {key: value}).policy.name == value
        return
    with pytest.raises(ScenarioError) as raised:
        load_scenario("train-carriage", {key: value})
    assert message in str(raised.value)


def test_a_scenario_is_frozen() -> None:
    with pytest.raises(AttributeError):
        load_scenario("train-carriage").people.count = 3  # type: ignore[misc]


def test_the_reference_page_is_written_from_the_keys() -> None:
    reference = ROOT / "docs" / "reference"
    written = runpy.run_path(str(reference / "write_scenario_keys.py"))["page"]()
    page = (reference / "scenario-keys.md").read_text("utf-8")
    assert page == written, "run `python docs/reference/write_scenario_keys.py`"
    rows = [line.split("`")[1] for line in page.splitlines() if line.startswith("| `")]
    assert rows == [key.name for key in scenario_keys()]


def test_the_json_schema_names_the_same_keys_limits_and_defaults() -> None:
    schema = scenario_schema()

    def walk(table: dict, prefix: str = "") -> dict[str, dict]:
        assert table["additionalProperties"] is False
        found = {}
        for name, said in table["properties"].items():
            named, numbered = said.get("additionalProperties", {}), said.get("items", {})
            for inner, part in ((said, ""), (named, "NAME."), (numbered, "NUMBER.")):
                if "$ref" in inner:
                    below = schema["$defs"][inner["$ref"].rpartition("/")[2]]
                    found |= walk(below, f"{prefix}{name}.{part}")
                    break
            else:
                found[prefix + name] = {**said, "required": name in table["required"]}
        return found

    described = walk(schema["$defs"]["Scenario"])
    assert set(described) == {key.name for key in scenario_keys()}
    for key in scenario_keys():
        said = described[key.name]
        assert (said.get("minimum"), said.get("maximum")) == (key.low, key.high)
        assert said.get("default") == key.default
        assert said["required"] is (key.default is None)
        assert said["description"] == key.doc
        assert tuple(said.get("enum", ())) == key.one_of


def test_whole_numbers_are_taken_for_numbers_and_become_floats() -> None:
    assert "stay_median_s = 1800" in TEXT
    assert isinstance(parse(TEXT).motion.stay_median_s, float)
    with pytest.raises(ScenarioError, match=r"'motion.stay_median_s' must be finite"):
        parse(TEXT.replace("stay_median_s = 1800", f"stay_median_s = 1{'0' * 400}"))


def test_the_shipped_file_uses_known_keys_only() -> None:
    known = {key.name for key in scenario_keys()}

    def walk(table: dict, prefix: str = "") -> set[str]:
        names = set()
        for name, value in table.items():
            names |= walk(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name}
        return names

    assert walk(tomllib.loads(TEXT)) <= known


def test_the_examples_of_the_docstrings_hold() -> None:
    assert doctest.testmod(scenario_module).failed == 0
