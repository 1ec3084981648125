"""A picture of one crowd under every protocol: found, listed wrongly, loaded, linked."""

import json
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np

from simulations.phones.protocols import PROTOCOLS
from simulations.scores.intervals import Measured
from simulations.studies.protocol_table import ProtocolRow
from tracetogether.picture_style import (
    FALSE,
    FOUND,
    LOGGED,
    MISSED,
    new_figure,
    plain_axes,
    save_figure,
)
from tracetogether.picture_style import title as headline
from tracetogether.units import Interval

_KIB = 1024.0


def save_protocol_picture(rows: Sequence[ProtocolRow], path: str | Path, about: str) -> Path:
    """Write the picture as PNG, SVG or PDF; return the path.

    Args:
        rows: one for each protocol.
        path: of the picture.
        about: what was played, for the line below the headline.

    Raises:
        MissingExtraError: matplotlib is not installed.
        StoreError: the file can't be written.
    """
    figure = new_figure(11.0, 0.9 + 0.42 * len(rows))
    panels = figure.subplots(1, 4, sharey=True)
    place = np.arange(len(rows))[::-1]
    kinds: tuple[tuple[str, str, Callable[[ProtocolRow], Measured | float | None]], ...] = (
        ("found of contacts", FOUND, lambda row: row.tif),
        ("listed wrongly per case", FALSE, lambda row: row.false_per_case),
        ("KiB down per phone and day", LOGGED, lambda row: row.cost.down_bytes_day / _KIB),
        ("linked after a report", MISSED, lambda row: row.attacks["linked_share"].value),
    )
    for axes, (name, colour, value_of) in zip(panels, kinds, strict=True):
        plain_axes(axes)
        values = [value_of(row) for row in rows]
        middle = [_middle(value) for value in values]
        axes.barh(place, middle, height=0.6, color=colour)
        for at, value in zip(place.tolist(), values, strict=True):
            if isinstance(value, Interval):
                axes.plot([value.low, value.high], [at, at], color="black", linewidth=1.2)
        axes.set_xlabel(name, fontsize=9)
        axes.set_xlim(left=0)
    panels[2].set_xscale("symlog", linthresh=1.0)
    panels[0].set_yticks(place, [PROTOCOLS[row.protocol].title for row in rows])
    headline(panels[0], "One crowd, every protocol", about)
    kept = json.dumps([row.to_json() for row in rows], sort_keys=True)
    return save_figure(figure, path, made_of=sha256(kept.encode()).hexdigest())


def _middle(value: Measured | float | None) -> float:
    if value is None:
        return 0.0
    return value if isinstance(value, float | int) else value.median
