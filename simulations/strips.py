"""Places on the floor sorted into strips, so that what is near is found without trying all pairs.

Within a strip places lie in order of x, so what lies near a point is a run of neighbours in each
strip: no place is found twice, and cost goes with what is found.
"""

from typing import Final, Self

import numpy as np

from tracetogether.units import Floats, Ints

_SLACK_M: Final = 1e-6  # sorting keys are rounded; who asks checks distances


def runs(start: Ints, stop: Ints) -> tuple[Ints, Ints]:
    """Return the numbers in [start, stop) of each of n runs, one after the other.

    Returns:
        The run that each number is from, and the numbers.
    """
    return runs_of(np.arange(len(start)), start, np.maximum(stop - start, 0))


def runs_of(which: Ints, start: Ints, count: Ints) -> tuple[Ints, Ints]:
    """Return the ``count`` numbers from ``start`` on of each of n runs, one after the other.

    Returns:
        Each number's ``which``, and the numbers.
    """
    number = np.repeat(start - (np.cumsum(count) - count), count)
    number += np.arange(len(number))
    return np.repeat(which, count), number


class Strips:
    """Places in order of (strip, x).

    Attributes:
        key: (n,) by which they are sorted.
        who: (n,) whose place each is.
        x, y: (n,) m.
        height_m: of a strip.
        frame: least x, greatest x, least y, greatest y of any place.
    """

    def __init__(
        self, key: Floats, who: Ints, xy: Floats, *, height_m: float, frame: tuple[float, ...]
    ) -> None:
        self.key = key
        self.height_m = height_m
        self.frame = frame
        self.who = who
        self.x, self.y = xy[:, 0], xy[:, 1]

    @classmethod
    def of(
        cls, who: Ints, xy: Floats, *, height_m: float, frame: tuple[float, float, float, float]
    ) -> Self:
        """Sort n places.

        Args:
            who: (n,) whose.
            xy: (n, 2) m.
            height_m: of a strip.
            frame: least x, greatest x, least y, greatest y of any place.
        """
        low_x, high_x, low_y, _ = frame
        key = np.floor((xy[:, 1] - low_y) / height_m) * (high_x - low_x + 1.0) + (xy[:, 0] - low_x)
        order = np.argsort(key, kind="stable")
        return cls(key[order], who[order], xy[order], height_m=height_m, frame=frame)

    @property
    def _last_strip(self) -> int:
        _, _, low_y, high_y = self.frame
        return int((high_y - low_y) / self.height_m) + 1

    def near(self, xy: Floats, reach_m: float) -> tuple[Ints, Ints]:
        """Return (query, place) of all places that may lie within ``reach_m`` of n points."""
        query, strip = self._strips(xy[:, 1] - reach_m, xy[:, 1] + reach_m)
        low_y = self.frame[2] + strip * self.height_m
        y = xy[query, 1]
        off = np.maximum(np.maximum(low_y - y, y - low_y - self.height_m), 0.0)
        half = np.sqrt(np.maximum(reach_m**2 - off**2, 0.0))
        x = xy[query, 0]
        run, place = self._between(strip, x - half, x + half)
        return query[run], place

    def _strips(self, low_y: Floats, high_y: Floats) -> tuple[Ints, Ints]:
        base = self.frame[2]
        first = np.floor((low_y - base) / self.height_m).astype(np.int64)
        last = np.floor((high_y - base) / self.height_m).astype(np.int64)
        return runs(np.maximum(first, 0), np.minimum(last, self._last_strip) + 1)

    def _between(self, strip: Ints, low_x: Floats, high_x: Floats) -> tuple[Ints, Ints]:
        least, most, _, _ = self.frame
        width = most - least
        start = strip * (width + 1.0)
        low = start + np.clip(low_x - least, 0.0, width + 0.5) - _SLACK_M
        high = start + np.clip(high_x - least, -0.5, width) + _SLACK_M
        return runs(
            np.searchsorted(self.key, low).astype(np.int64),
            np.searchsorted(self.key, high, side="right").astype(np.int64),
        )
