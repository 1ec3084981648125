import gc
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from simulations.one_run import DEFAULT_START, Run, log_digest, run
from simulations.phones.tempids import LocalTempIDs
from simulations.settings.scenario import Scenario, load_scenario, scenario_names
from simulations.streams import Streams
from tracetogether.bluetrace.batch import TempIDBatch
from tracetogether.contactlog import MemoryContactLog
from tracetogether.rejection import Rejection
from tracetogether.sightings import Sighting

CODE = """
from dataclasses import replace
from simulations.one_run import run
from simulations.settings.scenario import load_scenario
scenario = load_scenario("train-carriage")
scenario = replace(scenario, duration_s=150.0, people=replace(scenario.people, count=20))
print(run(scenario, seed=5).digest)
"""


def test_the_same_seed_in_two_processes() -> None:
    said = [
        subprocess.run(
            [sys.executable, "-c", CODE],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": "."},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "77")
    ]
    assert said[0] == said[1]
    assert len(said[0]) == 64


def test_the_same_seed_again_and_another(short: Scenario, short_run: Run) -> None:
    assert run(short, seed=1).digest == short_run.digest
    assert run(short, seed=2).digest != short_run.digest


def test_the_start_moves_everything_along(short: Scenario, short_run: Run) -> None:
    later = run(short, seed=1, start=DEFAULT_START + 86_400)
    assert later.digest != short_run.digest
    for person, log in short_run.logs.items():
        moved = later.logs[person].rows()
        assert [row.rssi_dbm for row in moved] == [row.rssi_dbm for row in log.rows()]
        gaps = [b.time - a.time for a, b in zip(log.rows(), moved, strict=True)]
        assert np.allclose(gaps, 86_400, atol=1e-3)


def test_digest_is_of_contents_in_any_order() -> None:
    rows = [Sighting(1.0, "b", -60), Sighting(1.0, "a", -61), Sighting(2.0, "a", -62)]
    digest = log_digest({3: MemoryContactLog.of(rows), 1: MemoryContactLog.of(rows[:1])})
    again = log_digest({1: MemoryContactLog.of(rows[:1]), 3: MemoryContactLog.of(rows[::-1])})
    assert digest == again
    changed = [replace(rows[0], rssi_dbm=-60.5), *rows[1:]]
    assert digest != log_digest({3: MemoryContactLog.of(changed), 1: MemoryContactLog.of(rows[:1])})
    assert digest != log_digest({1: MemoryContactLog.of(rows), 3: MemoryContactLog.of(rows[:1])})


class Elsewhere:
    """An authority with chance of its own, as a real one."""

    def __init__(self) -> None:
        self.local = LocalTempIDs(DEFAULT_START, Streams(999))
        self.enrolled: list[int] = []
        self.now = 0.0

    def enrol(self, person: int) -> str:
        self.enrolled.append(person)
        return self.local.enrol(person)

    def batch(self, user_id: str, now: float) -> TempIDBatch:
        assert self.now == now  # on_time came before the call
        return self.local.batch(user_id, now)

    def clock(self, now: float) -> None:
        assert now >= self.now
        self.now = now


def test_another_source_of_tempids_changes_tokens_alone(short: Scenario, short_run: Run) -> None:
    source = Elsewhere()
    other = run(short, seed=1, source=source, on_time=source.clock)
    assert source.enrolled == short_run.app.tolist()
    assert other.issuer is None
    assert other.digest != short_run.digest
    for person, log in short_run.logs.items():
        pairs = zip(log.rows(), other.logs[person].rows(), strict=True)
        assert all((a.time, a.rssi_dbm) == (b.time, b.rssi_dbm) for a, b in pairs)


def test_progress_goes_to_the_end(short: Scenario) -> None:
    steps: list[tuple[int, int]] = []
    run(replace(short, duration_s=60.0), seed=1, on_progress=lambda *step: steps.append(step))
    assert len(steps) == 100
    assert steps[-1] == (60, 60)
    assert steps == sorted(steps)


def test_only_people_with_the_app_have_logs(short_run: Run) -> None:
    assert len(short_run.app) == round(0.8 * 16)
    assert set(short_run.logs) == set(short_run.user_ids) == set(short_run.app.tolist())
    assert len(set(short_run.user_ids.values())) == len(short_run.app)


def test_higher_adoption_keeps_who_had_it(short: Scenario) -> None:
    def with_app(adoption: float) -> set[int]:
        people = replace(short.people, adoption=adoption)
        found = run(replace(short, duration_s=20.0, people=people), seed=1)
        return set(found.app.tolist())

    few, many, none = with_app(0.4), with_app(0.8), with_app(0.0)
    assert few < many
    assert (len(few), len(many), len(none)) == (6, 13, 0)


def test_records_of_people_who_met(full_run: Run) -> None:
    """Nobody is in a log who was never there together with its owner."""
    assert full_run.issuer is not None
    people = {user_id: person for person, user_id in full_run.user_ids.items()}
    present = full_run.tracks.present()
    rows = [(person, row) for person, log in full_run.logs.items() for row in log.rows()]
    tokens = [row.peer for _, row in rows]
    times = np.array([row.time for _, row in rows])
    late = ~full_run.issuer.open_many(tokens, times).accepted
    assert late.mean() < 0.001  # a TempID may run out while it is being written, 0.1 to 0.4 s
    opened = full_run.issuer.open_many(tokens, np.where(late, times - 0.4, times))
    assert opened.accepted.all()
    for (person, row), user_id in zip(rows, opened.user.to_list(), strict=True):
        tick = int(row.time - full_run.start)
        # Some seconds may pass between hearing and writing down.
        around = slice(max(tick - 12, 0), tick + 1)
        assert present[person, around].any()
        assert present[people[str(user_id)], around].any()
        assert people[str(user_id)] != person


def test_a_full_run_does_the_work_it_should(full_run: Run) -> None:
    counts = full_run.counts
    assert counts["scans"] == pytest.approx(48 * 1800 / 50, rel=0.1)
    assert counts["fetches"] == 48
    assert counts["connections"] <= counts["connections_tried"]
    assert 1.9 * counts["connections"] <= counts["records"] <= 2 * counts["connections"]
    assert not full_run.rejections


def test_a_full_run_is_quick(full_run_cpu_s: float) -> None:
    """Part of a demo that must end within a minute; it takes a few seconds."""
    assert full_run_cpu_s < 20


def test_the_stale_tempid_has_an_effect_after_a_window(short: Scenario) -> None:
    longer = replace(short, duration_s=1100.0)
    buggy = run(replace(longer, phones=replace(short.phones, stale_tempid=True)), seed=1)
    opened = [
        buggy.issuer.open(row.peer, row.time)  # type: ignore[union-attr]
        for log in buggy.logs.values()
        for row in log.rows()
    ]
    assert Rejection.EXPIRED_ID in opened


@pytest.mark.parametrize("name", scenario_names())
def test_every_shipped_scenario_plays(name: str) -> None:
    """A minute and a half of each, the whole chain in it."""
    few = min(load_scenario(name).people.count, 60)
    scenario = load_scenario(name, {"duration_s": "90", "count": str(few)})
    played = run(scenario, seed=1)
    assert played.counts["scans"] > 0
    assert played.counts["receptions"] > 0
    assert not played.rejections


@pytest.mark.parametrize("was_on", [True, False])
def test_the_collector_is_left_as_it_was(was_on: bool) -> None:
    crowd = load_scenario("queue", {"count": "5", "duration_s": "20"})
    before = gc.isenabled()
    (gc.enable if was_on else gc.disable)()
    during: list[bool] = []
    try:
        run(
            crowd,
            seed=1,
            fidelity="vectorized",
            on_progress=lambda *_: during.append(gc.isenabled()),
        )
        assert gc.isenabled() is was_on
    finally:
        (gc.enable if before else gc.disable)()
    assert not any(during)
