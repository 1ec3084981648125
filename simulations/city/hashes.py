"""Random numbers of a city: one 64-bit hash of who and when, compared with whole numbers.

A number is a function of a key and of what it belongs to. So any process can compute it, in any
order, and always gets the same. Decisions compare whole numbers and never round a logarithm, so
they are the same on every processor.

The hash multiplies the packed fields by an odd constant, adds the key and applies SplitMix64's
finaliser (Steele, Lea, Flood 2014). All three are bijections, so different fields never collide.
"""

from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from simulations.streams import Hashes, Streams
from tracetogether.units import Bools, Ints

PERSON_BITS: Final = 28
"""Bits for a person in a packed field: 268 million people."""
ONE: Final = 1 << 32
"""The whole number that stands for a chance of 1 where a chance has 32 bits."""

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_MULTIPLY_1: Final = np.uint64(0xBF58476D1CE4E5B9)
_MULTIPLY_2: Final = np.uint64(0x94D049BB133111EB)
_S27, _S30, _S31, _S32 = (np.uint64(bits) for bits in (27, 30, 31, 32))
_LOW: Final = np.uint64(ONE - 1)


@cache
def key_of(seed: int, *names: str | int) -> np.uint64:
    """Return the key of a stream of random numbers, such as ("weight", day)."""
    return np.uint64(Streams(seed).noise("city", *names).key)


def mixed(values: Hashes) -> Hashes:
    """Mix ``values`` in place, and return them."""
    values ^= values >> _S30
    values *= _MULTIPLY_1
    values ^= values >> _S27
    values *= _MULTIPLY_2
    values ^= values >> _S31
    return values


def hashed(key: np.uint64 | Hashes, packed: Ints) -> Hashes:
    """Return one hash for each packed whole number >= 0.

    Args:
        key: of the stream; an array has one key for each number.
        packed: the fields, packed without overlap.
    """
    values = packed.astype(np.uint64) * _GOLDEN
    values += key
    return mixed(values)


def hashed_pairs(key: np.uint64 | Hashes, one: Ints, other: Ints, tag: int) -> Hashes:
    """Return one hash for each pair of people, whichever of the two comes first."""
    low, high = np.minimum(one, other), np.maximum(one, other)
    high <<= PERSON_BITS
    high |= low
    high |= tag << (2 * PERSON_BITS)
    return hashed(key, high)


def rehashed(hashes: Hashes) -> Hashes:
    """Return a second, independent hash for each hash."""
    return mixed(hashes ^ _GOLDEN)


def low_bits(hashes: Hashes) -> Ints:
    """Return the lower 32 bits of each hash."""
    return (hashes & _LOW).view(np.int64)


def high_bits(hashes: Hashes) -> Ints:
    """Return the upper 32 bits of each hash."""
    return (hashes >> _S32).view(np.int64)


def below(hashes: Hashes, sizes: int | npt.NDArray[np.integer]) -> Ints:
    """Return a whole number from 0 to size - 1 for each hash, from its upper 32 bits."""
    found = high_bits(hashes)
    found *= sizes
    found >>= 32
    return found


def chance(share: float) -> int:
    """Return a chance from 0 to 1 as a whole number of 2**-32."""
    return round(share * ONE)


def chances(shares: npt.ArrayLike) -> Ints:
    """Return chances from 0 to 1 as whole numbers of 2**-32."""
    return np.rint(np.asarray(shares, dtype=np.float64) * ONE).astype(np.int64)


def happens(hashes: Hashes, out_of: int | Ints) -> Bools:
    """Return for each hash whether something of this chance (see ``chance``) happens."""
    return np.asarray(high_bits(hashes) < out_of)
