"""An attacker who saw many acts, such as passes shown, and must say which are of one person.

The game: the attacker gets an act of somebody, another act of the same person, and an act of
somebody else, and must say which two belong together. A guess is right in one half of the games.
Each signal, such as how near two numbers are, gives every pair of acts a score; the pair with the
higher score is called the same person. So the chance of a right answer is the area under the ROC
curve of the score (Hanley and McNeil 1982).

The attacker knows whose acts are whose for one half of the people, and learns there which signal is
best. One more signal is learned there too: a linear rule over the bits in which two acts differ.
The chosen signal is then judged on the other half of the people.

The bits are the leakage of min-entropy, log2(share of right answers / share by guessing) (Smith
2009): 0 by guessing, 1 for an attacker who is always right.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from tracetogether.proximity.estimates import NORMAL_95
from tracetogether.units import Floats, Ints

LEARNED: Final = "learned from differing bits"
_DIFFERENT_PER_SAME: Final = 4
_MOST_LEARNED: Final = 6_000  # pairs of each kind that the linear rule learns from
_RIDGE: Final = 10.0

Column = npt.NDArray[np.generic]
Signal = Callable[["SeenActs", Ints, Ints], Floats]
"""Called with the acts and two rows of each pair: a higher score speaks for one person."""


@dataclass(frozen=True, slots=True)
class SeenActs:
    """What an attacker saw of n acts.

    Attributes:
        person: (n,) who acted: the truth, not seen.
        seen: name -> (n,) or (n, bytes) column.
        bits: name of a (n, bytes) column of uint8 that the linear rule learns from, or "".
    """

    person: Ints
    seen: Mapping[str, Column] = field(repr=False)
    bits: str = ""


@dataclass(frozen=True, slots=True)
class LinkedActs:
    """How well an attacker links acts.

    Attributes:
        score: share of right answers.
        low, high: its central 90 %, by people.
        signal: the signal that the attacker chose.
        people, pairs: people and pairs of acts of one person that were judged.
        signals: each signal's share of right answers on the people judged.
    """

    score: float
    low: float
    high: float
    signal: str
    people: int
    pairs: int
    signals: Mapping[str, float]

    @property
    def advantage(self) -> float:
        """Share of right answers above that of a guess."""
        return self.score - 0.5

    @property
    def bits(self) -> float:
        """Leakage of min-entropy, at least 0."""
        return bits_of(self.score, 0.5)


def bits_of(score: float, chance: float) -> float:
    """Return log2(score / chance), at least 0: what an attacker learned about what is guessed."""
    return max(float(np.log2(max(score, chance) / chance)), 0.0)


def link(acts: SeenActs, signals: Mapping[str, Signal], *, seed: int = 1) -> LinkedActs:
    """Play the game with all pairs of acts of one person, and others drawn at random.

    Args:
        acts: what was seen; each person acts at least twice.
        signals: name -> signal.
        seed: of the choice of pairs.
    """
    chance = np.random.default_rng(seed)
    learns, judged = (_Pairs.of(acts.person, half, chance) for half in (0, 1))
    trained = {name: learns.scores(acts, signal) for name, signal in signals.items()}
    rules = dict(signals)
    if acts.bits:
        rules[LEARNED] = learned = _learned(acts, learns)
        # On the pairs that it learned from it looks better than it is: so it learns on one part
        # of them and is tried on the rest.
        trained[LEARNED] = learns.tail(_MOST_LEARNED).scores(acts, learned)
    area = {name: _area(*scores)[0] for name, scores in trained.items()}
    turned = {name: -1.0 if value < 0.5 else 1.0 for name, value in area.items()}
    best = max(area, key=lambda name: abs(area[name] - 0.5))
    found = {}
    for name, signal in rules.items():
        same, different = judged.scores(acts, signal)
        found[name] = _area(turned[name] * same, turned[name] * different)
    score, of_pair = found[best]
    people = acts.person[judged.same[0]]
    _, of = np.unique(people, return_inverse=True)
    each = np.bincount(of, of_pair) / np.bincount(of)
    error = np.sqrt(each.var(ddof=1) / len(each) + 1 / (12 * len(judged.different[0])))
    return LinkedActs(
        score=score,
        low=max(score - NORMAL_95 * float(error), 0.0),
        high=min(score + NORMAL_95 * float(error), 1.0),
        signal=best,
        people=len(each),
        pairs=len(of_pair),
        signals={name: value for name, (value, _) in found.items()},
    )


def near(name: str) -> Signal:
    """Return the signal "two numbers of this column are near each other"."""

    def score(acts: SeenActs, first: Ints, second: Ints) -> Floats:
        column = acts.seen[name].astype(np.float64)
        return np.asarray(-np.abs(column[first] - column[second]))

    return score


def same(name: str) -> Signal:
    """Return the signal "the two values of this column are equal"."""

    def score(acts: SeenActs, first: Ints, second: Ints) -> Floats:
        column = acts.seen[name]
        equal = column[first] == column[second]
        return np.asarray(equal if equal.ndim == 1 else equal.all(axis=1), dtype=np.float64)

    return score


def near_on_a_circle(name: str, round_: float) -> Signal:
    """Return the signal "two moments are near each other within a period", such as an hour."""

    def score(acts: SeenActs, first: Ints, second: Ints) -> Floats:
        column = acts.seen[name].astype(np.float64)
        apart = (column[first] - column[second]) % round_
        return np.asarray(-np.minimum(apart, round_ - apart))

    return score


def few_bits_differ(name: str) -> Signal:
    """Return the signal "two (bytes,) values of this column differ in few bits"."""

    def score(acts: SeenActs, first: Ints, second: Ints) -> Floats:
        column = acts.seen[name].astype(np.uint8)
        return np.asarray(
            -np.bitwise_count(column[first] ^ column[second]).sum(axis=1, dtype=np.int64), float
        )

    return score


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Rows of two acts of one person, and of two people, among one half of the people."""

    same: tuple[Ints, Ints]
    different: tuple[Ints, Ints]

    @classmethod
    def of(cls, person: Ints, half: int, chance: np.random.Generator) -> "_Pairs":
        rows = np.flatnonzero(person % 2 == half)
        order = rows[np.argsort(person[rows], kind="stable")]
        firsts, seconds = [], []
        for step in range(1, int(np.bincount(person).max(initial=1))):
            together = np.flatnonzero(person[order[:-step]] == person[order[step:]])
            firsts.append(order[together])
            seconds.append(order[together + step])
        first, second = np.concatenate(firsts), np.concatenate(seconds)
        shuffled = chance.permutation(len(first))
        one = chance.choice(rows, _DIFFERENT_PER_SAME * len(first))
        other = chance.choice(rows, len(one))
        apart = person[one] != person[other]
        return cls((first[shuffled], second[shuffled]), (one[apart], other[apart]))

    def scores(self, acts: SeenActs, signal: Signal) -> tuple[Floats, Floats]:
        return signal(acts, *self.same), signal(acts, *self.different)

    def tail(self, first: int) -> "_Pairs":
        """Return the pairs from one on; the last half of them if there are few."""
        cut = [min(first, len(pairs[0]) // 2) for pairs in (self.same, self.different)]
        kept = [
            (pairs[0][begin:], pairs[1][begin:])
            for begin, pairs in zip(cut, (self.same, self.different), strict=True)
        ]
        return _Pairs(kept[0], kept[1])


def _area(same: Floats, different: Floats) -> tuple[float, Floats]:
    """Return the area under the ROC curve, and for each pair of one person its share below."""
    ranks = rankdata(np.concatenate([same, different]))[: len(same)]
    below = (ranks - rankdata(same)) / len(different)
    return float(below.mean()), np.asarray(below)


def _learned(acts: SeenActs, pairs: _Pairs) -> Signal:
    """Return a linear rule over the bits in which two acts differ, by ridge regression."""
    column = acts.seen[acts.bits].astype(np.uint8)

    def bits(first: Ints, second: Ints) -> npt.NDArray[np.float32]:
        return np.unpackbits(column[first] ^ column[second], axis=1).astype(np.float32) - 0.5

    parts, kinds = [], []
    for kind, (first, second) in ((0.5, pairs.same), (-0.5, pairs.different)):
        most = min(_MOST_LEARNED, len(first) // 2)
        parts.append(bits(first[:most], second[:most]))
        kinds.append(np.full(most, kind, dtype=np.float32))
    table, wanted = np.concatenate(parts), np.concatenate(kinds)
    square = table.T @ table + _RIDGE * np.eye(table.shape[1], dtype=np.float32)
    weights = np.linalg.solve(square, table.T @ wanted)

    def score(_acts: SeenActs, first: Ints, second: Ints) -> Floats:
        blocks = range(0, len(first), _MOST_LEARNED)
        parts = [
            bits(first[low : low + _MOST_LEARNED], second[low : low + _MOST_LEARNED]) @ weights
            for low in blocks
        ]
        return np.concatenate(parts).astype(np.float64)

    return score


def tell_apart(first: npt.NDArray[np.uint8], second: npt.NDArray[np.uint8]) -> LinkedActs:
    """Play an attacker who must say which of two values is of the first kind.

    The attacker knows one half of the values and learns a linear rule over their bits there. The
    score is the area under the ROC curve on the other half.

    Args:
        first: (n, bytes) values of one kind.
        second: (m, bytes) values of the other kind, as long.
    """
    bits = [np.unpackbits(kind, axis=1).astype(np.float32) - 0.5 for kind in (first, second)]
    known, judged = ([kind[half::2] for kind in bits] for half in (0, 1))
    table = np.concatenate(known)
    wanted = np.repeat(np.array([0.5, -0.5], np.float32), [len(kind) for kind in known])
    square = table.T @ table + _RIDGE * np.eye(table.shape[1], dtype=np.float32)
    weights = np.linalg.solve(square, table.T @ wanted)
    score, of_each = _area(*(np.asarray(kind @ weights, dtype=np.float64) for kind in judged))
    error = float(np.sqrt(of_each.var(ddof=1) / len(of_each) + 1 / (12 * len(judged[1]))))
    return LinkedActs(
        score=score,
        low=max(score - NORMAL_95 * error, 0.0),
        high=min(score + NORMAL_95 * error, 1.0),
        signal=LEARNED,
        people=len(of_each),
        pairs=len(of_each),
        signals={LEARNED: score},
    )


def entropy_of(values: Sequence[object] | Column) -> float:
    """Return the Shannon entropy of the values as they come, bits."""
    _, counts = np.unique(np.asarray(values), return_counts=True)
    shares = counts / counts.sum()
    return float(-(shares * np.log2(shares)).sum())
