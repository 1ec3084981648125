"""The file of `tracetogether record`: a line for each advertisement, with marks of distance.

A mark is a line that the user types while recording. It holds for what is heard from then on:

- ``1.5`` or ``1.5 m``: everybody is at 1.5 m;
- ``1.5 m PHONE``: this phone is, by its address or its name;
- ``unknown`` or ``unknown PHONE``: the distance is not known any more;
- ``scene kitchen``: the next scene begins, where distances are not known yet;
- ``name ADDRESS ben``: the phone at this address is called ben;
- ``model PHONE iPhone 8``: its model.
"""

import csv
import math
from dataclasses import dataclass, field
from typing import Final, TextIO

from tracetogether.errors import InvalidReadingsError
from tracetogether.exchange import Heard
from tracetogether.plain_text import visible

COLUMNS: Final = (
    "t",
    "rx",
    "tx",
    "rssi",
    "tx_power",
    "rx_model",
    "tx_model",
    "distance",
    "scene",
    "service",
)
"""Columns of the file: the names that `evaluate` and `calibrate phones` expect."""
_FARTHEST_M: Final = 1000.0
_EXAMPLES: Final = (
    "write a distance such as 1.5 m, or 1.5 m PHONE, unknown, scene NAME, name ADDRESS NAME, "
    "or model PHONE MODEL"
)


@dataclass(slots=True)
class AdvertisementFile:
    """Writes what was heard into an open file, and keeps what the marks said.

    Attributes:
        file: where lines are written.
        observer: name of this machine in the file.
        observer_model: its model; "" if it is not known.
        readings: number of lines.
        phones: address -> number of lines.
    """

    file: TextIO = field(repr=False)
    observer: str
    observer_model: str = ""
    readings: int = 0
    phones: dict[str, int] = field(default_factory=dict)
    _scene: str = "1"
    _everybody_m: float | None = None
    _own_m: dict[str, float | None] = field(default_factory=dict)
    _names: dict[str, str] = field(default_factory=dict)
    _models: dict[str, str] = field(default_factory=dict)

    def begin(self) -> None:
        """Write the names of the columns."""
        csv.writer(self.file, lineterminator="\n").writerow(COLUMNS)
        self.file.flush()

    def heard(self, heard: Heard, *, time: float, service: str) -> None:
        """Write one advertisement.

        Args:
            heard: what the radio reports.
            time: when, epoch seconds.
            service: UUID of the service that it shows.
        """
        peer = self._names.get(heard.peer, heard.peer)
        distance_m = self._own_m.get(peer, self._everybody_m)
        csv.writer(self.file, lineterminator="\n").writerow(
            (
                f"{time:.3f}",
                self.observer,
                peer,
                f"{heard.rssi_dbm:g}",
                "" if heard.tx_power_dbm is None else f"{heard.tx_power_dbm:g}",
                self.observer_model,
                self._models.get(peer, ""),
                "" if distance_m is None else f"{distance_m:g}",
                self._scene,
                service,
            )
        )
        self.readings += 1
        self.phones[heard.peer] = self.phones.get(heard.peer, 0) + 1

    def mark(self, line: str) -> str:
        """Take a mark; return what holds from now on, in words.

        Raises:
            InvalidReadingsError: the line is no mark.
        """
        word, _, rest = visible(line).strip().partition(" ")
        rest = rest.strip()
        if word == "scene" and rest:
            self._scene, self._everybody_m = rest, None
            self._own_m.clear()
            return f"scene {rest}; distances are not known"
        if word in ("name", "model") and len(said := rest.split(maxsplit=1)) == 2:
            known = self._names if word == "name" else self._models
            known[said[0]] = said[1]
            return f"{said[0]} is {'called' if word == 'name' else 'of the model'} {said[1]}"
        if word == "unknown":
            return self._is_at(rest, None)
        try:
            distance_m = float(word.removesuffix("m"))
        except ValueError:
            distance_m = math.nan
        if not 0 < distance_m <= _FARTHEST_M:
            raise InvalidReadingsError(f"{line.strip()!r} is no mark: {_EXAMPLES}")
        unit, _, after = rest.partition(" ")
        return self._is_at(after.strip() if unit == "m" else rest, distance_m)

    def _is_at(self, phone: str, distance_m: float | None) -> str:
        if phone:
            self._own_m[phone] = distance_m
        else:
            self._everybody_m = distance_m
            self._own_m.clear()
        who = phone or "everybody"
        return f"{who}: distance not known" if distance_m is None else f"{who} at {distance_m:g} m"
