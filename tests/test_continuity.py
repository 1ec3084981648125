"""Detection, continuity, completeness and longevity of pairs of phones."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from tracetogether.cli import cli
from tracetogether.evaluation.continuity import PairContinuity, continuity_of
from tracetogether.evaluation.scene import Scene
from tracetogether.sightings import Sightings

Row = tuple[float, str, str]
START = 1.6e9


def scene(rows: list[Row], name: str = "hall") -> Scene:
    return Scene(
        name,
        Sightings.from_columns(
            time=[START + row[0] for row in rows],
            observer=[row[1] for row in rows],
            peer=[row[2] for row in rows],
            rssi_dbm=[-60.0] * len(rows),
        ),
    )


def by_names(found: PairContinuity) -> dict[tuple[str | None, ...], dict[str, float]]:
    return {
        (found.scene[row], found.observer[row], found.peer[row]): {
            "readings": found.readings[row],
            "continuity": found.continuity[row],
            "completeness": found.completeness[row],
            "longevity": found.longevity[row],
            "gap_s": found.gap_s[row],
        }
        for row in range(len(found))
    }


def test_a_pair_by_hand() -> None:
    rows = [(0, "ann", "ben"), (29, "ann", "ben"), (95, "ann", "ben"), (40, "ben", "ann")]
    found = by_names(continuity_of([scene([*rows, (120, "ben", "cem")])]))
    # Windows begin at 0, 30, 60 and 90 s.
    assert found["hall", "ann", "ben"] == {
        "readings": 3,
        "continuity": 2 / 4,
        "completeness": 3 / 4,
        "longevity": 95 / 120,
        "gap_s": 66,
    }
    assert found["hall", "ben", "ann"]["continuity"] == 1 / 4
    assert found["hall", "ben", "ann"]["completeness"] == 3 / 4
    assert found["hall", "ann", "cem"] == {
        "readings": 0,
        "continuity": 0,
        "completeness": 0,
        "longevity": 0,
        "gap_s": 120,
    }
    assert ("hall", "cem", "ann") not in found  # cem recorded nothing


def test_scenes_are_apart_and_come_together() -> None:
    rows: list[Row] = [(0, "ann", "ben"), (10, "ann", "ben")]
    both = continuity_of([scene(rows, "hall"), scene([(0, "ben", "cem")], "yard")])
    assert sorted(by_names(both)) == [("hall", "ann", "ben"), ("yard", "ben", "cem")]
    assert both.overall() == {
        "detection": 1.0,
        "continuity": 1.0,
        "completeness": 1.0,
        "longevity": 0.5,  # a single reading lasts no time
    }
    assert len(both.take(both.readings > 1)) == 1
    assert both.to_pandas().shape == (2, 8)


def test_nothing_is_nothing() -> None:
    for scenes in ([], [scene([])]):
        found = continuity_of(scenes)
        assert len(found) == 0
        assert found.overall()["continuity"] == 0.0


@given(
    st.lists(
        st.tuples(
            st.integers(0, 500),
            st.sampled_from(["ann", "ben", "cem"]),
            st.sampled_from(["ann", "ben", "cem"]),
        ),
        min_size=1,
        max_size=40,
    )
)
def test_it_agrees_with_counting_one_by_one(rows: list[Row]) -> None:
    rows = [row for row in rows if row[1] != row[2]]
    found = by_names(continuity_of([scene(rows)], window_s=20.0))
    start = min((row[0] for row in rows), default=0.0)
    end = max((row[0] for row in rows), default=0.0)
    people = {name for row in rows for name in row[1:]}
    pairs = {(row[1], other) for row in rows for other in people - {row[1]}}
    assert {key[1:] for key in found} == pairs
    windows = max(math.ceil((end - start) / 20), 1)
    for observer, peer in pairs:
        times = sorted(row[0] for row in rows if row[1:] == (observer, peer))
        back = [row[0] for row in rows if row[1:] == (peer, observer)]
        mine = {min(int((time - start) // 20), windows - 1) for time in times}
        either = mine | {min(int((time - start) // 20), windows - 1) for time in back}
        said = found["hall", observer, peer]
        assert said["readings"] == len(times)
        assert said["continuity"] == pytest.approx(len(mine) / windows)
        assert said["completeness"] == pytest.approx(len(either) / windows)
        steps = np.diff([start, *times, end]) if times else [end - start]
        assert said["gap_s"] == pytest.approx(max(steps))


def test_from_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    lines = [f"{time},ann,ben,-60" for time in (0, 40, 100)]
    file.write_text("\n".join(["t,rx,tx,rssi", *lines]), "utf-8")
    said = json.loads(CliRunner().invoke(cli, ["continuity", str(file), "--json"]).stdout)
    assert said["overall"]["continuity"] == 0.75
    assert said["rows"][0]["gap_s"] == 60
    shown = CliRunner().invoke(cli, ["continuity", str(file), "--window", "50"]).stdout
    assert "ann - ben" in shown
    assert "continuity 100.0% of windows of 50 s" in shown
    assert "Herald published" in shown
    for window in ("nan", "inf"):
        refused = CliRunner().invoke(cli, ["continuity", str(file), "--window", window])
        assert refused.exit_code == 2
        assert "not a finite number" in refused.stderr
