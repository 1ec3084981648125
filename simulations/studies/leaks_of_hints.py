"""What a hint of the holder on a pass tells a gate: how many people in a crowd share it.

Letters of initials are drawn with the frequencies below. They are assumed, not measured: a guess
for a city of Chinese, Malay, Indian and English names. Birthdays are drawn as if every day of 365
were as likely.
"""

from typing import Final

import numpy as np

from simulations.streams import Streams
from simulations.studies.ledger_rows import LedgerRow
from tracetogether.units import Ints

LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
GIVEN: Final = (
    10.0, 2.0, 6.0, 3.5, 3.5, 2.0, 2.0, 6.0, 1.5, 9.0, 7.0, 6.0, 9.0,
    6.0, 0.5, 3.0, 0.8, 6.0, 11.0, 2.0, 0.2, 1.5, 4.0, 2.0, 5.0, 2.0,
)  # fmt: skip
"""Assumed shares of the letters from A to Z as the first of given names, in percent."""
FAMILY: Final = (
    6.0, 2.5, 10.0, 1.0, 0.5, 1.5, 4.0, 4.0, 0.7, 1.0, 5.0, 16.0, 5.0,
    7.0, 3.0, 2.5, 1.0, 2.5, 6.0, 14.0, 0.2, 0.6, 6.0, 0.5, 3.5, 1.0,
)  # fmt: skip
"""The same of family names."""
CROWD: Final = 500
_DAYS: Final = 365
_DRAWS: Final = 40
"""Crowds of 500 that are drawn."""
_INITIALS_BITS: Final = 8.5
_DAY_BITS: Final = 8.6
_FULL_BITS: Final = 17.0


def hint_rows(seed: int) -> list[LedgerRow]:
    """Return what each kind of hint tells a gate, and whom it makes unique in a crowd of 500."""
    chance = Streams(seed).generator("ledger", "hints")
    given, family = (np.array(shares) / sum(shares) for shares in (GIVEN, FAMILY))
    size = (_DRAWS, CROWD)
    initials = chance.choice(len(LETTERS), size, p=given) * len(LETTERS)
    initials += chance.choice(len(LETTERS), size, p=family)
    day = chance.integers(_DAYS, size=size)
    letter_bits = -float(given @ np.log2(given) + family @ np.log2(family))
    day_bits = float(np.log2(_DAYS))
    kinds = (
        ("initials", initials, letter_bits, _INITIALS_BITS),
        ("day and month", day, day_bits, _DAY_BITS),
        ("initials, day and month", initials * _DAYS + day, letter_bits + day_bits, _FULL_BITS),
    )
    return [
        LedgerRow(
            feature=f"pass with a hint: {name}",
            actor="gate",
            learns=f"{name} of the holder: {_unique(hints):.0%} of {CROWD} people have it alone",
            bits=bits,
            budget=budget,
            accepted=True,
            played=f"{_DRAWS} crowds of {CROWD} people; letters with assumed frequencies.",
            score=_unique(hints),
            chance=0.0,
        )
        for name, hints, bits, budget in kinds
    ]


def _unique(hints: Ints) -> float:
    """Return the share of people in (crowds, people) whose hint nobody else in the crowd has."""
    shares = []
    for crowd in hints:
        _, counts = np.unique(crowd, return_counts=True)
        shares.append((counts == 1).sum() / len(crowd))
    return float(np.mean(shares))
