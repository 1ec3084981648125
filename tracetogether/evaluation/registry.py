"""All estimators that can be evaluated, by name."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

from tracetogether.errors import InvalidReadingsError
from tracetogether.evaluation.baselines.constant import Constant
from tracetogether.evaluation.baselines.kalman import Kalman
from tracetogether.evaluation.baselines.robert import Robert
from tracetogether.evaluation.baselines.slotwise import Slotwise
from tracetogether.evaluation.baselines.tuned_threshold import (
    loudest,
    lower_quantile,
    mean_attenuation,
    packet_count,
)
from tracetogether.evaluation.fittable_posterior import FittablePosterior
from tracetogether.evaluation.protocols import EvaluatedEstimator
from tracetogether.names import unknown_name
from tracetogether.proximity.attenuation import RULES
from tracetogether.proximity.encounters import ESTIMATORS
from tracetogether.proximity.model import ProximityModel


def _slotwise(name: str) -> Callable[[], EvaluatedEstimator]:
    """Return how to make an estimator of `tracetogether estimate`, which fits nothing."""
    shares_are_probabilities = name not in RULES
    return lambda: Slotwise(
        name, ESTIMATORS[name](), shares_are_probabilities=shares_are_probabilities
    )


REGISTRY: Final[Mapping[str, Callable[[], EvaluatedEstimator]]] = MappingProxyType(
    {
        "posterior": FittablePosterior,
        "constant": Constant,
        "mean-attenuation": mean_attenuation,
        "loudest": loudest,
        "lower-quantile": lower_quantile,
        "packet-count": packet_count,
        "single-log": _slotwise("single-log"),
        "smoothed": _slotwise("smoothed"),
        "kalman": Kalman,
        "robert": Robert,
        **{name: _slotwise(name) for name in RULES},
    }
)
"""Name -> how to make the estimator with its defaults. The estimators of
``proximity.encounters`` are here under the same names."""


def chosen_estimators(
    names: Sequence[str], model: Path | None = None
) -> tuple[EvaluatedEstimator, ...]:
    """Return the estimators of these names; all of them for "all".

    Args:
        names: the estimators.
        model: figures for the posterior in place of the built-in ones.

    Raises:
        InvalidReadingsError: there is no estimator of that name.
        CalibrationError: ``model`` can't be read.
    """
    estimators: list[EvaluatedEstimator] = []
    for name in dict.fromkeys(REGISTRY if "all" in names else names):
        if name not in REGISTRY:
            raise InvalidReadingsError(unknown_name(name, ("all", *REGISTRY), "estimator"))
        estimator = REGISTRY[name]()
        if model is not None and isinstance(estimator, FittablePosterior):
            estimator = FittablePosterior(ProximityModel.load(model))
        estimators.append(estimator)
    return tuple(estimators)
