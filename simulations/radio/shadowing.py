"""Shadowing that goes with places: links through the same clutter lose the same.

Furniture, poles and crowded corners are a field of loss over the floor, and a link's shadowing is
the integral of that field along the line between the phones, over the root of its length (the
network shadowing model of Agrawal and Patwari, IEEE Trans. Wireless Comm. 2009). So it is the same
both ways, lasts as long as people stay, is alike for neighbouring links, and vanishes between
phones that are close together, where nothing has room to stand.

The field is a sum of plane waves whose integral along a line is known in closed form; a link's
value depends on its two ends alone, so the work may be split in any way.
"""

from typing import Final

import numpy as np

from simulations.streams import Streams
from tracetogether.units import Floats

_WAVES: Final = 24  # enough for the field to look Gaussian; each costs a sine and a cosine per link


_TINY: Final = np.float32(1e-6)  # so that sin(x) / x is 1 where x is 0


class Shadowing:
    """The clutter of one venue.

    Args:
        sd_db: spread of the shadowing of links that are long against ``length_m``.
        length_m: distance over which the field forgets itself (its correlation falls to 1/e).
        streams: the run's chance.
    """

    def __init__(self, sd_db: float, length_m: float, streams: Streams) -> None:
        chance = streams.generator("channel", "shadowing")
        # Wave numbers of a plane field with exponential correlation, one from each n-th part of
        # their distribution 1 - 1 / sqrt(1 + (k length)^2), so that no run lacks the long waves.
        part = (np.arange(_WAVES) + chance.random(_WAVES)) / _WAVES
        number = np.sqrt(1.0 / (1.0 - part) ** 2 - 1.0) / length_m
        angle = 2.0 * np.pi * chance.random(_WAVES)
        self._wave_x, self._wave_y = number * np.cos(angle), number * np.sin(angle)
        self._phase = 2.0 * np.pi * chance.random(_WAVES)
        self._scale = sd_db / np.sqrt(length_m * _WAVES)
        self._none = sd_db == 0.0

    def loss_db(self, one: Floats, other: Floats) -> Floats:
        """Return how much links lose more (or less, if negative) than without clutter, dB.

        Args:
            one: (n, 2) one end of each link, m.
            other: (n, 2) the other.
        """
        if self._none:
            return np.zeros(len(one))
        middle, half = (one + other) / 2.0, (other - one) / 2.0
        turn = middle[:, :1] * self._wave_x + middle[:, 1:] * self._wave_y + self._phase
        along = half[:, :1] * self._wave_x + half[:, 1:] * self._wave_y
        # Single precision is far finer than a phone reports, and much faster.
        off = np.abs(along).astype(np.float32) + _TINY
        waves = np.cos(turn.astype(np.float32)) * np.sin(off) / off
        mean = waves.sum(axis=1, dtype=np.float64)
        length_m = 2.0 * np.sqrt(half[:, 0] ** 2 + half[:, 1] ** 2)
        return np.asarray(self._scale * np.sqrt(length_m) * mean)
