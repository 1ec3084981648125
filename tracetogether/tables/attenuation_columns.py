"""Tables that give attenuation, not signal strength: in a column, or as counts per bucket.

Apps of exposure notification see no signal strength. Their tables hold the attenuation of each
reading, or how many readings of a stretch of time fell into each bucket of attenuation: columns
such as ``att_50, att_55, att_60``, whose numbers are the buckets' lower ends in dB. Such figures
account for phone models already. Readings become signal strengths of a phone that sends at 0 dBm
and has no offset, so that every estimator can read them.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np

from tracetogether.errors import InvalidReadingsError
from tracetogether.labels import Labels
from tracetogether.tables.csv_text import opened, read_header, whole_lines
from tracetogether.units import Floats, Ints

STATED_ATTENUATION: Final = "(attenuation as stated)"
"""The phone model of readings whose attenuation is stated: its radio has no offset."""

FIELDS: Final[Mapping[str, str]] = MappingProxyType(
    {"attenuation": "attenuation", "histogram": "", "span": "", "count": ""}
)
"""Field -> column where a user names none; "": only if a user names one."""

_BUCKET: Final = "bucket "
_MOST_READINGS: Final = 50_000_000
_HEADER_BYTES: Final = 1 << 16


def columns_of(path: Path, wanted: Collection[str]) -> tuple[str, ...]:
    """Return the names of a table's columns.

    Raises:
        InvalidReadingsError: the file can't be read or is no table.
    """
    with opened(path) as (_, stream):
        header, _ = read_header(path, whole_lines(path, stream, _HEADER_BYTES), wanted)
    return header.names


def bucket_columns(path: Path, pattern: str, option: str) -> dict[str, str]:
    """Return field -> column of a table's buckets: those that ``pattern`` such as ``att_*`` means.

    Args:
        path: the table.
        pattern: a column's name with a star in place of the number.
        option: how the user names it, for error messages.

    Raises:
        InvalidReadingsError: the pattern has no star, or fewer than two columns are like it.
    """
    begin, star, end = pattern.partition("*")
    if not star or "*" in end:
        raise InvalidReadingsError(
            f"{option}={pattern}: write one * in place of the number of decibels, such as att_*"
        )
    names = columns_of(path, ())
    form = re.compile(re.escape(begin) + r"([0-9]+(?:\.[0-9]+)?)" + re.escape(end), re.IGNORECASE)
    found = {
        f"{_BUCKET}{match[1]}": name
        for name in names
        if (match := form.fullmatch(name)) is not None
    }
    if len(found) < 2:
        raise InvalidReadingsError(
            f"{path} has {len(found)} columns like {pattern!r}, and a histogram needs two or more; "
            f"its columns are {', '.join(names)}. Name them with {option}=PREFIX_*"
        )
    return found


def is_bucket(field: str) -> bool:
    """Return whether a field is a bucket of a histogram."""
    return field.startswith(_BUCKET)


@dataclass(frozen=True, slots=True)
class StatedAttenuation:
    """The readings that the lines of a table stand for, in columns.

    Attributes:
        line: (n,) the line of each reading.
        time: (n,) epoch seconds.
        rssi_dbm: (n,) the signal strength of a phone without offsets that sends at 0 dBm.
    """

    line: Ints
    time: Floats
    rssi_dbm: Floats

    @classmethod
    def of(
        cls, source: str, time: Floats, numbers: Mapping[str, Floats]
    ) -> "StatedAttenuation | None":
        """Return the readings; None if the table gives signal strengths.

        Args:
            source: the table, for error messages.
            time: (lines,) epoch seconds at which a line begins.
            numbers: columns of the table: "rssi", "attenuation", "span" in seconds, and counts of
                readings per bucket, named as by ``bucket_columns``.

        The readings of a bucket are spread evenly over the line's span; without one all are at its
        time. A bucket's attenuation is its middle; the highest is as wide as the one below it.

        Raises:
            InvalidReadingsError: counts or spans are negative, too many, or not whole numbers; or
                attenuations are negative.
        """
        buckets = {
            float(field.removeprefix(_BUCKET)): counts
            for field, counts in numbers.items()
            if is_bucket(field)
        }
        if not buckets:
            stated = numbers.get("attenuation")
            if stated is None:
                return None
            if np.nanmedian(np.append(stated, np.nan if stated.size else 0.0)) < 0:
                raise InvalidReadingsError(
                    f"{source}: attenuations are decibels above 0, and most of these are negative; "
                    "signal strengths are named with --columns rssi=..."
                )
            return cls(np.arange(len(time)), time, -stated)
        edges = np.array(sorted(buckets))
        widths = np.append(np.diff(edges), edges[-1] - edges[-2])
        counts = np.nan_to_num(np.column_stack([buckets[edge] for edge in edges.tolist()]))
        if np.any(counts < 0) or np.any(counts != np.floor(counts)):
            raise InvalidReadingsError(
                f"{source}: the cells of a histogram count readings, and must be whole numbers "
                "from 0 on"
            )
        if counts.sum() > _MOST_READINGS:
            raise InvalidReadingsError(
                f"{source}: its histogram counts {counts.sum():,.0f} readings, more than "
                f"{_MOST_READINGS:,}; divide the counts, or read a part of the table"
            )
        times = counts.astype(np.int64).ravel()
        cell = np.repeat(np.arange(times.size), times)
        line, bucket = np.divmod(cell, len(edges))
        within = np.arange(len(cell)) - np.repeat(np.cumsum(times) - times, times)
        span = np.nan_to_num(numbers.get("span", np.zeros(len(time))))
        if np.any(span < 0):
            raise InvalidReadingsError(f"{source}: a line's span can't be negative")
        moment = time[line] + (within + 0.5) / times[cell] * span[line]
        return cls(line, moment, -(edges + widths / 2)[bucket])

    def labels(self, columns: Mapping[str, Labels]) -> dict[str, Labels]:
        """Return columns of names reading by reading, with phone models that have no offset."""
        models = dict.fromkeys(
            ("observer_model", "peer_model"), Labels.constant(STATED_ATTENUATION, len(self.line))
        )
        return {**{field: column.take(self.line) for field, column in columns.items()}, **models}


def without_signal(
    path: Path, names: Mapping[str, str], chosen: Collection[str], option: str
) -> tuple[dict[str, str], bool]:
    """Return the columns of numbers that state attenuation, and whether they replace "rssi".

    They do if a user named them, or if the table has a column of attenuation and none of signal
    strength.

    Args:
        path: the table.
        names: field -> column, for "rssi", "attenuation", and those of FIELDS that a user named.
        chosen: the fields that a user named.
        option: how a user names columns, such as ``--columns``.
    """
    if "histogram" in chosen:
        if "attenuation" in chosen or "rssi" in chosen:
            raise InvalidReadingsError(
                f"{option}: name one of rssi, attenuation and histogram, which say the same"
            )
        span = {"span": names["span"]} if "span" in chosen else {}
        return {**bucket_columns(path, names["histogram"], f"{option} histogram"), **span}, True
    if "span" in chosen:
        raise InvalidReadingsError(
            f"{option} span=... says how long a line of a histogram lasts; name its columns with "
            f"{option} histogram=att_*"
        )
    if "attenuation" in chosen:
        if "rssi" in chosen:
            raise InvalidReadingsError(
                f"{option}: name one of rssi and attenuation, which say the same"
            )
        return {"attenuation": names["attenuation"]}, True
    held = {name.casefold() for name in columns_of(path, names.values())}
    plain = names["attenuation"].casefold() in held and names["rssi"].casefold() not in held
    if plain and "rssi" not in chosen:
        return {"attenuation": names["attenuation"]}, True
    return {}, False


def repeated(lines: Ints, count: Floats | None) -> Ints:
    """Return lines as often as their count says: tables may hold runs of equal readings."""
    if count is None:
        return lines
    times = np.nan_to_num(count[lines], nan=1.0)
    return np.repeat(lines, np.maximum(times, 0).astype(np.int64))
