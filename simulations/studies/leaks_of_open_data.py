"""What published figures tell somebody who knows everybody else, played with the real noise.

The attacker knows each count but for one person, sees the published figures, and bets whether that
person is in them. No attacker can do better with k figures of epsilon 1 than to be right in
e^k / (1 + e^k) of all bets.
"""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from simulations.streams import Streams
from simulations.studies.ledger_rows import LedgerRow
from simulations.studies.linking import bits_of
from tracetogether.authority.open_data.cells import FIGURE_NAMED
from tracetogether.authority.open_data.publishing import noisy_cell
from tracetogether.parameters import (
    OPEN_FIGURE_BITS,
    OPEN_TOTAL_BITS,
)

BETS: Final = 2_000
_FEW_BETS: Final = 300  # of thirty days each
_HABIT_DAYS: Final = 30
_OTHERS: Final = 400
_FEATURE: Final = "open data"
_ACTOR: Final = "anybody who knows all others"


def open_data_rows(seed: int) -> list[LedgerRow]:
    """Return what one figure, a total beside its parts, and a month of one figure tell."""
    drawn = Streams(seed).generator("ledger", "open data")
    key = drawn.bytes(32)
    return [
        _row(
            "one figure of one day",
            "whether one person is in it: at most epsilon 1",
            _bets(key, BETS, _one_figure),
            budget=OPEN_FIGURE_BITS,
            played=f"{BETS:,} bets on a count of {_OTHERS} or one more.",
        ),
        _row(
            "one figure of one day, for a case with many contacts",
            "whether the case is in it: at most epsilon 1",
            _bets(key, BETS, _contacts_of_a_case),
            budget=OPEN_FIGURE_BITS,
            played=f"{BETS:,} bets on contacts found: the case changes them by ten.",
        ),
        _row(
            "a total and its parts",
            "whether one person is restricted by a case: at most epsilon 2",
            _bets(key, BETS, _total_and_parts),
            budget=OPEN_TOTAL_BITS,
            played=f"{BETS:,} bets on the sum of what total and part say, each with own noise.",
        ),
        _row(
            "one figure of thirty days",
            "whether a phone asks for passes every day: not stopped, days add up",
            _bets(key, _FEW_BETS, _month),
            budget=1.0,
            played=f"{_FEW_BETS} bets on the sum of {_HABIT_DAYS} days.",
        ),
    ]


def _row(
    feature: str, learns: str, right: Sequence[bool], *, budget: float, played: str
) -> LedgerRow:
    score = float(np.mean(right))
    margin = 1.645 * float(np.sqrt(score * (1 - score) / len(right)))
    return LedgerRow(
        feature=f"{_FEATURE}: {feature}",
        actor=_ACTOR,
        learns=learns,
        bits=bits_of(score, 0.5),
        budget=budget,
        accepted=True,
        score=score,
        low=score - margin,
        high=min(1.0, score + margin),
        chance=0.5,
        played=played,
    )


def _bets(key: bytes, count: int, bet: Callable[[bytes, str, int], bool]) -> list[bool]:
    """Return for each bet whether it was right; the person is there in every second one."""
    return [bet(key, f"town-{number}/1", number % 2) == bool(number % 2) for number in range(count)]


def _seen(key: bytes, cell: str, figure: str, count: int) -> int:
    return noisy_cell(FIGURE_NAMED[figure], count, key, cell).people or 0


def _one_figure(key: bytes, cell: str, there: int) -> bool:
    return _seen(key, cell, "cases_declared", _OTHERS + there) > _OTHERS


def _contacts_of_a_case(key: bytes, cell: str, there: int) -> bool:
    most = FIGURE_NAMED["contacts_found"].most
    return _seen(key, cell, "contacts_found", _OTHERS + most * there) > _OTHERS + most / 2


def _total_and_parts(key: bytes, cell: str, there: int) -> bool:
    total = _seen(key, cell, "restricted", 2 * _OTHERS + there) - 2 * _OTHERS
    part = _seen(key, cell, "restricted_case", _OTHERS + there) - _OTHERS
    return total + part > 1 or (total + part == 1 and total >= part)


def _month(key: bytes, cell: str, there: int) -> bool:
    sums = sum(
        _seen(key, f"{cell}/{day}", "passes_fetched", _OTHERS + there) for day in range(_HABIT_DAYS)
    )
    return sums > _HABIT_DAYS * (_OTHERS + 0.5)
