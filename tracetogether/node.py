"""A phone that lives: one ``Device`` driven on a radio, a clock and an authority, for weeks.

Everything the device decides is carried out here and nothing is decided: the adapter is
opened again when it fails (pauses that double, with jitter), batches are fetched until they come,
and what strangers send is queued within bounds.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, assert_never

from tracetogether import device as machine
from tracetogether.contactlog import ContactLog
from tracetogether.errors import (
    LinkError,
    LocalProtocolError,
    RadioError,
    TraceTogetherError,
)
from tracetogether.exchange import Advertisement, Exchange
from tracetogether.parameters import TIMINGS, PhoneTimings
from tracetogether.radio import Link, OpenRadio, Radio

_MAX_HEARD: Final = 4_096  # peers heard and not yet handed in; the oldest give way
_MAX_SHUNNED: Final = 4_096  # peers that exchanges failed with; the oldest are forgotten
_MAX_WRITTEN: Final = 256  # values written by others and not yet handed in; later ones are lost

_Step = Callable[[], Coroutine[Any, Any, None]]

Tell = Callable[[str, str], None]
"""Takes an event's name and what there is to say of it."""


@dataclass(frozen=True, slots=True)
class Pauses:
    """How long a node waits before it tries again, and at most.

    Attributes:
        radio_s: first pause before an adapter that failed is opened again; the next ones double.
        radio_most_s: the longest of them.
        fetch_s, fetch_most_s: the same for batches that could not be fetched.
        peer_s, peer_most_s: the same for a peer that an exchange with failed.
        command_s: how long the adapter may take for one command before it counts as wedged.
        look_up_s: the clock is looked at so often; a leap of it is noticed by then.
    """

    radio_s: float = 1.0
    radio_most_s: float = 300.0
    fetch_s: float = 5.0
    fetch_most_s: float = 540.0
    peer_s: float = 1.0
    peer_most_s: float = 60.0
    command_s: float = 30.0
    look_up_s: float = 5.0


PAUSES: Final = Pauses()


def _say_nothing(_event: str, _text: str) -> None:
    """Take an event that nobody wants."""


class Node:
    """A phone on a radio.

    Args:
        exchange: the protocol's side of it.
        log: where sightings go.
        open_radio: opens the adapter; called again whenever that failed.
        fetch: fetches a batch from the authority, or raises a TraceTogetherError.
        clock: epoch seconds; may leap.
        chance: uniform numbers in [0, 1): pauses between scans, jitter of retries.
        timings: when to scan, advertise and give up.
        pauses: when to try again.
        tell: takes events: radio_lost, radio_back, fetch_failed, batch, log_failed.

    Attributes:
        device: the machine.
        counts: what happened, by name.
    """

    def __init__(
        self,
        exchange: Exchange,
        log: ContactLog,
        *,
        open_radio: OpenRadio,
        fetch: Callable[[], Awaitable[object]],
        clock: Callable[[], float],
        chance: Callable[[], float],
        timings: PhoneTimings = TIMINGS,
        pauses: Pauses = PAUSES,
        tell: Tell = _say_nothing,
    ) -> None:
        self.device = machine.Device(exchange, log, start=clock(), timings=timings, chance=chance)
        self.counts: Counter[str] = Counter()
        self._open_radio = open_radio
        self._fetch = fetch
        self._clock = clock
        self._chance = chance
        self._timings = timings
        self._pauses = pauses
        self._tell = tell
        self._radio: Radio | None = None
        self._heard: dict[str, machine.Heard] = {}
        self._shunned: dict[str, tuple[float, float]] = {}  # until when, and the pause until then
        self._inbox: deque[machine.Input] = deque()
        self._written = 0  # of the inbox
        self._awake = asyncio.Event()
        self._untuned = asyncio.Event()
        self._shown: Advertisement | None = None
        self._scanning = False
        self._scan_ends: asyncio.TimerHandle | None = None
        self._broken = False
        self._log_works = True
        self._link: Link | None = None
        self._link_task: asyncio.Task[None] | None = None
        self._link_number = 0
        self._fetch_task: asyncio.Task[None] | None = None
        self._group: asyncio.TaskGroup | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Live until ``stop`` is set.

        Raises:
            RadioError: there is no adapter to begin with; later failures are waited out.
        """
        self._radio = await self._open_radio(self.report)
        try:
            async with asyncio.TaskGroup() as self._group:
                tuner = self._group.create_task(self._tune())
                await self._live(stop)
                for task in (tuner, self._link_task, self._fetch_task):
                    if task is not None:
                        task.cancel()
        finally:
            if self._scan_ends is not None:
                self._scan_ends.cancel()
            if self._link is not None:
                await self._link.close()
            if self._radio is not None:
                await self._radio.close()

    def report(self, happened: machine.Heard | machine.PayloadWritten) -> None:
        """Take what came in by radio."""
        if isinstance(happened, machine.Heard):
            self.counts["heard"] += 1
            if self._shuns(happened.peer):
                return
            self._heard.pop(happened.peer, None)
            self._heard[happened.peer] = happened
            if len(self._heard) > _MAX_HEARD:
                del self._heard[next(iter(self._heard))]
                self.counts["heard_dropped"] += 1
        elif self._written >= _MAX_WRITTEN:
            self.counts["written_dropped"] += 1
        else:
            self._written += 1
            self._inbox.append(happened)
        self._awake.set()

    # --- the device ---

    async def _live(self, stop: asyncio.Event) -> None:
        stopping = asyncio.ensure_future(stop.wait())
        stopping.add_done_callback(lambda _: self._awake.set())
        now = self._clock()
        try:
            while not stop.is_set():
                self._awake.clear()
                while self._inbox:
                    happened = self._inbox.popleft()
                    self._written -= isinstance(happened, machine.PayloadWritten)
                    self._take(happened)
                heard, self._heard = self._heard, {}
                for one in heard.values():
                    self._take(one)
                before, now = now, self._clock()
                wait_s = self.device.next_deadline - now
                if wait_s <= 0 or now < before:  # a clock set back moves all deadlines
                    self._take(machine.DeadlinePassed())
                    await asyncio.sleep(0)  # the others' turn
                    continue
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(wait_s, self._pauses.look_up_s)):
                        await self._awake.wait()
        finally:
            stopping.cancel()

    def _take(self, happened: machine.Input) -> None:
        try:
            actions = self.device.receive(happened, now=self._clock())
        except LocalProtocolError:  # news of a connection that was given up meanwhile
            self.counts["late_news"] += 1
            return
        trouble = self.device.store_error
        if trouble is not None and self._log_works:
            self._tell("log_failed", str(trouble))
        self._log_works = trouble is None
        for action in actions:
            self._do(action)

    def _put(self, happened: machine.Input) -> None:
        self._inbox.append(happened)
        self._awake.set()

    def _do(self, action: machine.Action) -> None:
        match action:
            case machine.Advertise(advertisement):
                self._shown = advertisement
                self._untuned.set()
            case machine.Scan(seconds):
                self.counts["scans"] += 1
                self._scanning = True
                self._untuned.set()
                if self._scan_ends is not None:
                    self._scan_ends.cancel()
                loop = asyncio.get_running_loop()
                self._scan_ends = loop.call_later(seconds, self._end_scan)
            case machine.Connect(peer):
                self.counts["connections_tried"] += 1
                self._link_number += 1
                self._then(partial(self._connect, peer, self._link_number))
            case machine.ReadPayload(peer):
                self._then(partial(self._read, peer, self._link_number))
            case machine.WritePayload(peer, value):
                self._then(partial(self._write, peer, value, self._link_number))
            case machine.Disconnect(peer):
                if self._link_task is not None:
                    self._link_task.cancel()
                self._then(partial(self._hang_up, peer, self._link_number))
            case machine.FetchBatch():
                if self._fetch_task is not None:
                    self._fetch_task.cancel()
                self._fetch_task = self._spawn(self._fetch_until_it_comes())
            case _:
                assert_never(action)

    def _end_scan(self) -> None:
        self._scanning = False
        self._untuned.set()

    def _spawn(self, what: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        if self._group is None:
            raise AssertionError("a node acts only while it runs")
        return self._group.create_task(what)

    # --- the adapter ---

    async def _tune(self) -> None:
        """Make the adapter do what the device wants, and open it again when it fails."""
        shown: Advertisement | None = None
        scanning = False
        while True:
            await self._untuned.wait()
            self._untuned.clear()
            if self._radio is None or self._broken:
                await self._reopen()
                shown, scanning = None, False
            radio = self._radio
            if radio is None:
                raise AssertionError("it was opened above")
            try:
                async with asyncio.timeout(self._pauses.command_s):
                    if self._shown is not shown:
                        wanted = self._shown
                        await radio.advertise(wanted)
                        shown = wanted
                    if self._scanning is not scanning:
                        on = self._scanning
                        await radio.scan(on=on)
                        scanning = on
            except (RadioError, TimeoutError) as error:
                self._lose(str(error) or "the Bluetooth adapter hangs")

    def _lose(self, why: str) -> None:
        self.counts["radio_lost"] += 1
        self._tell("radio_lost", why)
        self._broken = True
        self._untuned.set()

    async def _reopen(self) -> None:
        if self._radio is not None:
            await self._radio.close()
            self._radio = None
        pause_s = self._pauses.radio_s
        while self._radio is None:
            await asyncio.sleep(self._jittered(pause_s))
            pause_s = min(2 * pause_s, self._pauses.radio_most_s)
            with suppress(RadioError):
                self._radio = await self._open_radio(self.report)
        self._broken = False
        self._tell("radio_back", "the Bluetooth adapter works again")

    def _jittered(self, pause_s: float) -> float:
        return pause_s * (0.5 + self._chance())

    # --- the one outgoing connection ---

    def _then(self, step: _Step) -> None:
        """Take a step of the connection once the step before has ended."""
        self._link_task = self._spawn(_after(self._link_task, step))

    def _shun(self, peer: str) -> None:
        """Leave a peer alone for a while that an exchange failed with: else it is tried at once."""
        now = asyncio.get_running_loop().time()
        until, pause_s = self._shunned.pop(peer, (now, 0.0))
        if now > until + self._pauses.peer_most_s:
            pause_s = 0.0  # that was long ago
        pause_s = min(max(2 * pause_s, self._pauses.peer_s), self._pauses.peer_most_s)
        self._shunned[peer] = (now + self._jittered(pause_s), pause_s)
        if len(self._shunned) > _MAX_SHUNNED:
            del self._shunned[next(iter(self._shunned))]

    def _shuns(self, peer: str) -> bool:
        until, _ = self._shunned.get(peer, (0.0, 0.0))
        return until > 0 and asyncio.get_running_loop().time() < until

    async def _connect(self, peer: str, number: int) -> None:
        radio = self._radio
        try:
            if radio is None or self._broken:
                raise LinkError("there is no adapter now")  # noqa: TRY301 - one way out
            # Two phones that connect to each other at once must not give up at once, too.
            patience_s = self._timings.connection_timeout_s * (0.3 + 0.6 * self._chance())
            async with asyncio.timeout(patience_s):
                self._link = await radio.connect(peer)
        except (LinkError, TimeoutError):
            self.counts["connections_failed"] += 1
            self._shun(peer)
            self._news(machine.Disconnected(peer), number)
        except RadioError as error:
            self._lose(str(error))
            self._news(machine.Disconnected(peer), number)
        else:
            self.counts["connections"] += 1
            self._news(machine.Connected(peer), number)

    async def _read(self, peer: str, number: int) -> None:
        value = None
        if self._link is not None:
            with suppress(LinkError):
                value = await self._link.read()
        self.counts["reads" if value is not None else "reads_failed"] += 1
        if value is None:
            self._shun(peer)
        self._news(machine.PayloadRead(peer, value), number)

    async def _write(self, peer: str, value: bytes, number: int) -> None:
        ok = False
        if self._link is not None:
            with suppress(LinkError):
                await self._link.write(value)
                ok = True
        self.counts["writes" if ok else "writes_failed"] += 1
        if ok:
            self._shunned.pop(peer, None)
        else:
            self._shun(peer)
        self._news(machine.WriteDone(peer, ok), number)

    async def _hang_up(self, peer: str, number: int) -> None:
        link, self._link = self._link, None
        if link is not None:
            await link.close()
        self._news(machine.Disconnected(peer), number)

    def _news(self, happened: machine.Input, number: int) -> None:
        if number == self._link_number:  # of no connection that was given up
            self._put(happened)

    # --- the authority ---

    async def _fetch_until_it_comes(self) -> None:
        pause_s = self._pauses.fetch_s
        while True:
            try:
                batch = await self._fetch()
            except TraceTogetherError as error:
                self.counts["fetches_failed"] += 1
                self._tell("fetch_failed", str(error))
                self._put(machine.BatchReceived(None))
            else:
                self.counts["batches"] += 1
                self._tell("batch", "new TempIDs")
                self._put(machine.BatchReceived(batch))
                return
            await asyncio.sleep(self._jittered(pause_s))
            pause_s = min(2 * pause_s, self._pauses.fetch_most_s)


async def _after(before: asyncio.Task[None] | None, step: _Step) -> None:
    if before is not None:
        await asyncio.wait([before])
    await step()
