"""What a proximity protocol offers a phone: what to advertise, what to say, what was heard.

``device.py`` drives every protocol through this interface. There are two kinds of protocol:

- One that only broadcasts puts its token into the advertisement itself. ``Exchange.overheard``
  makes a sighting of it, and nobody connects.
- One with connections also brings a ``Conversation``, with a transition table for the central's
  side (the peripheral is passive: the central reads its value and writes to it).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Protocol

from tracetogether.rejection import Rejection
from tracetogether.sightings import Sighting
from tracetogether.units import is_rssi


class LinkState(Enum):
    """Where the central's side of one connection stands."""

    CONNECTING = auto()
    READING = auto()
    WRITING = auto()
    CLOSING = auto()
    CLOSED = auto()


class LinkEvent(Enum):
    """What happens to a connection that this phone opened."""

    CONNECTED = auto()
    VALUE_READ = auto()
    READ_FAILED = auto()
    WRITE_DONE = auto()
    WRITE_FAILED = auto()
    TIMED_OUT = auto()
    DISCONNECTED = auto()


class Step(Enum):
    """What the central does next."""

    READ = auto()
    WRITE = auto()
    HANG_UP = auto()
    WAIT = auto()
    FINISH = auto()


Transitions = Mapping[tuple[LinkState, LinkEvent], tuple[LinkState, Step]]


@dataclass(frozen=True, slots=True)
class Heard:
    """An advertisement of the service came in.

    Attributes:
        peer: the radio's handle of the sender; not an identity.
        rssi_dbm: its strength.
        tx_power_dbm: transmit power that it states, None if it states none.
        manufacturer_data: bytes after the company identifier.
        service_data: bytes that it shows beside the service's UUID.
    """

    peer: str
    rssi_dbm: float
    tx_power_dbm: float | None = None
    manufacturer_data: bytes = b""
    service_data: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Advertisement:
    """What a phone shows the world.

    Attributes:
        service: UUID of the advertised service, of 16 bits ("FD6F") or 128.
        manufacturer_data: bytes after the company identifier.
        value: what a central that connects reads; secret to nobody, yet not for logs. None where
            nobody connects.
        expiry: epoch seconds at which this must be replaced.
        service_data: bytes beside the service's UUID, where a token is sent without a connection.
        part_of: the token that these bytes are a part of; empty where they are the whole token.
        token_end: epoch seconds at which the token ends, where its parts end earlier; None: at
            ``expiry``.
    """

    service: str
    manufacturer_data: bytes
    value: bytes | None = field(repr=False)
    expiry: float
    service_data: bytes = field(default=b"", repr=False)
    part_of: bytes = field(default=b"", repr=False)
    token_end: float | None = None

    @property
    def token(self) -> tuple[bytes | None, bytes]:
        """What tells one token from the next: a radio changes its address together with it."""
        return self.value, self.part_of or self.service_data

    @property
    def ends(self) -> float:
        """Epoch seconds at which the token itself ends."""
        return self.expiry if self.token_end is None else self.token_end


@dataclass(frozen=True, slots=True)
class RadioProfile:
    """Where on the air a protocol lives; builds of one protocol may differ in it.

    Attributes:
        service: UUID of the advertised service.
        characteristic: UUID of the value that is read and written; the service's own where a
            phone has none of this UUID (that is how the first version did it). None: nobody
            connects, and nobody can.
        company_id: of the manufacturer data.
    """

    service: str
    characteristic: str | None
    company_id: int

    @property
    def values(self) -> tuple[str, ...]:
        """UUIDs of a value, the usual one first; none if nobody connects."""
        return () if self.characteristic is None else (self.characteristic, self.service)


class Conversation(Protocol):
    """The connected half of a protocol, which one that only broadcasts does not have."""

    @property
    def transitions(self) -> Transitions:
        """The central's transition table."""
        ...

    def message(self, now: float, rssi_dbm: float) -> bytes | None:
        """Return what to write to a peripheral heard at ``rssi_dbm``; None without a token."""
        ...

    def read(
        self, value: bytes, *, now: float, rssi_dbm: float, tx_power_dbm: float | None
    ) -> Sighting | Rejection:
        """Return what a value read from a peripheral says, or why it is not believed."""
        ...

    def written(self, value: bytes, *, now: float) -> Sighting | Rejection:
        """Return what a value written by a central says, or why it is not believed."""
        ...


class Exchange(Protocol):
    """One phone's side of a protocol."""

    @property
    def conversation(self) -> Conversation | None:
        """What is said in connections; None if there are none."""
        ...

    @property
    def token_life_s(self) -> float:
        """How long a token is valid, seconds; a peer's too."""
        ...

    def advertisement(self, now: float) -> Advertisement | None:
        """Return what to advertise from ``now`` on; None if there is no valid token."""
        ...

    def overheard(self, heard: Heard, *, now: float) -> Sighting | Rejection | None:
        """Return what the advertisement alone says; None if one must connect to know."""
        ...

    def renewal_due(self, now: float) -> bool:
        """Return whether new tokens should be fetched."""
        ...

    def renew(self, batch: object) -> None:
        """Take over newly fetched tokens."""
        ...

    def has_token(self, now: float) -> bool:
        """Return whether a token is valid at ``now``."""
        ...

    def ahead_s(self, batch: object, now: float) -> tuple[float, float]:
        """Return by how much ``now`` is ahead of the authority's clock, least and most, seconds.

        Args:
            batch: tokens that the authority has just issued.
            now: this phone's time of their receipt, epoch seconds.
        """
        ...


class BroadcastOnly:
    """What exchanges share whose phones never connect, and make their tokens themselves.

    Args:
        model: this phone's model.
    """

    conversation = None

    def __init__(self, model: str = "") -> None:
        self._model = model

    def _judged(
        self,
        heard: Heard,
        now: float,
        *,
        peer: bytes,
        own: bool,
        tx_power_dbm: float | None = None,
        version: int = 1,
    ) -> Sighting | Rejection:
        """Return the sighting of a token, unless its level is none or it is this phone's own."""
        if not is_rssi(heard.rssi_dbm):
            return Rejection.INVALID_RSSI
        if own:
            return Rejection.SELF_TEMPID  # played back by somebody
        return Sighting(
            time=now,
            peer=peer.hex(),
            rssi_dbm=heard.rssi_dbm,
            tx_power_dbm=tx_power_dbm,
            observer_model=self._model,
            version=version,
        )

    def renewal_due(self, now: float) -> bool:
        """Return False: a phone makes its tokens itself."""
        del now
        return False

    def renew(self, batch: object) -> None:
        """Do nothing: no authority issues anything."""

    def has_token(self, now: float) -> bool:
        """Return True: there is a token at any time."""
        del now
        return True

    def ahead_s(self, batch: object, now: float) -> tuple[float, float]:
        """Return (0, 0): no authority tells this phone its time."""
        del batch, now
        return 0.0, 0.0
