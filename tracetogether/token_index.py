"""Finds which of many tokens occur among known ones: two bitmaps first, then a binary search.

A token is random, so that its first bits spread the tokens evenly over a bitmap. A small bitmap
stays in the cache nearest to the processor, whatever else runs there; with 4 or more places for
each known token it refuses all but one in 4 or more of the others at the cost of one access each.
A second one, of the next 32 bits, has a bit in place of a byte for each of 32 or more places. The
rest is searched for in sorted 64-bit prefixes and compared in full.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from tracetogether.units import Bools, Bytes2D, Ints

_LEAST_BITS: Final = 13
_MOST_BITS: Final = 26  # bitmaps of 64 MB and of 8
_SPARE_BITS: Final = 2
_SECOND_SPARE_BITS: Final = 5
_PREFIX_BYTES: Final = 8
_EIGHT: Final = np.uint32(3)
_WITHIN_EIGHT: Final = np.uint8(7)
_ONE: Final = np.uint8(1)

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
        words = _words(tokens)
        self._shift = _shift_of(len(tokens), _SPARE_BITS)
        self._bytes = _bitmap(words[:, 0], self._shift)
        self._second_shift = _shift_of(len(tokens), _SECOND_SPARE_BITS)
        self._bits = np.packbits(_bitmap(words[:, 1], self._second_shift), bitorder="little")

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
        words = _words(candidates)
        place = (words[:, 0] >> self._shift).astype(np.int64)
        maybe = np.flatnonzero(self._bytes.take(place, mode="clip"))  # none is past the end
        bit = words[maybe, 1] >> self._second_shift
        eight = self._bits.take((bit >> _EIGHT).astype(np.int64), mode="clip")
        maybe = maybe[(eight >> (bit.astype(np.uint8) & _WITHIN_EIGHT) & _ONE).view(bool)]
        wanted = _prefixes(candidates[maybe])
        first = np.searchsorted(self._prefixes, wanted, side="left")
        hit = np.flatnonzero(self._padded[first] == wanted)
        maybe, wanted, first = maybe[hit], wanted[hit], first[hit]
        last = np.searchsorted(self._prefixes, wanted, side="right")
        which, place = expanded(first, last)
        candidate = maybe[which]
        same = (self._tokens[place] == candidates[candidate]).all(axis=1)
        return TokenPairs(candidate[same], self._order[place[same]])


def _words(tokens: Bytes2D) -> npt.NDArray[np.uint32]:
    """Return the first bytes of each token as numbers of four bytes, two or more of them."""
    whole = np.ascontiguousarray(tokens)
    if whole.shape[1] % 4:
        whole = np.ascontiguousarray(whole[:, :_PREFIX_BYTES])
    return whole.view("<u4")


def _shift_of(known: int, spare_bits: int) -> np.uint32:
    """Return by how many bits to shift a word, so that a bitmap of the rest has room to spare."""
    wanted = known.bit_length() + spare_bits
    return np.uint32(32 - min(max(wanted, _LEAST_BITS), _MOST_BITS))


def _bitmap(words: npt.NDArray[np.uint32], shift: np.uint32) -> Bools:
    found = np.zeros(1 << int(32 - shift), dtype=bool)
    found[words >> shift] = True
    return found


def _prefixes(tokens: Bytes2D) -> Prefixes:
    return np.ascontiguousarray(tokens[:, :_PREFIX_BYTES]).view("<u8").ravel()
