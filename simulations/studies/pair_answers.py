"""What estimators and simple rules say of each directed pair of a crowd, from one log or two."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, Self

import numpy as np

from simulations.studies.heard_crowds import HeardCrowd
from tracetogether.authority.contacts.nearness import nearness
from tracetogether.labels import Labels
from tracetogether.parameters import CloseContactPolicy
from tracetogether.proximity.attenuation import RULES
from tracetogether.proximity.calibration import BLUETRACE_TRANSMIT, Calibration
from tracetogether.proximity.encounters import (
    DEFAULT_ESTIMATOR,
    ESTIMATORS,
    Estimator,
    encounters,
)
from tracetogether.proximity.estimates import OFFSET_QUANTILES, chances_of
from tracetogether.units import Floats, Ints


@dataclass(frozen=True, slots=True)
class PairAnswers:
    """Answers about p pairs, in columns; NaN where a rule gives none.

    Attributes:
        score: (p,) ranks the pairs: the higher, the more likely a contact.
        chance: (p,) P(at least the policy's minutes within its radius).
        low, median, high: (p,) minutes within the radius.
    """

    score: Floats
    chance: Floats
    low: Floats
    median: Floats
    high: Floats

    @classmethod
    def ranked(cls, score: Floats) -> Self:
        """Return answers of a rule that only ranks."""
        unknown = np.full(len(score), np.nan)
        return cls(score, unknown, unknown, unknown, unknown)

    @classmethod
    def of_minutes(cls, minutes: Floats, courses: Floats, policy: CloseContactPolicy) -> Self:
        """Return answers of an estimator.

        Args:
            minutes: (p, 3) low, median and high.
            courses: (p, 13) minutes at each of ``proximity.estimates.OFFSET_QUANTILES``.
            policy: gives the minutes of a contact.
        """
        chance = chances_of(courses, policy.minutes)
        low, median, high = minutes.T
        return cls(chance, chance, low, median, high)

    def take(self, rows: Ints) -> Self:
        """Return the chosen pairs."""
        return type(self)(
            self.score[rows],
            self.chance[rows],
            self.low[rows],
            self.median[rows],
            self.high[rows],
        )


NOBODY: Final = PairAnswers.ranked(np.empty(0))
"""The answers about no pair."""

OWN: Final = "own"
BOTH: Final = "both"
LOGS: Final = (OWN, BOTH)
"""The observer's log alone, or the logs of everybody, as the authority combines them."""

Rule = Callable[[HeardCrowd, CloseContactPolicy], PairAnswers]


def _none(crowd: HeardCrowd, _: CloseContactPolicy) -> PairAnswers:
    """Guess that nobody was near."""
    count = len(crowd.pair)
    unknown = np.full(count, np.nan)
    return PairAnswers(np.zeros(count), unknown, unknown, np.zeros(count), unknown)


def _named(name: str) -> Rule:
    """Return the rule "ask this estimator of each log"."""
    calibration = Calibration.prior(transmit=BLUETRACE_TRANSMIT)

    def answer(crowd: HeardCrowd, policy: CloseContactPolicy) -> PairAnswers:
        return estimated(ESTIMATORS[name](), crowd, policy, calibration)

    return answer


def estimated(
    estimator: Estimator, crowd: HeardCrowd, policy: CloseContactPolicy, calibration: Calibration
) -> PairAnswers:
    """Return an estimator's answers from each log alone."""
    found = encounters(
        crowd.sightings(), within_m=policy.within_m, estimator=estimator, calibration=calibration
    )
    minutes = (found.minutes.low, found.minutes.median, found.minutes.high)
    columns = np.column_stack([*minutes, found.minutes_at_offset_quantiles])
    pair = np.searchsorted(crowd.pair, crowd.codes_of(found.observer, found.peer))
    sums = added(pair, columns, len(crowd.pair))
    return PairAnswers.of_minutes(sums[:, :3], sums[:, 3:], policy)


def added(group: Ints, columns: Floats, count: int) -> Floats:
    """Return (count, k) the sums of (m, k) columns over each group; 0 for an empty one."""
    sums = np.zeros((count, columns.shape[1]))
    np.add.at(sums, group, columns)
    return sums


RULES_OF_ONE_LOG: Final[Mapping[str, Rule]] = MappingProxyType(
    {"none": _none, **{name: _named(name) for name in ESTIMATORS}}
)
"""Name -> rule that needs nothing but one log."""


def _combined(rule: str | None) -> Rule:
    """Return the rule "ask the authority, which has the logs of everybody".

    Everybody whose phone heard somebody is the index case in turn, and everybody else has uploaded.
    """

    def answer(crowd: HeardCrowd, policy: CloseContactPolicy) -> PairAnswers:
        asked = replace(policy, rule=rule)
        everything = crowd.sightings()
        sums = np.zeros((len(crowd.pair), 3 + len(OFFSET_QUANTILES)))
        for case in np.unique(crowd.owner).tolist():
            mine = crowd.owner == case
            own, others = (everything.take(rows) for rows in (mine, ~mine))
            near = nearness(own, asked, others, owner=str(case))
            code = crowd.codes_of(Labels.constant(str(case), len(near.person)), near.person)
            row = np.searchsorted(crowd.pair, code)
            # Whom only the other phone heard is in no row of this log.
            held = np.flatnonzero(crowd.pair[np.minimum(row, len(crowd.pair) - 1)] == code)
            minutes = near.of_encounters().take(held)
            columns = (minutes.low, minutes.median, minutes.high, near.courses[held])
            sums += added(row[held], np.column_stack(columns), len(crowd.pair))
        return PairAnswers.of_minutes(sums[:, :3], sums[:, 3:], policy)

    return answer


RULES_OF_BOTH_LOGS: Final[Mapping[str, Rule]] = MappingProxyType(
    {
        "none": _none,
        DEFAULT_ESTIMATOR: _combined(None),
        **{name: _combined(name) for name in RULES},
    }
)
"""Name -> rule of the authority, which has the logs of everybody."""
