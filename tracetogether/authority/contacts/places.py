"""Detect relayed TempIDs: receptions that the logs of both people contradict.

A relay copies a TempID from the air and sends it out elsewhere, so phones record a person who is
not there. If that person uploaded too, the two logs disagree: nobody is in two places at once.
"""

from typing import Final

import numpy as np

from tracetogether.labels import UNKNOWN, Labels
from tracetogether.sightings import Sightings
from tracetogether.units import SECONDS_PER_MINUTE, Bools, Ints

BLOCK_MINUTES: Final = 15  # the lifetime of a TempID, and of a copy
_LEAST_MINUTES: Final = 3  # that each reception must span
_NEAR_DBM: Final = -70.0  # the other phone would have heard such a strong signal too


def elsewhere(own: Sightings, other_log: Sightings, *, owner: str, other: str) -> Bools:
    """Return which sightings in ``own`` are of a person whose own phone was elsewhere.

    Time is cut into quarters of an hour since 1970. In a quarter, the other person was elsewhere if
    all of this holds:

    - the owner's phone heard the other at -70 dBm or more,
    - the other's phone did not hear the owner, in that quarter and its two neighbours,
    - both phones heard other people, and nobody was heard by both in those three quarters.

    Each reception must span three minutes or more, so that a phone that only slept does not count
    as absent.

    Args:
        own: n sightings of the owner's log; ``peer`` is the user id of the person heard.
        other_log: the other person's log in the same form.
        owner: user id of the owner of ``own``.
        other: user id of the owner of ``other_log``.

    Returns:
        (n,) flags.
    """
    suspects = np.equal(own.peer.codes, _code(own.peer, other))
    near = suspects & (own.rssi_dbm >= _NEAR_DBM)
    if not near.any() or not len(other_log):
        return np.zeros(len(own), dtype=bool)
    claimed = _blocks_with(own, near)
    heard_owner = _block(other_log)[np.equal(other_log.peer.codes, _code(other_log.peer, owner))]
    gone = np.zeros(len(own), dtype=bool)
    for block in claimed.tolist():
        if np.any(np.abs(heard_owner - block) <= 1):
            continue
        here = _company(own, block, but=other)
        there = _company(other_log, block, but=owner)
        if here and there and not here & there:
            gone |= suspects & (_block(own) == block)
    return gone


def _company(log: Sightings, block: int, *, but: str) -> set[str]:
    """Return who was heard in a block and its neighbours; nobody if it has too few minutes."""
    others = (log.peer.codes != UNKNOWN) & (log.peer.codes != _code(log.peer, but))
    if block not in _blocks_with(log, others & (_block(log) == block)):
        return set()
    about = others & (np.abs(_block(log) - block) <= 1)
    return {log.peer.names[code] for code in np.unique(log.peer.codes[about]).tolist()}


def _blocks_with(log: Sightings, rows: Bools) -> Ints:
    """Return the blocks in which ``rows`` cover enough minutes."""
    minutes = np.unique((log.time[rows] // SECONDS_PER_MINUTE).astype(np.int64))
    blocks, counts = np.unique(minutes // BLOCK_MINUTES, return_counts=True)
    return np.asarray(blocks[counts >= _LEAST_MINUTES], dtype=np.int64)


def _block(log: Sightings) -> Ints:
    return np.asarray(log.time // (SECONDS_PER_MINUTE * BLOCK_MINUTES), dtype=np.int64)


def _code(column: Labels, name: str) -> int:
    """Return the code of a name; an unused code if no row has the name."""
    return column.names.index(name) if name in column.names else len(column.names)
