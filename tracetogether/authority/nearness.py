"""What a log says of each person heard: encounters, and minutes near slot by slot."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from tracetogether.labels import Labels
from tracetogether.parameters import CloseContactPolicy
from tracetogether.proximity.attenuation import RULES, Bucketed
from tracetogether.proximity.calibration import BLUETRACE_TRANSMIT, Calibration
from tracetogether.proximity.own_log import OwnLog
from tracetogether.proximity.slots import fold_with_rows
from tracetogether.proximity.sums import group_sums
from tracetogether.sightings import Sightings
from tracetogether.units import SECONDS_PER_MINUTE, Floats, Ints

BY_CASE: Final = 1
BY_CONTACT: Final = 2


@dataclass(frozen=True, slots=True)
class Spans:
    """Quantities with 5 %, median and 95 %, in columns of equal length."""

    low: Floats
    median: Floats
    high: Floats

    def take(self, rows: Ints) -> Self:
        """Return the chosen rows."""
        return type(self)(self.low[rows], self.median[rows], self.high[rows])

    def summed(self, group: Ints, count: int) -> Self:
        """Return the sums over each of ``count`` groups; ``group`` says which each row is of."""
        return type(self)(
            group_sums(self.low, group, count),
            group_sums(self.median, group, count),
            group_sums(self.high, group, count),
        )


@dataclass(frozen=True, slots=True)
class Nearness:
    """Encounters in columns of length m, their slots (half minutes) in columns of length s.

    Attributes:
        person: (m,) who was met.
        start_s, end_s: (m,) epoch seconds of the first and the last reading.
        courses: (m, 13) minutes near on each of ``proximity.estimates.COURSES``.
        nearest_m: (m,) nearest distance.
        encounter: (s,) which encounter a slot belongs to.
        time_s: (s,) when, epoch seconds.
        minutes: (s,) minutes near.
        sides: (s,) which phones recorded it: BY_CASE, BY_CONTACT, or both added.
    """

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


def nearness(own: Sightings, policy: CloseContactPolicy, told: Sightings | None = None) -> Nearness:
    """Return how near and how long each person was.

    What other phones recorded of the owner is evidence of the same meetings: it is folded in as if
    his own phone had heard it, so that what one phone missed the other fills in, and where both
    heard, their attenuations are averaged. (Most of what dampens a signal, bodies and pockets,
    does so in both directions.) Transmit powers that the records don't tell are taken from the
    population of BlueTrace phones.

    Args:
        own: one person's log, ``peer`` who was heard.
        policy: the radius that counts as near, or a rule of its own.
        told: what others' phones recorded of that person, ``peer`` whose phone it was.
    """
    parts = [own] if told is None else [own, told]
    sightings = Sightings.concat(parts)
    nobody = sightings.replaced(observer=sightings.observer.constant(None, len(sightings)))
    slots, slot = fold_with_rows(nobody, Calibration.prior(transmit=BLUETRACE_TRANSMIT))
    estimator = OwnLog() if policy.rule is None else Bucketed(RULES[policy.rule])
    share = estimator.per_slot(slots, within_m=policy.within_m)
    estimates = estimator.estimate(slots, within_m=policy.within_m)
    sides = np.zeros(len(slots.time_s), dtype=np.int64)
    np.bitwise_or.at(
        sides, slot, np.repeat([BY_CASE, BY_CONTACT], [len(own), len(slot) - len(own)])
    )
    nearest = estimates.nearest_m
    return Nearness(
        person=slots.peer,
        start_s=slots.start_s,
        end_s=slots.end_s,
        courses=estimates.minutes_of_courses(),
        nearest_m=Spans(nearest.low, nearest.median, nearest.high),
        encounter=slots.encounter,
        time_s=slots.time_s,
        minutes=Spans(
            slots.credit_low_s * share.low / SECONDS_PER_MINUTE,
            slots.credit_s * share.median / SECONDS_PER_MINUTE,
            slots.credit_high_s * share.high / SECONDS_PER_MINUTE,
        ),
        sides=sides,
    )
