"""The radio port: what a Bluetooth stack must do for a phone, and what it reports.

Bluetooth Low Energy in five sentences: a *peripheral* advertises (a packet of up to 31 bytes, a
few times a second, on three channels), and a *central* scans for such packets. The central may
connect. A connected peripheral offers *characteristics*, values with a UUID that the central reads
and writes (GATT). A phone is both at once: it shows its own token as a peripheral, and as a central
it reads those of others and writes its own to them, unless its protocol only broadcasts. Phones
change their address every few minutes, so a handle says nothing of who it is.

An adapter implements ``Radio`` and ``Link``; ``driver`` drives a ``Device`` on them. Peers are
named by the stack's own handle (an address, or whatever it calls them). Identity comes from the
exchanged token alone.

A radio opens at most one connection at a time, and does not scan while it does; it resumes the
scan afterwards. ``RadioLimits`` bounds what other phones do to it.
"""

from asyncio import TimerHandle
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol

from tracetogether.device import PayloadWritten
from tracetogether.exchange import Advertisement, Heard

Report = Callable[[Heard | PayloadWritten], None]
"""Takes what came in; called on the event loop's thread."""


class Link(Protocol):
    """A connection that this phone opened."""

    async def read(self) -> bytes:
        """Return the peer's value.

        Raises:
            LinkError: it could not be read.
        """
        ...

    async def write(self, value: bytes) -> None:
        """Write ``value`` to the peer and wait for its consent.

        Raises:
            LinkError: it was refused, or the connection broke.
        """
        ...

    async def close(self) -> None:
        """End the connection; raises nothing, waits a second or two at most."""
        ...


class Radio(Protocol):
    """A Bluetooth adapter in both roles."""

    async def advertise(self, advertisement: Advertisement | None) -> None:
        """Show and serve this from now on; None: show nothing.

        A new value comes with a new address where the stack allows.

        Raises:
            RadioError: the adapter refuses.
        """
        ...

    async def scan(self, *, on: bool) -> None:
        """Begin or stop to report advertisements of the service.

        Raises:
            RadioError: the adapter refuses.
        """
        ...

    async def connect(self, peer: str) -> Link:
        """Return a connection to ``peer``. Cancelling this gives the attempt up.

        Raises:
            LinkError: it did not come about.
            RadioError: the adapter refuses.
        """
        ...

    async def close(self) -> None:
        """Stop everything and let go of the adapter; raises nothing."""
        ...


OpenRadio = Callable[[Report], Awaitable[Radio]]
"""Opens an adapter, or raises RadioError."""


@dataclass(frozen=True, slots=True)
class RadioLimits:
    """What strangers may do to a radio.

    Attributes:
        incoming: connections of others at a time; one more is sent away.
        incoming_s: how long a connection of another may last (an exchange takes one to three).
        writes: values that one connection may write (the protocol needs one).
    """

    incoming: int = 8
    incoming_s: float = 20.0
    writes: int = 2


LIMITS: Final = RadioLimits()


@dataclass(slots=True)
class Guest:
    """What an adapter keeps of a connection that another phone opened to this one.

    Attributes:
        timer: ends it when its time is over.
        writes: how many values it may still write.
        read: the value that is being read; one reading, one value.
    """

    timer: TimerHandle
    writes: int
    read: bytes | None = None
