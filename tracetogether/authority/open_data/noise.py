"""Noise that follows from a key: the discrete Laplace distribution, drawn exactly.

A count with noise of scale s shows an outcome with at most exp(d / s) times the probability that
it had without one person, if that person changes the count by at most d (differential privacy).
For that the distribution must be exact. Sums of floating-point numbers are not: their gaps tell
the count. So every draw here is made of whole numbers, by the algorithms 1 and 2 of Canonne, Kamath
and Steinke (The Discrete Gaussian for Differential Privacy, 2020).
"""

from math import ceil, exp, log
from typing import Final

from tracetogether.crypto import keyed_stream

_WORD: Final = 8  # bytes of a draw
_FIRST: Final = 256  # bytes; nearly every draw needs fewer


class Draws:
    """Whole numbers that follow from a key and a message: the same ones each time.

    Args:
        key: 32 bytes; who lacks them can't tell the numbers from random ones.
        message: what the numbers are for.
    """

    def __init__(self, key: bytes, message: bytes) -> None:
        self._key = key
        self._message = message
        self._bytes = keyed_stream(key, message, _FIRST)
        self._next = 0

    def below(self, count: int) -> int:
        """Return one of 0 to ``count`` - 1, each as likely as the others."""
        fair = (1 << 8 * _WORD) // count * count
        while True:
            word = self._word()
            if word < fair:
                return word % count

    def _word(self) -> int:
        begin, self._next = self._next, self._next + _WORD
        if self._next > len(self._bytes):  # a longer stream begins with the shorter one
            self._bytes = keyed_stream(self._key, self._message, 2 * len(self._bytes))
        return int.from_bytes(self._bytes[begin : self._next])

    def falls(self, part: int, whole: int) -> bool:
        """Return True with probability exp(-``part`` / ``whole``), for a part of 0 to the whole.

        The chance that the first k of these draws all succeed is x^k / k!, with x = part / whole.
        So the first failure comes at an odd place with probability 1 - x + x²/2! - ... = exp(-x).
        """
        place = 1
        while self.below(whole * place) < part:
            place += 1
        return place % 2 == 1


def discrete_laplace(draws: Draws, scale: int) -> int:
    """Return a whole number n with a probability that is proportional to exp(-|n| / ``scale``)."""
    while True:
        rest = draws.below(scale)
        if not draws.falls(rest, scale):
            continue
        turns = 0
        while draws.falls(1, 1):
            turns += 1
        size, negative = rest + scale * turns, draws.below(2) == 1
        if size or not negative:  # 0 has one sign, not two
            return -size if negative else size


def noise_within(scale: int, share: float = 0.95) -> int:
    """Return the smallest k, so that ``share`` of all noise lies between -k and k."""
    ratio = exp(-1 / scale)
    # P(|n| > k) = 2 ratio^(k + 1) / (1 + ratio)
    return max(0, ceil(log((1 - share) * (1 + ratio) / 2, ratio) - 1))
