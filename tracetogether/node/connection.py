"""The one connection that a node opens: its steps in order, and peers left alone after failures."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any, Final

from tracetogether import device as machine
from tracetogether.errors import LinkError, RadioError
from tracetogether.node.backoff import Backoff, Pauses
from tracetogether.node.journal import Journal
from tracetogether.node.radio import Link
from tracetogether.node.tuner import Tuner

_MAX_AVOIDED: Final = 4_096  # the peers that failed first are forgotten first

Step = Callable[[], Coroutine[Any, Any, None]]
Spawn = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
"""Runs a coroutine as a task of the node."""


class Connection:
    """Connects, reads, writes and hangs up; each step begins when the one before has ended.

    Args:
        tuner: has the adapter.
        put: takes what came of each step.
        spawn: runs a step.
        timeout_s: the device's timeout for an attempt to connect.
        pauses: how long a peer is left alone.
        chance: uniform numbers in [0, 1).
        journal: counts what happens.
    """

    def __init__(
        self,
        tuner: Tuner,
        put: Callable[[machine.Input], None],
        spawn: Spawn,
        *,
        timeout_s: float,
        pauses: Pauses,
        chance: Callable[[], float],
        journal: Journal,
    ) -> None:
        self._tuner = tuner
        self._put = put
        self._spawn = spawn
        self._timeout_s = timeout_s
        self._pauses = pauses
        self._chance = chance
        self._counts = journal.counts
        self._avoided: dict[str, tuple[float, Backoff]] = {}  # until when, by the loop's time
        self._link: Link | None = None
        self._task: asyncio.Task[None] | None = None
        self._number = 0

    def connect(self, peer: str) -> None:
        """Open a connection to ``peer``."""
        self._counts["connections_tried"] += 1
        self._number += 1
        self._then(partial(self._connect, peer, self._number))

    def read(self, peer: str) -> None:
        """Read the peer's value."""
        self._then(partial(self._read, peer, self._number))

    def write(self, peer: str, value: bytes) -> None:
        """Write a value to the peer."""
        self._then(partial(self._write, peer, value, self._number))

    def hang_up(self, peer: str) -> None:
        """End the connection, whatever step it is at."""
        self.cancel()
        self._then(partial(self._hang_up, peer, self._number))

    def cancel(self) -> None:
        """Cancel the step that runs."""
        if self._task is not None:
            self._task.cancel()

    async def close(self) -> None:
        """End the connection without a word to the device."""
        if self._link is not None:
            await self._link.close()

    def avoids(self, peer: str) -> bool:
        """Return whether a peer is left alone for now, because exchanges with it failed."""
        until, _ = self._avoided.get(peer, (0.0, None))
        return until > 0 and asyncio.get_running_loop().time() < until

    def _avoid(self, peer: str) -> None:
        """Leave a peer alone for a while; the device would try it again at once."""
        now = asyncio.get_running_loop().time()
        most_s = self._pauses.peer_most_s
        until, backoff = self._avoided.pop(
            peer, (now, Backoff(self._pauses.peer_s, most_s, self._chance))
        )
        if now > until + most_s:
            backoff.reset()  # the last failure was long ago
        self._avoided[peer] = (now + backoff.next_s(), backoff)
        if len(self._avoided) > _MAX_AVOIDED:
            del self._avoided[next(iter(self._avoided))]

    def _then(self, step: Step) -> None:
        self._task = self._spawn(_after(self._task, step))

    async def _connect(self, peer: str, number: int) -> None:
        radio = self._tuner.radio
        try:
            if radio is None:
                raise LinkError("there is no adapter now")  # noqa: TRY301 - one way out
            # Two phones that connect to each other at once must not give up at once, too.
            async with asyncio.timeout(self._timeout_s * (0.3 + 0.6 * self._chance())):
                self._link = await radio.connect(peer)
        except (LinkError, TimeoutError):
            self._counts["connections_failed"] += 1
            self._avoid(peer)
            self._report(machine.Disconnected(peer), number)
        except RadioError as error:
            self._tuner.lose(str(error))
            self._report(machine.Disconnected(peer), number)
        else:
            self._counts["connections"] += 1
            self._report(machine.Connected(peer), number)

    async def _read(self, peer: str, number: int) -> None:
        value = None
        if self._link is not None:
            with suppress(LinkError):
                value = await self._link.read()
        self._counts["reads" if value is not None else "reads_failed"] += 1
        if value is None:
            self._avoid(peer)
        self._report(machine.PayloadRead(peer, value), number)

    async def _write(self, peer: str, value: bytes, number: int) -> None:
        ok = False
        if self._link is not None:
            with suppress(LinkError):
                await self._link.write(value)
                ok = True
        self._counts["writes" if ok else "writes_failed"] += 1
        if ok:
            self._avoided.pop(peer, None)
        else:
            self._avoid(peer)
        self._report(machine.WriteDone(peer, ok), number)

    async def _hang_up(self, peer: str, number: int) -> None:
        link, self._link = self._link, None
        if link is not None:
            await link.close()
        self._report(machine.Disconnected(peer), number)

    def _report(self, happened: machine.Input, number: int) -> None:
        """Hand on what happened, unless a newer connection was begun meanwhile."""
        if number == self._number:
            self._put(happened)


async def _after(before: asyncio.Task[None] | None, step: Step) -> None:
    if before is not None:
        await asyncio.wait([before])
    await step()
