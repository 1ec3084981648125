"""A small town of days: homes, work, shops, streets, and who meets whom.

The town is a square of streets at right angles. A person goes to work and back by the same way
each day, and some evenings to a shop. That repetition is what a net of receivers lives on, and a
crowd of one hour does not have it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from simulations.attacks.deployment import BEGIN
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, Bools, Floats, Ints

BLOCK_M: Final = 125.0
"""Between two crossings; a receiver at a crossing hears 50 m and so misses the next."""
SIDE: Final = 33  # crossings: 4 km, 16 square kilometres
CROSSINGS: Final = SIDE * SIDE
_SPEED_M_S: Final = 4.0  # on foot, by bicycle, by bus
_STAY_HEARD_S: Final = 900.0  # who stays near a receiver is heard once in each token
_COLLEAGUES: Final = 10
_SHOPS: Final = 12
_SHOPPING: Final = 0.3  # evenings with a visit
_SHOP_S: Final = 1_800.0
_MET_AT_WORK: Final = 0.3  # pairs of colleagues, each day
_MET_IN_SHOP: Final = 0.5  # pairs that are there at one time
_HOUSEHOLD: Final = 2


@dataclass(frozen=True, slots=True)
class SmallTown:
    """n people and their days.

    Attributes:
        home, work: (n,) number of a crossing: SIDE * row + column.
        team: (n,) whom a person works with.
        leave, back: (n, days) when each leaves home and work, seconds after midnight.
        shop: (n, days) crossing of the shop of the evening, -1 for none.
        shop_at: (n, days) when the visit begins, seconds after midnight.
    """

    home: Ints
    work: Ints
    team: Ints
    leave: Floats
    back: Floats
    shop: Ints
    shop_at: Floats

    @classmethod
    def build(cls, people: int, days: int, chance: np.random.Generator) -> "SmallTown":
        """Return a town in which everybody lives and works somewhere at random."""
        households = -(-people // _HOUSEHOLD)
        teams = -(-people // _COLLEAGUES)
        home = np.repeat(chance.integers(CROSSINGS, size=households), _HOUSEHOLD)[:people]
        team = chance.permutation(np.arange(people) % teams)
        shops = chance.integers(CROSSINGS, size=_SHOPS)
        goes = chance.random((people, days)) < _SHOPPING
        shop = np.where(goes, shops[chance.integers(_SHOPS, size=(people, days))], -1)
        hour = SECONDS_PER_HOUR
        return cls(
            home=home,
            work=chance.integers(CROSSINGS, size=teams)[team],
            team=team,
            leave=chance.normal(7.75 * hour, 0.4 * hour, (people, days)),
            back=chance.normal(16.5 * hour, 0.4 * hour, (people, days)),
            shop=shop,
            shop_at=chance.uniform(18.5 * hour, 20 * hour, (people, days)),
        )

    def passes(self, person: int) -> tuple[Floats, Ints]:
        """Return when a person is at which crossing: on every way, and every 15 min of a stay.

        Returns:
            Epoch seconds, in order, and numbers of crossings.
        """
        times, places = [], []
        for day in range(self.leave.shape[1]):
            for at, where in self._of_day(person, day):
                times.append(BEGIN + day * SECONDS_PER_DAY + at)
                places.append(where)
        time, place = np.concatenate(times), np.concatenate(places)
        order = np.argsort(time, kind="stable")
        return time[order], place[order]

    def meetings(self, chance: np.random.Generator) -> tuple[Ints, Ints, Floats]:
        """Return who is near whom, and when: colleagues, households, and strangers in shops.

        Returns:
            Two columns of people and one of epoch seconds, each pair and moment once.
        """
        people, days = self.leave.shape
        first, second = np.triu_indices(people, 1)
        colleagues = self.team[first] == self.team[second]
        household = first // _HOUSEHOLD == second // _HOUSEHOLD
        found: list[tuple[Ints, Ints, Floats]] = []
        for day in range(days):
            midnight = float(BEGIN + day * SECONDS_PER_DAY)
            at_work = colleagues & (chance.random(len(first)) < _MET_AT_WORK)
            begin = np.maximum(self.leave[first, day], self.leave[second, day])
            end = np.minimum(self.back[first, day], self.back[second, day])
            at = begin + (end - begin) * chance.random(len(first))
            found.append(_chosen(first, second, midnight + at, at_work))
            evening = midnight + chance.uniform(20.5, 22.5, len(first)) * SECONDS_PER_HOUR
            found.append(_chosen(first, second, evening, household))
            same = (self.shop[first, day] == self.shop[second, day]) & (self.shop[first, day] >= 0)
            later = np.maximum(self.shop_at[first, day], self.shop_at[second, day])
            apart = np.abs(self.shop_at[first, day] - self.shop_at[second, day])
            there = same & (apart < _SHOP_S) & (chance.random(len(first)) < _MET_IN_SHOP)
            found.append(_chosen(first, second, midnight + later, there))
        columns = [np.concatenate(column) for column in zip(*found, strict=True)]
        return columns[0], columns[1], np.floor(columns[2])

    def _of_day(self, person: int, day: int) -> Iterator[tuple[Floats, Ints]]:
        home, work = int(self.home[person]), int(self.work[person])
        leave, back = float(self.leave[person, day]), float(self.back[person, day])
        there, back_again = way(home, work), way(home, work)[::-1]
        arrived = leave + _duration(there)
        back = max(back, arrived + _STAY_HEARD_S)
        yield _stay(home, 0.0, leave)
        yield _walk(there, leave)
        yield _stay(work, arrived, back)
        yield _walk(back_again, back)
        evening = back + _duration(back_again)
        shop = int(self.shop[person, day])
        if shop >= 0:
            out = max(float(self.shop_at[person, day]), evening)
            yield _stay(home, evening, out)
            to_shop = way(home, shop)
            yield _walk(to_shop, out)
            bought = out + _duration(to_shop) + _SHOP_S
            yield _stay(shop, out + _duration(to_shop), bought)
            yield _walk(to_shop[::-1], bought)
            evening = bought + _duration(to_shop)
        yield _stay(home, evening, float(SECONDS_PER_DAY))


def way(start: int, end: int) -> Ints:
    """Return the crossings from one to another: along the street, then around one corner."""
    (row, column), (last_row, last_column) = divmod(start, SIDE), divmod(end, SIDE)
    along = np.arange(column, last_column, 1 if last_column > column else -1)
    down = np.arange(row, last_row, 1 if last_row > row else -1)
    return np.concatenate([row * SIDE + along, down * SIDE + last_column, [end]])


def _duration(crossings: Ints) -> float:
    return (len(crossings) - 1) * BLOCK_M / _SPEED_M_S


def _walk(crossings: Ints, start: float) -> tuple[Floats, Ints]:
    steps: Floats = np.arange(len(crossings), dtype=np.float64)
    return start + steps * (BLOCK_M / _SPEED_M_S), crossings


def _stay(crossing: int, start: float, end: float) -> tuple[Floats, Ints]:
    times = np.arange(start, end, _STAY_HEARD_S)
    return times, np.full(len(times), crossing)


def _chosen(first: Ints, second: Ints, at: Floats, which: Bools) -> tuple[Ints, Ints, Floats]:
    return first[which], second[which], at[which]
