"""The steps of a connection and how long they take: what both fidelities draw."""

from enum import IntEnum
from typing import Final

ORGANISATION: Final = "SG_MOH"

LEAST_WAIT_S: Final = 1e-6  # epoch seconds in a float resolve 0.24 microseconds
SUPERVISION_S: Final = 4.0  # a link that fell silent is given up after this

# (least, most) seconds, evenly between: from published traces of phones, connect to disconnect in
# one to three seconds.
CONNECT_S: Final = (0.1, 0.6)  # beyond waiting for the next advertisement
READ_S: Final = (0.3, 1.0)  # exchange of sizes, discovery of services, read
WRITE_S: Final = (0.1, 0.4)
HANG_UP_S: Final = (0.02, 0.1)
FETCH_S: Final = (0.2, 1.5)

IOS_ADDRESS_S: Final = 900.0  # Bluetooth's recommended life of a private address
STALE_S: Final = 12 * 3600
MAX_INCOMING: Final = 4  # links that a phone's controller serves at once; phones differ, 4 to 7
LINK_MARGIN_DB: Final = 3.0  # a connection wants more than a single advertisement does
NEWS_S: Final = 185.0  # an Android is news to iOS when it begins to advertise under a new address


class Purpose(IntEnum):
    """What a draw on a link is for."""

    ACCEPT = 0
    CONNECT_S = 1
    READ = 2
    READ_S = 3
    WRITE = 4
    WRITE_S = 5
    HANG_UP_S = 6
    FETCH_S = 7
