"""The one table of the protocols that a crowd can speak, by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from simulations.phones.gaen_tokens import GaenTokens
from simulations.phones.radios import BROADCASTING, CONNECTING, PhoneRadio
from simulations.phones.token_sources import TokenDraws, TokenSource
from simulations.settings.keys import PhoneKeys
from tracetogether.gaen.air import RETENTION_S as GAEN_RETENTION_S
from tracetogether.parameters import RETENTION


@dataclass(frozen=True, slots=True)
class SimulatedProtocol:
    """A protocol as a crowd speaks it.

    Attributes:
        title: its name in tables and pictures.
        radio: how it uses Bluetooth as deployed.
        judged_by: whose log tells who was near a case: the case's own, which a server opens, or
            the contact's, which each phone compares with what is published.
        retention_s: how long a phone keeps what it heard.
        tokens: makes the tokens of a crowd, and says which exchange a phone has and what follows
            a diagnosis. None: BlueTrace, whose TempIDs the authority issues and opens.
    """

    title: str
    radio: PhoneRadio
    judged_by: Literal["case", "contact"]
    retention_s: float
    tokens: Callable[[TokenDraws], TokenSource] | None


PROTOCOLS: Final[Mapping[str, SimulatedProtocol]] = MappingProxyType(
    {
        "bluetrace": SimulatedProtocol("BlueTrace", CONNECTING, "case", RETENTION.log_s, None),
        "gaen": SimulatedProtocol("GAEN", BROADCASTING, "contact", GAEN_RETENTION_S, GaenTokens),
    }
)
"""Name -> protocol."""


def radio_of(keys: PhoneKeys) -> PhoneRadio:
    """Return the radio of a scenario's phones: the protocol's own, or BlueTrace's for all."""
    return CONNECTING if keys.radio == "same" else PROTOCOLS[keys.protocol].radio
