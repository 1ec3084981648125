"""Spans of time in which a pair stayed at one known distance, as readings with distances tell.

Many recordings have no cameras: two phones lie, or two people stand, at a distance that somebody
measured, for a minute or an hour. From the first to the last reading at one distance the true
minutes within a radius are that time, or 0. Nothing is said of times without readings.
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from tracetogether.evaluation.scene import Scene
from tracetogether.proximity.distances import LogsUsed
from tracetogether.proximity.slots import DEFAULT_MAX_GAP_S
from tracetogether.units import Floats, Ints

_STEP_S: Final = 0.5
_MOST_SAMPLES: Final = 200_000
_LEAST_READINGS: Final = 5  # at one distance; a camera's distances change at every reading
_STEADY_SHARE: Final = 0.9


@dataclass(frozen=True, slots=True)
class SteadySpans:
    """Spans in columns of length k, on a common grid of samples.

    Attributes:
        names: the people, sorted.
        first, second: (k,) the pair, numbers into ``names``; no direction.
        start_s: epoch seconds of sample 0.
        step_s: seconds that a sample stands for.
        begin, end: (k,) the span's first sample, and the one after its last.
        distance_m: (k,) the distance.
    """

    names: tuple[str, ...]
    first: Ints
    second: Ints
    start_s: float
    step_s: float
    begin: Ints
    end: Ints
    distance_m: Floats

    @classmethod
    def of(cls, scene: Scene) -> Self | None:
        """Return the spans of a scene; None if its people move, have no names, or no distances.

        A silence of more than ten minutes ends a span, as it ends an encounter. Nine of ten
        readings with a distance must lie in spans of five and more.
        """
        if scene.distance_m is None or not len(scene.sightings):
            return None
        pairs = scene.pairs(LogsUsed.PAIR)
        usable = pairs.named() & (pairs.first != pairs.second)
        rows = np.flatnonzero(usable[pairs.row])
        rows = rows[np.lexsort((scene.sightings.time[rows], pairs.row[rows]))]
        pair, time, distance = pairs.row[rows], scene.sightings.time[rows], scene.distance_m[rows]
        known = distance > 0  # NaN, unknown, compares false
        apart = np.diff(pair, prepend=-1) != 0
        apart |= np.diff(time, prepend=-np.inf) > DEFAULT_MAX_GAP_S
        apart |= np.diff(distance, prepend=np.nan) != 0  # so does NaN
        starts = np.flatnonzero(apart)
        readings = np.diff(starts, append=len(rows))
        many = (readings >= _LEAST_READINGS) & known[starts]
        if readings[many].sum() < _STEADY_SHARE * max(int(known.sum()), 1):
            return None
        origin = float(time.min())
        step = max(_STEP_S, float(np.ptp(time)) / _MOST_SAMPLES)
        begin, end = (
            np.rint((time[at] - origin) / step).astype(np.int64)
            for at in (starts, starts + readings - 1)
        )
        kept = many & (end > begin)
        if not kept.any():
            return None
        of_span = pair[starts[kept]]
        return cls(
            names=pairs.names,
            first=pairs.first[of_span],
            second=pairs.second[of_span],
            start_s=origin,
            step_s=step,
            begin=begin[kept],
            end=end[kept],
            distance_m=distance[starts[kept]],
        )
