"""All attacks by name."""

from collections.abc import Mapping
from typing import Final

from simulations.attacks.change_moments import ChangeMoments
from simulations.attacks.curiosity import GraphView
from simulations.attacks.eavesdroppers import Linkability
from simulations.attacks.playback import Clock, Relay, Replay
from simulations.attacks.power import ForgedPower
from simulations.attacks.receivers import Sniffers
from simulations.attacks.rows import Attack

ATTACKS: Final[Mapping[str, Attack]] = {
    attack.name: attack
    for attack in (
        Linkability(),
        Sniffers(),
        ChangeMoments(),
        Replay(),
        Relay(),
        Clock(),
        ForgedPower(),
        GraphView(),
    )
}
"""Name of an attack -> the attack."""
