"""The tokens of a crowd that speaks TCN."""

from collections.abc import Callable, Mapping
from functools import cache

import numpy as np

from simulations.phones.token_sources import (
    ClockedEntropy,
    TokenDraws,
    TokensByTime,
    by_pseudonym,
)
from tracetogether.exchange import Advertisement
from tracetogether.sightings import Sightings
from tracetogether.tcn.exchange import NUMBER_LIFE_S, TcnExchange
from tracetogether.tcn.keys import (
    KEY_LIFE_S,
    NUMBER_BYTES,
    new_authorisation_key,
    numbers,
    states,
    verification_key,
)
from tracetogether.tcn.tracing import AuthorisationKey, TcnTracing
from tracetogether.units import Bytes2D, Ints

_PER_KEY = KEY_LIFE_S // NUMBER_LIFE_S


class _PunctualExchange(TcnExchange):
    """A phone that makes its next key as soon as the one before has served its 6 hours."""

    next_s = 0.0

    def advertisement(self, now: float) -> Advertisement:
        """Return the number of the current 15 minutes."""
        while self.next_s <= now:
            super().advertisement(self.next_s)
            self.next_s += KEY_LIFE_S
        return super().advertisement(now)


class TcnTokens(TokensByTime):
    """Numbers of 15 minutes, from keys that serve 6 hours.

    Args:
        draws: what the tokens depend on.
    """

    def __init__(self, draws: TokenDraws) -> None:
        super().__init__(draws, NUMBER_LIFE_S)
        self.after = TcnTracing()
        self._start = self._first * NUMBER_LIFE_S  # of every phone's first key
        self._key = cache(
            lambda person, number: new_authorisation_key(draws.entropy(person, number))
        )

    def exchange(self, person: int, model: str, clock: Callable[[], float]) -> TcnExchange:
        """Return the exchange of a phone that had its first key when the run begins."""
        since_start = lambda: clock() - self._start  # noqa: E731 - a clock that keys go by
        entropy = ClockedEntropy(self.draws, person, KEY_LIFE_S, since_start)
        made = _PunctualExchange(model=model, entropy=entropy)
        made.next_s = float(self._start)
        made.advertisement(self.draws.begin_s)
        return made

    def secrets(self, person: int) -> list[AuthorisationKey]:
        """Return the keys of the run, with how many numbers they gave."""
        found = []
        for number, first in enumerate(range(0, self._count, _PER_KEY)):
            start = float(self._start + number * KEY_LIFE_S)
            used = min(_PER_KEY, self._count - first)
            found.append(AuthorisationKey(self._key(person, number), start, used))
        return found

    def people(self, reports: Mapping[int, list[bytes]], near: Sightings) -> tuple[Ints, Ints]:
        """Return who recorded each reading and whom it heard; a peer is a verification key."""
        keys = {
            signed[:32].hex(): person for person, report in reports.items() for signed in report
        }
        return by_pseudonym(keys, near)

    def _tokens(self, phone: Ints, number: Ints) -> Bytes2D:
        key, index = np.divmod(number - self._first, _PER_KEY)
        pairs, place = np.unique(np.stack([phone, key]), axis=1, return_inverse=True)
        sent = [self._numbers(*each) for each in pairs.T.tolist()]
        if not sent:
            return np.empty((0, NUMBER_BYTES), dtype=np.uint8)
        return np.concatenate(sent)[place.reshape(-1) * _PER_KEY + index]

    def _numbers(self, person: int, number: int) -> Bytes2D:
        rak = self._key(person, number)
        return numbers(verification_key(rak), states(rak, 1)[0], 1, _PER_KEY)
