"""Folds: the scenes an estimator is fitted on, and the other scenes it is scored on.

Scenes that share people, phones or a place are not independent. Such scenes form a group, and a
group is left out as a whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from tracetogether.errors import InvalidReadingsError
from tracetogether.evaluation.scene import Scene
from tracetogether.labels import UNKNOWN, Labels
from tracetogether.units import Bools, Ints

MOST_FOLDS: Final = 30
"""Up to this many groups, each is left out alone; of more, tenths are left out together."""

_GROUPS: Final = 10


@dataclass(frozen=True, slots=True)
class Fold:
    """Scenes to fit on and scenes to score.

    Attributes:
        training: fitted on.
        scored: scored.
        groups: the number of the group of each scored scene, in the same order.
    """

    training: tuple[Scene, ...]
    scored: tuple[Scene, ...]
    groups: tuple[int, ...]


def leave_scenes_out(scenes: Sequence[Scene]) -> tuple[Fold, ...]:
    """Return folds in which every scene is scored once, fitted on the others.

    Raises:
        InvalidReadingsError: there is one scene only.
    """
    return leave_groups_out(scenes, np.arange(len(scenes)))


def leave_groups_out(scenes: Sequence[Scene], groups: Ints) -> tuple[Fold, ...]:
    """Return folds in which every scene is scored once, fitted on scenes of other groups.

    Args:
        scenes: the scenes.
        groups: (scenes,) the number of each one's group: 0, 1, 2, ...

    Raises:
        InvalidReadingsError: there is one group only.
    """
    count = len(np.unique(groups))
    if len(scenes) < 2:
        raise InvalidReadingsError(
            "one scene alone can't be scored by what was fitted on others; say which column tells "
            "scenes apart with --columns scene=..., or fit on another recording with --fit-on"
        )
    if count < 2:
        raise InvalidReadingsError(
            "all scenes are connected, so that none is left to fit on: name fewer columns with "
            "--leave-out, or fit on another recording with --fit-on"
        )
    folds = count if count <= MOST_FOLDS else _GROUPS
    fold_of = groups % folds
    return tuple(
        Fold(
            training=_at(scenes, fold_of != fold),
            scored=_at(scenes, fold_of == fold),
            groups=tuple(groups[fold_of == fold].tolist()),
        )
        for fold in range(folds)
    )


def fit_on(
    training: Sequence[Scene], scored: Sequence[Scene], groups: Ints | None = None
) -> tuple[Fold, ...]:
    """Return the one fold of fitting on one recording and scoring another.

    Args:
        training: scenes to fit on.
        scored: scenes to score.
        groups: (scored,) the number of each one's group; if None, each is one.
    """
    numbers = range(len(scored)) if groups is None else groups.tolist()
    return (Fold(tuple(training), tuple(scored), tuple(numbers)),)


def connected_groups(scene: Ints, shared: Sequence[Labels]) -> Ints:
    """Return the group of each scene; scenes that share a value are in one group.

    Scenes are connected directly or through others. A blank value connects nothing.

    Args:
        scene: (n,) the number of the scene of each row: 0, 1, 2, ...
        shared: columns of n values; the same text in two of them is not the same value.

    Returns:
        (scenes,) the number of each scene's group, numbered by its first scene.
    """
    scenes = int(scene.max(initial=-1)) + 1
    at, to = [], []
    nodes = scenes
    for column in shared:
        known = column.codes != UNKNOWN
        at.append(scene[known])
        to.append(nodes + column.codes[known])
        nodes += len(column.names)
    ends = (
        np.concatenate([*at, np.empty(0, np.int64)]),
        np.concatenate([*to, np.empty(0, np.int64)]),
    )
    links = coo_array((np.ones(len(ends[0]), np.bool_), ends), shape=(nodes, nodes))
    _, found = connected_components(links, directed=False)
    _, group = np.unique(found[:scenes], return_inverse=True)
    first = np.full(group.max(initial=-1) + 1, scenes)
    np.minimum.at(first, group, np.arange(scenes))
    return np.asarray(np.argsort(np.argsort(first))[group])


def _at(scenes: Sequence[Scene], wanted: Bools) -> tuple[Scene, ...]:
    return tuple(scenes[number] for number in np.flatnonzero(wanted).tolist())
