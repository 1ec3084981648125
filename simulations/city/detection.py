"""What the app finds: shares of contacts that are listed, from a table that was computed.

`tracetogether city detection` plays crowd scenarios and writes such a table; ``detection_study``
explains how. A table has a line for each setting, pair of operating systems and band of true
minutes. Here it is read, and its shares are drawn from their uncertainty.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv, gammaincinv

from simulations.city.hashes import chances
from simulations.city.keys import LAYERS
from simulations.streams import Streams
from tracetogether.units import Floats, Ints

TABLES: Final[Mapping[str, str]] = {
    "bluetrace": "bluetrace",
    "gaen": "gaen",
    "dp3t-low-cost": "gaen",
    "dp3t-unlinkable": "gaen",
    "dp3t-hybrid": "gaen",
    "tcn": "gaen",
    "robert": "robert",
    "desire": "desire",
}
"""Protocol -> the table of its radio: with one radio, protocols find the same contacts."""
SETTINGS: Final = ("home", "school", "work", "transport", "city")
SETTING_OF_LAYER: Final[Mapping[str, str]] = {
    "household": "home",
    "classroom": "school",
    "school": "school",
    "team": "work",
    "workplace": "work",
    "transport": "transport",
    "neighbourhood": "city",
    "city": "city",
}
SYSTEMS: Final = ("android-android", "android-ios", "ios-ios")
"""Pairs of operating systems; the place is the number of iPhones."""
BANDS: Final = (1.0, 5.0, 15.0, 30.0, 60.0)
"""Least true minutes of each band. Fewer minutes than the first are no contact."""
_SHOWN_DIGITS: Final = 6  # a drawn share is rounded, so it is the same on every processor


@dataclass(frozen=True, slots=True)
class DetectionChances:
    """The chances that one run uses, as whole numbers of 2**-32.

    Attributes:
        listed: (layers, systems, bands) chance that a contact is on the case's list.
        kept: (layers, systems, bands) chance that the case's log holds the contact.
        false_per_hour: (settings,) people listed wrongly per case and hour, if all have the app.
    """

    listed: Ints
    kept: Ints
    false_per_hour: Floats


@dataclass(frozen=True, slots=True)
class DetectionTable:
    """A table as a file holds it; see ``detection_study``.

    Attributes:
        protocol: what the phones ran.
        digest: of the table.
        shares: lines of shares.
        false: lines of false listings per hour.
        manifest: what the table was computed with.
    """

    protocol: str
    digest: str
    shares: Sequence[Mapping[str, Any]]
    false: Sequence[Mapping[str, Any]]
    manifest: Mapping[str, Any]

    def drawn(self, seed: int) -> DetectionChances:
        """Return chances drawn from the uncertainty of the table.

        The shares of a setting move together: a crowd that hides one phone hides others.
        """
        at = Streams(seed).generator("city", "detection").random(len(SETTINGS))
        place = dict(zip(SETTINGS, at.tolist(), strict=True))
        listed, kept = (
            np.array(
                [
                    [
                        [
                            self._share(SETTING_OF_LAYER[layer], systems, band, what, place)
                            for band in range(len(BANDS))
                        ]
                        for systems in SYSTEMS
                    ]
                    for layer in LAYERS
                ]
            )
            for what in ("listed", "kept")
        )
        rates = [self._rate(setting, place[setting]) for setting in SETTINGS]
        return DetectionChances(chances(listed), chances(np.maximum(listed, kept)), np.array(rates))

    def _share(
        self, setting: str, systems: str, band: int, what: str, place: Mapping[str, float]
    ) -> float:
        row = self._row(setting, systems, band)
        if row is None:
            return 0.0
        share, size = row[what], row[f"{what}_size"]
        drawn = betaincinv(share * size + 0.5, (1 - share) * size + 0.5, place[setting])
        return round(float(drawn), _SHOWN_DIGITS)

    def _row(self, setting: str, systems: str, band: int) -> Mapping[str, Any] | None:
        """Return the line for a cell; without pairs there, that of the nearest band with some."""
        rows = {
            BANDS.index(row["from_minutes"]): row
            for row in self.shares
            if row["setting"] == setting and row["systems"] == systems and row["pairs"]
        }
        return rows[min(rows, key=lambda other: (abs(other - band), other))] if rows else None

    def _rate(self, setting: str, place: float) -> float:
        (row,) = (row for row in self.false if row["setting"] == setting)
        if not row["hours"]:
            return 0.0
        # Jeffreys' prior for a rate: a gamma distribution with half an event more.
        events = row["per_hour"] * row["size_hours"] + 0.5
        return round(float(gammaincinv(events, place) / row["size_hours"]), _SHOWN_DIGITS)


@cache
def detection_table(protocol: str) -> DetectionTable:
    """Return the table that comes with the library for a protocol's radio."""
    file = resources.files("simulations.city") / "tables" / f"{TABLES[protocol]}.json"
    return read_table(file.read_text("utf-8"))


def read_table(text: str) -> DetectionTable:
    """Return the table that a file's text holds."""
    found = json.loads(text)
    return DetectionTable(
        found["protocol"], found["digest"], found["shares"], found["false"], found["manifest"]
    )


def band_of(minutes: Floats) -> npt.NDArray[np.int64]:
    """Return the band of each contact's minutes; -1 for too few."""
    return np.searchsorted(np.array(BANDS), minutes, side="right") - 1
