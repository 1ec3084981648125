"""Virtual phones on one air, for tests: who stands where, and who is running."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from bumble.transport.common import AsyncPipeSink

from simulations.radio.channel import direct_loss_db
from tracetogether.adapters.bumble_radio import BumbleHabits, open_controller
from tracetogether.adapters.bumble_radio.virtual_air import Air, AirController
from tracetogether.bluetrace.batch import TempIDBatch
from tracetogether.bluetrace.handshake import PROFILE, BlueTraceExchange
from tracetogether.bluetrace.tempid import TempIDIssuer
from tracetogether.contactlog import ContactLog, MemoryContactLog
from tracetogether.errors import UnreachableError
from tracetogether.exchange import Exchange
from tracetogether.keyring import KeyRing
from tracetogether.node import Node, Pauses
from tracetogether.node.radio import LIMITS, Radio, Report
from tracetogether.parameters import BLUETRACE, TIMINGS, BlueTraceParameters, PhoneTimings

NOW = 1_590_000_000.0
TX_POWER_DBM = 0
SENSITIVITY_DBM = -100.0
BRISK = replace(
    TIMINGS,
    scan_s=0.6,
    scan_pause_min_s=0.05,
    scan_pause_max_s=0.25,
    connection_timeout_s=2.0,
    refresh_check_s=0.2,
    change_s=0.2,
)
"""A phone's rhythm, some fifty times as fast."""
HASTY = Pauses(
    radio_s=0.02,
    radio_most_s=0.1,
    fetch_s=0.02,
    fetch_most_s=0.1,
    peer_s=0.05,
    peer_most_s=0.4,
    look_up_s=0.2,
)


def clock() -> float:
    """Return epoch seconds of the event loop's time, which is not this machine's date."""
    return NOW + asyncio.get_running_loop().time() % 1e5


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what asyncio and bumble logged as errors: exceptions that nobody handled."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelno >= logging.ERROR
        # bumble says so when both ends hang up at the same moment
        and "Unknown disconnection handle" not in record.getMessage()
    ]


class Room:
    """Phones at places on a line, in metres, by name; they may move."""

    def __init__(self, places: dict[str, float] | None = None) -> None:
        self.places = places or {}

    def level_dbm(self, sender: str, receiver: str) -> float | None:
        distance_m = abs(self.places.get(sender, 0.0) - self.places.get(receiver, 0.0))
        loss_db = direct_loss_db(np.array([max(distance_m, 0.1)]), 10.0, 3.0)[0]
        level = TX_POWER_DBM - float(loss_db)
        return level if level >= SENSITIVITY_DBM else None


def air(room: Room | None = None, *, loss: float = 0.0, seed: int = 1, **how: Any) -> Air:
    room = room or Room()
    chance = np.random.default_rng(seed).random
    return Air(room.level_dbm, loss=loss, chance=chance, **how)


def opener(controller: AirController, **how: Any) -> Callable[[Report], Awaitable[Radio]]:
    """Return what opens the radio of a virtual controller."""
    profile = how.pop("profile", PROFILE)
    limits = how.pop("limits", LIMITS)
    now = how.pop("now", clock)
    habits = BumbleHabits(**{"advertise_every_s": 0.05, "tx_power_dbm": TX_POWER_DBM, **how})

    async def open_radio(report: Report) -> Radio:
        sink = AsyncPipeSink(controller)
        return await open_controller(
            controller, sink, profile, report, habits=habits, limits=limits, clock=now
        )

    return open_radio


class Issuing:
    """The authority's issuing, without a network between."""

    def __init__(self, parameters: BlueTraceParameters = BLUETRACE) -> None:
        self.parameters = parameters
        self.issuer = TempIDIssuer(KeyRing.generate(NOW - 86_400), parameters=parameters)
        self.reachable = True
        self.owners: dict[str, str] = {}  # token -> name

    def batch(self, name: str, now: float, count: int = 8) -> TempIDBatch:
        user_id = name.ljust(28, "A")
        batch = self.issuer.issue(user_id, now, count)
        self.owners.update({tempid.text: name for tempid in batch})
        return batch

    def fetch(self, name: str) -> Callable[[], Awaitable[object]]:
        async def fetch() -> object:
            if not self.reachable:
                raise UnreachableError("the authority does not answer: this is a test")
            return self.batch(name, clock())

        return fetch


@dataclass
class Phone:
    """A running node and what belongs to it."""

    name: str
    node: Node
    log: ContactLog
    controller: AirController
    stop: asyncio.Event
    task: asyncio.Task[None] = field(init=False)


class World:
    """An air with phones."""

    def __init__(
        self, room: Room | None = None, parameters: BlueTraceParameters = BLUETRACE, **how: Any
    ) -> None:
        self.room = room or Room()
        self.air = air(self.room, **how)
        self.issuing = Issuing(parameters)
        self.phones: dict[str, Phone] = {}

    def start(
        self,
        name: str,
        *,
        log: ContactLog | None = None,
        timings: PhoneTimings = BRISK,
        open_radio: Callable[[Report], Awaitable[Radio]] | None = None,
        fetch: Callable[[], Awaitable[object]] | None = None,
        tell: Callable[[str, str], None] = lambda *_: None,
        now: Callable[[], float] = clock,
        pauses: Pauses = HASTY,
        note_later_scans: bool = False,
        peripheral_only: bool = False,
        exchange: Exchange | None = None,
        **how: Any,
    ) -> Phone:
        controller = self.air.controller(name)
        held = log if log is not None else MemoryContactLog()
        node = Node(
            exchange
            or BlueTraceExchange(
                model=f"model of {name}",
                organisation="SG_MOH",
                token_life_s=self.issuing.parameters.validity_s,
            ),
            held,
            open_radio=open_radio or opener(controller, **how),
            fetch=fetch or self.issuing.fetch(name),
            clock=now,
            chance=np.random.default_rng(len(self.phones)).random,
            timings=timings,
            pauses=pauses,
            note_later_scans=note_later_scans,
            peripheral_only=peripheral_only,
            tell=tell,
        )
        phone = Phone(name, node, held, controller, asyncio.Event())
        phone.task = asyncio.ensure_future(node.run(phone.stop))
        self.phones[name] = phone
        return phone

    def met(self) -> set[tuple[str, str]]:
        """Return the pairs (owner of a log, peer in it)."""
        owners = self.issuing.owners
        return {
            (phone.name, owners[row.peer])
            for phone in self.phones.values()
            for row in phone.log.rows()
            if row.peer in owners
        }

    async def stop(self) -> None:
        for phone in self.phones.values():
            phone.stop.set()
        await asyncio.gather(*(phone.task for phone in self.phones.values()))


@asynccontextmanager
async def world(room: Room | None = None, **how: Any) -> AsyncIterator[World]:
    """Run a world and stop it in the end."""
    running = World(room, **how)
    try:
        yield running
    finally:
        await running.stop()


async def until(holds: Callable[[], bool], within_s: float = 10.0) -> None:
    """Wait until something holds, or fail."""
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110 - what tests wait for has no event
            await asyncio.sleep(0.005)
