"""What a phone sends: a number of 16 bytes as service data (iPhones: by a connection)."""

from typing import Final

from tracetogether.errors import RemoteProtocolError
from tracetogether.exchange import RadioProfile
from tracetogether.short_advertisement import service_data_of, with_service_data
from tracetogether.tcn.keys import NUMBER_BYTES
from tracetogether.units import SECONDS_PER_DAY

SERVICE: Final = 0xC019
CHARACTERISTIC: Final = "d61f4f27-3d6b-4b04-9e46-c9d2ea617f62"
PROFILE: Final = RadioProfile(service=f"{SERVICE:04X}", characteristic=None, company_id=0)
"""Nobody connects: the connections in which iPhones exchanged numbers are not built."""
RETENTION_S: Final = 14 * SECONDS_PER_DAY


def write_advertisement(number: bytes) -> bytes:
    """Return the 27 bytes of one advertisement.

    Raises:
        ValueError: the number has not 16 bytes.
    """
    if len(number) != NUMBER_BYTES:
        raise ValueError(f"a contact number has {NUMBER_BYTES} bytes, not {len(number)}")
    return with_service_data(SERVICE, number)


def read_advertisement(value: bytes) -> bytes:
    """Return the number of an advertisement; some apps send more bytes after it.

    Raises:
        RemoteProtocolError: it is no advertisement of TCN, or the data is too short.
    """
    data = service_data_of(value, SERVICE)
    if len(data) < NUMBER_BYTES:
        raise RemoteProtocolError(f"a contact number has {NUMBER_BYTES} bytes, not {len(data)}")
    return data[:NUMBER_BYTES]
