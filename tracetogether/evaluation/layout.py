"""Which column of a table holds what, and in which unit: `FIELD=COLUMN[unit],...`."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, Self, TypedDict

from tracetogether.errors import InvalidReadingsError
from tracetogether.names import columns_of_fields, unknown_name
from tracetogether.sightings import READINGS_FIELDS
from tracetogether.tables.attenuation_columns import is_bucket
from tracetogether.tables.timestamps import UNIT_SECONDS

_METRES: Final = MappingProxyType(
    {"m": 1.0, "dm": 0.1, "cm": 0.01, "mm": 0.001, "km": 1000.0, "ft": 0.3048, "in": 0.0254}
)
_UNITS: Final[Mapping[str, Mapping[str, float]]] = MappingProxyType(
    {"time": UNIT_SECONDS, "distance": _METRES, "x": _METRES, "y": _METRES}
)

RECORDING_COLUMNS: Final[Mapping[str, str]] = MappingProxyType(
    {**READINGS_FIELDS, "distance": "distance", "scene": "scene"}
)
"""Field of a recording -> column, where a user names none; "": only if a user names one."""

TRACK_COLUMNS: Final[Mapping[str, str]] = MappingProxyType(
    {"time": "t", "person": "id", "x": "x", "y": "y", "scene": "scene"}
)
"""Field of a table of tracks -> column, where a user names none."""

NUMBERS: Final = frozenset(
    {"time", "rssi", "attenuation", "tx_power", "distance", "count", "span", "x", "y"}
)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a field comes from.

    Attributes:
        column: name of the column.
        factor: what its numbers are multiplied by, to metres or seconds.
        unit: the unit that a user named.
        constant: in place of a column, a number for every row.
    """

    column: str
    factor: float = 1.0
    unit: str | None = None
    constant: float | None = None


@dataclass(frozen=True, slots=True)
class RecordingLayout:
    """Where each field comes from.

    Attributes:
        sources: field -> source, for every field.
        named: the fields that a user named, which must exist.
    """

    sources: Mapping[str, Source]
    named: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, text: str | None, defaults: Mapping[str, str] = RECORDING_COLUMNS) -> Self:
        """Return the layout that ``text`` describes, such as ``time=t,distance=range_ft[ft]``.

        A number in place of a column, such as ``distance=6[ft]``, is used for every row.

        Raises:
            InvalidReadingsError: it is not of that form, names a field twice, or one or a unit
                that does not exist.
        """
        sources = {field: Source(column) for field, column in defaults.items() if column}
        named = columns_of_fields(text, defaults)
        sources |= {field: _source(field, column) for field, column in named.items()}
        return cls(MappingProxyType(sources), frozenset(named))

    def with_labels(self, columns: Mapping[str, str]) -> "RecordingLayout":
        """Return the layout with more fields that hold names, each from its column."""
        more = {field: Source(column) for field, column in columns.items()}
        return replace(self, sources=MappingProxyType({**self.sources, **more}))

    def columns(self) -> dict[str, str]:
        """Return field -> column."""
        return {field: source.column for field, source in self.sources.items()}

    def with_numbers(self, columns: Mapping[str, str], drop: frozenset[str]) -> "RecordingLayout":
        """Return the layout with columns of numbers in place of some fields."""
        kept = {field: source for field, source in self.sources.items() if field not in drop}
        more = {field: kept.get(field, Source(column)) for field, column in columns.items()}
        return RecordingLayout(MappingProxyType({**kept, **more}), self.named - drop)

    def renamed(self, **columns: str) -> "RecordingLayout":
        """Return the layout with other columns for fields that the user did not name."""
        changed = {
            field: Source(column) for field, column in columns.items() if field not in self.named
        }
        return replace(self, sources=MappingProxyType({**self.sources, **changed}))


def _source(field: str, text: str) -> Source:
    column, factor, unit = text, 1.0, None
    if text.endswith("]") and "[" in text and field in _UNITS:
        column, _, unit = text[:-1].rpartition("[")
        unit = unit.strip()
        known = _UNITS[field]
        if unit not in known:
            raise InvalidReadingsError(f"{field}: {unknown_name(unit, known, 'unit')}")
        column, factor = column.strip(), known[unit]
    constant = _number(column) if field in NUMBERS else None
    return Source(column, factor, unit, constant)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


class WantedColumns(TypedDict):
    """The columns that a table is read for: field -> name, by what they hold."""

    numbers: dict[str, str]
    times: dict[str, str]
    labels: dict[str, str]


def wanted_columns(sources: Mapping[str, Source], key: Mapping[str, str]) -> WantedColumns:
    """Return the columns that hold numbers, times, and names; ``key`` is a name."""
    columns = {field: source.column for field, source in sources.items()}
    numbers = {f for f in columns if f in NUMBERS - {"time"} or is_bucket(f)}
    return {
        "numbers": {f: column for f, column in columns.items() if f in numbers},
        "times": {f: column for f, column in columns.items() if f == "time"},
        "labels": {**{f: c for f, c in columns.items() if f not in numbers | {"time"}}, **key},
    }
