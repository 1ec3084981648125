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
from tracetogether.parameters import CLOCK_ERROR_S, TIMINGS, PhoneTimings
from tracetogether.radio import Link, OpenRadio, Radio, RadioRole
from tracetogether.units import SECONDS_PER_MINUTE

_MAX_HEARD: Final = 4_096  # peers heard and not yet handed in; the oldest give way
_MAX_SHUNNED: Final = 4_096  # peers that exchanges failed with; the oldest are forgotten
_MAX_WRITTEN: Final = 256  # values written by others and not yet handed in; later ones are lost

_BATCH_NOT_VALID: Final = """none of the TempIDs just fetched is valid now by this machine's \
clock: nothing is advertised, and nobody hears this node"""

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
        tell: takes events: radio_lost, radio_back, advertising_refused, advertising_back,
            scanning_refused, scanning_back, fetch_failed, batch, batch_not_valid, clock_wrong,
            clock_right, log_failed.

    Attributes:
        device: the machine.
        counts: what happened, by name.
        troubles: what is wrong now and what follows from it, by what it is about.
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
        tell: Tell = lambda _event, _text: None,
    ) -> None:
        self.device = machine.Device(exchange, log, start=clock(), timings=timings, chance=chance)
        self.counts: Counter[str] = Counter()
        self.troubles: dict[str, str] = {}
        self._exchange = exchange
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
        self._roles = (
            RadioRole("advertising", "others do not hear this node; it goes on scanning"),
            RadioRole("scanning", "this node does not hear others; it goes on advertising"),
        )
        self._reopen_s = pauses.radio_s
        self._offset: float | None = None  # of the clock from the loop's own time
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
            for role in self._roles:
                role.rest()
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
                self._watch_the_clock(now)
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
        if trouble is None:
            self.troubles.pop("log", None)
        else:
            self._trouble("log", "log_failed", str(trouble))
        if isinstance(happened, machine.BatchReceived) and happened.batch is not None:
            self._look_at_the_batch()
        for action in actions:
            self._do(action)

    def _trouble(self, about: str, event: str, text: str) -> None:
        """Keep what is wrong, and tell it when it begins."""
        begins = about not in self.troubles
        self.troubles[about] = text
        if begins:
            self._tell(event, text)

    def _look_at_the_batch(self) -> None:
        """Say whether the clock fits the authority's, and whether the batch is any use now."""
        ahead_s = self.device.clock_ahead_s
        if abs(ahead_s) <= CLOCK_ERROR_S:
            if self.troubles.pop("clock", None) is not None:
                self._tell("clock_right", "this machine's clock agrees with the authority's")
        else:
            self._trouble("clock", "clock_wrong", _clock_text(ahead_s))
        if self._exchange.has_token(self._clock()):
            self.troubles.pop("batch", None)
        else:
            self._trouble("batch", "batch_not_valid", _BATCH_NOT_VALID)

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
        """Make the adapter do what the device wants, and open it again when it fails.

        What it refuses from the start is tried again now and then, while it does the other.
        """
        advertising, scanning = self._roles
        shown: Advertisement | None = None
        scans = False
        while True:
            await self._untuned.wait()
            self._untuned.clear()
            if self._radio is None or self._broken:
                await self._reopen()
                shown, scans = None, False
            radio = self._radio
            if radio is None:
                raise AssertionError("it was opened above")
            wanted, on = self._shown, self._scanning
            if wanted is not shown and await self._command(
                advertising, partial(radio.advertise, wanted), begins=wanted is not None
            ):
                shown = wanted
            if on is not scans and await self._command(
                scanning, partial(radio.scan, on=on), begins=on
            ):
                scans = on

    async def _command(self, role: RadioRole, command: _Step, *, begins: bool) -> bool:
        """Let the adapter do something; return whether it did."""
        now = asyncio.get_running_loop().time()
        if self._broken or (begins and now < role.wait_until):
            return False
        try:
            async with asyncio.timeout(self._pauses.command_s):
                await command()
        except TimeoutError:
            self._lose("the Bluetooth adapter hangs")
        except RadioError as error:
            if role.works or any(other.refused for other in self._roles if other is not role):
                self._lose(str(error))
            else:
                self._refused(role, str(error))
        else:
            if begins:
                self._works(role)
            return True
        return False

    def _refused(self, role: RadioRole, why: str) -> None:
        """Try a role again later that the adapter has refused ever since it was opened."""
        self.counts[f"{role.name}_refused"] += 1
        role.pause_s = min(max(2 * role.pause_s, self._pauses.radio_s), self._pauses.radio_most_s)
        pause_s = self._jittered(role.pause_s)
        loop = asyncio.get_running_loop()
        role.wait_until = loop.time() + pause_s
        role.timer = loop.call_later(pause_s, self._untuned.set)
        text = f"{why}: {role.without}. It is tried again now and then"
        self._trouble(role.name, f"{role.name}_refused", text)

    def _works(self, role: RadioRole) -> None:
        role.works = True
        role.rest()
        self._reopen_s = self._pauses.radio_s
        if self.troubles.pop(role.name, None) is not None:
            self._tell(f"{role.name}_back", f"{role.name} works again")

    def _lose(self, why: str) -> None:
        self.counts["radio_lost"] += 1
        self.troubles["radio"] = why
        self._tell("radio_lost", why)
        self._broken = True
        self._untuned.set()

    async def _reopen(self) -> None:
        if self._radio is not None:
            await self._radio.close()
            self._radio = None
        while self._radio is None:
            await asyncio.sleep(self._jittered(self._reopen_s))
            self._reopen_s = min(2 * self._reopen_s, self._pauses.radio_most_s)
            with suppress(RadioError):
                self._radio = await self._open_radio(self.report)
        for role in self._roles:
            role.works = False
            role.rest()
        self._broken = False
        self.troubles.pop("radio", None)
        self._tell("radio_back", "the Bluetooth adapter is open again")

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
                self.troubles["authority"] = str(error)
                self._tell("fetch_failed", str(error))
                self._put(machine.BatchReceived(None))
            else:
                self.counts["batches"] += 1
                self.troubles.pop("authority", None)
                self._tell("batch", "new TempIDs")
                self._put(machine.BatchReceived(batch))
                return
            await asyncio.sleep(self._jittered(pause_s))
            pause_s = min(2 * pause_s, self._pauses.fetch_most_s)


def _clock_text(ahead_s: float) -> str:
    side = "ahead of" if ahead_s > 0 else "behind"
    return (
        f"this machine's clock is {abs(ahead_s) / SECONDS_PER_MINUTE:,.0f} minutes {side} the "
        "authority's, or more: its TempIDs and what it hears have the wrong time, so the authority "
        "believes few of these contacts, or none. Set the clock (timedatectl set-ntp true)"
    )


async def _after(before: asyncio.Task[None] | None, step: _Step) -> None:
    if before is not None:
        await asyncio.wait([before])
    await step()
