"""The few figures of attacks that stand beside a protocol in a table of one crowd."""

from dataclasses import replace
from typing import Final

from simulations.attacks.library import ATTACKS
from simulations.attacks.rows import AttackRow, AttackSettings

_CHEAP: Final = AttackSettings(repeats=4, sightings=120, people=60)
_SHOWN: Final = {
    "linkability": ("linked_share",),
    "replay": ("last_accepted_s",),
    "graph": ("edges_known",),
}


def rows_of(protocol: str, *, seed: int = 1) -> list[AttackRow]:
    """Return the attacks that have exact expectations, played quickly against one protocol.

    Args:
        protocol: its name, one of ``deployments.PROTOCOLS``.
        seed: of all random numbers.
    """
    settings = replace(_CHEAP, seed=seed)
    return [
        row
        for name, metrics in _SHOWN.items()
        for row in ATTACKS[name].play(protocol, settings)
        if row.metric in metrics
    ]
