"""The authority's keys: a forward-secret chain of day keys, and OpenTrace's static keys.

Each UTC day has a chain value; the next day's follows from it one way, and so do
the day's keys, one for each purpose. Destroying a day means forgetting its chain value:
nothing that remains, on disk or in memory, leads back to it.
"""

import os
import re
from base64 import b64decode, b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

from tracetogether.crypto import KEY_BYTES, Aead, derive
from tracetogether.errors import KeyRingError, StoreError
from tracetogether.parameters import RETENTION
from tracetogether.secret_file import read_secret, replace_secret
from tracetogether.units import Entropy, utc_day

_NEXT_DAY: Final = b"tracetogether/v1/chain/next-day"
_DAY_KEY: Final = b"tracetogether/v1/chain/day-key/"
_DAY: Final = re.compile("[0-9]{1,7}")
_MAX_DAYS_AHEAD: Final = 4_000  # bounds the work that a forged time can cause

_HEADER: Final = """\
# tracetogether key ring. Whoever reads this file can open TempIDs: keep it secret, mode 0600,
# and out of backups (a restored copy would revive destroyed keys).
# chain DAY VALUE   the oldest day (days since 1970-01-01 UTC) whose keys still exist
# static VALUE      an OpenTrace server's key; the first is tried first
"""


class KeyRing:
    """Keys by day and purpose; made by ``generate``, ``of_static`` or ``load``."""

    def __init__(
        self, chain: tuple[int, bytes] | None = None, static_keys: Sequence[bytes] = ()
    ) -> None:
        for key in (*static_keys, *(chain[1:] if chain else ())):
            if len(key) != KEY_BYTES:
                msg = f"a key has {KEY_BYTES} bytes, not {len(key)}"
                raise KeyRingError(msg)
        if chain is None and not static_keys:
            msg = "a key ring needs a chain of day keys or a static key"
            raise KeyRingError(msg)
        self._chain = _Chain(*chain) if chain else None
        self._static_keys = tuple(static_keys)
        self._static = tuple(Aead(key) for key in static_keys)

    @classmethod
    def generate(
        cls, now: float, *, entropy: Entropy = os.urandom, static_keys: Sequence[bytes] = ()
    ) -> Self:
        """Return a new chain that begins on the UTC day of ``now``, with optional static keys."""
        return cls((utc_day(now), entropy(KEY_BYTES)), static_keys)

    @classmethod
    def of_static(cls, *keys: bytes) -> Self:
        """Return a ring without a chain, as an OpenTrace server has it; the first is the default.

        Its TempIDs never become unreadable: use it to read what such a server issued.
        """
        return cls(None, keys)

    @property
    def oldest_day(self) -> int | None:
        """Number of the oldest UTC day whose keys still exist; None without a chain."""
        return self._chain.oldest_day if self._chain else None

    @property
    def static(self) -> tuple[Aead, ...]:
        """The static keys, the default first."""
        return self._static

    def day_key(self, purpose: str, day: int, context: str = "") -> bytes:
        """Return the 32-byte key of a UTC day for one purpose.

        Raises:
            KeyRingError: that day's keys were destroyed, or lie absurdly far ahead.
        """
        return self._chain_of(day).key(purpose, day, context)

    def aead(self, purpose: str, day: int, context: str = "") -> Aead:
        """Return the day key ready for sealing; the same object until the day is destroyed.

        Raises:
            KeyRingError: that day's keys were destroyed, or lie absurdly far ahead.
        """
        chain = self._chain_of(day)
        name = (purpose, day, context)
        found = chain.aeads.get(name)
        if found is None:
            found = chain.aeads[name] = Aead(chain.key(purpose, day, context))
        return found

    def has_day(self, day: int) -> bool:
        """Return whether the keys of a UTC day exist."""
        oldest = self.oldest_day
        return oldest is not None and 0 <= day - oldest < _MAX_DAYS_AHEAD

    def purge(self, now: float) -> int:
        """Destroy the keys of days beyond the retention; return how many days went."""
        return self.destroy_before(utc_day(now) - RETENTION.day_keys_days)

    def destroy_before(self, day: int) -> int:
        """Destroy the keys of all days before ``day``; return how many days went.

        In memory at once; on disk when the ring is saved.
        """
        chain = self._chain
        if chain is None or day <= chain.oldest_day:
            return 0
        kept = _Chain(day, self._chain_of(day).value(day))
        made = list(chain.aeads.items())  # at one stroke: other threads may add to them
        kept.aeads.update((name, aead) for name, aead in made if name[1] >= day)
        self._chain = kept
        return day - chain.oldest_day

    def _chain_of(self, day: int) -> "_Chain":
        """Return the chain if it holds ``day``."""
        chain = self._chain
        if chain is None:
            msg = "this key ring has static keys only: it has no day keys"
            raise KeyRingError(msg)
        ahead = day - chain.oldest_day
        if ahead < 0:
            msg = f"the keys of day {day} were destroyed; the oldest left are of {chain.oldest_day}"
            raise KeyRingError(msg)
        if ahead >= _MAX_DAYS_AHEAD:
            msg = f"day {day} lies {ahead} days after the oldest key: check the clock"
            raise KeyRingError(msg)
        return chain

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a key ring from its file.

        Raises:
            KeyRingError: the file is missing, damaged, or readable by group or others.
        """
        try:
            lines = read_secret(path).splitlines()
        except StoreError as error:
            msg = f"the key ring: {error}"
            raise KeyRingError(msg) from None
        chain: tuple[int, bytes] | None = None
        static_keys = []
        for number, line in enumerate(lines, start=1):
            match line.split("#", 1)[0].split():
                case []:
                    pass
                case ["chain", day, value] if chain is None and _DAY.fullmatch(day):
                    chain = (int(day), _key(value, path, number))
                case ["static", value]:
                    static_keys.append(_key(value, path, number))
                case _:
                    msg = f"{path}, line {number}: expected `chain DAY VALUE` or `static VALUE`"
                    raise KeyRingError(msg)
        if chain is None and not static_keys:
            msg = f"{path} holds no key: restore it, or make a new one with `authority init`"
            raise KeyRingError(msg)
        return cls(chain, static_keys)

    def save(self, path: Path) -> None:
        """Write the ring to ``path`` (mode 0600), whole or not at all, and wipe what stood there.

        Raises:
            KeyRingError: the file can't be written; what stood there still stands.
        """
        lines = [f"static {b64encode(key).decode()}\n" for key in self._static_keys]
        chain = self._chain
        if chain:
            day = chain.oldest_day
            value = b64encode(chain.value(day)).decode()
            lines.insert(0, f"chain {day} {value}\n")
        try:
            replace_secret(path, _HEADER + "".join(lines))
        except StoreError as error:
            msg = f"the key ring: {error}"
            raise KeyRingError(msg) from None

    def __repr__(self) -> str:
        return f"KeyRing(oldest_day={self.oldest_day}, static_keys={len(self._static)})"


class _Chain:
    """The chain from its oldest day on, and what was worked out from it so far.

    A server's threads share it without a lock: whatever two of them write at once is equal, and
    a purge puts a new chain in its place, so that a thread that is still
    at work with this one can't bring a destroyed day back.
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
        for one in range(known, day):
            self._values[one + 1] = derive(self._values[one], _NEXT_DAY)
        return self._values[day]

    def key(self, purpose: str, day: int, context: str) -> bytes:
        """Return the key of a day for one purpose."""
        info = _DAY_KEY + f"{purpose}/{day}/{context}".encode()
        return derive(self.value(day), info)


def _key(value: str, path: Path, number: int) -> bytes:
    try:
        key = b64decode(value, validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        msg = f"{path}, line {number}: not a key of {KEY_BYTES} bytes in base64"
        raise KeyRingError(msg)
    return key
