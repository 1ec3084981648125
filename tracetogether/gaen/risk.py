"""The phones' own risk scores: version 1 (one score per exposure), version 2 (sums per day)."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from tracetogether.gaen.near import KeyMatches
from tracetogether.gaen.report import MISSING, DiagnosisKeys
from tracetogether.gaen.windows import ExposureWindows
from tracetogether.labels import Labels
from tracetogether.sightings import Sightings
from tracetogether.units import (
    SECONDS_PER_DAY,
    SECONDS_PER_MINUTE,
    Floats,
    Ints,
    is_transmit_power,
)

EXPOSURE_GAP_S: Final = 600
_AROUND_S: Final = 150.0
_ROUNDED_TO_MINUTES: Final = 5
_ATTENUATION_BOUNDS: Final = np.array([73.0, 63, 51, 33, 27, 15, 10])  # above the bound
_DAY_BOUNDS: Final = np.array([14.0, 12, 10, 8, 6, 4, 2])  # at the bound or above
_MINUTE_BOUNDS: Final = np.array([0.0, 5, 10, 15, 20, 25, 30])  # at the bound or below
MOST_SCORE: Final = 4_096


@dataclass(frozen=True, slots=True)
class FirstRiskSettings:
    """Scores 0..8 of the eight buckets of each kind (version 1).

    Attributes:
        attenuation: for > 73, > 63, > 51, > 33, > 27, > 15, > 10 dB, and the rest.
        days: since the exposure: >= 14, 12, 10, 8, 6, 4, 2, and the rest.
        minutes: for <= 0, 5, 10, 15, 20, 25, 30, and more.
        transmission: for transmission risk levels 1 to 8; a key without one scores 0.
        least: a product below this counts 0.
        thresholds_db: two attenuations that divide the minutes at attenuation.
    """

    attenuation: tuple[int, ...]
    days: tuple[int, ...]
    minutes: tuple[int, ...]
    transmission: tuple[int, ...]
    least: int = 1
    thresholds_db: tuple[float, float] = (50.0, 70.0)

    def __post_init__(self) -> None:
        for scores in (self.attenuation, self.days, self.minutes, self.transmission):
            if len(scores) != 8 or not all(0 <= score <= 8 for score in scores):
                raise ValueError(f"eight scores from 0 to 8, not {scores}")


@dataclass(frozen=True, slots=True)
class FirstRiskExposures:
    """Exposures of version 1, n rows.

    Attributes:
        observer: (n,) whose phone.
        key: (n,) row of the published keys.
        day: (n,) UTC day.
        minutes: (n,) rounded to 5.
        attenuation_db: (n,) mean over time.
        score: (n,) 0..4096.
        minutes_at: (n, 3) below the lower threshold, between, and above the upper one.
    """

    observer: Labels
    key: Ints
    day: Ints
    minutes: Ints
    attenuation_db: Floats
    score: Ints
    minutes_at: Floats


def score_first(
    attenuation_db: Floats, days: Ints, minutes: Ints, risk: Ints, settings: FirstRiskSettings
) -> Ints:
    """Return the product of four scores for each exposure, (n,); arguments in columns.

    Args:
        attenuation_db: mean attenuation.
        days: since the exposure.
        minutes: how long.
        risk: transmission risk level of the key, 0 to 8 or MISSING.
        settings: the scores.
    """
    bucket = (
        (np.asarray(attenuation_db)[:, None] <= _ATTENUATION_BOUNDS).sum(axis=1),
        (np.asarray(days)[:, None] < _DAY_BOUNDS).sum(axis=1),
        (np.asarray(minutes)[:, None] > _MINUTE_BOUNDS).sum(axis=1),
    )
    tables = (settings.attenuation, settings.days, settings.minutes)
    product = np.ones(len(attenuation_db), dtype=np.int64)
    for table, chosen in zip(tables, bucket, strict=True):
        product *= np.array(table)[chosen]
    product *= np.array([0, *settings.transmission])[np.clip(risk, 0, 8)]
    return np.where(product < settings.least, 0, product)


def first_risk(
    log: Sightings,
    found: KeyMatches,
    keys: DiagnosisKeys,
    now: float,
    settings: FirstRiskSettings,
) -> FirstRiskExposures:
    """Return the exposures of version 1: runs of one key's sightings with gaps up to 10 minutes.

    An exposure lasts from 2.5 minutes before its first sighting to 2.5 minutes after its last. A
    value of the attenuation holds until the next one.

    Args:
        log: what was heard.
        found: what ``near.matches`` returned for this log and these keys.
        keys: published keys.
        now: epoch seconds; ages count from its UTC day.
        settings: the scores and thresholds.
    """
    kept = is_transmit_power(found.tx_power_dbm)
    row, key = found.row[kept], found.key[kept]
    observer, time = log.observer.codes[row], log.time[row]
    order = np.lexsort((time, key, observer))
    row, key, observer, time = row[order], key[order], observer[order], time[order]
    lost = np.maximum(found.tx_power_dbm[kept][order] - log.rssi_dbm[row], 0.0)
    opens = np.ones(len(time), dtype=bool)
    opens[1:] = (np.diff(key) != 0) | (np.diff(observer) != 0) | (np.diff(time) > EXPOSURE_GAP_S)
    first = np.flatnonzero(opens)
    last = np.append(first[1:], len(time)) - 1 if first.size else first
    held = np.zeros(len(time))
    held[:-1] = np.diff(time)
    held[last] = _AROUND_S
    held[first] += _AROUND_S
    run = np.cumsum(opens) - 1
    duration = np.bincount(run, held, minlength=len(first))
    mean = np.bincount(run, held * lost, minlength=len(first)) / np.maximum(duration, 1)
    minutes = _ROUNDED_TO_MINUTES * np.floor(
        duration / SECONDS_PER_MINUTE / _ROUNDED_TO_MINUTES + 0.5
    ).astype(np.int64)
    low, high = settings.thresholds_db
    zone = (lost >= low).astype(np.int64) + (lost > high)
    at = np.bincount(3 * run + zone, held, minlength=3 * len(first)).reshape(-1, 3)
    day = (time[first] // SECONDS_PER_DAY).astype(np.int64)
    age = int(now // SECONDS_PER_DAY) - day
    risk = keys.transmission_risk[key[first]]
    return FirstRiskExposures(
        observer=log.observer.take(row[first]),
        key=key[first],
        day=day,
        minutes=minutes,
        attenuation_db=mean,
        score=score_first(mean, age, minutes, np.where(risk == MISSING, 0, risk), settings),
        minutes_at=at / SECONDS_PER_MINUTE,
    )


@dataclass(frozen=True, slots=True)
class SecondRiskSettings:
    """Weights of version 2.

    Attributes:
        thresholds_db: three attenuations; a scan is in the first bucket that it does not exceed.
        bucket_weights: of the four buckets: immediate, near, medium, other.
        report_weights: of report types 0 to 5.
        infectiousness_weights: of none, standard, high.
        least_window_score: a window below this is left out of its day.
    """

    thresholds_db: tuple[float, float, float]
    bucket_weights: tuple[float, float, float, float]
    report_weights: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0, 1.0, 0.0)
    infectiousness_weights: tuple[float, float, float] = (0.0, 1.0, 1.0)
    least_window_score: float = 0.0


@dataclass(frozen=True, slots=True)
class DaySummaries:
    """One row per observer and day that has a window that counts.

    Attributes:
        observer: (n,) whose phone.
        day: (n,) UTC day.
        greatest: (n,) greatest window score.
        score: (n,) sum of window scores.
        weighted_s: (n,) sum of weighted durations.
    """

    observer: Labels
    day: Ints
    greatest: Floats
    score: Floats
    weighted_s: Floats


def weighted_seconds(windows: ExposureWindows, settings: SecondRiskSettings) -> Floats:
    """Return (m,) the duration of each window, weighted by the typical attenuation of its scans."""
    bucket = np.searchsorted(settings.thresholds_db, windows.typical_db, side="left")
    return windows.sums(windows.seconds * np.array(settings.bucket_weights)[bucket])


def window_scores(windows: ExposureWindows, settings: SecondRiskSettings) -> Floats:
    """Return (m,) weighted duration * weight of the report type * weight of infectiousness."""
    report = np.where(windows.report_type == MISSING, 0, windows.report_type)
    weights: Floats = np.array(settings.report_weights)[report]
    weights = weights * np.array(settings.infectiousness_weights)[windows.infectiousness]
    return weighted_seconds(windows, settings) * weights


def day_summaries(windows: ExposureWindows, settings: SecondRiskSettings) -> DaySummaries:
    """Return greatest score, sum of scores and weighted seconds of each phone's days."""
    scores, seconds = window_scores(windows, settings), weighted_seconds(windows, settings)
    kept = np.flatnonzero(scores >= settings.least_window_score)
    pairs = np.stack([windows.observer.codes[kept].astype(np.int64), windows.day[kept]], axis=1)
    distinct, group = np.unique(pairs, axis=0, return_inverse=True)
    group = group.reshape(-1)
    greatest = np.zeros(len(distinct))
    np.maximum.at(greatest, group, scores[kept])
    return DaySummaries(
        observer=Labels(distinct[:, 0].astype(np.int32), windows.observer.names),
        day=distinct[:, 1],
        greatest=greatest,
        score=np.bincount(group, scores[kept], minlength=len(distinct)).astype(np.float64),
        weighted_s=np.bincount(group, seconds[kept], minlength=len(distinct)).astype(np.float64),
    )
