"""Estimators that work on half-minute slots and fit nothing: bucket rules, log-distance ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from tracetogether.evaluation.protocols import WindowScores
from tracetogether.evaluation.scene import Scene, SceneWindows
from tracetogether.evaluation.truth import Presence
from tracetogether.proximity.calibration import Calibration
from tracetogether.proximity.distances import LogsUsed
from tracetogether.proximity.encounters import SlotEstimator
from tracetogether.proximity.estimates import Intervals
from tracetogether.proximity.grid import PairIndex
from tracetogether.proximity.slots import Slots, fold
from tracetogether.units import SECONDS_PER_MINUTE, Floats

OWN_AND_PAIR: Final = frozenset({LogsUsed.OWN, LogsUsed.PAIR})
"""The logs of an estimator of single pairs: further logs say nothing about a pair to it."""

_POINTS: Final = np.linspace(-0.4, 0.4, 5)  # middles of fifths of the time that a slot stands for


@dataclass(frozen=True, slots=True)
class Slotwise:
    """An estimator that works slot by slot and fits nothing.

    Attributes:
        name: its name on the command line.
        estimator: gives the share of each slot that is near.
        shares_are_probabilities: whether its shares can be read as probabilities of being near.
        logs: which logs it can use.
        learns: whether fitting changes it.
    """

    name: str
    estimator: SlotEstimator
    shares_are_probabilities: bool = False
    logs: frozenset[LogsUsed] = OWN_AND_PAIR
    learns: bool = False

    def fit(self, scenes: Sequence[Scene], *, calibration: Calibration) -> "FittedSlotwise":
        """Return it with the calibration table; it learns nothing from ``scenes``."""
        del scenes
        return FittedSlotwise(
            self.estimator,
            calibration,
            shares_are_probabilities=self.shares_are_probabilities,
        )


class FittedSlotwise:
    """A slotwise estimator with the calibration table."""

    def __init__(
        self, estimator: SlotEstimator, calibration: Calibration, *, shares_are_probabilities: bool
    ) -> None:
        self._estimator = estimator
        self._shares_are_probabilities = shares_are_probabilities
        # Windows and minutes of several lengths and radii are asked of one scene in a row.
        self._slots = lru_cache(maxsize=1)(
            lambda scene, logs: fold(scene.pooled(logs), calibration)
        )

    def windows(
        self, scene: Scene, logs: LogsUsed, *, window_s: float, within_m: float
    ) -> WindowScores:
        """Score windows by the near time in them, or by the share that it is."""
        slots: Slots = self._slots(scene, logs)
        slot = slots.of_reading
        shares = self._estimator.per_slot(slots, within_m=within_m)
        near = shares.mean() if self._shares_are_probabilities else shares.median
        windows = SceneWindows.of(scene, logs, window_s)
        seconds = (slots.credit_s / slots.slot_readings)[slot]
        if not self._shares_are_probabilities:
            near_s = windows.sum(seconds * near[slot])
            return WindowScores.without_probability(near_s / SECONDS_PER_MINUTE)
        # A reading alone at one moment stands for no time, yet has a share.
        heard_s = windows.sum(np.maximum(seconds, 1e-6))
        near_s = windows.sum(np.maximum(seconds, 1e-6) * near[slot])
        share = np.clip(near_s / heard_s, 0.0, 1.0)
        return WindowScores(share, share)

    def minutes(self, scene: Scene, logs: LogsUsed, *, within_m: float) -> Intervals:
        """Return the credited time near of slots, as far as both were tracked in it."""
        slots: Slots = self._slots(scene, logs)
        near = self._estimator.per_slot(slots, within_m=within_m)
        said = self._estimator.estimate(slots, within_m=within_m).minutes
        when, pairs = Presence.of_scene(scene), pairs_of_encounters(slots)

        def minutes(of_encounters: Floats, credit_s: Floats, share: Floats) -> Floats:
            by_slot = slots.spread_out(of_encounters, credit_s * share)
            return pairs.sum(slots.total(by_slot * tracked_share(slots, credit_s, when)))

        median = minutes(said.median, slots.credit_s, near.median)
        # A greater credit may reach into times that nobody was tracked: keep the order.
        low = np.minimum(minutes(said.low, slots.credit_low_s, near.low), median)
        high = np.maximum(minutes(said.high, slots.credit_high_s, near.high), median)
        return Intervals(low, median, high)


def pairs_of_encounters(slots: Slots) -> PairIndex:
    """Return the pairs of the scene that ``slots`` are of; their rows are the encounters."""
    names = slots.observer.names  # observers' and peers' names are numbered as one
    first, second = (labels.codes.astype(np.int64) for labels in (slots.observer, slots.peer))
    return PairIndex.of(names, first, second, directed=True)


def tracked_share(slots: Slots, credit_s: Floats, when: Presence) -> Floats:
    """Return which share of the time that each slot stands for both people were tracked."""
    first = when.numbers(slots.observer)[slots.encounter]
    second = when.numbers(slots.peer)[slots.encounter]
    tracked = [when.together(first, second, slots.time_s + at * credit_s) for at in _POINTS]
    return np.asarray(np.mean(tracked, axis=0))
