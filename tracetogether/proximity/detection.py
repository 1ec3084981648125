"""Scans in which a phone was received, and scans in which it could have been.

Silence is not absence: phones stop recording for minutes. A scan therefore counts for a pair only
while both phones were at work. Whether the observer listened shows in what else it received in
that scan. A scan known by nothing but the pair's own reading is left out, because scans like it in
which the pair was silent are not known. Whether the peer was there shows in the logs at hand:

- one log: from the pair's first to its last reading, and a minute more at either end;
- both logs: the peer's own log shows when its phone was at work, give or take a minute. A peer
  without a log is treated as in one log;
- all logs: scan by scan, if anybody received the peer within half a minute.

The share of scans is used as log-odds, with two scans at the usual log-odds added (a Beta prior
worth two observations), so that few scans say little.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import expit

from tracetogether.proximity.binned_readings import SCANS_PER_SLOT, BinnedReadings
from tracetogether.units import Bools, Floats, Ints

_REACH_SCANS: Final = 3  # half a minute: somebody receives a phone that is there


@dataclass(frozen=True, slots=True)
class Hearing:
    """(p,) scans in which each directed pair was received, and could have been received."""

    heard: Floats
    possible: Floats


def log_odds(heard: Floats, possible: Floats, usual: float) -> Floats:
    """Return the log-odds of being received, with two scans added at the ``usual`` log-odds."""
    share = 2 * expit(usual)
    missed = np.maximum(possible - heard, 0)
    return np.asarray(np.log((heard + share) / (missed + 2 - share)))


def hearing_of_own_log(binned: BinnedReadings) -> Hearing:
    """Return how often each pair was received, judged by the observer's own log."""
    scan, starts = binned.heard_scan, _starts(binned)
    heard = np.diff(np.append(starts, len(scan))).astype(np.float64)
    if not len(starts):
        return Hearing(heard, heard)
    last = scan[np.append(starts[1:], len(scan)) - 1] + SCANS_PER_SLOT
    first = scan[starts] - SCANS_PER_SLOT
    # Scans of every observer in one sorted column, so that two look-ups count those between.
    span = binned.scans + 4 * SCANS_PER_SLOT
    live = np.unique((binned.pairs.first[binned.heard_pair] + 1) * span + scan)
    base = (binned.pairs.first + 1) * span
    low = np.searchsorted(live, base + np.maximum(first, 0), side="left")
    high = np.searchsorted(live, base + np.minimum(last, binned.scans), side="right")
    alone = _heard_alone(binned)
    return Hearing(heard - alone, (high - low) - alone)


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
    possible -= _heard_alone(binned)
    has_log = np.asarray(alive.any(axis=1))[binned.pairs.second + 1]
    return Hearing(own.heard, np.where(has_log, np.maximum(possible, own.heard), own.possible))


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


def _heard_alone(binned: BinnedReadings) -> Floats:
    """Return (p,) the number of scans in which the observer received each peer and nobody else."""
    scan = (binned.pairs.first[binned.heard_pair] + 1) * binned.scans + binned.heard_scan
    _, row, peers = np.unique(scan, return_inverse=True, return_counts=True)
    alone = binned.heard_pair[peers[row.reshape(-1)] == 1]
    return np.bincount(alone, minlength=len(binned.pairs)).astype(np.float64)


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
