"""Named random streams from one seed, and noise that is a function of its indices.

- ``Streams.generator(*names)`` returns a numpy Generator, for numbers that are drawn once and in
  order, such as who boards where.
- ``Streams.noise(*names)`` has no state. The number at (tick, tx, rx) is a hash of the seed, the
  name and these indices. So the work can be split, reordered or repeated, and every number stays
  the same.

A change in one named stream leaves all others unchanged.

The hash applies SplitMix64's finaliser (Steele, Lea, Flood 2014) to one index after the other. A
finaliser is a bijection in which every output bit depends on every input bit, so neighbouring
indices give independent numbers. Names are hashed with SHA-256, so nothing depends on
PYTHONHASHSEED.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from tracetogether.units import Floats

Hashes = npt.NDArray[np.uint64]

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_MULTIPLY_1: Final = np.uint64(0xBF58476D1CE4E5B9)
_MULTIPLY_2: Final = np.uint64(0x94D049BB133111EB)
_TO_UNIT: Final = 2.0**-53
_MASK: Final = 2**64 - 1
_GOLDEN_ONE: Final = int(_GOLDEN)
_FIRST: Final = int(_MULTIPLY_1)
_SECOND: Final = int(_MULTIPLY_2)


def _mix(values: Hashes) -> Hashes:
    """Return SplitMix64's finaliser of each value."""
    z = (values ^ (values >> np.uint64(30))) * _MULTIPLY_1
    z = (z ^ (z >> np.uint64(27))) * _MULTIPLY_2
    return z ^ (z >> np.uint64(31))


def _mix_one(value: int) -> int:
    z = ((value ^ (value >> 30)) * _FIRST) & _MASK
    z = ((z ^ (z >> 27)) * _SECOND) & _MASK
    return z ^ (z >> 31)


def _as_hashes(index: npt.ArrayLike) -> Hashes:
    values = np.asarray(index)
    if values.dtype.kind not in "iu":
        msg = f"noise is indexed by whole numbers, got {values.dtype}"
        raise TypeError(msg)
    return values.astype(np.uint64)


@dataclass(frozen=True, slots=True)
class Noise:
    """Random numbers as a pure function of integer indices, which broadcast as in numpy.

    >>> noise = Streams(1).noise("channel", "packet")
    >>> bool(noise.uniform([3, 5])[1] == noise.uniform(5))
    True
    """

    key: int

    def hashes(self, *indices: npt.ArrayLike) -> Hashes:
        """Return one 64-bit hash per element of the broadcast indices.

        Raises:
            TypeError: an index is not a whole number.
        """
        state: Hashes = np.asarray(self.key, dtype=np.uint64)
        with np.errstate(over="ignore"):  # arithmetic modulo 2**64 is intended
            for index in indices:
                state = _mix((state + _GOLDEN) ^ _mix(_as_hashes(index) + _GOLDEN))
        return np.asarray(state, dtype=np.uint64)

    def uniform(self, *indices: npt.ArrayLike) -> Floats:
        """Return uniform numbers strictly inside (0, 1)."""
        top = (self.hashes(*indices) >> np.uint64(11)).astype(np.float64)
        return np.asarray((top + 0.5) * _TO_UNIT, dtype=np.float64)

    def uniform_one(self, *indices: int) -> float:
        """Return ``uniform`` at one place, in plain Python: numpy is slow on single numbers."""
        state = self.key
        for index in indices:
            mixed = _mix_one((index + _GOLDEN_ONE) & _MASK)
            state = _mix_one(((state + _GOLDEN_ONE) & _MASK) ^ mixed)
        return ((state >> 11) + 0.5) * _TO_UNIT

    def normal(self, *indices: npt.ArrayLike) -> Floats:
        """Return standard normal numbers: the normal quantiles of ``uniform``."""
        return np.asarray(ndtri(self.uniform(*indices)), dtype=np.float64)


class LinkDraws:
    """Noise at (a, b, microsecond, what), one number at a time, faster than ``uniform_one``.

    The parts of the hash that depend only on a, on b or on what are computed once.

    Args:
        noise: the noise of links.
        people: upper bound of a and b.
        whats: upper bound of what.
    """

    def __init__(self, noise: Noise, people: int, whats: int) -> None:
        index = np.arange(max(people, whats), dtype=np.uint64)
        self._first: list[int] = noise.hashes(index[:people]).tolist()
        with np.errstate(over="ignore"):
            self._mixed: list[int] = _mix(index + _GOLDEN).tolist()

    def between(self, a: int, b: int) -> int:
        """Return the hash state after a and b; pass it to ``moment``."""
        # _mix_one is written out here: calling it would take longer than the arithmetic.
        z = ((self._first[a] + _GOLDEN_ONE) & _MASK) ^ self._mixed[b]
        z = ((z ^ (z >> 30)) * _FIRST) & _MASK
        z = ((z ^ (z >> 27)) * _SECOND) & _MASK
        return ((z ^ (z >> 31)) + _GOLDEN_ONE) & _MASK

    def moment(self, between: int, at_s: float) -> int:
        """Return the hash state after the microsecond of ``at_s``; pass it to ``number``."""
        z = (round(at_s * 1e6) + _GOLDEN_ONE) & _MASK
        z = ((z ^ (z >> 30)) * _FIRST) & _MASK
        z = ((z ^ (z >> 27)) * _SECOND) & _MASK
        z = between ^ z ^ (z >> 31)
        z = ((z ^ (z >> 30)) * _FIRST) & _MASK
        z = ((z ^ (z >> 27)) * _SECOND) & _MASK
        return ((z ^ (z >> 31)) + _GOLDEN_ONE) & _MASK

    def number(self, moment: int, what: int) -> float:
        """Return the uniform number for ``what`` at that moment."""
        z = moment ^ self._mixed[what]
        z = ((z ^ (z >> 30)) * _FIRST) & _MASK
        z = ((z ^ (z >> 27)) * _SECOND) & _MASK
        return (((z ^ (z >> 31)) >> 11) + 0.5) * _TO_UNIT


class CountedChance:
    """Uniform numbers in order: the noise at (index, 0), (index, 1) and so on.

    ``noise.uniform(indices, number)`` returns the same numbers for many indices at once.
    """

    def __init__(self, noise: Noise, index: int) -> None:
        self._noise = noise
        self._index = index
        self._drawn = 0

    def next(self) -> float:
        """Return the next number."""
        self._drawn += 1
        return self._noise.uniform_one(self._index, self._drawn - 1)


@dataclass(frozen=True, slots=True)
class Streams:
    """All random numbers of one run.

    Attributes:
        seed: a whole number >= 0.

    Raises:
        ValueError: the seed is negative.
    """

    seed: int

    def __post_init__(self) -> None:
        if self.seed < 0:
            msg = f"a seed is a whole number >= 0, got {self.seed}"
            raise ValueError(msg)

    def _digest(self, names: tuple[str | int, ...]) -> bytes:
        # Each part has its length before it, so that ("ab", "c") and ("a", "bc") differ.
        parts = [str(self.seed), *(f"{type(name).__name__}:{name}" for name in names)]
        text = "".join(f"{len(part)}:{part}," for part in parts)
        return hashlib.sha256(text.encode()).digest()

    def generator(self, *names: str | int) -> np.random.Generator:
        """Return the generator of that name, in its first state."""
        entropy = int.from_bytes(self._digest(("generator", *names)), "big")
        return np.random.Generator(np.random.Philox(np.random.SeedSequence(entropy)))

    def noise(self, *names: str | int) -> Noise:
        """Return the noise with that name."""
        return Noise(int.from_bytes(self._digest(("noise", *names))[:8], "big"))

    def entropy(self, *names: str | int) -> Callable[[int], bytes]:
        """Return a function from a count to that many bytes, for SIMULATED keys and IVs.

        The bytes are reproducible, so they are no secrets outside a simulation.
        """
        return self.generator("entropy", *names).bytes
