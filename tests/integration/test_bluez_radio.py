"""bleak's BlueZ backend and the peripheral on D-Bus, against a mock of BlueZ on a private bus.

The mock (bluezoo) and the bus are processes of their own. Nothing here says anything about
bluetoothd, kernels or hardware: it says that we speak D-Bus with BlueZ's interfaces.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bleak.backends.bluezdbus.manager import BlueZManager
from bluez_peripheral.adapter import Adapter
from dbus_fast import Message
from dbus_fast.aio.message_bus import MessageBus
from dbus_fast.aio.proxy_object import ProxyObject
from dbus_fast.constants import BusType

from tests.bluez_bus import mock_of_bluez
from tests.radio_world import HASTY, Issuing, clock, until
from tracetogether.adapters import bleak_radio
from tracetogether.adapters.bleak_radio import open_bluez
from tracetogether.bluetrace.handshake import PROFILE, SERVICE_UUID, BlueTraceExchange
from tracetogether.contactlog import MemoryContactLog
from tracetogether.device import PayloadWritten
from tracetogether.errors import LinkError, RadioError
from tracetogether.exchange import Advertisement, Heard
from tracetogether.node import Node
from tracetogether.node.radio import LIMITS, Radio, RadioLimits, Report
from tracetogether.parameters import TIMINGS


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[str]:
    """A private bus with a mock of BlueZ that has three adapters and knows no device yet."""
    with mock_of_bluez(tmp_path) as address:
        yield address


@pytest.fixture(autouse=True)
def on_the_private_bus(bus: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus)


def opener(name: str, limits: RadioLimits = LIMITS) -> Callable[[Report], Awaitable[Radio]]:
    async def open_radio(report: Report) -> Radio:
        return await open_bluez(name, PROFILE, report, limits=limits, clock=clock)

    return open_radio


@asynccontextmanager
async def two_radios(
    limits: RadioLimits = LIMITS,
) -> AsyncIterator[tuple[Radio, list[PayloadWritten], Radio, list[Heard]]]:
    written: list[PayloadWritten] = []
    heard: list[Heard] = []
    first = await opener("hci0", limits)(written.append)  # type: ignore[arg-type]
    second = await opener("hci1")(heard.append)  # type: ignore[arg-type]
    try:
        yield first, written, second, heard
    finally:
        await first.close()
        await second.close()


@pytest.mark.parametrize("size", [1, 150, 512])
def test_values_arrive_whole_in_both_directions(size: int) -> None:
    async def exchange() -> None:
        there, back = bytes(range(256)) * 2, bytes(range(255, -1, -1)) * 2
        async with two_radios() as (first, written, second, heard):
            await first.advertise(Advertisement(SERVICE_UUID, b"a1b", there[:size], 1e12))
            await second.scan(on=True)
            await until(lambda: len(heard) > 0)
            one = heard[0]
            assert -60 < one.rssi_dbm < -50
            link = await second.connect(one.peer)
            assert await link.read() == there[:size]
            await link.write(back[:size])
            await until(lambda: len(written) > 0)
            await link.close()
            assert [value.value for value in written] == [back[:size]]

    asyncio.run(exchange())


def test_the_advertisement_has_what_31_bytes_have_room_for() -> None:
    """BlueZ adds whatever is offered, an appearance of nought too: 4 bytes, and then it refuses."""

    async def offered() -> None:
        async with two_radios() as (first, _, _, _):
            await first.advertise(Advertisement(SERVICE_UUID, b"a1b", b"{}", 1e12))
            bus, path = first._bus, first._peripheral._on_air.export_path  # type: ignore[attr-defined]
            asking = await MessageBus(bus_type=BusType.SYSTEM).connect()
            answer = await asking.call(
                Message(
                    destination=bus.unique_name,
                    path=path,
                    interface="org.freedesktop.DBus.Properties",
                    member="GetAll",
                    signature="s",
                    body=["org.bluez.LEAdvertisement1"],
                )
            )
            asking.disconnect()
            assert answer is not None
            reported = {name: element.value for name, element in answer.body[0].items()}
            assert "Appearance" not in reported
            assert reported["LocalName"] == ""
            assert reported["Includes"] == ["tx-power"]
            assert [value.value for value in reported["ManufacturerData"].values()] == [b"a1b"]

    asyncio.run(offered())


def test_a_connection_stands_though_bluez_tells_so_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answer may come before it tells that the device is connected; bleak would give it up."""
    reported, looks = BlueZManager.is_connected, 0

    def late(manager: BlueZManager, path: str) -> bool:
        nonlocal looks
        looks += 1
        return looks > 5 and reported(manager, path)

    def of_the_device(manager: BlueZManager, path: str, interface: str, name: str) -> object:
        value = stored(manager, path, interface, name)
        return value and looks > 5 if name == "Connected" else value

    stored = BlueZManager._get_device_property
    monkeypatch.setattr(BlueZManager, "is_connected", late)
    monkeypatch.setattr(BlueZManager, "_get_device_property", of_the_device)

    async def exchange() -> None:
        async with two_radios() as (first, _, second, heard):
            await first.advertise(Advertisement(SERVICE_UUID, b"a1b", b"here", 1e12))
            await second.scan(on=True)
            await until(lambda: len(heard) > 0)
            link = await second.connect(heard[0].peer)
            assert await link.read() == b"here"
            await link.close()

    asyncio.run(exchange())


async def asked(bus: MessageBus, to: str, path: str, member: str, *words: object) -> Message:
    """Call a method, as bluetoothd does an agent's or anybody a property's."""
    interface = "org.bluez.Agent1" if "agent" in path else "org.freedesktop.DBus.Properties"
    signature = {1: "o", 2: "os" if "Service" in member else "ss"}[len(words)]
    answer = await bus.call(
        Message(
            destination=to,
            path=path,
            interface=interface,
            member=member,
            signature=signature,
            body=list(words),
        )
    )
    assert answer is not None
    return answer


def test_nobody_can_pair_while_it_is_open_and_the_adapter_is_left_as_it_was() -> None:
    """The mock may pair with anybody; this shows the calls to BlueZ and the answers."""

    async def look() -> None:
        bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
        introspected = await bus.introspect("org.bluez", "/org/bluez/hci0")
        proxy = bus.get_proxy_object("org.bluez", "/org/bluez/hci0", introspected)
        adapter = Adapter(proxy)
        for before in (True, False):
            await adapter.set_pairable(before)
            radio = await opener("hci0")(lambda _: None)
            assert not await adapter.get_pairable()
            names = (await asked_names(bus)) - {bus.unique_name}
            device = "/org/bluez/hci0/dev_00_00_00_22_22_22"
            refusals = []
            for name in sorted(names):
                for member, *words in (
                    ("RequestAuthorization", device),
                    ("AuthorizeService", device, SERVICE_UUID),
                    ("RequestPinCode", device),
                    ("RequestPasskey", device),
                ):
                    answer = await asked(bus, name, "/org/tracetogether/agent", member, *words)
                    refusals.append(answer.error_name)
            assert refusals.count("org.bluez.Error.Rejected") == 4
            await radio.close()
            assert await adapter.get_pairable() == before
        bus.disconnect()

    asyncio.run(look())


async def asked_names(bus: MessageBus) -> set[str]:
    """Return the unique names of all who are on the bus, but the mock."""
    answer = await bus.call(
        Message(
            destination="org.freedesktop.DBus",
            path="/org/freedesktop/DBus",
            interface="org.freedesktop.DBus",
            member="ListNames",
        )
    )
    owner = await bus.call(
        Message(
            destination="org.freedesktop.DBus",
            path="/org/freedesktop/DBus",
            interface="org.freedesktop.DBus",
            member="GetNameOwner",
            signature="s",
            body=["org.bluez"],
        )
    )
    assert answer is not None
    assert owner is not None
    return {name for name in answer.body[0] if name.startswith(":")} - {owner.body[0]}


def test_an_expired_value_is_not_served() -> None:
    async def exchange() -> None:
        async with two_radios() as (first, _, second, heard):
            await first.advertise(Advertisement(SERVICE_UUID, b"a1b", b"old", 1.0))
            await second.scan(on=True)
            await until(lambda: len(heard) > 0)
            link = await second.connect(heard[0].peer)
            with pytest.raises(LinkError, match="read"):
                await link.read()
            await link.close()

    asyncio.run(exchange())


@pytest.mark.slow
def test_who_stays_is_sent_away_writes_no_more_than_it_may_and_may_come_again() -> None:
    async def exchange() -> None:
        async with two_radios(RadioLimits(incoming_s=1.0, writes=1)) as (
            first,
            written,
            second,
            heard,
        ):
            await first.advertise(Advertisement(SERVICE_UUID, b"a1b", b"1", 1e12))
            await second.scan(on=True)
            await until(lambda: len(heard) > 0)
            guests = first._peripheral._guests  # type: ignore[attr-defined]
            for visits in (1, 2):
                link = await second.connect(heard[-1].peer)
                await link.write(b"once")
                with pytest.raises(LinkError):
                    await link.write(b"twice")
                assert len(guests) == 1
                await until(lambda: not guests, within_s=30)
                await until(lambda: not link._client.is_connected, within_s=30)  # noqa: B023
                with pytest.raises(LinkError):
                    await link.read()
                await link.close()
                assert [value.value for value in written] == [b"once"] * visits

    asyncio.run(exchange())


@pytest.mark.parametrize("name", ["hci7", "nonsense"])
def test_no_such_adapter_is_one_line(name: str) -> None:
    with pytest.raises(RadioError, match=f"no Bluetooth adapter {name}"):
        asyncio.run(open_bluez(name, PROFILE, lambda _: None))


def test_a_path_of_bluez_that_is_no_adapter_is_no_reason_to_complain_of_others(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The real BlueZ describes any path below its own; the D-Bus library asks on meanwhile."""

    def refuse(proxy: ProxyObject) -> None:
        proxy.get_interface("org.bluez.Nothing")

    async def open_and_go_on() -> None:
        for _ in range(8):  # whether an answer is still under way is chance
            with pytest.raises(RadioError, match="no Bluetooth adapter hci0"):
                await open_bluez("hci0", PROFILE, lambda _: None)
            await asyncio.sleep(0.05)

    monkeypatch.setattr(bleak_radio, "Adapter", refuse)
    asyncio.run(open_and_go_on())
    assert not caplog.records


def test_who_is_cancelled_on_the_way_out_leaves_the_bus_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left: list[bool] = []

    class Bus(MessageBus):
        async def call(self, msg: Message) -> Message:
            if msg.member == "GetId":
                await asyncio.Event().wait()
            return await super().call(msg)

        def disconnect(self) -> None:
            left.append(True)
            super().disconnect()

    async def open_and_cancel() -> None:
        opening = asyncio.ensure_future(open_bluez("hci7", PROFILE, lambda _: None))
        await asyncio.sleep(1.0)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening

    monkeypatch.setattr(bleak_radio, "MessageBus", Bus)
    asyncio.run(open_and_cancel())
    assert left


def test_no_bus_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere")
    with pytest.raises(RadioError, match="system bus"):
        asyncio.run(open_bluez("hci0", PROFILE, lambda _: None))


def test_a_central_only_adapter_hears_and_is_not_heard() -> None:
    async def listen() -> None:
        heard: dict[str, list[object]] = {"hci0": [], "hci1": []}
        only = await open_bluez("hci0", PROFILE, heard["hci0"].append, central_only=True)
        both = await opener("hci1")(heard["hci1"].append)
        value = Advertisement(PROFILE.service, b"abc", b"x" * 150, clock() + 60)
        try:
            for radio in (only, both):
                await radio.advertise(value)
                await radio.scan(on=True)
            await until(lambda: len(heard["hci0"]) > 0, within_s=40)
            link = await only.connect(heard["hci0"][0].peer)  # type: ignore[attr-defined]
            assert await link.read() == b"x" * 150
            await link.write(b"from who is not heard")
            await until(lambda: len(heard["hci1"]) > 0, within_s=40)
            await link.close()
            assert {type(reading) for reading in heard["hci1"]} == {PayloadWritten}
        finally:
            await only.close()
            await both.close()

    asyncio.run(listen())


def test_three_phones_all_meet() -> None:
    async def meet() -> None:
        issuing, stop = Issuing(), asyncio.Event()
        timings = replace(
            TIMINGS, scan_s=2.5, scan_pause_min_s=0.1, scan_pause_max_s=1.0, refresh_check_s=0.5
        )
        logs = {name: MemoryContactLog() for name in ("hci0", "hci1", "hci2")}
        nodes = [
            Node(
                BlueTraceExchange(model=name, organisation="SG_MOH"),
                log,
                open_radio=opener(name),
                fetch=issuing.fetch(name),
                clock=clock,
                chance=np.random.default_rng(number).random,
                timings=timings,
                pauses=HASTY,
            )
            for number, (name, log) in enumerate(logs.items())
        ]
        running = [asyncio.ensure_future(node.run(stop)) for node in nodes]

        def met() -> set[tuple[str, str]]:
            return {
                (name, issuing.owners[row.peer]) for name, log in logs.items() for row in log.rows()
            }

        try:
            await until(lambda: len(met()) == 6, within_s=40)
        finally:
            stop.set()
            await asyncio.gather(*running)
        for node in nodes:
            assert not node.device.rejections

    asyncio.run(meet())
