"""Minutes near and nearest distance of each person that a log names, slot by slot.

Each log gives an estimate of its own, because what weakens everything that a phone hears, such as a
bag, is seen in that phone's log only. A slot of half a minute counts if either phone recorded it.
Where both recorded it, their two shares of the slot are averaged.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from tracetogether.labels import Labels
from tracetogether.parameters import CloseContactPolicy
from tracetogether.proximity.attenuation import RULES, Bucketed
from tracetogether.proximity.calibration import BLUETRACE_TRANSMIT, Calibration
from tracetogether.proximity.estimates import Intervals
from tracetogether.proximity.grid import group_sums
from tracetogether.proximity.single_log import SingleLogPosterior
from tracetogether.proximity.slots import Slots, fold
from tracetogether.sightings import Sightings
from tracetogether.units import Bools, Floats, Ints

BY_CASE: Final = 1
BY_CONTACT: Final = 2


@dataclass(frozen=True, slots=True)
class NearnessColumns:
    """Encounters in columns of length m, their slots (half minutes) in columns of length s.

    Attributes:
        observer: (m,) owner of the log; unknown if there is only one log.
        person: (m,) the person met.
        start_s, end_s: (m,) epoch seconds of the first and the last reading.
        courses: (m, 17) minutes near at each of ``proximity.estimates.OFFSET_QUANTILES``.
        nearest_m: (m,) nearest distance.
        encounter: (s,) index of the slot's encounter.
        time_s: (s,) epoch seconds.
        minutes: (s,) minutes near.
        sides: (s,) which phones recorded it: BY_CASE, BY_CONTACT, or their sum.
    """

    observer: Labels
    person: Labels
    start_s: Floats
    end_s: Floats
    courses: Floats
    nearest_m: Intervals
    encounter: Ints
    time_s: Floats
    minutes: Intervals
    sides: Ints

    def of_encounters(self) -> Intervals:
        """Return (m,) minutes near of each encounter."""
        return self.minutes.summed(self.encounter, len(self.start_s))


def rows_of(column: Labels, name: str) -> Bools:
    """Return which rows have a name."""
    wanted = column.names.index(name) if name in column.names else len(column.names)
    return np.equal(column.codes, wanted)


def nearness(
    own: Sightings,
    policy: CloseContactPolicy,
    others: Sightings | None = None,
    *,
    owner: str = "",
    calibration: Calibration | None = None,
) -> NearnessColumns:
    """Return how near and how long each person was.

    Unknown transmit powers have the distribution of the population of BlueTrace phones.

    Args:
        own: the owner's log, ``peer`` the person heard; or, without ``others``, many people's
            logs, ``observer`` the owner of each record.
        policy: the radius that counts as near, or a rule of its own.
        others: records of other phones about the owner and other people at about the same time:
            ``observer`` the phone's owner, ``peer`` the person heard.
        owner: the owner's name in ``others``.
        calibration: what is known of phone models; without it, priors alone.
    """
    if calibration is None:
        calibration = Calibration.prior(transmit=BLUETRACE_TRANSMIT)
    mine = own
    if others is not None:
        mine = own.replaced(observer=own.observer.constant(None, len(own)))
    about_owner, about_rows = mine.take(slice(0, 0)), np.empty(0, dtype=np.int64)
    if others is not None:
        about_rows = np.flatnonzero(rows_of(others.peer, owner))
        about_owner = others.take(about_rows)
        about_owner = about_owner.replaced(
            peer=about_owner.observer, observer=mine.observer.constant(None, len(about_owner))
        )
    slots = by_log = fold(Sightings.concat([mine, about_owner]), calibration)
    slot = place = slots.of_reading
    if others is not None and len(about_owner):
        by_log = fold(Sightings.concat([mine, others]), calibration)
        row = by_log.of_reading
        place = np.concatenate([row[: len(own)], row[len(own) :][about_rows]])
    estimator = SingleLogPosterior() if policy.rule is None else Bucketed(RULES[policy.rule])
    share = estimator.per_slot(by_log, within_m=policy.within_m)
    estimates = estimator.estimate(by_log, within_m=policy.within_m)
    side = np.repeat([0, 1], [len(own), len(about_owner)])
    count, met, heard = len(slots.time_s), slots.encounter[slot], by_log.encounter[place]

    def shared(by_slot: Floats) -> Floats:
        return _mean_of_sides(by_slot[place], slot, side, count)

    def nearest(by_encounter: Floats) -> Floats:
        return np.exp(_mean_of_sides(np.log(by_encounter[heard]), met, side, len(slots)))

    sides = np.zeros(count, dtype=np.int64)
    np.bitwise_or.at(sides, slot, side + 1)
    # Shares of slots are expected ones. An encounter's quantiles also hold how uncertain the time
    # together and the movement are: its slots are scaled to them.
    said = estimates.minutes
    at_quantiles = estimates.minutes_at_offset_quantiles()
    columns = np.column_stack([at_quantiles, said.low, said.median, said.high])
    courses = _courses(slots, by_log, columns, (met, heard))
    low, median, high = courses[:, -3:].T
    minutes = Intervals.ordered(
        slots.spread_out(low, slots.credit_low_s * shared(share.low)),
        slots.spread_out(median, slots.credit_s * shared(share.median)),
        slots.spread_out(high, slots.credit_high_s * shared(share.high)),
    )
    return NearnessColumns(
        observer=slots.observer,
        person=slots.peer,
        start_s=slots.start_s,
        end_s=slots.end_s,
        courses=courses[:, :-3],
        nearest_m=Intervals.ordered(
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
    """Return for each group the mean of each side's rows, averaged over the sides that it has."""
    key = 2 * group + side
    rows = np.bincount(key, minlength=2 * count)
    means = group_sums(values, key, 2 * count) / np.maximum(rows, 1)
    there = (rows > 0).reshape(count, 2)
    return np.asarray(means.reshape(count, 2).sum(axis=1) / np.maximum(there.sum(axis=1), 1))


def _courses(slots: Slots, by_log: Slots, courses: Floats, rows: tuple[Ints, Ints]) -> Floats:
    """Return (m, k) minutes near: near share in the logs times the time together.

    Args:
        slots: the slots of m encounters, over both logs.
        by_log: the slots of the encounters in each log; each is part of one of the m.
        courses: (encounters heard, k) minutes near in each log.
        rows: for each reading, the encounter over both logs and the one in its log.
    """
    heard, first = np.unique(rows[1], return_index=True)
    met = rows[0][first]
    heard_s = group_sums(by_log.total(by_log.credit_s)[heard], met, len(slots))
    minutes = np.zeros((len(slots), courses.shape[1]))
    np.add.at(minutes, met, courses[heard])
    return np.asarray(minutes * (slots.total(slots.credit_s) / heard_s)[:, None])
