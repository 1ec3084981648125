"""The steps of a connection and their durations, which both fidelities draw."""

from enum import IntEnum
from typing import Final

ORGANISATION: Final = "SG_MOH"

LEAST_WAIT_S: Final = 1e-6  # float64 epoch seconds resolve 0.24 microseconds
SUPERVISION_S: Final = 4.0  # a silent link is closed after this

# (least, most) seconds of a uniform distribution, from published traces of phones: they connect and
# disconnect within one to three seconds.
CONNECT_S: Final = (0.1, 0.6)  # in addition to the wait for the next advertisement
READ_S: Final = (0.3, 1.0)  # exchange of sizes, discovery of services, read
WRITE_S: Final = (0.1, 0.4)
HANG_UP_S: Final = (0.02, 0.1)
FETCH_S: Final = (0.2, 1.5)

IOS_ADDRESS_S: Final = 900.0  # Bluetooth's recommended lifetime of a private address
STALE_S: Final = 12 * 3600
MAX_INCOMING: Final = 4  # links that a controller serves at the same time; phones have 4 to 7
LINK_MARGIN_DB: Final = 3.0  # a connection needs more level than a single advertisement
NEWS_S: Final = 185.0  # iOS reports an Android again when it advertises a new address


class Purpose(IntEnum):
    """The use of a random number on a link."""

    ACCEPT = 0
    CONNECT_S = 1
    READ = 2
    READ_S = 3
    WRITE = 4
    WRITE_S = 5
    HANG_UP_S = 6
    FETCH_S = 7
