"""From the times of a place's records to stays."""

from typing import Final

import numpy as np

from tracetogether.parameters import BLUETRACE
from tracetogether.units import Floats, Ints

_GAP_S: Final = float(BLUETRACE.validity_s)  # nobody can tell a short absence from a pause


def spans_of(time: Floats) -> tuple[Ints, Ints]:
    """Return where stays begin and end: indices of (n,) times of one place's records, ascending.

    Records that lie 15 minutes apart or less are one stay.

    >>> spans_of(np.array([0.0, 60.0, 2_000.0]))
    (array([0, 2]), array([1, 2]))
    """
    if not len(time):
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    first = np.flatnonzero(np.append(True, np.diff(time) > _GAP_S))
    last = np.append(first[1:], len(time)) - 1
    return first.astype(np.int64), last.astype(np.int64)
