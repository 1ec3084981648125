"""Whose passes are withheld, and what a gate learns: what crowds and cities share about gates."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from tracetogether.units import Floats


@dataclass(frozen=True, slots=True)
class GatePolicy:
    """Whose passes are withheld, and for how long.

    Attributes:
        case_days: days from a positive result.
        contact_days: days from the moment at which the app warns a contact; 0: contacts are only
            advised to stay at home, and keep their passes.
        source: where the days come from.
    """

    case_days: int
    contact_days: int
    source: str


POLICIES: Final[Mapping[str, GatePolicy]] = MappingProxyType(
    {
        "advice": GatePolicy(14, 0, "this project: Bluetooth contact alone withholds no pass"),
        "strict-2020": GatePolicy(14, 7, "health codes of 2020: red for 14 days, yellow for 7"),
    }
)
"""Policies by name."""


def entropy_bits(share: Floats) -> Floats:
    """Return the entropy of a yes or no of this chance, in bits: at most 1.

    A gate that sees yes or no, with chance p of no, learns -p log2(p) - (1 - p) log2(1 - p) bits
    about a person's health on average (Shannon 1948).
    """
    part = np.clip(share, 1e-300, 1.0)
    rest = np.clip(1.0 - share, 1e-300, 1.0)
    return np.asarray(-part * np.log2(part) - rest * np.log2(rest), dtype=np.float64)
