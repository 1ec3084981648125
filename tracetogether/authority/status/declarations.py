"""What people declare about their health: symptoms or none, since which day, and nothing else.

The content is sealed under the day's key, and every sealed declaration has the same length, so that
a copy of the database doesn't show who has symptoms.
"""

import os
import struct
from dataclasses import dataclass, field
from typing import Final, Protocol

from tracetogether.crypto import IV_BYTES
from tracetogether.errors import InvalidRequestError, KeyRingError, SealError
from tracetogether.keyring import KeyRing
from tracetogether.parameters import PASSES
from tracetogether.units import SECONDS_PER_DAY, Entropy, utc_day

_PURPOSE: Final = "declaration"
_CONTENT: Final = struct.Struct(">?i")
_KEPT_DAYS: Final = PASSES.declared_s // SECONDS_PER_DAY


@dataclass(frozen=True, slots=True)
class SealedDeclaration:
    """A declaration as it is kept.

    Attributes:
        user_id: who declared; a later declaration of the same user replaces it.
        day: UTC day whose key seals the content; the row is deleted 21 days after it.
        sealed: IV, then the content.
    """

    user_id: str = field(repr=False)
    day: int
    sealed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a person declared.

    Attributes:
        symptoms: whether there are any.
        since_day: UTC day on which they began; the day of the declaration if there are none.
    """

    symptoms: bool = field(repr=False)
    since_day: int = field(repr=False)


class DeclarationStore(Protocol):
    """What declarations need of a store."""

    def put_declaration(self, declaration: SealedDeclaration) -> None:
        """Store a declaration; it replaces the user's earlier one."""
        ...

    def declaration(self, user_id: str) -> SealedDeclaration | None:
        """Return a user's latest declaration, or None."""
        ...

    def drop_declarations(self, before_day: int) -> int:
        """Delete declarations of days before that one; return how many."""
        ...


@dataclass(frozen=True, slots=True)
class Declarations:
    """Takes declarations and reads the latest one of a user."""

    keys: KeyRing
    store: DeclarationStore
    entropy: Entropy = os.urandom

    def declare(
        self, user_id: str, now: float, *, symptoms: bool, since_day: int | None = None
    ) -> None:
        """Store what a user declares; it replaces what the user declared before.

        Args:
            user_id: of the phone that asks.
            now: epoch seconds.
            symptoms: whether there are any.
            since_day: UTC day on which they began; today if None.

        Raises:
            InvalidRequestError: the day lies in the future or more than 21 days back, or there are
                no symptoms that could have begun.
        """
        today = utc_day(now)
        since = today if since_day is None else since_day
        if not symptoms and since_day is not None:
            msg = "without symptoms there is no day on which they began: leave `since` out"
            raise InvalidRequestError(msg, "declared-since-without-symptoms")
        # One day ahead: where the calendar is ahead of UTC, today has another number.
        if not today - _KEPT_DAYS <= since <= today + 1:
            msg = "the day on which symptoms began is one of the last {days} days"
            raise InvalidRequestError(msg, "declared-since", days=_KEPT_DAYS)
        iv = self.entropy(IV_BYTES)
        content = _CONTENT.pack(symptoms, since)
        sealed = iv + self.keys.aead(_PURPOSE, today).seal(iv, content, user_id.encode())
        self.store.put_declaration(SealedDeclaration(user_id, today, sealed))

    def latest(self, user_id: str, now: float) -> Declaration | None:
        """Return what a user declared last, within 21 days; None without such a declaration."""
        return self.opened(self.store.declaration(user_id), now)

    def opened(self, kept: SealedDeclaration | None, now: float) -> Declaration | None:
        """Return what a stored declaration says; None without one, or if it is too old."""
        if kept is None or kept.day < utc_day(now) - _KEPT_DAYS:
            return None
        iv, sealed = kept.sealed[:IV_BYTES], kept.sealed[IV_BYTES:]
        try:
            content = self.keys.aead(_PURPOSE, kept.day).open(iv, sealed, kept.user_id.encode())
        except (KeyRingError, SealError):
            return None  # the day's keys were destroyed early
        symptoms, since = _CONTENT.unpack(content)
        return Declaration(symptoms, since)
