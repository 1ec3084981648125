"""A phone that lives: one ``Device`` driven on a radio, a clock and an authority, for weeks.

The device decides, the node carries out: it opens the adapter again when that fails, fetches
batches until they come, and queues what strangers send within bounds.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, Final, assert_never

from tracetogether import device as machine
from tracetogether.contactlog import ContactLog
from tracetogether.errors import LocalProtocolError, TraceTogetherError
from tracetogether.exchange import Exchange, Heard
from tracetogether.node.backoff import PAUSES, Backoff, Pauses
from tracetogether.node.connection import Connection
from tracetogether.node.journal import Journal, Tell
from tracetogether.node.radio import OpenRadio
from tracetogether.node.tuner import Tuner
from tracetogether.parameters import CLOCK_ERROR_S, TIMINGS, PhoneTimings
from tracetogether.units import SECONDS_PER_MINUTE

_MAX_HEARD: Final = 4_096  # peers heard and not yet handed in; the oldest give way
_MAX_WRITTEN: Final = 256  # values written by others and not yet handed in; later ones are lost

_BATCH_NOT_VALID: Final = """none of the TempIDs just fetched is valid now by this machine's \
clock: nothing is advertised, and nobody hears this node"""


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
        note_later_scans: also record later scans of known addresses, as ``Device`` does.
        peripheral_only: only speak: never scan, connect to nobody, and drop what phones write at
            once, unread. Nothing is ever written to ``log``.
        tell: takes events: radio_lost, radio_back, advertising_refused, advertising_back,
            scanning_refused, scanning_back, fetch_failed, batch, batch_not_valid, clock_wrong,
            clock_right, log_failed.

    Attributes:
        device: the machine.
        counts: how often each thing happened, by name.
        troubles: what is wrong now and what follows from it, by topic.
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
        note_later_scans: bool = False,
        peripheral_only: bool = False,
        tell: Tell = lambda _event, _text: None,
    ) -> None:
        self.device = machine.Device(
            exchange,
            log,
            start=clock(),
            timings=timings,
            chance=chance,
            note_later_scans=note_later_scans,
        )
        self._journal = Journal(tell)
        self.counts = self._journal.counts
        self.troubles = self._journal.troubles
        self._exchange = exchange
        self._peripheral_only = peripheral_only
        self._fetch = fetch
        self._clock = clock
        self._look_up_s = pauses.look_up_s
        self._fetch_backoff = Backoff(pauses.fetch_s, pauses.fetch_most_s, chance)
        self._heard: dict[str, Heard] = {}
        self._inbox: deque[machine.Input] = deque()
        self._written = 0  # of the inbox
        self._awake = asyncio.Event()
        self._offset: float | None = None  # of the clock from the loop's own time
        self._fetch_task: asyncio.Task[None] | None = None
        self._group: asyncio.TaskGroup | None = None
        self._tuner = Tuner(
            open_radio, self.report, pauses=pauses, chance=chance, journal=self._journal
        )
        self._connection = Connection(
            self._tuner,
            self._put,
            self._spawn,
            timeout_s=timings.connection_timeout_s,
            pauses=pauses,
            chance=chance,
            journal=self._journal,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Live until ``stop`` is set.

        Raises:
            RadioError: there is no adapter to begin with; later failures are waited out.
        """
        await self._tuner.open()
        try:
            async with asyncio.TaskGroup() as self._group:
                tuning = self._group.create_task(self._tuner.run())
                await self._live(stop)
                tuning.cancel()
                self._connection.cancel()
                if self._fetch_task is not None:
                    self._fetch_task.cancel()
        finally:
            self.device.write_waiting()
            await self._connection.close()
            await self._tuner.close()

    def report(self, happened: Heard | machine.PayloadWritten) -> None:
        """Take what came in by radio."""
        if self._peripheral_only:
            return
        if isinstance(happened, Heard):
            self.counts["heard"] += 1
            if self._connection.avoids(happened.peer):
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

    async def _live(self, stop: asyncio.Event) -> None:
        """Hand everything in to the device, and wake it at its deadlines."""
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
                for latest in heard.values():
                    self._take(latest)
                before, now = now, self._clock()
                self._watch_the_clock(now)
                wait_s = self.device.next_deadline - now
                if wait_s <= 0 or now < before:  # a clock set back moves all deadlines
                    self._take(machine.DeadlinePassed())
                    await asyncio.sleep(0)  # the others' turn
                    continue
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(wait_s, self._look_up_s)):
                        await self._awake.wait()
        finally:
            stopping.cancel()

    def _take(self, happened: machine.Input) -> None:
        try:
            actions = self.device.receive(happened, now=self._clock())
        except LocalProtocolError:  # news of a connection that was given up meanwhile
            self.counts["late_news"] += 1
            return
        error = self.device.store_error
        if error is None:
            self._journal.right("log")
        else:
            self._journal.wrong("log", "log_failed", str(error))
        if isinstance(happened, machine.BatchReceived) and happened.batch is not None:
            self._check_batch()
        for action in actions:
            self._do(action)

    def _check_batch(self) -> None:
        """Report whether the clock fits the authority's, and whether the batch is valid now."""
        ahead_s = self.device.clock_ahead_s
        if abs(ahead_s) <= CLOCK_ERROR_S:
            text = "this machine's clock agrees with the authority's"
            self._journal.right("clock", "clock_right", text)
        else:
            self._journal.wrong("clock", "clock_wrong", _clock_text(ahead_s))
        if self._exchange.has_token(self._clock()):
            self._journal.right("batch")
        else:
            self._journal.wrong("batch", "batch_not_valid", _BATCH_NOT_VALID)

    def _watch_the_clock(self, now: float) -> None:
        """Fetch a batch, and so compare the clocks, when this clock was set."""
        offset = now - asyncio.get_running_loop().time()
        before, self._offset = self._offset, offset
        if before is not None and abs(offset - before) > CLOCK_ERROR_S:
            self._do(machine.FetchBatch())

    def _put(self, happened: machine.Input) -> None:
        self._inbox.append(happened)
        self._awake.set()

    def _do(self, action: machine.Action) -> None:
        match action:
            case machine.Advertise(advertisement):
                self._tuner.advertise(advertisement)
            case machine.Scan() if self._peripheral_only:
                pass
            case machine.Scan(seconds):
                self.counts["scans"] += 1
                self._tuner.scan(seconds)
            case machine.Connect(peer):
                self._connection.connect(peer)
            case machine.ReadPayload(peer):
                self._connection.read(peer)
            case machine.WritePayload(peer, value):
                self._connection.write(peer, value)
            case machine.Disconnect(peer):
                self._connection.hang_up(peer)
            case machine.FetchBatch():
                if self._fetch_task is not None:
                    self._fetch_task.cancel()
                self._fetch_task = self._spawn(self._fetch_until_it_comes())
            case _:
                assert_never(action)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        if self._group is None:
            raise AssertionError("a node acts only while it runs")
        return self._group.create_task(work)

    async def _fetch_until_it_comes(self) -> None:
        self._fetch_backoff.reset()
        while True:
            try:
                batch = await self._fetch()
            except TraceTogetherError as error:
                self.counts["fetches_failed"] += 1
                self._journal.failed("authority", "fetch_failed", str(error))
                self._put(machine.BatchReceived(None))
            else:
                self.counts["batches"] += 1
                self._journal.worked("authority", "batch", "new TempIDs")
                self._put(machine.BatchReceived(batch))
                return
            await asyncio.sleep(self._fetch_backoff.next_s())


def _clock_text(ahead_s: float) -> str:
    side = "ahead of" if ahead_s > 0 else "behind"
    return (
        f"this machine's clock is {abs(ahead_s) / SECONDS_PER_MINUTE:,.0f} minutes {side} the "
        "authority's, or more: its TempIDs and what it hears have the wrong time, so the authority "
        "believes few of these contacts, or none. Set the clock (timedatectl set-ntp true)"
    )
