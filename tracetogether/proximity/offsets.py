"""People's offsets as receivers and transmitters in a scene, as random effects.

    attenuation of a pair = level + slope * log10(distance) + receiver_i + transmitter_j + pair_ij

Offsets come from where a phone is carried, the body beside it, and what the calibration of its
model leaves. A phone that receives everybody weakly today is no farther from everybody. Each
offset is a normal random effect with mean 0 (a person's spread, and what is unknown of the phone
model); its estimate is the best linear unbiased prediction, which few readings move little. One
log shows only its owner's offset as receiver; the transmitters' offsets stay part of the error.
"""

from dataclasses import dataclass

import numpy as np

from tracetogether.proximity.binned_readings import BinnedReadings
from tracetogether.proximity.grid import RowGroups
from tracetogether.proximity.model import ProximityModel
from tracetogether.units import Floats


@dataclass(frozen=True, slots=True)
class Offsets:
    """(p,) offsets of each directed pair's receiver and transmitter, shown by the other pairs.

    The pair's own readings are left out: a pair received alone shows no offsets.

    Attributes:
        db: the sum of the two, as a part of the attenuation.
        variance_db2: of that estimate.
        distance_db: the part of ``db`` that is distance, because people may sit apart from all
            others, and places differ.
        distance_variance_db2: the part of the variance that is distance.
    """

    db: Floats
    variance_db2: Floats
    distance_db: Floats
    distance_variance_db2: Floats


def slot_noise_db2(slots: Floats, model: ProximityModel) -> Floats:
    """Return the error variance of a mean over ``slots`` minutes.

    Errors last for minutes (a first-order autoregression), so that the slow part falls as
    1 / (1 + slots / (2 slow_minutes)) and only the rest as 1 / slots.
    """
    lasting = model.slow_sd_db**2 / (1 + slots / (2 * model.slow_minutes))
    fleeting = (model.minute_sd_db**2 + model.single_sd_db**2) / np.maximum(slots, 1)
    return np.asarray(lasting + fleeting)


def offsets_of_own_log(binned: BinnedReadings, model: ProximityModel) -> Offsets:
    """Return each pair's offset as the observer's own log shows it.

    All peers have the same weight, however often they were received.
    """
    people = len(binned.pairs.names) + 1
    observer = binned.pairs.first + 1
    of_observer = RowGroups(observer, people)
    stray = binned.pair_levels() - model.typical_db
    # For the same reason the noise of ten slots is used for every pair.
    peer_variance = (
        model.slope_db**2 * model.kept_variance(binned.pair_minutes())
        + model.pair_sd_db**2
        + model.direction_sd_db**2
        + model.transmitter_sd_db**2
        + binned.transmit_variance_db2
        + slot_noise_db2(np.full(len(binned.pairs), 10.0), model)
    )
    weight = 1 / peer_variance
    others = of_observer.sum(weight)[observer] - weight
    total = of_observer.sum(weight * stray)[observer] - weight * stray
    apart = (model.slope_db * model.apart_decades) ** 2
    common = model.receiver_sd_db**2 + model.level_sd_db**2 + apart + binned.receive_variance_db2
    # Without other peers this is 0 except for rounding.
    others = np.maximum(others, 0.0)
    unknown = common / (1 + common * others)
    db = unknown * total
    variance = unknown + model.transmitter_sd_db**2 + binned.transmit_variance_db2
    share = apart / common
    return Offsets(db, variance, share * db, share * variance)


def unknown_variances(binned: BinnedReadings) -> tuple[Floats, Floats]:
    """Return what is unknown of each person's phone model as receiver and as transmitter.

    Two columns (people + 1,) in dB^2; the first entry is of everybody without a name.
    """
    pairs, people = binned.pairs, len(binned.pairs.names) + 1
    return (
        RowGroups(pairs.first + 1, people).max(binned.receive_variance_db2),
        RowGroups(pairs.second + 1, people).max(binned.transmit_variance_db2),
    )


def offsets_of_all_logs(binned: BinnedReadings, model: ProximityModel) -> Offsets:
    """Return each pair's offsets from a two-way fit to every log of the scene.

    Who sits apart is received weakly and receives weakly, and everybody where people are far apart.
    Unknowns of their own stand for that: they tell distance from the offsets of phones.
    """
    people = len(binned.pairs.names) + 1
    rows, stray = np.arange(len(binned.pairs)), binned.pair_levels() - model.typical_db
    first, second = binned.pairs.first + 1, binned.pairs.second + 1
    rest = (
        model.slope_db**2 * model.kept_variance(binned.pair_minutes())
        + model.pair_sd_db**2
        + model.direction_sd_db**2
        + slot_noise_db2(binned.slot_counts(), model)
    )
    # Unknowns: the scene's level, receivers, transmitters; its place, and who sits apart.
    level, apart = 1 + 2 * people, 2 + 2 * people
    design = np.zeros((len(binned.pairs), apart + people))
    design[:, [0, level]] = 1.0
    design[rows, 1 + first] = 1.0
    design[rows, 1 + people + second] = 1.0
    design[rows, apart + first] = 1.0
    design[rows, apart + second] += 1.0
    receive, transmit = unknown_variances(binned)
    prior = np.concatenate(
        [
            [model.level_sd_db**2 + 1e-6],
            model.receiver_sd_db**2 + receive,
            model.transmitter_sd_db**2 + transmit,
            [(model.slope_db * model.place_decades) ** 2 + 1e-6],
            np.full(people, (model.slope_db * model.apart_decades) ** 2 + 1e-6),
        ]
    )
    weighted = design / rest[:, None]
    covariance = np.linalg.inv(design.T @ weighted + np.diag(1 / prior))
    effects = covariance @ (weighted.T @ stray)
    explained = design @ covariance
    variance = np.einsum("pi,pi->p", explained, design)
    of_distance = np.einsum("pi,pi->p", explained[:, level:], design[:, level:])
    # Leave-one-out residual: residual / (1 - leverage), an identity of least squares.
    leverage = variance / rest
    left_out = (stray - design @ effects) / (1 - leverage)
    return Offsets(
        db=stray - left_out,
        variance_db2=variance / (1 - leverage),
        distance_db=design[:, level:] @ effects[level:] - of_distance / rest * left_out,
        distance_variance_db2=of_distance / (1 - leverage),
    )
