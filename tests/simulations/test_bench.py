"""Speed as ratios and counted work, in one run: nothing here knows how fast the machine is."""

import json
import sys
from dataclasses import replace

import pytest
from click.testing import CliRunner

from simulations.fidelities.scans import Packets, Scans
from simulations.one_run import run
from simulations.radio.channel import Channel
from simulations.studies.bench import (
    WITHOUT_JUPEDSIM,
    crowd_of,
    time_objects,
    time_processes,
    time_vectorized,
)
from tracetogether import __version__
from tracetogether.cli.simulate import simulate
from tracetogether.units import Bools, Floats, Ints

pytestmark = pytest.mark.slow


def test_columns_are_faster_than_objects_on_the_same_crowd() -> None:
    """The ratio grows with the crowd; at 600 people it is about three."""
    time_vectorized(200, 8.0)  # what is imported once is not what is measured
    columns, objects = time_vectorized(600, 8.0), time_objects(600, 8.0)
    for count in ("records", "lines_listed"):
        assert columns.counts[count] == objects.counts[count] > 500
    assert columns.people_s_per_cpu_s > 1.5 * objects.people_s_per_cpu_s


def test_work_per_phone_does_not_grow_with_the_crowd(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = levels = 0
    listen, level_dbm = Scans.listen, Channel.level_dbm

    def counting(scans: Scans, *about: object) -> tuple[Packets, Bools]:
        nonlocal asked
        before = scans.asked
        found = listen(scans, *about)  # type: ignore[arg-type]
        asked += scans.asked - before
        return found

    def counting_levels(channel: Channel, tx: Ints, *about: object) -> Floats:
        nonlocal levels
        levels += len(tx)
        return level_dbm(channel, tx, *about)  # type: ignore[arg-type]

    monkeypatch.setattr(Scans, "listen", counting)
    monkeypatch.setattr(Channel, "level_dbm", counting_levels)

    def per_phone(people: int) -> float:
        nonlocal asked, levels
        asked = levels = 0
        played = run(crowd_of(people, 3.0, duration_s=50), seed=1, fidelity="vectorized")
        receptions = played.counts["receptions"]
        assert asked >= levels >= receptions > 0
        assert asked < 2.5 * receptions  # nobody is asked about whom a scan heard already
        assert levels < 1.8 * receptions  # nor is a level that nothing hangs on
        return asked / float(played.tracks.present()[played.app].sum())

    # Five times the people; that fewer stand at the edge accounts for what little it grows.
    assert per_phone(5000) < 1.5 * per_phone(1000)


def test_the_crowd_keeps_its_density() -> None:
    small, large = crowd_of(1200, 10.0), crowd_of(6000, 10.0)
    assert large.people.count / large.venue.width_m == small.people.count / small.venue.width_m
    assert replace(large, people=small.people, venue=small.venue) == small


def test_a_bare_clock_wakes_as_often_as_phones_do() -> None:
    timing = time_processes(50, simulated_s=94.0)
    assert timing.counts["events"] == pytest.approx(50 * (94 + 2), rel=0.05)


def test_the_command_says_what_it_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jupedsim", None)  # as if it were not installed
    words = ["bench", "--people", "150", "--also", "100", "--objects", "100", "--json"]
    result = CliRunner().invoke(simulate, words)
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout)
    assert printed["additions_per_s"] > 0
    names = [(row["what"], row["people"]) for row in printed["rows"]]
    assert names[:3] == [
        ("vectorized, whole chain", 100),
        ("vectorized, whole chain", 150),
        ("movement alone", 150),
    ]
    assert ("objects, chain without scores", 100) in names
    assert printed["times_as_fast"].keys() == {"100"}
    assert printed["times_as_fast"]["100"] > 0
    assert printed["left_out"] == [WITHOUT_JUPEDSIM]
    assert printed["versions"]["tracetogether"] == __version__
    assert "pip install jupedsim" in WITHOUT_JUPEDSIM
    for row in printed["rows"]:
        assert row["people_s_per_cpu_s"] >= row["there_s_per_cpu_s"] > 0
        assert row["peak_mb"] > 0
