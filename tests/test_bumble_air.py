"""The air between virtual controllers: what is sent over a connection arrives late, and in turn."""

import asyncio

import numpy as np
import pytest
from bumble import hci
from bumble.core import UUID
from bumble.device import Connection, Device, Peer
from bumble.gatt import Characteristic, CharacteristicValue, Service
from bumble.transport.common import AsyncPipeSink

from tests.leaping_loop import leap
from tests.radio_world import air
from tracetogether.adapters.bumble_radio.host import CalmHost
from tracetogether.adapters.bumble_radio.virtual_air import Air

SERVICE = UUID("B82AB3FC-1595-4F6A-80F0-FE094CC218F9")
PACKETS = 40
PACKET_S = 0.001


def device(link: Air, name: str) -> Device:
    controller = link.controller(name)
    host = CalmHost(controller, AsyncPipeSink(controller))
    return Device(name=name, address=hci.Address.generate_static_address(), host=host)


@pytest.mark.parametrize("loss", [0.0, 0.4])
def test_packets_take_time_and_arrive_in_turn_whatever_is_lost(loss: float) -> None:
    arrived: list[tuple[float, int]] = []

    def write(_: Connection, value: bytes) -> None:
        arrived.append((asyncio.get_running_loop().time(), value[0]))

    async def send() -> float:
        link = air(loss=loss)
        one, other = device(link, "one"), device(link, "other")
        kinds = Characteristic.Properties
        value: Characteristic[bytes] = Characteristic(
            SERVICE,
            kinds.WRITE_WITHOUT_RESPONSE,
            Characteristic.WRITEABLE,
            CharacteristicValue(write=write),
        )
        other.add_service(Service(SERVICE, [value]))
        await one.power_on()
        await other.power_on()
        await other.start_advertising(advertising_interval_min=50, advertising_interval_max=50)
        peer = Peer(await one.connect(other.random_address))
        (service,) = await peer.discover_service(SERVICE)
        (found,) = await service.discover_characteristics([SERVICE])
        began = asyncio.get_running_loop().time()
        for number in range(PACKETS):
            await found.write_value(bytes([number]))
        await peer.connection.disconnect()  # said after all of it, and heard after all of it
        await asyncio.sleep(60.0)
        assert link.open_links == 0
        return began

    began = leap(send())
    assert [number for _, number in arrived] == list(range(PACKETS))
    times = np.array([began, *(at for at, _ in arrived)])
    assert np.diff(times).min() >= PACKET_S * 0.999
    assert bool(times[-1] - began > PACKETS * PACKET_S * 1.5) is (loss > 0)
