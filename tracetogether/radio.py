"""The radio port: what a Bluetooth stack must do for a phone, and what it reports.

An adapter implements ``Radio`` and ``Link``; ``node.py`` drives a ``Device`` on them. Peers are
named by the stack's own handle (an address, or whatever it calls them): that is no identity,
which comes from the exchanged token alone.

A radio opens at most one connection at a time, and does not scan while it does; it takes scanning
up again by itself. What others do to it is bounded by ``RadioLimits``.
"""

from asyncio import TimerHandle
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol

from tracetogether.device import Heard, PayloadWritten
from tracetogether.exchange import Advertisement

Report = Callable[[Heard | PayloadWritten], None]
"""Takes what came in, on the event loop's thread."""


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


@dataclass(slots=True)
class RadioRole:
    """What an adapter does, advertising or scanning, since it was opened.

    Attributes:
        name: which of the two.
        without: what follows where it is refused.
        works: it has done so.
        wait_until: the loop's time before which a refused role is not tried again.
        pause_s: how long it waits now, 0 where nothing was refused.
        timer: wakes the tuner then.
    """

    name: str
    without: str
    works: bool = False
    wait_until: float = 0.0
    pause_s: float = 0.0
    timer: TimerHandle | None = None

    @property
    def refused(self) -> bool:
        """Whether the adapter refuses it."""
        return self.pause_s > 0

    def rest(self) -> None:
        """Forget that it was refused."""
        self.wait_until = self.pause_s = 0.0
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
