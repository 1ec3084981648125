"""Linear models with random effects: who and what differs, estimated all at once.

    y = sum of effects + error

Every effect is normal with mean 0 and its own prior variance. The estimate is the best linear
unbiased prediction, and the covariance is that of what stays unknown. Both solve Henderson's mixed
model equations (Henderson, Biometrics 31, 1975). Effects come in factors: of each factor, a row has
one effect at most. The last factor may have very many effects, such as people who were heard. Its
own block of the equations is diagonal, so it is eliminated row by row, and only the others are
solved as a dense matrix.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from tracetogether.units import Floats, Ints


@dataclass(frozen=True, slots=True)
class Factor:
    """Effects of which each row has one at most.

    Attributes:
        of_row: (n,) which effect each row has; -1 for none.
        variance: (e,) prior variance of each effect, above 0.
        scale: (n,) by what a row's effect is multiplied; None for 1.
    """

    of_row: Ints
    variance: Floats
    scale: Floats | None = None

    def design(self) -> csr_array:
        """Return (n, e) the sparse matrix that turns effects into rows."""
        rows = np.flatnonzero(self.of_row >= 0)
        values = np.ones(len(rows)) if self.scale is None else self.scale[rows]
        shape = (len(self.of_row), len(self.variance))
        return csr_array((values, (rows, self.of_row[rows])), shape=shape)


@dataclass(frozen=True, slots=True)
class PredictedEffects:
    """The effects of all factors but the last, one after the other.

    Attributes:
        mean: (e,) estimates.
        covariance: (e, e) of what stays unknown.
        first: (f,) where each factor begins.
    """

    mean: Floats
    covariance: Floats
    first: Ints


def predict_effects(
    y: Floats, error_variance: Floats, factors: Sequence[Factor]
) -> PredictedEffects:
    """Return the effects that explain ``y`` best; those of the last factor are eliminated.

    Time grows with the cube of the number of effects that are not eliminated.

    >>> rows = np.array([0, 0, 1])
    >>> alone = Factor(np.arange(3), np.full(3, 1e-9))
    >>> found = predict_effects(
    ...     np.array([3.0, 5.0, -2.0]), np.ones(3), [Factor(rows, np.array([4.0, 4.0])), alone])
    >>> found.mean.round(2).tolist()
    [3.56, -1.6]

    Args:
        y: (n,) the data.
        error_variance: (n,) variance of each row's own error, above 0.
        factors: at least two; the last one may have very many effects.
    """
    kept = [factor.design() for factor in factors[:-1]]
    widths = [design.shape[1] for design in kept]
    first = np.concatenate([[0], np.cumsum(widths)]).astype(np.int64)
    size = int(first[-1])
    last = factors[-1].design()
    of_last = csr_array(last.multiply(1 / error_variance[:, None]))
    inner = 1 / factors[-1].variance + np.asarray(of_last.multiply(last).sum(axis=0)).reshape(-1)
    pulled = of_last.T @ y
    precision, pull = np.zeros((size, size)), np.empty(size)
    mixed = [csr_array(of_last.T @ design) for design in kept]
    for place, design in enumerate(kept):
        block = slice(first[place], first[place + 1])
        weighted = csr_array(design.multiply(1 / error_variance[:, None]))
        through = csr_array(mixed[place].multiply(1 / inner[:, None]))
        pull[block] = weighted.T @ y - through.T @ pulled
        for other in range(place, len(kept)):
            across = slice(first[other], first[other + 1])
            part = (weighted.T @ kept[other] - through.T @ mixed[other]).toarray()
            precision[block, across] = part
            precision[across, block] = part.T
    precision[np.diag_indices(size)] += 1 / np.concatenate(
        [factor.variance for factor in factors[:-1]]
    )
    covariance = np.asarray(np.linalg.inv(precision), dtype=np.float64)
    return PredictedEffects(covariance @ pull, covariance, first[:-1])
