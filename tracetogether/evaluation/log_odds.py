"""Probabilities set right on other scenes: a logistic fit that starts from believing them.

    log-odds = b0 + b1 * x1 + b2 * x2 ...

A priori b0 is 0 and the others share 1 among them, so that without scenes to learn from the given
log-odds stand (or their mean); few windows move them little.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import expit

from tracetogether.units import Bools, Floats

_INTERCEPT_SD: Final = 1.0
_SLOPE_SD: Final = 0.3
_TOGETHER: Final = 5.0  # so many windows of one pair and scene say as much as one alone
_MOST: Final = 8.0


@dataclass(frozen=True, slots=True)
class LogOdds:
    """Coefficients: (k + 1,) the intercept first."""

    coefficients: Floats

    @classmethod
    def believing(cls, features: int) -> "LogOdds":
        """Return the prior's."""
        return cls(np.concatenate([[0.0], np.full(features, 1 / features)]))

    @classmethod
    def fitted(cls, features: Floats, near: Bools) -> "LogOdds":
        """Return the most probable coefficients.

        Args:
            features: (n, k) log-odds.
            near: (n,) what was true.
        """
        prior = cls.believing(features.shape[1]).coefficients
        precision = np.diag(
            np.concatenate([[_INTERCEPT_SD**-2], np.full(features.shape[1], _SLOPE_SD**-2)])
        )
        design = np.column_stack([np.ones(len(features)), np.clip(features, -_MOST, _MOST)])
        beta = prior
        for _ in range(25):  # Newton's method; the function is convex
            share = expit(design @ beta)
            slope = design.T @ (near - share) / _TOGETHER - precision @ (beta - prior)
            weight = share * (1 - share) / _TOGETHER
            change = np.linalg.solve(design.T @ (weight[:, None] * design) + precision, slope)
            beta = beta + change
            if np.abs(change).max() < 1e-9:
                break
        return cls(beta)

    def evidence(self, features: Floats) -> Floats:
        """Return (n,) log-odds without the intercept, on the scale of one of the features."""
        slopes = self.coefficients[1:] / self.coefficients[1:].sum()
        return np.asarray(np.clip(features, -_MOST, _MOST) @ slopes)

    def of(self, features: Floats) -> Floats:
        """Return (n,) log-odds."""
        trimmed = np.clip(features, -_MOST, _MOST)
        return np.asarray(self.coefficients[0] + trimmed @ self.coefficients[1:])
