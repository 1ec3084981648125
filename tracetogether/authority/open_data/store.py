"""What the room of open data needs of a store: what happened on a day, and what is published."""

from __future__ import annotations  # the modules that define these types import this one

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from tracetogether.authority.status.store import RestrictingStore

if TYPE_CHECKING:
    from tracetogether.authority.open_data.publishing import OpenDay

OPEN_DATA_UNTIL: Final = "open_data_until"
"""The setting that says when the newest published day ended, epoch seconds."""
OPEN_DATA_FROM: Final = "open_data_from"
"""Setting: days that ended before that time (epoch seconds) are not published any more."""


@dataclass(frozen=True, slots=True)
class FoundContact:
    """A contact that was found on a day.

    Attributes:
        contact_id: random; the person is sealed with it.
        day: UTC day of the key that seals the person.
        person: sealed.
        case_user: user id of the case's person.
        prompt: reached within 24 hours.
    """

    contact_id: str
    day: int
    person: bytes = field(repr=False)
    case_user: str = field(repr=False)
    prompt: bool


class OpenStore(RestrictingStore, Protocol):
    """A store as the room of open data uses it."""

    @property
    def open_data(self) -> OpenDataStore:
        """The part that counts days, and keeps what is published."""
        ...


class OpenDataStore(Protocol):
    """The part of a store that counts days, and keeps what is published.

    Times are epoch seconds; a span includes its beginning and not its end.
    """

    def asking(self, name: str, begin: float, end: float) -> int:
        """Return how many subjects a count of requests has in a span."""
        ...

    def put_daily(self, day: int, counts: Mapping[str, int]) -> None:
        """Store figures of a day that can't be counted later; they replace earlier ones."""
        ...

    def daily(self, day: int) -> Mapping[str, int]:
        """Return the figures of a day that were stored."""
        ...

    def drop_daily(self, before_day: int) -> int:
        """Delete stored figures of days before that one; return how many."""
        ...

    def declared(self, begin: float, end: float) -> int:
        """Return how many people have a case that was opened in a span."""
        ...

    def found(self, begin: float, end: float) -> Iterable[FoundContact]:
        """Return the contacts that were found in a span and are to be traced, by their ids."""
        ...

    def visiting(self, begin: float, end: float) -> int:
        """Return how many people have visits that were released as warnings in a span."""
        ...

    def restricted(self, begin: float, end: float) -> Sequence[tuple[str, str, str]]:
        """Return (user id, ground, evidence) of each restriction confirmed in a span."""
        ...

    def appealed(self, begin: float, end: float) -> Sequence[tuple[str, str]]:
        """Return (user id, outcome) of each appeal that was decided in a span."""
        ...

    def publish(self, day: OpenDay) -> bool:
        """Store what is published of a day; return False if that day is published already."""
        ...

    def published(self) -> Sequence[OpenDay]:
        """Return what is published, the oldest day first."""
        ...

    def published_days(self) -> Sequence[int]:
        """Return the days that are published, the oldest first."""
        ...
