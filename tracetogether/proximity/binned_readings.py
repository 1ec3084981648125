"""A scene's readings folded into minutes of each directed pair, and into scans of each phone.

Attenuations are rounded to 2^-16 dB before they are added: sums of such numbers are exact, so
that the order of the readings has no influence, down to the last bit.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from tracetogether.proximity.calibration import Calibration
from tracetogether.proximity.scene import people
from tracetogether.proximity.sums import group_sums
from tracetogether.sightings import Sightings
from tracetogether.units import Floats, Ints

SLOT_S: Final = 60.0
"""One slot: a minute of absolute time."""

SCAN_S: Final = 10.0
"""One scan: phones that listen for less than that at a time count once, others six times a slot."""

_EXACT: Final = 65536.0
_DENSE: Final = 8_000_000


@dataclass(frozen=True, slots=True)
class BinnedReadings:
    """What the phones of a scene heard, in columns.

    Slots are counted from ``first_slot`` = floor(time / 60 s) of the earliest reading, scans from
    ``first_slot`` times six. Directed pairs are ordered by observer and peer, slots by
    pair and time.

    Attributes:
        names: the people, sorted; number -1 stands for all who have no name.
        first_slot, slots: where the slots begin, and how many there are.
        observer, peer: (p,) who heard whom, numbers into ``names``.
        receive_variance_db2, transmit_variance_db2: (p,) what is unknown of the two models.
        pair: (s,) which directed pair a slot belongs to.
        slot: (s,) which slot.
        attenuation_db: (s,) mean over the slot's readings.
        readings: (s,) how many.
        heard_pair, heard_scan: (h,) directed pair and scan in which the pair was heard at all.
        pair_of_reading, slot_of_reading: (n,) for each sighting, indices into the above.
        level_of_reading_db: (n,) attenuation of each sighting, rounded.
    """

    names: tuple[str, ...]
    first_slot: int
    slots: int
    observer: Ints
    peer: Ints
    receive_variance_db2: Floats
    transmit_variance_db2: Floats
    pair: Ints
    slot: Ints
    attenuation_db: Floats
    readings: Floats
    heard_pair: Ints
    heard_scan: Ints
    pair_of_reading: Ints
    slot_of_reading: Ints
    level_of_reading_db: Floats

    @property
    def scans(self) -> int:
        """Scans that fit into the slots."""
        return self.slots * int(SLOT_S // SCAN_S)

    @property
    def pairs(self) -> int:
        """Directed pairs that were heard."""
        return len(self.observer)

    def slot_counts(self) -> Floats:
        """Return (p,) in how many slots each pair was heard."""
        return np.bincount(self.pair, minlength=self.pairs).astype(np.float64)

    def pair_minutes(self) -> Floats:
        """Return (p,) minutes from each pair's first slot to its last, both counted."""
        last = np.flatnonzero(np.diff(self.pair, append=-1))
        first = np.concatenate([[0], last[:-1] + 1]) if len(last) else last
        return np.asarray((self.slot[last] - self.slot[first] + 1) * (SLOT_S / 60))

    def pair_levels(self) -> Floats:
        """Return (p,) the mean over each pair's slots of their attenuation."""
        return group_sums(self.attenuation_db, self.pair, self.pairs) / self.slot_counts()


def bin_readings(sightings: Sightings, calibration: Calibration) -> BinnedReadings:
    """Return the binned of ``sightings``."""
    who = people(sightings)
    receive, transmit = calibration.phone_variances(sightings)
    level = np.rint(calibration.attenuation(sightings).db * _EXACT) / _EXACT
    scan = np.floor(sightings.time / SCAN_S).astype(np.int64)
    per_slot = int(SLOT_S // SCAN_S)
    first = int(scan.min()) // per_slot if len(scan) else 0
    scan -= first * per_slot
    slots = int(scan.max()) // per_slot + 1 if len(scan) else 0
    width = len(who.names) + 1
    key = (who.observer + 1) * width + who.peer + 1
    pairs, pair = _distinct(key, width * width)
    scans, scan_row = _distinct(pair * (slots * per_slot) + scan, len(pairs) * slots * per_slot)
    span = max(slots * per_slot, 1)
    scan_pair, scan_number = scans // span, scans % span
    slot_key, slot_of_scan = _distinct(
        scan_pair * max(slots, 1) + scan_number // per_slot, len(pairs) * max(slots, 1)
    )
    slot_of_reading = slot_of_scan[scan_row]
    readings = np.bincount(slot_of_reading, minlength=len(slot_key)).astype(np.float64)
    total = group_sums(level, slot_of_reading, len(slot_key))
    return BinnedReadings(
        names=who.names,
        first_slot=first,
        slots=slots,
        observer=pairs // width - 1,
        peer=pairs % width - 1,
        receive_variance_db2=_largest(receive, pair, len(pairs)),
        transmit_variance_db2=_largest(transmit, pair, len(pairs)),
        pair=slot_key // max(slots, 1),
        slot=slot_key % max(slots, 1),
        attenuation_db=total / readings,
        readings=readings,
        heard_pair=scan_pair,
        heard_scan=scan_number,
        pair_of_reading=pair,
        slot_of_reading=slot_of_reading,
        level_of_reading_db=level,
    )


def _distinct(key: Ints, bound: int) -> tuple[Ints, Ints]:
    """Return the distinct keys, sorted, and which of them each key is."""
    if bound > _DENSE:
        distinct, row = np.unique(key, return_inverse=True)
        return distinct, row.reshape(-1).astype(np.int64)
    present = np.zeros(bound, dtype=np.bool_)
    present[key] = True
    place = np.cumsum(present) - 1
    return np.flatnonzero(present), place[key]


def _largest(values: Floats, group: Ints, count: int) -> Floats:
    """Return the greatest value of each group; a phone has one model, save for odd logs."""
    found = np.zeros(count)
    if len(values) and values.max() > 0:
        np.maximum.at(found, group, values)
    return found
