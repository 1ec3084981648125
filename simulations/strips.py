"""Places on the floor sorted into strips, so that what is near is found without trying all pairs.

Within a strip places lie in order of x, so what lies near a point or along a line is a run of
neighbours in each strip: no place is found twice, and cost goes with what is found.
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
    count = np.maximum(stop - start, 0)
    run = np.repeat(np.arange(len(start)), count)
    before = np.cumsum(count) - count
    return run, np.arange(len(run)) + (start - before)[run]


class Strips:
    """Places in order of (layer, strip, x).

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

    @classmethod
    def layered(cls, layers: "list[Strips]") -> "Strips":
        """Lay several with the same frame on top of each other."""
        first = layers[0]
        step = first.layer_step
        return cls(
            np.concatenate([one.key + layer * step for layer, one in enumerate(layers)]),
            np.concatenate([one.who for one in layers]),
            np.concatenate([np.column_stack([one.x, one.y]) for one in layers]),
            height_m=first.height_m,
            frame=first.frame,
        )

    @property
    def layer_step(self) -> float:
        """Return by how much keys of one layer lie above those of the layer below."""
        low_x, high_x, _, _ = self.frame
        return float((self._last_strip + 1) * (high_x - low_x + 1.0))

    @property
    def _last_strip(self) -> int:
        _, _, low_y, high_y = self.frame
        return int((high_y - low_y) / self.height_m) + 1

    def near(self, xy: Floats, reach_m: float) -> tuple[Ints, Ints]:
        """Return (query, place) of all places that may lie within ``reach_m`` of n points."""
        middle = np.column_stack([xy[:, 0], xy[:, 0]])
        query, strip = self._strips(xy[:, 1] - reach_m, xy[:, 1] + reach_m)
        low_y = self.frame[2] + strip * self.height_m
        y = xy[query, 1]
        off = np.maximum(np.maximum(low_y - y, y - low_y - self.height_m), 0.0)
        half = np.sqrt(np.maximum(reach_m**2 - off**2, 0.0))
        run, place = self._between(
            strip, middle[query, 0] - half, middle[query, 1] + half, np.zeros(len(strip))
        )
        return query[run], place

    def along(self, a: Floats, b: Floats, reach_m: float, layer: Ints) -> tuple[Ints, Ints]:
        """Return (line, place) of all places that may lie within ``reach_m`` of n lines.

        Args:
            a: (n, 2) one end of each, m.
            b: (n, 2) the other.
            reach_m: how far off the line.
            layer: (n,) the layer to look in.
        """
        low, high = np.minimum(a[:, 1], b[:, 1]), np.maximum(a[:, 1], b[:, 1])
        line, strip = self._strips(low - reach_m, high + reach_m)
        begin_x, begin_y = a[line, 0], a[line, 1]
        step_x, step_y = b[line, 0] - begin_x, b[line, 1] - begin_y
        slope = np.where(np.abs(step_y) < 1e-9, 1e-9, step_y)
        bottom = self.frame[2] + strip * self.height_m - reach_m - begin_y
        one = bottom / slope
        other = (bottom + self.height_m + 2 * reach_m) / slope
        one_x = begin_x + np.clip(one, 0.0, 1.0) * step_x
        other_x = begin_x + np.clip(other, 0.0, 1.0) * step_x
        flat = np.abs(step_y) < 1e-9
        one_x = np.where(flat, begin_x, one_x)
        other_x = np.where(flat, begin_x + step_x, other_x)
        run, place = self._between(
            strip,
            np.minimum(one_x, other_x) - reach_m,
            np.maximum(one_x, other_x) + reach_m,
            np.asarray(layer[line] * self.layer_step, dtype=np.float64),
        )
        return line[run], place

    def _strips(self, low_y: Floats, high_y: Floats) -> tuple[Ints, Ints]:
        base = self.frame[2]
        first = np.floor((low_y - base) / self.height_m).astype(np.int64)
        last = np.floor((high_y - base) / self.height_m).astype(np.int64)
        return runs(np.maximum(first, 0), np.minimum(last, self._last_strip) + 1)

    def _between(
        self, strip: Ints, low_x: Floats, high_x: Floats, base: Floats
    ) -> tuple[Ints, Ints]:
        least, most, _, _ = self.frame
        width = most - least
        start = base + strip * (width + 1.0)
        low = start + np.clip(low_x - least, 0.0, width + 0.5) - _SLACK_M
        high = start + np.clip(high_x - least, -0.5, width) + _SLACK_M
        return runs(
            np.searchsorted(self.key, low).astype(np.int64),
            np.searchsorted(self.key, high, side="right").astype(np.int64),
        )
