"""A scripted phone on bumble's host, which meets a phone under test in both roles."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

from bumble import att, hci
from bumble.core import UUID, ProtocolError
from bumble.device import Connection, Device, DeviceConfiguration, Peer
from bumble.gatt import Characteristic, CharacteristicValue, Service
from bumble.gatt_client import CharacteristicProxy
from bumble.transport.common import TransportSink, TransportSource

from tracetogether.adapters.bumble_radio.host import AdvertisingReport, CalmHost
from tracetogether.bluetrace.payload import MAX_PAYLOAD_BYTES
from tracetogether.conformance.checklist import CheckFailedError, PeerRefusedError, require
from tracetogether.exchange import RadioProfile
from tracetogether.node.advertising import encode_advertisement, parse_advertisement

_STEP_S: Final = 10.0  # for one request to the phone under test
_INTERVAL_MS: Final = 100.0
_LEAST_MTU: Final = 23
_ENDS: Final = frozenset({att.ATT_ATTRIBUTE_NOT_LONG_ERROR, att.ATT_INVALID_OFFSET_ERROR})


@dataclass(frozen=True, slots=True)
class PeerSettings:
    """Where the phone under test is, and how long it gets.

    Attributes:
        profile: UUIDs of its build.
        wait_s: how long it may take to advertise, or to connect: longer than its scan period.
        finish_s: how long it may keep a connection.
        rest_s: how long to watch that it does not connect again.
        level_dbm: level at which it hears the scripted phone; None where nobody knows.
    """

    profile: RadioProfile
    wait_s: float = 60.0
    finish_s: float = 8.0
    rest_s: float = 30.0
    level_dbm: float | None = None


@dataclass(slots=True)
class PeerVisit:
    """A connection that the phone under test has opened.

    Attributes:
        covered: how many bytes of the value it has read.
        written: values that it has written.
    """

    connection: Connection
    covered: int = 0
    written: list[bytes] = field(default_factory=list, repr=False)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    has_written: asyncio.Event = field(default_factory=asyncio.Event)


class _ScriptedHost(Device):
    """Bumble's device; advertisements are passed on raw, since bumble fails on damaged ones."""

    hear: Callable[[AdvertisingReport], None] | None = None

    def on_advertising_report(self, report: AdvertisingReport) -> None:
        """Take an advertisement in."""
        if self.hear is not None:
            self.hear(report)


class PeerBench:
    """One run of the checks against one phone.

    Args:
        source, sink: of the controller that the scripted phone uses.
        settings: what is known of the phone under test.

    Attributes:
        heard: the phone's last advertisement.
        ids: TempIDs that it served.
        visitor: its last connection.
    """

    def __init__(
        self, source: TransportSource, sink: TransportSink, settings: PeerSettings
    ) -> None:
        config = DeviceConfiguration(name="", address=hci.Address.generate_private_address())
        self._device = _ScriptedHost(config=config, host=CalmHost(source, sink))
        self.settings = settings
        self.heard: AdvertisingReport | None = None
        self.ids: set[str] = set()
        self.visitor: PeerVisit | None = None
        self.value: bytes | None = None  # None: refuses to be read
        self._came = asyncio.Event()
        self._found = asyncio.Event()
        self._device.hear = self._hear
        self._device.on("connection", self._welcome)
        self._served = self._add_service()

    # --- the phone under test as a peripheral ---

    async def find(self) -> AdvertisingReport:
        """Return the next advertisement of the phone.

        Raises:
            CheckFailedError: there is none.
        """
        self._found.clear()
        await self._device.start_scanning(active=False)
        try:
            async with asyncio.timeout(self.settings.wait_s):
                await self._found.wait()
        except TimeoutError:
            msg = f"no advertisement of the service within {self.settings.wait_s:g} s"
            raise CheckFailedError(msg) from None
        finally:
            await self._device.stop_scanning()
        if self.heard is None:
            raise CheckFailedError("no advertisement of the service")
        return self.heard

    @asynccontextmanager
    async def visit(self, mtu: int = 512) -> AsyncIterator[tuple[Peer, CharacteristicProxy[bytes]]]:
        """Connect to the phone and find its value.

        Raises:
            CheckFailedError: it can't be connected to, or has no such value.
            PeerRefusedError: it refuses the connection, or what is done with it.
        """
        heard = await self.find()
        connection = None
        try:
            async with asyncio.timeout(_STEP_S):
                connection = await self._device.connect(heard.address)
                peer = Peer(connection)
                if mtu > _LEAST_MTU:
                    await peer.request_mtu(mtu)
                value = await self._value_of(peer)
            yield peer, value
        except TimeoutError:
            raise CheckFailedError(f"no answer within {_STEP_S:g} s") from None
        except (ProtocolError, hci.HCI_Error) as error:
            raise PeerRefusedError(f"it refuses: {type(error).__name__}") from None
        finally:
            if connection is not None:
                with suppress(Exception):
                    await connection.disconnect()

    async def _value_of(self, peer: Peer) -> CharacteristicProxy[bytes]:
        services = await peer.discover_service(UUID(self.settings.profile.service))
        require(services, "it has not the service that it advertises")
        found = await services[0].discover_characteristics()
        for wanted in self.settings.profile.values:
            for characteristic in found:
                if characteristic.uuid == UUID(wanted):
                    return characteristic
        raise CheckFailedError("the service has no characteristic of the expected UUID")

    async def read(self, value: CharacteristicProxy[bytes]) -> dict[str, Any]:
        """Return the phone's value as JSON.

        Raises:
            CheckFailedError: it is no JSON object, or has no end.
        """
        client, whole = value.client, b""
        async with asyncio.timeout(_STEP_S):
            while True:
                request: att.ATT_PDU = att.ATT_Read_Request(attribute_handle=value.handle)
                if whole:
                    request = att.ATT_Read_Blob_Request(
                        attribute_handle=value.handle, value_offset=len(whole)
                    )
                answer = await client.send_request(request)
                if isinstance(answer, att.ATT_Error_Response):
                    # A value that fills its last packet ends by an error.
                    require(whole and answer.error_code in _ENDS, "it refuses to be read")
                    break
                part = bytes(
                    answer.part_attribute_value
                    if isinstance(answer, att.ATT_Read_Blob_Response)
                    else answer.attribute_value
                )
                whole += part
                require(len(whole) <= MAX_PAYLOAD_BYTES, "its value has no end: part follows part")
                if len(part) < client.mtu - 1:
                    break
        return said_in(whole)

    # --- the phone under test as a central ---

    async def show(self, value: bytes | None) -> None:
        """Advertise from a new address, and serve ``value``; None: refuse to be read."""
        self.value, self.visitor = value, None
        self._came.clear()
        address = hci.Address.generate_private_address()
        await self._device.send_sync_command(
            hci.HCI_LE_Set_Random_Address_Command(random_address=address)
        )
        self._device.random_address = address
        await self._start()

    async def hide(self) -> None:
        """Stop advertising, and end the phone's connection."""
        await self._device.stop_advertising()
        if self.visitor is not None and not self.visitor.ended.is_set():
            with suppress(Exception):
                await self.visitor.connection.disconnect()

    async def visited(self, within_s: float | None = None) -> PeerVisit | None:
        """Return the phone's next connection; None if it opens none in time."""
        self._came.clear()
        self.visitor = None
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s or self.settings.wait_s):
                await self._came.wait()
        return self.visitor

    async def advertise_on(self) -> None:
        """Advertise again with the same address: a connection ends advertising."""
        await self._start()

    async def power_on(self) -> None:
        """Start the controller."""
        await self._device.power_on()

    async def close(self) -> None:
        """Stop everything."""
        with suppress(Exception):
            async with asyncio.timeout(_STEP_S):
                await self.hide()
                await self._device.power_off()

    async def _start(self) -> None:
        profile = self.settings.profile
        await self._device.stop_advertising()
        await self._device.start_advertising(
            advertising_data=encode_advertisement(
                profile.service, profile.company_id, b"4f2", None
            ),
            scan_response_data=b"",
            advertising_interval_min=_INTERVAL_MS,
            advertising_interval_max=_INTERVAL_MS,
        )

    def _add_service(self) -> Characteristic[bytes]:
        kinds = Characteristic.Properties
        value: Characteristic[bytes] = Characteristic(
            UUID(self.settings.profile.values[0]),
            kinds.READ | kinds.WRITE | kinds.WRITE_WITHOUT_RESPONSE,
            Characteristic.READABLE | Characteristic.WRITEABLE,
            CharacteristicValue(read=self._read, write=self._written),
        )
        self._device.add_service(Service(UUID(self.settings.profile.service), [value]))
        server = self._device.gatt_server
        server.max_mtu = _LEAST_MTU  # so that the value has to be read, and written, in parts
        whole, part = server.on_att_read_request, server.on_att_read_blob_request

        def read(bearer: att.Bearer, request: att.ATT_Read_Request) -> None:
            self._cover(request.attribute_handle, 0, bearer.att_mtu)
            whole(bearer, request)

        def read_part(bearer: att.Bearer, request: att.ATT_Read_Blob_Request) -> None:
            self._cover(request.attribute_handle, request.value_offset, bearer.att_mtu)
            part(bearer, request)

        server.on_att_read_request = read
        server.on_att_read_blob_request = read_part
        return value

    def _cover(self, handle: int, offset: int, mtu: int) -> None:
        if self.visitor is not None and handle == self._served.handle and self.value is not None:
            covered = min(len(self.value), offset + mtu - 1)
            self.visitor.covered = max(self.visitor.covered, covered)

    def _read(self, _: Connection) -> bytes:
        if self.value is None:
            raise att.ATT_Error(att.ATT_READ_NOT_PERMITTED_ERROR)
        return self.value

    def _written(self, _: Connection, value: bytes) -> None:
        if self.visitor is not None:
            self.visitor.written.append(bytes(value))
            self.visitor.has_written.set()

    def _hear(self, report: AdvertisingReport) -> None:
        profile = self.settings.profile
        if parse_advertisement(report.data, profile.service, profile.company_id) is not None:
            self.heard = report
            self._found.set()

    def _welcome(self, connection: Connection) -> None:
        if connection.role != hci.Role.PERIPHERAL:
            return
        self.visitor = visitor = PeerVisit(connection)
        connection.on("disconnection", lambda _: visitor.ended.set())
        self._came.set()


def said_in(value: bytes) -> dict[str, Any]:
    """Return a payload as JSON.

    Raises:
        CheckFailedError: it is no JSON object.
    """
    try:
        said = json.loads(value.decode())
    except ValueError:
        said = None
    if not isinstance(said, dict):
        msg = f"{len(value)} bytes that are no JSON object"
        raise CheckFailedError(msg)
    return said
