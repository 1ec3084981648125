"""A measure of your own, such as lists of visitors on paper, in a run of a city.

What no key of a scenario says, a class with the four members of ``Measure`` can do:
``run_city(scenario, seed=1, measures=[MyMeasure()])``. Without one, nothing changes.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from simulations.city.effects import effect_on
from simulations.city.keys import CityScenario
from simulations.city.network import Network
from simulations.city.tracing import Named
from simulations.city.transmission import Effect
from tracetogether.units import Ints

Watch = Callable[[str, Named, int], None]
"""Called with "app", "tracers" or "measure", whom it names, and the day."""


class Measure(Protocol):
    """What a run asks of a measure.

    Answers must depend on the arguments alone, and decide by hashes of the seed (see ``hashes``).
    So a run has one digest, on every machine.

    Attributes:
        delay_days: days from a case's result until those whom ``named`` returns are warned.
        quarantine_days: days that they are advised to stay at home, counted from the contact.
    """

    delay_days: int
    quarantine_days: int

    def left(self, day: int, effect: Effect) -> Effect:
        """Return what remains of contacts and hazards in each layer on ``day``.

        A gate that lets half the people into shops halves ``open_share`` of the layer "city".

        Args:
            day: the day.
            effect: what closures, masks and earlier measures leave.
        """

    def named(self, network: Network, seed: int, cases: Ints, day: int) -> Named:
        """Return whom to warn because ``cases`` have a positive result on ``day``.

        A list of visitors names those who were in the same place as a case. The run quarantines
        them as it does contacts, and counts a call and a learned contact for each.

        Args:
            network: of the city; ``contacts`` and ``bystander`` say who was where.
            seed: of the run.
            cases: sorted people with a new positive result.
            day: the day of the result.
        """


def effect_with(scenario: CityScenario, day: int, measures: Sequence[Measure]) -> Effect:
    """Return what all measures leave of contacts and hazards on ``day``."""
    effect = effect_on(scenario, day)
    for measure in measures:
        effect = measure.left(day, effect)
    return effect


def open_shares_with(scenario: CityScenario, days: int, measures: Sequence[Measure]) -> Ints:
    """Return (layers, days) the share of contacts that take place on the first days."""
    return np.array([effect_with(scenario, day, measures).open_share for day in range(days)]).T
