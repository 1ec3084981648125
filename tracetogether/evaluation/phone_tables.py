"""A table of phone models' offsets from recordings, as ``--calibration`` reads it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from tracetogether.errors import CalibrationError
from tracetogether.evaluation.known_slots import KnownSlots
from tracetogether.evaluation.scene import Scene
from tracetogether.proximity.binned_readings import BinnedReadings, bin_readings
from tracetogether.proximity.calibration import Calibration, PhoneRow, model_key
from tracetogether.proximity.grid import RowGroups
from tracetogether.proximity.model import MODEL, ONE_LOG
from tracetogether.proximity.offsets import slot_noise_db2
from tracetogether.proximity.phone_models import (
    LEVEL_SD_DB,
    UNKNOWN_DISTANCES_SD_DB,
    HeardPairs,
    ModelPriors,
    ShownModels,
    row_of,
    row_of_others,
    shown_models,
)
from tracetogether.units import Floats, Ints

_MEASURED_SD_DB: Final = 2.0  # what phones of a measured model differ by (1.4 to 3.0 dB)


@dataclass(frozen=True, slots=True)
class PhoneTable:
    """What recordings show of phone models.

    Attributes:
        rows: one per model that was named, by name, and one for all others.
        found: their offsets as estimated.
        scenes: how many scenes had readings.
        pairs: directed pairs in scenes.
        known: how many of those had a known distance.
    """

    rows: tuple[PhoneRow, ...]
    found: ShownModels
    scenes: int
    pairs: int
    known: int


def phone_table(recordings: Sequence[Sequence[Scene]], calibration: Calibration) -> PhoneTable:
    """Return the offsets of all phone models that ``recordings`` name.

    A name is the same person in all scenes of one recording, and another in other recordings.
    People without a name count as one person for each phone model of a recording: nothing says
    that there were several, and errors would be too small if there were not.

    Args:
        recordings: scenes of each, with known distances or without.
        calibration: what is known of the models before.

    Raises:
        CalibrationError: no reading names a phone model.
    """
    numbers = _Numbers({}, {}, {})
    parts: list[HeardPairs] = []
    known = 0
    for recording, scenes in enumerate(recordings):
        for scene in scenes:
            # Advertised powers are left out: readers of the table don't use them either.
            unsaid = scene.sightings.replaced(tx_power_dbm=np.full(len(scene.sightings), np.nan))
            part = _pairs_of(replace(scene, sightings=unsaid), calibration)
            if part is not None:
                parts.append(numbers.columns(scene, part, recording, len(parts)))
                known += len(part.way) * (part.decades is not None)
    if not numbers.models:
        raise CalibrationError(
            "no reading names a phone model; name the columns with "
            "--columns observer_model=...,peer_model=..."
        )
    base = [calibration.offsets_of(name) for name in numbers.names]
    pairs = HeardPairs.concat(parts)
    priors = ModelPriors(
        receive_db2=_prior_db2([offsets.correction_sd_db for offsets in base]),
        transmit_db2=_prior_db2([offsets.transmit_sd_db for offsets in base]),
        own_power=np.array([not offsets.measured for offsets in base]),
        level_sd_db=LEVEL_SD_DB if known else float(np.hypot(LEVEL_SD_DB, UNKNOWN_DISTANCES_SD_DB)),
    )
    found = shown_models(pairs, priors, MODEL)
    rows = [
        row_of(name, offsets, found, place)
        for place, (name, offsets) in enumerate(zip(numbers.names, base, strict=True))
    ]
    return PhoneTable(
        (*sorted(rows, key=lambda row: row.model), row_of_others(calibration, found)),
        found,
        scenes=len(parts),
        pairs=len(pairs),
        known=known,
    )


@dataclass(frozen=True, slots=True)
class _ScenePairs:
    """Directed pairs of one scene, in columns.

    Attributes:
        binned: the readings.
        way: which pairs of ``binned`` they are.
        level_db: mean attenuation over slots.
        decades: mean log10 distance over slots; None if distances are unknown.
        slots: number of slots.
    """

    binned: BinnedReadings
    way: Ints
    level_db: Floats
    decades: Floats | None
    slots: Floats


def _pairs_of(scene: Scene, calibration: Calibration) -> _ScenePairs | None:
    """Return the pairs of a scene: those with a known distance, or all if none has one."""
    if not len(scene.sightings):
        return None
    known = KnownSlots.of(scene, calibration)
    if known is None:
        binned = bin_readings(scene.sightings, calibration)
        way = np.arange(len(binned.pairs))
        return _ScenePairs(binned, way, binned.pair_levels(), None, binned.slot_counts())
    way, row = np.unique(known.way, return_inverse=True)
    groups = RowGroups(row.reshape(-1).astype(np.int64), len(way))
    level, decades = groups.mean(known.level), groups.mean(known.decades)
    return _ScenePairs(known.binned, way, level, decades, groups.sizes())


@dataclass(frozen=True, slots=True)
class _Numbers:
    """Phone models and people, numbered in the order in which they occur.

    Attributes:
        models: key of a model's name -> its number and its name.
        people: recording, name, and the phone model of a person without a name -> number.
        couples: scene, and two people -> number.
    """

    models: dict[str, tuple[int, str]]
    people: dict[tuple[int, str | None, str | None], int]
    couples: dict[tuple[int, int, int], int]

    @property
    def names(self) -> list[str]:
        return [name for _, name in self.models.values()]

    def columns(self, scene: Scene, part: _ScenePairs, recording: int, number: int) -> HeardPairs:
        """Return the pairs of a scene with all people and models as numbers.

        Args:
            scene: whose readings they are.
            part: the pairs.
            recording: number of the recording.
            number: of the scene.
        """
        pairs, count = part.binned.pairs, len(part.way)
        first = np.unique(pairs.row, return_index=True)[1][part.way]
        receiving, sending = (
            labels.take(first).to_list()
            for labels in (scene.sightings.observer_model, scene.sightings.peer_model)
        )
        people, named = self.people, (*pairs.names, None)  # number -1 picks the last

        def persons(numbers: Ints, models: list[str | None]) -> Ints:
            names = [named[place] for place in numbers.tolist()]
            keys = [
                (recording, name, model if name is None else None)
                for name, model in zip(names, models, strict=True)
            ]
            return np.array([people.setdefault(key, len(people)) for key in keys], dtype=np.int64)

        receiver = persons(pairs.first[part.way], receiving)
        transmitter = persons(pairs.second[part.way], sending)
        minutes = part.binned.pair_minutes()[part.way]
        pair_db2 = np.full(count, MODEL.pair_sd_db**2)
        error_db2 = MODEL.direction_sd_db**2 + slot_noise_db2(part.slots, MODEL)
        scene_db2 = MODEL.level_sd_db**2
        if part.decades is None:
            moving = ONE_LOG.kept_variance(minutes) - ONE_LOG.kept_decades**2
            pair_db2 += (MODEL.slope_db * ONE_LOG.kept_decades) ** 2
            error_db2 += MODEL.slope_db**2 * moving
            scene_db2 += (MODEL.slope_db * MODEL.density_decades / 2) ** 2
        decades = np.zeros(count) if part.decades is None else part.decades
        expected = MODEL.typical_db if part.decades is None else MODEL.level_db
        return HeardPairs(
            receiver=receiver,
            transmitter=transmitter,
            pair=self._pairs(receiver, transmitter, number),
            receiver_model=self._models(receiving),
            transmitter_model=self._models(sending),
            scene=np.full(count, number),
            stray_db=part.level_db - expected - MODEL.slope_db * decades,
            error_db2=error_db2,
            pair_db2=pair_db2,
            scene_db2=np.full(count, scene_db2),
            decades=decades,
            readings=np.bincount(pairs.row, minlength=len(pairs))[part.way],
        )

    def _pairs(self, first: Ints, second: Ints, scene: int) -> Ints:
        """Return the number of each pair, the same for both directions."""
        couples = self.couples
        keys = [
            (scene, min(pair), max(pair))
            for pair in zip(first.tolist(), second.tolist(), strict=True)
        ]
        return np.array([couples.setdefault(key, len(couples)) for key in keys], dtype=np.int64)

    def _models(self, names: list[str | None]) -> Ints:
        """Return the number of each model; -1 where there is no name."""
        return np.array(
            [
                -1
                if name is None
                else self.models.setdefault(model_key(name), (len(self.models), name))[0]
                for name in names
            ],
            dtype=np.int64,
        )


def _prior_db2(sd_db: Sequence[float]) -> Floats:
    return np.asarray(np.maximum(np.array(sd_db), _MEASURED_SD_DB) ** 2)
