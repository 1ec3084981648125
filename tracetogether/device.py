"""A phone as one machine: inputs in, actions out, next deadline.

It never waits, sleeps or sends. A driver (a simulated person, a virtual or a real radio)
passes in what happened and carries out the actions that come back::

    actions = device.receive(Heard("aa:bb", rssi_dbm=-61), now=now)
    ...
    actions = device.receive(DeadlinePassed(), now=device.next_deadline)

Timings are those of the reference phones (parameters.PhoneTimings); the
protocol spoken comes in as an ``Exchange``.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import inf
from typing import Final, assert_never

from tracetogether.contactlog import ContactLog
from tracetogether.errors import LocalProtocolError, StoreError
from tracetogether.exchange import Advertisement, Exchange, Heard, LinkEvent, LinkState, Step
from tracetogether.known_addresses import KnownAddresses
from tracetogether.parameters import TIMINGS, PhoneTimings
from tracetogether.rejection import Rejection
from tracetogether.sighting_writer import SightingWriter
from tracetogether.sightings import Sighting
from tracetogether.units import SECONDS_PER_DAY, is_rssi, is_transmit_power

_MAX_PEERS: Final = 4_096  # bounds what a thousand made-up peers a second can cost
_CLOCK_SET_BACK_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Connected:
    """The connection that was asked for stands."""

    peer: str


@dataclass(frozen=True, slots=True)
class PayloadRead:
    """The peer's value was read; None if that failed."""

    peer: str
    value: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class WriteDone:
    """The peer confirmed or refused what was written to it."""

    peer: str
    ok: bool


@dataclass(frozen=True, slots=True)
class PayloadWritten:
    """A central wrote its value to this phone."""

    peer: str
    value: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection ended, or never came about."""

    peer: str


@dataclass(frozen=True, slots=True)
class DeadlinePassed:
    """``next_deadline`` has come."""


@dataclass(frozen=True, slots=True)
class BatchReceived:
    """New tokens arrived; None if fetching them failed."""

    batch: object | None = field(repr=False)


Input = (
    Heard
    | Connected
    | PayloadRead
    | WriteDone
    | PayloadWritten
    | Disconnected
    | DeadlinePassed
    | BatchReceived
)


@dataclass(frozen=True, slots=True)
class Advertise:
    """Show this from now on; None: show nothing."""

    advertisement: Advertisement | None


@dataclass(frozen=True, slots=True)
class Scan:
    """Listen for the service for so long."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Connect:
    """Open a connection."""

    peer: str


@dataclass(frozen=True, slots=True)
class ReadPayload:
    """Read the peer's value."""

    peer: str


@dataclass(frozen=True, slots=True)
class WritePayload:
    """Write this to the peer."""

    peer: str
    value: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Disconnect:
    """End the connection."""

    peer: str


@dataclass(frozen=True, slots=True)
class FetchBatch:
    """Fetch new tokens from the authority."""


Action = Advertise | Scan | Connect | ReadPayload | WritePayload | Disconnect | FetchBatch


@dataclass(slots=True)
class _Connection:
    """The one connection that this phone opened."""

    heard: Heard
    heard_at: float
    state: LinkState
    deadline: float
    changes: int  # of the token before it was opened


class Device:
    """A phone that advertises, scans, exchanges payloads and keeps a contact log.

    Args:
        exchange: the protocol's side of it.
        log: where sightings go.
        start: epoch seconds of its first deadline.
        timings: when to scan, advertise and give up.
        chance: uniform numbers in [0, 1), for the pause between scans.
        note_later_scans: also record the level of later advertisements of an address whose token is
            known from an exchange, while that token can be valid.

    Attributes:
        next_deadline: when ``DeadlinePassed`` is wanted next.
        rejections: messages that were not believed, by reason.
        clock_ahead_s: by how much this phone's clock is ahead of the authority's, at least, as
            of the last batch; below 0: behind. 0 where they may be the same.
    """

    def __init__(
        self,
        exchange: Exchange,
        log: ContactLog,
        *,
        start: float,
        timings: PhoneTimings = TIMINGS,
        chance: Callable[[], float],
        note_later_scans: bool = False,
    ) -> None:
        self.rejections: Counter[Rejection] = Counter()
        self.clock_ahead_s = 0.0
        self._known: KnownAddresses[str, str, Sighting] | None = None
        if note_later_scans:
            self._known = KnownAddresses(life_s=exchange.token_life_s, every_s=timings.later_scan_s)
        self._exchange = exchange
        self._conversation = exchange.conversation
        self._writer = SightingWriter(log)
        self._timings = timings
        self._chance = chance
        self._now = start
        self._advertise_at = start
        self._advertise_until = start
        self._expiry: float | None = None  # of what is on the air; None: nothing is
        self._change_at = start  # from then on another token is shown, not another part of it
        self._quiet_until = start  # the token changes: who is connected to sees one address change
        self._changes = 0
        self._token_ends = inf  # of the token shown last
        self._scan_at = start
        self._renew_at = start
        self._purge_at = start
        self._fetching = False
        self._queue: dict[str, tuple[float, Heard]] = {}  # newest last
        self._rest_until: dict[str, float] = {}  # peers not to be recorded again yet
        self._link: _Connection | None = None

    @property
    def store_error(self) -> StoreError | None:
        """Why the contact log can't be written just now, None while it can."""
        return self._writer.store_error

    @property
    def next_deadline(self) -> float:
        """Epoch seconds at which ``DeadlinePassed`` is wanted."""
        radio = (
            self._advertise_at if self._expiry is None else min(self._advertise_until, self._expiry)
        )
        times = [radio, self._scan_at, self._renew_at, self._purge_at]
        if self._link is not None:
            times.append(self._link.deadline)
        return min(times)

    def receive(self, happened: Input, *, now: float) -> tuple[Action, ...]:
        """Take in what happened at ``now``; return what to do, in order.

        Raises:
            LocalProtocolError: the driver reports what can't have happened.
        """
        self._mind_the_clock(now)
        match happened:
            case Heard():
                return self._heard(happened, now)
            case Connected(peer):
                return self._linked(peer, LinkEvent.CONNECTED, now)
            case PayloadRead(peer, value):
                return self._read(peer, value, now)
            case WriteDone(peer, ok):
                event = LinkEvent.WRITE_DONE if ok else LinkEvent.WRITE_FAILED
                return self._linked(peer, event, now)
            case PayloadWritten(peer, value):
                if self._conversation is None:
                    raise LocalProtocolError("a phone that only broadcasts can't be written to")
                self._rest(peer, now)  # both sides have a record now
                self._queue.pop(peer, None)
                self._learn(peer, self._conversation.written(value, now=now))
                return ()
            case Disconnected(peer):
                return self._linked(peer, LinkEvent.DISCONNECTED, now)
            case DeadlinePassed():
                return self._deadline(now)
            case BatchReceived(batch):
                self._fetching = False
                if batch is None:
                    return ()
                self._exchange.renew(batch)
                self._compare_clocks(batch, now)
                # A batch that is no use now (a wrong clock) is not asked for again at once.
                return self._advertise(now, ask=False) if self._expiry is None else ()
            case _:
                assert_never(happened)

    def _mind_the_clock(self, now: float) -> None:
        """Move all deadlines along when the clock was set back."""
        leap = now - self._now
        self._now = now
        if leap >= -_CLOCK_SET_BACK_S:
            return
        self._advertise_at += leap
        self._advertise_until += leap
        self._scan_at += leap
        self._renew_at = self._purge_at = now
        self._quiet_until = min(self._quiet_until + leap, now)
        self._token_ends = now
        self._rest_until = {peer: until + leap for peer, until in self._rest_until.items()}
        self._queue.clear()
        if self._known:
            self._known.clear()  # when the tokens began is not known any more
        if self._expiry is not None:
            self._expiry = self._change_at = now  # it may not be valid now: renew it at once
        if self._link is not None:
            self._link.deadline += leap

    def _compare_clocks(self, batch: object, now: float) -> None:
        """Compare the clock with the authority's: where they agree, the log may believe it."""
        least, most = self._exchange.ahead_s(batch, now)
        self.clock_ahead_s = max(least, 0.0) + min(most, 0.0)
        if max(-least, most) < SECONDS_PER_DAY:
            self._writer.purge(now, confirmed=True)

    def _deadline(self, now: float) -> tuple[Action, ...]:
        actions: list[Action] = []
        if self._link is not None and now >= self._link.deadline:
            actions += self._linked(self._link.heard.peer, LinkEvent.TIMED_OUT, now)
        if now >= self._purge_at:
            self._purge_at = now + self._timings.purge_every_s
            self._writer.purge(now)
        self._writer.write_waiting()
        if now >= self._renew_at:
            self._renew_at = now + self._timings.refresh_check_s
            self._fetching = False  # an answer this late is not coming
            if self._exchange.renewal_due(now):
                actions += self._fetch()
        if self._expiry is None:
            if now >= self._advertise_at:
                actions += self._advertise(now)
        elif now >= self._advertise_until:
            self._expiry = None
            self._advertise_at = now + self._timings.advertise_gap_s
            actions.append(Advertise(None))
        elif now >= self._expiry:
            another = now >= self._change_at
            actions += self._change(now) if another else self._advertise(now, self._advertise_until)
        if now >= self._scan_at:
            low, high = self._timings.scan_pause_min_s, self._timings.scan_pause_max_s
            self._scan_at = now + self._timings.scan_s + low + self._chance() * (high - low)
            if self._known:
                self._known.forget_expired(now)
            actions.append(Scan(self._timings.scan_s))
        return tuple(actions)

    def _advertise(
        self, now: float, until: float | None = None, *, ask: bool = True
    ) -> tuple[Action, ...]:
        advertisement = self._exchange.advertisement(now)
        if advertisement is None:  # no valid token: never an expired one
            was_on = self._expiry is not None
            self._expiry = None
            self._advertise_at = now + self._timings.refresh_check_s
            stop: tuple[Action, ...] = (Advertise(None),) if was_on else ()
            return (*stop, *self._fetch()) if ask else stop
        change_s = self._timings.change_s
        if change_s and self._quiet_until <= self._token_ends <= now:
            return self._change(now)  # the token before ended while nothing was shown
        self._token_ends = advertisement.ends
        near = advertisement.ends - change_s < now + self._timings.advertise_s
        early_s = change_s * self._chance() if change_s and near else 0.0
        self._change_at = advertisement.ends - early_s
        self._expiry = min(advertisement.expiry, self._change_at)
        if self._change_at <= now:
            return self._change(now)
        self._advertise_until = now + self._timings.advertise_s if until is None else until
        return (Advertise(advertisement),)

    def _change(self, now: float) -> tuple[Action, ...]:
        """Show the next token; after a silence, so that nobody sees when one replaces another.

        The old one went at a random moment before its end, the new one comes at a random moment
        after its beginning: neither is shown outside its time.
        """
        if not self._timings.change_s:
            return self._advertise(now, until=self._advertise_until)
        self._changes += 1
        self._expiry = None
        self._quiet_until = max(now, self._token_ends) + self._timings.change_s * self._chance()
        self._advertise_at = self._quiet_until
        return (Advertise(None),)

    def _fetch(self) -> tuple[Action, ...]:
        if self._fetching:
            return ()
        self._fetching = True
        return (FetchBatch(),)

    def _heard(self, heard: Heard, now: float) -> tuple[Action, ...]:
        if not is_rssi(heard.rssi_dbm):
            self.rejections[Rejection.INVALID_RSSI] += 1
            return ()
        if heard.tx_power_dbm is not None and not is_transmit_power(heard.tx_power_dbm):
            heard = replace(heard, tx_power_dbm=None)
        peer = heard.peer
        self._note(heard, now)
        if self._rest_until.get(peer, now) > now:
            return ()
        if self._link is not None and self._link.heard.peer == peer:
            return ()
        said = self._exchange.overheard(heard, now=now)
        if said is not None:
            self._rest(peer, now)
            self._keep(said)
            return ()
        if self._conversation is None:
            return ()
        self._queue.pop(peer, None)
        self._queue[peer] = (now, heard)
        while len(self._queue) > _MAX_PEERS:
            del self._queue[next(iter(self._queue))]
        return self._connect_next(now)

    def _connect_next(self, now: float) -> tuple[Action, ...]:
        """Connect to the peer heard last, if this phone is free and any still waits."""
        while self._link is None and self._queue and now >= self._quiet_until:
            peer, (since, heard) = self._queue.popitem()
            if now - since > self._timings.queue_max_s:
                self._queue.clear()  # the others waited even longer
                break
            deadline = now + self._timings.connection_timeout_s
            self._link = _Connection(heard, since, LinkState.CONNECTING, deadline, self._changes)
            return (Connect(peer),)
        return ()

    def _read(self, peer: str, value: bytes | None, now: float) -> tuple[Action, ...]:
        link, conversation = self._link, self._conversation
        if value is None:
            return self._linked(peer, LinkEvent.READ_FAILED, now)
        if (
            conversation is None
            or link is None
            or link.heard.peer != peer
            or link.state is not LinkState.READING
        ):
            return self._linked(peer, LinkEvent.VALUE_READ, now)
        actions = self._linked(peer, LinkEvent.VALUE_READ, now)
        read = conversation.read(
            value,
            now=now,
            rssi_dbm=link.heard.rssi_dbm,
            tx_power_dbm=link.heard.tx_power_dbm,
        )
        self._learn(peer, read, link.heard_at)
        return actions

    def _note(self, heard: Heard, now: float) -> None:
        """Record the level of a peer whose token is known from an earlier exchange."""
        known = self._known.due(heard.peer, now) if self._known else None
        if known is not None:
            noted = replace(known, time=now, rssi_dbm=heard.rssi_dbm, as_central=True)
            self._writer.hold(replace(noted, tx_power_dbm=heard.tx_power_dbm))

    def _learn(self, peer: str, said: Sighting | Rejection, heard_at: float | None = None) -> None:
        """Record what an exchange said and learn from it; see KnownAddresses.learn."""
        known = self._known
        if known is None or not isinstance(said, Sighting):
            self._keep(said)
        elif not known.recorded(peer, said.peer, heard_at) and self._keep(said):
            known.learn(peer, said.peer, said, said.time, heard_at)

    def _linked(self, peer: str, event: LinkEvent, now: float) -> tuple[Action, ...]:
        """Let the protocol's table decide the next step of the connection to ``peer``."""
        link, conversation = self._link, self._conversation
        if conversation is None or link is None or link.heard.peer != peer:
            # News of a connection already given up; one that only now came about must go.
            return (Disconnect(peer),) if event is LinkEvent.CONNECTED else ()
        following = conversation.transitions.get((link.state, event))
        if following is None:
            msg = f"{event.name} can't happen to a connection that is {link.state.name}"
            raise LocalProtocolError(msg)
        link.state, step = following
        match step:
            case Step.READ:
                return (ReadPayload(peer),)
            case Step.WRITE:
                # A connection has one address: with the next token it would tie both tokens.
                same = link.changes == self._changes
                value = conversation.message(now, link.heard.rssi_dbm) if same else None
                if value is None:
                    if event is LinkEvent.VALUE_READ:
                        self._rest(peer, now)  # there is no more to be had, and nothing to give
                    return self._linked(peer, LinkEvent.WRITE_FAILED, now)
                return (WritePayload(peer, value),)
            case Step.HANG_UP:
                if event is LinkEvent.WRITE_DONE:
                    self._rest(peer, now)
                link.deadline = now + self._timings.connection_timeout_s
                return (Disconnect(peer),)
            case Step.WAIT:
                return ()
            case Step.FINISH:
                self._link = None
                return self._connect_next(now)
            case _:
                assert_never(step)

    def _rest(self, peer: str, now: float) -> None:
        """Record nothing more of ``peer``, and do not connect to it, for a while."""
        self._rest_until.pop(peer, None)
        self._rest_until[peer] = now + self._timings.blacklist_s
        while self._rest_until:  # the oldest come first
            oldest = next(iter(self._rest_until))
            if len(self._rest_until) <= _MAX_PEERS and self._rest_until[oldest] > now:
                break
            del self._rest_until[oldest]

    def _keep(self, heard: Sighting | Rejection) -> bool:
        """Record a sighting, or count a rejection; return whether it was a sighting."""
        if isinstance(heard, Sighting) and not self._writer.write(heard):
            heard = Rejection.IMPLAUSIBLE
        if isinstance(heard, Rejection):
            self.rejections[heard] += 1
            return False
        return True

    def write_waiting(self) -> None:
        """Write the sightings to the log that wait in memory; to be called at the end."""
        self._writer.write_waiting()
