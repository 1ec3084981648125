"""A loud sender in a crowd: how many people one phone alarms that is diagnosed afterwards."""

from typing import ClassVar, Final

import numpy as np

from simulations.attacks.deployment import BEGIN, TokensHeard
from simulations.attacks.deployments import deploy
from simulations.attacks.eavesdroppers import reported
from simulations.attacks.power import alarmed, levels
from simulations.attacks.rows import Attack, AttackCost, AttackRow, AttackSettings, mean_row
from simulations.streams import Streams
from tracetogether.units import SECONDS_PER_HOUR, Floats

_CASE: Final = 0
_NOON_S: Final = 12 * SECONDS_PER_HOUR
_SIDE_M: Final = 40.0
_LEAST_DBM: Final = -97.0
"""A weaker level is not received."""
_EVERY_S: Final = 30.0
_CONNECTION_S: Final = 2.0
"""A connection takes 1 to 3 s, and a phone of BlueTrace holds one at a time."""


class Injection(Attack):
    """A later diagnosed phone with a strong antenna stays in a square full of people."""

    name = "injection"
    summary = "put one loud phone into a crowd, and have it diagnosed afterwards"
    metrics: ClassVar = {
        "in_range": "people of the square whose phones receive it",
        "alarmed": "people alarmed by the rule of CWA",
        "alarmed_per_min": "the same for each minute of the stay",
    }
    takes = ("people", "gain_db", "stay_min")

    def cost(self, settings: AttackSettings) -> AttackCost:
        """Return one phone with a strong antenna, and a diagnosis."""
        hours = settings.stay_min / 60
        return AttackCost(devices=1, hours=hours, accounts=1, access="one diagnosis")

    def play(self, protocol: str, settings: AttackSettings) -> list[AttackRow]:
        """Return who is alarmed; the gain counts in both directions, as an antenna's does."""
        people = settings.people
        deployment = deploy(protocol, Streams(settings.seed), people + 1)
        in_range, counts, per_minute = [], [], []
        for repeat in range(min(settings.repeats, 5)):
            chance = Streams(settings.seed).generator("square", repeat)
            place = chance.uniform(-_SIDE_M / 2, _SIDE_M / 2, (people, 2))
            distance = np.maximum(np.hypot(place[:, 0], place[:, 1]), 0.5)
            seconds = np.arange(0, settings.stay_min * 60, _EVERY_S)
            level = levels(distance, seconds, chance) + settings.gain_db
            receives = level >= _LEAST_DBM
            if protocol == "bluetrace":
                receives &= connected(receives.mean(axis=1) > 0.5, seconds)
            person, at = np.nonzero(receives)
            heard = TokensHeard.of(
                person + 1,
                _CASE,
                BEGIN + _NOON_S + seconds[at],
                rssi_dbm=np.minimum(np.rint(level[person, at]), -1.0),
            )
            log = deployment.log(heard.both_ways())
            reported(deployment, [_CASE], log)
            warned = deployment.warned(log)
            alarms = np.setdiff1d(alarmed(warned.take(warned.observer != str(_CASE))), [_CASE])
            in_range.append(float((level.mean(axis=1) >= _LEAST_DBM).sum()))
            counts.append(float(len(alarms)))
            per_minute.append(len(alarms) / settings.stay_min)
        return [
            mean_row(protocol, "in_range", in_range),
            mean_row(protocol, "alarmed", counts),
            mean_row(protocol, "alarmed_per_min", per_minute),
        ]


def connected(near: np.typing.NDArray[np.bool_], seconds: Floats) -> np.typing.NDArray[np.bool_]:
    """Return when a phone that takes one connection at a time has its turn with each person.

    Args:
        near: (people,) who is in range.
        seconds: (times,) moments of a grid of 30 s.

    Returns:
        (people, times) whether that person's turn is within the 30 s of the moment.
    """
    turn = np.cumsum(near) - 1
    each_grid = int(_EVERY_S / _CONNECTION_S)
    rounds = max(-(-int(near.sum()) // each_grid), 1)
    step = (seconds / _EVERY_S).astype(np.int64) % rounds
    return np.asarray(near[:, None] & (turn[:, None] // each_grid == step[None, :]))
