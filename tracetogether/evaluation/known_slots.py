"""The minutes of a scene whose true distance is known: what figures are fitted to."""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from tracetogether.evaluation.scene import Scene
from tracetogether.evaluation.truth import mean_distance_m
from tracetogether.labels import Labels
from tracetogether.proximity.binned_readings import BinnedReadings, bin_readings
from tracetogether.proximity.calibration import Calibration
from tracetogether.proximity.grid import PairIndex
from tracetogether.proximity.model import REFERENCE_M
from tracetogether.units import Bools, Floats, Ints


@dataclass(frozen=True, slots=True)
class KnownSlots:
    """The slots of one scene whose distance is known, in columns.

    Attributes:
        binned: the readings of the whole scene.
        level: (s,) attenuation.
        decades: (s,) log10 of the distance over REFERENCE_M.
        slot: (s,) which slot.
        way: (s,) which directed pair of the binned.
        pair: (s,) which pair, without a direction.
    """

    binned: BinnedReadings
    level: Floats
    decades: Floats
    slot: Ints
    way: Ints
    pair: Ints

    @classmethod
    def of(cls, scene: Scene, calibration: Calibration) -> Self | None:
        """Return the slots of a scene whose distance is known, None if there are none."""
        if scene.distance_m is None or not len(scene.sightings):
            return None
        binned = bin_readings(scene.sightings, calibration)
        distance = mean_distance_m(scene, binned.of_reading)
        rows = np.isfinite(distance)
        if not rows.any():
            return None
        way = binned.pair[rows]
        receiver, transmitter = binned.pairs.first[way], binned.pairs.second[way]
        pairs = PairIndex.of(binned.pairs.names, receiver, transmitter, directed=False)
        return cls(
            binned=binned,
            level=binned.attenuation_db[rows],
            decades=np.log10(distance[rows] / REFERENCE_M),
            slot=binned.slot[rows],
            way=way,
            pair=pairs.row,
        )

    def take(self, rows: Bools) -> Self:
        """Return some of the slots."""
        columns = {
            column.name: getattr(self, column.name)[rows]
            for column in fields(self)
            if column.name != "binned"
        }
        return type(self)(binned=self.binned, **columns)

    def models(self, labels: Labels) -> tuple[str | None, ...]:
        """Return the phone model of each directed pair of ``binned``.

        Args:
            labels: observers' or peers' models, of the scene's sightings.
        """
        first = np.unique(self.binned.pairs.row, return_index=True)[1]
        return tuple(labels.take(first).to_list())
