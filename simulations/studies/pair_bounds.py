"""What can be had at most: an estimator that knows the radio, and learners that know the room.

These are no rivals, since nobody has their knowledge. They show which part of an error comes from
unknown phones, which from the unknown room, and which nobody could avoid.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, Final

import numpy as np

from simulations.studies.heard_crowds import HeardCrowd
from simulations.studies.pair_answers import NOBODY, PairAnswers, estimated
from tracetogether.errors import MissingExtraError
from tracetogether.parameters import CloseContactPolicy
from tracetogether.proximity.calibration import Calibration, ReceivePrior, TransmitPrior
from tracetogether.proximity.encounters import DEFAULT_ESTIMATOR, ESTIMATORS
from tracetogether.proximity.model import REFERENCE_M, ProximityModel
from tracetogether.units import Floats

KNOWN_OFFSETS: Final = "known-offsets"
TREE_HERE: Final = "tree-here"
TREE_OTHERS: Final = "tree-others"
BOUNDS: Final = (KNOWN_OFFSETS, TREE_HERE, TREE_OTHERS)

_QUIET_DBM: Final = -60.0  # keeps corrected levels below 0 dBm, as readings have to be
_LEFT_SD_DB: Final = 0.5  # a model's spread may not be 0


def with_known_offsets(crowd: HeardCrowd, policy: CloseContactPolicy) -> PairAnswers:
    """Ask the default estimator, to which the radio of this crowd is known.

    It gets the true transmit power and receiver correction of both phones, the loss of pocket or
    bag, and the crowd's own path loss: the line of attenuation over log10 distance through all
    records. Bodies and walls stay unknown, and so does how far apart people usually are.
    """
    level_db = -(crowd.rssi_dbm + crowd.offset_db)
    known = np.isfinite(crowd.distance_m) & (crowd.distance_m > 0)
    calibration = Calibration(
        {},
        transmit=TransmitPrior(mean_dbm=_QUIET_DBM, sd_db=0.0, nominal_dbm=_QUIET_DBM),
        receive=ReceivePrior(0.0, 0.0),
    )
    corrected = replace(
        crowd,
        rssi_dbm=_QUIET_DBM - level_db,
        tx_power_dbm=np.full(len(level_db), np.nan),
    )
    estimator: Any = ESTIMATORS[DEFAULT_ESTIMATOR]()
    if known.sum() > 1 and isinstance(getattr(estimator, "model", None), ProximityModel):
        decades = np.log10(crowd.distance_m[known] / REFERENCE_M)
        slope_db, at_reference_db = np.polyfit(decades, level_db[known], 1)
        model = replace(
            estimator.model,
            level_db=float(at_reference_db),
            exponent=max(float(slope_db) / 10, 0.1),
            level_sd_db=0.0,
            receiver_sd_db=_LEFT_SD_DB,
            transmitter_sd_db=_LEFT_SD_DB,
        )
        estimator = replace(estimator, model=model)
    return estimated(estimator, corrected, policy, calibration)


@dataclass(frozen=True, slots=True)
class LearningPairs:
    """Pairs that a learner learns from or answers about.

    Attributes:
        features: (p, f) statistics, NaN where one is missing.
        minutes: (p,) true minutes.
        weight: (p,) how much each pair counts.
    """

    features: Floats
    minutes: Floats
    weight: Floats

    @classmethod
    def of(
        cls, scenarios: Sequence[Sequence[tuple[Floats, Floats]]], most: int
    ) -> "LearningPairs | None":
        """Return pairs of scenarios, each with the same weight and at most ``most`` pairs.

        Args:
            scenarios: for each the (features, true minutes) of its crowds.
            most: of a larger scenario, pairs at equal steps are taken.

        Returns:
            None without any pair.
        """
        parts = []
        for crowds in (crowds for crowds in scenarios if crowds):
            features, minutes = (
                np.concatenate([crowd[column] for crowd in crowds]) for column in (0, 1)
            )
            if len(minutes):
                rows = np.linspace(0, len(minutes) - 1, min(most, len(minutes))).astype(np.int64)
                parts.append(cls(features[rows], minutes[rows], np.full(len(rows), 1 / len(rows))))
        if not parts:
            return None
        return cls(
            np.concatenate([part.features for part in parts]),
            np.concatenate([part.minutes for part in parts]),
            np.concatenate([part.weight for part in parts]) / len(parts),
        )


MOST_PAIRS: Final = 12_000
"""Pairs that a learner learns from."""

_TREES: Final = {
    "max_iter": 60,
    "max_leaf_nodes": 15,
    "min_samples_leaf": 30,
    "learning_rate": 0.1,
    "l2_regularization": 1.0,
    "early_stopping": False,
    "random_state": 0,
}


def expect_learners() -> Any:  # noqa: ANN401 - scikit-learn has no types
    """Return scikit-learn's module of ensembles.

    Raises:
        MissingExtraError: scikit-learn is not installed.
    """
    try:
        return import_module("sklearn.ensemble")
    except ImportError:
        raise MissingExtraError("--bounds, which fits boosted trees,", "study") from None


def learned_answers(
    training: LearningPairs, features: Sequence[Floats], least_minutes: float
) -> list[PairAnswers]:
    """Return the answers of gradient-boosted trees about the pairs of some crowds.

    A classifier gives P(contact), and regressors of three quantiles give the minutes.

    Args:
        training: what they learn from.
        features: of the pairs of each crowd.
        least_minutes: minutes of a contact.

    Raises:
        MissingExtraError: scikit-learn is not installed.
    """
    ensemble = expect_learners()
    weight = training.weight / training.weight.mean()
    near = training.minutes >= least_minutes
    classifier = (
        ensemble.HistGradientBoostingClassifier(**_TREES) if len(np.unique(near)) > 1 else None
    )
    regressors = [
        ensemble.HistGradientBoostingRegressor(loss="quantile", quantile=quantile, **_TREES)
        for quantile in (0.05, 0.5, 0.95)
    ]
    # One thread: these fits are small, and several processes may share the machine.
    with import_module("threadpoolctl").threadpool_limits(1, user_api="openmp"):
        if classifier is not None:
            classifier.fit(training.features, near, sample_weight=weight)
        for regressor in regressors:
            regressor.fit(training.features, training.minutes, sample_weight=weight)
        return [_said(classifier, regressors, asked, float(near[0])) for asked in features]


def _said(
    classifier: Any,  # noqa: ANN401 - scikit-learn has no types
    regressors: Sequence[Any],
    asked: Floats,
    only_class: float,
) -> PairAnswers:
    """Return fitted trees' answers; P is ``only_class`` where all training pairs were alike."""
    if not len(asked):
        return NOBODY
    chance = np.full(len(asked), only_class)
    if classifier is not None:
        chance = classifier.predict_proba(asked)[:, 1]
    minutes = np.maximum(np.sort([tree.predict(asked) for tree in regressors], axis=0), 0.0)
    return PairAnswers(chance, chance, *minutes)
