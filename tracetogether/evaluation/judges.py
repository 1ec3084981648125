"""All estimators that can be evaluated, by name."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

from tracetogether.errors import InvalidReadingsError
from tracetogether.names import unknown_name
from tracetogether.proximity.attenuation import RULES, Bucketed
from tracetogether.proximity.judge import PosteriorJudge
from tracetogether.proximity.judging import Judge
from tracetogether.proximity.model import ProximityModel
from tracetogether.proximity.rivals.constant import Constant
from tracetogether.proximity.rivals.kalman import Kalman
from tracetogether.proximity.rivals.mean_attenuation import MeanAttenuation
from tracetogether.proximity.rivals.robert import Robert
from tracetogether.proximity.rivals.slotwise import Slotwise
from tracetogether.proximity.smoothed import Smoothed


def _bucket(name: str) -> Callable[[], Judge]:
    return lambda: Slotwise(name, Bucketed(RULES[name]))


JUDGES: Final[Mapping[str, Callable[[], Judge]]] = MappingProxyType(
    {
        "posterior": PosteriorJudge,
        "constant": Constant,
        "mean-attenuation": MeanAttenuation,
        "smoothed": lambda: Slotwise("smoothed", Smoothed(), shares_are_probabilities=True),
        "kalman": Kalman,
        "robert": Robert,
        **{name: _bucket(name) for name in RULES},
    }
)
"""Name -> how to make the estimator with its defaults."""


def chosen_judges(names: Sequence[str], model: Path | None = None) -> tuple[Judge, ...]:
    """Return the estimators of these names; all of them for "all".

    Args:
        names: the estimators.
        model: figures for the posterior in place of the built-in ones.

    Raises:
        InvalidReadingsError: there is no estimator of that name.
        CalibrationError: ``model`` can't be read.
    """
    judges: list[Judge] = []
    for name in dict.fromkeys(JUDGES if "all" in names else names):
        if name not in JUDGES:
            raise InvalidReadingsError(unknown_name(name, ("all", *JUDGES), "estimator"))
        judge = JUDGES[name]()
        if model is not None and isinstance(judge, PosteriorJudge):
            judge = PosteriorJudge(ProximityModel.load(model))
        judges.append(judge)
    return tuple(judges)
