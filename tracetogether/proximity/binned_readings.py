"""A scene's readings binned into minutes of each directed pair, and into scans of each phone.

Attenuations are rounded to 2^-16 dB before they are added: sums of such numbers are exact, so
that the order of the readings has no influence, down to the last bit.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from tracetogether.proximity.calibration import Calibration
from tracetogether.proximity.grid import PairIndex, RowGroups, TimeGrid, distinct_keys
from tracetogether.sightings import Sightings
from tracetogether.units import Floats, Ints

SLOT_S: Final = 60.0
"""One slot: a minute of absolute time."""

SCANS_PER_SLOT: Final = 6

SCAN_S: Final = SLOT_S / SCANS_PER_SLOT
"""One scan: phones that listen for less than that at a time count once, others six times a slot."""

_EXACT: Final = 65536.0


@dataclass(frozen=True, slots=True)
class BinnedReadings:
    """The readings of a scene, binned into minutes of each directed pair and scans of each phone.

    Slots are ordered by pair and time.

    Attributes:
        pairs: (p,) the directed pairs: first received second. Their rows are the sightings.
        grid: the slots; scans are counted from the same beginning.
        slots: how many slots there are.
        receive_variance_db2, transmit_variance_db2: (p,) what is unknown of the two models.
        of_reading: which slot (s,) each sighting is in.
        pair: (s,) the directed pair of a slot.
        slot: (s,) its time, a cell of ``grid``.
        attenuation_db: (s,) mean over the slot's readings.
        heard_pair, heard_scan: (h,) directed pair and scan in which the pair was received at all.
        heard_packets: (h,) how many readings that scan has of the pair.
        level_of_reading_db: (n,) attenuation of each sighting, rounded.
    """

    pairs: PairIndex
    grid: TimeGrid
    slots: int
    receive_variance_db2: Floats
    transmit_variance_db2: Floats
    of_reading: RowGroups
    pair: Ints
    slot: Ints
    attenuation_db: Floats
    heard_pair: Ints
    heard_scan: Ints
    heard_packets: Floats
    level_of_reading_db: Floats

    @property
    def scans(self) -> int:
        """Scans that fit into the slots."""
        return self.slots * SCANS_PER_SLOT

    def slot_counts(self) -> Floats:
        """Return (p,) in how many slots each pair was received."""
        return RowGroups(self.pair, len(self.pairs)).sizes()

    def pair_minutes(self) -> Floats:
        """Return (p,) minutes from each pair's first slot to its last, both counted."""
        last = np.flatnonzero(np.diff(self.pair, append=-1))
        first = np.concatenate([[0], last[:-1] + 1]) if len(last) else last
        return np.asarray((self.slot[last] - self.slot[first] + 1) * (SLOT_S / 60))

    def pair_levels(self) -> Floats:
        """Return (p,) the mean over each pair's slots of their attenuation."""
        return RowGroups(self.pair, len(self.pairs)).mean(self.attenuation_db)


def bin_readings(sightings: Sightings, calibration: Calibration) -> BinnedReadings:
    """Return ``sightings`` binned; their order has no influence, to the last bit."""
    receive, transmit = calibration.phone_variances(sightings)
    level = np.rint(calibration.attenuation(sightings).db * _EXACT) / _EXACT
    scan = TimeGrid(SCAN_S).cells(sightings.time)
    origin = int(scan.min()) // SCANS_PER_SLOT if len(scan) else 0
    scan -= origin * SCANS_PER_SLOT
    slots = int(scan.max()) // SCANS_PER_SLOT + 1 if len(scan) else 0
    pairs = PairIndex.of_sightings(sightings, directed=True)
    span = max(slots * SCANS_PER_SLOT, 1)
    scans, scan_row = distinct_keys(pairs.row * span + scan, len(pairs) * span)
    scan_pair, scan_number = scans // span, scans % span
    slot_key, slot_of_scan = distinct_keys(
        scan_pair * max(slots, 1) + scan_number // SCANS_PER_SLOT, len(pairs) * max(slots, 1)
    )
    of_reading = RowGroups(slot_of_scan[scan_row], len(slot_key))
    return BinnedReadings(
        pairs=pairs,
        grid=TimeGrid(SLOT_S, origin),
        slots=slots,
        receive_variance_db2=pairs.max(receive),
        transmit_variance_db2=pairs.max(transmit),
        of_reading=of_reading,
        pair=slot_key // max(slots, 1),
        slot=slot_key % max(slots, 1),
        attenuation_db=of_reading.mean(level),
        heard_pair=scan_pair,
        heard_scan=scan_number,
        heard_packets=np.bincount(scan_row, minlength=len(scans)).astype(np.float64),
        level_of_reading_db=level,
    )
