import json

import numpy as np
import pytest
from click.testing import CliRunner

from simulations.settings.scenario import load_scenario
from simulations.studies.costs import (
    CallLists,
    average_precision,
    call_results,
    play_lists,
    precision_at,
)
from tracetogether.cli import cli

FIRST = CallLists(np.array([0.9, 0.6, 0.4, 0.1]), np.array([True, False, True, False]), 3)
SECOND = CallLists(np.array([0.6, 0.2]), np.array([True, False]), 1)


def test_calls_find_contacts_and_the_lists_promise_them() -> None:
    by_chance = {line.least_chance: line for line in call_results([FIRST, SECOND], 0.35)}
    line = by_chance[0.35]
    assert (line.calls, line.found, line.promised) == (4, 3, pytest.approx(2.5))
    assert line.recall is not None
    assert line.recall.median == pytest.approx(3 / 4)
    assert line.precision is not None
    assert line.precision.median == pytest.approx(3 / 4)
    assert line.gain(1.0, 5.0) == 11.0
    assert by_chance[0.95].precision is None
    assert [row.calls for row in by_chance.values()] == sorted(
        row.calls for row in by_chance.values()
    )


def test_average_precision_counts_contacts_that_no_list_has() -> None:
    runs = [FIRST, SECOND]
    # In order: 0.9 hit (1 of 1), 0.6 hit and miss together (2 of 3), 0.4 hit (3 of 4); one missed.
    assert average_precision(runs) == pytest.approx((1 + 2 / 3 + 3 / 4) / 4)
    assert precision_at(runs, 0.75) == pytest.approx(3 / 4)
    assert precision_at(runs, 0.25) == pytest.approx(1.0)
    assert precision_at(runs, 0.9) is None
    assert average_precision([]) is None


def test_lists_of_a_crowd_hold_its_true_contacts() -> None:
    crowd = load_scenario("train-carriage", {"people.count": "16", "duration_s": "1200"})
    lists, other = play_lists(crowd, [1, 2], lambda *_: None)
    assert lists.contact.sum() <= lists.contacts
    assert lists.contacts > 0
    (one, _) = play_lists(crowd, [1, 2], lambda *_: None, one_case=True)
    assert 0 < one.contacts < lists.contacts
    assert 0 < len(one.chance) < len(lists.chance)
    assert len(lists.chance) != len(other.chance) or (lists.chance != other.chance).any()


def test_the_command_cuts_the_list_at_cost_over_value() -> None:
    options = ["--set", "people.count=16", "--set", "duration_s=1200", "--seeds", "1", "--json"]
    done = CliRunner().invoke(
        cli,
        ["simulate", "cost-curve", "train-carriage", *options, "--cost", "3", "--value", "10"],
    )
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert said["cut"]["least_chance"] == pytest.approx(0.3)
    assert said["gain"] == 10 * said["cut"]["found"] - 3 * said["cut"]["calls"]
    assert said["curve"][-1]["calls"] >= said["cut"]["calls"]
