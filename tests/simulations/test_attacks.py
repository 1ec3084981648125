"""Attacks on the protocols' own code, held to what follows exactly from how they are made."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from simulations.attacks.expectations import (
    LAST_ACCEPTED_S,
    LINKED_S,
    bits_learned,
    graph_bits,
    known_edges,
    linked_share,
)
from simulations.attacks.measured import (
    authority_view,
    last_accepted,
    linkability,
    linked_by_public,
    pairs_linked,
)
from simulations.attacks.victims import BEGIN, END, VICTIMS, reading_log
from simulations.streams import Streams
from tracetogether.cli import cli
from tracetogether.labels import Labels


def test_the_closed_forms_of_linkability() -> None:
    shares = {name: round(linked_share(window), 4) for name, window in LINKED_S.items()}
    assert shares == {
        "bluetrace": 0,
        "robert": 0,
        "gaen": 0.0714,
        "dp3t-low-cost": 1,
        "dp3t-hybrid-4h": 0.0119,
        "dp3t-hybrid-2h": 0.006,
        "dp3t-unlinkable": 0.0007,
        "tcn": 0.0179,
        "desire": 0,
    }


@pytest.mark.parametrize("name", VICTIMS)
def test_measured_linkability_is_the_closed_form_within_three_standard_errors(name: str) -> None:
    (row,) = linkability([name], seed=7, repeats=8, sightings=250)
    error = (row.high - row.low) / (2 * 1.6449)
    assert row.expected == linked_share(LINKED_S[name])
    assert abs(row.value - row.expected) <= 3 * error + 1e-12
    assert (row.value > 0) == (row.expected > 0)


def test_pairs_linked_counts_pairs() -> None:
    assert pairs_linked(Labels.encode(["a", "a", "b", None]), 4) == 2 / 12
    assert pairs_linked(Labels.constant(None, 4), 4) == 0
    assert pairs_linked(Labels.constant("a", 4), 4) == 1


@pytest.mark.parametrize("name", VICTIMS)
def test_a_replay_counts_to_the_exact_second_and_not_one_later(name: str) -> None:
    victim = VICTIMS[name](Streams(3).entropy("victim"))
    last = LAST_ACCEPTED_S[name]
    time = np.array([float(BEGIN)])
    (token,) = victim.sent(time)
    delays = [0, 5_000_00] if last is None else [0, last, last + 1]
    counts = [len(victim.counted(reading_log([token], time + delay))) for delay in delays]
    assert counts == ([1, 1] if last is None else [1, 1, 0])
    assert last_accepted(victim) == last


@pytest.mark.parametrize("name", VICTIMS)
def test_all_own_tokens_count_when_heard_as_they_are_sent(name: str) -> None:
    victim = VICTIMS[name](Streams(5).entropy("victim"))
    times = np.floor(np.linspace(BEGIN, END - 1, 60))
    assert len(victim.counted(reading_log(victim.sent(times), times))) == 60


def test_a_private_protocol_links_nothing_in_public_but_all_at_the_server() -> None:
    times = np.floor(np.linspace(BEGIN, END - 1, 60))
    for name in ("bluetrace", "robert"):
        victim = VICTIMS[name](Streams(5).entropy("victim"))
        assert linked_by_public(victim, times) == 0
        opened = victim.counted(reading_log(victim.sent(times), times))
        assert pairs_linked(opened.peer, 60) == 1


@pytest.mark.parametrize(("share", "edges"), [(0, 0), (0.1, 0.19), (0.5, 0.75), (1, 1)])
def test_known_edges(share: float, edges: float) -> None:
    assert known_edges(share) == pytest.approx(edges)


def test_measured_edges_are_the_closed_form_within_three_standard_errors() -> None:
    rows = {
        (row.protocol, row.metric): row for row in authority_view(["bluetrace", "gaen"], 3, 60, 2)
    }
    edges = rows["bluetrace", "edges_known"]
    assert abs(edges.value - edges.expected) <= 3 * (edges.high - edges.low) / (2 * 1.6449)
    assert rows["gaen", "edges_known"].value == 0 == rows["gaen", "bits_per_case"].value
    assert rows["bluetrace", "bits_per_case"].value > 10


def test_bits_of_a_graph() -> None:
    assert graph_bits(4, 3) == pytest.approx(np.log2(20))
    assert bits_learned(4, 3, 0, 0) == 0
    assert bits_learned(4, 3, 4, 3) == pytest.approx(np.log2(20))
    # One of four people hands over a log with two contacts: one more lies among the other three.
    assert bits_learned(4, 3, 1, 2) == pytest.approx(np.log2(20) - np.log2(3))
    with pytest.raises(ValueError, match="can't be chosen"):
        bits_learned(4, 3, 4, 2)


def test_the_command_prints_rows() -> None:
    run = CliRunner().invoke(cli, ["simulate", "attack", "replay", "--json"])
    rows = json.loads(run.stdout)["rows"]
    assert {row["protocol"]: row["value"] for row in rows} == dict(LAST_ACCEPTED_S)
    assert {row["metric"] for row in rows} == {"last_accepted_s"}
    run = CliRunner().invoke(cli, ["simulate", "attack", "linkability", "--protocol", "tcn"])
    assert run.exit_code == 0
    assert "0.0179" in run.stdout
    assert "linked_share: pairs of a case's sightings" in run.stdout
