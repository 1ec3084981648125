"""Our central on bleak's own BleakScanner and BleakClient, against phones on bumble's stack.

bleak's front end, our adapter and bumble's host are real here; BlueZ has no part in it. It is also
what a system without the peripheral role does: a phone that listens, reads and writes, and shows
nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
from bleak import BleakClient, BleakScanner
from bumble import hci
from bumble.device import Device
from bumble.host import Host
from bumble.transport.common import AsyncPipeSink

from tests.bleak_on_bumble import client_on, scanner_on
from tests.leaping_loop import leap
from tests.radio_world import NOW, Issuing, Room, World, complaints, until, world
from tracetogether import device as machine
from tracetogether.adapters.bleak_radio import BleakRadio, Central
from tracetogether.bluetrace.handshake import PROFILE, BlueTraceExchange
from tracetogether.contactlog import MemoryContactLog
from tracetogether.errors import LinkError
from tracetogether.exchange import Heard
from tracetogether.node.radio import Radio, Report
from tracetogether.rejection import Rejection


@pytest.fixture(autouse=True)
def nothing_goes_unhandled(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert complaints(caplog) == []


@asynccontextmanager
async def host(here: World, name: str) -> AsyncIterator[Device]:
    """A device of bumble's for bleak to run on."""
    controller = here.air.controller(name)
    device = Device(
        name=name,
        address=hci.Address.generate_static_address(),
        host=Host(controller, AsyncPipeSink(controller)),
    )
    await device.power_on()
    try:
        yield device
    finally:
        await device.power_off()
        controller.leave()


class BlueZ(BleakScanner):
    """bleak's scanner on its BlueZ backend, without a bus: what BlueZ says is handed in."""

    async def start(self) -> None:
        """Begin; there is nothing to begin."""

    async def stop(self) -> None:
        """Stop; there is nothing to stop."""


def test_a_phone_that_bluez_knows_no_level_of_leaves_no_level_anywhere() -> None:
    """A phone that connects to this one has no RSSI in BlueZ, and bleak says -127."""
    heard: list[Heard] = []
    scanners: list[BlueZ] = []

    def scanner(**how: object) -> BlueZ:
        scanners.append(BlueZ(**how))  # type: ignore[arg-type]
        return scanners[-1]

    async def tell() -> None:
        await Central(PROFILE, heard.append, scanner=scanner).scan()  # type: ignore[arg-type]
        scanners[0]._backend._handle_advertising_data(  # type: ignore[attr-defined]
            "/org/bluez/hci0/dev_AA_BB_CC_00_00_01",
            {
                "Address": "AA:BB:CC:00:00:01",
                "AddressType": "random",
                "UUIDs": [PROFILE.service.lower()],
                "Connected": True,
                "Adapter": "/org/bluez/hci0",
                "Alias": "x",
            },
        )

    asyncio.run(tell())
    assert [reading.rssi_dbm for reading in heard] == [-127.0]
    log = MemoryContactLog()
    exchange = BlueTraceExchange(
        model="A", organisation="SG_MOH", batch=Issuing().batch("ann", NOW)
    )
    device = machine.Device(exchange, log, start=NOW, chance=lambda: 0.5)
    assert device.receive(heard[0], now=NOW + 1) == ()  # nor is this level reported to anybody
    assert device.rejections == {Rejection.INVALID_RSSI: 1}
    assert len(log) == 0


def central_on(device: Device, report: Report) -> Central:
    return Central(
        PROFILE,
        report,
        scanner=partial(BleakScanner, backend=scanner_on(device)),
        client=partial(BleakClient, backend=client_on(device)),
    )


def opener(device: Device) -> Callable[[Report], Awaitable[Radio]]:
    async def open_radio(report: Report) -> Radio:
        return BleakRadio(central_on(device, report), peripheral=None)

    return open_radio


@pytest.mark.parametrize("mtu", [23, 512])
def test_a_central_only_phone_meets_others_and_both_have_a_record(mtu: int) -> None:
    async def meet() -> None:
        async with world(Room({"mac": 0.0, "ann": 1.0, "bob": 2.0})) as here:
            async with host(here, "mac") as device:
                mac = here.start("mac", open_radio=opener(device))
                here.start("ann", mtu=mtu)
                here.start("bob", mtu=mtu)
                await until(lambda: len(here.met()) == 6, within_s=60)
                assert {row.as_central for row in mac.log.rows()} == {True}
                levels = {here.issuing.owners[row.peer]: row.rssi_dbm for row in mac.log.rows()}
                assert levels == {"ann": -40.0, "bob": -46.0}
                assert {row.tx_power_dbm for row in mac.log.rows()} == {0.0}
                for name in ("ann", "bob"):
                    (of_mac,) = [
                        row
                        for row in here.phones[name].log.rows()
                        if here.issuing.owners[row.peer] == "mac"
                    ][:1]
                    assert (of_mac.as_central, of_mac.rssi_dbm) == (False, levels[name])
                    assert of_mac.peer_model == "model of mac"
                assert not mac.node.device.rejections
                await here.stop()
            assert here.air.open_links == 0

    leap(meet())


def test_two_central_only_phones_do_not_meet() -> None:
    async def meet() -> None:
        async with (
            world() as here,
            host(here, "mac") as one,
            host(here, "other mac") as other,
        ):
            first = here.start("mac", open_radio=opener(one))
            second = here.start("other mac", open_radio=opener(other))
            await until(lambda: min(first.node.counts["scans"], second.node.counts["scans"]) >= 2)
            assert (first.node.counts["heard"], second.node.counts["heard"]) == (0, 0)
            await here.stop()

    leap(meet())


def test_on_bumble_who_is_central_only_meets_those_who_are_not() -> None:
    async def meet() -> None:
        async with world() as here:
            for name in ("ann", "eve"):
                here.start(name, central_only=True)
            here.start("bob")
            wanted = {("ann", "bob"), ("bob", "ann"), ("eve", "bob"), ("bob", "eve")}
            await until(lambda: here.met() == wanted, within_s=60)
            await asyncio.sleep(3.0)  # scans enough to hear each other
            assert here.met() == wanted
            assert here.phones["bob"].node.counts["heard"] == 0
            assert here.phones["ann"].node.counts["heard"] > 0

    leap(meet())


def test_what_is_heard_and_who_is_gone() -> None:
    async def meet() -> None:
        heard: list[Heard] = []
        async with world() as here, host(here, "mac") as device:
            central = central_on(device, heard.append)  # type: ignore[arg-type]
            with pytest.raises(LinkError, match="not heard lately"):
                await central.connect("11:22:33:44:55:66")
            here.start("ann", tx_power_dbm=-12)
            await central.scan()
            await until(lambda: len(heard) > 0)
            await central.rest()
            assert heard[0].tx_power_dbm == -12.0
            assert len(heard[0].manufacturer_data) > 0
            link = await central.connect(heard[-1].peer)
            assert len(await link.read()) > 84
            await here.phones["ann"].node._tuner.radio.close()  # type: ignore[union-attr]
            with pytest.raises(LinkError):
                await link.read()
            await link.close()

    leap(meet())
