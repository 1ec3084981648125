"""Windows of absolute time, and what is true of them, by hand."""

import numpy as np
import pytest

from tracetogether.evaluation.scene import Scene, SceneWindows, Tracks
from tracetogether.evaluation.truth import mean_distance_m
from tracetogether.labels import Labels
from tracetogether.proximity.distances import LogsUsed
from tracetogether.proximity.grid import PairIndex, distinct_keys
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


def rows(found: SceneWindows) -> list[tuple[str | None, str | None, int, int]]:
    observer, peer = (labels.to_list() for labels in found.pairs.labels(found.pair))
    return list(zip(observer, peer, found.number.tolist(), found.sizes().tolist(), strict=True))


def test_own_windows_are_of_directed_pairs():
    found = SceneWindows.of(scene(), LogsUsed.OWN, 300)
    assert rows(found) == [
        ("ann", "ben", 2, 2),
        ("ann", "ben", 3, 1),
        ("ben", "ann", 2, 1),
        ("cem", "ann", -1, 1),
    ]
    assert found.mean(scene().sightings.rssi_dbm).tolist() == [-55, -80, -70, -90]


@pytest.mark.parametrize("logs", [LogsUsed.PAIR, LogsUsed.ALL])
def test_with_more_logs_both_directions_are_one_pair(logs):
    found = SceneWindows.of(scene(), logs, 300)
    assert rows(found) == [("ann", "ben", 2, 3), ("ann", "ben", 3, 1), ("ann", "cem", -1, 1)]
    assert found.mean(scene().sightings.rssi_dbm)[0] == -60


def test_the_truth_is_the_mean_of_known_distances_above_0():
    one = scene()
    own = mean_distance_m(one, SceneWindows.of(one, LogsUsed.OWN, 300))
    assert own.tolist() == pytest.approx([1.0, np.nan, 4.0, 2.0], nan_ok=True)
    pair = mean_distance_m(one, SceneWindows.of(one, LogsUsed.PAIR, 300))
    assert pair.tolist() == pytest.approx([2.5, np.nan, 2.0], nan_ok=True)
    unknown = Scene("s", one.sightings)
    assert np.isnan(mean_distance_m(unknown, SceneWindows.of(unknown, LogsUsed.OWN, 300))).all()


def test_many_possible_keys_are_sorted_to_the_same_result():
    key = np.random.default_rng(0).integers(0, 50, 200)
    flagged, sorted_out = distinct_keys(key, 50), distinct_keys(key, 50, dense=0)
    for column in (0, 1):
        assert flagged[column].tolist() == sorted_out[column].tolist()


def test_groups_are_reduced_as_by_a_plain_loop():
    pairs = scene().pairs(LogsUsed.PAIR)
    values = np.array([1.0, 2.0, 4.0, 8.0, -16.0])
    in_pair = {pair: values[pairs.row == pair] for pair in range(len(pairs))}
    assert pairs.sum(values).tolist() == [in_pair[pair].sum() for pair in in_pair]
    assert pairs.mean(values).tolist() == [in_pair[pair].mean() for pair in in_pair]
    assert pairs.max(values).tolist() == [max(0.0, *in_pair[pair]) for pair in in_pair]
    assert pairs.sizes().tolist() == [len(in_pair[pair]) for pair in in_pair]


def test_pairs_are_found_among_others():
    everybody, own = PairIndex.all_of(("ann", "ben", "cem")), scene().pairs(LogsUsed.OWN)
    assert everybody.find(own).tolist() == [0, -1, -1]  # the other two are the wrong way round
    assert everybody.find(own.of_pairs(directed=False)).tolist() == [0, 1]
    first, second = own.numbers_in(("ben", "ann"))
    assert (first.tolist(), second.tolist()) == ([1, 0, -1], [0, 1, 1])


def test_unknown_people_are_somebody():
    sightings = Sightings.from_columns(
        time=[0.0, 1.0, 2.0], peer=Labels.encode(["x", None, "x"]), rssi_dbm=[-50.0, -51.0, -52.0]
    )
    assert rows(SceneWindows.of(Scene("s", sightings), LogsUsed.OWN, 60)) == [
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
    both = Scene("s", sightings).pooled(LogsUsed.PAIR)
    assert both.observer.to_list() == ["a", "a"]
    assert both.peer.to_list() == ["b", "b"]
    assert both.observer_model.to_list() == ["A", "B"]
    assert Scene("s", sightings).pooled(LogsUsed.OWN) is sightings


def test_people_are_numbered_by_name():
    pairs = scene().pairs(LogsUsed.OWN)
    assert pairs.names == ("ann", "ben", "cem")
    assert pairs.first[pairs.row].tolist() == [0, 0, 1, 0, 2]
    assert pairs.second[pairs.row].tolist() == [1, 1, 0, 1, 0]


def test_an_empty_scene_has_no_windows():
    empty = Scene("s", scene().sightings.take(slice(0, 0)), np.empty(0))
    assert len(SceneWindows.of(empty, LogsUsed.OWN, 300)) == 0


def test_impossible_scenes_and_windows_are_refused():
    with pytest.raises(ValueError, match="longer than 0"):
        SceneWindows.of(scene(), LogsUsed.OWN, 0)
    with pytest.raises(ValueError, match="distance per sighting"):
        Scene("s", scene().sightings, np.zeros(2))
    with pytest.raises(ValueError, match="differ in length"):
        Tracks(np.zeros(2), Labels.constant("a", 1), np.zeros(2), np.zeros(2))
    with pytest.raises(ValueError, match="finite"):
        Tracks(np.zeros(1), Labels.constant("a", 1), np.array([np.nan]), np.zeros(1))
