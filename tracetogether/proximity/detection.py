"""How often a phone was received, of the scans in which it could have been: a sign of nearness.

Silence is not absence: phones stop recording for minutes. A scan therefore counts for a pair only
while both phones were at work. Whether the observer listened shows in what else it received in
that scan. A scan known by nothing but the pair's own reading is left out, because scans like it in
which the pair was silent are not known. Whether the peer was there shows in the logs at hand:

- one log: from the pair's first to its last reading, and a minute more at either end;
- both logs: the peer's own log shows when its phone was at work, give or take a minute. A peer
  without a log is treated as in one log;
- all logs: scan by scan, if anybody received the peer within half a minute.

The evidence is the logarithm of packets per such scan. Packets say more than "received at all"
where a phone notes several in a scan. How often a phone receives anybody depends on its operating
system, its habits and the bag it lies in. As with attenuation, only what differs from the
observer's other pairs is therefore evidence of distance: with one log, a pair that is received
alone has none.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from tracetogether.proximity.binned_readings import SCANS_PER_SLOT, BinnedReadings
from tracetogether.proximity.grid import RowGroups
from tracetogether.units import Bools, Floats, Ints

_REACH_SCANS: Final = 3  # half a minute: somebody receives a phone that is there
_FEW_SCANS: Final = 10.0  # with this many scans, a pair's rate counts half
_OFFSET_BELIEF: Final = 3.0  # pairs' variance of log rates over people's: about .7 over .25
_ROUNDS: Final = 5  # two-way fits settle within that


@dataclass(frozen=True, slots=True)
class Hearing:
    """(p,) packets of each directed pair, and scans in which it could have been received.

    Attributes:
        packets: readings in those scans.
        heard: scans with any.
        possible: scans in which both phones were at work.
    """

    packets: Floats
    heard: Floats
    possible: Floats


def heard_oftener(binned: BinnedReadings, hearing: Hearing, *, all_logs: bool) -> Floats:
    """Return (p,) the logarithm of how much oftener each directed pair was received than others.

    The rate of a pair is its packets per possible scan, with one scan at the scene's rate added (a
    Gamma prior). Its people's offsets are random effects, shown by their other pairs: the
    receiver's and, with all logs, the transmitter's. The result is shrunk where few scans were
    possible, and 0 where nothing else was received.
    """
    pairs, people = binned.pairs, len(binned.pairs.names) + 1
    scans = float(hearing.possible.sum())
    if not scans:
        return np.zeros(len(pairs))
    usual = max(float(hearing.packets.sum()) / scans, 1e-9)
    stray = np.log((hearing.packets + usual) / (hearing.possible + 1) / usual)
    weight = hearing.possible / (hearing.possible + _FEW_SCANS)
    stray -= (weight * stray).sum() / weight.sum()
    receivers, transmitters = (
        RowGroups(pairs.first + 1, people),
        RowGroups(pairs.second + 1, people),
    )
    offset = _offset_by_others(receivers, weight, stray)
    if all_logs:
        of_transmitter = np.zeros(len(pairs))
        for _ in range(_ROUNDS):
            of_transmitter = _offset_by_others(transmitters, weight, stray - offset)
            offset = _offset_by_others(receivers, weight, stray - of_transmitter)
        offset = offset + of_transmitter
    return np.asarray(weight * (stray - offset))


def _offset_by_others(groups: RowGroups, weight: Floats, stray: Floats) -> Floats:
    """Return each row's group's mean without the row itself, shrunk to 0."""
    weighted = weight * stray
    total, count = groups.sum(weighted), groups.sum(weight)
    return np.asarray(
        (total[groups.row] - weighted) / (count[groups.row] - weight + _OFFSET_BELIEF)
    )


def hearing_of_own_log(binned: BinnedReadings) -> Hearing:
    """Return how often each pair was received, judged by the observer's own log."""
    scan, starts = binned.heard_scan, _starts(binned)
    alone = _heard_alone(binned)
    of_pair = RowGroups(binned.heard_pair, len(binned.pairs))
    packets = of_pair.sum(np.where(alone, 0.0, binned.heard_packets))
    heard = of_pair.sum(np.where(alone, 0.0, 1.0))
    if not len(starts):
        return Hearing(packets, heard, heard)
    last = scan[np.append(starts[1:], len(scan)) - 1] + SCANS_PER_SLOT
    first = scan[starts] - SCANS_PER_SLOT
    # Scans of every observer in one sorted column, so that two look-ups count those between.
    span = binned.scans + 4 * SCANS_PER_SLOT
    live = np.unique((binned.pairs.first[binned.heard_pair] + 1) * span + scan)
    base = (binned.pairs.first + 1) * span
    low = np.searchsorted(live, base + np.maximum(first, 0), side="left")
    high = np.searchsorted(live, base + np.minimum(last, binned.scans), side="right")
    possible = (high - low) - of_pair.sum(alone.astype(np.float64))
    return Hearing(packets, heard, possible)


def hearing_of_both_logs(binned: BinnedReadings) -> Hearing:
    """Return how often each pair was received, while the peer's own log shows it at work."""
    own = hearing_of_own_log(binned)
    people = len(binned.pairs.names) + 1
    live = np.unique((binned.pairs.first[binned.heard_pair] + 1) * binned.scans + binned.heard_scan)
    who, slot = live // max(binned.scans, 1), live % max(binned.scans, 1) // SCANS_PER_SLOT
    scans = np.bincount(who * binned.slots + slot, minlength=people * binned.slots)
    scans = scans.reshape(people, binned.slots).astype(np.float64)
    alive = _widened(scans > 0, 1).astype(np.float64)
    possible = np.einsum("pt,pt->p", scans[binned.pairs.first + 1], alive[binned.pairs.second + 1])
    possible -= np.bincount(
        binned.heard_pair, weights=_heard_alone(binned), minlength=len(binned.pairs)
    )
    has_log = np.asarray(alive.any(axis=1))[binned.pairs.second + 1]
    return Hearing(
        own.packets, own.heard, np.where(has_log, np.maximum(possible, own.heard), own.possible)
    )


def hearing_by_slot(binned: BinnedReadings) -> tuple[Floats, Floats]:
    """Return how often each person received each other one, and could have, given all logs.

    Two arrays (observers, peers, slots), of people with a name.
    """
    people, scans = len(binned.pairs.names), binned.scans
    heard = np.zeros((people, people, scans), dtype=np.bool_)
    observer = binned.pairs.first[binned.heard_pair]
    peer = binned.pairs.second[binned.heard_pair]
    named = (observer >= 0) & (peer >= 0)
    heard[observer[named], peer[named], binned.heard_scan[named]] = True
    listening: Bools = np.asarray(heard.any(axis=1))
    alive = _widened(np.asarray(heard.any(axis=0)), _REACH_SCANS)
    possible = heard | (listening[:, None] & alive[None])
    shape = (people, people, binned.slots, SCANS_PER_SLOT)
    return (
        heard.reshape(shape).sum(axis=3).astype(np.float64),
        possible.reshape(shape).sum(axis=3).astype(np.float64),
    )


def _heard_alone(binned: BinnedReadings) -> Bools:
    """Return (h,) whether the observer received nobody else in the scan."""
    scan = (binned.pairs.first[binned.heard_pair] + 1) * binned.scans + binned.heard_scan
    of_scan = np.bincount(scan) if len(scan) else scan
    return np.asarray(of_scan[scan] == 1)


def _starts(binned: BinnedReadings) -> Ints:
    """Return where each pair's scans begin."""
    return np.flatnonzero(np.diff(binned.heard_pair, prepend=-1))


def _widened(alive: Bools, reach: int) -> Bools:
    """Return true where anything within ``reach`` columns is true."""
    wide = alive.copy()
    for shift in range(1, min(reach, alive.shape[1] - 1) + 1):
        wide[:, shift:] |= alive[:, :-shift]
        wide[:, :-shift] |= alive[:, shift:]
    return wide
