"""What a phone sends: an EphID of 16 bytes as service data of an advertisement."""

from typing import Final

from tracetogether.dp3t.keys import EPHID_BYTES
from tracetogether.errors import RemoteProtocolError
from tracetogether.exchange import RadioProfile
from tracetogether.short_advertisement import service_data_of, with_service_data
from tracetogether.units import SECONDS_PER_DAY

SERVICE: Final = 0xFD68  # of DP-3T's own apps, before they took to GAEN
PROFILE: Final = RadioProfile(service=f"{SERVICE:04X}", characteristic=None, company_id=0)
"""No characteristic: the advertisement can't be answered by a connection."""
RETENTION_S: Final = 14 * SECONDS_PER_DAY


def write_advertisement(ephid: bytes, service: int = SERVICE) -> bytes:
    """Return the 27 bytes of one advertisement.

    Raises:
        ValueError: the EphID has not 16 bytes.
    """
    if len(ephid) != EPHID_BYTES:
        raise ValueError(f"an EphID has {EPHID_BYTES} bytes, not {len(ephid)}")
    return with_service_data(service, ephid)


def read_advertisement(value: bytes, service: int = SERVICE) -> bytes:
    """Return the EphID of an advertisement.

    Raises:
        RemoteProtocolError: it is no advertisement of this service, or the data has not 16 bytes.
    """
    data = service_data_of(value, service)
    if len(data) != EPHID_BYTES:
        raise RemoteProtocolError(f"an EphID has {EPHID_BYTES} bytes, not {len(data)}")
    return data
