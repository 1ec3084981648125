"""Windows of absolute time, and what is true of them, by hand."""

import numpy as np
import pytest

from tracetogether.evaluation import windows as windows_module
from tracetogether.evaluation.truth import window_distance_m
from tracetogether.evaluation.windows import Windows, pooled
from tracetogether.labels import Labels
from tracetogether.proximity.scene import LogsUsed, Scene, Tracks, people
from tracetogether.sightings import Sightings


def scene() -> Scene:
    sightings = Sightings.from_columns(
        #     window 2,  2,     2,     3,    -1 (of 300 s)
        time=[600.0, 899.9, 700.0, 900.0, -0.5],
        observer=["ann", "ann", "ben", "ann", "cem"],
        peer=["ben", "ben", "ann", "ben", "ann"],
        rssi_dbm=[-50.0, -60.0, -70.0, -80.0, -90.0],
        time_unit="s",
    )
    return Scene("s", sightings, np.array([1.0, np.nan, 4.0, -1.0, 2.0]))


def rows(found: Windows) -> list[tuple[str | None, str | None, int, int]]:
    return list(
        zip(
            found.observer.to_list(),
            found.peer.to_list(),
            found.window.tolist(),
            found.readings.tolist(),
            strict=True,
        )
    )


def test_own_windows_are_of_directed_pairs():
    found = Windows.of(scene(), LogsUsed.OWN, 300)
    assert rows(found) == [
        ("ann", "ben", 2, 2),
        ("ann", "ben", 3, 1),
        ("ben", "ann", 2, 1),
        ("cem", "ann", -1, 1),
    ]
    assert found.mean(scene().sightings.rssi_dbm).tolist() == [-55, -80, -70, -90]


@pytest.mark.parametrize("logs", [LogsUsed.PAIR, LogsUsed.ALL])
def test_with_more_logs_both_directions_are_one_pair(logs):
    found = Windows.of(scene(), logs, 300)
    assert rows(found) == [("ann", "ben", 2, 3), ("ann", "ben", 3, 1), ("ann", "cem", -1, 1)]
    assert found.mean(scene().sightings.rssi_dbm)[0] == -60


def test_the_truth_is_the_mean_of_known_distances_above_0():
    one = scene()
    own = window_distance_m(one, Windows.of(one, LogsUsed.OWN, 300))
    assert own.tolist() == pytest.approx([1.0, np.nan, 4.0, 2.0], nan_ok=True)
    pair = window_distance_m(one, Windows.of(one, LogsUsed.PAIR, 300))
    assert pair.tolist() == pytest.approx([2.5, np.nan, 2.0], nan_ok=True)
    unknown = Scene("s", one.sightings)
    assert np.isnan(window_distance_m(unknown, Windows.of(unknown, LogsUsed.OWN, 300))).all()


def test_many_possible_windows_are_sorted_to_the_same_result(monkeypatch):
    counted = Windows.of(scene(), LogsUsed.PAIR, 0.5)
    monkeypatch.setattr(windows_module, "_DENSE", 0)
    sorted_out = Windows.of(scene(), LogsUsed.PAIR, 0.5)
    assert rows(counted) == rows(sorted_out)
    assert counted.row.tolist() == sorted_out.row.tolist()


def test_unknown_people_are_somebody():
    sightings = Sightings.from_columns(
        time=[0.0, 1.0, 2.0], peer=Labels.encode(["x", None, "x"]), rssi_dbm=[-50.0, -51.0, -52.0]
    )
    assert rows(Windows.of(Scene("s", sightings), LogsUsed.OWN, 60)) == [
        (None, None, 0, 1),
        (None, "x", 0, 2),
    ]


def test_pooled_keeps_the_phone_models_with_each_sighting():
    sightings = Sightings.from_columns(
        time=[0.0, 1.0],
        observer=["a", "b"],
        peer=["b", "a"],
        rssi_dbm=[-50.0, -60.0],
        observer_model=["A", "B"],
        peer_model=["B", "A"],
    )
    both = pooled(Scene("s", sightings), LogsUsed.PAIR)
    assert both.observer.to_list() == ["a", "a"]
    assert both.peer.to_list() == ["b", "b"]
    assert both.observer_model.to_list() == ["A", "B"]
    assert pooled(Scene("s", sightings), LogsUsed.OWN) is sightings


def test_people_are_numbered_by_name():
    who = people(scene().sightings)
    assert who.names == ("ann", "ben", "cem")
    assert who.observer.tolist() == [0, 0, 1, 0, 2]
    assert who.peer.tolist() == [1, 1, 0, 1, 0]


def test_an_empty_scene_has_no_windows():
    empty = Scene("s", scene().sightings.take(slice(0, 0)), np.empty(0))
    assert len(Windows.of(empty, LogsUsed.OWN, 300)) == 0


def test_impossible_scenes_and_windows_are_refused():
    with pytest.raises(ValueError, match="longer than 0"):
        Windows.of(scene(), LogsUsed.OWN, 0)
    with pytest.raises(ValueError, match="distance per sighting"):
        Scene("s", scene().sightings, np.zeros(2))
    with pytest.raises(ValueError, match="differ in length"):
        Tracks(np.zeros(2), Labels.constant("a", 1), np.zeros(2), np.zeros(2))
    with pytest.raises(ValueError, match="finite"):
        Tracks(np.zeros(1), Labels.constant("a", 1), np.array([np.nan]), np.zeros(1))
