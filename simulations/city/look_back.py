"""Contacts of cases on the days before, listed with as few look-ups as possible.

Groups whose members all meet are the same on each day: their members are looked up once per case.
Whether tracing could name a member is decided once too, and only then are the days listed. Other
contacts change from day to day. They are looked up for days on which the case was out.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from simulations.city.keys import HOUSEHOLD, LAYERS
from simulations.city.network import GROUPS, WEEKDAY_LAYERS, Network, is_working_day
from simulations.city.people import People
from tracetogether.units import Bools, Ints

CASES: Final = 512
"""Cases whose contacts are listed at a time, so that columns stay in the processor's cache."""
_WORKING_DAY: Final = 0

Choice = Callable[[int, Ints, Ints], tuple[Ints, Ints]]
"""Called with a layer, cases and others. Returns which rows tracing could name, and a number that
is kept for each of them. It must not depend on the day."""


@dataclass(frozen=True, slots=True)
class PastContacts:
    """Contacts in one layer, in columns.

    Attributes:
        layer: its number.
        case: who met somebody.
        other: whom they met.
        day: when.
        mark: the number that the choice gave to the pair.
    """

    layer: int
    case: Ints
    other: Ints
    day: Ints
    mark: Ints


class LookBack:
    """The contacts of cases on past days.

    Args:
        network: of the city.
        people: who stayed at home when.
    """

    def __init__(self, network: Network, people: People) -> None:
        self._network, self._people = network, people

    def contacts(self, cases: Ints, days: Ints, choice: Choice) -> Iterator[PastContacts]:
        """Yield the contacts of cases on each of ``days``, without those that the case missed.

        Contacts outside the household are left out on days on which the case stayed at home, and
        contacts at school, work and in transport at the weekend.

        Args:
            cases: whose contacts.
            days: past days.
            choice: which pairs matter; see ``Choice``.
        """
        if not days.size:
            return
        for low in range(0, len(cases), CASES):
            part = cases[low : low + CASES]
            out = self.was_out(part, days)
            out_working = out & is_working_day(days)
            for layer in range(len(LAYERS)):
                there = out_working if layer in WEEKDAY_LAYERS else out
                if layer == HOUSEHOLD:
                    there = np.ones_like(out)
                found = self._same if layer in GROUPS else self._changing
                yield from found(layer, part, days, there, choice)

    def was_out(self, cases: Ints, days: Ints) -> Bools:
        """Return (cases, days) whether each case was out on each day."""
        each = np.repeat(cases, len(days))
        away = self._people.was_away(each, np.tile(days, len(cases)))
        return ~away.reshape(len(cases), len(days))

    def _same(
        self, layer: int, cases: Ints, days: Ints, there: Bools, choice: Choice
    ) -> Iterator[PastContacts]:
        met = self._network.contacts(cases, _WORKING_DAY, [layer])
        rows, mark = choice(layer, cases[met.of], met.other)
        if rows.size:
            of, other = met.of[rows], met.other[rows]
            pair, on = np.nonzero(there[of])
            yield PastContacts(layer, cases[of[pair]], other[pair], days[on], mark[pair])

    def _changing(
        self, layer: int, cases: Ints, days: Ints, there: Bools, choice: Choice
    ) -> Iterator[PastContacts]:
        # Day after day, so that the tables of a day are used while they are in the cache.
        on, asked = np.nonzero(there.T)
        met = self._network.contacts_on(cases, asked, days[on], [layer])
        case = cases[asked[met.of]]
        rows, mark = choice(layer, case, met.other)
        if rows.size:
            day = days[on[met.of[rows]]]
            yield PastContacts(layer, case[rows], met.other[rows], day, mark)
