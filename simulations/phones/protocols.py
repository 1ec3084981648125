"""The one table of the protocols that a crowd can speak, by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from simulations.phones.desire_tokens import DesireTokens
from simulations.phones.dp3t_tokens import HybridTokens, LowCostTokens, UnlinkableTokens
from simulations.phones.gaen_tokens import GaenTokens
from simulations.phones.radios import BROADCASTING, CONNECTING, FAST_BROADCASTING, PhoneRadio
from simulations.phones.robert_tokens import RobertTokens
from simulations.phones.tcn_tokens import TcnTokens
from simulations.phones.token_sources import TokenDraws, TokenSource
from simulations.settings.keys import PhoneKeys
from tracetogether.desire import air as desire
from tracetogether.dp3t import air as dp3t
from tracetogether.gaen import air as gaen
from tracetogether.parameters import RETENTION
from tracetogether.robert import air as robert
from tracetogether.tcn import air as tcn


@dataclass(frozen=True, slots=True)
class SimulatedProtocol:
    """A protocol as a crowd speaks it.

    Attributes:
        title: its name in tables and pictures.
        radio: how it uses Bluetooth as deployed.
        judged_by: whose log tells who was near a case: the case's own, which a server opens, or
            the contact's, which each phone compares with what is published.
        retention_s: how long a phone keeps what it heard.
        shown_s: how long a phone broadcasts the same bytes.
        tokens: makes the tokens of a crowd, and says which exchange a phone has and what follows
            a diagnosis. None: BlueTrace, whose TempIDs the authority issues and opens.
    """

    title: str
    radio: PhoneRadio
    judged_by: Literal["case", "contact"]
    retention_s: float
    shown_s: int
    tokens: Callable[[TokenDraws], TokenSource] | None


PROTOCOLS: Final[Mapping[str, SimulatedProtocol]] = MappingProxyType(
    {
        "bluetrace": SimulatedProtocol("BlueTrace", CONNECTING, "case", RETENTION.log_s, 900, None),
        "gaen": SimulatedProtocol(
            "GAEN", BROADCASTING, "contact", gaen.RETENTION_S, 600, GaenTokens
        ),
        "dp3t-low-cost": SimulatedProtocol(
            "DP-3T low-cost", BROADCASTING, "contact", dp3t.RETENTION_S, 900, LowCostTokens
        ),
        "dp3t-unlinkable": SimulatedProtocol(
            "DP-3T unlinkable", BROADCASTING, "contact", dp3t.RETENTION_S, 900, UnlinkableTokens
        ),
        "dp3t-hybrid": SimulatedProtocol(
            "DP-3T hybrid", BROADCASTING, "contact", dp3t.RETENTION_S, 900, HybridTokens
        ),
        "robert": SimulatedProtocol(
            "ROBERT", FAST_BROADCASTING, "case", robert.RETENTION_S, 180, RobertTokens
        ),
        "tcn": SimulatedProtocol("TCN", BROADCASTING, "contact", tcn.RETENTION_S, 900, TcnTokens),
        "desire": SimulatedProtocol(
            "DESIRE", BROADCASTING, "contact", desire.RETENTION_S, 20, DesireTokens
        ),
    }
)
"""Name -> protocol."""


def radio_of(keys: PhoneKeys) -> PhoneRadio:
    """Return the radio of a scenario's phones: the protocol's own, or BlueTrace's for all."""
    return CONNECTING if keys.radio == "same" else PROTOCOLS[keys.protocol].radio


def hear_the_same(first: PhoneKeys, second: PhoneKeys) -> bool:
    """Return whether phones under two settings hear the same packets at the same times."""
    radio = radio_of(first)
    if radio is not radio_of(second):
        return False
    if radio.connects:
        return True
    return PROTOCOLS[first.protocol].shown_s == PROTOCOLS[second.protocol].shown_s
