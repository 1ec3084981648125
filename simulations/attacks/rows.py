"""What an attack is, what may be set, and the rows that it yields."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, ClassVar, Final, Self

import numpy as np

_NORMAL_90: Final = 1.6449  # standard errors to either side of the middle 90 %
SIMULATED: Final = "simulated"


@dataclass(frozen=True, slots=True)
class AttackRow:
    """One measured figure.

    Attributes:
        protocol: its name.
        metric: what was measured.
        value: the mean; None where there is no limit.
        low, high: the central 90 % of the mean's error.
        expected: the exact expectation; None where there is no limit, or where nothing is exact.
        source: where the expectation comes from, or that the figure is simulated.
    """

    protocol: str
    metric: str
    value: float | None
    low: float | None
    high: float | None
    expected: float | None
    source: str

    def to_json(self) -> dict[str, object]:
        """Return the fields for a file."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class AttackSettings:
    """What an attacker has, and what the attack is played on.

    Attributes:
        seed: of all random numbers.
        repeats: how many victims, crowds or towns.
        sightings: of each victim, where they are drawn at random.
        people: of a town or a crowd.
        uploads: share of the people who fall ill and hand over what their protocol asks for.
        sniffers: receivers in a town.
        devices: phones that share the secrets of one.
        gain_db: how much stronger than a phone the attacker sends (and hears).
        stay_min: for how long the attacker stays in a crowd, minutes.
        latency_s: how long a relay takes.
        archive_days: for how many days a receiver writes down what it hears.
        photos: share of passers-by whose token a camera's receiver hears.
        accounts: with how many accounts or phones a curious user takes part.
        padding: least number of keys that a server of GAEN publishes at once; the rest is random.
    """

    seed: int = 1
    repeats: int = 20
    sightings: int = 300
    people: int = 200
    uploads: float = 0.2
    sniffers: int = 64
    devices: int = 4
    gain_db: float = 10.0
    stay_min: float = 30.0
    latency_s: float = 1.0
    archive_days: int = 40
    photos: float = 0.6
    accounts: int = 1
    padding: int = 0

    def changed(self, **settings: float) -> Self:
        """Return the settings with some of them changed.

        Raises:
            ValueError: one is no whole number where that is needed.
        """
        kinds = {each.name: type(getattr(self, each.name)) for each in fields(self)}
        odd = [name for name, value in settings.items() if kinds[name] is int and value % 1]
        if odd:
            raise ValueError(f"{', '.join(odd)}: a whole number")
        whole: dict[str, Any] = {name: kinds[name](value) for name, value in settings.items()}
        return replace(self, **whole)


@dataclass(frozen=True, slots=True)
class AttackCost:
    """What an attacker needs.

    Attributes:
        devices: receivers, senders or phones.
        hours: for how long, each.
        accounts: registered users, or leaves to upload.
        access: what else: a server's database, a phone in hand, or "".
    """

    devices: int = 0
    hours: float = 0.0
    accounts: int = 0
    access: str = ""


class Attack(ABC):
    """An attack on a protocol: what goes in, what it costs, and its score."""

    name: ClassVar[str]
    summary: ClassVar[str]
    """What the attacker does, in one line."""
    metrics: ClassVar[Mapping[str, str]]
    """Name of each score -> what it counts."""
    takes: ClassVar[tuple[str, ...]] = ()
    """The settings that it depends on, beside seed and repeats."""

    @abstractmethod
    def cost(self, settings: AttackSettings) -> AttackCost:
        """Return what the attacker needs for one attempt."""

    @abstractmethod
    def play(self, protocol: str, settings: AttackSettings) -> list[AttackRow]:
        """Return the scores against one protocol."""


def mean_row(
    protocol: str,
    metric: str,
    values: Sequence[float],
    expected: float | None = None,
    source: str = SIMULATED,
) -> AttackRow:
    """Return the row of a mean over repeats, with the central 90 % of its error."""
    mean = float(np.mean(values))
    error = float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0
    low, high = mean - _NORMAL_90 * error, mean + _NORMAL_90 * error
    return AttackRow(protocol, metric, mean, low, high, expected, source)


def exact_row(
    protocol: str, metric: str, value: float | None, expected: float | None, source: str
) -> AttackRow:
    """Return the row of a figure that is the same each time."""
    return AttackRow(protocol, metric, value, value, value, expected, source)
