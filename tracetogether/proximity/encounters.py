"""Sightings to encounters: from when to when, minutes near and nearest distance.

This is the path of the library and of the authority: readings are binned into slots
(``proximity.slots``), and an estimator turns the attenuation of all slots into minutes and
distances. It uses `single-log` by default (``proximity.single_log``). The posterior of several
logs (``proximity.posterior``) is used by evaluations only.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Final, Protocol, Self, TypeVar, overload

import numpy as np

from tracetogether.labels import Labels
from tracetogether.names import unknown_name
from tracetogether.proximity.attenuation import RULES, Bucketed
from tracetogether.proximity.calibration import Calibration
from tracetogether.proximity.estimates import Estimates, Intervals, chance_of, chances_of
from tracetogether.proximity.single_log import SingleLogPosterior
from tracetogether.proximity.slots import DEFAULT_MAX_GAP_S, Slots, fold
from tracetogether.proximity.smoothed import Smoothed
from tracetogether.sightings import Sightings
from tracetogether.tables.arrow_columns import ChosenRows, ColumnTable, DataColumn, UtcSeconds
from tracetogether.units import Bools, Floats, Interval, Ints


class Estimator(Protocol):
    """Estimates how long and how near, from the slots of all encounters at once.

    It sees all of them together, so that it may also learn from the others what this phone
    receives of everybody.
    """

    def estimate(self, slots: Slots, *, within_m: float) -> Estimates:
        """Return minutes within ``within_m`` metres and the nearest distance of each encounter."""
        ...


class SlotEstimator(Estimator, Protocol):
    """An estimator that also gives the share of each slot that is near."""

    def per_slot(self, slots: Slots, *, within_m: float) -> Intervals:
        """Return (s,) the shares; above 1 where a rule's weights are."""
        ...


_AnyEstimator = TypeVar("_AnyEstimator", bound=Estimator)

ESTIMATORS: Final[Mapping[str, Callable[[], SlotEstimator]]] = MappingProxyType(
    {
        "single-log": SingleLogPosterior,
        "smoothed": Smoothed,
        **{name: partial(Bucketed, rule) for name, rule in RULES.items()},
    }
)
"""Name -> how to make the estimator with its defaults."""

DEFAULT_ESTIMATOR: Final = "single-log"


def named_estimator(name: str) -> SlotEstimator:
    """Return one of ESTIMATORS with its defaults.

    Raises:
        ValueError: there is none of that name; the message says which there are.
    """
    if name not in ESTIMATORS:
        raise ValueError(unknown_name(name, ESTIMATORS, "estimator"))
    return ESTIMATORS[name]()


@dataclass(frozen=True, slots=True)
class Encounter:
    """One meeting of a pair, as one of them recorded it.

    Attributes:
        observer: whose phone received; None in a log of one phone.
        peer: whose phone was received; None if unknown.
        start, end: UTC epoch seconds of the first and the last reading.
        readings: number of readings.
        minutes: minutes within the radius.
        nearest_m: nearest distance in metres.
    """

    observer: str | None
    peer: str | None
    start: float
    end: float
    readings: int
    minutes: Interval
    nearest_m: Interval


@dataclass(frozen=True, slots=True)
class Encounters(ChosenRows, ColumnTable):
    """Encounters in columns of equal length, ordered by observer, peer and start.

    pandas, polars and DuckDB read it as a table. It is indexed like an array:
    ``found[0]`` is an ``Encounter``, ``found[found.minutes.median > 5]`` has the rows of a mask.

    Attributes:
        observer, peer: whose phone received whose.
        start_s, end_s: UTC epoch seconds of the first and the last reading.
        readings: number of readings.
        minutes: minutes within the radius, 5 to 95 %.
        nearest_m: nearest distance in metres, 5 to 95 %.
        minutes_at_offset_quantiles: (m, 17) minutes within the radius at each of
            ``proximity.estimates.OFFSET_QUANTILES``. A pair mostly keeps its offset, so that the
            k-th values of all its encounters belong together.
    """

    observer: Labels
    peer: Labels
    start_s: Floats
    end_s: Floats
    readings: Ints
    minutes: Intervals
    nearest_m: Intervals
    minutes_at_offset_quantiles: Floats = field(repr=False)

    def chance(self, least_minutes: float, rows: Ints | slice = slice(None)) -> float:
        """Return P(minutes of the chosen encounters together >= least_minutes).

        With the radius and the minutes of a policy, this is the probability of a close contact.

        Args:
            least_minutes: minutes within the radius of these encounters.
            rows: the encounters to add up, all of one pair.

        Raises:
            ValueError: they are of several pairs.
        """
        observers, peers = self.observer.codes[rows], self.peer.codes[rows]
        if len(np.unique(observers)) > 1 or len(np.unique(peers)) > 1:
            raise ValueError("minutes of several pairs can't be added to one chance: choose rows")
        return chance_of(self.minutes_at_offset_quantiles[rows].sum(axis=0), least_minutes)

    def chances(self, least_minutes: float) -> Floats:
        """Return (m,) P(minutes of the encounter >= least_minutes), of each encounter alone."""
        return chances_of(self.minutes_at_offset_quantiles, least_minutes)

    def __len__(self) -> int:
        return len(self.start_s)

    @overload
    def __getitem__(self, rows: int) -> Encounter: ...
    @overload
    def __getitem__(self, rows: Ints | Bools | slice) -> Self: ...
    def __getitem__(self, rows: int | Ints | Bools | slice) -> Encounter | Self:
        if not isinstance(rows, int | np.integer):
            return self.take(rows)
        return Encounter(
            observer=self.observer[rows],
            peer=self.peer[rows],
            start=float(self.start_s[rows]),
            end=float(self.end_s[rows]),
            readings=int(self.readings[rows]),
            minutes=self.minutes[rows],
            nearest_m=self.nearest_m[rows],
        )

    @property
    def columns(self) -> Mapping[str, DataColumn]:
        """Name -> column, as data tools see them."""
        return {
            "observer": self.observer,
            "peer": self.peer,
            "start": UtcSeconds(self.start_s),
            "end": UtcSeconds(self.end_s),
            "minutes_near": self.minutes.median,
            "minutes_low": self.minutes.low,
            "minutes_high": self.minutes.high,
            "nearest_m": self.nearest_m.median,
            "nearest_low_m": self.nearest_m.low,
            "nearest_high_m": self.nearest_m.high,
            "readings": self.readings,
        }

    def __iter__(self) -> Iterator[Encounter]:
        rows = zip(
            self.observer.to_list(),
            self.peer.to_list(),
            self.start_s.tolist(),
            self.end_s.tolist(),
            self.readings.tolist(),
            self.minutes,
            self.nearest_m,
            strict=True,
        )
        for row in rows:
            yield Encounter(*row)


def slots_to_estimate(
    sightings: Sightings,
    *,
    within_m: float,
    estimator: _AnyEstimator | str,
    calibration: Calibration | None,
    max_gap_s: float,
) -> tuple[_AnyEstimator | SlotEstimator, Slots]:
    """Return the estimator and the slots of the encounters; see ``encounters``."""
    if not 0 < within_m < np.inf:
        raise ValueError(f"within_m must be a distance above 0, got {within_m}")
    if not max_gap_s > 0:
        raise ValueError(f"max_gap_s must be above 0, got {max_gap_s}")
    chosen = named_estimator(estimator) if isinstance(estimator, str) else estimator
    return chosen, fold(sightings, calibration or Calibration.prior(), max_gap_s=max_gap_s)


def encounters(
    sightings: Sightings,
    *,
    within_m: float = 2.0,
    estimator: Estimator | str = DEFAULT_ESTIMATOR,
    calibration: Calibration | None = None,
    max_gap_s: float = DEFAULT_MAX_GAP_S,
) -> Encounters:
    """Return the encounters of ``sightings``, with minutes near and nearest distance.

    Every sighting is in exactly one encounter; the order of sightings has no influence.

    >>> from tracetogether import Sightings, encounters
    >>> walk = Sightings.from_columns(time=[0.0, 60.0], peer=["ben"] * 2, rssi_dbm=[-60.0] * 2)
    >>> len(encounters(walk, within_m=2.0))
    1

    Args:
        sightings: of one observer or several; each pair is estimated alone.
        within_m: the radius that counts as near, in metres. Bucket rules ignore it.
        estimator: a name in ESTIMATORS, or your own object.
        calibration: what is known of phone models; without it, priors alone.
        max_gap_s: a longer silence, in seconds, ends an encounter.

    Raises:
        ValueError: ``within_m`` or ``max_gap_s`` is not above 0, or there is no such estimator.
    """
    chosen, slots = slots_to_estimate(
        sightings,
        within_m=within_m,
        estimator=estimator,
        calibration=calibration,
        max_gap_s=max_gap_s,
    )
    estimates = chosen.estimate(slots, within_m=within_m)
    return Encounters(
        observer=slots.observer,
        peer=slots.peer,
        start_s=slots.start_s,
        end_s=slots.end_s,
        readings=slots.readings,
        minutes=estimates.minutes,
        nearest_m=estimates.nearest_m,
        minutes_at_offset_quantiles=estimates.minutes_at_offset_quantiles(),
    )
