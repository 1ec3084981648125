"""What is scored in bulk is what is scored case by case."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from simulations.one_run import Run, run
from simulations.scores.breakdown import break_down, near_windows, window_length_s
from simulations.scores.scoring import score_case, score_run
from simulations.scores.tracing import open_run, trace
from simulations.scores.truth import ground_truth
from simulations.settings.scenario import Scenario, load_scenario
from simulations.studies.sweep import plan, play
from tracetogether.cli.simulate import simulate
from tracetogether.rejection import Rejection


@pytest.fixture(scope="module")
def crowd() -> Scenario:
    return load_scenario("train-carriage", {"duration_s": "700", "count": "40", "minutes": "4"})


@pytest.fixture(scope="module")
def vectorized(crowd: Scenario) -> Run:
    return run(crowd, seed=3, fidelity="vectorized")


def test_lists_in_bulk_are_the_lists_case_by_case(vectorized: Run) -> None:
    scores = score_run(vectorized).scores
    policy = scores.policy
    truth = ground_truth(vectorized.tracks, policy.within_m)
    assert scores.found > 0
    assert scores.false_contacts > 0
    for case in scores.cases:
        alone = score_case(
            vectorized, truth, case.person, trace(vectorized, case.person, policy), policy
        )
        assert case == alone
        assert [line.pseudonym for line in case.listed] == [line.pseudonym for line in alone.listed]
        for line, same in zip(case.listed, alone.listed, strict=True):
            assert (line.person, line.close_contact) == (same.person, same.close_contact)
            assert line.minutes.high == pytest.approx(same.minutes.high)
            assert line.minutes.median == pytest.approx(same.minutes.median)
            assert line.nearest_m.low == pytest.approx(same.nearest_m.low)
            assert line.true_nearest_m == same.true_nearest_m
            assert line.true_minutes == same.true_minutes


def test_objects_and_columns_score_the_same(crowd: Scenario, vectorized: Run) -> None:
    objects = run(crowd, seed=3, fidelity="object")
    one, other = score_run(objects), score_run(vectorized)
    assert one.scores.to_json() == other.scores.to_json()
    assert one.scores.cases == other.scores.cases
    assert [case.listed for case in one.scores.cases] == [
        case.listed for case in other.scores.cases
    ]
    parts, same = break_down(objects, one).to_json(), break_down(vectorized, other).to_json()
    assert parts == same
    assert parts["lost"] != {}


def test_windows_as_counted_pair_by_pair(vectorized: Run) -> None:
    opened = open_run(vectorized)
    near = near_windows(vectorized, opened, 2.0)
    xy, start = vectorized.tracks.xy, vectorized.start
    length = round(window_length_s(vectorized))
    assert 0 < near.recorded.sum() < len(near.recorded)
    found = set(zip(near.observer.tolist(), near.peer.tolist(), strict=True))
    kept = dict(
        zip(
            zip(near.observer.tolist(), near.peer.tolist(), strict=True), near.recorded, strict=True
        )
    )
    heard = set(zip(opened.owner.tolist(), opened.peer.tolist(), strict=True))
    assert opened.sightings.time.max() < start + length  # one window
    for observer in vectorized.app.tolist():
        for peer in vectorized.app.tolist():
            gap = xy[observer, :length] - xy[peer, :length]
            close = (gap[:, 0] ** 2 + gap[:, 1] ** 2 <= 4.0).sum()
            pair = observer, peer
            assert (pair in found) == (observer != peer and close >= length / 3)
            assert pair not in found or kept[pair] == (pair in heard)


@pytest.mark.parametrize("within_m", [1.0, 2.0])
def test_a_tree_finds_the_pairs_that_measuring_all_finds(vectorized: Run, within_m: float) -> None:
    every = ground_truth(vectorized.tracks, within_m)
    tree = ground_truth(vectorized.tracks, within_m, all_pairs_up_to=0)
    assert np.array_equal(tree.code, every.code)
    assert np.array_equal(tree.minutes, every.minutes)
    assert len(every.pairs_of(4.0, vectorized.app)[0]) > 0


def test_a_stale_tempid_is_not_believed_in_bulk_either() -> None:
    keys = {"duration_s": "1100", "count": "8", "ios": "1", "stale_tempid": "true"}
    buggy = run(load_scenario("queue", keys), seed=1, fidelity="vectorized")
    assert open_run(buggy).rejected[Rejection.EXPIRED_ID] > 0


def test_a_sweep_counts_the_same_whichever_way_it_is_played() -> None:
    def counted(count: int, cases: int | None) -> dict[str, int]:
        keys = {"count": str(count), "duration_s": "100", "minutes": "1"}
        (part,) = plan("hawker-centre", {}, seeds=1, settings=keys, cases=cases)
        row = play(part)
        assert "error" not in row
        return {name: row[name] for name in ("contacts", "contacts_with_app", "recorded")}

    in_bulk = counted(160, None)
    assert in_bulk["contacts"] > in_bulk["recorded"] > 0
    assert counted(160, 2) == in_bulk  # a few cases are taken one by one


def test_the_command_line_plays_either(tmp_path: Path) -> None:
    said = {}
    for fidelity in ("object", "vectorized"):
        words = ["run", "party", "--set", "duration_s=90", "--fidelity", fidelity]
        result = CliRunner().invoke(simulate, [*words, "--json", "--out", str(tmp_path / fidelity)])
        assert result.exit_code == 0, result.output
        said[fidelity] = json.loads(result.stdout)
    assert said["vectorized"]["digest"] == said["object"]["digest"]
    for name in ("contact-logs.csv", "positions.npz"):
        one, other = ((tmp_path / fidelity / name).read_bytes() for fidelity in said)
        assert one == other
