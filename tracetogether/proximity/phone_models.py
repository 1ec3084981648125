"""Offsets of phone models, learned from pairs of phones that hear each other.

    attenuation of a directed pair in a scene
        = level + slope * log10(distance / 2 m) + scene
          + model as receiver + model as transmitter + power of the app
          + person as receiver + person as transmitter, lasting and in that scene
          + pair + error

Every term but the first is a random effect (``proximity.mixed_effects``). Where distances are
known, level and slope are fitted within narrow priors, and errors are small. Where they are not,
the distance is one more error that a pair keeps. Then only one thing separates models: being heard
louder or hearing weaker than others of the same company: offsets relative to each other are well
determined by many logs, and their mean stays near the prior's. One person's phone in one case tells
little about a model: its error falls with the number of people, not of readings.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final, Self

import numpy as np

from tracetogether.proximity.calibration import OTHERS, Calibration, ModelOffsets, PhoneRow
from tracetogether.proximity.grid import RowGroups, distinct_keys
from tracetogether.proximity.mixed_effects import Factor, predict_effects
from tracetogether.proximity.model import ProximityModel
from tracetogether.units import Bools, Floats, Ints

LEVEL_SD_DB: Final = 3.0
"""How sure the built-in level is: free space, and bodies and pockets at either end."""

UNKNOWN_DISTANCES_SD_DB: Final = 5.0
"""How sure the attenuation at usual distances is, in a place of which nothing is known."""

EXPONENT_SD: Final = 0.3
"""How sure the built-in exponent is: recordings lie between 1 and 2."""

APP_POWER_SD_DB: Final = 10.0
"""How far an app's transmit power may be from the prior's: Android's settings span 14 dB."""

LASTING_SHARE: Final = 0.85
"""The share of a person's offset that is the same in all scenes, as variance.

In exp05, all of whose scenes were on one day, receivers keep 0.91 and transmitters 0.73 of it.
"""

SHOWN_BELOW: Final = 0.9
"""A recording shows an offset if its error is below this share of the prior's."""

_LEVEL, _SLOPE, _APP = 0, 1, 2
_TINY: Final = 1e-6  # a variance may not be 0


@dataclass(frozen=True, slots=True)
class HeardPairs:
    """Directed pairs in scenes, in columns of length n; a pair has one row per scene.

    Attributes:
        receiver, transmitter: (n,) numbers of people; -1 for people whose own offsets are a part
            of the error.
        pair: (n,) number of the pair in the scene, the same for both directions.
        receiver_model, transmitter_model: (n,) numbers of phone models; -1 if unknown.
        scene: (n,) number of the scene.
        stray_db: (n,) mean attenuation minus the expected one.
        error_db2: (n,) variance of its own error, without the pair's offset.
        pair_db2: (n,) variance of what the pair shares in both directions.
        scene_db2: (n,) variance of what all pairs of the scene share.
        decades: (n,) log10 of the distance over the reference distance; 0 where it is unknown.
        readings: (n,) number of readings.
    """

    receiver: Ints
    transmitter: Ints
    pair: Ints
    receiver_model: Ints
    transmitter_model: Ints
    scene: Ints
    stray_db: Floats
    error_db2: Floats
    pair_db2: Floats
    scene_db2: Floats
    decades: Floats
    readings: Ints

    @classmethod
    def concat(cls, parts: Sequence["HeardPairs"]) -> Self:
        """Return the rows of all ``parts``, of which there is one at least."""
        return cls(
            *(
                np.concatenate([getattr(part, column.name) for part in parts])
                for column in fields(cls)
            )
        )

    def __len__(self) -> int:
        return len(self.stray_db)


@dataclass(frozen=True, slots=True)
class ModelPriors:
    """What is known of k phone models before the pairs are seen.

    Attributes:
        receive_db2, transmit_db2: (k,) variances of their offsets.
        own_power: (k,) whether the transmit power is the app's, and in no table.
        other_power: the same of phones of unknown model.
        level_sd_db: how sure the expected level is.
    """

    receive_db2: Floats
    transmit_db2: Floats
    own_power: Bools
    other_power: bool = True
    level_sd_db: float = LEVEL_SD_DB


@dataclass(frozen=True, slots=True)
class ShownOffsets:
    """Offsets of k models in one direction; parts of the attenuation, in dB.

    Attributes:
        db: (k,) estimates.
        sd_db: (k,) their standard errors.
        prior_sd_db: (k,) what was unknown before.
        people: (k,) how many different people have such a phone.
        encounters: (k,) in how many pairs of a scene.
        readings: (k,) number of readings.
    """

    db: Floats
    sd_db: Floats
    prior_sd_db: Floats
    people: Ints
    encounters: Ints
    readings: Ints

    def shown(self) -> Bools:
        """Return (k,) whether the pairs say more about the model than the prior does."""
        return np.asarray((self.people > 0) & (self.sd_db < SHOWN_BELOW * self.prior_sd_db))


@dataclass(frozen=True, slots=True)
class ShownModels:
    """What pairs of phones show of k models.

    Attributes:
        receive, transmit: their offsets as receivers and as transmitters.
        app_db: what the app's power takes from the attenuation expected of phones that are in no
            table, and
        app_sd_db: its standard error.
        level_db: how far the level is from the expected one, and
        level_sd_db: its standard error.
    """

    receive: ShownOffsets
    transmit: ShownOffsets
    app_db: float
    app_sd_db: float
    level_db: float
    level_sd_db: float


def shown_models(pairs: HeardPairs, priors: ModelPriors, model: ProximityModel) -> ShownModels:
    """Return the offsets of phone models that ``pairs`` show.

    Time grows with the cube of the number of people and scenes.

    Args:
        pairs: who heard whom how loud.
        priors: of the models that ``pairs`` have numbers of.
        model: how much people, pairs and scenes differ.
    """
    count, scenes = len(priors.receive_db2), int(pairs.scene.max(initial=-1)) + 1
    couples = int(pairs.pair.max(initial=-1)) + 1
    receiving = _people(pairs.receiver, pairs.scene, model.receiver_sd_db)
    sending = _people(pairs.transmitter, pairs.scene, model.transmitter_sd_db)
    always = np.zeros(len(pairs), dtype=np.int64)
    fixed = np.array([priors.level_sd_db, 10 * EXPONENT_SD, APP_POWER_SD_DB]) ** 2
    own = np.append(priors.own_power, priors.other_power)[pairs.transmitter_model]
    factors = [
        Factor(always, fixed[[_LEVEL]]),
        Factor(always, fixed[[_SLOPE]], pairs.decades),
        Factor(np.where(own, 0, -1), fixed[[_APP]]),
        Factor(pairs.receiver_model, priors.receive_db2),
        Factor(pairs.transmitter_model, priors.transmit_db2),
        *receiving,
        *sending,
        Factor(pairs.scene, RowGroups(pairs.scene, scenes).max(pairs.scene_db2) + _TINY),
        Factor(pairs.pair, RowGroups(pairs.pair, couples).max(pairs.pair_db2) + _TINY),
    ]
    found = predict_effects(pairs.stray_db, pairs.error_db2, factors)

    def offsets(first: int, who: Ints, of_row: Ints, variance: Floats, app: Bools) -> ShownOffsets:
        at = first + np.arange(count)
        unknown = found.covariance[at, at] + app * (
            2 * found.covariance[at, _APP] + found.covariance[_APP, _APP]
        )
        named = of_row >= 0
        people = np.unique(np.column_stack([of_row[named], who[named]]), axis=0)
        return ShownOffsets(
            db=found.mean[at] + app * found.mean[_APP],
            sd_db=np.sqrt(unknown),
            prior_sd_db=np.sqrt(variance),
            people=np.bincount(people[:, 0], minlength=count),
            encounters=np.bincount(of_row[named], minlength=count),
            readings=RowGroups(of_row[named], count)
            .sum(pairs.readings[named].astype(np.float64))
            .astype(np.int64),
        )

    as_receiver, as_transmitter = found.first[3:5].tolist()
    return ShownModels(
        receive=offsets(
            as_receiver,
            pairs.receiver,
            pairs.receiver_model,
            priors.receive_db2,
            np.zeros(count, dtype=np.bool_),
        ),
        transmit=offsets(
            as_transmitter,
            pairs.transmitter,
            pairs.transmitter_model,
            priors.transmit_db2,
            priors.own_power,
        ),
        app_db=float(found.mean[_APP]),
        app_sd_db=float(np.sqrt(found.covariance[_APP, _APP])),
        level_db=float(found.mean[_LEVEL]),
        level_sd_db=float(np.sqrt(found.covariance[_LEVEL, _LEVEL])),
    )


def row_of(name: str, known: ModelOffsets, found: ShownModels, place: int) -> PhoneRow:
    """Return the line of a model in a table: what the pairs show, or what was known before.

    Args:
        name: the model's name.
        known: what was known before.
        found: what the pairs show.
        place: the model's number in ``found``.
    """
    receive, transmit = found.receive, found.transmit
    heard, sent = bool(receive.shown()[place]), bool(transmit.shown()[place])
    return PhoneRow(
        name,
        ModelOffsets(
            correction_db=known.correction_db + float(receive.db[place]) * heard,
            correction_sd_db=float(receive.sd_db[place]) if heard else known.correction_sd_db,
            transmit_dbm=known.transmit_dbm - float(transmit.db[place]) * sent,
            transmit_sd_db=float(transmit.sd_db[place]) if sent else known.transmit_sd_db,
            measured=heard or sent or known.measured,
        ),
        correction_shown=heard,
        transmit_shown=sent,
        people=max(int(receive.people[place]), int(transmit.people[place])),
        encounters=int(receive.encounters[place] + transmit.encounters[place]),
        readings=int(receive.readings[place] + transmit.readings[place]),
    )


def row_of_others(priors: Calibration, found: ShownModels) -> PhoneRow:
    """Return the line of all models without one: the prior, at the power of the app.

    Without it such phones would count as sending at the prior's power, and the others at the
    app's.
    """
    receive, transmit = priors.receive, priors.transmit
    shown = found.app_sd_db < SHOWN_BELOW * APP_POWER_SD_DB
    power = transmit.mean_dbm - found.app_db * shown
    sd_db = float(np.hypot(transmit.sd_db, found.app_sd_db)) if shown else transmit.sd_db
    return PhoneRow(
        OTHERS,
        ModelOffsets(receive.mean_db, receive.sd_db, power, sd_db, measured=shown),
        correction_shown=False,
        transmit_shown=shown,
        people=0,
        encounters=0,
        readings=0,
    )


def _people(person: Ints, scene: Ints, sd_db: float) -> Sequence[Factor]:
    """Return two factors: what a person keeps in all scenes, and what one scene adds."""
    people = int(person.max(initial=-1)) + 1
    scenes = max(int(scene.max(initial=-1)) + 1, 1)
    known = person >= 0
    keys, row = distinct_keys(person[known] * scenes + scene[known], max(people * scenes, 1))
    there = np.full(len(person), -1, dtype=np.int64)
    there[known] = row
    return (
        Factor(person, np.full(people, LASTING_SHARE * sd_db**2)),
        Factor(there, np.full(len(keys), (1 - LASTING_SHARE) * sd_db**2)),
    )
