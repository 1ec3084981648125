"""What closures and masks leave of contacts and hazards on a day."""

import numpy as np

from simulations.city.hashes import ONE, chance
from simulations.city.keys import (
    CITY,
    CLASSROOM,
    HOUSEHOLD,
    LAYERS,
    NEIGHBOURHOOD,
    SCHOOL,
    TEAM,
    TRANSPORT,
    WORKPLACE,
    CityScenario,
)
from simulations.city.transmission import Effect
from tracetogether.units import Ints


def effect_on(scenario: CityScenario, day: int) -> Effect:
    """Return what measures leave on ``day``."""
    hazard = np.full(len(LAYERS), ONE, dtype=np.int64)
    masks = scenario.masks
    if masks.start_day <= day < masks.end_day:
        # Each of the two wears one with this chance, and each mask takes a share away.
        hazard[:] = chance((1 - masks.wearing * masks.efficacy) ** 2)
        hazard[HOUSEHOLD] = ONE
    return Effect(_open(scenario, day), hazard)


def _open(scenario: CityScenario, day: int) -> Ints:
    closures = scenario.closures
    left = np.full(len(LAYERS), ONE, dtype=np.int64)
    if closures.start_day <= day < closures.end_day:
        for layer, closed in (
            (CLASSROOM, closures.school),
            (SCHOOL, closures.school),
            (TEAM, closures.work),
            (WORKPLACE, closures.work),
            (TRANSPORT, closures.transport),
            (NEIGHBOURHOOD, closures.neighbourhood),
            (CITY, closures.city),
        ):
            left[layer] = chance(1 - closed)
    return left
