"""One run of the checks of a phone: on a virtual link, at an adapter, or on our own node."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

from bumble.transport import open_transport
from bumble.transport.common import AsyncPipeSink, Transport, TransportSpecError

from tracetogether.conformance.checklist import Verdict
from tracetogether.conformance.own_phone import LEVEL_DBM, own_phone, virtual_air
from tracetogether.conformance.peer_bench import PeerBench, PeerSettings
from tracetogether.conformance.peer_checks import PEER_CHECKS, run_peer_checks
from tracetogether.errors import RadioError
from tracetogether.exchange import RadioProfile

_OWN_REST_S: Final = 3.0


async def checked_peer(
    profile: RadioProfile,
    *,
    attach: str | None,
    radio: str | None,
    wait_s: float,
    tell: Callable[[str], None],
    rest_s: float | None = None,
) -> Verdict:
    """Run all checks of a phone.

    Args:
        profile: UUIDs of its build.
        attach: transport at which the phone's host finds a virtual controller.
        radio: transport of an adapter for the scripted phone. Without both, our own node is
            checked.
        wait_s: how long the phone may take to be heard, or to connect, seconds.
        tell: takes what the person who tests should know.
        rest_s: how long to watch that the phone does not connect again, seconds. None: 30 s, and
            3 s for our own node.

    Raises:
        RadioError: a transport or an adapter can't be opened.
    """
    settings = PeerSettings(profile, wait_s=wait_s)
    if rest_s is not None:
        settings = replace(settings, rest_s=rest_s)
    if radio is not None:
        async with _opened(radio) as adapter:
            return await _checked(PeerBench(adapter.source, adapter.sink, settings))
    air = virtual_air()
    settings = replace(settings, level_dbm=LEVEL_DBM)
    scripted = air.controller("scripted phone")
    if attach is None:
        brisk = settings if rest_s is not None else replace(settings, rest_s=_OWN_REST_S)
        async with own_phone(air, profile):
            return await _checked(PeerBench(scripted, AsyncPipeSink(scripted), brisk))
    async with _opened(attach) as host:
        air.controller("phone under test", host.source, host.sink)
        tell(f"A virtual controller waits at {attach}: attach the phone's host to it")
        return await _checked(PeerBench(scripted, AsyncPipeSink(scripted), settings))


async def _checked(bench: PeerBench) -> Verdict:
    logging.getLogger("bumble.smp").setLevel(logging.ERROR)  # it warns of pairing that is refused
    await bench.power_on()
    try:
        return await run_peer_checks(PEER_CHECKS, bench)
    finally:
        await bench.close()


@asynccontextmanager
async def _opened(transport: str) -> AsyncIterator[Transport]:
    """Open one of bumble's transports while the body runs.

    Raises:
        RadioError: there is no such transport, or it can't be opened.
    """
    try:
        opened = await open_transport(transport)
    except TransportSpecError:
        msg = (
            f"there is no kind of transport called {transport}: say tcp-server:127.0.0.1:6402, "
            "usb:0 or serial:/dev/ttyACM0"
        )
        raise RadioError(msg) from None
    except Exception as error:  # noqa: BLE001 - each transport raises its library's own
        msg = f"can't open {transport} ({type(error).__name__}): is it there, and not in use?"
        raise RadioError(msg) from None
    try:
        yield opened
    finally:
        await opened.close()
        server = getattr(opened, "server", None)
        if server is not None:  # a listening socket, which bumble leaves open
            server.close()
