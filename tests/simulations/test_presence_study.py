"""What check-in adds to Bluetooth: exact on tracks that are known, and a whole crowd."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from simulations.one_run import run
from simulations.scores.scoring import score_run
from simulations.settings.scenario import Scenario
from simulations.studies.presence import (
    BLUETOOTH,
    BOTH,
    CHECK_IN,
    count_presence,
    shared_air,
    warned_by_stay,
)
from tracetogether.cli import cli

START = 1_600_000_200.0  # a multiple of 600


def there(*spans: tuple[int, int], minutes: int = 120) -> np.ndarray:
    """Return who is present, one tick a minute, at minutes [first, last]."""
    at = np.arange(minutes + 1)
    return np.array([(first <= at) & (at <= last) for first, last in spans])


def test_a_warning_reaches_who_was_there_for_ten_minutes_of_the_stay_and_its_air() -> None:
    # The case: minutes 0 to 30, and half an hour of air.
    present = there((0, 30), (20, 40), (50, 90), (51, 90), (0, 9), (70, 90))
    found = warned_by_stay(present, 60.0, START)
    assert found[0].tolist() == [False, True, True, False, False, False]
    assert not found[4].any()  # a case of nine minutes warns nobody
    assert not warned_by_stay(there((0, 30), (121, 120)), 60.0, START)[0].any()


def test_shared_air_is_a_quarter_of_an_hour_together() -> None:
    found = shared_air(there((0, 30), (15, 40), (17, 40)), 60.0)
    assert found.tolist() == [[False, True, False], [True, False, True], [False, True, False]]


def test_everybody_who_checks_in_adds_to_bluetooth() -> None:
    scenario = Scenario.load("classroom").with_(count=10, duration_s=1_500, adoption=0.6)
    counts = count_presence(score_run(run(scenario, seed=1)), (0.0, 0.5, 1.0))
    by = {key: row.warned for key, row in counts.items()}
    assert by[0.0, CHECK_IN] == 0
    assert by[0.0, BOTH] == by[0.0, BLUETOOTH] == by[1.0, BLUETOOTH]
    assert by[0.0, CHECK_IN] < by[0.5, CHECK_IN] < by[1.0, CHECK_IN] == 10 * 9
    everybody = counts[1.0, CHECK_IN]
    assert everybody.found_air == everybody.air == 90
    assert everybody.found_contacts == everybody.contacts
    for share in (0.0, 0.5, 1.0):
        both = counts[share, BOTH]
        for way in (BLUETOOTH, CHECK_IN):
            assert both.found_contacts >= counts[share, way].found_contacts
            assert both.found_air >= counts[share, way].found_air


@pytest.mark.slow
def test_the_command_prints_each_way_with_intervals() -> None:
    words = ["simulate", "check-in", "lift", "--seeds", "2", "--adoption", "0.8"]
    found = CliRunner().invoke(cli, [*words, "--check-in", "0.6", "--json"])
    rows = json.loads(found.stdout)
    assert [row["way"] for row in rows] == [BLUETOOTH, CHECK_IN, BOTH]
    assert {"found_of_contacts_low", "found_of_air", "warned_per_case_high"} <= set(rows[0])
    assert CliRunner().invoke(cli, [*words, "--check-in", "0.6"]).exit_code == 0
