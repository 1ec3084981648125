"""A chain of day keys: each day's value follows from the day before, one way."""

from typing import Final

from tracetogether.crypto import Aead, derive

_NEXT_DAY: Final = b"tracetogether/v1/chain/next-day"
_DAY_KEY: Final = b"tracetogether/v1/chain/day-key/"


class Chain:
    """The chain from its oldest day on, with the values computed so far.

    ``value(day + 1) = HKDF(value(day))`` and ``key = HKDF(value(day), purpose)``. A value leads to
    all later keys and to no earlier one, so that forgetting a value destroys its day.

    A server's threads share a chain without a lock. Whatever two of them write at once is equal.
    A purge replaces the chain, so that a thread that still uses the old one can't bring a
    destroyed day back.

    Args:
        oldest_day: number of the first UTC day.
        value: 32 bytes, the chain value of that day.
    """

    __slots__ = ("_values", "aeads", "oldest_day")

    def __init__(self, oldest_day: int, value: bytes) -> None:
        self.oldest_day = oldest_day
        self._values = {oldest_day: value}
        self.aeads: dict[tuple[str, int, str], Aead] = {}

    def value(self, day: int) -> bytes:
        """Return the chain value of a day that is not before the oldest."""
        known = day
        while known not in self._values:
            known -= 1
        for before in range(known, day):
            self._values[before + 1] = derive(self._values[before], _NEXT_DAY)
        return self._values[day]

    def key(self, purpose: str, day: int, context: str) -> bytes:
        """Return the key of a day for one purpose."""
        info = _DAY_KEY + f"{purpose}/{day}/{context}".encode()
        return derive(self.value(day), info)
