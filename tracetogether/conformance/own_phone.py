"""This library's own node on a virtual link: a phone to try the checks on, without hardware."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

from bumble.transport.common import AsyncPipeSink

from tracetogether.adapters.bumble_radio import BumbleHabits, open_controller
from tracetogether.adapters.bumble_radio.virtual_air import Air
from tracetogether.bluetrace.handshake import BlueTraceExchange
from tracetogether.bluetrace.tempid import TempIDIssuer, new_user_id
from tracetogether.contactlog import MemoryContactLog
from tracetogether.exchange import RadioProfile
from tracetogether.keyring import KeyRing
from tracetogether.node import Node
from tracetogether.node.radio import Radio, Report
from tracetogether.parameters import TIMINGS
from tracetogether.units import SECONDS_PER_DAY

LEVEL_DBM: Final = -60.0
"""Level of each phone at the other, on the virtual link."""
_BRISK: Final = replace(TIMINGS, scan_s=1.0, scan_pause_min_s=0.1, scan_pause_max_s=0.3)
_BATCH: Final = 4


def virtual_air() -> Air:
    """Return an air in which all phones hear each other at one level."""
    return Air(lambda _sender, _receiver: LEVEL_DBM, chance=_chance)


def _chance() -> float:
    return secrets.randbelow(1 << 32) / (1 << 32)


@asynccontextmanager
async def own_phone(air: Air, profile: RadioProfile) -> AsyncIterator[Node]:
    """Run a node of this library on ``air`` while the body runs.

    It scans all the time, so that the checks do not wait for it. All other timings are a phone's.
    """
    controller = air.controller("own phone")
    now = time.time()  # noqa: TID251 - a phone on this machine's clock
    issuer = TempIDIssuer(KeyRing.generate(now - SECONDS_PER_DAY))
    user_id = new_user_id()

    async def open_radio(report: Report) -> Radio:
        sink = AsyncPipeSink(controller)
        habits = BumbleHabits(advertise_every_s=0.1, tx_power_dbm=0)
        return await open_controller(controller, sink, profile, report, habits=habits)

    async def fetch() -> object:
        return issuer.issue(user_id, now - 60, _BATCH)

    node = Node(
        BlueTraceExchange(model="own phone", organisation="SG_MOH"),
        MemoryContactLog(),
        open_radio=open_radio,
        fetch=fetch,
        clock=time.time,  # noqa: TID251
        chance=_chance,
        timings=_BRISK,
    )
    stop = asyncio.Event()
    running = asyncio.ensure_future(node.run(stop))
    try:
        yield node
    finally:
        stop.set()
        await running
        controller.leave()
