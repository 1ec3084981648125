"""What a phone holds: a batch of TempIDs fetched together, and which of them is valid now."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Final, Self

from tracetogether.errors import InvalidTempIDError
from tracetogether.parameters import BLUETRACE

_ROUNDING_S: Final = 1.0  # HTTP's Date has whole seconds


@dataclass(frozen=True, slots=True)
class TempID:
    """A token to advertise in [start, expiry), epoch seconds; ``text`` is 84 characters."""

    start: int
    expiry: int
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class TempIDBatch:
    """TempIDs handed out together, in order of time.

    Attributes:
        tempids: the TempIDs; their windows do not overlap.
        refresh_at: epoch seconds from which a new batch should be fetched.
        issued_at: the server's time when it answered, epoch seconds; None where it did not say.
    """

    tempids: tuple[TempID, ...]
    refresh_at: int
    issued_at: float | None = field(default=None, compare=False)

    def at(self, now: float) -> TempID | None:
        """Return the TempID that is valid at ``now``; None where no window holds it.

        OpenTrace's phones send an expired TempID rather than none: no authority
        believes the records it makes, so this batch has none to give.
        """
        return next(
            (tempid for tempid in self.tempids if tempid.start <= now < tempid.expiry), None
        )

    def renewal_due(self, now: float) -> bool:
        """Return whether a new batch should be fetched at ``now``."""
        return now >= self.refresh_at or self.at(now) is None

    def ahead_s(self, now: float) -> tuple[float, float]:
        """Return by how much ``now`` is ahead of the server's clock, least and most, seconds.

        ``now`` is the time of receipt. A server that does not say its time still issues a first
        window that has begun.
        """
        if self.issued_at is not None:
            return now - self.issued_at - _ROUNDING_S, now - self.issued_at
        if not self.tempids:
            return -inf, inf
        first = self.tempids[0]
        return now - first.expiry - BLUETRACE.early_start_s, now - first.start

    def __iter__(self) -> Iterator[TempID]:
        return iter(self.tempids)

    def __len__(self) -> int:
        return len(self.tempids)

    def to_json(self) -> dict[str, object]:
        """Return the batch as an OpenTrace server answers getTempIDs."""
        return {
            "status": "SUCCESS",
            "tempIDs": [
                {"tempID": tempid.text, "startTime": tempid.start, "expiryTime": tempid.expiry}
                for tempid in self.tempids
            ],
            "refreshTime": self.refresh_at,
        }

    @classmethod
    def from_json(cls, answer: object) -> Self:
        """Read a server's answer.

        Raises:
            InvalidTempIDError: a field is missing or of the wrong kind.
        """
        try:
            if not isinstance(answer, Mapping):
                raise TypeError  # noqa: TRY301 - one message for every kind of damage
            tempids = [
                TempID(int(item["startTime"]), int(item["expiryTime"]), str(item["tempID"]))
                for item in answer["tempIDs"]
            ]
            refresh_at = int(answer["refreshTime"])
        except (TypeError, KeyError, ValueError, OverflowError):
            msg = "the server's answer is no batch of TempIDs: check its address and version"
            raise InvalidTempIDError(msg) from None
        return cls(tuple(sorted(tempids, key=lambda tempid: tempid.start)), refresh_at)
