"""Where simulated phones get their TempIDs: a port, and the real issuer in this process."""

from typing import Protocol

from simulations.streams import Streams
from tracetogether.bluetrace.batch import TempIDBatch
from tracetogether.bluetrace.tempid import TempIDIssuer, new_user_id
from tracetogether.keyring import KeyRing
from tracetogether.parameters import BLUETRACE
from tracetogether.units import SECONDS_PER_DAY


class TempIDSource(Protocol):
    """An authority as phones see it."""

    def enrol(self, person: int) -> str:
        """Register ``person``'s phone; return its user id (28 characters)."""
        ...

    def batch(self, user_id: str, now: float) -> TempIDBatch:
        """Return TempIDs for ``user_id`` from ``now`` (epoch seconds) on.

        Raises:
            UnreachableError: not now; the phone tries again.
        """
        ...


class LocalTempIDs:
    """The real issuer over a key ring made for this run; its secrets are the seed's, so none.

    Attributes:
        issuer: opens what it issued.
    """

    def __init__(self, start: float, streams: Streams, *, authority: str = "SG_MOH") -> None:
        # The first window of a batch begins before now, perhaps on the day before.
        keys = KeyRing.generate(
            start - SECONDS_PER_DAY, entropy=streams.entropy("authority", "keys")
        )
        self.issuer = TempIDIssuer(keys, authority, entropy=streams.entropy("authority", "iv"))
        self._user_entropy = streams.entropy("authority", "users")

    def enrol(self, person: int) -> str:  # noqa: ARG002 - a user id says nothing about a person
        """Return a new user id."""
        return new_user_id(self._user_entropy)

    def batch(self, user_id: str, now: float) -> TempIDBatch:
        """Return what the service would: a hundred windows, the first a minute old."""
        return self.issuer.issue(user_id, now - BLUETRACE.early_start_s, BLUETRACE.batch_size)
