"""Finds which of many tokens occur among known ones: a bitmap first, then a binary search.

A token is random, so that its first bits spread the tokens evenly over a bitmap. With 32 or more
places for each known token, the bitmap refuses all but one in 32 of the others at the cost of one
memory access each. The rest is searched for in sorted 64-bit prefixes and compared in full.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from tracetogether.units import Bytes2D, Ints

_LEAST_BITS: Final = 16
_MOST_BITS: Final = 26  # a bitmap of 64 MB
_SPARE_BITS: Final = 5  # a bitmap that stays in a cache beats one that refuses more
_PREFIX_BYTES: Final = 8

Prefixes = npt.NDArray[np.uint64]


def expanded(first: Ints, last: Ints) -> tuple[Ints, Ints]:
    """Return all members of the ranges [first[i], last[i]), each with its i.

    >>> expanded(np.array([4, 9]), np.array([6, 10]))
    (array([0, 0, 1]), array([4, 5, 9]))
    """
    sizes = last - first
    which = np.repeat(np.arange(len(first)), sizes)
    skipped = np.cumsum(sizes) - sizes
    return which, np.arange(len(which)) - (skipped - first)[which]


@dataclass(frozen=True, slots=True)
class TokenPairs:
    """Which candidate equals which known token, m pairs in the order of candidates.

    Attributes:
        candidate: (m,) row among the candidates.
        known: (m,) row among the known tokens.
    """

    candidate: Ints
    known: Ints


class TokenIndex:
    """Known tokens, ready to be searched.

    Args:
        tokens: (n, width) uint8, at least 8 bytes wide; equal ones are all found.
    """

    def __init__(self, tokens: Bytes2D) -> None:
        self._width = tokens.shape[1]
        if self._width < _PREFIX_BYTES:
            raise ValueError(f"a token has at least {_PREFIX_BYTES} bytes, not {self._width}")
        prefixes = _prefixes(tokens)
        self._order = np.argsort(prefixes, kind="stable")
        self._prefixes = prefixes[self._order]
        self._padded = np.append(self._prefixes, np.uint64(0))  # past the end is no hit, or is one
        self._tokens = tokens[self._order]
        wanted = len(tokens).bit_length() + _SPARE_BITS
        self._shift = np.uint32(32 - min(max(wanted, _LEAST_BITS), _MOST_BITS))
        self._bitmap = np.zeros(1 << int(32 - self._shift), dtype=bool)
        self._bitmap[_heads(tokens) >> self._shift] = True

    def __len__(self) -> int:
        return len(self._order)

    def find(self, candidates: Bytes2D) -> TokenPairs:
        """Return every pair of a candidate and a known token that are equal.

        Args:
            candidates: (m, width) uint8.
        """
        if candidates.shape[1] != self._width:
            msg = f"candidates have {candidates.shape[1]} bytes, the known tokens {self._width}"
            raise ValueError(msg)
        maybe = np.flatnonzero(self._bitmap[(_heads(candidates) >> self._shift).astype(np.int64)])
        wanted = _prefixes(candidates[maybe])
        first = np.searchsorted(self._prefixes, wanted, side="left")
        hit = np.flatnonzero(self._padded[first] == wanted)
        maybe, wanted, first = maybe[hit], wanted[hit], first[hit]
        last = np.searchsorted(self._prefixes, wanted, side="right")
        which, place = expanded(first, last)
        candidate = maybe[which]
        same = (self._tokens[place] == candidates[candidate]).all(axis=1)
        return TokenPairs(candidate[same], self._order[place[same]])


def _heads(tokens: Bytes2D) -> npt.NDArray[np.uint32]:
    """Return the first four bytes of each token as one number."""
    whole = np.ascontiguousarray(tokens)
    if whole.shape[1] % 4:
        return np.ascontiguousarray(whole[:, :4]).view("<u4").ravel()
    return whole.view("<u4")[:, 0]


def _prefixes(tokens: Bytes2D) -> Prefixes:
    return np.ascontiguousarray(tokens[:, :_PREFIX_BYTES]).view("<u8").ravel()
