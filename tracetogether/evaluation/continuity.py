"""How well phones detect each other: detection, continuity, completeness and longevity.

A scene is cut into windows of 30 seconds from its first to its last reading. A directed pair is a
phone that recorded something in the scene (the observer) and another phone of the scene (the peer).

- detection: the share of pairs with a reading;
- continuity: the share of windows with a reading, over all pairs, heard or not;
- longevity: the time from a pair's first to its last reading, as a share of the scene;
- completeness: the share of windows in which at least one of the two phones heard the other.

The Herald project publishes detection, continuity and longevity of its phones (README of
herald-for-android, 2020: detection 100 %, continuity 93.1 to 100 % over 80 minutes to 22 hours,
phones within 8 m). Completeness here asks what both logs together hold of a pair.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np

from tracetogether.evaluation.scene import Scene
from tracetogether.labels import UNKNOWN, Labels
from tracetogether.tables.arrow_columns import ChosenRows, ColumnTable, DataColumn
from tracetogether.units import Floats, Ints

WINDOW_S: Final = 30.0
"""Length of a window, as Herald has it: a reading in each is enough to estimate a risk."""


@dataclass(frozen=True, slots=True, eq=False)
class PairContinuity(ColumnTable, ChosenRows):
    """Directed pairs of phones in columns of length n; pandas, polars and DuckDB read it.

    Attributes:
        scene, observer, peer: (n,) names.
        readings: (n,) what the observer recorded of the peer.
        windows: (n,) windows of the scene.
        heard: (n,) those with a reading.
        heard_by_either: (n,) those in which one of the two phones heard the other.
        longevity: (n,) time from the first to the last reading, as a share of the scene.
        gap_s: (n,) longest time without a reading, seconds; that of the scene if never heard.
    """

    scene: Labels
    observer: Labels
    peer: Labels
    readings: Ints
    windows: Ints
    heard: Ints
    heard_by_either: Ints
    longevity: Floats
    gap_s: Floats

    def __len__(self) -> int:
        return len(self.readings)

    @property
    def continuity(self) -> Floats:
        """(n,) share of windows with a reading."""
        return np.asarray(self.heard / np.maximum(self.windows, 1))

    @property
    def completeness(self) -> Floats:
        """(n,) share of windows in which one of the two phones heard the other."""
        return np.asarray(self.heard_by_either / np.maximum(self.windows, 1))

    def overall(self) -> dict[str, float]:
        """Return the shares over all pairs: detection, continuity, completeness, longevity."""
        windows = max(int(self.windows.sum()), 1)
        some = len(self) > 0
        return {
            "detection": float(np.mean(self.readings > 0)) if some else 0.0,
            "continuity": float(self.heard.sum()) / windows,
            "completeness": float(self.heard_by_either.sum()) / windows,
            "longevity": float(self.longevity.mean()) if some else 0.0,
        }

    @property
    def columns(self) -> Mapping[str, DataColumn]:
        """The table as data tools see it: names, readings, shares, longest gap."""
        return {
            "scene": self.scene,
            "observer": self.observer,
            "peer": self.peer,
            "readings": self.readings,
            "continuity": self.continuity,
            "completeness": self.completeness,
            "longevity": self.longevity,
            "gap_s": self.gap_s,
        }


def continuity_of(scenes: Sequence[Scene], *, window_s: float = WINDOW_S) -> PairContinuity:
    """Return how well the phones of each scene detected each other.

    Args:
        scenes: what was recorded; no distances are needed.
        window_s: length of a window.

    >>> from tracetogether import Sightings
    >>> heard = Sightings.from_columns(
    ...     time=[0, 40, 100], observer=["ann"] * 3, peer=["ben"] * 3, rssi_dbm=[-60] * 3
    ... )
    >>> found = continuity_of([Scene("hall", heard)])
    >>> found.continuity.tolist(), found.gap_s.tolist()
    ([0.75], [60.0])
    """
    parts = [part for scene in scenes if (part := _of_scene(scene, window_s)) is not None]
    if len(parts) == 1:
        return parts[0]
    joined: dict[str, Any] = {}
    for column in fields(PairContinuity):
        of_parts = [getattr(part, column.name) for part in parts]
        if column.type is Labels:
            joined[column.name] = Labels.concat(of_parts)
        else:
            kind = np.float64 if column.name in ("longevity", "gap_s") else np.int64
            joined[column.name] = np.concatenate([np.array([], dtype=kind), *of_parts])
    return PairContinuity(**joined)


def _of_scene(scene: Scene, window_s: float) -> PairContinuity | None:
    """Return every directed pair of a scene; None without a reading of known phones."""
    rows = scene.sightings
    known = (rows.observer.codes != UNKNOWN) & (rows.peer.codes != UNKNOWN)
    if not known.any():
        return None
    people = sorted({*rows.observer.names, *rows.peer.names})
    number = {name: place for place, name in enumerate(people)}
    observer, peer = rows.observer.numbers(number)[known], rows.peer.numbers(number)[known]
    time = rows.time[known]
    start, length_s = float(time.min()), float(np.ptp(time))
    windows = max(math.ceil(length_s / window_s), 1)
    size = len(people)

    # Sorted by pair and time, the readings of a pair are a run: its ends and its largest step.
    order = np.lexsort((time, observer * size + peer))
    time, pair = time[order] - start, (observer * size + peer)[order]
    heard_pair, begin, readings = np.unique(pair, return_index=True, return_counts=True)
    end = begin + readings - 1
    step = np.append(0.0, np.diff(time))
    step[begin] = time[begin]  # from the scene's start to the first reading
    gap_s = np.maximum(np.maximum.reduceat(step, begin), length_s - time[end])
    longevity = (time[end] - time[begin]) / length_s if length_s else np.zeros(len(begin))

    window = np.minimum((time // window_s).astype(np.int64), windows - 1)
    lower, upper = np.minimum(pair // size, pair % size), np.maximum(pair // size, pair % size)
    one_way = np.unique(pair * windows + window) // windows
    both_ways = np.unique((lower * size + upper) * windows + window) // windows

    # Each phone that recorded something, with each other phone of the scene.
    own, other = (
        axis.ravel() for axis in np.meshgrid(np.unique(observer), np.arange(size), indexing="ij")
    )
    own, other = own[own != other], other[own != other]
    place = np.searchsorted(heard_pair, own * size + other)
    place = np.minimum(place, len(heard_pair) - 1)
    ever = heard_pair[place] == own * size + other
    names = np.array(people, dtype=object)
    return PairContinuity(
        scene=Labels.constant(scene.name, len(own)),
        observer=Labels.encode(names[own]),
        peer=Labels.encode(names[other]),
        readings=np.where(ever, readings[place], 0),
        windows=np.full(len(own), windows, dtype=np.int64),
        heard=_count_of(one_way, own * size + other),
        heard_by_either=_count_of(
            both_ways, np.minimum(own, other) * size + np.maximum(own, other)
        ),
        longevity=np.where(ever, longevity[place], 0.0),
        gap_s=np.where(ever, gap_s[place], length_s),
    )


def _count_of(codes: Ints, asked: Ints) -> Ints:
    """Return how often each asked code is among the sorted codes."""
    counts = np.searchsorted(codes, asked, "right") - np.searchsorted(codes, asked, "left")
    return counts.astype(np.int64)
