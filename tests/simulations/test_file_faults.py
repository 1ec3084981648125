"""A check of a scenario file names all its faults at once, each with its line and remedy."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from simulations.settings.file_faults import FileFaults, lines_of_keys
from simulations.settings.scenario import load_scenario, scenario_text
from tracetogether.cli import cli
from tracetogether.errors import ScenarioError

TEXT = '''schema = 1
title = "Bus"
modelled_on = """
[people]
count = 7
"""
[people]
count = 3 # three
  adoption=0.5
stowed . bag = 1
[[motion.timetable]]
at = "a = b"
[[motion.timetable]]
at = "c"
"quoted" = 1
'''


def test_the_lines_of_keys_and_tables():
    assert lines_of_keys(TEXT) == {
        "schema": 1, "title": 2, "modelled_on": 3, "people": 7, "people.count": 8,
        "people.adoption": 9, "people.stowed.bag": 10, "motion.timetable.1": 11,
        "motion.timetable.1.at": 12, "motion.timetable.2": 13, "motion.timetable.2.at": 14,
    }  # fmt: skip


def test_one_fault_is_one_line_and_several_are_a_list():
    faults = FileFaults("bus.toml", TEXT, frozenset({"title"}))
    faults.check()
    faults.add("people.count", "too few")
    with pytest.raises(ScenarioError, match=r"^bus.toml, line 8: too few$"):
        faults.check()
    faults.add("", "no venue")
    faults.add("title", "too long")
    faults.add("people.stowed.hat", "no such key")
    with pytest.raises(ScenarioError) as raised:
        faults.check()
    assert str(raised.value) == (
        "bus.toml has 4 faults:\n  line 7: no such key\n  line 8: too few\n  no venue\n  too long"
    )


@pytest.fixture
def carriage(tmp_path: Path) -> Path:
    """Return a scenario file whose misspelt, wrong and missing keys are on lines of their own."""
    text = scenario_text("train-carriage").text
    for right, wrong in (
        ("adoption = ", "adopton = "),
        ("duration_s = ", 'duration_s = "long" #'),
        ("[phones]\n", "[phones]\nlocked = 1.5\n"),
        ("title = ", "# title = "),
        ("[people]\n", "[people]\ncount = 0\ncarrying = 3\n#"),
    ):
        assert right in text, right
        text = text.replace(right, wrong, 1)
    path = tmp_path / "carriage.toml"
    path.write_text(text.replace("\ncount = ", "\n# count = ").replace("# count = 0", "count = 0"))
    return path


def test_check_names_all_faults_at_once(carriage: Path) -> None:
    lines = carriage.read_text().splitlines()
    with pytest.raises(ScenarioError) as raised:
        load_scenario(carriage)
    head, *faults = str(raised.value).splitlines()
    assert head == f"{carriage} has 7 faults:"
    wanted = {
        'duration_s = "long"': "'duration_s' wants a number, got 'long'",
        "count = 0": "'people.count' is from 2 to 200000, not 0",
        "carrying = 3": "unknown key 'people.carrying'",
        "adopton": "unknown key 'people.adopton'; did you mean 'adoption'?",
        "locked = 1.5": "'phones.locked' is from 0 to 1, not 1.5",
    }
    for key, message in wanted.items():
        number = next(n for n, line in enumerate(lines, 1) if line.startswith(key))
        (fault,) = [fault for fault in faults if fault.startswith(f"  line {number}: ")]
        assert fault.partition(": ")[2].startswith(message)
    assert [fault[:31] for fault in faults[5:]] == [
        "  the key 'title' is missing: S",
        "  the key 'people.adoption' is ",
    ]
    done = CliRunner().invoke(cli, ["simulate", "check", str(carriage)])
    assert str(done.exception) == str(raised.value)


def test_rules_of_several_keys_are_named_together(tmp_path: Path) -> None:
    path = tmp_path / "carriage.toml"
    path.write_text(scenario_text("train-carriage").text)
    settings = {"locked": ".7", "background": "0.6", "dwell_s": "500", "stop_every_s": "400"}
    with pytest.raises(ScenarioError) as raised:
        load_scenario(path, {**settings, "count": "900"})
    faults = str(raised.value).splitlines()
    assert faults == [
        f"{path} has 3 faults:",
        "  'phones.locked' and 'phones.background' are together more than 1",
        "  'motion.dwell_s' must be shorter than 'motion.stop_every_s'",
        faults[3],
    ]
    assert faults[3].startswith("  'people.count' is 900, but the room has only 82 places (")


def test_a_setting_may_leave_out_the_0_before_the_point():
    assert load_scenario("lift", {"adoption": ".5"}).people.adoption == 0.5
