"""What a log says of each person heard: encounters, and minutes near slot by slot."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from tracetogether.labels import Labels
from tracetogether.parameters import CloseContactPolicy
from tracetogether.proximity.attenuation import RULES, Bucketed
from tracetogether.proximity.calibration import BLUETRACE_TRANSMIT, Calibration
from tracetogether.proximity.grid import group_sums
from tracetogether.proximity.single_log import SingleLogPosterior
from tracetogether.proximity.slots import Slots, fold
from tracetogether.sightings import Sightings
from tracetogether.units import SECONDS_PER_MINUTE, Bools, Floats, Interval, Ints

BY_CASE: Final = 1
BY_CONTACT: Final = 2


@dataclass(frozen=True, slots=True)
class Spans:
    """Quantities with 5 %, median and 95 %, in columns of equal length."""

    low: Floats
    median: Floats
    high: Floats

    @classmethod
    def ordered(cls, low: Floats, median: Floats, high: Floats) -> Self:
        """Return columns in which rounding errors of sums break no order."""
        return cls(np.minimum(low, median), median, np.maximum(high, median))

    def take(self, rows: Ints) -> Self:
        """Return the chosen rows."""
        return type(self)(self.low[rows], self.median[rows], self.high[rows])

    def intervals(self) -> list[Interval]:
        """Return the rows as objects."""
        columns = (column.tolist() for column in (self.low, self.median, self.high))
        return [Interval(*row) for row in zip(*columns, strict=True)]

    def summed(self, group: Ints, count: int) -> Self:
        """Return the sums over each of ``count`` groups; ``group`` says which each row is of."""
        return type(self)(
            group_sums(self.low, group, count),
            group_sums(self.median, group, count),
            group_sums(self.high, group, count),
        )


@dataclass(frozen=True, slots=True)
class NearnessColumns:
    """Encounters in columns of length m, their slots (half minutes) in columns of length s.

    Attributes:
        observer: (m,) whose log it is; unknown where there is one log alone.
        person: (m,) who was met.
        start_s, end_s: (m,) epoch seconds of the first and the last reading.
        courses: (m, 13) minutes near on each of ``proximity.estimates.OFFSET_QUANTILES``.
        nearest_m: (m,) nearest distance.
        encounter: (s,) which encounter a slot belongs to.
        time_s: (s,) when, epoch seconds.
        minutes: (s,) minutes near.
        sides: (s,) which phones recorded it: BY_CASE, BY_CONTACT, or both added.
    """

    observer: Labels
    person: Labels
    start_s: Floats
    end_s: Floats
    courses: Floats
    nearest_m: Spans
    encounter: Ints
    time_s: Floats
    minutes: Spans
    sides: Ints

    def of_encounters(self) -> Spans:
        """Return (m,) minutes near of each encounter."""
        return self.minutes.summed(self.encounter, len(self.start_s))


def rows_of(column: Labels, name: str) -> Bools:
    """Return which rows bear a name."""
    wanted = column.names.index(name) if name in column.names else len(column.names)
    return np.equal(column.codes, wanted)


def nearness(
    own: Sightings, policy: CloseContactPolicy, others: Sightings | None = None, *, owner: str = ""
) -> NearnessColumns:
    """Return how near and how long each person was.

    What other phones recorded of the owner is evidence of the same meetings. Time counts if
    either phone recorded it. How near that was is asked of each log by itself, as what
    dampens all that a phone hears, such as a bag, shows in its own log alone; where both
    recorded, the two answers are averaged. Transmit powers that the records don't tell are taken
    from the population of BlueTrace phones.

    Args:
        own: the owner's log, ``peer`` who was heard; or, without ``others``, many people's logs,
            ``observer`` whose.
        policy: the radius that counts as near, or a rule of its own.
        others: what others' phones recorded, of the owner and of whom else they heard about then:
            ``observer`` whose phone, ``peer`` who was heard.
        owner: what the owner is called in ``others``.
    """
    calibration = Calibration.prior(transmit=BLUETRACE_TRANSMIT)
    mine = own
    if others is not None:
        mine = own.replaced(observer=own.observer.constant(None, len(own)))
    told, told_rows = mine.take(slice(0, 0)), np.empty(0, dtype=np.int64)
    if others is not None:
        told_rows = np.flatnonzero(rows_of(others.peer, owner))
        told = others.take(told_rows)
        told = told.replaced(peer=told.observer, observer=mine.observer.constant(None, len(told)))
    slots = by_log = fold(Sightings.concat([mine, told]), calibration)
    slot = place = slots.of_reading
    if others is not None and len(told):
        by_log = fold(Sightings.concat([mine, others]), calibration)
        row = by_log.of_reading
        place = np.concatenate([row[: len(own)], row[len(own) :][told_rows]])
    estimator = SingleLogPosterior() if policy.rule is None else Bucketed(RULES[policy.rule])
    share = estimator.per_slot(by_log, within_m=policy.within_m)
    estimates = estimator.estimate(by_log, within_m=policy.within_m)
    side = np.repeat([0, 1], [len(own), len(told)])
    count, met, heard = len(slots.time_s), slots.encounter[slot], by_log.encounter[place]

    def shared(one: Floats) -> Floats:
        return _mean_of_sides(one[place], slot, side, count)

    def nearest(one: Floats) -> Floats:
        return np.exp(_mean_of_sides(np.log(one[heard]), met, side, len(slots)))

    sides = np.zeros(count, dtype=np.int64)
    np.bitwise_or.at(sides, slot, side + 1)
    minutes = Spans(
        slots.credit_low_s * shared(share.low) / SECONDS_PER_MINUTE,
        slots.credit_s * shared(share.median) / SECONDS_PER_MINUTE,
        slots.credit_high_s * shared(share.high) / SECONDS_PER_MINUTE,
    )
    return NearnessColumns(
        observer=slots.observer,
        person=slots.peer,
        start_s=slots.start_s,
        end_s=slots.end_s,
        courses=_courses(slots, by_log, estimates.minutes_at_offset_quantiles(), (met, heard)),
        nearest_m=Spans(
            nearest(estimates.nearest_m.low),
            nearest(estimates.nearest_m.median),
            nearest(estimates.nearest_m.high),
        ),
        encounter=slots.encounter,
        time_s=slots.time_s,
        minutes=minutes,
        sides=sides,
    )


def _mean_of_sides(values: Floats, group: Ints, side: Ints, count: int) -> Floats:
    """Return for each group the mean over its rows of a side, then over the sides it has."""
    key = 2 * group + side
    rows = np.bincount(key, minlength=2 * count)
    means = group_sums(values, key, 2 * count) / np.maximum(rows, 1)
    there = (rows > 0).reshape(count, 2)
    return np.asarray(means.reshape(count, 2).sum(axis=1) / np.maximum(there.sum(axis=1), 1))


def _courses(slots: Slots, by_log: Slots, courses: Floats, rows: tuple[Ints, Ints]) -> Floats:
    """Return (m, 13) minutes on each course: what the logs say per minute, for the time together.

    Args:
        slots: of the m encounters that were met.
        by_log: of the encounters that were heard, log by log; each is part of one that was met.
        courses: (encounters heard, 13) their minutes.
        rows: for each reading, the encounter met and the encounter heard.
    """
    heard, first = np.unique(rows[1], return_index=True)
    met = rows[0][first]
    heard_s = group_sums(by_log.total(by_log.credit_s)[heard], met, len(slots))
    minutes = np.zeros((len(slots), courses.shape[1]))
    np.add.at(minutes, met, courses[heard])
    return np.asarray(minutes * (slots.total(slots.credit_s) / heard_s)[:, None])
