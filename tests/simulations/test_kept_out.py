"""Whom an automatic rule keeps out after a crowd: counted by hand from the same run."""

import json
from functools import cache

import numpy as np
import pytest
from click.testing import CliRunner

from simulations.one_run import run
from simulations.scores.scoring import ScoredRun, score_run
from simulations.settings.scenario import load_scenario
from simulations.studies.gates import count_kept_out, study_gates
from tracetogether.cli.simulate import simulate

SETTINGS = {"people.count": "8", "duration_s": "960", "adoption": "0.9"}
NONE = 0.05
"""A chance from which on the list of this crowd restricts many."""


@cache
def scored() -> ScoredRun:
    return score_run(run(load_scenario("party", SETTINGS), seed=2, fidelity="vectorized"))


def test_counts_are_those_of_the_lists_and_the_truth() -> None:
    lines, truth = scored().scores.lines, scored().truth
    counts = count_kept_out(scored(), [NONE, 0.9], risk_per_hour=0.5)
    kept, contacts, risk, bits = 0, 0, 0.0, 0.0
    people = lines.run.tracks.people
    table = truth.table()
    for case in lines.run.app.tolist():
        refused = 1
        for row in np.flatnonzero(lines.listing.case == case).tolist():
            if lines.chance[row] >= NONE:
                minutes = table[case, lines.listing.person[row]]
                refused, kept = refused + 1, kept + 1
                contacts += minutes >= lines.policy.minutes
                risk += 1 - np.exp(-0.5 * minutes / 60)
        share = refused / people
        bits -= people * (share * np.log2(share) + (1 - share) * np.log2(max(1 - share, 1e-300)))
    found = counts[NONE]
    assert kept > contacts >= 0
    assert (found.contacts, found.no_contact) == (kept, kept - contacts)
    assert found.infected == pytest.approx(risk)
    assert found.bits == pytest.approx(bits)
    assert found.infected_all == pytest.approx((1 - np.exp(-0.5 * table[lines.run.app] / 60)).sum())
    assert found.comers == people * found.cases
    assert counts[0.9].contacts < found.contacts


def test_advice_keeps_no_contact_out_and_a_gate_learns_of_the_case_alone() -> None:
    counts = count_kept_out(scored(), [NONE])
    assert (counts[None].contacts, counts[None].infected) == (0, 0)
    assert 0 < counts[None].bits < counts[NONE].bits


def test_a_row_for_each_policy_and_chance() -> None:
    advice, own, high = study_gates(["party"], [1, 2], settings=SETTINGS, chances=[0.9])
    assert (advice.policy, advice.least_chance) == ("advice", None)
    assert (own.policy, own.least_chance, high.least_chance) == ("strict-2020", 0.3, 0.9)
    assert advice.figures["no_contact"] is None
    assert advice.to_json()["kept_out"] == 0
    row = own.to_json()
    assert row["crowds"] == 2
    assert row["kept_out_low"] < row["kept_out"] < row["kept_out_high"]
    assert row["wrong_days"] == pytest.approx(7 * row["kept_out"] * row["not_infected"])


def test_the_command_prints_the_table_and_json() -> None:
    words = ["gates", "party", "--seeds", "1", "--least-chance", "0.5"]
    words += [word for key, value in SETTINGS.items() for word in ("--set", f"{key}={value}")]
    shown = CliRunner().invoke(simulate, words)
    assert shown.exit_code == 0, shown.output
    assert "strict-2020" in shown.output
    rows = json.loads(CliRunner().invoke(simulate, [*words, "--json"]).output)
    assert [row["least_chance"] for row in rows] == [None, 0.3, 0.5]
