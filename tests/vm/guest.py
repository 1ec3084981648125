"""What happens in the virtual machine: two nodes on BlueZ, and a stranger on bumble who listens.

The nodes are processes of the command line as anybody would start them; kernel, bluetoothd and
D-Bus are real; controllers and the air between them are this program's. Prints what was met, and
fails where something is missing.
"""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from bumble import hci
from bumble.core import UUID
from bumble.device import Device, Peer
from bumble.host import Host
from bumble.transport import open_transport
from bumble.transport.common import AsyncPipeSink

from tests.authority_world import World
from tracetogether.adapters import http_api
from tracetogether.adapters.bleak_radio import open_bluez
from tracetogether.adapters.bumble_air import Air
from tracetogether.adapters.sqlite_log import SqliteContactLog
from tracetogether.advertising import Announcement, parse_advertisement
from tracetogether.bluetrace.handshake import CHARACTERISTIC_UUID, COMPANY_ID, SERVICE_UUID
from tracetogether.bluetrace.payload import parse_read
from tracetogether.bluetrace.profile import PROFILE
from tracetogether.cli.node_folder import LOG, NodeSettings, create_node
from tracetogether.errors import RadioError
from tracetogether.units import SECONDS_PER_DAY

ADDRESSES: Final = {"hci0": "F0:12:34:56:78:00", "hci1": "F0:12:34:56:78:01"}
LEVEL_DBM: Final = -46.0
FOLDER: Final = Path("/tmp/nodes")  # noqa: S108 - a layer in memory
HOLD_S: Final = 20.0
HOLD_MOST_S: Final = 60.0

began = time.monotonic()
wall = time.time  # noqa: TID251 - the nodes read the same clock


def say(text: str) -> None:
    print(f"GUEST: {time.monotonic() - began:6.1f} s  {text}", flush=True)


async def until(holds: Callable[[], bool], what: str, within_s: float) -> None:
    try:
        async with asyncio.timeout(within_s):
            while not holds():  # noqa: ASYNC110 - processes and controllers have no event of ours
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise SystemExit(f"GUEST: not within {within_s:.0f} s: {what}") from None
    say(what)


async def powered(name: str) -> None:
    """Wait until bluetoothd has the adapter."""
    reason = ""
    for _ in range(60):
        try:
            radio = await open_bluez(name, PROFILE, lambda _: None)
        except RadioError as error:
            reason = str(error)
            await asyncio.sleep(2.0)
        else:
            await radio.close()
            say(f"bluetoothd has {name}")
            return
    raise SystemExit(f"GUEST: {reason}")


class Node:
    """A node as a process, and the lines that it says."""

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self.folder = FOLDER / name
        create_node(self.folder, NodeSettings(url, "SG_MOH", f"Model {name}"), now=wall())
        self.lines: list[dict[str, Any]] = []
        self.strange: list[str] = []

    async def start(self) -> None:
        words = ["-m", "tracetogether", "node", "run", str(self.folder)]
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            *words,
            "--radio",
            self.name,
            "--json",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        self.reading = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.lines.append(json.loads(line))
            if self.lines[-1]["event"] != "status":
                said = {**self.lines[-1], "token": "…", "time": None}
                say(f"{self.name} {json.dumps(said)[:200]}")

    def said(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["event"] == event]

    async def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.stderr is not None
        errors = await self.process.stderr.read()
        for line in errors.decode().splitlines():
            say(f"{self.name} complains: {line}")
            self.strange.append(line)
        await self.reading
        return await self.process.wait()


class Stranger:
    """A phone on bumble that listens to what BlueZ shows, and connects and stays."""

    def __init__(self, link: Air) -> None:
        controller = link.controller("stranger")
        host = Host(controller, AsyncPipeSink(controller))
        self.device = Device(
            name="stranger", address=hci.Address.generate_static_address(), host=host
        )
        self.shown: dict[hci.Address, Announcement] = {}

    async def listen(self) -> None:
        await self.device.power_on()

        def heard(advertisement: Any) -> None:
            said = parse_advertisement(advertisement.data_bytes, SERVICE_UUID, COMPANY_ID)
            if said is not None:
                self.shown[advertisement.address] = said

        self.device.on("advertisement", heard)
        await self.device.start_scanning(active=False, filter_duplicates=False)

    async def visit(self, address: hci.Address) -> tuple[str, float]:
        """Connect, read, stay; return the token and how long it was let stay, s."""
        await self.device.stop_scanning()
        connection = await self.device.connect(address, timeout=30)
        gone = asyncio.Event()
        connection.on(connection.EVENT_DISCONNECTION, lambda _: gone.set())
        peer = Peer(connection)
        (service,) = await peer.discover_service(UUID(SERVICE_UUID))
        (value,) = await service.discover_characteristics([UUID(CHARACTERISTIC_UUID)])
        read = parse_read(await value.read_value())  # in parts: the packets have 23 bytes
        since = time.monotonic()
        try:
            async with asyncio.timeout(HOLD_MOST_S):
                await gone.wait()
        except TimeoutError:
            await connection.disconnect()
        return read.token, time.monotonic() - since


async def main() -> None:
    say("imported")
    link = Air(lambda _sender, _receiver: LEVEL_DBM, chance=lambda: 0.5)
    transports = []
    for name in ("hci0", "hci1"):
        transport = await open_transport("vhci")
        controller = link.controller(name, transport.source, transport.sink)
        public = hci.Address.PUBLIC_DEVICE_ADDRESS
        controller.public_address = hci.Address(
            ADDRESSES[name], public
        )  # BlueZ takes none of noughts
        transports.append(transport)
        await powered(name)
    world = World.of(os.urandom, since=wall() - SECONDS_PER_DAY)
    with http_api.running(http_api.create_app(world.authority)) as url:
        nodes = [await asyncio.to_thread(Node, name, url) for name in ("hci0", "hci1")]
        for node in nodes:
            await node.start()
        try:
            await meet(link, nodes)
        finally:
            ended = [await node.end() for node in nodes]
    say(f"ended by SIGTERM with {ended}, {link.open_links} links open")
    assert ended == [0, 0]
    for node in nodes:
        assert not node.strange
        assert not node.said("radio_lost")
    say(f"{link.connections} connections, {link.reports} reports on the air")


async def meet(link: Air, nodes: list[Node]) -> None:
    stranger = Stranger(link)
    await until(lambda: all(node.lines for node in nodes), "both nodes run", 600)
    await stranger.listen()
    await until(lambda: len(stranger.shown) == 2, "both advertise the service", 300)
    for address, said in stranger.shown.items():
        say(f"{address} shows {said}")
    whole = [said for said in stranger.shown.values() if len(said.manufacturer_data) > 0]
    say(f"{len(whole)} of 2 show manufacturer data")
    await until(
        lambda: all(node.said("sighting") for node in nodes), "both have met the other", 600
    )
    for node, other in zip(nodes, reversed(nodes), strict=True):
        with SqliteContactLog.open(node.folder / LOG, read_only=True) as log:
            rows = log.rows()
        assert {row.peer_model for row in rows} == {f"Model {other.name}"}
        assert {row.rssi_dbm for row in rows} == {LEVEL_DBM}
    sightings = [line for node in nodes for line in node.said("sighting")]
    assert {line["as_central"] for line in sightings} == {True, False}
    token, stayed_s = await stranger.visit(next(iter(stranger.shown)))
    assert len(token) == 84
    say(f"a stranger read 84 characters in parts and was let stay {stayed_s:.1f} s")
    assert stayed_s < HOLD_S + 20


asyncio.run(main())
print("GUEST: meetings, advertisements, a guest that stays: as wanted", flush=True)
