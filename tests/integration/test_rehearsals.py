"""The short forms of what runs for minutes or a day: see docs/howto/node.md for the long ones."""

import sys
from pathlib import Path

import pytest

from tests.leaping_loop import leap
from tests.rehearsals import attack, churn, kill, throughput
from tests.rehearsals.churn import Trend

pytestmark = pytest.mark.slow


def test_phones_that_come_go_and_fail_leave_nothing_behind() -> None:
    result = churn.day(0.5, befall_every_s=40.0)
    assert result.faults() == []
    assert result.happened["sightings"] > 10
    assert result.happened["rejections"] == 0


def test_at_20_ms_intervals_nothing_is_left_behind_either() -> None:
    result = churn.link(4.0, run=leap)
    assert result.errors == []
    assert (result.links_left, result.tasks_left) == (0, 0)
    assert result.happened["sightings"] > 0


def test_a_rise_is_distinguished_from_noise() -> None:
    noise = [0.0, 3.0, -2.0, 1.0, -3.0, 2.0, 0.0, -1.0, 3.0, -2.0] * 3
    assert Trend.of([1000 + sample for sample in noise]).flat
    assert not Trend.of([1000 + sample + 5 * number for number, sample in enumerate(noise)]).flat
    assert Trend.of([1000 - 5 * number for number in range(30)]).flat  # less is no leak


def test_every_printed_sighting_is_kept_whenever_it_is_killed(tmp_path: Path) -> None:
    result = kill.kill_again_and_again(1, tmp_path)
    assert result.lost == 0
    assert result.kept >= result.reported >= 1


def test_nodes_exchange_and_report_beside_the_bare_link() -> None:
    """On the leaping clock the counts are those of the radio and of the phones' rhythm."""
    measured = throughput.measure(4, 2.0)
    nodes, exchanging, scanning = measured.values()
    # six pairs, each again when two seconds have passed: all of them at least once
    assert nodes.exchanges >= 6
    assert nodes.reports > 0
    # two guests, two hosts: an exchange waits for an advertisement, 100 ms at most, then goes on
    assert exchanging.exchanges >= 2 * 2.0 / 0.2
    # four phones hear three others ten times a second; the first advertisements are at the start
    assert 0.8 <= scanning.reports / (4 * 3 * 10 * 2.0) <= 1.2
    assert {round(figure.simulated_s, 3) for figure in measured.values()} == {2.0}


@pytest.mark.network
@pytest.mark.skipif(sys.platform != "linux", reason="reads a process's memory from /proc")
def test_three_attackers_are_served_by_the_limits_and_the_rest_by_the_server(
    tmp_path: Path,
) -> None:
    """How long an answer takes depends on the machine: the command judges it, this counts."""
    result = attack.rehearse(3.0, tmp_path)
    assert result.answered > 0
    assert result.failed == 0
    assert result.memory_mib < attack.MEMORY_MIB
    assert result.attacks["silent"] >= 1_000  # more than there are descriptors
    assert result.attacks["half-sent"] >= 1
    # A pretended token lets one log in: each was used twice by those who flood.
    assert result.attacks.get("pretended 201", 0) <= result.attacks["token 201"]
    assert result.lines < 20
