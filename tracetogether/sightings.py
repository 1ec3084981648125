"""Sightings in columns: the one shape that log, upload and all estimators share."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from tracetogether.csv_columns import BadLine, read_csv
from tracetogether.errors import InvalidReadingsError
from tracetogether.labels import Labels
from tracetogether.units import Bools, Floats, Ints, is_rssi

_TIME_LIMIT_S: Final = 1e14  # beyond, seconds in a float run together

READINGS_COLUMNS: Final[Mapping[str, str]] = {
    "time": "t",
    "observer": "rx",
    "peer": "tx",
    "rssi": "rssi",
    "tx_power": "tx_power",
    "observer_model": "rx_model",
    "peer_model": "tx_model",
}
"""Field of a sighting -> column of a table of readings, where a user names none."""

_NUMBERS = ("time", "rssi", "tx_power")
_REQUIRED = frozenset({"time", "peer", "rssi"})


@dataclass(frozen=True, slots=True)
class Sighting:
    """One reception, as a phone writes it down.

    Attributes:
        time: UTC epoch seconds.
        peer: the token heard (84 characters for BlueTrace).
        rssi_dbm: received signal strength.
        tx_power_dbm: transmit power as advertised, None where unknown.
        peer_model: the other phone's model, None where unknown.
        observer_model: this phone's model, None where unknown.
        organisation: the authority that the peer belongs to.
        version: protocol version of the exchange.
        as_central: True if this phone read the token, False if it was written to it.
    """

    time: float
    peer: str = field(repr=False)
    rssi_dbm: float
    tx_power_dbm: float | None = None
    peer_model: str | None = None
    observer_model: str | None = None
    organisation: str = ""
    version: int = 2
    as_central: bool = True


@dataclass(frozen=True, slots=True)
class Sightings:
    """Many receptions in columns of equal length n, in any order.

    Attributes:
        time: (n,) float64 UTC epoch seconds.
        observer: who heard; unknown where the log is one phone's own.
        peer: who was heard: a token, or a person once tokens are opened.
        rssi_dbm: (n,) float64, valid readings only (below 0).
        tx_power_dbm: (n,) float64, NaN where unknown.
        observer_model, peer_model: phone models, unknown where not told.
        dropped: readings that were given but are not held (RSSI 127, >= 0 or NaN; time not finite).
    """

    time: Floats
    observer: Labels
    peer: Labels
    rssi_dbm: Floats
    tx_power_dbm: Floats
    observer_model: Labels
    peer_model: Labels
    dropped: int = 0

    def __post_init__(self) -> None:
        lengths = {
            field.name: len(getattr(self, field.name))
            for field in fields(self)
            if field.name != "dropped"
        }
        if len(set(lengths.values())) > 1:
            msg = f"columns differ in length: {lengths}"
            raise ValueError(msg)

    @classmethod
    def from_columns(
        cls,
        *,
        time: npt.ArrayLike,
        peer: Labels | Sequence[str | None],
        rssi_dbm: npt.ArrayLike,
        observer: Labels | Sequence[str | None] | None = None,
        tx_power_dbm: npt.ArrayLike | None = None,
        observer_model: Labels | Sequence[str | None] | None = None,
        peer_model: Labels | Sequence[str | None] | None = None,
    ) -> Self:
        """Return the valid ones of the given readings; the others are counted in ``dropped``."""
        times = np.asarray(time, dtype=np.float64)
        rssi = np.asarray(rssi_dbm, dtype=np.float64)
        count = len(times)

        def labels(column: Labels | Sequence[str | None] | None) -> Labels:
            if column is None:
                return Labels.constant(None, count)
            return column if isinstance(column, Labels) else Labels.encode(column)

        power = (
            np.full(count, np.nan)
            if tx_power_dbm is None
            else np.asarray(tx_power_dbm, dtype=np.float64)
        )
        everything = cls(
            time=times,
            observer=labels(observer),
            peer=labels(peer),
            rssi_dbm=rssi,
            tx_power_dbm=power,
            observer_model=labels(observer_model),
            peer_model=labels(peer_model),
        )
        valid = valid_readings(times, rssi)
        if valid.all():
            return everything
        kept = everything.take(valid)
        return kept.replaced(dropped=count - int(valid.sum()))

    @classmethod
    def from_rows(cls, rows: Sequence[Sighting]) -> Self:
        """Return one phone's own log as columns."""
        return cls.from_columns(
            time=[row.time for row in rows],
            peer=[row.peer for row in rows],
            rssi_dbm=[row.rssi_dbm for row in rows],
            tx_power_dbm=[np.nan if row.tx_power_dbm is None else row.tx_power_dbm for row in rows],
            observer_model=[row.observer_model for row in rows],
            peer_model=[row.peer_model for row in rows],
        )

    @classmethod
    def from_csv(
        cls,
        path: str | Path,
        columns: Mapping[str, str] | None = None,
        *,
        strict: bool = False,
        on_bad_lines: Callable[[int, Sequence[BadLine]], None] | None = None,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Self:
        """Read a CSV or CSV.gz table of readings.

        Args:
            path: the file.
            columns: field -> column name, overriding READINGS_COLUMNS field by field. Columns
                of time, peer and rssi must exist; the others may be missing unless named here.
            strict: stop at the first malformed line instead of skipping it.
            on_bad_lines: called once with the count of skipped lines and the first of them.
            on_progress: called with (bytes read, bytes in all) as the file is read.

        Raises:
            InvalidReadingsError: no such file or column, no readable line, or, with ``strict``,
                a malformed line; the message names the line.
        """
        chosen = dict(columns or {})
        unknown = set(chosen) - set(READINGS_COLUMNS)
        if unknown:
            known = ", ".join(READINGS_COLUMNS)
            msg = f"unknown field {min(unknown)!r} in the columns; the fields are {known}"
            raise InvalidReadingsError(msg)
        names = {**READINGS_COLUMNS, **chosen}
        table = read_csv(
            Path(path),
            numbers={field: names[field] for field in _NUMBERS},
            labels={field: names[field] for field in names if field not in _NUMBERS},
            required=_REQUIRED | set(chosen),
            may_be_empty={"tx_power", "rssi", "observer", "observer_model", "peer_model"},
            strict=strict,
            on_progress=on_progress,
        )
        if table.bad_count and on_bad_lines is not None:
            on_bad_lines(table.bad_count, table.bad_lines)
        count = table.rows
        blank = np.full(count, np.nan)
        return cls.from_columns(
            time=table.numbers["time"],
            rssi_dbm=table.numbers["rssi"],
            tx_power_dbm=table.numbers.get("tx_power", blank),
            peer=table.labels["peer"],
            observer=table.labels.get("observer"),
            observer_model=table.labels.get("observer_model"),
            peer_model=table.labels.get("peer_model"),
        )

    @classmethod
    def concat(cls, parts: Sequence["Sightings"]) -> Self:
        """Return the rows of all ``parts``."""
        return cls(
            time=np.concatenate([part.time for part in parts] or [np.empty(0)]),
            observer=Labels.concat([part.observer for part in parts]),
            peer=Labels.concat([part.peer for part in parts]),
            rssi_dbm=np.concatenate([part.rssi_dbm for part in parts] or [np.empty(0)]),
            tx_power_dbm=np.concatenate([part.tx_power_dbm for part in parts] or [np.empty(0)]),
            observer_model=Labels.concat([part.observer_model for part in parts]),
            peer_model=Labels.concat([part.peer_model for part in parts]),
            dropped=sum(part.dropped for part in parts),
        )

    def take(self, rows: Ints | Bools | slice) -> Self:
        """Return the chosen rows."""
        return self.replaced(
            time=self.time[rows],
            observer=self.observer.take(rows),
            peer=self.peer.take(rows),
            rssi_dbm=self.rssi_dbm[rows],
            tx_power_dbm=self.tx_power_dbm[rows],
            observer_model=self.observer_model.take(rows),
            peer_model=self.peer_model.take(rows),
        )

    def replaced(self, **changes: Floats | Labels | int) -> Self:
        """Return a copy with some columns exchanged."""
        current = {field.name: getattr(self, field.name) for field in fields(self)}
        return type(self)(**{**current, **changes})

    def __len__(self) -> int:
        return len(self.time)


def valid_readings(time: Floats, rssi_dbm: Floats) -> Bools:
    """Return which readings have a time and a signal strength that can be true."""
    return (np.abs(time) < _TIME_LIMIT_S) & is_rssi(rssi_dbm)
