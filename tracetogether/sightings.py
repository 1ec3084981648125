"""Sightings in columns: the one shape that log, upload and all estimators share."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import tzinfo
from pathlib import Path
from typing import Final, Self, overload

import numpy as np

from tracetogether.errors import InvalidReadingsError
from tracetogether.labels import Labels
from tracetogether.tables.array_like import floats_of, times_of, without_zone
from tracetogether.tables.arrow_columns import ColumnTable, DataColumn, UtcSeconds, rows_of
from tracetogether.tables.attenuation_columns import (
    FIELDS,
    StatedAttenuation,
    repeated,
    without_signal,
)
from tracetogether.tables.csv_columns import BadLine, read_csv
from tracetogether.tables.reading_faults import Faults, known_transmit_power
from tracetogether.tables.timestamps import checked_unit, recognise, zone
from tracetogether.units import Bools, Floats, Ints

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

READINGS_FIELDS: Final[Mapping[str, str]] = {**READINGS_COLUMNS, **FIELDS}
"""All fields that a user may name; "" where no column is read unless one does."""

Column = Iterable[object]
"""A list, an array, or a column of a data frame."""

_NUMBERS = ("rssi", "tx_power")
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
class Sightings(ColumnTable):
    """Many receptions in columns of equal length n, in any order.

    pandas, polars and DuckDB read it as a table. It is indexed like an array:

    >>> walk = Sightings.from_columns(
    ...     time=[0.0, 60.0, 90.0], peer=["ben", "cem", "ben"], rssi_dbm=[-60, -80, -64]
    ... )
    >>> len(walk[walk.rssi_dbm > -70]), len(walk[walk.peer == "cem"]), walk[1].rssi_dbm
    (2, 1, -80.0)

    Attributes:
        time: (n,) float64 UTC epoch seconds.
        observer: who heard; unknown where the log is one phone's own.
        peer: who was heard: a token, or a person once tokens are opened.
        rssi_dbm: (n,) float64, valid readings only (below 0).
        tx_power_dbm: (n,) float64, NaN where unknown.
        observer_model, peer_model: phone models; unknown where the reading does not name them.
        dropped: readings that were given but are not held.
        reasons: why not -> how many of them.
        notes: what was assumed of the given columns, one sentence each.
    """

    time: Floats
    observer: Labels
    peer: Labels
    rssi_dbm: Floats
    tx_power_dbm: Floats
    observer_model: Labels
    peer_model: Labels
    dropped: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        lengths = {
            field.name: len(getattr(self, field.name))
            for field in fields(self)
            if field.name not in {"dropped", "reasons", "notes"}
        }
        if len(set(lengths.values())) > 1:
            msg = f"columns differ in length: {lengths}"
            raise ValueError(msg)

    @classmethod
    def from_columns(
        cls,
        *,
        time: Column,
        peer: Labels | Column,
        rssi_dbm: Column,
        observer: Labels | Column | None = None,
        tx_power_dbm: Column | None = None,
        observer_model: Labels | Column | None = None,
        peer_model: Labels | Column | None = None,
        time_unit: str | None = None,
        time_zone: str | tzinfo | None = None,
    ) -> Self:
        """Return the valid ones of the given readings; the others are counted in ``reasons``.

        Columns are lists, numpy arrays, or columns of pandas, Arrow or polars, (n,) each.

        Args:
            time: numbers of seconds, ms, us or ns since 1970, which tell their unit, or of seconds
                from a start; datetimes, of which numpy's and pandas' without a zone are in UTC; or
                text in ISO 8601.
            peer: who was heard.
            rssi_dbm: signal strengths.
            observer: who heard.
            tx_power_dbm: advertised transmit powers.
            observer_model: the phone models of those who heard.
            peer_model: the phone models of those who were heard.
            time_unit: one of UNIT_SECONDS; needed where the numbers don't tell.
            time_zone: IANA name of the zone of datetimes that have none.

        Raises:
            InvalidReadingsError: none of the readings is valid, times are of several kinds or of
                an unknown unit or zone, or a column holds something else; says the remedy.
        """
        clock = None if time_zone is None else zone(time_zone)
        written = times_of(time, "time", bare_is_utc=clock is None)
        found = recognise(written, "time", unit=checked_unit(time_unit), in_zone=clock)
        count = len(written.values)

        def labels(column: Labels | Column | None) -> Labels:
            if column is None:
                return Labels.constant(None, count)
            return column if isinstance(column, Labels) else Labels.encode(column)

        power = (
            np.full(count, np.nan)
            if tx_power_dbm is None
            else floats_of(tx_power_dbm, "tx_power_dbm")
        )
        everything = cls(
            time=found.seconds,
            observer=labels(observer),
            peer=labels(peer),
            rssi_dbm=floats_of(rssi_dbm, "rssi_dbm"),
            tx_power_dbm=power,
            observer_model=labels(observer_model),
            peer_model=labels(peer_model),
        ).replaced(notes=found.notes)
        if clock is None and without_zone(time):
            note = "time holds datetimes without a time zone: taken as UTC."
            everything = everything.replaced(notes=(*everything.notes, note))
        return everything.valid(
            "the columns", may_lack_peer=isinstance(peer, Labels), odd_times=found.odd
        )

    @classmethod
    def from_log(
        cls,
        *,
        time: Floats,
        peer: Labels,
        rssi_dbm: Floats,
        tx_power_dbm: Floats,
        observer: Labels | None = None,
        observer_model: Labels | None = None,
        peer_model: Labels | None = None,
    ) -> Self:
        """Return the valid ones of readings that this project wrote, in epoch seconds.

        Unlike ``from_columns`` this believes the unit of times, and no log is an error.
        """
        nobody = Labels.constant(None, len(time))
        everything = cls(
            time=time,
            observer=nobody if observer is None else observer,
            peer=peer,
            rssi_dbm=rssi_dbm,
            tx_power_dbm=tx_power_dbm,
            observer_model=nobody if observer_model is None else observer_model,
            peer_model=nobody if peer_model is None else peer_model,
        )
        return everything._without(Faults.of(everything.time, everything.rssi_dbm))

    @classmethod
    def from_rows(cls, rows: Sequence[Sighting]) -> Self:
        """Return one phone's own log as columns."""
        power = [np.nan if row.tx_power_dbm is None else row.tx_power_dbm for row in rows]
        return cls.from_log(
            time=np.array([row.time for row in rows], dtype=np.float64),
            peer=Labels.encode([row.peer for row in rows]),
            rssi_dbm=np.array([row.rssi_dbm for row in rows], dtype=np.float64),
            tx_power_dbm=np.array(power, dtype=np.float64),
            observer_model=Labels.encode([row.observer_model for row in rows]),
            peer_model=Labels.encode([row.peer_model for row in rows]),
        )

    @classmethod
    def from_csv(
        cls,
        path: str | Path,
        columns: Mapping[str, str | float] | None = None,
        *,
        time_unit: str | None = None,
        time_zone: str | tzinfo | None = None,
        strict: bool = False,
        on_bad_lines: Callable[[int, Sequence[BadLine]], None] | None = None,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Self:
        """Read a CSV or CSV.gz table of readings.

        Args:
            path: the file.
            columns: field -> column name, overriding READINGS_FIELDS field by field. Columns
                of time, peer and rssi must exist; the others may be missing unless named here.
                A table may state attenuation in place of rssi (``tables.attenuation_columns``);
                with a histogram, ``span`` may be a number of seconds.
            time_unit: one of UNIT_SECONDS; needed where the numbers don't tell.
            time_zone: IANA name of the zone of dates that have none.
            strict: stop at the first malformed line instead of skipping it.
            on_bad_lines: called once with the count of skipped lines and the first of them.
            on_progress: called with (bytes read, bytes in all) as the file is read.

        Raises:
            InvalidReadingsError: no such file or column, no readable line, no valid reading, times
                of an unknown unit or zone, or, with ``strict``, a malformed line; the message
                names the line or the column, and the remedy.
        """
        chosen, span_s = _columns_and_span(columns or {}, "--columns")
        unknown = set(chosen) - set(READINGS_FIELDS)
        if unknown:
            known = ", ".join(READINGS_FIELDS)
            msg = f"unknown field {min(unknown)!r} in the columns; the fields are {known}"
            raise InvalidReadingsError(msg)
        names = {**READINGS_FIELDS, **chosen}
        clock = None if time_zone is None else zone(time_zone)
        stated, replaces = without_signal(Path(path), names, chosen, "--columns")
        numbers = {field: names[field] for field in ("tx_power", "count") if names[field]}
        numbers |= stated if replaces else {"rssi": names["rssi"]}
        must = _REQUIRED | (set(chosen) - {"histogram"}) | set(stated)
        if span_s is not None:
            numbers.pop("span")
            must -= {"span"}
        table = read_csv(
            Path(path),
            numbers=numbers,
            times={"time": names["time"]},
            labels={
                field: names[field]
                for field in READINGS_COLUMNS
                if field not in {"time", *_NUMBERS}
            },
            required=must - {"rssi"} if replaces else must,
            may_be_empty={*numbers, "observer", "observer_model", "peer_model"},
            strict=strict,
            on_progress=on_progress,
        )
        if table.bad_count and on_bad_lines is not None:
            on_bad_lines(table.bad_count, table.bad_lines)
        found = recognise(
            table.times["time"],
            f"{path}, column {names['time']!r},",
            unit=checked_unit(time_unit),
            in_zone=clock,
        )
        spans = {} if span_s is None else {"span": np.full(table.rows, span_s)}
        lines = StatedAttenuation.of(str(path), found.seconds, {**table.numbers, **spans})
        named = table.labels if lines is None else lines.labels(table.labels)
        line = np.arange(table.rows) if lines is None else lines.line
        nobody = Labels.constant(None, len(line))
        everything = cls(
            time=found.seconds if lines is None else lines.time,
            observer=named.get("observer", nobody),
            peer=named["peer"],
            rssi_dbm=table.numbers["rssi"] if lines is None else lines.rssi_dbm,
            tx_power_dbm=table.numbers.get("tx_power", np.full(table.rows, np.nan))[line],
            observer_model=named.get("observer_model", nobody),
            peer_model=named.get("peer_model", nobody),
        ).replaced(notes=found.notes)
        if "count" in table.numbers:
            rows = repeated(np.arange(len(line)), table.numbers["count"][line])
            everything = everything.take(rows)
        models = {names["observer_model"], names["peer_model"]}
        return everything.valid(
            str(path),
            odd_times=found.odd,
            names_are_own=not {names["observer"], names["peer"]} & models,
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
            reasons=sum((Counter(part.reasons) for part in parts), Counter()),
            notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
        )

    def valid(
        self,
        source: str,
        *,
        may_lack_peer: bool = False,
        odd_times: int = 0,
        names_are_own: bool = True,
    ) -> Self:
        """Return the readings of a person's table that can be true.

        Args:
            source: the table, as messages name it.
            may_lack_peer: a reading need not say who was heard.
            odd_times: how many times are NaN for being no times.
            names_are_own: two phones have different names; phone models may serve as names.

        Transmit powers that are none become unknown, with a note.

        Raises:
            InvalidReadingsError: no reading is valid; says the likely reason.
        """
        faults = Faults.of(
            self.time,
            self.rssi_dbm,
            observer=self.observer if names_are_own else None,
            peer=self.peer,
            may_lack_peer=may_lack_peer,
            odd_times=odd_times,
        )
        if len(self) and not faults.valid.any():
            raise InvalidReadingsError(f"{source}: {faults.likely_cause(self.rssi_dbm)}")
        kept = self._without(faults)
        power, notes = known_transmit_power(kept.tx_power_dbm)
        return kept.replaced(tx_power_dbm=power, notes=(*kept.notes, *notes))

    def _without(self, faults: Faults) -> Self:
        if faults.valid.all():
            return self
        dropped = len(self) - int(faults.valid.sum())
        return self.take(faults.valid).replaced(dropped=dropped, reasons=faults.reasons)

    def take(self, rows: Ints | Bools | slice) -> Self:
        """Return the chosen rows: by number, by a mask, or a slice."""
        rows = rows_of(rows)
        return self.replaced(
            time=self.time[rows],
            observer=self.observer.take(rows),
            peer=self.peer.take(rows),
            rssi_dbm=self.rssi_dbm[rows],
            tx_power_dbm=self.tx_power_dbm[rows],
            observer_model=self.observer_model.take(rows),
            peer_model=self.peer_model.take(rows),
        )

    def replaced(
        self, **changes: Floats | Labels | int | Mapping[str, int] | tuple[str, ...]
    ) -> Self:
        """Return a copy with some columns exchanged."""
        current = {field.name: getattr(self, field.name) for field in fields(self)}
        return type(self)(**{**current, **changes})

    def __len__(self) -> int:
        return len(self.time)

    @overload
    def __getitem__(self, rows: int) -> Sighting: ...
    @overload
    def __getitem__(self, rows: Ints | Bools | slice) -> Self: ...
    def __getitem__(self, rows: int | Ints | Bools | slice) -> Sighting | Self:
        return self._row(rows) if isinstance(rows, int | np.integer) else self.take(rows)

    def __iter__(self) -> Iterator[Sighting]:
        return map(self._row, range(len(self)))

    def _row(self, row: int) -> Sighting:
        """Return one reception. A ``Sighting`` does not say who observed it."""
        power = float(self.tx_power_dbm[row])
        return Sighting(
            time=float(self.time[row]),
            peer=self.peer[row] or "",
            rssi_dbm=float(self.rssi_dbm[row]),
            tx_power_dbm=None if np.isnan(power) else power,
            peer_model=self.peer_model[row],
            observer_model=self.observer_model[row],
        )

    @property
    def columns(self) -> Mapping[str, DataColumn]:
        """Name -> column, as data tools see them."""
        return {
            "time": UtcSeconds(self.time),
            "observer": self.observer,
            "peer": self.peer,
            "rssi_dbm": self.rssi_dbm,
            "tx_power_dbm": self.tx_power_dbm,
            "observer_model": self.observer_model,
            "peer_model": self.peer_model,
        }


def _columns_and_span(
    columns: Mapping[str, str | float], option: str
) -> tuple[dict[str, str], float | None]:
    """Return field -> column, and the span of all lines in seconds if a number is given for it.

    Raises:
        InvalidReadingsError: a number is given for a field of which each line has its own.
    """
    for name, column in columns.items():
        if name != "span" and not isinstance(column, str):
            raise InvalidReadingsError(
                f"{option} {name}={column}: write the name of a column; only span may be a number"
            )
    names = {name: str(column) for name, column in columns.items()}
    try:
        span_s = float(names.get("span", "nan"))
    except ValueError:
        span_s = np.nan
    return names, span_s if np.isfinite(span_s) else None
