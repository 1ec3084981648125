"""All estimators that can be evaluated, by name."""

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final

from tracetogether.errors import InvalidReadingsError
from tracetogether.proximity.attenuation import RULES, Bucketed
from tracetogether.proximity.judging import Judge
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
        "constant": Constant,
        "mean-attenuation": MeanAttenuation,
        "smoothed": lambda: Slotwise("smoothed", Smoothed(), shares_are_probabilities=True),
        "kalman": Kalman,
        "robert": Robert,
        **{name: _bucket(name) for name in RULES},
    }
)
"""Name -> how to make the estimator with its defaults."""


def chosen_judges(names: Sequence[str]) -> tuple[Judge, ...]:
    """Return the estimators of these names; all of them for "all".

    Raises:
        InvalidReadingsError: there is no estimator of that name.
    """
    if "all" in names:
        return tuple(make() for make in JUDGES.values())
    judges = []
    for name in dict.fromkeys(names):
        if name not in JUDGES:
            near = get_close_matches(name, JUDGES, n=1, cutoff=0.4)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise InvalidReadingsError(
                f"there is no estimator {name!r}; {hint}Known are all, {', '.join(JUDGES)}."
            )
        judges.append(JUDGES[name]())
    return tuple(judges)
