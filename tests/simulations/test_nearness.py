"""The study of nearness: its figures on pairs made by hand, and on a tiny crowd."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from simulations.one_run import Run
from simulations.scores.intervals import NoInterval
from simulations.settings.scenario import scenario_text
from simulations.studies.heard_crowds import CrowdPlan, HeardCrowd, play_crowd
from simulations.studies.nearness import NearnessQuestion, measure_nearness
from simulations.studies.pair_answers import (
    RULES_OF_BOTH_LOGS,
    RULES_OF_ONE_LOG,
    PairAnswers,
)
from simulations.studies.pair_bounds import LearningPairs, learned_answers, with_known_offsets
from simulations.studies.pair_features import features
from simulations.studies.pair_measures import (
    PairMeasures,
    SameAnswer,
    average_precision,
    jackknifed,
    precision_at_k,
)
from simulations.studies.pair_thresholds import (
    TUNED,
    GroupedRecords,
    ThresholdAnswers,
    answer_by_thresholds,
    mean_errors,
)
from tracetogether.cli.simulate import simulate
from tracetogether.errors import MissingExtraError, ScenarioError, StoreError
from tracetogether.parameters import CloseContactPolicy
from tracetogether.units import Interval

POLICY = CloseContactPolicy("2m-4min", 2.0, 4.0)
MINUTE = CloseContactPolicy("2m-1min", 2.0, 1.0)
TINY = {"duration_s": "120", "count": "8", "adoption": "1"}


@pytest.fixture(scope="module")
def heard(short_run: Run) -> HeardCrowd:
    return HeardCrowd.of(short_run, POLICY.within_m)


def test_a_crowd_holds_each_pair_once_with_its_true_minutes(
    heard: HeardCrowd, short_run: Run
) -> None:
    owner, peer = heard.pair // heard.people, heard.pair % heard.people
    assert len(heard.pair) > 50
    assert (np.diff(heard.pair) > 0).all()
    xy = short_run.tracks.xy[:, :-1].astype(np.float64)
    gap = np.linalg.norm(xy[owner] - xy[peer], axis=2)
    minutes = (gap <= POLICY.within_m).sum(axis=1) / 60
    assert heard.true_minutes == pytest.approx(minutes, abs=2 / 60)
    assert heard.true_minutes.max() > 4
    row = heard.rows_of_pairs()
    assert (heard.pair[row] == heard.owner * heard.people + heard.peer).all()
    assert np.nanmin(heard.distance_m) > 0


def test_known_offsets_leave_less_spread(heard: HeardCrowd) -> None:
    decades = np.log10(heard.distance_m)
    spreads = []
    for level in (-heard.rssi_dbm, -heard.rssi_dbm - heard.offset_db):
        line = np.polyfit(decades, level, 1)
        spreads.append(float((level - np.polyval(line, decades)).std()))
    assert spreads[1] < 0.9 * spreads[0]
    assert -heard.rssi_dbm.mean() - heard.offset_db.mean() == pytest.approx(56, abs=8)  # a loss


@pytest.mark.parametrize("rules", [RULES_OF_ONE_LOG, RULES_OF_BOTH_LOGS])
def test_every_rule_answers_about_every_pair(
    rules: dict[str, Callable[..., PairAnswers]], heard: HeardCrowd
) -> None:
    for rule in rules.values():
        answers = rule(heard, POLICY)
        assert {len(getattr(answers, name)) for name in PairAnswers.__slots__} == {len(heard.pair)}
        assert not np.isnan(answers.score).any()
        assert (answers.median >= 0).all()


def test_both_logs_of_a_pair_give_one_answer_both_ways(heard: HeardCrowd) -> None:
    answers = RULES_OF_BOTH_LOGS["single-log"](heard, POLICY)
    owner, peer = np.divmod(heard.pair, heard.people)
    back = np.searchsorted(heard.pair, peer * heard.people + owner)
    held = heard.pair[np.minimum(back, len(heard.pair) - 1)] == peer * heard.people + owner
    assert held.sum() > 20
    differs = np.abs(answers.median[back[held]] - answers.median[held])
    own = RULES_OF_ONE_LOG["single-log"](heard, POLICY).median
    assert np.median(differs) < 1e-9
    assert np.mean(np.abs(own[back[held]] - own[held])) > 1e-3


@pytest.mark.parametrize("logs", ["own", "both"])
def test_simple_rules_rank_and_count_minutes(heard: HeardCrowd, logs: str) -> None:
    records = GroupedRecords.of(heard, logs)
    owner, peer = np.divmod(heard.pair, heard.people)
    level = -1.6 - heard.rssi_dbm - 3.6  # phones that advertise no power
    level = np.where(np.isfinite(heard.tx_power_dbm), heard.tx_power_dbm - 2.6 + 1.6 + level, level)
    for place in (0, len(heard.pair) // 2):
        ways = [(owner[place], peer[place]), (peer[place], owner[place])]
        rows = np.zeros(len(heard.owner), dtype=bool)
        for first, second in ways[: 1 if logs == "own" else 2]:
            rows |= (heard.owner == first) & (heard.peer == second)
        answers = {name: answer_by_thresholds(rule, heard, records) for name, rule in TUNED.items()}
        assert answers["packet-count"].score[place] == rows.sum()
        assert answers["loudest"].score[place] == pytest.approx(-level[rows].min())
        assert answers["mean-attenuation"].score[place] == pytest.approx(-level[rows].mean())
        minutes = answers["loudest"].minutes[place]
        assert (np.diff(minutes) >= 0).all()
        assert minutes[0] < minutes[-1]
        assert np.isnan(answers["loudest"].at(None).median).all()
        assert answers["loudest"].at(20).median[place] == minutes[20]


def test_thresholds_are_tuned_on_other_scenarios() -> None:
    rising = ThresholdAnswers(np.zeros(2), np.array([[0, 5, 10], [0, 5, 10]], dtype=np.float32))
    assert mean_errors([rising], [np.array([10.0, 8.0])]) == pytest.approx([9, 4, 1])
    assert mean_errors([], []) is None
    question = NearnessQuestion(MINUTE, ("mean-attenuation",))
    alone = measure_nearness(["lift"], [1], question, settings=TINY)
    assert np.isnan(alone[0].figures["mae"].median)
    both = measure_nearness(["lift", "train-carriage"], [1], question, settings=TINY)
    assert [row.scenario for row in both] == ["lift", "train-carriage"]
    assert not any(np.isnan(row.figures["mae"].median) for row in both)


def test_statistics_of_pairs_are_those_of_their_records(heard: HeardCrowd) -> None:
    own, both = features(heard, "own"), features(heard, "both")
    row = heard.rows_of_pairs()
    assert (own[:, 0] == np.bincount(row)).all()
    assert (own[:, 3] <= own[:, 7]).all()
    assert (own[:, 7] <= own[:, 4]).all()
    peers = np.bincount(heard.pair // heard.people, minlength=heard.people)
    assert (own[:, 18] == peers[heard.pair // heard.people]).all()
    assert both.shape == (len(own), 2 * own.shape[1] + 13)
    assert not np.isnan(own).any()


@pytest.mark.slow
def test_an_estimator_that_knows_the_phones_ranks_better(full_run: Run) -> None:
    crowd = HeardCrowd.of(full_run, 2.0)
    policy = CloseContactPolicy("2m-15min", 2.0, 15.0)
    near = crowd.true_minutes >= 15
    known = average_precision(with_known_offsets(crowd, policy).score, near)
    assert known > average_precision(RULES_OF_ONE_LOG["single-log"](crowd, policy).score, near)


@pytest.mark.slow  # scikit-learn takes a second to import
def test_trees_find_what_a_feature_says() -> None:
    chance = np.random.Generator(np.random.Philox(1))
    column = chance.uniform(0, 30, (600, 1))
    training = LearningPairs.of([[(column, column[:, 0])]], 400)
    assert training is not None
    assert len(training.minutes) == 400
    (found,) = learned_answers(training, [np.array([[5.0], [25.0]])], 15.0)
    assert found.chance[0] < 0.1
    assert found.chance[1] > 0.9
    assert found.median == pytest.approx([5, 25], abs=1.5)
    assert (found.low <= found.median).all()
    assert LearningPairs.of([], 10) is None


def test_bounds_name_the_extra_that_they_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    question = NearnessQuestion(POLICY, ("tree-here",))
    with pytest.raises(MissingExtraError, match=r"tracetogether\[study\]"):
        measure_nearness(["lift"], [1], question, settings=TINY)


def test_no_tree_answers_about_a_crowd_that_it_learned_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lessons: list[tuple[int, int]] = []

    def count(training: LearningPairs, asked: list[np.ndarray], _: float) -> list[PairAnswers]:
        lessons.append((len(training.minutes), sum(len(rows) for rows in asked)))
        return [PairAnswers(*(np.zeros(len(rows)) for _ in range(5))) for rows in asked]

    monkeypatch.setattr("simulations.studies.nearness.learned_answers", count)
    question = NearnessQuestion(MINUTE, ("tree-here", "tree-others"))
    rows = measure_nearness(["lift", "train-carriage"], [1, 2], question, settings=TINY)
    assert all(row.contacts for row in rows)
    assert [row.estimator for row in rows] == ["tree-here", "tree-others"] * 2
    lift, carriage = rows[0].pairs, rows[2].pairs
    assert [sum(lesson) for lesson in lessons[:4]] == [lift, lift, carriage, carriage]
    assert lessons[4:] == [(carriage, lift), (lift, carriage)]


def test_figures_of_pairs_made_by_hand() -> None:
    true = np.array([0.0, 0.0, 10.0, 20.0])
    answers = PairAnswers(
        score=np.array([0.1, 0.9, 0.2, 0.8]),
        chance=np.array([0.1, 0.9, 0.2, 0.8]),
        low=np.zeros(4),
        median=np.array([0.0, 16.0, 4.0, 20.0]),
        high=np.array([1.0, 20.0, 5.0, 30.0]),
    )
    others = SameAnswer(minutes=5.0, low=0.0, high=10.0, chance=0.5)
    found = PairMeasures.of(answers, true, 15.0, others=others, here=None)
    assert found.near == 0.25
    assert found.mae == pytest.approx((16 + 6) / 4)
    assert found.bias == pytest.approx((16 - 6) / 4)
    assert found.mae_none == pytest.approx(7.5)
    assert found.mae_same == pytest.approx((5 + 5 + 5 + 15) / 4)
    assert found.coverage90 == 0.75
    assert found.winkler == pytest.approx((1 + 20 + 5 + 20 * 5 + 30) / 4)
    assert found.winkler_others == pytest.approx(10 + 20 * 10 / 4)
    assert np.isnan(found.winkler_here)
    assert found.ece == pytest.approx((0.1 + 0.9 + 0.2 + 0.2) / 4)
    assert found.auc == pytest.approx(2 / 3)
    assert found.average_precision == 0.5
    assert found.precision_at_k == 0.0
    assert (found.precision, found.recall) == (0.5, 1.0)


def test_equal_scores_are_found_together() -> None:
    score, near = np.array([2.0, 2.0, 1.0, 1.0]), np.array([True, False, True, False])
    assert average_precision(score, near) == 0.5
    assert average_precision(score, near[::-1]) == 0.5
    assert precision_at_k(score, near) == 0.5
    assert np.isnan(average_precision(score, np.zeros(4, dtype=bool)))


def test_the_same_answer_weighs_scenarios_equally() -> None:
    found = SameAnswer.of([np.zeros(1000), np.full(10, 20.0), np.empty(0)], 15.0)
    assert found is not None
    assert found.chance == pytest.approx(0.5)
    assert (found.low, found.high) == (0.0, 20.0)
    assert SameAnswer.of([np.empty(0)], 15.0) is None


def test_the_jackknife_of_a_mean_is_students_interval() -> None:
    values = np.array([1.0, 2.0, 4.0, 9.0])
    without = (values.sum() - values) / 3
    found = jackknifed(4.0, without, share=False)
    assert isinstance(found, Interval)
    assert (found.high - found.low) / 2 == pytest.approx(2.353363 * values.std(ddof=1) / 2)
    assert isinstance(jackknifed(4.0, without[:1], share=False), NoInterval)
    assert jackknifed(0.9, np.array([0.8, 0.99]), share=True).high == 1.0


def test_scenarios_without_contacts_teach_nothing() -> None:
    question = NearnessQuestion(CloseContactPolicy("2m-1h", 2.0, 60.0), ("constant", "loudest"))
    rows = measure_nearness(["lift", "train-carriage"], [1], question, settings=TINY)
    assert [row.estimator for row in rows] == ["loudest", "loudest"]
    assert all(np.isnan(row.figures["mae"].median) for row in rows)


def test_a_kept_crowd_is_read_back_and_not_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = CrowdPlan(scenario_text("train-carriage"), tuple(TINY.items()), 1, 2.0)
    first = play_crowd(plan, tmp_path)
    monkeypatch.setattr("simulations.studies.heard_crowds.run", None)  # would fail
    again = play_crowd(plan, tmp_path)
    for name in HeardCrowd.__slots__:
        assert np.array_equal(getattr(first, name), getattr(again, name), equal_nan=True)
    with pytest.raises(TypeError):
        play_crowd(replace(plan, seed=2), tmp_path)
    (file,) = tmp_path.glob("crowd-*.npz")
    file.write_bytes(b"PK broken")
    with pytest.raises(StoreError, match="remove it"):
        play_crowd(plan, tmp_path)


def test_the_command_prints_a_row_for_each_scenario_and_estimator(tmp_path: Path) -> None:
    words = ["nearness", "train-carriage", "lift", "--seeds", "2", "--minutes", "1"]
    words += [f"--set={key}={value}" for key, value in TINY.items()]
    words += ["--estimator", "none", "--estimator", "constant", "--estimator", "single-log"]
    words += ["--keep", str(tmp_path)]
    done = CliRunner().invoke(simulate, [*words, "--json"])
    assert done.exit_code == 0, done.output
    rows = json.loads(done.stdout)
    assert [(row["scenario"], row["estimator"]) for row in rows] == [
        (scenario, name)
        for scenario in ("train-carriage", "lift")
        for name in ("none", "constant", "single-log")
    ]
    none, ours = rows[0], rows[2]
    assert none["mae"] == none["mae_none"] == ours["mae_none"]
    assert none["ece"] is None
    assert 0 <= ours["ece"] <= 1
    assert ours["mae_low"] <= ours["mae"] <= ours["mae_high"]
    assert ours["contacts"] == round(ours["near"] * ours["pairs"])
    assert len(list(tmp_path.glob("crowd-*.npz"))) == 4
    table = CliRunner().invoke(simulate, words)
    assert "±" in table.stdout
    assert f"{ours['mae']:.2f}" in table.stdout


def test_a_wrong_name_is_refused_before_the_work() -> None:
    with pytest.raises(ScenarioError, match="single-log"):
        NearnessQuestion(POLICY, ("single-lig",))
    with pytest.raises(ScenarioError, match="both"):
        NearnessQuestion(POLICY, logs=("bothe",))
    question = NearnessQuestion(POLICY, ("none",))
    with pytest.raises(ScenarioError, match="nonsense"):
        measure_nearness(["lift"], [1], question, settings={"nonsense": "1"})


@pytest.mark.slow
def test_rows_are_the_same_for_any_number_of_processes() -> None:
    question = NearnessQuestion(POLICY, ("constant", "single-log"), ("own", "both"))
    rows = [
        [
            row.to_json()
            for row in measure_nearness(
                ["lift", "train-carriage"], [1, 2], question, settings=TINY, workers=workers
            )
        ]
        for workers in (1, 2)
    ]
    assert rows[0] == rows[1]
