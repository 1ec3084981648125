"""Who was tracked when, and how long who was near whom, by hand."""

import numpy as np
import pytest

from tracetogether.evaluation.scene import Tracks
from tracetogether.evaluation.truth import Presence, TrueMinutes, track_distance_m
from tracetogether.labels import Labels
from tracetogether.sightings import Sightings


def walk() -> Tracks:
    """Return ann at 0 for two minutes; ben from 1 m to 3 m after one minute, tracked for 90 s."""
    ann, ben = np.arange(0, 120, 0.5), np.arange(0, 90, 0.5)
    times = np.concatenate([ann, ben])
    order = np.random.default_rng(0).permutation(len(times))
    person = Labels.encode(["ann"] * len(ann) + ["ben"] * len(ben))
    x = np.concatenate([np.zeros(len(ann)), np.where(ben < 60, 1.0, 3.0)])
    return Tracks(1e9 + times[order], person.take(order), x[order], np.zeros(len(x)))


def test_true_minutes_count_samples_of_both():
    true = TrueMinutes.of(walk(), 2.0)
    assert true.names == ("ann", "ben")
    assert true.tracked.tolist() == [[2.0, 1.5], [1.5, 1.5]]
    assert true.near[0, 1] == true.near[1, 0] == 1.0
    assert TrueMinutes.of(walk(), 3.0).near[0, 1] == 1.5  # the radius itself is within
    assert TrueMinutes.of(walk(), 0.9).near[0, 1] == 0.0


def test_presence_knows_when_both_were_tracked():
    when = Presence.of(walk())
    assert when.step_s == 0.5
    pair = when.numbers(Labels.encode(["ann", "ben", "zoe"]))
    assert pair.tolist() == [0, 1, -1]
    at = np.array([1e9 - 5, 1e9, 1e9 + 89.5, 1e9 + 90, 1e9 + 500])
    together = when.together(np.zeros(5, dtype=int), np.ones(5, dtype=int), at)
    assert together.tolist() == [False, True, True, False, False]
    stranger = when.together(np.array([0]), np.array([-1]), np.array([1e9]))
    assert not stranger.any()


def test_distances_can_be_read_off_the_tracks():
    sightings = Sightings.from_columns(
        time=[1e9 + 10, 1e9 + 70, 1e9 + 100, 1e9 + 10],
        observer=["ann", "ben", "ann", "ann"],
        peer=["ben", "ann", "ben", "zoe"],
        rssi_dbm=[-60.0] * 4,
    )
    found = track_distance_m(walk(), sightings)
    assert found.tolist() == pytest.approx([1.0, 3.0, np.nan, np.nan], nan_ok=True)


def test_one_sample_stands_for_a_second_and_none_is_refused():
    one = Tracks(np.array([5.0]), Labels.encode(["ann"]), np.zeros(1), np.zeros(1))
    assert Presence.of(one).step_s == 1.0
    with pytest.raises(ValueError, match="without a sample"):
        Presence.of(Tracks(np.empty(0), Labels.encode([]), np.empty(0), np.empty(0)))
