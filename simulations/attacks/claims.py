"""What a phone writes down if somebody changes on the way what is claimed beside a token.

Each protocol's own ``Exchange`` reads the changed bytes.
"""

from typing import Final

from simulations.attacks.phone_made import CLAIMED_DBM
from simulations.streams import Streams
from tracetogether.bluetrace.handshake import BlueTraceExchange
from tracetogether.bluetrace.payload import CentralPayload, encode_write
from tracetogether.desire.air import slices_of
from tracetogether.desire.exchange import DesireExchange
from tracetogether.dp3t.exchange import HybridExchange, LowCostExchange, UnlinkableExchange
from tracetogether.exchange import Exchange, Heard
from tracetogether.gaen.exchange import GaenExchange
from tracetogether.gaen.keys import METADATA_BYTES
from tracetogether.rejection import Rejection
from tracetogether.robert.air import VERSION
from tracetogether.robert.exchange import RobertExchange
from tracetogether.sightings import Sighting
from tracetogether.tcn.exchange import TcnExchange
from tracetogether.units import TRANSMIT_LOWEST_DBM

LEAST_CLAIM_DBM: Final = int(TRANSMIT_LOWEST_DBM)
"""The least transmit power that a reader believes: the less is claimed, the nearer it looks."""
NEAREST_RSSI_DBM: Final = -1.0
"""The strongest level that counts as one; a central of BlueTrace states it itself."""
_POWER_BYTE: Final = 1 - METADATA_BYTES  # of the hidden metadata, from the end
_BROADCASTERS: Final = {
    "robert": RobertExchange,
    "gaen": GaenExchange,
    "dp3t-low-cost": LowCostExchange,
    "dp3t-hybrid": HybridExchange,
    "dp3t-hybrid-2h": HybridExchange,
    "dp3t-unlinkable": UnlinkableExchange,
    "tcn": TcnExchange,
}


def written_down(
    protocol: str, token: str, now: float, rssi_dbm: float, *, forged: bool
) -> Sighting:
    """Return what a phone nearby writes down when it hears a token.

    Args:
        protocol: its name.
        token: as on the air, text.
        now: when it is heard, epoch seconds.
        rssi_dbm: how strong.
        forged: whether the claim beside it is changed to the one that looks nearest.

    Raises:
        ValueError: the phone refuses it.
    """
    entropy = Streams(0).entropy("receiver", protocol)
    claim = LEAST_CLAIM_DBM if forged else CLAIMED_DBM
    said: Sighting | Rejection | None
    if protocol == "bluetrace":
        stated = NEAREST_RSSI_DBM if forged else rssi_dbm
        payload = encode_write(CentralPayload(token, "", "SG_MOH", stated))
        said = BlueTraceExchange(model="", organisation="SG_MOH").written(payload, now=now)
    elif protocol == "desire":
        phone = DesireExchange(entropy=entropy)
        for part in slices_of(bytes.fromhex(token))[:2]:
            shown = bytes([part.number]) + part.data
            said = phone.overheard(_heard(shown, rssi_dbm, claim), now=now)
    else:
        data = bytes.fromhex(token)
        if protocol == "gaen" and forged:
            data = _with_power_flipped(data)
        if protocol == "robert":
            data += bytes([VERSION]) + claim.to_bytes(1, signed=True)
        receiver: Exchange = _BROADCASTERS[protocol](entropy=entropy)
        said = receiver.overheard(_heard(data, rssi_dbm, claim), now=now)
    if not isinstance(said, Sighting):
        # A refusal is a value of another type, and here it is an error of the caller's values.
        raise ValueError(f"{protocol}: a phone refuses this token ({said})")  # noqa: TRY004
    return said


def _heard(service_data: bytes, rssi_dbm: float, claim: int) -> Heard:
    """Return an advertisement; the one that sends it again states a transmit power beside it."""
    return Heard("again", rssi_dbm, tx_power_dbm=float(claim), service_data=service_data)


def _with_power_flipped(data: bytes) -> bytes:
    """Change the power in hidden metadata without the key: an exclusive or goes through."""
    changed = bytearray(data)
    changed[_POWER_BYTE] ^= (CLAIMED_DBM & 0xFF) ^ (LEAST_CLAIM_DBM & 0xFF)
    return bytes(changed)
