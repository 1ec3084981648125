"""Estimators that look at half-minute slots: bucket rules and the smoothed log-distance one."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np

from tracetogether.evaluation.presence import Presence, presence
from tracetogether.evaluation.protocols import Fitted, PairMinutes, WindowScores
from tracetogether.evaluation.windows import Windows, pooled
from tracetogether.labels import Labels
from tracetogether.proximity.calibration import Calibration
from tracetogether.proximity.estimates import Intervals
from tracetogether.proximity.scene import LogsUsed, Scene
from tracetogether.proximity.slots import Slots, fold_with_rows
from tracetogether.proximity.sums import group_sums
from tracetogether.units import SECONDS_PER_MINUTE, Codes, Floats, Ints

OWN_AND_PAIR: Final = frozenset({LogsUsed.OWN, LogsUsed.PAIR})
"""What an estimator of single pairs can use; more logs tell it nothing more."""

_POINTS: Final = np.linspace(-0.4, 0.4, 5)  # middles of fifths of the time that a slot stands for


class PerSlot(Protocol):
    """Says of each slot which share of its time counts as near."""

    def per_slot(self, slots: Slots, *, within_m: float) -> Intervals:
        """Return the share; more than 1 where a rule's weights are."""
        ...


@dataclass(frozen=True, slots=True)
class Slotwise:
    """An estimator that estimators slot by slot, and fits nothing.

    Attributes:
        name: as the command line calls it.
        estimator: estimators slots.
        shares_are_probabilities: whether its shares may be read as probabilities of being near.
        logs: which logs it can use.
        learns: whether fitting changes it.
    """

    name: str
    estimator: PerSlot
    shares_are_probabilities: bool = False
    logs: frozenset[LogsUsed] = OWN_AND_PAIR
    learns: bool = False

    def fit(self, scenes: Sequence[Scene], *, calibration: Calibration) -> Fitted:
        """Return it with the calibration table; ``scenes`` teach it nothing."""
        del scenes
        return FittedSlotwise(self.estimator, self.shares_are_probabilities, calibration)


@dataclass(frozen=True, slots=True)
class _Folded:
    """A scene's slots, and the slot of each sighting."""

    scene: Scene
    logs: LogsUsed
    slots: Slots
    slot: Ints


@dataclass(frozen=True, slots=True)
class FittedSlotwise:
    """A slotwise estimator with the calibration table, and the last scene that it folded."""

    estimator: PerSlot
    shares_are_probabilities: bool
    calibration: Calibration
    _last: list[_Folded] = field(default_factory=list, repr=False, compare=False)

    def windows(
        self, scene: Scene, logs: LogsUsed, *, window_s: float, within_m: float
    ) -> WindowScores:
        """Score windows by the near time in them, or by the share that it is."""
        folded = self._folded(scene, logs)
        slots, slot = folded.slots, folded.slot
        near = self.estimator.per_slot(slots, within_m=within_m).median
        windows = Windows.of(scene, logs, window_s)
        seconds = (slots.credit_s / slots.slot_readings)[slot]
        near_s = windows.total(seconds * near[slot])
        score = near_s / SECONDS_PER_MINUTE
        probability = np.full(len(windows), np.nan)
        if self.shares_are_probabilities:
            # A reading alone at one moment stands for no time, yet has a share.
            heard_s = windows.total(np.maximum(seconds, 1e-6))
            near_s = windows.total(np.maximum(seconds, 1e-6) * near[slot])
            score = probability = np.clip(near_s / heard_s, 0.0, 1.0)
        return WindowScores(windows.observer, windows.peer, windows.window, score, probability)

    def minutes(self, scene: Scene, logs: LogsUsed, *, within_m: float) -> PairMinutes:
        """Return the credited time near of slots, as far as both were tracked in it."""
        slots = self._folded(scene, logs).slots
        near = self.estimator.per_slot(slots, within_m=within_m)
        when = presence_of(scene)
        observer, peer, row = distinct_pairs(slots.observer, slots.peer)

        def minutes(credit_s: Floats, share: Floats) -> Floats:
            seconds = slots.total(credit_s * share * tracked_share(slots, credit_s, when))
            return group_sums(seconds, row, len(observer)) / SECONDS_PER_MINUTE

        median = minutes(slots.credit_s, near.median)
        # A greater credit may reach into times that nobody was tracked: keep the order.
        low = np.minimum(minutes(slots.credit_low_s, near.low), median)
        high = np.maximum(minutes(slots.credit_high_s, near.high), median)
        return PairMinutes(observer, peer, low, median, high)

    def _folded(self, scene: Scene, logs: LogsUsed) -> _Folded:
        if not (self._last and self._last[0].scene is scene and self._last[0].logs is logs):
            folded = fold_with_rows(pooled(scene, logs), self.calibration)
            self._last[:] = [_Folded(scene, logs, *folded)]
        return self._last[0]


def presence_of(scene: Scene) -> Presence:
    """Return when the people of ``scene`` were tracked.

    Raises:
        ValueError: nobody was.
    """
    if scene.tracks is None:
        raise ValueError(f"scene {scene.name!r} has no tracks, so there are no minutes to compare")
    return presence(scene.tracks)


def tracked_share(slots: Slots, credit_s: Floats, when: Presence) -> Floats:
    """Return which share of the time that each slot stands for both people were tracked."""
    first = when.numbers(slots.observer)[slots.encounter]
    second = when.numbers(slots.peer)[slots.encounter]
    tracked = [when.together(first, second, slots.time_s + at * credit_s) for at in _POINTS]
    return np.asarray(np.mean(tracked, axis=0))


def distinct_pairs(observer: Labels, peer: Labels) -> tuple[Labels, Labels, Ints]:
    """Return the distinct pairs of two columns, and which of them each row is."""
    width = len(peer.names) + 1
    key = (observer.codes.astype(np.int64) + 1) * width + peer.codes + 1
    distinct, row = np.unique(key, return_inverse=True)
    codes: tuple[Codes, Codes] = (
        (distinct // width - 1).astype(np.int32),
        (distinct % width - 1).astype(np.int32),
    )
    return Labels(codes[0], observer.names), Labels(codes[1], peer.names), row.reshape(-1)
