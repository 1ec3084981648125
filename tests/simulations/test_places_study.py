"""What a place adds in crowds: the acceptance line by one command, and what the table counts."""

import json
from functools import cache

import pytest
from click.testing import CliRunner

from simulations.settings.scenario import load_scenario, scenario_text
from simulations.studies.places import (
    ALL_LOCKED,
    PlacesCounts,
    PlacesPlan,
    count_places,
    in_the_middle,
    study_places,
)
from tracetogether.cli import cli
from tracetogether.errors import ScenarioError

SMALL = {"people.count": "6", "duration_s": "1000", "people.adoption": "1"}


def plan(**settings: str) -> PlacesPlan:
    return PlacesPlan(scenario_text("classroom"), tuple((SMALL | settings).items()), 1)


@cache
def locked() -> PlacesCounts:
    return count_places(plan(**ALL_LOCKED))


def test_locked_phones_find_nobody_without_a_place() -> None:
    counts = locked()
    assert counts.contacts > 0
    assert counts.found[0] == counts.listed[0] == 0
    assert 0 < counts.found[1] <= counts.contacts
    assert 0 < counts.shared_found <= min(counts.shared, counts.said)


def test_a_place_stands_in_the_middle_unless_the_scenario_has_its_own() -> None:
    assert in_the_middle(load_scenario("classroom")).at == (4.5, 3.5)
    own = plan(**ALL_LOCKED, **{"places.1.at": "[0.1, 0.1]", "places.1.tx_dbm": "-30"})
    far = count_places(own)
    assert far.said < locked().said


def test_a_row_has_every_seed_and_an_interval() -> None:
    (row,) = study_places(["classroom"], [1, 2], settings=SMALL | ALL_LOCKED)
    assert (row.scenario, row.adoption, row.crowds, len(row.by_seed)) == ("classroom", 1.0, 2, 2)
    shown = row.to_json()
    assert {"found_without", "found_with_low", "air_found", "warned_per_case_high"} <= set(shown)
    assert [each["without"] for each in shown["by_seed"]] == [0.0, 0.0]  # type: ignore[attr-defined]


def test_places_of_another_protocol_are_refused() -> None:
    with pytest.raises(ScenarioError, match="speak BlueTrace"):
        study_places(["lift"], [1], settings={"phones.protocol": "gaen"})


@pytest.mark.slow
def test_one_place_lets_a_room_of_locked_iphones_find_contacts() -> None:
    """The acceptance line: iPhones alone, all locked; from none to a fifth and more, 3 seeds."""
    words = ["simulate", "places", "classroom", "--all-locked", "--seeds", "3", "--json"]
    found = CliRunner().invoke(cli, words)
    assert found.exit_code == 0, found.output
    (row,) = json.loads(found.stdout)
    assert [each["without"] for each in row["by_seed"]] == [0.0] * 3
    assert all(each["with"] >= 0.2 for each in row["by_seed"])
