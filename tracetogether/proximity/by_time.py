"""How near two people were over time: P(near) and distance in each half minute of an encounter.

An estimator gives the share of a half minute within a radius at the low end, the median and the
high end of what it does not know of a pair (pockets, bodies, phones). The mean over that unknown is
P(near) (``Intervals.mean``). P(near) at many radii is the distribution of the
distance, so its quantiles are the radii that reach 5, 50 and 95 %.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Self, overload

import numpy as np

from tracetogether.labels import Labels
from tracetogether.proximity.calibration import Calibration
from tracetogether.proximity.encounters import DEFAULT_ESTIMATOR, SlotEstimator, slots_to_estimate
from tracetogether.proximity.estimates import Intervals
from tracetogether.proximity.slots import DEFAULT_MAX_GAP_S, Slots, TimeCredit
from tracetogether.sightings import Sightings
from tracetogether.tables.arrow_columns import ChosenRows, ColumnTable, DataColumn, UtcSeconds
from tracetogether.units import Bools, Floats, Interval, Ints

_RADII_M: Final = np.geomspace(0.1, 60.0, 33)  # steps of a fifth; between them it interpolates
_SLOT_S: Final = TimeCredit().slot_s


@dataclass(frozen=True, slots=True)
class Moment:
    """One half minute of an encounter, as one of the two recorded it.

    Attributes:
        observer, peer: as in ``Encounter``.
        start: UTC epoch seconds.
        seconds: the time it stands for.
        chance: P(near) then.
        distance_m: the distance then; None if the estimator knows no distance.
    """

    observer: str | None
    peer: str | None
    start: float
    seconds: float
    chance: float
    distance_m: Interval | None


@dataclass(frozen=True, slots=True)
class Moments(ChosenRows, ColumnTable):
    """Half minutes of encounters in columns of length s, by encounter and time.

    pandas, polars and DuckDB read it as a table; it is indexed like an array.

    Attributes:
        encounter: row of ``encounters`` of the same sightings.
        observer, peer: whose phone received whose.
        start_s: UTC epoch seconds.
        seconds: the time that it stands for: its own readings', and its share of the gaps to its
            neighbours. An encounter's sum is the time together that the estimator counts.
        chance: P(within the radius).
        distance_m: metres, 5 to 95 %; NaN for rules that know no distance.
    """

    encounter: Ints
    observer: Labels
    peer: Labels
    start_s: Floats
    seconds: Floats
    chance: Floats
    distance_m: Intervals

    def __len__(self) -> int:
        return len(self.start_s)

    @overload
    def __getitem__(self, rows: int) -> Moment: ...
    @overload
    def __getitem__(self, rows: Ints | Bools | slice) -> Self: ...
    def __getitem__(self, rows: int | Ints | Bools | slice) -> Moment | Self:
        if not isinstance(rows, int | np.integer):
            return self.take(rows)
        return next(iter(self.take(np.array([rows]))))

    @property
    def columns(self) -> Mapping[str, DataColumn]:
        """Name -> column, as data tools see them."""
        return {
            "encounter": self.encounter,
            "observer": self.observer,
            "peer": self.peer,
            "start": UtcSeconds(self.start_s),
            "seconds": self.seconds,
            "chance_near": self.chance,
            "distance_m": self.distance_m.median,
            "distance_low_m": self.distance_m.low,
            "distance_high_m": self.distance_m.high,
        }

    def __iter__(self) -> Iterator[Moment]:
        known = not np.isnan(self.distance_m.median).any()
        rows = zip(
            self.observer.to_list(),
            self.peer.to_list(),
            self.start_s.tolist(),
            self.seconds.tolist(),
            self.chance.tolist(),
            self.distance_m if known else [None] * len(self),
            strict=True,
        )
        for row in rows:
            yield Moment(*row)


def encounters_by_time(
    sightings: Sightings,
    *,
    within_m: float = 2.0,
    estimator: SlotEstimator | str = DEFAULT_ESTIMATOR,
    calibration: Calibration | None = None,
    max_gap_s: float = DEFAULT_MAX_GAP_S,
) -> Moments:
    """Return P(near) and distance in each half minute of the encounters of ``sightings``.

    >>> from tracetogether import Sightings, encounters_by_time
    >>> walk = Sightings.from_columns(time=[0.0, 60.0], peer=["ben"] * 2, rssi_dbm=[-60.0] * 2)
    >>> len(encounters_by_time(walk, within_m=2.0))
    2

    Args:
        sightings: of one observer or several.
        within_m: the radius that counts as near, in metres.
        estimator: a name in ESTIMATORS, or your own object.
        calibration: what is known of phone models; without it, priors alone.
        max_gap_s: a longer silence, in seconds, ends an encounter.

    Raises:
        ValueError: as ``encounters``.
    """
    chosen, slots = slots_to_estimate(
        sightings,
        within_m=within_m,
        estimator=estimator,
        calibration=calibration,
        max_gap_s=max_gap_s,
    )
    first_s = slots.start_s[slots.encounter]
    number = np.floor((slots.time_s - first_s) / _SLOT_S)
    return Moments(
        encounter=slots.encounter,
        observer=slots.observer.take(slots.encounter),
        peer=slots.peer.take(slots.encounter),
        start_s=first_s + _SLOT_S * number,
        seconds=slots.credit_s,
        chance=_chance_within(chosen, slots, within_m),
        distance_m=_distances(chosen, slots),
    )


def _chance_within(estimator: SlotEstimator, slots: Slots, within_m: float) -> Floats:
    """Return (s,) P(distance <= within_m), over what the estimator does not know of the pair."""
    return np.clip(estimator.per_slot(slots, within_m=within_m).mean(), 0.0, 1.0)


def _distances(estimator: SlotEstimator, slots: Slots) -> Intervals:
    """Return (s,) the radii within which the pair is at 5, 50 and 95 %.

    Distances beyond the outermost radii are given as these. Rules that count minutes by attenuation
    give the same share at every radius: the distance is NaN.
    """
    within = np.array([_chance_within(estimator, slots, radius) for radius in _RADII_M.tolist()])
    if not len(slots) or np.ptp(within, axis=0).max() == 0.0:
        unknown = np.full(len(slots.time_s), np.nan)
        return Intervals(unknown, unknown, unknown)
    rising = np.maximum.accumulate(within, axis=0)
    log_m, columns = np.log(_RADII_M), np.arange(rising.shape[1])

    def reached(chance: float) -> Floats:
        after = np.clip((rising < chance).sum(axis=0), 1, len(log_m) - 1)
        less, more = rising[after - 1, columns], rising[after, columns]
        gap = np.maximum(more - less, 1e-12)
        share = np.clip((chance - less) / gap, 0.0, 1.0)
        return np.asarray(np.exp(log_m[after - 1] + share * (log_m[after] - log_m[after - 1])))

    return Intervals.ordered(reached(0.05), reached(0.5), reached(0.95))
