"""What holds for positions sought from all logs, on average over a room; and what judging costs."""

import sys
import tracemalloc

import numpy as np
import pytest

from tests.proximity_world import START, scene
from tracetogether.evaluation.fittable_posterior import FittablePosterior
from tracetogether.evaluation.scene import Scene
from tracetogether.labels import Labels
from tracetogether.proximity.calibration import Calibration, ModelOffsets
from tracetogether.proximity.distances import LogsUsed
from tracetogether.proximity.model import MODEL
from tracetogether.proximity.posterior import infer
from tracetogether.proximity.sampling import Effort
from tracetogether.sightings import Sightings

KNOWN = Calibration({"known": ModelOffsets(3.6, 0.0, -24.7, 0.0, measured=True)})
EFFORT = Effort(chains=12, approach=60, moves=60)


def sought(sightings: Sightings, calibration: Calibration = KNOWN):
    return infer(sightings, LogsUsed.ALL, calibration=calibration, effort=EFFORT)


@pytest.fixture(scope="module")
def room() -> Sightings:
    return scene(11, people=6, minutes=8)[0].sightings


@pytest.fixture(scope="module")
def plain(room):
    return sought(room)


def of_pair(posterior, first: int, second: int) -> float:
    """Return the median log10 distance of a pair, over the slots."""
    (row,) = np.flatnonzero((posterior.pairs.first == first) & (posterior.pairs.second == second))
    return float(np.median(np.log10(posterior.distance_m((0.5,))[0][row])))


def among(sightings: Sightings, first: int, second: int) -> np.ndarray:
    a, b = sightings.observer.codes, sightings.peer.codes
    return ((a == first) & (b == second)) | ((a == second) & (b == first))


@pytest.mark.parametrize(("first", "second"), [(0, 1), (3, 4)])
def test_a_stronger_signal_is_not_farther_in_a_room(room, plain, first, second):
    theirs = among(room, first, second)
    louder = np.minimum(room.rssi_dbm + 10.0 * theirs, -30.0)
    after = sought(room.replaced(rssi_dbm=louder))
    assert of_pair(after, first, second) < of_pair(plain, first, second)


@pytest.mark.parametrize(("first", "second"), [(0, 1), (3, 4)])
def test_a_pair_that_misses_scans_is_not_nearer_in_a_room(room, plain, first, second):
    """Two of three scans in which they heard one another are lost; both heard others in them."""
    scan = np.floor(room.time / 10).astype(int)
    after = sought(room.take(~(among(room, first, second) & (scan % 3 > 0))))
    assert of_pair(after, first, second) > of_pair(plain, first, second)


def test_unknown_phones_give_wider_intervals_in_a_room(room, plain):
    nobody = Labels.constant("other", len(room))
    unsure = sought(room.replaced(observer_model=nobody, peer_model=nobody))

    def width(posterior) -> float:
        low, high = np.log10(posterior.distance_m((0.05, 0.95)))
        return float((high - low).mean())

    assert width(unsure) > width(plain)


def test_invalid_readings_are_dropped_and_counted_before_any_logs_are_judged():
    rssi = [-60.0, 127.0, 0.0, 5.0, np.nan, -60.0]
    columns = {
        "time": START + 10 * np.arange(6),
        "observer": ["anna", "ben"] * 3,
        "peer": ["ben", "anna"] * 3,
    }
    some = Sightings.from_columns(**columns, rssi_dbm=rssi)
    assert (len(some), some.dropped) == (2, 4)
    valid = Sightings.from_columns(
        **{name: np.array(column)[[0, 5]] for name, column in columns.items()},
        rssi_dbm=[-60.0, -60.0],
    )
    for logs in LogsUsed:
        one, other = infer(some, logs, calibration=KNOWN), infer(valid, logs, calibration=KNOWN)
        assert one.mean_log10_m.tobytes() == other.mean_log10_m.tobytes()


@pytest.mark.parametrize("logs", [LogsUsed.OWN, LogsUsed.PAIR])
def test_work_grows_as_readings_do(logs):
    """Counted, not timed: calls do not grow with the readings, and memory only in step."""
    calls, memory, readings = [], [], []
    for minutes in (15, 30, 60):
        one = scene(3, people=6, minutes=minutes)[0]
        readings.append(len(one.sightings))

        def judge(one: Scene = one) -> None:
            fitted = FittablePosterior(MODEL).fit((), calibration=KNOWN)
            fitted.windows(one, logs, window_s=900.0, within_m=2.0)

        judge()  # what is imported and looked up once
        count = 0

        def counted(_frame: object, event: str, _argument: object) -> None:
            nonlocal count
            count += event == "call"

        sys.setprofile(counted)
        try:
            judge()
        finally:
            sys.setprofile(None)
        calls.append(count)
        tracemalloc.start()
        try:
            judge()
            memory.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert max(calls) <= min(calls) * 1.1
    for small, large in ((0, 1), (1, 2)):
        assert memory[large] / memory[small] <= 1.15 * readings[large] / readings[small]
