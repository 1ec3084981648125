"""Which scenes an estimator is fitted on, and which it is scored on: never the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tracetogether.errors import InvalidReadingsError
from tracetogether.proximity.scene import Scene

MOST_FOLDS: Final = 30
"""Up to so many scenes each is left out alone; of more, tenths are left out together."""

_GROUPS: Final = 10


@dataclass(frozen=True, slots=True)
class Fold:
    """Scenes to fit on and scenes to score."""

    training: tuple[Scene, ...]
    scored: tuple[Scene, ...]


def leave_scenes_out(scenes: Sequence[Scene]) -> tuple[Fold, ...]:
    """Return folds in which every scene is scored once, fitted on the others.

    Raises:
        InvalidReadingsError: there is one scene only.
    """
    if len(scenes) < 2:
        raise InvalidReadingsError(
            "one scene alone can't be scored by what was fitted on others; say which column tells "
            "scenes apart with --columns scene=..., or fit on another recording with --fit-on"
        )
    groups = len(scenes) if len(scenes) <= MOST_FOLDS else _GROUPS
    return tuple(
        Fold(
            training=tuple(one for n, one in enumerate(scenes) if n % groups != group),
            scored=tuple(one for n, one in enumerate(scenes) if n % groups == group),
        )
        for group in range(groups)
    )


def fit_on(training: Sequence[Scene], scored: Sequence[Scene]) -> tuple[Fold, ...]:
    """Return the one fold of fitting on one recording and scoring another."""
    return (Fold(tuple(training), tuple(scored)),)
