"""ROBERT's risk score of a contact, as France's StopCovid computed it.

Gorce, Egan and Gribonval, "An efficient algorithm to estimate Covid-19 infectiousness risk from
BLE-RSSI measurements", Inria RR-9345, 2020, in the form that the StopCovid server published, with
the numbers that its app carried (filter configuration of 2020: a = 10 / ln 10 dB, b = 0.1, p0 =
-66 dBm, windows of 120 s every 60 s):

1. a contact is cut into epochs of 15 minutes that begin with its first reading;
2. readings above -35 dBm are cut to that;
3. every minute k, the readings of minutes k and k + 1 are averaged in power:
   P = a ln(mean(exp(rssi / a)));
4. each such window of n readings has the risk q = (P - p0) / delta(n), between 0 and 1, delta
   from 39 dB for one reading down to 15 dB for ten and more: few readings count for less;
5. the contact's risk is min(1, 1.2 b ln(mean(exp(q / b)))), its score that times the number of
   the last minute heard.

RSSI is the calibrated one; here minus the attenuation, which is what a phone reads of one that
radiates 0 dBm (-40 dBm at 1 m in free space, the server's reference). Published code and app differ
in how delta is indexed; here delta(1) is the first. Minutes are counted from 0, so that a contact
that was heard in one minute only scores 0. A score is in minutes at full risk.

The published algorithm knows nothing of scoring windows: each is taken as an epoch here, and ranked
by risk times minutes counted from 1, or windows of a minute would all be equal.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from tracetogether.evaluation.baselines.slotwise import OWN_AND_PAIR
from tracetogether.evaluation.protocols import WindowScores
from tracetogether.evaluation.scene import Scene, SceneWindows
from tracetogether.evaluation.truth import Presence
from tracetogether.proximity.calibration import Calibration
from tracetogether.proximity.distances import LogsUsed
from tracetogether.proximity.estimates import Intervals
from tracetogether.proximity.grid import group_sums
from tracetogether.units import Floats, Ints

_DELTA_DB: Final = np.array([39.0, 27.0, 23.0, 21.0, 20.0, 19.0, 18.0, 17.0, 16.0, 15.0])
_P0_DBM: Final = -66.0
_A_DB: Final = 10 / np.log(10)  # makes step 3 the mean of milliwatts
_B: Final = 0.1
_RSSI_MAX_DBM: Final = -35.0
_MINUTE_S: Final = 60.0
_EPOCH_S: Final = 900.0


@dataclass(frozen=True, slots=True)
class Robert:
    """ROBERT's score; it fits nothing."""

    name: str = "robert"
    logs: frozenset[LogsUsed] = OWN_AND_PAIR
    learns: bool = False

    def fit(self, scenes: Sequence[Scene], *, calibration: Calibration) -> "FittedRobert":
        """Return it with the calibration table; it learns nothing from ``scenes``."""
        del scenes
        return FittedRobert(calibration)


@dataclass(frozen=True, slots=True)
class FittedRobert:
    """ROBERT's score with the calibration table."""

    calibration: Calibration

    def windows(
        self, scene: Scene, logs: LogsUsed, *, window_s: float, within_m: float
    ) -> WindowScores:
        """Score each window as an epoch of its pair."""
        del within_m  # risk, not distance
        windows = SceneWindows.of(scene, logs, window_s)
        rssi = -self.calibration.attenuation(scene.sightings).db
        risk, last = epoch_risks(scene.sightings.time, rssi, windows.row, len(windows), window_s)
        return WindowScores.without_probability(risk * (last + 1))

    def minutes(self, scene: Scene, logs: LogsUsed, *, within_m: float) -> Intervals:
        """Return the sum of a pair's epoch scores, from readings while both were tracked."""
        del within_m
        when, pairs = Presence.of_scene(scene), scene.pairs(logs)
        time, rssi = scene.sightings.time, -self.calibration.attenuation(scene.sightings).db
        first, second = pairs.numbers_in(when.names)
        tracked = when.together(first[pairs.row], second[pairs.row], time)
        time, rssi, pair = time[tracked], rssi[tracked], pairs.row[tracked]
        number = np.floor((time - first_times(time, pair, len(pairs))[pair]) / _EPOCH_S)
        number = number.astype(np.int64)
        epochs = int(number.max(initial=0)) + 1
        used, epoch = np.unique(pair * epochs + number, return_inverse=True)
        risk, last = epoch_risks(time, rssi, epoch.reshape(-1), len(used), _EPOCH_S)
        minutes = group_sums(risk * last, used // epochs, len(pairs))
        unknown = np.full(len(pairs), np.nan)
        return Intervals(unknown, minutes, unknown)


def first_times(time: Floats, group: Ints, count: int) -> Floats:
    """Return the earliest time in each of ``count`` groups (infinite where one is empty)."""
    first = np.full(count, np.inf)
    np.minimum.at(first, group, time)
    return first


def epoch_risks(
    time: Floats, rssi_dbm: Floats, epoch: Ints, count: int, length_s: float
) -> tuple[Floats, Floats]:
    """Return ROBERT's risk of each of ``count`` epochs, and the number of its last minute.

    Args:
        time: (n,) seconds.
        rssi_dbm: (n,) calibrated RSSI.
        epoch: (n,) which epoch each reading belongs to.
        count: how many epochs; each must hold a reading.
        length_s: no epoch is longer.
    """
    minutes = int(np.ceil(length_s / _MINUTE_S))
    minute = np.floor((time - first_times(time, epoch, count)[epoch]) / _MINUTE_S)
    cell = epoch * minutes + np.minimum(minute, minutes - 1).astype(np.int64)
    power = np.exp(np.minimum(rssi_dbm, _RSSI_MAX_DBM) / _A_DB)
    readings = np.bincount(cell, minlength=count * minutes).reshape(count, minutes)
    powers = group_sums(power, cell, count * minutes).reshape(count, minutes)
    # Each minute with the next one; the last stands alone.
    readings[:, :-1] += readings[:, 1:].copy()
    powers[:, :-1] += powers[:, 1:].copy()

    heard = readings > 0
    mean_dbm = _A_DB * np.log(np.where(heard, powers, 1.0) / np.maximum(readings, 1))
    delta = _DELTA_DB[np.clip(readings, 1, len(_DELTA_DB)) - 1]
    risk = np.clip((mean_dbm - _P0_DBM) / delta, 0.0, 1.0)
    windows = heard.sum(axis=1)
    overall = _B * np.log(np.where(heard, np.exp(risk / _B), 0.0).sum(axis=1) / windows)
    last = minutes - 1 - np.argmax(heard[:, ::-1], axis=1)
    return np.minimum(1.2 * overall, 1.0), last.astype(np.float64)
