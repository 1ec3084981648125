"""Simple rules about the pairs of a crowd, whose threshold is tuned on other scenarios.

The rules are those of ``evaluation.baselines.tuned_threshold``: one number of a pair's readings
ranks the pairs, and minutes are the time of the half minutes in which it is below a threshold.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from simulations.studies.heard_crowds import HeardCrowd
from simulations.studies.pair_answers import BOTH, PairAnswers
from tracetogether.evaluation.baselines.tuned_threshold import (
    TunedThreshold,
    loudest,
    lower_quantile,
    mean_attenuation,
    packet_count,
)
from tracetogether.labels import Labels
from tracetogether.proximity.calibration import BLUETRACE_TRANSMIT, Calibration
from tracetogether.proximity.grid import RowGroups, group_sums
from tracetogether.proximity.slots import fold
from tracetogether.sightings import Sightings
from tracetogether.units import SECONDS_PER_MINUTE, Floats, Ints

TUNED: Final[Mapping[str, TunedThreshold]] = MappingProxyType(
    {rule.name: rule for rule in (mean_attenuation(), loudest(), lower_quantile(), packet_count())}
)
"""Name -> rule."""

_EVERY: Final = 4  # of the rule's thresholds, which are half a decibel apart


@dataclass(frozen=True, slots=True)
class ThresholdAnswers:
    """A rule's answers about p pairs before its threshold is chosen.

    Attributes:
        score: (p,) ranks the pairs.
        minutes: (p, k) float32 minutes below each of k thresholds.
    """

    score: Floats
    minutes: npt.NDArray[np.float32]

    def at(self, threshold: int | None) -> PairAnswers:
        """Return the answers with a threshold, or a ranking alone."""
        if threshold is None:
            return PairAnswers.ranked(self.score)
        unknown = np.full(len(self.score), np.nan)
        minutes = self.minutes[:, threshold].astype(np.float64)
        return PairAnswers(self.score, unknown, unknown, minutes, unknown)


@dataclass(frozen=True, slots=True)
class GroupedRecords:
    """All records of a crowd in groups: directed pairs, or pairs with both phones' records.

    Attributes:
        sightings: the records; of a group all have the same observer and peer.
        groups: the group of each record.
        code: (groups,) ``observer * people + peer``, ascending.
        of_pair: (p,) the group of each of the crowd's directed pairs.
    """

    sightings: Sightings
    groups: RowGroups
    code: Ints
    of_pair: Ints

    @classmethod
    def of(cls, crowd: HeardCrowd, logs: str) -> "GroupedRecords":
        """Return the records in groups; with both logs the lower number is the observer."""
        sightings, people = crowd.sightings(), crowd.people
        first, second = crowd.owner, crowd.peer
        pair_first, pair_second = np.divmod(crowd.pair, people)
        if logs == BOTH:
            first, second = np.minimum(first, second), np.maximum(first, second)
            pair_first, pair_second = (
                np.minimum(pair_first, pair_second),
                np.maximum(pair_first, pair_second),
            )
            names = sightings.observer.names
            sightings = sightings.replaced(
                observer=Labels(first.astype(np.int32), names),
                peer=Labels(second.astype(np.int32), names),
            )
        code, row = np.unique(first * people + second, return_inverse=True)
        of_pair = np.searchsorted(code, pair_first * people + pair_second)
        return cls(sightings, RowGroups(row.reshape(-1), len(code)), code, of_pair)


def thresholds_of(rule: TunedThreshold) -> Floats:
    """Return the (k,) thresholds that are tried."""
    return np.array(rule.thresholds[::_EVERY])


def answer_by_thresholds(
    rule: TunedThreshold, crowd: HeardCrowd, records: GroupedRecords
) -> ThresholdAnswers:
    """Return a rule's score of each pair, and its minutes for each threshold."""
    calibration = Calibration.prior(transmit=BLUETRACE_TRANSMIT)
    level = calibration.attenuation(records.sightings).db
    score = -rule.statistic(level, records.groups)
    slots = fold(records.sightings, calibration)
    of_slot = rule.statistic(level, RowGroups(slots.of_reading, len(slots.time_s)))
    thresholds = thresholds_of(rule)
    width = len(thresholds) + 1
    code = crowd.codes_of(slots.observer, slots.peer)
    group = np.searchsorted(records.code, code)[slots.encounter]
    cell = group * width + np.searchsorted(thresholds, of_slot, side="right")
    parts = group_sums(slots.credit_s, cell, len(records.code) * width)
    below = np.cumsum(parts.reshape(-1, width), axis=1)[:, :-1] / SECONDS_PER_MINUTE
    return ThresholdAnswers(score[records.of_pair], below.astype(np.float32)[records.of_pair])


def mean_errors(answers: Sequence[ThresholdAnswers], true: Sequence[Floats]) -> Floats | None:
    """Return (k,) the mean error of minutes of each threshold over the pairs of some crowds.

    Returns:
        None without any pair.
    """
    errors = [
        np.abs(said.minutes - minutes[:, None]) for said, minutes in zip(answers, true, strict=True)
    ]
    if not any(len(error) for error in errors):
        return None
    return np.asarray(np.concatenate(errors).mean(axis=0, dtype=np.float64))
