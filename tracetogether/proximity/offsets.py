"""People's offsets as receivers and transmitters in a scene, as random effects.

    attenuation of a pair = level + slope * log10(distance) + receiver_i + transmitter_j + pair_ij

Where a phone is carried, the body beside it, and what the calibration of its model leaves make up
the offsets; a phone that hears everybody weakly today is no farther from everybody. Each is drawn
towards 0 by its spread (a person's, and what is unknown of the phone model), so that few readings
move it little. From one log, only its owner's offset as receiver shows; what the others send
stays part of the error.
"""

from dataclasses import dataclass

import numpy as np

from tracetogether.proximity.binned_readings import BinnedReadings
from tracetogether.proximity.grid import Groups
from tracetogether.proximity.model import ProximityModel
from tracetogether.units import Floats


@dataclass(frozen=True, slots=True)
class Offsets:
    """(p,) Offsets of each directed pair's receiver and transmitter, as the other pairs show them.

    The pair's own readings have no part in it: a pair heard alone says nothing of offsets.

    Attributes:
        db: best estimate of what the two add to the attenuation.
        variance_db2: of that estimate.
        distance_share: which share of an error in it is distance: people may sit apart from
            all the others.
    """

    db: Floats
    variance_db2: Floats
    distance_share: Floats


def slot_noise_db2(slots: Floats, model: ProximityModel) -> Floats:
    """Return the variance that is left of a mean over so many slots, as errors last for minutes."""
    lasting = model.slow_sd_db**2 / (1 + slots / (2 * model.slow_minutes))
    fleeting = (model.minute_sd_db**2 + model.single_sd_db**2) / np.maximum(slots, 1)
    return np.asarray(lasting + fleeting)


def offsets_of_own_log(binned: BinnedReadings, model: ProximityModel) -> Offsets:
    """Return each pair's offset as the observer's own log shows it.

    All peers weigh alike, however often they were heard: what a phone hears more often must not
    move what it thinks of itself.
    """
    people = len(binned.pairs.names) + 1
    observer = binned.pairs.first + 1
    of_observer = Groups(observer, people)
    stray = binned.pair_levels() - model.typical_db
    # A pair's own noise is not asked for here, for the reason above: that of ten slots stands.
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
    # Of an only peer nothing is left, but for rounding.
    others = np.maximum(others, 0.0)
    unknown = common / (1 + common * others)
    return Offsets(
        db=unknown * total,
        variance_db2=unknown + model.transmitter_sd_db**2 + binned.transmit_variance_db2,
        distance_share=apart / common,
    )


def unknown_variances(binned: BinnedReadings) -> tuple[Floats, Floats]:
    """Return what is unknown of each person's phone model as receiver and as transmitter.

    Two columns (people + 1,) in dB^2; the first entry is of everybody without a name.
    """
    pairs, people = binned.pairs, len(binned.pairs.names) + 1
    return (
        Groups(pairs.first + 1, people).max(binned.receive_variance_db2),
        Groups(pairs.second + 1, people).max(binned.transmit_variance_db2),
    )


def offsets_of_all_logs(binned: BinnedReadings, model: ProximityModel) -> Offsets:
    """Return each pair's offsets from a two-way fit to every log of the scene."""
    people = len(binned.pairs.names) + 1
    rows, stray = np.arange(len(binned.pairs)), binned.pair_levels() - model.typical_db
    rest = (
        model.slope_db**2 * model.kept_variance(binned.pair_minutes())
        + model.pair_sd_db**2
        + model.direction_sd_db**2
        + slot_noise_db2(binned.slot_counts(), model)
    )
    # Unknowns: the scene's level, receivers, transmitters.
    design = np.zeros((len(binned.pairs), 1 + 2 * people))
    design[:, 0] = 1.0
    design[rows, 1 + binned.pairs.first + 1] = 1.0
    design[rows, 1 + people + binned.pairs.second + 1] = 1.0
    receive, transmit = unknown_variances(binned)
    prior = np.concatenate(
        [
            [model.level_sd_db**2 + 1e-6],
            model.receiver_sd_db**2 + receive,
            model.transmitter_sd_db**2 + transmit,
        ]
    )
    weighted = design / rest[:, None]
    covariance = np.linalg.inv(design.T @ weighted + np.diag(1 / prior))
    effects = covariance @ (weighted.T @ stray)
    fitted = design @ effects
    variance = np.einsum("pi,ij,pj->p", design, covariance, design)
    # What the fit would be without the pair itself (identity of least squares).
    leverage = variance / rest
    return Offsets(
        db=stray - (stray - fitted) / (1 - leverage),
        variance_db2=variance / (1 - leverage),
        distance_share=np.zeros(len(binned.pairs)),
    )
