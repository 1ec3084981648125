"""All attacks by name."""

from collections.abc import Mapping
from typing import Final

from simulations.attacks.curiosity import GraphView
from simulations.attacks.eavesdroppers import Linkability
from simulations.attacks.playback import Replay
from simulations.attacks.rows import Attack

ATTACKS: Final[Mapping[str, Attack]] = {
    attack.name: attack
    for attack in (
        Linkability(),
        Replay(),
        GraphView(),
    )
}
"""Name of an attack -> the attack."""
