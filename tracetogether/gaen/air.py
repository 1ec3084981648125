"""What a phone sends: 31 bytes that nobody needs to answer.

02 01 1A | 03 03 6F FD | 17 16 6F FD  identifier (16)  hidden metadata (4)
"""

from dataclasses import dataclass, field
from typing import Final

from tracetogether.errors import RemoteProtocolError
from tracetogether.exchange import RadioProfile
from tracetogether.short_advertisement import service_data_of, with_service_data
from tracetogether.units import SECONDS_PER_DAY, is_transmit_power

SERVICE: Final = 0xFD6F
PROFILE: Final = RadioProfile(service=f"{SERVICE:04X}", characteristic=None, company_id=0)
"""No characteristic: the advertisement can't be answered by a connection."""
RETENTION_S: Final = 14 * SECONDS_PER_DAY
IDENTIFIER_BYTES: Final = 16
SERVICE_DATA_BYTES: Final = 20
_VERSIONS: Final = {(1, 0): 0x40, (1, 1): 0x50}


@dataclass(frozen=True, slots=True)
class ExposureMetadata:
    """The four bytes beside an identifier.

    Attributes:
        tx_power_dbm: transmit power as the phone claims it, -128..127.
        confidence: of the phone's calibration, 0 (lowest) to 3 (high); version 1.1 alone.
        minor: 0 or 1, of version 1.
    """

    tx_power_dbm: int
    confidence: int = 0
    minor: int = 1


@dataclass(frozen=True, slots=True)
class ExposureAdvertisement:
    """Identifier (16 bytes) and hidden metadata (4 bytes), as sent."""

    identifier: bytes = field(repr=False)
    hidden: bytes = field(repr=False)


def write_metadata(metadata: ExposureMetadata) -> bytes:
    """Return the four bytes.

    Raises:
        ValueError: a field does not fit.
    """
    if metadata.minor not in {0, 1} or not 0 <= metadata.confidence <= 3:
        raise ValueError("metadata of version 1.0 or 1.1 with a confidence from 0 to 3")
    if not -128 <= metadata.tx_power_dbm <= 127:
        raise ValueError(f"{metadata.tx_power_dbm} dBm have no place in one byte")
    first = _VERSIONS[1, metadata.minor] | metadata.confidence << 2
    return bytes([first, metadata.tx_power_dbm & 0xFF, 0, 0])


def read_metadata(value: bytes) -> ExposureMetadata:
    """Return what four shown bytes say.

    Raises:
        RemoteProtocolError: they have another length or another major version.
    """
    if len(value) != 4 or value[0] >> 6 != 1:
        raise RemoteProtocolError("exposure metadata is four bytes of version 1")
    power = value[1] - 256 if value[1] > 127 else value[1]
    return ExposureMetadata(power, value[0] >> 2 & 3, value[0] >> 4 & 3)


def attenuation_db(tx_power_dbm: float, rssi_dbm: float, correction_db: float = 0.0) -> float:
    """Return the loss between two phones, never below 0 dB."""
    return max(tx_power_dbm - (rssi_dbm + correction_db), 0.0)


def believed_power(tx_power_dbm: float) -> bool:
    """Return whether a phone of today keeps a sighting of this power: -50 to 20 dBm."""
    return is_transmit_power(tx_power_dbm)


def write_advertisement(said: ExposureAdvertisement) -> bytes:
    """Return the 31 bytes of one advertisement.

    Raises:
        ValueError: identifier or metadata have another length.
    """
    if len(said.identifier) != IDENTIFIER_BYTES or len(said.hidden) != 4:
        raise ValueError("an identifier has 16 bytes and its hidden metadata 4")
    return with_service_data(SERVICE, said.identifier + said.hidden)


def read_advertisement(value: bytes) -> ExposureAdvertisement:
    """Read an advertisement; the flags and other structures may be missing or differ.

    Raises:
        RemoteProtocolError: it is longer than 31 bytes, is cut off, or has no service data of
            this protocol.
    """
    return read_service_data(service_data_of(value, SERVICE))


def read_service_data(value: bytes) -> ExposureAdvertisement:
    """Read the 20 bytes of service data.

    Raises:
        RemoteProtocolError: they have another length.
    """
    if len(value) != SERVICE_DATA_BYTES:
        raise RemoteProtocolError(f"exposure service data has 20 bytes, not {len(value)}")
    return ExposureAdvertisement(value[:IDENTIFIER_BYTES], value[IDENTIFIER_BYTES:])
