"""The one place that names all protocols which are attacked."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from simulations.attacks.deployment import DAYS, Deployment
from simulations.attacks.phone_made import (
    GaenDeployment,
    HybridDeployment,
    LowCostDeployment,
    TcnDeployment,
    UnlinkableDeployment,
)
from simulations.attacks.server_made import (
    BlueTraceDeployment,
    DesireDeployment,
    RobertDeployment,
)
from simulations.streams import Streams
from tracetogether.units import SECONDS_PER_HOUR

_MAKERS: Final[Mapping[str, Callable[[Streams, int, int], Deployment]]] = {
    "bluetrace": BlueTraceDeployment,
    "robert": RobertDeployment,
    "gaen": GaenDeployment,
    "dp3t-low-cost": LowCostDeployment,
    "dp3t-hybrid": partial(HybridDeployment, window_s=4 * SECONDS_PER_HOUR),
    "dp3t-hybrid-2h": partial(HybridDeployment, window_s=2 * SECONDS_PER_HOUR),
    "dp3t-unlinkable": UnlinkableDeployment,
    "tcn": TcnDeployment,
    "desire": DesireDeployment,
}

PROTOCOLS: Final = tuple(_MAKERS)
"""The names of protocols; `dp3t-hybrid` has windows of 4 hours."""


def deploy(name: str, streams: Streams, phones: int, days: int = DAYS) -> Deployment:
    """Return a protocol with new secrets for phones and server.

    Args:
        name: one of PROTOCOLS.
        streams: where the secrets come from; the same streams give the same secrets.
        phones: how many phones.
        days: for how many days they have tokens, from BEGIN on.
    """
    return _MAKERS[name](streams, phones, days)
