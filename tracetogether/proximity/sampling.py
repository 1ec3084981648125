"""Hamiltonian Monte Carlo: many chains at once through the unknowns of a scene.

Each move gives the unknowns a random momentum, follows the gradient of the log-probability for
some leapfrog steps, and accepts the end by Metropolis' rule (Neal, MCMC using Hamiltonian
dynamics, 2011).
Chains start at random places with a small weight of the readings, which grows to 1 (tempering), so
that they leave mirrored and folded arrangements. Step sizes adapt per chain to an acceptance of
0.7. The seed is fixed: the same readings give the same answer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

from tracetogether.units import Floats

State = dict[str, npt.NDArray[np.float32]]
"""Unknowns by name, chains along the last axis."""

_SEED: Final = 20200417
_FIRST_WEIGHT: Final = 0.02
_ACCEPTANCE: Final = 0.7
_STEP_SCALE: Final = {
    "scene": 0.5,
    "hearing_all": 0.3,
}  # smaller steps for unknowns with large gradients


LogProbability = Callable[[State, float], tuple[Floats, State]]
"""Log-probability and gradient of a state, with the readings weighted by a number up to 1."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to sample.

    Attributes:
        chains: number of chains sampled at once.
        approach: moves before the first kept sample.
        moves: moves after that.
        kept_every: number of moves between two samples of a chain that are kept.
        leaps: gradient steps per move.
    """

    chains: int = 8
    approach: int = 80
    moves: int = 80
    kept_every: int = 5
    leaps: int = 8


EFFORT: Final = Effort()
"""Some seconds for 20 people and half an hour."""

Kept = TypeVar("Kept")


def sample(
    start: Callable[[int, np.random.Generator], State],
    log_probability: LogProbability,
    keep: Callable[[State], Kept],
    effort: Effort = EFFORT,
) -> list[Kept]:
    """Return ``keep(state)`` of every few moves after the approach, from ``start(chains, rng)``."""
    rng = np.random.default_rng(_SEED)
    state = start(effort.chains, rng)
    step = np.full(effort.chains, 0.07, dtype=np.float32)
    warm = effort.approach * 2 // 3
    weights = np.concatenate(
        [np.geomspace(_FIRST_WEIGHT, 1, max(warm, 1)), np.ones(effort.approach + effort.moves)]
    )
    kept: list[Kept] = []
    for move in range(effort.approach + effort.moves):
        state, accepted = _moved(
            log_probability, state, step, float(weights[move]), effort.leaps, rng
        )
        if move < effort.approach + effort.moves // 3:
            step *= np.exp(0.15 * (accepted - _ACCEPTANCE)).astype(np.float32)
        after = move - effort.approach + 1
        if after > 0 and after % effort.kept_every == 0:
            kept.append(keep(state))
    return kept


def _moved(
    log_probability: LogProbability,
    state: State,
    step: npt.NDArray[np.float32],
    weight: float,
    leaps: int,
    rng: np.random.Generator,
) -> tuple[State, Floats]:
    """Return the states after a move, and the probability of its acceptance."""
    log_p, slope = log_probability(state, weight)
    momentum = {
        name: rng.standard_normal(part.shape, dtype=np.float32) for name, part in state.items()
    }
    before = log_p - _kinetic(momentum)
    there = {name: part.copy() for name, part in state.items()}
    sizes = {name: step * np.float32(_STEP_SCALE.get(name, 1.0)) for name in state}
    with np.errstate(over="ignore", invalid="ignore"):  # the acceptance below rejects an overflow
        for leap in range(leaps):
            for name, size in sizes.items():
                momentum[name] += np.float32(0.5 if leap == 0 else 1.0) * size * slope[name]
                there[name] += size * momentum[name]
            log_p, slope = log_probability(there, weight)
        for name, size in sizes.items():
            momentum[name] += np.float32(0.5) * size * slope[name]
        gain = np.nan_to_num(log_p - _kinetic(momentum) - before, nan=-np.inf)
    chance = np.exp(np.minimum(gain, 0.0))
    taken = rng.random(len(chance)) < chance
    return {name: np.where(taken, there[name], part) for name, part in state.items()}, chance


def _kinetic(momentum: State) -> Floats:
    squares = [np.square(part, dtype=np.float64) for part in momentum.values()]
    each = [0.5 * square.reshape(-1, square.shape[-1]).sum(axis=0) for square in squares]
    return np.asarray(np.sum(each, axis=0))
