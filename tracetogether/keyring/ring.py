"""The key ring: chains of day keys and static keys; rotated, quarantined, destroyed and saved.

Each UTC day has a chain value; the next day's follows from it one way, and so do
the day's keys, one for each purpose. Destroying a day means forgetting its chain value:
nothing that remains, on disk or in memory, leads back to it.
"""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final, Self

from tracetogether.crypto import KEY_BYTES, Aead, derive, equal
from tracetogether.errors import KeyRingError, StoreError
from tracetogether.keyring.chain import Chain
from tracetogether.keyring.lines import KeyLines, check_of, key_line, span_line
from tracetogether.parameters import BLUETRACE, RETENTION
from tracetogether.units import Entropy, utc_day
from tracetogether.whole_file import read_secret, replace_secret

_OWN_KEY: Final = b"tracetogether/v1/own-key"
_OWN_USE: Final = b"tracetogether/v1/own-key/"
_DAY: Final = re.compile("[0-9]{1,7}")
_MAX_DAYS_AHEAD: Final = 4_000  # bounds the work that a forged time can cause

_HEADER: Final = """\
# tracetogether key ring. This file opens TempIDs: keep it secret, mode 0600,
# and out of backups (a restored copy would revive destroyed keys).
# chain DAY VALUE   from this day on (days since 1970-01-01 UTC) keys follow from this value,
#                   until the next line's day; before the first line's day keys were destroyed
# authority VALUE   the authority's own key, which never changes: its database knows it by a
#                   check value, and people in lists are named by it
# quarantine A B    the keys of days A to B are known to others: what they open is not believed
# static VALUE      an OpenTrace server's key; the first is tried first
# The last word of a line is its check value: a line that was damaged or mistyped is refused.
"""


@dataclass(frozen=True, slots=True)
class DayKeys:
    """What there is to know of the keys of one UTC day, but the keys.

    Attributes:
        day: number of the UTC day.
        chain: 1 for the oldest chain in the ring, one more for each rotation since.
        quarantined: the keys may be known to others.
    """

    day: int
    chain: int
    quarantined: bool


@dataclass(frozen=True, slots=True)
class Fit:
    """Whether a ring holds the keys that a check value was made of.

    Attributes:
        same_authority: the own key is the same.
        wrong_from: UTC day from which the ring has other keys, because a rotation is missing in
            it; None if there is no such day.
    """

    same_authority: bool
    wrong_from: int | None = None


class KeyRing:
    """Keys by day and purpose; made by ``generate``, ``of_static`` or ``load``.

    Args:
        chain: day and value from which the keys follow; None for a ring of static keys.
        static_keys: an OpenTrace server's keys.
        rotations: further chains, each from its day on, in the order of days.
        quarantine: first and last day of spans whose keys are known to others.
        own_key: the authority's own key; None for static rings and rings of earlier releases.
        checked: False if the ring was read from a file in which a line has no check value.
    """

    def __init__(
        self,
        chain: tuple[int, bytes] | None = None,
        static_keys: Sequence[bytes] = (),
        *,
        rotations: Sequence[tuple[int, bytes]] = (),
        quarantine: Sequence[tuple[int, int]] = (),
        own_key: bytes | None = None,
        checked: bool = True,
    ) -> None:
        starts = (*((chain,) if chain else ()), *rotations)
        own = () if own_key is None else (own_key,)
        for key in (*static_keys, *own, *(value for _, value in starts)):
            if len(key) != KEY_BYTES:
                msg = f"a key has {KEY_BYTES} bytes, not {len(key)}"
                raise KeyRingError(msg)
        if chain is None and not static_keys:
            msg = "a key ring needs a chain of day keys or a static key"
            raise KeyRingError(msg)
        if any(day >= later for (day, _), (later, _) in pairwise(starts)) or (
            rotations and not chain
        ):
            msg = "the chains of a key ring follow each other by day"
            raise KeyRingError(msg)
        self._chains = tuple(Chain(day, value) for day, value in starts)
        self._quarantine = frozenset(quarantine)
        self._static_keys = tuple(static_keys)
        self._static = tuple(Aead(key) for key in static_keys)
        self._own_key = own_key
        self._naming_key = b""  # worked out when it is first asked for
        self._checked = checked

    @classmethod
    def generate(
        cls, now: float, *, entropy: Entropy = os.urandom, static_keys: Sequence[bytes] = ()
    ) -> Self:
        """Return a new chain that begins on the UTC day of ``now``, with optional static keys."""
        made = cls((utc_day(now), entropy(KEY_BYTES)), static_keys)
        made.make_own_key()
        return made

    @classmethod
    def of_static(cls, *keys: bytes) -> Self:
        """Return a ring without a chain, as an OpenTrace server has it; the first is the default.

        Its TempIDs never become unreadable: use it to read what such a server issued.
        """
        return cls(None, keys)

    @property
    def oldest_day(self) -> int | None:
        """Number of the oldest UTC day whose keys still exist; None without a chain."""
        chains = self._chains
        return chains[0].oldest_day if chains else None

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

    @property
    def has_own_key(self) -> bool:
        """Whether the ring holds the authority's own key."""
        return self._own_key is not None

    def own_key(self, purpose: str) -> bytes:
        """Return the 32-byte key that never changes, for one purpose.

        Raises:
            KeyRingError: the ring has none.
        """
        if self._own_key is None:
            msg = (
                "this key ring lacks the authority's own key (a line `authority VALUE`): run "
                "`tracetogether authority migrate`, or copy keys.txt from where it was run"
            )
            raise KeyRingError(msg)
        return derive(self._own_key, _OWN_USE + purpose.encode())

    @property
    def naming_key(self) -> bytes:
        """The key that pseudonyms are made with, 32 bytes.

        Raises:
            KeyRingError: the ring has no own key.
        """
        if not self._naming_key:
            self._naming_key = self.own_key("pseudonym")
        return self._naming_key

    def make_own_key(self) -> None:
        """Give the ring of an earlier release its own key, derived one way from the oldest chain.

        Raises:
            KeyRingError: there is no chain, or there is an own key already.
        """
        if not self._chains or self._own_key is not None:
            msg = "only a key ring with a chain and without an own key can be given one"
            raise KeyRingError(msg)
        oldest = self._chains[0]
        self._own_key = derive(oldest.value(oldest.oldest_day), _OWN_KEY)

    def check_value(self) -> str:
        """Return what the database keeps, to tell these keys from others: it opens nothing.

        That is a check value of the own key, the first day of the newest chain, and a check value
        of the chain on that day.

        Raises:
            KeyRingError: the ring has no own key.
        """
        day = self._chains[-1].oldest_day if self._chains else -1
        return f"{self._own_check()} {day} {self._check_of_day(day)}"

    def fits(self, check_value: str) -> Fit:
        """Return how this ring and a ring's ``check_value`` go together.

        A value of a day whose keys were destroyed here tells only whose keys they are.

        Raises:
            KeyRingError: the ring has no own key.
        """
        own, _, chain = check_value.partition(" ")
        day, _, of_day = chain.partition(" ")
        if not equal(own.encode(), self._own_check().encode()) or not _DAY.fullmatch(day):
            return Fit(same_authority=False)
        if self._chains and int(day) < self._chains[0].oldest_day:
            return Fit(same_authority=True)
        if self.has_day(int(day)) and equal(of_day.encode(), self._check_of_day(int(day)).encode()):
            return Fit(same_authority=True)
        return Fit(same_authority=True, wrong_from=int(day))

    def _own_check(self) -> str:
        return check_of(self.own_key("check"), "authority")

    def _check_of_day(self, day: int) -> str:
        return check_of(self.day_key("check", day), f"day {day}")

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
        chains = self._chains
        if not chains or day <= chains[0].oldest_day:
            return 0
        within = self._chain_of(day)
        kept = Chain(day, within.value(day))
        made = list(within.aeads.items())  # at one stroke: other threads may add to them
        kept.aeads.update((name, aead) for name, aead in made if name[1] >= day)
        self._chains = (kept, *(chain for chain in chains if chain.oldest_day > day))
        self._quarantine = frozenset(
            (max(first, day), last) for first, last in self._quarantine if last >= day
        )
        return day - chains[0].oldest_day

    def rotate(self, now: float, *, entropy: Entropy = os.urandom) -> int:
        """Begin a new chain, of which no older key tells anything; return its first day.

        That is the first day for which no phone holds TempIDs yet: those issued before are
        opened with the keys that sealed them.

        Raises:
            KeyRingError: there is no chain, or it was rotated for that day already.
        """
        first = utc_day(now + BLUETRACE.batch_size * BLUETRACE.validity_s) + 1
        chains = self._chains
        if not chains:
            msg = "this key ring has static keys only: it has no chain to rotate"
            raise KeyRingError(msg)
        self._chain_of(first)  # not absurdly far ahead
        if chains[-1].oldest_day >= first:
            msg = f"a new chain begins on day {chains[-1].oldest_day} already: rotate after it has"
            raise KeyRingError(msg)
        self._chains = (*chains, Chain(first, entropy(KEY_BYTES)))
        return first

    def quarantine(self, first: int, last: int) -> None:
        """Mark the keys of days ``first`` to ``last`` as known to others.

        Raises:
            KeyRingError: the span is empty, or its keys are all gone or absurdly far ahead.
        """
        if last < first:
            msg = f"from day {first} to day {last} there is no day"
            raise KeyRingError(msg)
        self._chain_of(last)
        oldest = self._chains[0].oldest_day
        self._quarantine |= {(max(first, oldest), last)}

    @property
    def quarantine_spans(self) -> list[tuple[int, int]]:
        """First and last day of each span whose keys may be known to others."""
        return sorted(self._quarantine)

    def same_as(self, other: "KeyRing") -> bool:
        """Return whether both rings hold the same keys and marks."""
        return (
            self._starts() == other._starts()  # noqa: SLF001 - a ring like this one
            and self._quarantine == other._quarantine  # noqa: SLF001
            and self._static_keys == other._static_keys  # noqa: SLF001
            and self._own_key == other._own_key  # noqa: SLF001
        )

    @property
    def checked(self) -> bool:
        """Whether every line of the file that the ring was read from has a check value."""
        return self._checked

    def quarantined(self, days: Iterable[int]) -> list[bool]:
        """Return for each day whether its keys may be known to others."""
        spans = self._quarantine
        return [any(first <= day <= last for first, last in spans) for day in days]

    def known_days(self, until: int) -> list[DayKeys]:
        """Return what there is up to and including day ``until``, the oldest first."""
        if not self._chains:
            return []
        days = range(self._chains[0].oldest_day, until + 1)
        return [
            DayKeys(day, sum(chain.oldest_day <= day for chain in self._chains), bad)
            for day, bad in zip(days, self.quarantined(days), strict=True)
        ]

    def adopt(self, saved: "KeyRing") -> None:
        """Take over what another process has rotated, quarantined or destroyed since.

        ``saved`` is the ring as it stands on disk. Nothing destroyed here comes back.

        Raises:
            KeyRingError: ``saved`` is another authority's: nothing was taken over.
        """
        if saved.has_own_key and self.has_own_key and saved._own_key != self._own_key:  # noqa: SLF001
            msg = "the key file was replaced by another authority's: put the right one back"
            raise KeyRingError(msg)
        self._own_key = self._own_key or saved._own_key  # noqa: SLF001
        destroyed = self.oldest_day
        theirs = saved._chains  # noqa: SLF001 - a ring like this one
        if theirs and self._starts() != saved._starts():  # noqa: SLF001
            newer = [chain for chain in self._chains if chain.oldest_day > theirs[-1].oldest_day]
            self._chains = (*theirs, *newer)
        self._quarantine |= saved._quarantine  # noqa: SLF001
        if destroyed is not None:
            self.destroy_before(destroyed)

    def _starts(self) -> list[tuple[int, bytes]]:
        return [(chain.oldest_day, chain.value(chain.oldest_day)) for chain in self._chains]

    def _chain_of(self, day: int) -> Chain:
        """Return the chain that holds ``day``."""
        chains = self._chains
        if not chains:
            msg = "this key ring has static keys only: it has no day keys"
            raise KeyRingError(msg)
        oldest = chains[0].oldest_day
        if day < oldest:
            msg = f"the keys of day {day} were destroyed; the oldest left are of {oldest}"
            raise KeyRingError(msg)
        if day - oldest >= _MAX_DAYS_AHEAD:
            msg = f"day {day} lies {day - oldest} days after the oldest key: check the clock"
            raise KeyRingError(msg)
        return next(chain for chain in reversed(chains) if chain.oldest_day <= day)

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
        read = KeyLines(path)
        for number, line in enumerate(lines, start=1):
            read.take(number, line.split("#", 1)[0].split())
        if not read.chains and not read.static_keys:
            msg = f"{path} holds no key: restore it, or make a new one with `authority init`"
            raise KeyRingError(msg)
        return cls(
            read.chains[0] if read.chains else None,
            read.static_keys,
            rotations=read.chains[1:],
            quarantine=read.quarantine,
            own_key=read.own_key,
            checked=read.checked,
        )

    def save(self, path: Path) -> None:
        """Write the ring to ``path`` (mode 0600), whole or not at all, and wipe what stood there.

        Raises:
            KeyRingError: the file can't be written; what stood there still stands.
        """
        lines = [key_line(f"chain {day}", value) for day, value in self._starts()]
        if self._own_key is not None:
            lines.append(key_line("authority", self._own_key))
        lines += [key_line("static", key) for key in self._static_keys]
        lines += [span_line(first, last) for first, last in sorted(self._quarantine)]
        try:
            replace_secret(path, _HEADER + "".join(lines))
        except StoreError as error:
            msg = f"the key ring: {error}"
            raise KeyRingError(msg) from None

    def __repr__(self) -> str:
        return f"KeyRing(oldest_day={self.oldest_day}, static_keys={len(self._static)})"
