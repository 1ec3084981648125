"""What every estimator says of encounters: minutes near and nearest distance, as intervals."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import ndtr

from tracetogether.units import Floats

NORMAL_95: Final = 1.6448536269514722
"""95 % of a normal distribution lie below this many standard deviations above the mean."""


@dataclass(frozen=True, slots=True)
class Intervals:
    """Quantities with their uncertainty, in columns: the median and the central 90 %."""

    low: Floats
    median: Floats
    high: Floats

    def __post_init__(self) -> None:
        if not (np.all(self.low <= self.median) and np.all(self.median <= self.high)):
            raise ValueError("an interval wants low <= median <= high")


COURSES: Final = np.linspace(-2.4, 2.4, 13)
"""Where the courses of an encounter lie, in standard deviations of what its pair keeps unknown
(its offset: pockets, bodies, phones). Minutes fall from the first to the last."""


@dataclass(frozen=True, slots=True)
class Estimates:
    """One entry per encounter.

    Attributes:
        minutes: time near, in minutes.
        nearest_m: nearest distance, in metres.
        courses: (m, 13) minutes near on each of COURSES; None if the estimator knows no more
            than ``minutes``.
    """

    minutes: Intervals
    nearest_m: Intervals
    courses: Floats | None = None

    def minutes_of_courses(self) -> Floats:
        """Return (m, 13) minutes on each of COURSES, from the intervals if there is nothing else.

        Between the interval's ends they are interpolated, beyond them they stay.
        """
        if self.courses is not None:
            return self.courses
        side = np.clip(COURSES / NORMAL_95, -1.0, 1.0)
        low, median, high = (
            column[:, None] for column in (self.minutes.low, self.minutes.median, self.minutes.high)
        )
        return np.asarray(median + np.where(side > 0, low - median, median - high) * side)


def chance_of(courses: Floats, least_minutes: float) -> float:
    """Return the probability of at least so many minutes, from minutes on each of COURSES.

    It is never surer than the outermost courses (99.2 %), as long as there is any doubt.

    Args:
        courses: (13,) of one encounter, or of several of the same pair added up.
        least_minutes: how many.
    """
    if courses[-1] >= least_minutes:
        return float(ndtr(COURSES[-1]))
    if courses[0] < least_minutes:
        return float(ndtr(COURSES[0]))
    after = int(np.argmax(courses < least_minutes))  # the first that has too few
    more, less = float(courses[after - 1]), float(courses[after])
    share = (more - least_minutes) / (more - less)
    return float(ndtr(COURSES[after - 1] + share * (COURSES[after] - COURSES[after - 1])))
