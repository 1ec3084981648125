"""The two phones of the known answers, and their TempIDs.

Key, IV, user id and time of the first phone are those of known answers of the original OpenTrace
server, so its TempIDs are that server's own. The key is public: it seals nothing of anybody.
"""

from typing import Final

from tracetogether.bluetrace.batch import TempIDBatch
from tracetogether.bluetrace.tempid import TempIDIssuer
from tracetogether.keyring import KeyRing

ORGANISATION: Final = "SG_OTC"
OWN_MODEL: Final = "Pixel 3a"
OTHER_MODEL: Final = "iPhone 8"
OWN_USER: Final = "8zZBQrs2ZKP0ZPvqO4yDxQjBvUe2"
OTHER_USER: Final = "QUJDREVGR0hJSktMTU5PUFFSU1RV"
NOW: Final = 1_586_304_000
"""When both phones fetched their batches, epoch seconds."""
_START: Final = NOW - 60
_KEY: Final = bytes(range(32))
_IVS: Final = {OWN_USER: bytes(range(0x10, 0x20)), OTHER_USER: bytes(range(0x40, 0x50))}


def issuer() -> TempIDIssuer:
    """Return who opens the TempIDs of both phones."""
    return TempIDIssuer(KeyRing.of_static(_KEY), ORGANISATION)


def batch_of(user_id: str, count: int = 100) -> TempIDBatch:
    """Return the batch of one of the two phones."""
    iv = _IVS[user_id]
    return issuer().issue(user_id, _START, count, entropy=lambda size: iv * (size // len(iv)))
