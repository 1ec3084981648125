"""Nobody is in two places at once: receptions that both logs of a pair contradict."""

from typing import Final

import numpy as np

from tracetogether.labels import UNKNOWN, Labels
from tracetogether.sightings import Sightings
from tracetogether.units import SECONDS_PER_MINUTE, Bools, Ints

BLOCK_MINUTES: Final = 15  # a TempID's life: a copied one is good for no longer
_LEAST_MINUTES: Final = 3  # of each thing that is said to have been heard
_NEAR_DBM: Final = -70.0  # so strong that the other phone would have heard it too


def elsewhere(own: Sightings, other_log: Sightings, *, owner: str, other: str) -> Bools:
    """Return which sightings in ``own`` are of a person whose own phone was elsewhere.

    Whoever copies a TempID from the air and sends it out again where he likes (a relay) makes
    phones record somebody who is not there. If that person has uploaded too, his own log tells:
    in a quarter of an hour (of absolute time) it did not hear the owner, though the owner's phone
    heard him strongly; both phones heard other people; and nobody was heard by both, in that
    quarter, the one before and the one after. Each of these things for three minutes at least,
    so that a phone that merely slept does not count as absent.

    Args:
        own: the owner's log, ``peer`` the user ids of who was heard.
        other_log: the other's log in the same form.
        owner: user id of whose log ``own`` is.
        other: user id of whose log ``other_log`` is.

    Returns:
        One flag for each of ``own``.
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
    """Return who was heard about a block; nobody if that was for too few minutes in it."""
    others = (log.peer.codes != UNKNOWN) & (log.peer.codes != _code(log.peer, but))
    if block not in _blocks_with(log, others & (_block(log) == block)):
        return set()
    about = others & (np.abs(_block(log) - block) <= 1)
    return {log.peer.names[code] for code in np.unique(log.peer.codes[about]).tolist()}


def _blocks_with(log: Sightings, rows: Bools) -> Ints:
    """Return the blocks in which some rows lie in minutes enough."""
    minutes = np.unique((log.time[rows] // SECONDS_PER_MINUTE).astype(np.int64))
    blocks, counts = np.unique(minutes // BLOCK_MINUTES, return_counts=True)
    return np.asarray(blocks[counts >= _LEAST_MINUTES], dtype=np.int64)


def _block(log: Sightings) -> Ints:
    return np.asarray(log.time // (SECONDS_PER_MINUTE * BLOCK_MINUTES), dtype=np.int64)


def _code(column: Labels, name: str) -> int:
    """Return the code of a name; one that no row has if there is none."""
    return column.names.index(name) if name in column.names else len(column.names)
