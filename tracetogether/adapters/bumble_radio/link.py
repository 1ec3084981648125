"""A connection that this phone opened, on bumble's GATT client."""

import asyncio
from contextlib import suppress
from typing import Any, Final

from bumble import att
from bumble.core import UUID
from bumble.device import Connection
from bumble.gatt_client import CharacteristicProxy, Client

from tracetogether.adapters.bumble_radio.tasks import ShieldedTasks, link_errors
from tracetogether.errors import LinkError
from tracetogether.exchange import RadioProfile

CLOSE_S: Final = 2.0
_LONGEST_VALUE: Final = 512  # Bluetooth Core, vol. 3, part F, 3.2.9
_ENDS: Final = frozenset({att.ATT_ATTRIBUTE_NOT_LONG_ERROR, att.ATT_INVALID_OFFSET_ERROR})


class BumbleLink:
    """A connection that this phone opened; implements ``Link``.

    A value is read and written by ATT, the protocol below GATT. One ATT packet carries up to the
    MTU (23 bytes unless both sides agree on more), so that longer values go in parts.
    """

    def __init__(self, connection: Connection, profile: RadioProfile, tasks: ShieldedTasks) -> None:
        self._connection = connection
        self._profile = profile
        self._tasks = tasks
        self._value: CharacteristicProxy[bytes] | None = None
        self._client: Client = connection.gatt_client

    async def ask_for(self, mtu: int) -> None:
        """Agree on the MTU, the longest packet.

        Raises:
            LinkError: the connection broke.
        """
        with link_errors("agree on a packet size"):
            await self._tasks.finish(lambda: self._ask_for(mtu))

    async def read(self) -> bytes:
        """Return the peer's value."""
        with link_errors("read"):
            return await self._tasks.finish(self._read)

    async def write(self, value: bytes) -> None:
        """Write ``value``, in parts where it is longer than a packet."""
        with link_errors("write"):
            await self._tasks.finish(lambda: self._write(value))

    async def close(self) -> None:
        """End the connection."""
        with suppress(Exception):
            self._check()
            async with asyncio.timeout(CLOSE_S):
                await self._tasks.finish(self._connection.disconnect)

    async def _ask_for(self, mtu: int) -> None:
        self._check()
        await self._client.request_mtu(mtu)

    async def _write(self, value: bytes) -> None:
        handle = (await self._find()).handle
        self._check()
        await self._client.write_value(handle, value, with_response=True)

    async def _read(self) -> bytes:
        """Return the value, read in as many parts as the packet size requires.

        Some phones answer a request for a later part with the first part again. Their value is
        that first part.
        """
        handle = (await self._find()).handle
        answer = await self._request(att.ATT_Read_Request(attribute_handle=handle))
        value = first = last = answer.attribute_value
        while len(last) == self._client.mtu - 1 and len(value) <= _LONGEST_VALUE:
            answer = await self._request(
                att.ATT_Read_Blob_Request(attribute_handle=handle, value_offset=len(value)),
                ends=_ENDS,
            )
            last = b"" if answer is None else answer.part_attribute_value
            if last == first:
                break
            value += last
        return bytes(value)

    def _check(self) -> None:
        """Raise LinkError on a broken connection; bumble would wait 30 s for an answer."""
        connections = self._connection.device.connections
        if connections.get(self._connection.handle) is not self._connection:
            msg = "the connection broke"
            raise LinkError(msg)

    async def _find(self) -> CharacteristicProxy[bytes]:
        self._check()
        if self._value is None:
            services = await self._client.discover_service(UUID(self._profile.service))
            if not services:
                msg = "the peer advertises the service and does not have it"
                raise LinkError(msg)
            found = await self._client.discover_characteristics((), services[0])
            for wanted in self._profile.values:
                for characteristic in found:
                    if characteristic.uuid == UUID(wanted):
                        self._value = characteristic
                        return characteristic
            msg = "the peer has the service without its characteristic"
            raise LinkError(msg)
        return self._value

    async def _request(self, request: att.ATT_PDU, ends: frozenset[int] = frozenset()) -> Any:  # noqa: ANN401 - the answer that belongs to the request
        self._check()
        answer = await self._client.send_request(request)
        if answer is None or answer.op_code == att.Opcode.ATT_ERROR_RESPONSE:
            if answer is not None and answer.error_code in ends:
                return None
            msg = "the peer refuses to be read"
            raise LinkError(msg)
        return answer
