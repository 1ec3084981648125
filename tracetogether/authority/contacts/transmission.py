"""Rank who may have infected whom, by the days of meetings and the dates of cases.

A meeting of cases A and B on day d has, for the infection of B by A, the weight

    w(A, d) = minutes(d) * infectious(d - date of A) * incubation(date of B - d)

``infectious`` is a shifted gamma density around the first symptoms, ``incubation`` a log-normal
density. Both are averaged over each day and convolved with a normal distribution for the
uncertainty of a case's date. The share of A is its total weight over the sum of everybody that B
met, plus one unrecorded source:

    share(A) = sum_d w(A, d) / (sum over A', d of w(A', d) + unrecorded)

This is a ranking that says which infections to ask about first. It is no finding.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import gammainc, ndtr

from tracetogether.parameters import TRANSMISSION, TransmissionParameters
from tracetogether.units import Floats, Interval

_REACH_DAYS: Final = 40  # days farther from a case's date have no weight
_LEAST_SHARE: Final = 0.01


@dataclass(frozen=True, slots=True)
class Assumption:
    """An assumption of the ranking, with its source."""

    code: str
    text: str
    source: str


ASSUMPTIONS: Final = (
    Assumption(
        "dates",
        "A case's date stands for the first symptoms, give or take two days; diagnoses come later.",
        "this program's choice",
    ),
    Assumption(
        "incubation",
        "Symptoms follow infection after 5.1 days in the median (log-normal, sigma 0.418).",
        "Lauer et al., Annals of Internal Medicine 2020, doi 10.7326/M20-0504",
    ),
    Assumption(
        "infectiousness",
        "People infect others about the day of their first symptoms (mean 0.5 days after, "
        "standard deviation 2.7).",
        "He et al., Nature Medicine 2020, doi 10.1038/s41591-020-0869-5, as corrected by "
        "Ashcroft et al., Swiss Medical Weekly 2020, doi 10.4414/smw.2020.20336",
    ),
    Assumption(
        "minutes",
        "The chance of infection grows with the minutes near; nothing is known of walls, masks, "
        "air or immunity.",
        "this program's choice",
    ),
    Assumption(
        "unrecorded",
        "Somebody who is in no log weighs as much as one person near for 15 minutes on the "
        "likeliest of days.",
        "this program's choice",
    ),
)


@dataclass(frozen=True, slots=True)
class Infection:
    """A case, as infector or infected.

    Attributes:
        case_id: the case.
        person: pseudonym.
        day: number of the case's date.
    """

    case_id: str
    person: str
    day: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """A case that may have infected another case.

    Attributes:
        infector, infected: the two cases.
        share: 0 to 1, of all sources of this infection, recorded or not; 5 % and 95 % from the
            uncertainty of everybody's minutes.
        direction: 0 to 1, the weight of this direction over the sum of both directions.
        likeliest_day: number of the day with the greatest weight.
        meetings: number of days on which they met.
        minutes: minutes near on all those days.
    """

    infector: Infection
    infected: Infection
    share: Interval
    direction: float
    likeliest_day: int
    meetings: int
    minutes: Interval

    @property
    def days_between(self) -> int:
        """Days from the infector's date to the other's; negative if the infector's is later."""
        return self.infected.day - self.infector.day

    @property
    def likeliest_date(self) -> str:
        """The likeliest day as YYYY-MM-DD."""
        return str(np.datetime64(self.likeliest_day, "D"))


Meetings = Mapping[tuple[str, str], Mapping[int, Interval]]
"""Pseudonyms of two people, each pair once -> day number -> minutes near."""


def candidates(
    infections: Sequence[Infection],
    meetings: Meetings,
    parameters: TransmissionParameters = TRANSMISSION,
) -> tuple[Candidate, ...]:
    """Return who may have infected whom, by infected case, the greatest share first.

    Sources whose 95 % share is below 1 % are left out.

    Args:
        infections: the known cases.
        meetings: days and minutes of the meetings between these people.
        parameters: of the disease and the dates.
    """
    course = DiseaseCourse(parameters)
    cases: dict[str, list[Infection]] = {}
    for infection in infections:
        cases.setdefault(infection.person, []).append(infection)
    met: dict[str, list[tuple[str, Mapping[int, Interval]]]] = {}
    for (person, other), days in meetings.items():
        met.setdefault(person, []).append((other, days))
        met.setdefault(other, []).append((person, days))
    found: list[Candidate] = []
    for infected in infections:
        sources = [
            (infector, days)
            for person, days in met.get(infected.person, ())
            for infector in cases.get(person, ())
        ]
        weights = [course.weights(infector.day, infected.day, days) for infector, days in sources]
        totals = np.array([by_day.sum(axis=0) for by_day in weights]).reshape(len(sources), 3)
        mine = []
        for (infector, days), by_day, total in zip(sources, weights, totals, strict=True):
            share = _share(total, totals.sum(axis=0) - total, course.unrecorded)
            if share.high < _LEAST_SHARE:
                continue
            back = course.weights(infected.day, infector.day, days).sum(axis=0)[1]
            mine.append(
                Candidate(
                    infector=infector,
                    infected=infected,
                    share=share,
                    direction=float(total[1] / (total[1] + back)) if total[1] + back else 0.5,
                    likeliest_day=sorted(days)[int(by_day[:, 1].argmax())],
                    meetings=len(days),
                    minutes=Interval(
                        *(
                            sum(getattr(minutes, name) for minutes in days.values())
                            for name in ("low", "median", "high")
                        )
                    ),
                )
            )
        found += sorted(
            mine, key=lambda candidate: (-candidate.share.median, candidate.infector.case_id)
        )
    return tuple(found)


class DiseaseCourse:
    """The densities per day, as tables from -40 to 40 days, with the uncertainty of dates."""

    def __init__(self, parameters: TransmissionParameters) -> None:
        days = np.arange(-_REACH_DAYS, _REACH_DAYS + 1, dtype=np.float64)
        blur = _per_day(lambda at: ndtr(at / parameters.date_sd_days), days)

        def blurred(cumulative: Callable[[Floats], Floats]) -> Floats:
            blurry = np.convolve(_per_day(cumulative, days), blur, mode="same")
            return blurry.astype(np.float64, copy=False)

        self._infectious = blurred(
            lambda at: np.asarray(
                gammainc(
                    parameters.infectious_shape,
                    parameters.infectious_rate * np.maximum(at + parameters.infectious_shift, 0.0),
                ),
                dtype=np.float64,
            )
        )
        self._incubation = blurred(
            lambda at: ndtr(
                (np.log(np.maximum(at, 1e-9)) - parameters.incubation_log_mean)
                / parameters.incubation_log_sd
            )
        )
        most = float(self._infectious.max() * self._incubation.max())
        self.unrecorded = parameters.unrecorded_minutes * most

    def weights(self, infector_day: int, infected_day: int, days: Mapping[int, Interval]) -> Floats:
        """Return (days, 3) weights of each day's meeting, for low, median and high minutes."""
        rows = [
            self._at(self._infectious, day - infector_day)
            * self._at(self._incubation, infected_day - day)
            * np.array([minutes.low, minutes.median, minutes.high])
            for day, minutes in sorted(days.items())
        ]
        return np.array(rows)

    @staticmethod
    def _at(table: Floats, day: int) -> float:
        return float(table[day + _REACH_DAYS]) if abs(day) <= _REACH_DAYS else 0.0


def _per_day(cumulative: Callable[[Floats], Floats], days: Floats) -> Floats:
    """Return the probability of each whole day, from a cumulative distribution in days."""
    return np.asarray(cumulative(days + 0.5) - cumulative(days - 0.5))


def _share(own: Floats, others: Floats, unrecorded: float) -> Interval:
    """Return one source's share; it is lowest if its minutes are low and the others' high."""
    low, median, high = (
        float(own[mine] / (own[mine] + others[theirs] + unrecorded))
        for mine, theirs in ((0, 2), (1, 1), (2, 0))
    )
    return Interval(low, median, high)
