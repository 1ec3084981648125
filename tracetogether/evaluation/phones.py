"""Phone models' offsets, learned from recordings with known distances.

    attenuation of a directed pair = level + slope * log10(distance) + scene
                                     + receiver + transmitter
                                     + model as receiver + model as transmitter + error

A linear mixed model, solved for all effects at once. Each effect is normal with its own prior:
people and scenes by the figures of the posterior; models by how phones differ; models in the
calibration table by the error of a measurement. Transmitters that are in no table share one offset,
because an app sends at a power of its own that recordings seldom name. A model that no training
scene has takes that shared offset too: at 0, it would seem nearer or farther than all others. Level
and slope have narrow priors: a recording of unknown phones says little about physics.

Scenes of the same two people are not independent: pockets, bodies and often the room are the same,
and with them a part of the error, the intraclass correlation r. By Kish's design effect (Survey
Sampling, 1965), n such scenes tell as much as n / (1 + r (n - 1)) independent ones. Each counts
for 1 / (1 + r (n - 1)): hundred files of one pair of phones say little of these models.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from tracetogether.evaluation.known_slots import KnownSlots
from tracetogether.evaluation.scene import Scene
from tracetogether.proximity.calibration import Calibration, Shift, model_key
from tracetogether.proximity.grid import group_sums
from tracetogether.proximity.model import ProximityModel
from tracetogether.proximity.offsets import slot_noise_db2
from tracetogether.units import Floats, Ints

LEVEL_SD_DB: Final = 3.0
"""How sure the level of the figures is: free space, and bodies and pockets at either end."""

EXPONENT_SD: Final = 0.3
"""How sure their exponent is: recordings lie between 1 and 2."""

_APP_SD_DB: Final = 10.0  # Android's four power settings span 14 dB, other systems add more
_MEASURED_SD_DB: Final = 2.0  # what a measured model's phones differ by (1.4 to 3.0 dB)
_MEASURED_DB2: Final = 1.0
_SAME_PAIR_CORRELATION: Final = 0.5  # MITRE: 5 dB between homes of one model, 5 to 8 dB within one


@dataclass(frozen=True, slots=True)
class LearnedPhones:
    """What scenes with known distances show of phones.

    Attributes:
        calibration: the given one with the shifts of the models that occurred.
        model: the given one with fitted level and exponent.
    """

    calibration: Calibration
    model: ProximityModel


def learned_phones(
    scenes: Sequence[Scene], calibration: Calibration, model: ProximityModel
) -> LearnedPhones:
    """Return the calibration and the model with what ``scenes`` show.

    Args:
        scenes: those without a known distance are ignored.
        calibration: what is known of phone models.
        model: level and exponent to start from, and the spreads of offsets.
    """
    known = [
        (scene, part) for scene in scenes if (part := KnownSlots.of(scene, calibration)) is not None
    ]
    receivers = _variances(known, receiving=True)
    transmitters = _variances(known, receiving=False)
    columns = 3 + len(receivers) + len(transmitters)
    prior = np.concatenate(
        [
            [LEVEL_SD_DB**2, (10 * EXPONENT_SD) ** 2, _APP_SD_DB**2],
            [
                *(_prior(variance) for variance in receivers.values()),
                *(_prior(variance) for variance in transmitters.values()),
            ],
        ]
    )
    precision, pull = np.diag(1 / prior), np.zeros(columns)
    for (scene, part), weight in zip(known, _weights(known), strict=True):
        normal, right = _evidence(scene, part, receivers, transmitters, model)
        precision += weight * normal
        pull += weight * right
    covariance: Floats = np.asarray(np.linalg.inv(precision), dtype=np.float64)
    found = covariance @ pull
    receive, transmit = {}, {}
    for at, (name, variance) in enumerate(receivers.items(), 3):
        receive[name] = _shift(found, covariance, [at], variance)
    for at, (name, variance) in enumerate(transmitters.items(), 3 + len(receivers)):
        at_all = [at] if variance < _MEASURED_DB2 else [at, 2]
        transmit[name] = _shift(found, covariance, at_all, variance)
    others = calibration.transmit.sd_db**2
    app = Shift(float(found[2]), float(np.sqrt(min(others, covariance[2, 2] + others))))
    for name, offsets in calibration.models.items():
        if offsets.transmit_sd_db**2 >= _MEASURED_DB2:
            transmit.setdefault(name, app)
    return LearnedPhones(
        replace(
            calibration,
            receive_shifts=receive,
            transmit_shifts=transmit,
            other_transmit_shift=app,
        ),
        replace(
            model,
            level_db=model.level_db + float(found[0]),
            exponent=max(model.exponent + float(found[1]) / 10, 0.1),
        ),
    )


def _weights(known: Sequence[tuple[Scene, KnownSlots]]) -> list[float]:
    """Return for how much each scene counts: the less, the more scenes have its pairs of people.

    Two pairs without names count as the same: nothing tells them apart.
    """
    pairs_of = [_named_pairs(part) for _, part in known]
    scenes_with = Counter(pair for pairs in pairs_of for pair in pairs)
    return [
        float(np.mean([1 / (1 + _SAME_PAIR_CORRELATION * (scenes_with[p] - 1)) for p in pairs]))
        for pairs in pairs_of
    ]


def _named_pairs(part: KnownSlots) -> set[tuple[str, str]]:
    """Return the names of observer and peer of each directed pair, "" where there is none."""
    names = (*part.binned.pairs.names, "")  # -1, without a name, picks the last
    used = np.unique(part.way)
    first, second = part.binned.pairs.first[used], part.binned.pairs.second[used]
    return {(names[a], names[b]) for a, b in zip(first.tolist(), second.tolist(), strict=True)}


def _shift(found: Floats, covariance: Floats, at: list[int], variance: float) -> Shift:
    """Return the sum of some effects; its sd is at most the model's own."""
    unknown = float(covariance[np.ix_(at, at)].sum())
    return Shift(float(found[at].sum()), float(np.sqrt(min(unknown, variance))))


def _prior(variance: float) -> float:
    return max(variance, _MEASURED_SD_DB**2)


def _variances(known: Sequence[tuple[Scene, KnownSlots]], *, receiving: bool) -> dict[str, float]:
    """Return the receive or transmit variance of each named phone model."""
    found: dict[str, float] = {}
    for scene, part in known:
        labels, variance = (
            (scene.sightings.observer_model, part.binned.receive_variance_db2)
            if receiving
            else (scene.sightings.peer_model, part.binned.transmit_variance_db2)
        )
        for name, unknown in zip(part.models(labels), variance.tolist(), strict=True):
            if name is not None:
                found.setdefault(model_key(name), unknown)
    return found


def _numbers(models: Sequence[str | None], variances: dict[str, float]) -> Ints:
    """Return the place of each model among the keys of ``variances``; -1 where none is named."""
    place = {name: number for number, name in enumerate(variances)}
    return np.array([-1 if name is None else place[model_key(name)] for name in models], np.int64)


def _evidence(
    scene: Scene,
    part: KnownSlots,
    receivers: dict[str, float],
    transmitters: dict[str, float],
    model: ProximityModel,
) -> tuple[Floats, Floats]:
    """Return a scene's share of the normal equations, its own offsets left out of them.

    Each directed pair with a known distance is one observation: the mean of its slots.
    """
    used, way = np.unique(part.way, return_inverse=True)
    way, count = way.reshape(-1), len(used)
    rows, slots = np.arange(count), np.bincount(way).astype(np.float64)
    level, decades = (
        group_sums(column, way, count) / slots for column in (part.level, part.decades)
    )
    receiving = _numbers(part.models(scene.sightings.observer_model), receivers)[used]
    sending = _numbers(part.models(scene.sightings.peer_model), transmitters)[used]
    noise = model.pair_sd_db**2 + model.direction_sd_db**2 + slot_noise_db2(slots, model)
    design = np.zeros((count, 3 + len(receivers) + len(transmitters) + 1))
    design[:, 0], design[:, 1] = 1.0, decades
    named = receiving >= 0
    design[rows[named], 3 + receiving[named]] = 1.0
    named = sending >= 0
    design[rows[named], 3 + len(receivers) + sending[named]] = 1.0
    unmeasured = np.array(
        [*(variance >= _MEASURED_DB2 for variance in transmitters.values()), True]
    )
    design[:, 2] = unmeasured[sending]  # -1, not named, picks the last
    # ... and the data beside the unknowns, to go through the same elimination.
    design[:, -1] = level - model.level_db - model.slope_db * decades
    who = [
        np.unique(column, return_inverse=True)[1].reshape(-1)
        for column in (part.binned.pairs.first[used], part.binned.pairs.second[used])
    ]
    offsets = np.zeros((count, 1 + int(who[0].max()) + 1 + int(who[1].max()) + 1))
    offsets[:, 0] = 1.0
    offsets[rows, 1 + who[0]] = 1.0
    offsets[rows, 2 + int(who[0].max()) + who[1]] = 1.0
    spread = np.full(offsets.shape[1], model.transmitter_sd_db**2)
    spread[: 2 + int(who[0].max())] = model.receiver_sd_db**2
    spread[0] = model.level_sd_db**2 + 1e-6
    weighted = design / noise[:, None]
    mixed = offsets.T @ weighted
    inner = offsets.T @ (offsets / noise[:, None]) + np.diag(1 / spread)
    normal = design.T @ weighted - mixed.T @ np.linalg.solve(inner, mixed)
    return normal[:-1, :-1], normal[:-1, -1]
