"""Exchanges and reports a second of many nodes, beside what the link can do without them.

    python -m tests.rehearsals.throughput --phones 10 50 --seconds 20

The link by itself: devices of bumble's on the same air in pairs, each connecting, agreeing on a
packet size, finding, reading, writing and leaving, over and over; and as many that only advertise
and scan. Beside the clock's seconds stand those of the processor: a busy machine spoils only the
former.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from bumble import hci
from bumble.core import UUID
from bumble.device import Device, Peer
from bumble.gatt import Characteristic, CharacteristicValue, Service
from bumble.host import Host
from bumble.transport.common import AsyncPipeSink

from tests.radio_world import BRISK, Room, air, world
from tracetogether.adapters.bumble_air import Air
from tracetogether.advertising import encode_advertisement
from tracetogether.bluetrace.handshake import CHARACTERISTIC_UUID, COMPANY_ID, SERVICE_UUID

SPACING_M: Final = 0.3
EVERY_S: Final = 0.1
PAYLOAD: Final = b"x" * 150


@dataclass(frozen=True, slots=True)
class Rate:
    """What was done in how long.

    Attributes:
        exchanges: connections that read and wrote.
        reports: advertisements delivered to scanners.
        clock_s, processor_s: how long it took.
    """

    exchanges: int
    reports: int
    clock_s: float
    processor_s: float


def room(phones: int) -> Room:
    """Return so many phones in a row, all within reach of each other."""
    return Room({f"p{number}": SPACING_M * number for number in range(phones)})


class _Watch:
    def __init__(self) -> None:
        self._clock, self._processor = time.monotonic(), time.process_time()

    def rate(self, exchanges: int, reports: int) -> Rate:
        clock_s = time.monotonic() - self._clock
        return Rate(exchanges, reports, clock_s, time.process_time() - self._processor)


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
        host = Host(controller, AsyncPipeSink(controller))
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

    async def visit(guest: _Bare, host: _Bare) -> None:
        nonlocal done
        while True:
            await guest.exchange(host.device.random_address)
            done += 1

    watch = _Watch()
    visits = [
        asyncio.ensure_future(visit(guest, host))
        for guest, host in zip(guests, hosts, strict=False)
    ]
    await asyncio.wait(visits, timeout=seconds)
    rate = watch.rate(done, 0)
    for one in visits:
        one.cancel()
    await asyncio.wait(visits, timeout=2.0)
    for one in bare:
        await one.end()
    return rate


async def of_scanners(phones: int, seconds: float) -> Rate:
    """Let all devices advertise and scan for so long."""
    link = air(room(phones))
    bare = [_Bare(link, f"p{number}") for number in range(phones)]
    for one in bare:
        await one.show()
        await one.device.start_scanning(active=False, filter_duplicates=False)
    watch = _Watch()
    await asyncio.sleep(seconds)
    rate = watch.rate(0, link.reports)
    for one in bare:
        await one.end()
    return rate


def measure(
    phones: int,
    seconds: float,
    run: Callable[[Coroutine[Any, Any, Rate]], Rate] = asyncio.run,
) -> dict[str, Any]:
    """Return the rates of nodes, and of the link by itself."""
    return {
        "phones": phones,
        "nodes": run(of_nodes(phones, seconds)),
        "link, exchanges": run(of_link(phones, seconds)),
        "link, reports": run(of_scanners(phones, seconds)),
    }


def main() -> None:
    """Measure and print a table, or JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--phones", type=int, nargs="+", default=[10, 50])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    for phones in chosen.phones:
        measured = measure(phones, chosen.seconds)
        if chosen.json:
            rates = {k: asdict(v) for k, v in measured.items() if isinstance(v, Rate)}
            print(json.dumps({"phones": phones, **rates}))
            continue
        for what, rate in measured.items():
            if not isinstance(rate, Rate):
                continue
            print(
                f"{phones:3} phones  {what:16} {rate.exchanges:6,} exchanges "
                f"{rate.reports:8,} reports in {rate.clock_s:5.1f} s, processor "
                f"{rate.processor_s:5.1f} s: "
                f"{rate.exchanges / rate.processor_s:6.1f} exchanges, "
                f"{rate.reports / rate.processor_s:7,.0f} reports a processor second"
            )


if __name__ == "__main__":
    main()
