"""All attacks by name."""

from collections.abc import Mapping
from typing import Final

from simulations.attacks.change_moments import ChangeMoments
from simulations.attacks.counting import Counting
from simulations.attacks.curiosity import GraphView, Tags
from simulations.attacks.eavesdroppers import Linkability
from simulations.attacks.injection import Injection
from simulations.attacks.merging import SharedKeys
from simulations.attacks.passers_by import Nerd, Paparazzi
from simulations.attacks.playback import Clock, Relay, Replay
from simulations.attacks.power import ForgedPower
from simulations.attacks.receivers import Sniffers
from simulations.attacks.rows import Attack
from simulations.attacks.thieves import SeizedPhone, StolenDatabase

ATTACKS: Final[Mapping[str, Attack]] = {
    attack.name: attack
    for attack in (
        Linkability(),
        Sniffers(),
        ChangeMoments(),
        Paparazzi(),
        Nerd(),
        Replay(),
        Relay(),
        Clock(),
        ForgedPower(),
        Injection(),
        SharedKeys(),
        GraphView(),
        Tags(),
        Counting(),
        StolenDatabase(),
        SeizedPhone(),
    )
}
"""Name of an attack -> the attack."""
