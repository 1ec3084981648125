"""One phone as a SimPy process around ``tracetogether.device``: its radio, links and fetches.

The device returns actions, and this module carries them out. An event is a deadline, a received
advertisement, or a step of a connection.
"""

from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import replace
from functools import partial
from math import isnan
from typing import Any, assert_never

import simpy

from simulations.fidelities.air import IN_FRONT, Reception, SimulatedAir
from simulations.fidelities.players import Crowd, PhoneResults
from simulations.phones.link_steps import (
    CONNECT_S,
    FETCH_S,
    HANG_UP_S,
    IOS_ADDRESS_S,
    LEAST_WAIT_S,
    ORGANISATION,
    READ_S,
    STALE_S,
    SUPERVISION_S,
    WRITE_S,
    Purpose,
)
from simulations.phones.over_connections import OverConnections
from simulations.phones.phone_states import live_states
from simulations.phones.phones import CrowdPhones
from simulations.phones.protocols import PROTOCOLS, radio_of
from simulations.phones.radios import System
from simulations.phones.tempids import TempIDSource
from simulations.phones.token_sources import TokenSource
from simulations.radio.channel import Channel
from simulations.settings.keys import PhoneKeys
from simulations.streams import CountedChance, Streams
from tracetogether import device as machine
from tracetogether.bluetrace.batch import TempIDBatch
from tracetogether.bluetrace.handshake import BlueTraceExchange
from tracetogether.contactlog import MemoryContactLog
from tracetogether.errors import UnreachableError
from tracetogether.exchange import Advertisement, Exchange, Heard
from tracetogether.rejection import Rejection


def handle(person: int, turn: int = 0) -> str:
    """Return a phone's ``turn``-th Bluetooth address, in the form ``phone:PERSON:TURN``."""
    return f"phone:{person}:{turn}"


class ObjectPhone:
    """A phone that runs the app.

    Args:
        env: SimPy's clock, in epoch seconds.
        person: who carries it.
        user_id: as the authority registered it.
        begin_s: epoch seconds of the start of the run; the air counts from there.
        phones, air, streams: the run's phones, radio and random draws.
        source: issues the TempIDs.
        on_time: called with the time before every fetch.
        phones_by_person: person -> phone; complete before the clock starts.
        habits: the scenario's settings of phones and owners.
        tokens: the tokens of another protocol; None for BlueTrace.
        listens: False for the device of a place, which never scans.
        organisation: the authority that issues the TempIDs.

    Attributes:
        log: the contact log.
        counts: name -> number of events.
    """

    def __init__(
        self,
        env: simpy.Environment,
        person: int,
        user_id: str,
        *,
        begin_s: float,
        phones: CrowdPhones,
        air: SimulatedAir,
        streams: Streams,
        source: TempIDSource,
        on_time: Callable[[float], None] | None,
        phones_by_person: dict[int, "ObjectPhone"],
        habits: PhoneKeys = IN_FRONT,
        tokens: TokenSource | None = None,
        listens: bool = True,
        organisation: str = ORGANISATION,
    ) -> None:
        self._listens = listens
        self.person = person
        self.user_id = user_id
        self.log = MemoryContactLog(int(PROTOCOLS[habits.protocol].retention_s))
        self.counts: Counter[str] = Counter()
        self._env = env
        self._begin_s = begin_s
        self._phones = phones
        self._air = air
        self._source = source
        self._on_time = on_time
        self._phones_by_person = phones_by_person
        self._system = System(int(phones.system[person]))
        self._habits = habits
        self._radio = radio_of(habits)
        timings = self._radio.timings[self._system]
        if habits.reconnect_s:
            timings = replace(timings, blacklist_s=habits.reconnect_s)
        chance = CountedChance(streams.noise("handset"), person)
        period_s = timings.scan_s + timings.scan_pause_max_s
        self._exchange: Exchange = BlueTraceExchange(
            model=phones.model[person],
            organisation=organisation,
            entropy=streams.entropy("handset", person),
        )
        if tokens is not None:
            said = tokens.exchange(person, phones.model[person], lambda: env.now)
            connects = self._radio.connects
            self._exchange = OverConnections(self._exchange, said, tokens) if connects else said
        self.device = machine.Device(
            self._exchange,
            self.log,
            start=begin_s + chance.next() * period_s,  # phones are not in step
            timings=timings,
            chance=chance.next,
            note_later_scans=habits.later_scans,
        )
        self._link = 0  # number of the connection that this phone opened last
        self._linked_to: int | None = None
        self._name = ""  # address of the phone at the other end
        self._turn = 0  # number of its own address
        self._token: tuple[bytes | None, bytes] | None = None  # shown last
        self._wake = env.event()
        self._waiting_until = begin_s
        env.process(self._live())

    def take(self, happened: machine.Input) -> None:
        """Pass an input to the device and carry out its actions."""
        for action in self.device.receive(happened, now=self._env.now):
            self._do(action)
        if self.device.next_deadline < self._waiting_until and not self._wake.triggered:
            self._wake.succeed()

    def _live(self) -> Generator[simpy.Event, Any, None]:
        while True:
            wait_s = self.device.next_deadline - self._env.now
            if wait_s <= 0:
                self._waiting_until = self._env.now
                self.take(machine.DeadlinePassed())
                continue
            self._waiting_until = self.device.next_deadline
            self._wake = self._env.event()
            yield self._env.timeout(max(wait_s, LEAST_WAIT_S)) | self._wake

    def _later(self, delay_s: float, what: Callable[[], None]) -> None:
        timer = self._env.timeout(delay_s)
        if timer.callbacks is None:
            raise AssertionError("a new timer has not gone off")
        timer.callbacks.append(lambda _: what())

    def _now_s(self) -> float:
        """Return seconds since the start of the run."""
        return self._env.now - self._begin_s

    def _span(self, peer: int, span_s: tuple[float, float], purpose: Purpose) -> float:
        low, high = span_s
        draw = self._air.chance(self.person, peer, self._now_s(), purpose)
        return low + (high - low) * draw

    def _do(self, action: machine.Action) -> None:
        match action:
            case machine.Advertise(advertisement):
                if advertisement is not None:
                    self._turn += self._renews_address(advertisement)
                self._air.show(self.person, advertisement)
            case machine.Scan():
                self._scan()
            case machine.Connect(peer):
                self._name = peer
                self._connect(_person(peer))
            case machine.ReadPayload(peer):
                self._read(_person(peer))
            case machine.WritePayload(peer, value):
                self._write(_person(peer), value)
            case machine.Disconnect(peer):
                self._hang_up(_person(peer))
            case machine.FetchBatch():
                delay_s = self._span(self.person, FETCH_S, Purpose.FETCH_S)
                self._later(delay_s, self._fetch)
            case _:
                assert_never(action)

    def _scan(self) -> None:
        now_s = self._now_s()
        if not (self._listens and self._air.is_on(self.person)):
            return
        self.counts["scans"] += 1
        for reception in self._air.listen(self.person, now_s):
            self._later(max(reception.at_s - now_s, 0.0), partial(self._hear, reception))

    def _renews_address(self, advertisement: Advertisement) -> bool:
        """Return whether a phone shows this under a new address.

        Where the system broadcasts tokens, an address goes with its token. Otherwise an Android
        takes a new one each time that an app starts to advertise.
        """
        if self._radio.connects:
            return self._system is System.ANDROID
        before, self._token = self._token, advertisement.token
        return before != self._token

    def address(self) -> str:
        """Return this phone's current Bluetooth address."""
        if not self._radio.connects:
            return handle(self.person, self._turn)
        if not self._habits.rotating_addresses:
            return handle(self.person)
        if self._system is System.IOS:
            return handle(self.person, int(self._now_s() // IOS_ADDRESS_S))
        return handle(self.person, self._turn)

    def readable(self) -> bytes | None:
        """Return the value that a central reads now."""
        if isinstance(self._exchange, OverConnections):
            return self._exchange.value(self._env.now)
        return self._air.served[self.person]

    def _hear(self, reception: Reception) -> None:
        shown = self._air.shown[reception.tx]
        if shown is None:  # it paused advertising in the meantime
            return
        self.counts["receptions"] += 1
        advertised = float(self._phones.advertised_dbm[reception.tx])
        tx_power_dbm = None if isnan(advertised) else advertised
        self.take(
            Heard(
                peer=self._phones_by_person[reception.tx].address(),
                rssi_dbm=reception.rssi_dbm,
                tx_power_dbm=tx_power_dbm,
                manufacturer_data=shown.manufacturer_data,
                service_data=shown.service_data,
            )
        )

    def _connect(self, peer: int) -> None:
        self.counts["connections_tried"] += 1
        self._link += 1
        system = System(int(self._phones.system[peer]))
        wait_s = self._radio.habits_of_system(system).advertise_every_s
        low, high = CONNECT_S
        delay_s = self._span(peer, (low, high + wait_s), Purpose.CONNECT_S)
        link = self._link
        self._later(delay_s, lambda: self._connected(peer, link))

    def _connected(self, peer: int, link: int) -> None:
        if link != self._link or not self._air.accepts(self.person, peer, self._now_s()):
            return  # it was given up or fails; the device's own time-out ends it
        self.counts["connections"] += 1
        self._linked_to = peer
        self._air.incoming[peer] += 1
        self._air.wake(peer, self._now_s())
        self._phones_by_person[peer].counts["served"] += 1
        self.take(machine.Connected(self._name))

    def _step(
        self,
        peer: int,
        span_s: tuple[float, float],
        purposes: tuple[Purpose, Purpose],
        then: Callable[[], None],
    ) -> None:
        """Call ``then`` after a step of the link, unless the link is lost before."""
        through, duration = purposes
        link = self._link
        now_s = self._now_s()
        if self._air.reachable(self.person, peer, now_s) < self._air.chance(
            self.person, peer, now_s, through
        ):
            self.counts["links_lost"] += 1
            self._later(SUPERVISION_S, lambda: self._dropped(peer, link))
            return

        def done() -> None:
            if link == self._link and self._linked_to == peer:
                then()

        self._later(self._span(peer, span_s, duration), done)

    def _read(self, peer: int) -> None:
        def done() -> None:
            value = self._phones_by_person[peer].readable()
            self.take(machine.PayloadRead(self._name, value))

        self._step(peer, READ_S, (Purpose.READ, Purpose.READ_S), done)

    def _write(self, peer: int, value: bytes) -> None:
        def done() -> None:
            self._phones_by_person[peer].take(machine.PayloadWritten(self.address(), value))
            self.take(machine.WriteDone(self._name, ok=True))

        self._step(peer, WRITE_S, (Purpose.WRITE, Purpose.WRITE_S), done)

    def _hang_up(self, peer: int) -> None:
        link = self._link
        delay_s = self._span(peer, HANG_UP_S, Purpose.HANG_UP_S)
        self._later(delay_s, lambda: self._dropped(peer, link))

    def _dropped(self, peer: int, link: int) -> None:
        if link != self._link:
            return
        self._link += 1  # ignores all pending steps of this link
        if self._linked_to == peer:
            self._linked_to = None
            self._air.incoming[peer] -= 1
        self.take(machine.Disconnected(self._name))

    def _fetch(self) -> None:
        self.counts["fetches"] += 1
        if self._on_time is not None:
            self._on_time(self._env.now)
        try:
            batch = self._source.batch(self.user_id, self._env.now)
        except UnreachableError:
            self.counts["fetches_failed"] += 1
            self.take(machine.BatchReceived(None))
            return
        if self._habits.stale_tempid and self._system is System.IOS:
            batch = stale(batch)
        self.take(machine.BatchReceived(batch))


def stale(batch: TempIDBatch) -> TempIDBatch:
    """Return the batch as the reference iPhone app uses it: the first TempID, for 12 hours."""
    first = batch.tempids[0]
    return TempIDBatch((replace(first, expiry=first.start + STALE_S),), batch.refresh_at)


def _person(peer: str) -> int:
    return int(peer.split(":")[1])


class ObjectPhones:
    """All phones of a run, an object each.

    Args:
        crowd: people and their phones.
        env: SimPy's clock, at the beginning.
        source: issues the TempIDs.
        on_time: called with the time before every fetch.
    """

    def __init__(
        self,
        crowd: Crowd,
        env: simpy.Environment,
        source: TempIDSource,
        on_time: Callable[[float], None] | None,
    ) -> None:
        keys, streams = crowd.scenario, crowd.streams
        channel = Channel(
            crowd.tracks, crowd.phones, keys.channel, streams, crowd.venue.walls, crowd.people
        )
        air = SimulatedAir(
            channel, crowd.tracks, crowd.phones, crowd.app, keys.channel, streams, keys.phones
        )
        self._all: dict[int, ObjectPhone] = {}
        self._listening = crowd.listening.tolist()
        for person in crowd.app.tolist():
            self._all[person] = ObjectPhone(
                env,
                person,
                crowd.user_ids[person],
                begin_s=crowd.start,
                phones=crowd.phones,
                air=air,
                streams=streams,
                source=source,
                on_time=on_time,
                phones_by_person=self._all,
                habits=keys.phones,
                tokens=crowd.tokens,
                listens=person < crowd.people,
                organisation=crowd.homes[person],
            )
        env.process(live_states(env, crowd.changes, crowd.start, air.change))

    def outcome(self) -> PhoneResults:
        """Return the results at the end of the run."""
        counts: Counter[str] = Counter()
        rejections: Counter[Rejection] = Counter()
        phones = {person: self._all[person] for person in self._listening}
        for phone in phones.values():
            phone.device.write_waiting()
            counts.update(phone.counts)
            rejections.update(phone.device.rejections)
        counts["records"] = sum(len(phone.log) for phone in phones.values())
        return PhoneResults(
            logs={person: phone.log for person, phone in phones.items()},
            counts=dict(sorted(counts.items())),
            per_phone={person: dict(phone.counts) for person, phone in phones.items()},
            rejections=dict(rejections),
        )
