"""What happens in the virtual machine: two nodes on BlueZ, and a stranger on bumble who visits.

Kernel, bluetoothd and D-Bus are real; controllers and the air between them are this program's. The
nodes are processes of their own, split off here: QEMU's processor is a slow one, and takes a
minute to import what they need. Prints what was met, and fails where something is missing.

    python -m tests.vm.guest FOLDER     (of tests.vm.make_nodes)
"""

import asyncio
import json
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import tracetogether

began = time.monotonic()

# Not the whole command line, with the simulator and all: that takes another minute.
commands = ModuleType("tracetogether.cli")
commands.__path__ = [str(Path(tracetogether.__file__).with_name("cli"))]
sys.modules[commands.__name__] = commands

from bumble import hci  # noqa: E402
from bumble.core import UUID  # noqa: E402
from bumble.device import Device, Peer  # noqa: E402
from bumble.host import Host  # noqa: E402
from bumble.transport import open_transport  # noqa: E402
from bumble.transport.common import AsyncPipeSink  # noqa: E402

from tracetogether.adapters.bleak_radio import open_bluez  # noqa: E402
from tracetogether.adapters.bumble_radio.virtual_air import Air  # noqa: E402
from tracetogether.adapters.sqlite_log import SqliteContactLog  # noqa: E402
from tracetogether.bluetrace.handshake import (  # noqa: E402
    CHARACTERISTIC_UUID,
    COMPANY_ID,
    PROFILE,
    SERVICE_UUID,
)
from tracetogether.bluetrace.payload import parse_read  # noqa: E402
from tracetogether.cli.node_folder import LOG, load_batch  # noqa: E402
from tracetogether.cli.node_live import live  # noqa: E402
from tracetogether.errors import RadioError  # noqa: E402
from tracetogether.node.advertising import Announcement, parse_advertisement  # noqa: E402
from tracetogether.node.radio import LIMITS  # noqa: E402
from tracetogether.parameters import PhoneTimings  # noqa: E402

ADDRESSES: Final = {"hci0": "F0:12:34:56:78:00", "hci1": "F0:12:34:56:78:01"}
LEVEL_DBM: Final = -46.0
FOLDER: Final = Path("/tmp/nodes")  # noqa: S108 - a layer in memory
STAY_MOST_S: Final = 120.0
LATE_S: Final = 40.0  # longest delay of a disconnection after a visitor's time is over
# The phones' rhythm for a machine on which a connection takes 2 to 9 s and not one. The nodes scan
# in turn: two that connect to each other at once wait until one gives up, and when they did so all
# the time, this kernel crashed once (a list corrupted in hci_chan_del).
SCAN_S: Final = 8.0
TURN_S: Final = 20.0
TIMINGS: Final = PhoneTimings(
    scan_s=SCAN_S,
    scan_pause_min_s=2 * TURN_S - SCAN_S,
    scan_pause_max_s=2 * TURN_S - SCAN_S,
    queue_max_s=TURN_S,
    connection_timeout_s=3 * TURN_S,  # a node waits for 0.3 to 0.9 of it
    blacklist_s=TURN_S / 2,
)


def say(text: str) -> None:
    """Print what was met, and when."""
    print(f"GUEST: {time.monotonic() - began:6.1f} s  {text}", flush=True)


def claim(holds: object, what: str) -> None:
    """Say what holds, or end the machine with that it does not."""
    if not holds:
        raise SystemExit(f"GUEST: it does not hold: {what}")
    say(what)


async def until(holds: Callable[[], object], what: str, within_s: float) -> None:
    """Wait for something."""
    try:
        async with asyncio.timeout(within_s):
            while not holds():  # noqa: ASYNC110 - processes and controllers have no event of ours
                await asyncio.sleep(0.2)
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
            await asyncio.sleep(1.0)
        else:
            await radio.close()
            say(f"bluetoothd has {name}")
            return
    raise SystemExit(f"GUEST: {reason}")


class Node:
    """A node as a process, and the lines that it says."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.folder = FOLDER / name
        batch = load_batch(self.folder)
        assert batch is not None
        self.tokens = {tempid.text for tempid in batch}
        self._said = FOLDER / f"{name}.said"
        self._complaints = FOLDER / f"{name}.complaints"
        self.runs = False

    def start(self) -> None:
        """Split it off."""
        self._pid = os.fork()
        if self._pid:
            self.runs = True
            return
        status = 1
        try:
            for number, path in ((1, self._said), (2, self._complaints)):
                os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
            asyncio.run(
                live(
                    self.folder,
                    lambda report: open_bluez(self.name, PROFILE, report),
                    as_json=True,
                    timings=TIMINGS,
                )
            )
            status = 0
        except BaseException:  # noqa: BLE001 - it must not go on in its parent's place
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def said(self, event: str) -> list[dict[str, Any]]:
        """Return its whole lines so far about one kind of event."""
        if not self._said.exists():
            return []
        whole = self._said.read_text().rpartition("\n")[0].splitlines()
        return [line for line in map(json.loads, whole) if line["event"] == event]

    @property
    def complaints(self) -> str:
        """Return what it wrote to its standard error."""
        return self._complaints.read_text() if self._complaints.exists() else ""

    @property
    def roles(self) -> set[bool]:
        """Return as what it exchanged: as the central, as the peripheral."""
        return {line["as_central"] for line in self.said("sighting")}

    async def end(self) -> int:
        """Tell it to end; return its exit status."""
        os.kill(self._pid, signal.SIGTERM)
        _, status = await asyncio.to_thread(os.waitpid, self._pid, 0)
        return os.waitstatus_to_exitcode(status)


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
        """Take down what is advertised."""
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
        connection = await self.device.connect(address, timeout=60)
        gone = asyncio.Event()
        connection.on(connection.EVENT_DISCONNECTION, lambda _: gone.set())
        peer = Peer(connection)
        (service,) = await peer.discover_service(UUID(SERVICE_UUID))
        (value,) = await service.discover_characteristics([UUID(CHARACTERISTIC_UUID)])
        since = time.monotonic()
        read = parse_read(await value.read_value())  # in parts: the packets have 23 bytes
        async with asyncio.timeout(STAY_MOST_S):
            await gone.wait()
        return read.token, time.monotonic() - since


async def main() -> None:
    """Play it all."""
    say("imported")
    shutil.copytree(sys.argv[1], FOLDER)
    link = Air(lambda _sender, _receiver: LEVEL_DBM, chance=lambda: 0.5)
    transports = []
    for name, address in ADDRESSES.items():
        transport = await open_transport("vhci")
        controller = link.controller(name, transport.source, transport.sink)
        controller.public_address = hci.Address(address, hci.Address.PUBLIC_DEVICE_ADDRESS)
        transports.append(transport)
        await powered(name)
    nodes = [Node(name) for name in ADDRESSES]
    stranger = Stranger(link)
    await stranger.listen()
    try:
        for node in nodes:
            node.start()
            await until(lambda node=node: node.said("started"), f"{node.name} runs", 300)
            await asyncio.sleep(TURN_S if node is nodes[0] else 0.0)
        await meet(link, stranger, nodes)
    finally:
        ended = [await node.end() for node in nodes if node.runs]
        for node in nodes:
            for line in node.complaints.splitlines():
                say(f"{node.name} complains: {line}")
    claim(ended == [0, 0], f"both ended by SIGTERM with exit status 0: {ended}")
    claim(not any(node.complaints for node in nodes), "neither complained")
    claim(not any(node.said("radio_lost") for node in nodes), "neither lost its adapter")
    await until(lambda: link.open_links == 0, "no link is open", 60)
    say(f"{link.connections} connections, {link.reports} reports on the air")


async def meet(link: Air, stranger: Stranger, nodes: list[Node]) -> None:
    """Let the nodes meet, hold their logs to what happened, and visit one of them."""
    await until(lambda: len(stranger.shown) == len(nodes), "both advertise the service", 120)
    for address, said in stranger.shown.items():
        claim(
            len(said.manufacturer_data) == 3 and said.tx_power_dbm is not None,
            f"{address} shows 3 bytes of manufacturer data and its transmit power",
        )
    for node, other in zip(nodes, reversed(nodes), strict=True):
        await until(
            lambda node=node: node.roles == {True, False},
            f"{node.name} exchanged as central and as peripheral",
            300,
        )
        with SqliteContactLog.open(node.folder / LOG, read_only=True) as log:
            rows = log.rows()
        claim(
            len(rows) >= 2 and {row.as_central for row in rows} == {True, False},
            f"{node.name} has {len(rows)} sightings in its log, in both roles",
        )
        claim(
            {row.peer for row in rows} <= other.tokens
            and {row.peer_model for row in rows} == {f"Model {other.name}"},
            f"all are TempIDs that {other.name} was issued",
        )
        claim({row.rssi_dbm for row in rows} == {LEVEL_DBM}, f"all at {LEVEL_DBM:.0f} dBm")
    token, stayed_s = await stranger.visit(next(iter(stranger.shown)))
    claim(
        any(token in node.tokens for node in nodes),
        f"a stranger read a TempID of {len(token)} characters in parts",
    )
    claim(
        LIMITS.incoming_s <= stayed_s < LIMITS.incoming_s + LATE_S,
        f"and was let stay {stayed_s:.1f} s",
    )
    say(f"{link.connections} connections so far")


asyncio.run(main())
