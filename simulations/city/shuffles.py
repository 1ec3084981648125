"""Random orders of many places that are computed place by place and never stored.

A shuffle is a permutation of 0 to size - 1 that depends on a key. It is a Feistel network on pairs
(left, right) of about sqrt(size) values each. A round adds a keyed function of one half to the
other half, modulo its number of values, so each round can be undone. Four rounds are needed: after
two, partners are visibly not uniform. The pairs are a few more than the places. If a shuffle
lands on a surplus pair, it is applied again until it lands on a place ("cycle walking").

The keyed function is a table of about sqrt(size) whole numbers for each round, which stays in the
processor's cache. Tables of the last days are kept, so one call can serve several days.
"""

import math
from typing import Final

import numpy as np

from simulations.city.hashes import below, hashed, key_of
from tracetogether.units import Codes, Ints

ROUNDS: Final = 4
KEPT_DAYS: Final = 32
"""How many days' tables are kept at a time; look-backs are shorter."""

Days = int | Ints


class Shuffle:
    """One random order of ``size`` places for each day.

    Args:
        size: number of places, below 2**31.
        seed, name: give the key.
    """

    def __init__(self, size: int, seed: int, name: str) -> None:
        self.size = size
        self._rights = max(1, math.isqrt(max(size - 1, 0)) + 1)
        self._lefts = -(-max(size, 1) // self._rights)
        self._seed, self._name = seed, name
        self._day_of_row = np.full(KEPT_DAYS, -1, np.int64)
        widths = (self._rights, self._lefts)
        self._tables = [np.zeros((0, widths[turn & 1]), np.int32) for turn in range(ROUNDS)]

    def forward(self, places: Ints, days: Days) -> Ints:
        """Return where each place goes on its day."""
        return self._walked(places, self._rows(days), back=False)

    def backward(self, places: Ints, days: Days) -> Ints:
        """Return which place goes to each of ``places`` on its day."""
        return self._walked(places, self._rows(days), back=True)

    def met(self, places: Ints, days: Days, other: int | Ints = 1) -> Ints:
        """Return the place that each place meets on its day; -1 for nobody.

        Shuffled places meet that differ by ``other`` (exclusive or), so meeting is mutual.
        """
        shuffled = self.forward(places, days) ^ other
        alone = shuffled >= self.size
        shuffled[alone] = 0
        found = self.backward(shuffled, days)
        found[alone] = -1
        return found

    def _rows(self, days: Days) -> Days:
        """Make sure that the tables of these days exist, and return their rows."""
        if isinstance(days, int):
            self._make(days)
            return days % KEPT_DAYS
        if days.size:
            for day in range(int(days.min()), int(days.max()) + 1):
                self._make(day)
        return days % KEPT_DAYS

    def _make(self, day: int) -> None:
        row = day % KEPT_DAYS
        if self._day_of_row[row] == day:
            return
        for turn in range(ROUNDS):
            if row >= len(self._tables[turn]):  # grows: a short run needs few rows
                more = np.zeros((row + 1 - len(self._tables[turn]), self._tables[turn].shape[1]))
                self._tables[turn] = np.vstack([self._tables[turn], more.astype(np.int32)])
            key = key_of(self._seed, self._name, day, turn)
            values = np.arange(self._tables[turn].shape[1], dtype=np.int64)
            other_half = self._rights if turn & 1 else self._lefts
            self._tables[turn][row] = below(hashed(key, values), other_half)
        self._day_of_row[row] = day

    def _walked(self, places: Ints, rows: Days, *, back: bool) -> Ints:
        steps = self._steps_back if back else self._steps
        found = steps(places, rows)
        out = np.flatnonzero(found >= self.size)
        while out.size:
            again = steps(found[out], rows if isinstance(rows, int) else rows[out])
            found[out] = again
            out = out[again >= self.size]
        return found

    def _added(self, turn: int, half: Ints, rows: Days) -> Codes:
        """Return what a round adds to the other half."""
        table = self._tables[turn]
        if isinstance(rows, int):
            found: Codes = table[rows].take(half)
        else:
            found = table.ravel().take(half + rows * table.shape[1])
        return found

    def _steps(self, places: Ints, rows: Days) -> Ints:
        left = places // self._rights
        right = places - left * self._rights
        for turn in range(ROUNDS):
            if turn & 1:
                right += self._added(turn, left, rows)
                right -= self._rights * (right >= self._rights)
            else:
                left += self._added(turn, right, rows)
                left -= self._lefts * (left >= self._lefts)
        left *= self._rights
        left += right
        return left

    def _steps_back(self, places: Ints, rows: Days) -> Ints:
        left = places // self._rights
        right = places - left * self._rights
        for turn in reversed(range(ROUNDS)):
            if turn & 1:
                right -= self._added(turn, left, rows)
                right += self._rights * (right < 0)
            else:
                left -= self._added(turn, right, rows)
                left += self._lefts * (left < 0)
        left *= self._rights
        left += right
        return left
