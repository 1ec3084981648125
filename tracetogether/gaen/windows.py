"""Exposure windows: what a phone tells an app of the readings that match, in columns.

A window holds the sightings of one key by one phone within 30 minutes of the first; a sighting at
30 minutes or later opens another. Within it, sightings close in time are one scan.
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from tracetogether.gaen.near import KeyMatches
from tracetogether.gaen.report import MISSING, DiagnosisKeys
from tracetogether.labels import Labels
from tracetogether.sightings import Sightings
from tracetogether.units import (
    SECONDS_PER_DAY,
    SECONDS_PER_MINUTE,
    Floats,
    Ints,
    is_transmit_power,
)

WINDOW_S: Final = 1_800
SAME_SCAN_S: Final = 25.5  # 1.5 * (4 + 13): sightings closer than this are of one scan
MOST_SCAN_MINUTES: Final = 5
UNKNOWN_SCAN_S: Final = 120
_STANDARD: Final = 1
_HIGH: Final = 2


@dataclass(frozen=True, slots=True)
class ExposureWindows:
    """Windows of m rows, and their scans of n rows.

    Attributes:
        observer: (m,) whose phone.
        day: (m,) UTC day of the first sighting.
        report_type: (m,) as in DiagnosisKeys.
        infectiousness: (m,) 0 none, 1 standard, 2 high.
        confidence: (m,) of the calibration, 0 to 3.
        window: (n,) the scan's window, ascending.
        typical_db: (n,) rounded mean of the attenuations of a scan.
        least_db: (n,) least attenuation of a scan.
        seconds: (n,) since the scan before.
    """

    observer: Labels
    day: Ints
    report_type: Ints
    infectiousness: Ints
    confidence: Ints
    window: Ints
    typical_db: Ints
    least_db: Ints
    seconds: Ints

    def __len__(self) -> int:
        return len(self.day)

    def sums(self, weights: Floats) -> Floats:
        """Return (m,) the sum of (n,) ``weights`` over the scans of each window."""
        return np.bincount(self.window, weights, minlength=len(self)).astype(np.float64)

    def shuffled(self, chance: np.random.Generator) -> Self:
        """Return the windows in random order, as a phone hands them to an app."""
        place = chance.permutation(len(self))  # window i goes to row place[i]
        back = np.argsort(place)
        scans = np.argsort(place[self.window], kind="stable")
        return type(self)(
            observer=self.observer.take(back),
            day=self.day[back],
            report_type=self.report_type[back],
            infectiousness=self.infectiousness[back],
            confidence=self.confidence[back],
            window=place[self.window][scans],
            typical_db=self.typical_db[scans],
            least_db=self.least_db[scans],
            seconds=self.seconds[scans],
        )


def scan_seconds(time: Floats, before: Floats) -> Ints:
    """Return the seconds since the scan before, in whole minutes, 300 at most, (n,).

    Args:
        time: (n,) of the scans, epoch seconds.
        before: (n,) of the scans before; NaN where unknown, which counts 120 seconds.
    """
    known = np.isfinite(before)
    minutes = np.floor(time / SECONDS_PER_MINUTE) - np.floor(
        np.where(known, before, time) / SECONDS_PER_MINUTE
    )
    counted = SECONDS_PER_MINUTE * np.clip(minutes, 0, MOST_SCAN_MINUTES)
    return np.where(known, counted, UNKNOWN_SCAN_S).astype(np.int64)


def infectiousness_of(days: Ints, table: Ints, unknown: int = _STANDARD) -> Ints:
    """Return 0, 1 or 2 for days since onset, (n,).

    Args:
        days: (n,) days from the first symptoms to the contact, or MISSING.
        table: (29,) the infectiousness of days -14 to +14; none outside.
        unknown: for MISSING days.
    """
    inside = np.abs(days) <= len(table) // 2
    found = np.where(inside, table[np.where(inside, days + len(table) // 2, 0)], 0)
    return np.where(days == MISSING, unknown, found)


def windows_of(
    log: Sightings,
    found: KeyMatches,
    keys: DiagnosisKeys,
    *,
    infectiousness: Ints,
    correction_db: float = 0.0,
) -> ExposureWindows:
    """Return the exposure windows of matched readings.

    The scan before a scan is the observer's last one in ``log`` that heard anybody at all; a phone
    scans every 3.5 to 5 minutes, and a minute count is cut at 5.

    Args:
        log: what was heard, the observers' whole logs.
        found: what ``near.matches`` returned for this log and these keys.
        keys: published keys.
        infectiousness: (29,) for days -14 to +14, see ``infectiousness_of``.
        correction_db: added to each signal strength.
    """
    kept = is_transmit_power(found.tx_power_dbm)
    row, key = found.row[kept], found.key[kept]
    observer, time = log.observer.codes[row].astype(np.int64), log.time[row]
    order = np.lexsort((time, key, observer))
    row, key, observer, time = row[order], key[order], observer[order], time[order]
    power = found.tx_power_dbm[kept][order]
    lost = np.maximum(power - (log.rssi_dbm[row] + correction_db), 0.0)
    opens = _window_starts(_changes(observer, key), time)
    window = np.cumsum(opens) - 1
    scan_opens = opens.copy()
    scan_opens[1:] |= np.diff(time) >= SAME_SCAN_S
    scan = np.flatnonzero(scan_opens)
    sizes = np.diff(np.append(scan, len(time)))
    mean = np.add.reduceat(lost, scan) / sizes if scan.size else np.empty(0)
    least = np.minimum.reduceat(lost, scan) if scan.size else np.empty(0)
    first = np.flatnonzero(opens)
    days = keys.days_since_onset[key[first]]
    metadata = found.metadata[kept][order][first]
    return ExposureWindows(
        observer=log.observer.take(row[first]),
        day=(time[first] // SECONDS_PER_DAY).astype(np.int64),
        report_type=keys.report_type[key[first]],
        infectiousness=infectiousness_of(days, infectiousness),
        confidence=metadata[:, 0].astype(np.int64) >> 2 & 3,
        window=window[scan],
        typical_db=np.floor(mean + 0.5).astype(np.int64),
        least_db=np.floor(least + 0.5).astype(np.int64),
        seconds=scan_seconds(time[scan], _scan_before(log, observer[scan], time[scan])),
    )


def _changes(*columns: Ints) -> np.typing.NDArray[np.bool_]:
    """Return where a row differs from the row before in any column; the first does."""
    found = np.ones(len(columns[0]), dtype=bool)
    found[1:] = np.any([column[1:] != column[:-1] for column in columns], axis=0)
    return found


def _window_starts(
    begins: np.typing.NDArray[np.bool_], time: Floats
) -> np.typing.NDArray[np.bool_]:
    """Return which rows open a window.

    Each round finds the next window of every group at once: the first row of the group that is
    30 minutes or more after the start of its window. A day's key has 50 windows at most.

    Args:
        begins: (n,) where a group of one observer and key begins.
        time: (n,) ascending within each group.
    """
    opens = begins.copy()
    group = np.cumsum(begins) - 1
    start = np.flatnonzero(begins)
    end = np.append(start[1:], len(time))
    if not len(time):
        return opens
    # One ascending key for all groups: the gap between two is wider than any span of times.
    span = float(np.ptp(time)) + 2 * WINDOW_S
    place = (time - time.min()) + group * span
    while start.size:
        following = np.searchsorted(place, place[start] + WINDOW_S, side="left")
        inside = following < end
        start, end = following[inside], end[inside]
        opens[start] = True
    return opens


def _scan_before(log: Sightings, observer: Ints, time: Floats) -> Floats:
    """Return the last time before ``time`` - 25.5 s at which each observer heard anybody."""
    codes = log.observer.codes.astype(np.int64)
    order = np.lexsort((log.time, codes))
    if not len(order):
        return np.full(len(time), np.nan)
    least = float(log.time.min())
    span = float(np.ptp(log.time)) + 4 * WINDOW_S
    place = (log.time[order] - least) + 2 * WINDOW_S + codes[order] * span
    wanted = (time - SAME_SCAN_S - least) + 2 * WINDOW_S + observer * span
    at = np.searchsorted(place, wanted, side="right") - 1
    same = (at >= 0) & (codes[order][at] == observer)
    return np.where(same, log.time[order][at], np.nan)
