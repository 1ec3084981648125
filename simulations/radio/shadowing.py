"""Shadowing: links through the same clutter lose the same.

Furniture, poles and crowded corners are a random field of loss over the floor. The shadowing of a
link is the integral of that field along the line between the phones, divided by the square root of
its length: the network shadowing model of Agrawal and Patwari (IEEE Trans. Wireless Comm., 2009).
So shadowing is the same in both directions, lasts while people stay, and is similar for
neighbouring links. It vanishes for phones close together, since no clutter fits between them.

The field is a sum of plane waves cos(k · x + phase). The integral of such a wave along a line with
centre m and half vector h has a closed form: length * cos(k · m + phase) * sin(k · h) / (k · h).
A link's value depends only on its two ends, so the work can be split in any way.
"""

from typing import Final

import numpy as np

from simulations.streams import Streams
from tracetogether.units import Floats

_WAVES: Final = 24  # enough for a nearly Gaussian field; each costs a sine and a cosine per link
_TINY: Final = np.float32(1e-6)  # makes sin(x) / x equal 1 at x = 0


class Shadowing:
    """The clutter of one venue.

    Args:
        sd_db: standard deviation of the shadowing of links much longer than ``length_m``, dB.
        length_m: distance at which the field's correlation falls to 1/e.
        streams: the run's random streams.

    >>> ends = np.zeros((1, 2)), np.array([[4.0, 0.0]])
    >>> clutter = Shadowing(2.5, 1.5, Streams(1))
    >>> bool(np.allclose(clutter.loss_db(*ends), clutter.loss_db(*ends[::-1])))
    True
    """

    def __init__(self, sd_db: float, length_m: float, streams: Streams) -> None:
        chance = streams.generator("channel", "shadowing")
        # Wave numbers k of a plane field with exponential correlation have the distribution
        # 1 - 1 / sqrt(1 + (k length)^2). One is drawn from each n-th part of it, so that every
        # run has long waves.
        part = (np.arange(_WAVES) + chance.random(_WAVES)) / _WAVES
        number = np.sqrt(1.0 / (1.0 - part) ** 2 - 1.0) / length_m
        angle = 2.0 * np.pi * chance.random(_WAVES)
        self._wave_x, self._wave_y = number * np.cos(angle), number * np.sin(angle)
        self._phase = 2.0 * np.pi * chance.random(_WAVES)
        self._scale = sd_db / np.sqrt(length_m * _WAVES)
        self._none = sd_db == 0.0

    def loss_db(self, a: Floats, b: Floats) -> Floats:
        """Return (n,) the extra loss by clutter, dB; negative for less loss than on average.

        Args:
            a: (n, 2) first end of each link, m.
            b: (n, 2) second end, m.
        """
        if self._none:
            return np.zeros(len(a))
        middle, half = (a + b) / 2.0, (b - a) / 2.0
        turn = middle[:, :1] * self._wave_x + middle[:, 1:] * self._wave_y + self._phase
        along = half[:, :1] * self._wave_x + half[:, 1:] * self._wave_y
        # float32 is far finer than the whole dB that phones report, and much faster.
        off = np.abs(along).astype(np.float32) + _TINY
        waves = np.cos(turn.astype(np.float32)) * np.sin(off) / off
        mean = waves.sum(axis=1, dtype=np.float64)
        length_m = 2.0 * np.sqrt(half[:, 0] ** 2 + half[:, 1] ** 2)
        return np.asarray(self._scale * np.sqrt(length_m) * mean)
