"""Readings to encounters and their half-minute slots, which all estimators of encounters share.

An encounter is a run of readings of one pair without a gap longer than ``max_gap_s``. Within it
the readings of each half minute make one slot. A slot stands for a span of time: the time between
its own readings, and its share of the gaps to its neighbours.

How much silence counts is uncertain, so every slot has three credits (low, median, high):

- between two readings, a gap counts whole if it is in the observer's rhythm. Phones that scan for a
  few seconds a minute are silent in between. BlueTrace phones connect to one peer at a time: they
  receive each one every 47 to 150 s if few are around, and every five minutes in a full train. The
  rhythm comes from the observer's whole log: the mean length of the gap that a random moment falls
  into, sum(gap^2) / sum(gap). A longer gap counts up to that; its low is a typical gap, and its
  high the whole gap. The typical gap is the encounter's own, length-weighted in the same way, with
  one gap of ``typical_gap_s`` added.
- before the first and after the last reading, the time that the peer was probably there unheard
  (``proximity.presence``); the low is nothing, the high about its 95 % quantile.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from tracetogether.labels import Labels
from tracetogether.proximity.calibration import Calibration
from tracetogether.proximity.grid import PairIndex
from tracetogether.proximity.presence import Stays, Unheard, rhythms
from tracetogether.sightings import Sightings
from tracetogether.units import Codes, Floats, Ints

DEFAULT_MAX_GAP_S: Final = 600.0
"""Four of the longest silences of a TraceTogether pair that stays together (150 s): three
exchanges in a row may fail before an encounter is cut in two."""


_ONE_SCAN_S: Final = 0.9  # packets nearer in time than this are of one scan


@dataclass(frozen=True, slots=True)
class TimeCredit:
    """How much time readings stand for, in seconds."""

    slot_s: float = 30.0
    typical_gap_s: float = 60.0  # BlueTrace and DP-3T phones scan about once a minute
    sure_gap_s: float = 180.0  # a BlueTrace pair's longest regular silence, and a margin
    sure_rhythms: float = (
        1.5  # in units of the observer's typical gap; the longer of the two counts
    )


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Slots:
    """Encounters in columns of length m, their time slots in columns of length s.

    Encounters are ordered by observer, peer and start; slots by encounter and time. The order
    of the readings has no influence on anything here.

    Attributes:
        observer, peer: (m,) whose phone received whose.
        start_s, end_s: (m,) times of the first and the last reading.
        readings: (m,) number of readings.
        phone_variance_db2: (m,) variance from what is unknown of the two phones.
        receive_variance_db2: (m,) the part of it that is the observer's phone.
        first_slot: (m,) where each encounter's slots begin.
        encounter: (s,) which encounter a slot belongs to.
        time_s: (s,) mean time of its readings.
        attenuation_db: (s,) their mean attenuation.
        slot_readings: (s,) number of readings.
        credit_low_s, credit_s, credit_high_s: (s,) the time it stands for.
        of_reading: (n,) the slot of each reading.
    """

    observer: Labels
    peer: Labels
    start_s: Floats
    end_s: Floats
    readings: Ints
    phone_variance_db2: Floats
    receive_variance_db2: Floats
    first_slot: Ints
    encounter: Ints
    time_s: Floats
    attenuation_db: Floats
    slot_readings: Ints
    credit_low_s: Floats
    credit_s: Floats
    credit_high_s: Floats
    of_reading: Ints

    def total(self, per_slot: Floats) -> Floats:
        """Return the sum over each encounter's slots of a column of slots."""
        return np.add.reduceat(per_slot, self.first_slot) if len(self) else np.empty(0)

    def smallest(self, per_slot: Floats) -> Floats:
        """Return the least over each encounter's slots of a column of slots."""
        return np.minimum.reduceat(per_slot, self.first_slot) if len(self) else np.empty(0)

    def spread_out(self, values: Floats, by_slot: Floats) -> Floats:
        """Return (s,) each encounter's value shared out over its slots as ``by_slot`` says.

        Where that is 0 in all of an encounter's slots, it is in proportion to their time.

        Args:
            values: (m,) what the slots of each encounter add up to.
            by_slot: (s,) weights, none below 0.
        """
        some = (self.total(by_slot) > 0)[self.encounter]
        parts = np.where(some, by_slot, self.credit_s)
        return np.asarray(parts * (values / self.total(parts))[self.encounter])

    def mean_around(self, values: Floats, window_s: float) -> tuple[Floats, Floats]:
        """Return (s,) the mean of ``values`` in the window around each slot, and the time in it.

        Args:
            values: (s,) one value of each slot; they are weighted by the slots' time.
            window_s: slots of the same encounter up to half of this away are averaged.
        """
        # Encounters are set a window apart, so that one sorted column serves all of them.
        duration = self.end_s - self.start_s
        begin = np.cumsum(duration + window_s) - duration
        at = self.time_s + (begin - self.start_s)[self.encounter]
        first = np.searchsorted(at, at - window_s / 2, side="left")
        last = np.searchsorted(at, at + window_s / 2, side="right")
        sums = np.concatenate([[0.0], np.cumsum(values * self.credit_s)])
        times = np.concatenate([[0.0], np.cumsum(self.credit_s)])
        time_s = times[last] - times[first]
        return (sums[last] - sums[first]) / time_s, time_s

    def counts(self) -> Ints:
        """Return (m,) how many slots each encounter has."""
        return _run_lengths(self.first_slot, len(self.time_s))

    def mean_level(self) -> Floats:
        """Return (m,) the mean attenuation of each encounter's slots, weighted by their time."""
        time_s = self.total(self.credit_s)
        return np.asarray(self.total(self.attenuation_db * self.credit_s) / time_s)

    def __len__(self) -> int:
        return len(self.start_s)


def fold(
    sightings: Sightings,
    calibration: Calibration,
    *,
    max_gap_s: float = DEFAULT_MAX_GAP_S,
    credit: TimeCredit = TimeCredit(),
) -> Slots:
    """Return the encounters of ``sightings`` and their slots."""
    attenuation = calibration.attenuation(sightings)
    pairs = PairIndex.of_sightings(sightings, directed=True)
    order = _sorted(pairs.row, sightings.time, attenuation.db)
    pair, time, level = pairs.row[order], sightings.time[order], attenuation.db[order]

    gap = np.diff(time, prepend=-np.inf)
    new_encounter = (np.diff(pair, prepend=-1) != 0) | (gap > max_gap_s)
    first_reading = np.flatnonzero(new_encounter)
    encounter = np.cumsum(new_encounter) - 1  # of each reading
    number = np.floor((time - time[first_reading][encounter]) / credit.slot_s)
    new_slot = new_encounter | (np.diff(number, prepend=-1.0) != 0)
    slot_start = np.flatnonzero(new_slot)
    gap[first_reading] = 0.0

    count = _run_lengths(slot_start, len(time))
    slot_encounter = encounter[slot_start]
    readings = _run_lengths(first_reading, len(time))
    observer, peer = pairs.labels(pair[first_reading])
    sure_gap = np.repeat(_sure_gaps(gap, first_reading, observer.codes, credit), readings)
    start_s, end_s = time[first_reading], time[first_reading + readings - 1]
    # Relative to the slot's first reading: sums of epoch seconds would lose milliseconds.
    slot_time_s = time[slot_start] + (
        _reduce(np.add, time - np.repeat(time[slot_start], count), slot_start) / count
    )
    first_slot = np.flatnonzero(new_encounter[slot_start])
    rhythm_s = rhythms(observer.codes[slot_encounter], slot_time_s)[first_slot]
    scans = (new_encounter | (gap > _ONE_SCAN_S)).astype(np.int64)
    heard = np.add.reduceat(scans, first_reading) if len(scans) else scans
    stays = Stays(observer.codes, peer.codes, start_s, end_s, heard)
    unheard = stays.unheard_s(rhythm_s)
    low, median, high = _credits(
        gap, sure_gap, first_reading, slot_start, slot_encounter, unheard, credit
    )
    receive, transmit = calibration.phone_variances(sightings)
    slot = np.empty(len(time), dtype=np.int64)
    slot[order] = np.cumsum(new_slot) - 1
    return Slots(
        observer=observer,
        peer=peer,
        start_s=start_s,
        end_s=end_s,
        readings=readings,
        phone_variance_db2=_reduce(np.maximum, (receive + transmit)[order], first_reading),
        receive_variance_db2=_reduce(np.maximum, receive[order], first_reading),
        first_slot=first_slot,
        encounter=slot_encounter,
        time_s=slot_time_s,
        attenuation_db=_reduce(np.add, level, slot_start) / count,
        slot_readings=count,
        credit_low_s=low,
        credit_s=median,
        credit_high_s=high,
        of_reading=slot,
    )


def _sorted(pair: Ints, time: Floats, level: Floats) -> Ints:
    """Return the rows in order of pair, time and level.

    As np.lexsort((level, time, pair)), only that logs come nearly in order of time, which
    a stable sort uses, and that equal times are few.
    """
    order = np.argsort(time, kind="stable")
    narrow = np.min_scalar_type(int(pair.max(initial=0)))  # 16 bits and less sort in linear time
    order = order[np.argsort(pair[order].astype(narrow), kind="stable")]
    sorted_pair, sorted_time = pair[order], time[order]
    tie = (sorted_pair[1:] == sorted_pair[:-1]) & (sorted_time[1:] == sorted_time[:-1])
    if tie.any():
        places = np.flatnonzero(np.append(tie, False) | np.insert(tie, 0, False))
        rows = order[places]
        order[places] = rows[np.lexsort((level[rows], time[rows], pair[rows]))]
    return order


def _run_lengths(starts: Ints, total: int) -> Ints:
    return np.diff(starts, append=total)


def _reduce(operation: np.ufunc, values: Floats, starts: Ints) -> Floats:
    """Return ``operation`` over each run of ``values``; reduceat knows no empty input."""
    reduced: Floats = operation.reduceat(values, starts) if len(starts) else np.empty(0)
    return reduced


def _sure_gaps(gap: Floats, first_reading: Ints, observer: Codes, credit: TimeCredit) -> Floats:
    """Return the longest gap that is credited whole, for each encounter."""
    time = np.bincount(observer + 1, _reduce(np.add, gap, first_reading))
    squares = np.bincount(observer + 1, _reduce(np.add, gap**2, first_reading))
    rhythm = squares / np.maximum(time, 1.0)  # the gap in which a random moment lies
    return np.maximum(credit.sure_gap_s, credit.sure_rhythms * rhythm)[observer + 1]


def _credits(
    gap: Floats,
    sure_gap: Floats,
    first_reading: Ints,
    slot_start: Ints,
    slot_encounter: Ints,
    unheard: Unheard,
    credit: TimeCredit,
) -> tuple[Floats, Floats, Floats]:
    """Return the least, median and greatest time of each slot.

    Args:
        gap: (n,) seconds since the reading before, 0 for an encounter's first.
        sure_gap: (n,) up to which length a gap is credited whole.
        first_reading: (m,) where each encounter begins.
        slot_start: (s,) where each slot begins.
        slot_encounter: (s,) which encounter each slot belongs to.
        unheard: (m,) time there before the first reading and after the last one.
        credit: how much time readings stand for.
    """
    sure = np.where(gap <= sure_gap, gap, 0.0)
    typical = (_reduce(np.add, sure**2, first_reading) + credit.typical_gap_s**2) / (
        _reduce(np.add, sure, first_reading) + credit.typical_gap_s
    )
    opens = np.diff(slot_encounter, prepend=-1) != 0  # the encounter's first slot
    closes = np.diff(slot_encounter, append=-1) != 0

    def shared(between: Floats, before_s: Floats | float, after_s: Floats | float) -> Floats:
        inside = between.copy()
        inside[slot_start] /= 2
        before_next: Floats = np.append(inside[slot_start[1:]], 0.0)  # 0 where an encounter ends
        time_s = _reduce(np.add, inside, slot_start) + before_next
        time_s[opens] += before_s
        time_s[closes] += after_s
        return time_s

    whole = np.minimum(gap, sure_gap)
    least = np.where(
        gap <= sure_gap,
        gap,
        np.repeat(typical, _run_lengths(first_reading, len(gap))),
    )
    return (
        shared(least, 0.0, 0.0),
        shared(whole, unheard.before_s, unheard.after_s),
        shared(gap, unheard.most_before_s, unheard.most_after_s),
    )
