"""Keys that sign passes: one for each week, derived from the day keys; and the key of the lists.

The key of a week follows from the day key of its Monday, so that all servers have the same one and
no file holds it. It is destroyed with that day key. A chain of day keys that begins within the week
begins a new signing key too. A key that was retired is passed over: the next one takes its place.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.access.permissions import Action, Caller
from tracetogether.authority.access.store import AccessStore
from tracetogether.crypto import SigningKey
from tracetogether.errors import NotFoundError
from tracetogether.keyring import KeyRing
from tracetogether.parameters import PASSES
from tracetogether.units import SECONDS_PER_DAY, utc_day

RETIRED: Final = "pass_kids_retired"
"""Under which name the store keeps the kids that were retired: kid -> UTC day, as JSON."""
_PURPOSE: Final = "pass-signing"
_LISTS: Final = "pass-lists"
_MONDAY: Final = 4  # the first Monday: day 0 was a Thursday
_MOST_MADE: Final = 8
_DAYS_AHEAD: Final = 2  # a gate's list is a day old at most, and batches reach into the next day


@dataclass(frozen=True, slots=True)
class PassKey:
    """A key that signs passes.

    Attributes:
        key: the key.
        kid: its kid in hexadecimal.
        first_day: the first UTC day on which it signs.
        until_s: epoch seconds from which nothing that it signed is valid any more.
    """

    key: SigningKey
    kid: str
    first_day: int
    until_s: int


@dataclass(frozen=True, slots=True)
class PassKeys:
    """The keys of an authority that sign passes and lists."""

    keys: KeyRing
    store: AccessStore
    audit: Audit
    _made: dict[bytes, tuple[SigningKey, str]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def of_day(self, day: int) -> PassKey:
        """Return the key that signs passes whose validity begins on a UTC day.

        Raises:
            KeyRingError: the keys of that day were destroyed.
        """
        return self.of_days([day])[day]

    def of_days(
        self, days: Iterable[int], retired: Mapping[str, int] | None = None
    ) -> dict[int, PassKey]:
        """Return the key of each of these UTC days; days of one week share one object.

        Args:
            days: UTC days.
            retired: the kids that were retired; read from the store if None.

        Raises:
            KeyRingError: the keys of a day were destroyed.
        """
        seeds = {day: self._seed_day(day) for day in days}
        gone = self.retired() if retired is None else retired
        made = {seed: self._of_week(seed, gone) for seed in set(seeds.values())}
        return {day: made[seed] for day, seed in seeds.items()}

    def of_lists(self) -> SigningKey:
        """Return the key that signs the trust list and the list of revoked passes.

        It follows from the authority's own key and never changes: gates keep it.

        Raises:
            KeyRingError: the ring has no own key.
        """
        return SigningKey.from_secret(self.keys.own_key(_LISTS))

    def in_use(self, now: float) -> list[PassKey]:
        """Return all keys whose passes can be valid now or within two days, the oldest first."""
        oldest = self.keys.oldest_day
        today = utc_day(now)
        first = max(utc_day(now - PASSES.paper_s), today if oldest is None else oldest)
        seeds = sorted({self._seed_day(day) for day in range(first, today + _DAYS_AHEAD + 1)})
        retired = self.retired()
        return [self._of_week(seed, retired) for seed in seeds]

    def retired(self) -> dict[str, int]:
        """Return the kids that were retired, each with the UTC day."""
        return retired_kids(self.store.setting(RETIRED))

    def retire(self, kid: str, now: float, *, by: Caller) -> PassKey:
        """Retire a key: gates refuse what it signed once they have the next list.

        Phones have new passes when they next ask for a batch.

        Args:
            kid: 16 hexadecimal digits.
            now: epoch seconds.
            by: the caller.

        Returns:
            The key that signs from now on.

        Raises:
            NotFoundError: no key in use has this kid.
        """
        by.require(Action.CHANGE_KEYS)
        found = next((key for key in self.in_use(now) if key.kid == kid.lower()), None)
        if found is None:
            msg = "no key in use has the kid {kid}: `authority pass keys` lists them"
            raise NotFoundError(msg, "no-such-kid", kid=kid)
        with self.audit.atomic():
            lately = utc_day(now - 2 * PASSES.paper_s) - 2 * _DAYS_AHEAD
            kept = {old: day for old, day in self.retired().items() if day >= lately}
            self.store.put_setting(RETIRED, json.dumps({**kept, found.kid: utc_day(now)}))
            self.audit.record("pass-key.retired", now, by=by.name, subject=found.kid)
        return self.of_day(utc_day(now))

    def _seed_day(self, day: int) -> int:
        """Return the first day of the same week, and of the same chain, that has a key."""
        monday = day - (day - _MONDAY) % 7
        chains = {known.day: known.chain for known in self.keys.known_days(day)}
        self.keys.day_key(_PURPOSE, day)  # raises for a day without keys
        return next(seed for seed in range(monday, day + 1) if chains.get(seed) == chains[day])

    def _of_week(self, seed_day: int, retired: Mapping[str, int]) -> PassKey:
        end = (seed_day - (seed_day - _MONDAY) % 7 + 7) * SECONDS_PER_DAY + PASSES.paper_s
        attempt = 0
        while True:
            secret = self.keys.day_key(_PURPOSE, seed_day, str(attempt))
            made, kid = self._key_of(secret)
            if kid not in retired:
                return PassKey(made, kid, seed_day, end)
            attempt += 1

    def _key_of(self, secret: bytes) -> tuple[SigningKey, str]:
        """Return the key of a secret and its kid; the last few are kept in memory."""
        found = self._made.get(secret)
        if found is None:
            if len(self._made) >= _MOST_MADE:
                self._made.clear()
            key = SigningKey.from_secret(secret)
            found = self._made[secret] = key, key.public.kid.hex()
        return found


def retired_kids(kept: str | None) -> dict[str, int]:
    """Return the kids that the setting ``RETIRED`` holds, each with its UTC day."""
    return {} if kept is None else dict(json.loads(kept))
