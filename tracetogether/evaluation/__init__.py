"""How well estimators do on recordings with known distances: scenes, folds, metrics, tables.

The names below are imported when they are first used: who reads a recording does not wait for what
fits models.
"""

from typing import TYPE_CHECKING

from tracetogether.lazy_names import lazy_names

if TYPE_CHECKING:
    from tracetogether.evaluation.continuity import PairContinuity, continuity_of
    from tracetogether.evaluation.recordings import Recording, read_recording
    from tracetogether.evaluation.scene import Scene
    from tracetogether.evaluation.scoring import EstimatorScores
    from tracetogether.evaluation.side_by_side import EvaluationRows, evaluate_recording
else:
    __getattr__ = lazy_names(
        __name__,
        {
            "EstimatorScores": "scoring",
            "EvaluationRows": "side_by_side",
            "PairContinuity": "continuity",
            "Recording": "recordings",
            "Scene": "scene",
            "continuity_of": "continuity",
            "evaluate_recording": "side_by_side",
            "read_recording": "recordings",
        },
    )

__all__ = [
    "EstimatorScores",
    "EvaluationRows",
    "PairContinuity",
    "Recording",
    "Scene",
    "continuity_of",
    "evaluate_recording",
    "read_recording",
]


def __dir__() -> list[str]:
    """Return the public names, without the modules that they are in."""
    return sorted(__all__)
