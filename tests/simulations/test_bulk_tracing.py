"""What is scored in bulk is what is scored case by case."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from simulations.run import Run, run
from simulations.scores.breakdown import breakdown
from simulations.scores.breakdown_columns import break_down
from simulations.scores.bulk_tracing import judge, open_all
from simulations.scores.pair_truth import pair_truth
from simulations.scores.scoring import score
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
    judged, plain = judge(vectorized), score(vectorized)
    assert judged.opened is not None
    numbers, expected = judged.scores.to_json(), plain.to_json()
    assert numbers["found"] == expected["found"] != 0
    assert numbers == {key: pytest.approx(value) for key, value in expected.items()}
    for one, other in zip(judged.scores.cases, plain.cases, strict=True):
        assert (one.person, one.missed_people) == (other.person, other.missed_people)
        lines = {line.pseudonym: line for line in other.listed}
        assert len(lines) == len(one.listed)
        for line in one.listed:
            same = lines[line.pseudonym]
            assert line.person == same.person
            assert line.close_contact == same.close_contact
            assert line.minutes.median == pytest.approx(same.minutes.median)
            assert line.nearest_m.low == pytest.approx(same.nearest_m.low)
            assert line.true_nearest_m == pytest.approx(same.true_nearest_m)


def test_scores_in_bulk_can_be_compared(vectorized: Run) -> None:
    one, other = judge(vectorized).scores, judge(vectorized).scores
    assert one == other
    assert hash(one.cases[0]) == hash(other.cases[0])
    assert one.cases[0].listed == tuple(other.cases[0].listed) != ()
    assert one.cases[0].listed != other.cases[1].listed


def test_taken_apart_in_columns_as_in_arrays(vectorized: Run) -> None:
    judged = judge(vectorized)
    assert (
        break_down(vectorized, judged).to_json() == breakdown(vectorized, judged.scores).to_json()
    )


def test_the_truth_of_pairs_is_the_truth(vectorized: Run) -> None:
    sparse, dense = pair_truth(vectorized.tracks, 2.0), ground_truth(vectorized.tracks, 2.0)
    one, other = (index.ravel() for index in np.indices(dense.minutes.shape))
    assert np.array_equal(sparse.minutes_of(one, other), dense.minutes.ravel())
    apart = one != other
    assert np.array_equal(
        sparse.nearest_m_of(one[apart], other[apart]), dense.nearest_m.ravel()[apart]
    )
    assert len(sparse.pairs_of(4.0, vectorized.app)[0]) > 0


def test_a_stale_tempid_is_not_believed_in_bulk_either() -> None:
    keys = {"duration_s": "1100", "count": "8", "ios": "1", "stale_tempid": "true"}
    buggy = run(load_scenario("queue", keys), seed=1, fidelity="vectorized")
    assert open_all(buggy).rejected[Rejection.EXPIRED_ID] > 0


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
