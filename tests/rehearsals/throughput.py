"""Exchanges and reports a second of many nodes, beside what the link can do without them.

    python -m tests.rehearsals.throughput --phones 10 50 --seconds 3

The link alone: devices of bumble's on the same air in pairs, each connecting, agreeing on a
packet size, finding, reading, writing and leaving, over and over; and as many that only advertise
and scan. All of it on a clock that leaps: a simulated second holds what the radio and the phones'
rhythm allow, a second of the processor what the programs allow, on a busy machine too.
"""

import argparse
import asyncio
import json
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Final

from bumble import hci
from bumble.core import UUID
from bumble.device import Device, Peer
from bumble.gatt import Characteristic, CharacteristicValue, Service
from bumble.transport.common import AsyncPipeSink

from tests.leaping_loop import leap
from tests.radio_world import BRISK, Room, air, world
from tracetogether.adapters.bumble_radio.host import CalmHost
from tracetogether.adapters.bumble_radio.virtual_air import Air
from tracetogether.bluetrace.handshake import CHARACTERISTIC_UUID, COMPANY_ID, SERVICE_UUID
from tracetogether.node.advertising import encode_advertisement

SPACING_M: Final = 0.3
EVERY_S: Final = 0.1
PAYLOAD: Final = b"x" * 150


@dataclass(frozen=True, slots=True)
class Rate:
    """What was done in how long.

    Attributes:
        exchanges: connections that read and wrote.
        reports: advertisements delivered to scanners.
        simulated_s: how long it took on the loop's clock.
        processor_s: how long it took the processor.
    """

    exchanges: int
    reports: int
    simulated_s: float
    processor_s: float


def room(phones: int) -> Room:
    """Return ``phones`` in a row, all within reach of each other."""
    return Room({f"p{number}": SPACING_M * number for number in range(phones)})


class _Watch:
    def __init__(self) -> None:
        self._began = asyncio.get_running_loop().time()
        self._processor = time.process_time()

    def rate(self, exchanges: int, reports: int) -> Rate:
        simulated_s = asyncio.get_running_loop().time() - self._began
        return Rate(exchanges, reports, simulated_s, time.process_time() - self._processor)


async def of_nodes(phones: int, seconds: float) -> Rate:
    """Let nodes meet again and again for so long."""
    async with world(room(phones)) as here:
        for number in range(phones):
            here.start(
                f"p{number}", timings=replace(BRISK, blacklist_s=2.0), advertise_every_s=EVERY_S
            )
        watch = _Watch()
        await asyncio.sleep(seconds)
        nodes = [phone.node for phone in here.phones.values()]
        return watch.rate(sum(node.counts["writes"] for node in nodes), here.air.reports)


class _Bare:
    """A device of bumble's and nothing else."""

    def __init__(self, link: Air, name: str) -> None:
        controller = link.controller(name)
        host = CalmHost(controller, AsyncPipeSink(controller))
        self.device = Device(name=name, address=hci.Address.generate_static_address(), host=host)
        kinds = Characteristic.Properties
        value: Characteristic[bytes] = Characteristic(
            UUID(CHARACTERISTIC_UUID),
            kinds.READ | kinds.WRITE,
            Characteristic.READABLE | Characteristic.WRITEABLE,
            CharacteristicValue(read=lambda _: PAYLOAD, write=lambda _, __: None),
        )
        self.device.add_service(Service(UUID(SERVICE_UUID), [value]))

    async def show(self) -> None:
        await self.device.power_on()
        await self.device.start_advertising(
            auto_restart=True,
            advertising_data=encode_advertisement(SERVICE_UUID, COMPANY_ID, b"a1b", 0),
            scan_response_data=b"",
            advertising_interval_min=EVERY_S * 1000,
            advertising_interval_max=EVERY_S * 1000,
        )

    async def end(self) -> None:
        with suppress(Exception):  # what was cut off in the middle of a command never answers
            async with asyncio.timeout(2.0):
                await self.device.power_off()

    async def exchange(self, address: hci.Address) -> None:
        peer = Peer(await self.device.connect(address))
        await peer.request_mtu(512)
        (service,) = await peer.discover_service(UUID(SERVICE_UUID))
        (value,) = await service.discover_characteristics([UUID(CHARACTERISTIC_UUID)])
        await value.read_value()
        await value.write_value(PAYLOAD, with_response=True)
        await peer.connection.disconnect()


async def of_link(phones: int, seconds: float) -> Rate:
    """Let half of the devices visit the other half, over and over, for so long."""
    link = air(room(phones))
    bare = [_Bare(link, f"p{number}") for number in range(phones)]
    hosts, guests = bare[::2], bare[1::2]
    for host in hosts:
        await host.show()
    for guest in guests:
        await guest.device.power_on()
    done = 0
    over = asyncio.Event()

    async def visit(guest: _Bare, host: _Bare) -> None:
        nonlocal done
        while not over.is_set():
            await guest.exchange(host.device.random_address)
            done += 1

    watch = _Watch()
    visits = [
        asyncio.ensure_future(visit(guest, host))
        for guest, host in zip(guests, hosts, strict=False)
    ]
    await asyncio.wait(visits, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
    rate = watch.rate(done, 0)
    over.set()
    await asyncio.gather(*visits)
    for run in bare:
        await run.end()
    return rate


async def of_scanners(phones: int, seconds: float) -> Rate:
    """Let all devices advertise and scan for so long."""
    link = air(room(phones))
    bare = [_Bare(link, f"p{number}") for number in range(phones)]
    for run in bare:
        await run.show()
        await run.device.start_scanning(active=False, filter_duplicates=False)
    watch = _Watch()
    await asyncio.sleep(seconds)
    rate = watch.rate(0, link.reports)
    for run in bare:
        await run.end()
    return rate


def measure(phones: int, seconds: float) -> dict[str, Rate]:
    """Return the rates of nodes, and of the link alone."""
    return {
        "nodes": leap(of_nodes(phones, seconds)),
        "link, exchanges": leap(of_link(phones, seconds)),
        "link, reports": leap(of_scanners(phones, seconds)),
    }


def main() -> None:
    """Measure and print a table, or JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--phones", type=int, nargs="+", default=[10, 50])
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    for phones in chosen.phones:
        measured = measure(phones, chosen.seconds)
        if chosen.json:
            rates = {what: asdict(rate) for what, rate in measured.items()}
            print(json.dumps({"phones": phones, **rates}), flush=True)
            continue
        for what, rate in measured.items():
            print(
                f"{phones:3} phones  {what:16} {rate.exchanges:6,} exchanges "
                f"{rate.reports:8,} reports; a simulated second "
                f"{rate.exchanges / rate.simulated_s:6.1f} and "
                f"{rate.reports / rate.simulated_s:8,.0f}, a processor second "
                f"{rate.exchanges / rate.processor_s:6.1f} and "
                f"{rate.reports / rate.processor_s:8,.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
