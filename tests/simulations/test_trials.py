import json

import pytest
from click.testing import CliRunner

from simulations.one_run import run
from simulations.scores.breakdown import near_windows
from simulations.scores.tracing import open_run
from simulations.settings.scenario import load_scenario
from simulations.studies.trials import TRIALS
from simulations.studies.validation import ComparedStatistic
from tracetogether.cli.simulate import simulate
from tracetogether.units import Interval

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tram() -> dict[str, dict]:
    words = ["validate", "trials", "--trial", "tram", "--seeds", "2", "--json"]
    done = CliRunner().invoke(simulate, words)
    assert done.exit_code == 0, done.output
    return {row["statistic"]: row for row in json.loads(done.stdout)}


def test_in_the_tram_the_swiss_rule_finds_almost_nothing(tram: dict[str, dict]) -> None:
    for whom in ("contacts", "others"):
        row = tram[f"tram_swiss_rule_{whom}_notified"]
        assert row["simulated"] <= 0.05
        assert row["ok"]


def test_in_the_tram_the_italian_rule_finds_about_half_of_all(tram: dict[str, dict]) -> None:
    near, others = (tram[f"tram_italian_rule_{whom}_notified"] for whom in ("contacts", "others"))
    assert 0.3 < near["simulated"] < 0.7
    assert 0.3 < others["simulated"] < 0.7
    assert near["simulated"] - others["simulated"] < 0.25  # it hardly tells one from the other


def test_the_ward_plays() -> None:
    steps: list[tuple[int, int]] = []
    rows = TRIALS["ward"].play([1], lambda *step: steps.append(step))
    assert [row.statistic for row in rows] == ["ward_overall", "ward_android", "ward_iphone"]
    assert steps == [(1, 1)]
    overall = rows[0].simulated
    assert overall is not None
    assert 0.0 <= overall.median <= 0.6  # no more than the few patients with the app


def test_locked_iphones_in_an_office_find_few_of_each_other() -> None:
    settings = {"ios": "1", "locked": "1", "background": "0", "duration_s": "3600"}
    recorded = []
    for seed in range(1, 9):  # the trial's eight seeds: one office differs much from the next
        played = run(load_scenario("office-day", settings), seed=seed, fidelity="vectorized")
        opened = open_run(played)
        recorded += near_windows(played, opened, 2.0).recorded.tolist()
        assert (opened.owner != opened.peer).all()
    assert len(recorded) > 800
    assert 0.07 <= sum(recorded) / len(recorded) <= 0.40


def test_a_row_says_whether_it_agrees() -> None:
    def row(share: Interval | None) -> ComparedStatistic:
        return ComparedStatistic("x", share, 0.5, 0.4, 0.6, "somebody", "published")

    assert row(Interval(0.3, 0.5, 0.7)).ok
    assert not row(Interval(0.3, 0.35, 0.7)).ok
    assert not row(None).ok
    assert row(None).to_json()["simulated"] is None


def test_the_table_names_the_source() -> None:
    done = CliRunner().invoke(simulate, ["validate", "trials", "--trial", "tram", "--seeds", "1"])
    assert "Leith" in done.stdout
