"""What a phone sends: a HELLO of 16 bytes, its version and transmit power, as service data.

A HELLO is made again every 3 minutes, as it carries the time. The MAC covers neither the version
nor the transmit power.
"""

from dataclasses import dataclass, field
from typing import Final

from tracetogether.errors import RemoteProtocolError
from tracetogether.exchange import RadioProfile
from tracetogether.short_advertisement import service_data_of, with_service_data
from tracetogether.units import SECONDS_PER_DAY

SERVICE: Final = 0xFD64  # StopCovid's apps take it from their configuration
PROFILE: Final = RadioProfile(service=f"{SERVICE:04X}", characteristic=None, company_id=0)
"""Nobody connects. The deployed phones also answered connections, for iPhones in the background."""
RETENTION_S: Final = 14 * SECONDS_PER_DAY
HELLO_BYTES: Final = 16
RENEWED_S: Final = 180
VERSION: Final = 2
_SERVICE_DATA_BYTES: Final = HELLO_BYTES + 2


@dataclass(frozen=True, slots=True)
class HelloAdvertisement:
    """A HELLO (16 bytes), the version of its sender, and its transmit power in dBm."""

    hello: bytes = field(repr=False)
    tx_power_dbm: int
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class HelloParts:
    """The parts of a HELLO: ECC, EBID (8 bytes), 16 bits of its time, MAC (5 bytes)."""

    ecc: int
    ebid: bytes = field(repr=False)
    time16: int
    mac: bytes = field(repr=False)


def read_hello(value: bytes) -> HelloParts:
    """Return the parts of a HELLO.

    Raises:
        RemoteProtocolError: it has not 16 bytes.
    """
    if len(value) != HELLO_BYTES:
        raise RemoteProtocolError(f"a HELLO has {HELLO_BYTES} bytes, not {len(value)}")
    return HelloParts(value[0], value[1:9], int.from_bytes(value[9:11]), value[11:])


def write_advertisement(said: HelloAdvertisement, service: int = SERVICE) -> bytes:
    """Return the 29 bytes of one advertisement.

    Raises:
        ValueError: the HELLO has not 16 bytes, or the power does not fit into one byte.
    """
    if len(said.hello) != HELLO_BYTES or not -128 <= said.tx_power_dbm <= 127:
        raise ValueError("a HELLO of 16 bytes and a power from -128 to 127 dBm")
    return with_service_data(service, said.hello + bytes([said.version, said.tx_power_dbm & 0xFF]))


def read_advertisement(value: bytes, service: int = SERVICE) -> HelloAdvertisement:
    """Read an advertisement; bytes after the transmit power are left out.

    Raises:
        RemoteProtocolError: it is no advertisement of this service, or too short.
    """
    data = service_data_of(value, service)
    if len(data) < _SERVICE_DATA_BYTES:
        raise RemoteProtocolError(f"service data of {len(data)} bytes; a HELLO needs 18")
    power = int.from_bytes(data[17:18], signed=True)
    return HelloAdvertisement(data[:HELLO_BYTES], power, data[16])
