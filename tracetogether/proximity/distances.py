"""Distance of each pair from its own signals: a mean through the scene, and movement about it.

Inverse regression on two levels, as in proximity.smoothed, after removing offsets. The pair's mean
attenuation less its people's offsets gives the mean log10 distance; the attenuation of a moment
against that mean gives the movement. An estimate is the observed value times the share of its
variance that is distance (the linear Bayes estimate), so that noisy pairs stay near the usual
distance. How often a pair was received, against its people's other pairs, is added as evidence.
"""

from dataclasses import dataclass
from enum import Enum

import numpy as np
from scipy.linalg import solveh_banded

from tracetogether.proximity.binned_readings import BinnedReadings
from tracetogether.proximity.detection import (
    heard_oftener,
    hearing_of_both_logs,
    hearing_of_own_log,
)
from tracetogether.proximity.grid import PairIndex, group_sums
from tracetogether.proximity.model import ProximityModel
from tracetogether.proximity.offsets import (
    offsets_of_all_logs,
    offsets_of_own_log,
    slot_noise_db2,
)
from tracetogether.units import Floats


class LogsUsed(Enum):
    """Which logs an estimate of a pair uses.

    OWN: the observer's own log, with everybody in it. PAIR: the logs of both, each whole.
    ALL: every log of the scene.
    """

    OWN = "own"
    PAIR = "pair"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class PairDistances:
    """Mean log10 distance (metres) of each pair through a scene, and movement about it.

    Attributes:
        pairs: the pairs: directed for one log, undirected for more. Their rows are the directed
            pairs of the binned readings.
        kept: (q,) log10 distance.
        persistent_sd: (q,) its standard deviation.
        moving_variance: (q,) how the log10 distance varies about that.
    """

    pairs: PairIndex
    kept: Floats
    persistent_sd: Floats
    moving_variance: Floats


def pair_distances(binned: BinnedReadings, logs: LogsUsed, model: ProximityModel) -> PairDistances:
    """Return the mean log10 distance of each pair, from its signals and its people's offsets."""
    pairs = binned.pairs.of_pairs(directed=logs is LogsUsed.OWN)
    offsets = (offsets_of_all_logs if logs is LogsUsed.ALL else offsets_of_own_log)(binned, model)
    slots = binned.slot_counts()
    stray = binned.pair_levels() - model.typical_db - offsets.db
    # Directions are weighted by slots / (slots + 1).
    weight = slots / (slots + 1)
    total = pairs.sum(weight)
    mean = pairs.sum(weight * stray) / total
    halved = pairs.sum(weight**2) / total**2
    noise = (
        model.pair_sd_db**2
        + slot_noise_db2(pairs.max(slots), model)
        + pairs.sum(weight * (offsets.variance_db2 + model.direction_sd_db**2)) / total * halved
    )
    minutes = pairs.max(binned.pair_minutes())
    variance = model.kept_variance(minutes)
    distance = model.slope_db**2 * variance
    # People may sit apart from all others: that part of an offset is distance.
    apart = pairs.sum(weight * offsets.distance_variance_db2) / total
    usual = pairs.sum(weight * offsets.distance_db) / total
    share = (distance + apart) / (distance + noise)
    kept = (
        np.log10(model.distance_m)
        + (usual + share * mean) / model.slope_db
        - model.detection_decades * oftener_of_pairs(binned, pairs, logs)
    )
    persistent_sd = np.sqrt(variance * (1 - share))
    return PairDistances(pairs, kept, persistent_sd, model.moving_variance(minutes))


def oftener_of_pairs(binned: BinnedReadings, pairs: PairIndex, logs: LogsUsed) -> Floats:
    """Return (q,) the mean over a pair's directions of how much oftener it was received.

    Args:
        binned: the readings.
        pairs: whose rows are the directed pairs of ``binned``.
        logs: which logs are used.
    """
    hearing = (hearing_of_own_log if logs is LogsUsed.OWN else hearing_of_both_logs)(binned)
    return pairs.mean(heard_oftener(binned, hearing, all_logs=logs is LogsUsed.ALL))


def movement_share(variance: Floats, slots: Floats, model: ProximityModel) -> Floats:
    """Return which share of a deviation of attenuation is movement.

    Args:
        variance: of the log10 distance about its mean.
        slots: the number of slots that the deviation is a mean of.
        model: the figures.
    """
    moving = model.slope_db**2 * variance
    return np.asarray(moving / (moving + slot_noise_db2(slots, model)))


def movement(
    binned: BinnedReadings, distances: PairDistances, model: ProximityModel
) -> tuple[Floats, Floats]:
    """Return the movement of each pair about its mean distance, slot by slot.

    Returns:
        Two arrays (q, slots): the most likely deviation of log10 distance from the pair's mean,
        and its standard deviation.
    """
    count = len(distances.pairs)
    shape = (count, binned.slots)
    stray = binned.attenuation_db - binned.pair_levels()[binned.pair]
    place = distances.pairs.row[binned.pair] * binned.slots + binned.slot
    heard = np.bincount(place, minlength=count * binned.slots).reshape(shape)
    total = group_sums(stray, place, count * binned.slots).reshape(shape)
    mean = np.divide(total, heard, out=np.zeros(shape), where=heard > 0)
    near = spread_over_time((heard > 0).astype(np.float64), model.slow_minutes)
    smooth = np.divide(
        spread_over_time(mean, model.slow_minutes), near, out=np.zeros(shape), where=near > 1e-3
    )
    variance = distances.moving_variance[:, None]
    share = np.where(near > 1e-3, movement_share(variance, near, model), 0.0)
    return share * smooth / model.slope_db, np.sqrt(variance * (1 - share))


def spread_over_time(values: Floats, minutes: float) -> Floats:
    """Return the sum over each row of its values, weighted by exp(-distance / minutes).

    Such weights are the covariance of a first-order autoregression, whose inverse holds only
    neighbours: one tridiagonal system takes the place of all pairs (Rue and Held, Gaussian
    Markov Random Fields, 2005, section 1.1.1).
    """
    slots = values.shape[1]
    if slots == 1 or not values.size:
        return values
    decay = np.exp(-1 / minutes)
    bands = np.empty((2, slots))
    bands[0], bands[1] = -decay, 1 + decay**2
    bands[1, [0, -1]] = 1.0
    return np.asarray(solveh_banded(bands, (1 - decay**2) * values.T).T)
