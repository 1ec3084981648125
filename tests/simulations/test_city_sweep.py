"""Cities for programs, and sweeps that stop and go on."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from click.testing import CliRunner

from simulations.city import City, CitySweepResult, compare, run, sweep
from simulations.city import sweeps as sweeps_module
from simulations.city.many_runs import run_tasks, tasks_of
from simulations.city.results import findings, summary
from simulations.city.seed_means import SeedMean, SeedRatio, curve_means
from simulations.city.sweep_points import LEAST_EARLY, early_r, point_of
from simulations.city.thresholds import threshold
from tests.simulations.test_city_run import mixed_city
from tracetogether.cli.city import city
from tracetogether.errors import ScenarioError, StoreError

SMALL = {
    "people.count": 2000,
    "days": 24,
    "tests.share": 0.8,
    "isolation.compliance": 0.5,
}
ADOPTIONS = [0, 0.9]


@pytest.fixture(scope="module")
def town() -> City:
    return City.load("test-town", SMALL)


@pytest.fixture(scope="module")
def swept(town: City) -> CitySweepResult:
    return sweep(town, {"adoption": ADOPTIONS}, seeds=2, workers=1)


def test_a_city_takes_other_values_and_refuses_wrong_ones(town: City) -> None:
    assert town.scenario.people.count == 2_000
    changed = town.with_(**{"app.adoption": 0.25, "second_degree": True})
    assert (changed.scenario.app.adoption, changed.scenario.app.second_degree) == (0.25, True)
    assert town.scenario.app.adoption == 0
    with pytest.raises(ScenarioError, match=r"from 0 to 1, not 1\.5"):
        town.with_(**{"app.adoption": 1.5})
    with pytest.raises(ScenarioError, match=r"did you mean 'app\.adoption'"):
        town.with_(**{"app.adopton": 0.5})


def test_a_result_has_columns_a_frame_and_a_picture(town: City, tmp_path: Path) -> None:
    result = run(town, seed=3)
    assert "2,000 infected" in repr(result)
    columns = result.columns
    assert columns["infections"].sum() == result.figures["infections"]
    assert {len(column) for column in columns.values()} == {24}
    frame = result.to_pandas()
    assert frame["tests"].sum() == result.figures["tests"] > 0
    assert frame["r_of_cases"].isna().tolist() == [False] * 10 + [True] * 14
    assert len(result.plot().axes) == 3
    assert result.save_plot(tmp_path / "run.png").stat().st_size > 10_000
    result.save(tmp_path / "run")
    kept = json.loads((tmp_path / "run" / "manifest.json").read_text("utf-8"))
    assert kept["digest"] == result.figures["digest"]
    ages = (tmp_path / "run" / "ages.csv").read_text("utf-8").splitlines()
    assert ages[0] == "from_age,people,infections,severe,deaths"
    assert len(ages) == 10


def test_a_sweep_runs_every_setting_with_the_same_seeds(town: City, swept: CitySweepResult) -> None:
    assert [(row["settings"]["app.adoption"], row["seed"]) for row in swept.rows] == [
        (0.0, 1),
        (0.0, 2),
        (0.9, 1),
        (0.9, 2),
    ]
    without, with_app = swept.points
    assert without["figures"]["warned"]["mean"] == 0 < with_app["figures"]["warned"]["mean"]
    assert without["against_first"] is None
    averted = [
        swept.rows[seed]["infections"] - swept.rows[seed + 2]["infections"] for seed in (0, 1)
    ]
    assert with_app["against_first"]["averted"]["mean"] == np.mean(averted)
    calls = with_app["against_first"]["per_averted"]["calls"]["ratio"]
    wanted = with_app["figures"]["calls"]["mean"] / np.mean(averted)
    assert calls == (pytest.approx(wanted) if wanted > 0 else None)
    alone = run(town.with_(adoption=0.9), seed=2).figures
    assert alone["digest"] == swept.rows[3]["digest"]
    runs = swept.to_pandas(runs=True)
    assert runs["infections"].tolist() == [row["infections"] for row in swept.rows]
    frame = swept.to_pandas()
    assert frame["app.adoption"].tolist() == [0.0, 0.9]
    assert (
        frame["infections"].tolist() == runs.groupby("app.adoption")["infections"].mean().tolist()
    )
    assert (frame["infections_low"] <= frame["infections"]).all()
    assert len(swept.plot().axes[0].lines) == 2
    said = swept.to_json()
    assert said["vary"] == {"app.adoption": [0.0, 0.9]}
    assert said["format"] == "tracetogether city sweep 1"
    assert json.loads(json.dumps(said, allow_nan=False)) == said
    assert said["answers"][1].startswith("With app.adoption=0.9, ")


def test_a_stopped_sweep_goes_on(
    town: City, swept: CitySweepResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(done: int, _total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    folder = tmp_path / "sweep"
    vary = {"app.adoption": ADOPTIONS}
    with pytest.raises(KeyboardInterrupt):
        sweep(town, vary, seeds=2, workers=1, folder=folder, on_progress=stop)
    assert len(list(folder.glob("part-*.json"))) == 3
    assert not (folder / "results.json").exists()
    numbers = []

    def count(tasks, **options) -> None:
        numbers.append(len(tasks))
        run_tasks(tasks, **options)

    monkeypatch.setattr(sweeps_module, "run_tasks", count)
    again = sweep(town, vary, seeds=2, workers=1, folder=folder)
    assert numbers == [1]
    assert again.digest == swept.digest
    kept = json.loads((folder / "results.json").read_text("utf-8"))
    assert kept["digest"] == again.digest
    table = (folder / "points.csv").read_text("utf-8").splitlines()
    assert table[0].startswith("app.adoption,seeds,r,r_low,r_high,k,k_low,k_high,infections,")
    assert pyarrow.parquet.read_table(folder / "rows.parquet").num_rows == 4
    assert len(kept["rows"]) == 4
    sweep(town, vary, seeds=1, workers=1, folder=folder)  # fewer seeds need no run
    assert numbers == [1, 0]
    with pytest.raises(StoreError, match="holds another sweep"):
        sweep(City.load("university"), vary, seeds=1, workers=1, folder=folder)


def test_other_code_runs_again(town: City, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "sweep"
    sweep(town, {"app.adoption": [0]}, seeds=1, workers=1, folder=folder)
    monkeypatch.setattr(sweeps_module, "made_by", lambda: {"city": "other"})
    sweep(town, {"app.adoption": [0]}, seeds=1, workers=1, folder=folder)
    assert len(list(folder.glob("part-*.json"))) == 2


def test_the_command_is_that_of_the_library(swept: CitySweepResult, tmp_path: Path) -> None:
    words = ["sweep", "test-town", "--vary", "adoption=0,0.9", "--seeds", "2", "--workers", "1"]
    words += [f"--set={key}={value}" for key, value in SMALL.items()]
    words += ["-o", str(tmp_path / "out")]
    done = CliRunner().invoke(city, [*words, "--json"])
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert said["digest"] == swept.digest
    assert json.loads((tmp_path / "out" / "results.json").read_text("utf-8")) == said
    shown = CliRunner().invoke(city, words).stdout
    assert swept.answers()[0] in shown
    wrong = CliRunner().invoke(city, [*words[:4], "--threshold", "consent"])
    assert wrong.exit_code == 2
    assert "--threshold needs --vary app.consent=VALUES" in wrong.output


def test_wrong_values_are_refused_before_the_first_run(town: City) -> None:
    twice = {"adoption": [0], "app.adoption": [1]}
    for vary in ({"app.adoption": [0, 2]}, twice, {}, {"adoption": []}, {"adoption": "0.2"}):
        with pytest.raises(ScenarioError):
            sweep(town, vary, seeds=1)


def test_a_value_that_is_named_twice_counts_once(town: City, tmp_path: Path) -> None:
    few = town.with_({"people.count": 60}, days=6)
    found = sweep(few, {"app.adoption": [0, 0.0, 1]}, seeds=2, folder=tmp_path / "kept")
    assert [point["seeds"] for point in found.points] == [[1, 2], [1, 2]]
    assert found.digest == sweep(few, {"app.adoption": [0, 1]}, seeds=2).digest


def test_tables_without_lines_have_a_header(town: City, tmp_path: Path) -> None:
    run(town.with_({"people.count": 60}, days=1)).save(tmp_path / "short")
    kept = (tmp_path / "short" / "generations.csv").read_text("utf-8")
    assert kept == "generation,cases,infected\n"


def test_wrong_arguments_of_programs_are_named(town: City, tmp_path: Path) -> None:
    few = town.with_({"people.count": 60}, days=1)
    assert len(sweep(few, {"app.adoption": np.linspace(0, 1, 2)}, seeds=1).points) == 2
    with pytest.raises(ScenarioError, match="one seed or more"):
        compare(few, few, seeds=0)
    with pytest.raises(ScenarioError, match="workers is 1 or more, not 0"):
        sweep(few, {"app.adoption": [0, 1]}, seeds=1, workers=0)
    result = run(few)
    with pytest.raises(ScenarioError, match="days and tree, not 'weeks'"):
        result.to_pandas("weeks")  # type: ignore[arg-type]
    with pytest.raises(StoreError, match="csv or parquet, not as 'xml'"):
        result.save(tmp_path / "kept", tree="xml")


def test_sentences_name_the_people_and_days_of_their_point(town: City) -> None:
    few = town.with_({"people.count": 70})
    found = sweep(few, {"people.count": [60, 80], "days": [1, 2]}, seeds=1)
    wanted = ("of 60 people are infected in 1 day ", "of 80 people are infected in 2 days ")
    assert wanted[0] in found.answers()[0]
    assert wanted[1] in found.answers()[-1]


@pytest.mark.parametrize(
    ("option", "number", "key"), [("--days", "2001", "days"), ("--people", "200000001", "people")]
)
def test_options_keep_to_the_limits_of_their_keys(option: str, number: str, key: str) -> None:
    done = CliRunner().invoke(city, ["run", "test-town", option, number])
    assert isinstance(done.exception, ScenarioError)
    assert key in str(done.exception)


def test_intervals_stay_within_what_is_possible(town: City) -> None:
    few = town.with_({"people.count": 60}, days=20)
    rows = [findings(run(few, seed=1).played)] * 2
    rows[1] = rows[1] | {"infections": 20, "attack_rate": 1 / 3, "severe": 50, "peak_day": 19}
    figures = point_of({}, rows)["figures"]
    tops = {name: figures[name]["high"] for name in ("infections", "attack_rate", "severe")}
    assert tops == {"infections": 60, "attack_rate": 1, "severe": 60}
    assert figures["peak_day"]["high"] == 19
    assert SeedRatio.of([50.0, 10.0], [60.0, 50.0], most=1.0).high == 1


def test_comparing_cities_averts_what_the_rows_say(town: City) -> None:
    found = compare(town.with_(adoption=0.9), town, seeds=2, workers=1)
    averted = [row["against_infections"] - row["infections"] for row in found.rows]
    assert found.averted.mean == np.mean(averted)


def test_cities_that_share_people_are_calibrated_once(town: City) -> None:
    scenarios = [town.scenario, town.with_(adoption=0.5).scenario]
    tasks = tasks_of(scenarios, [1, 2])
    assert [task.seed for task in tasks] == [1, 1, 2, 2]
    assert len({task.scale for task in tasks}) == 1


def test_curves_have_an_interval_where_two_seeds_know_them() -> None:
    curves = curve_means(np.array([[1.0, 4.0, np.nan], [3.0, np.nan, np.nan]]))
    assert curves["mean"] == [2.0, 4.0, None]
    assert curves["low"] == [0.0, None, None]  # Student's t of two seeds is 6.3
    assert curves["high"][0] == pytest.approx(2 + 6.3138, abs=1e-3)
    assert SeedMean.of([1.0, 3.0]).high == pytest.approx(2 + 6.3138, abs=1e-3)


def test_fiellers_interval_covers_a_known_ratio() -> None:
    """Of many samples of six seeds, 90 % of the intervals hold the ratio that made them."""
    random = np.random.default_rng(5)
    held = 0
    for _ in range(400):
        under = random.normal(10, 4, 6)
        over = 3 * under + random.normal(0, 5, 6)
        found = SeedRatio.of(over.tolist(), under.tolist())
        held += found.low is None or found.low <= 3 <= found.high
    assert held / 400 == pytest.approx(0.9, abs=0.04)
    assert SeedRatio.of([1, 2], [-1, 1]).low is None
    assert SeedRatio.of([1.0], [2.0]) == SeedRatio(0.5, None, None)


def row_of(adoption: float, seed: int, cases: int, infected: int) -> dict[str, object]:
    early = {"cases": cases, "infected": infected}
    return {"settings": {"app.adoption": adoption}, "seed": seed, "early": early}


def rows_with_r(by_value: dict[float, list[int]]) -> list[dict[str, object]]:
    return [
        row_of(value, seed, 1_000, infected)
        for value, of_seeds in by_value.items()
        for seed, infected in enumerate(of_seeds)
    ]


def test_the_adoption_from_which_r_is_below_1() -> None:
    rows = rows_with_r(
        {0.2: [1_490, 1_510, 1_500], 0.6: [1_110, 1_090, 1_100], 1.0: [890, 910, 900]}
    )
    found = threshold("app.adoption", rows)
    assert found.value == pytest.approx(0.8)
    assert 0.6 < found.low < 0.8 < found.high < 1
    assert found.sentence.startswith("R falls below 1 at app.adoption = 0.80 (90 % interval 0.")
    assert found.low <= threshold("app.adoption", rows[:8]).value <= 1
    few = threshold("app.adoption", rows_with_r({0.2: [1_500], 1.0: [500]}))
    assert (few.value, few.low, few.high) == (pytest.approx(0.6), None, None)


def test_the_answer_says_when_r_does_not_cross_1() -> None:
    high = threshold("app.adoption", rows_with_r({0.0: [1_500, 1_500], 0.8: [1_200, 1_210]}))
    assert high.value is None
    assert "R does not fall below 1 up to app.adoption = 0.8" in high.sentence
    low = threshold("app.adoption", rows_with_r({0.0: [900, 890], 0.8: [500, 510]}))
    assert low.value is None
    assert "R is below 1 already at app.adoption = 0" in low.sentence
    with pytest.raises(ScenarioError, match="two are needed"):
        threshold("app.adoption", rows_with_r({0.0: [900]}))


def test_the_guide_says_what_every_figure_of_a_run_is(town: City) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "howto" / "city.md").read_text("utf-8")
    table = guide.partition("## The figures of a run")[2].partition("## ")[0]
    names = set(summary(run(town.with_(days=2)).played))
    assert names <= set(re.findall(r"`(\w+)`", table))


def test_a_sweep_over_adoption_says_when_r_is_not_known(town: City) -> None:
    found = sweep(town.with_({"people.count": 500}, days=12), {"app.adoption": [0, 0.8]}, seeds=1)
    assert found.crossing is None
    assert found.answers()[-1] == (
        "From which app.adoption on R is below 1 is not known: it needs R at two values, "
        "with 10 early cases or more at each."
    )


def test_a_point_holds_what_its_seeds_say(town: City) -> None:
    slow = town.with_({"people.count": 4000}, reproduction_number=1.4, days=32)
    rows = [findings(run(slow, seed=seed).played) for seed in (1, 2)]
    point = point_of({}, rows)
    offspring = np.array(point["offspring"])
    assert offspring.sum() == sum(sum(row["offspring"]) for row in rows)
    assert point["curves"]["infections"]["mean"][0] == 20
    caused = sum(row["early"]["infected"] for row in rows)
    cases = sum(row["early"]["cases"] for row in rows)
    assert cases >= LEAST_EARLY
    assert early_r(rows)["r"] == caused / cases
    few = [row | {"early": {"cases": LEAST_EARLY // 2 - 1, "infected": 3}} for row in rows]
    assert early_r(few) == {"r": None, "low": None, "high": None}
    assert point["by_age"][8]["people"] == rows[0]["by_age"][8]["people"]
    assert sum(line["cases"] for line in point["generations"]) == offspring.sum()


def test_where_r_is_below_1_is_what_theory_says() -> None:
    """Closing a share c of the only contacts leaves R (1 - c), which is 1 at c = 1 - 1 / R."""
    mixed = mixed_city(1.6, 30_000, 40)
    found = sweep(City(mixed), {"closures.city": [0.2, 0.6]}, seeds=3, threshold="closures.city")
    assert found.crossing is not None
    assert found.crossing.low < 1 - 1 / 1.6 < found.crossing.high
    assert found.crossing.value == pytest.approx(1 - 1 / 1.6, abs=0.05)


KILLED = """
import sys
from pathlib import Path
from simulations.city import City, sweep
if __name__ == "__main__":
    town = City.load("test-town", {"people.count": 2000, "days": 24})
    sweep(town, {"adoption": [0, 1]}, seeds=50, workers=2, folder=Path(sys.argv[1]))
"""


@pytest.mark.slow
def test_workers_of_a_killed_sweep_end(tmp_path: Path) -> None:
    """They would wait for their next run forever, as each holds both ends of the queue."""
    script, folder = tmp_path / "killed.py", tmp_path / "sweep"
    script.write_text(KILLED)
    with subprocess.Popen(
        [sys.executable, script, folder], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as child:
        while child.poll() is None and not list(folder.glob("part-*.json")):
            time.sleep(0.05)
        child.kill()
        child.communicate(timeout=180)  # until no process holds the pipe any more
    assert len(list(folder.glob("part-*.json"))) < 100
