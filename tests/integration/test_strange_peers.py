"""Phones that are not ours, scripted from how OpenTrace's behave, and air that is hostile."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from bumble import att, hci, ll
from bumble.core import UUID, ProtocolError
from bumble.device import Device, Peer
from bumble.gatt import Characteristic, CharacteristicValue, Service
from bumble.host import Host
from bumble.keys import MemoryKeyStore
from bumble.pairing import PairingConfig
from bumble.smp import SMP_CID, ErrorCode
from bumble.transport.common import AsyncPipeSink

from tests.leaping_loop import leap
from tests.radio_world import World, complaints, until, world
from tracetogether.bluetrace.handshake import CHARACTERISTIC_UUID, COMPANY_ID, SERVICE_UUID
from tracetogether.bluetrace.payload import parse_read, parse_write
from tracetogether.errors import RemoteProtocolError
from tracetogether.node.advertising import encode_advertisement, parse_advertisement
from tracetogether.node.radio import RadioLimits
from tracetogether.rejection import Rejection

READ = {"id": "S" * 84, "mp": "Strange phone", "o": "SG_OTC", "v": 2}
WRITE = {"id": "S" * 84, "mc": "Strange phone", "rs": -61, "o": "SG_OTC", "v": 2}
READ_V1 = {"msg": "V" * 84, "modelP": "Old phone", "org": "SG_OTC", "v": 1}


@pytest.fixture(autouse=True)
def nothing_goes_unhandled(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert complaints(caplog) == []


def said(payload: dict[str, Any]) -> bytes:
    return json.dumps(payload).encode()


class Stranger:
    """A phone on bumble's host that does what a test tells it to."""

    def __init__(self, here: World, name: str, characteristic: str = CHARACTERISTIC_UUID) -> None:
        self.controller = here.air.controller(name)
        host = Host(self.controller, AsyncPipeSink(self.controller))
        self.device = Device(name=name, address=hci.Address.generate_static_address(), host=host)
        self.value = said(READ)
        self.written: list[bytes] = []
        kinds = Characteristic.Properties
        one: Characteristic[bytes] = Characteristic(
            UUID(characteristic),
            kinds.READ | kinds.WRITE | kinds.WRITE_WITHOUT_RESPONSE,
            Characteristic.READABLE | Characteristic.WRITEABLE,
            CharacteristicValue(
                read=lambda _: self.value, write=lambda _, value: self.written.append(bytes(value))
            ),
        )
        self.device.add_service(Service(UUID(SERVICE_UUID), [one]))

    async def show(self, manufacturer_data: bytes = b"", name: bytes = b"") -> None:
        data = encode_advertisement(SERVICE_UUID, COMPANY_ID, manufacturer_data, None)
        if name:
            data += bytes([1 + len(name), 0x09]) + name
        await self.device.start_advertising(
            auto_restart=True,
            advertising_data=data,
            scan_response_data=b"",
            advertising_interval_min=50,
            advertising_interval_max=50,
        )

    async def visit(self, here: World, name: str, mtu: int) -> tuple[Peer, Any]:
        """Connect to a phone of ours and find its value."""
        theirs = here.phones[name].controller.le_legacy_advertiser
        await until(lambda: theirs.enabled)
        peer = Peer(await self.device.connect(theirs.address))
        await peer.request_mtu(mtu)
        (service,) = await peer.discover_service(UUID(SERVICE_UUID))
        (value,) = await service.discover_characteristics([UUID(CHARACTERISTIC_UUID)])
        return peer, value


@asynccontextmanager
async def stranger(here: World, name: str = "stranger", **how: str) -> AsyncIterator[Stranger]:
    one = Stranger(here, name, **how)
    await one.device.power_on()
    try:
        yield one
    finally:
        await one.device.power_off()
        one.controller.leave()


def test_an_android_phone_is_read_and_written_to() -> None:
    async def meet() -> None:
        async with world() as here, stranger(here) as android:
            await android.show(b"4f2")  # three hexadecimal digits after the company
            ours = here.start("ours")
            await until(lambda: len(android.written) == 1 and len(ours.log) == 1)
        (row,) = ours.log.rows()
        assert (row.peer, row.peer_model, row.organisation) == ("S" * 84, "Strange phone", "SG_OTC")
        sent = json.loads(android.written[0])
        assert set(sent) == {"id", "mc", "rs", "o", "v"}
        assert sent["rs"] == row.rssi_dbm

    leap(meet())


def test_an_android_phone_asks_for_a_long_packet_reads_and_writes_in_parts() -> None:
    async def meet(mtu: int) -> None:
        async with world() as here, stranger(here) as android:
            ours = here.start("ours")
            peer, value = await android.visit(here, "ours", mtu)
            read = parse_read(await value.read_value())
            assert here.issuing.owners[read.token] == "ours"
            assert read.model == "model of ours"
            await value.write_value(said(WRITE), with_response=True)
            await until(lambda: len(ours.log) == 1)
            await peer.connection.disconnect()
        (row,) = ours.log.rows()
        assert (row.rssi_dbm, row.as_central) == (-61.0, False)

    for mtu in (23, 60, 512):
        leap(meet(mtu))


@pytest.mark.parametrize("bonding", [True, False])
@pytest.mark.parametrize("modern", [True, False])
def test_nobody_can_pair_with_it_or_learn_an_identity(*, bonding: bool, modern: bool) -> None:
    """Who is in reach pairs without a question (CVE-2020-12856), and would know it for good."""

    async def attack() -> None:
        async with world() as here, stranger(here) as eve:
            eve.device.keystore = MemoryKeyStore()
            eve.device.pairing_config_factory = lambda _: PairingConfig(
                sc=modern, mitm=False, bonding=bonding
            )
            ours = here.start("ours")
            peer, value = await eve.visit(here, "ours", 185)
            with pytest.raises(ProtocolError) as refused:
                await asyncio.wait_for(peer.connection.pair(), 5)
            assert refused.value.error_code == ErrorCode.PAIRING_NOT_SUPPORTED
            for code in range(256):  # other words of that protocol, and none of its own
                peer.connection.send_l2cap_pdu(SMP_CID, bytes([code, 0, 1]))
            assert await eve.device.keystore.get_all() == []
            assert not peer.connection.is_encrypted
            assert parse_read(await value.read_value()).model == "model of ours"
            await value.write_value(said(WRITE), with_response=True)
            await until(lambda: len(ours.log) == 1)
            await peer.connection.disconnect()

    leap(attack())


def test_a_peer_that_asks_it_to_pair_is_refused_and_read() -> None:
    async def attack() -> None:
        async with world() as here, stranger(here) as eve:
            eve.device.keystore = MemoryKeyStore()
            eve.device.on("connection", eve.device.request_pairing)
            await eve.show()
            ours = here.start("ours")
            await until(lambda: len(eve.written) == 1 and len(ours.log) == 1)
            assert await eve.device.keystore.get_all() == []

    leap(attack())


def test_an_iphone_reads_and_writes_at_once_and_floats() -> None:
    async def meet() -> None:
        async with world() as here, stranger(here) as iphone:
            ours = here.start("ours")
            peer, value = await iphone.visit(here, "ours", 185)
            _, read = await asyncio.gather(
                value.write_value(said({"v": 2, "o": "OT_HA", **WRITE, "rs": -61.0})),
                value.read_value(),
            )
            assert parse_read(read).version == 2
            await until(lambda: len(ours.log) == 1)
            await peer.connection.disconnect()

    leap(meet())


@pytest.mark.parametrize("size", [184, 150])
def test_an_iphone_that_ignores_offsets_is_read_where_it_fits_the_packet(size: int) -> None:
    async def meet() -> None:
        async with world() as here, stranger(here) as iphone:
            iphone.value = said({**READ, "mp": ""})
            iphone.value = said({**READ, "mp": "M" * (size - len(iphone.value))})
            assert len(iphone.value) == size
            iphone.device.gatt_server.max_mtu = 185
            server = iphone.device.gatt_server

            def blob(bearer: Any, request: Any) -> None:
                part = iphone.value[: bearer.att_mtu - 1]
                server.send_response(bearer, att.ATT_Read_Blob_Response(part_attribute_value=part))

            server.on_att_read_blob_request = blob  # type: ignore[method-assign]
            await iphone.show(name=b"TR")
            ours = here.start("ours")
            await until(lambda: len(ours.log) == 1 and len(iphone.written) == 1)

    leap(meet())


def test_an_old_phone_has_the_service_uuid_on_its_value_and_old_keys() -> None:
    async def meet() -> None:
        async with world() as here, stranger(here, characteristic=SERVICE_UUID) as old:
            old.value = said(READ_V1)
            await old.show(b"4f2")
            ours = here.start("ours")
            await until(lambda: len(ours.log) == 1)
        (row,) = ours.log.rows()
        assert (row.peer, row.peer_model, row.version) == ("V" * 84, "Old phone", 1)

    leap(meet())


@pytest.mark.parametrize(
    "value", [b"", b"{", b"\xff" * 100, b"x" * 512, said({**READ, "id": 7}), b"[]" * 200]
)
def test_garbage_that_is_read_is_counted_and_the_link_closed(value: bytes) -> None:
    async def meet() -> None:
        async with world() as here, stranger(here) as bad:
            bad.value = value
            await bad.show(b"4f2")
            ours = here.start("ours")
            await until(lambda: len(bad.written) == 1)  # the other side may profit still
            await until(lambda: not ours.controller.le_connections)
            assert len(ours.log) == 0
            assert ours.node.device.rejections == {Rejection.MALFORMED: 1}

    leap(meet())


def test_a_peer_that_never_answers_is_left_and_the_next_one_met() -> None:
    async def meet() -> None:
        async with world() as here, stranger(here) as mute:
            mute.device.gatt_server.on_gatt_pdu = lambda *_: None  # type: ignore[method-assign]
            await mute.show(b"4f2")
            ours = here.start("ours")
            await until(lambda: ours.node.counts["connections_failed"] >= 1)
            here.start("other")
            await until(lambda: len(here.met()) == 2, within_s=20)

    leap(meet())


def test_two_thousand_spoilt_messages_through_the_stack() -> None:
    rng = np.random.default_rng(7)

    def spoilt(payload: bytes, most: int) -> bytes:
        data = bytearray(payload)
        for _ in range(int(rng.integers(1, 6))):
            data[int(rng.integers(len(data)))] = int(rng.integers(256))
        cut = int(rng.integers(0, len(data) + 1)) if rng.random() < 0.5 else len(data)
        more = rng.bytes(int(rng.integers(0, 40))) if rng.random() < 0.2 else b""
        return (bytes(data[:cut]) + more)[:most]

    async def meet() -> None:
        async with world() as here, stranger(here) as bad:
            ours = here.start("ours", limits=RadioLimits(writes=10_000, incoming_s=1e6))
            peer, value = await bad.visit(here, "ours", 512)
            good = encode_advertisement(SERVICE_UUID, COMPANY_ID, b"a1b", -7)
            fakes = [hci.Address(rng.bytes(6)) for _ in range(4)]
            for number in range(1_500):
                pdu = ll.AdvInd(fakes[number % 4], spoilt(good, 31))
                bad.controller.send_advertising_pdu(pdu)
                if number % 50 == 0:
                    await asyncio.sleep(0.002)
            for _ in range(500):
                try:
                    await value.write_value(spoilt(said(WRITE), 512), with_response=True)
                except att.ATT_Error as error:
                    pytest.fail(f"refused: {error}")
            await peer.connection.disconnect()
            seen = sum(ours.node.device.rejections.values()) + len(ours.log)
            assert seen + ours.node.counts["written_dropped"] >= 490  # some are harmless empties
            here.start("other")
            await until(lambda: ("ours", "other") in here.met(), within_s=20)

    leap(meet())


@pytest.mark.slow
def test_a_thousand_made_up_phones_a_second_do_not_stop_it() -> None:
    async def meet() -> None:
        rng = np.random.default_rng(3)
        async with world() as here, stranger(here) as bad:
            ours = here.start("ours")
            await until(lambda: ours.controller.le_scan_enable)
            good = encode_advertisement(SERVICE_UUID, COMPANY_ID, b"a1b", -7)
            loop = asyncio.get_running_loop()
            begin, sent = loop.time(), 0
            while sent < 2_000:
                while sent < min(2_000, 1_000 * (loop.time() - begin)):
                    bad.controller.send_advertising_pdu(ll.AdvInd(hci.Address(rng.bytes(6)), good))
                    sent += 1
                await asyncio.sleep(0.005)
            assert len(ours.node._heard) <= 4_096
            assert len(ours.node.device._queue) <= 4_096
            assert ours.node.counts["heard"] > 0  # it does not scan while it tries to connect
            here.start("other")  # the flood is over: the made-up ones are forgotten in seconds
            await until(lambda: len(here.met()) == 2, within_s=30)

    asyncio.run(meet())


def test_a_hundred_thousand_spoilt_messages_at_the_parsers() -> None:
    rng = np.random.default_rng(11)
    advert = encode_advertisement(SERVICE_UUID, COMPANY_ID, b"a1b", -7)
    outcomes = {"value": 0, "none": 0, "refused": 0}
    seeds = (advert, said(READ), said(WRITE), said(READ_V1))
    noise = rng.integers(0, 256, size=(100_000, 8), dtype=np.uint8)
    places = rng.integers(0, 600, size=(100_000, 4))
    for number in range(100_000):
        data = bytearray(seeds[number % 4])
        for place, byte in zip(places[number][: number % 5], noise[number], strict=False):
            data[int(place) % len(data)] = int(byte)
        if number % 3 == 0:
            del data[int(places[number][0]) % len(data) :]
        try:
            match number % 4:
                case 0:
                    read: object = parse_advertisement(bytes(data), SERVICE_UUID, COMPANY_ID)
                case 2:
                    read = parse_write(bytes(data))
                case _:
                    read = parse_read(bytes(data))
        except RemoteProtocolError:
            outcomes["refused"] += 1
        else:
            outcomes["none" if read is None else "value"] += 1
    assert sum(outcomes.values()) == 100_000
    assert min(outcomes.values()) > 1_000  # each way out was taken
