"""Minutes of pairs that stayed at known distances, without cameras."""

import numpy as np
import pytest

from tests.scenes import START
from tracetogether.evaluation.scene import Scene
from tracetogether.evaluation.steady import SteadySpans
from tracetogether.evaluation.truth import Presence, TrueMinutes, TruePairs
from tracetogether.proximity.distances import LogsUsed
from tracetogether.sightings import Sightings


def at_distances(*steps: tuple[float, float, float], peer: str = "b") -> Scene:
    """Return what a received of one peer, once a second: (from, to, metres) of each step."""
    times = [np.arange(begin, end + 1) for begin, end, _ in steps]
    time = np.concatenate(times)
    distance = np.repeat([metres for *_, metres in steps], [len(part) for part in times])
    sightings = Sightings.from_columns(
        time=START + time,
        observer=["a"] * len(time),
        peer=[peer] * len(time),
        rssi_dbm=np.full(len(time), -60.0),
    )
    return Scene("s", sightings, distance)


def test_minutes_within_a_radius_are_the_time_at_distances_within_it() -> None:
    scene = at_distances((0, 600, 1.0), (660, 960, 3.0), (970, 1090, 2.0))
    true = TrueMinutes.of_scene(scene, 2.0)
    assert true.near[0, 1] == true.near[1, 0] == 12.0
    assert true.tracked[0, 1] == 17.0
    for logs in LogsUsed:
        assert TruePairs.of(scene, logs, 1.5).minutes.tolist() == [10.0]


def test_between_two_distances_and_in_long_silences_nobody_is_tracked() -> None:
    scene = at_distances((0, 60, 1.0), (120, 180, 3.0), (1000, 1060, 3.0))
    when = Presence.of_scene(scene)
    first, second = np.zeros(6, np.int64), np.ones(6, np.int64)
    asked = START + np.array([-5.0, 30.0, 90.0, 150.0, 500.0, 1030.0])
    seen = [False, True, False, True, False, True]
    assert when.together(first, second, asked).tolist() == seen
    assert TrueMinutes.of_scene(scene, 2.0).tracked[0, 1] == 3.0


def test_a_file_at_one_distance_lasts_as_long_as_its_readings() -> None:
    near, far = at_distances((0, 59, 1.8)), at_distances((0, 59, 3.7))
    assert TrueMinutes.of_scene(near, 2.0).near[0, 1] == pytest.approx(59 / 60)
    assert TrueMinutes.of_scene(far, 2.0).near[0, 1] == 0.0


def test_who_moves_or_has_no_name_or_distance_has_no_minutes() -> None:
    steady = at_distances((0, 600, 1.0))
    moving = Scene("s", steady.sightings, np.linspace(1, 3, 601))
    unknown = Scene("s", steady.sightings, np.zeros(601))
    nameless = Scene("s", steady.sightings.replaced(peer=steady.sightings.observer), np.ones(601))
    at_once = Scene(
        "s", steady.sightings.replaced(time=np.zeros(601)), steady.distance_m
    )  # a table without times
    for scene in (moving, unknown, nameless, at_once, Scene("s", steady.sightings)):
        assert SteadySpans.of(scene) is None
        assert TrueMinutes.of_scene(scene, 2.0) is None
        assert not TruePairs.of(scene, LogsUsed.OWN, 2.0).known.any()
