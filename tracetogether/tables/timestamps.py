"""Recognise the unit of a column of times, and refuse what is not a time.

Numbers since 1970 show their unit by their size: the years 2000 to 2100 are 9.5e8 to 4.1e9 in
seconds, and a thousand times more in ms, in us and in ns, so the ranges don't overlap. Numbers from
a recording's own start show it less well: they count as seconds unless something contradicts that.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from types import MappingProxyType
from typing import Final, Self
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from tracetogether.errors import InvalidReadingsError
from tracetogether.units import (
    SECONDS_PER_DAY,
    SECONDS_PER_HOUR,
    SECONDS_PER_MINUTE,
    Bools,
    Floats,
    Ints,
)

UNIT_SECONDS: Final[Mapping[str, float]] = MappingProxyType(
    {
        "s": 1.0,
        "ms": 1e-3,
        "us": 1e-6,
        "ns": 1e-9,
        "min": float(SECONDS_PER_MINUTE),
        "h": float(SECONDS_PER_HOUR),
    }
)
"""Unit of time -> its length in seconds."""

NUMBER: Final = 0
DATE_WITH_ZONE: Final = 1
DATE_WITHOUT_ZONE: Final = 2

_NAMES: Final = MappingProxyType(
    {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
)
_YEAR_2000_S: Final = 946_684_800.0
_YEAR_2100_S: Final = 4_102_444_800.0
_FROM_START: Final = "from a start"
_LONGEST_S: Final = 10 * 366 * SECONDS_PER_DAY  # of one table
_LONGEST_FROM_START_S: Final = 2 * SECONDS_PER_DAY  # longer tables must name their unit
_LATEST_FROM_START_S: Final = 31 * SECONDS_PER_DAY
_USUAL_GAP_S: Final = 90.0  # tables with longer gaps between readings must name their unit
_FEWEST: Final = 10  # rows needed to judge a table
_FEWEST_FOR_GAPS: Final = 4
_ODD_SHARE: Final = 0.05  # the table is wrong if more of its times are of another kind
_FEWEST_BESIDE_ONE: Final = 5  # rows from which one may be odd
_ROUNDED_S: Final = 10_000
_ROUNDED_32_BITS_S: Final = 64.0  # resolution of float32 at today's epoch seconds, or worse
_SERIAL_DAYS: Final = (36_526.0, 73_051.0)  # Excel's 2000-01-01 to 2100-01-01
_SERIAL_SPAN: Final = 400.0
_ZONE_STEP_S: Final = 900  # clocks change at whole quarters of an hour


@dataclass(frozen=True, slots=True)
class Recognised:
    """A column of times in seconds.

    Attributes:
        seconds: (n,) UTC epoch seconds, or seconds from the recording's start; NaN where the
            time is missing or impossible.
        odd: number of times that don't fit the others.
        notes: the assumptions, one sentence each.
    """

    seconds: Floats
    odd: int = 0
    notes: tuple[str, ...] = ()

    def with_note(self, note: str) -> "Recognised":
        """Return a copy with one more note."""
        return replace(self, notes=(*self.notes, note))


@dataclass(frozen=True, slots=True)
class Times:
    """A column of times as the table has them.

    Attributes:
        values: (n,) numbers in their unit; for dates, seconds since 1970 in UTC, or on the local
            clock if they have no zone. NaN where missing.
        forms: (n,) NUMBER, DATE_WITH_ZONE or DATE_WITHOUT_ZONE.
    """

    values: Floats
    forms: npt.NDArray[np.uint8]

    @classmethod
    def of_numbers(cls, values: Floats) -> Self:
        """Return a column that holds only numbers."""
        return cls(values, np.full(len(values), NUMBER, dtype=np.uint8))

    @classmethod
    def concat(cls, parts: Sequence["Times"]) -> Self:
        """Return the rows of all ``parts``, one part after the other."""
        return cls(
            np.concatenate([part.values for part in parts]),
            np.concatenate([part.forms for part in parts]),
        )

    def take(self, rows: Ints | Bools) -> "Times":
        """Return the chosen rows."""
        return Times(self.values[rows], self.forms[rows])


@dataclass(frozen=True, slots=True)
class HowToSay:
    """How a user names the unit or the zone of a column of times; messages quote it.

    Attributes:
        unit: how to name the unit; ``{0}`` stands for it.
        zone: how to name a time zone.
    """

    unit: str = "--time-unit {0} (in Python: time_unit='{0}')"
    zone: str = "--time-zone Asia/Singapore (in Python: time_zone='Asia/Singapore')"


def recognise(
    times: Times,
    what: str,
    *,
    unit: str | None = None,
    in_zone: tzinfo | None = None,
    how: HowToSay = HowToSay(),
) -> Recognised:
    """Return a column of times as seconds.

    Args:
        times: the column.
        what: its name in messages.
        unit: the unit of its numbers, a key of UNIT_SECONDS; None recognises it.
        in_zone: the time zone of dates without one; None refuses such dates.
        how: how the user can name what is missing.

    Raises:
        InvalidReadingsError: these are not times, are of several kinds, or their unit or zone is
            unknown; says the remedy.

    >>> recognise(Times.of_numbers(np.array([1.6e12])), "t").seconds.tolist()  # milliseconds
    [1600000000.0]
    """
    numbers = times.values
    there = np.isfinite(numbers)
    dated = there & (times.forms != NUMBER)
    dates, total = int(dated.sum()), int(there.sum())
    if not dates:
        found = _of_numbers(numbers, what, unit, how.unit)
        if in_zone is not None and total:
            found = found.with_note(f"{what} holds numbers, so the time zone plays no part.")
        return found
    if _too_many(min(dates, total - dates), total):
        example = f"{numbers[there & ~dated][0]:.15g}"
        raise InvalidReadingsError(
            f"{what} holds times of different kinds: {dates / total:.0%} are dates and "
            f"{1 - dates / total:.0%} are numbers (such as {example}); write all of them one way"
        )
    if dates < total - dates:
        found = _of_numbers(np.where(dated, np.nan, numbers), what, unit, how.unit)
        return replace(found, odd=found.odd + dates)
    seconds = np.where(dated, numbers, np.nan)
    bare = dated & (times.forms == DATE_WITHOUT_ZONE)
    notes: tuple[str, ...] = ()
    if bare.any():
        if in_zone is None:
            raise InvalidReadingsError(
                f"{what} holds dates without a time zone; say which one they are in: {how.zone}"
            )
        moments, doubtful = utc_of(seconds[bare], in_zone)
        seconds[bare] = moments
        if doubtful.any():
            note = (
                f"{what}: {int(doubtful.sum()):,} times are in the hour in which clocks are put "
                "back or forward, and need an offset such as +02:00."
            )
            notes = (note,)
    good = (seconds >= _YEAR_2000_S) & (seconds < _YEAR_2100_S)
    odd = total - int(good.sum())
    if _too_many(odd, total) and not notes:
        year = _year(float(numbers[dated & ~good][0]))
        raise InvalidReadingsError(
            f"{what} holds {odd:,} dates outside the years 2000 to 2100, such as one of {year}"
        )
    if good.any():
        _check_epoch(seconds[good], what, "s", dated=True)
    return Recognised(np.where(good, seconds, np.nan), odd, notes)


def _of_numbers(numbers: Floats, what: str, unit: str | None, remedy: str) -> Recognised:
    there = np.isfinite(numbers)
    if not there.any():
        return Recognised(np.where(there, numbers, np.nan))
    if unit is not None:
        return _in_unit(numbers, there, _kinds(numbers), what, unit, remedy)
    if there.all() and numbers.min() >= _YEAR_2000_S and numbers.max() < _YEAR_2100_S:
        _check_epoch(numbers, what, "s", dated=False)
        return Recognised(numbers)
    kinds = _kinds(numbers)
    counts = {kind: int(rows.sum()) for kind, rows in kinds.items()}
    usual = max(counts, key=lambda kind: counts[kind])
    total = int(there.sum())
    odd = total - counts[usual]
    if usual not in {*_NAMES, _FROM_START}:
        raise InvalidReadingsError(_no_times(what, numbers[kinds[usual]], usual))
    if _too_many(odd, total):
        other = max((kind for kind in counts if kind != usual), key=lambda kind: counts[kind])
        strange = numbers[kinds[other]]
        own_start = _FROM_START in {usual, other} and np.ptp(strange) > 0
        raise InvalidReadingsError(
            f"{what} holds times of different kinds: {counts[usual] / total:.0%} are "
            f"{_called(usual)} and {counts[other] / total:.0%} are {_called(other)} (such as "
            f"{strange[0]:.15g}); write all of them in one unit"
            + (f", or say {remedy.format('us')} if that is their unit" if own_start else "")
        )
    values = numbers[kinds[usual]]
    notes: tuple[str, ...] = ()
    if usual == _FROM_START:
        _check_from_start(values, what, remedy)
        notes = (
            f"{what} counts from a start of its own: taken as seconds, {_length(values)} in all.",
        )
    else:
        _check_epoch(values, what, usual, dated=False)
        if usual != "s":
            notes = (f"{what} is in {_NAMES[usual]} since 1970.",)
    seconds = np.where(kinds[usual], in_seconds(numbers, usual), np.nan)
    return Recognised(seconds, odd, notes)


def in_seconds(numbers: Floats, unit: str) -> Floats:
    """Return times of ``unit`` in seconds; an unknown unit counts as seconds."""
    length = UNIT_SECONDS.get(unit, 1.0)
    return numbers * length if length >= 1 else numbers / round(1 / length)  # one rounding


def lost_seconds(value: float, resolution: float) -> bool:
    """Return whether a time since 1970 with this ``resolution`` lacks its seconds."""
    for unit in _NAMES:
        factor = UNIT_SECONDS[unit]
        if _YEAR_2000_S <= value * factor < _YEAR_2100_S:
            return resolution * factor > 1.0
    return False


def checked_unit(unit: str | None) -> str | None:
    """Return ``unit``.

    Raises:
        InvalidReadingsError: there is no such unit of time.
    """
    if unit is not None and unit not in UNIT_SECONDS:
        msg = f"there is no unit of time {unit!r:.40}; known are {', '.join(UNIT_SECONDS)}"
        raise InvalidReadingsError(msg)
    return unit


def zone(name: str | tzinfo) -> tzinfo:
    """Return the time zone of an IANA name, such as Asia/Singapore, or of an offset, +08:00.

    Raises:
        InvalidReadingsError: there is no such zone.
    """
    if isinstance(name, tzinfo):
        return name
    name = str(name)
    if name.upper() in {"UTC", "Z"}:
        return UTC  # needs no list of time zones
    try:
        if name[:1] in {"+", "-"}:
            found = datetime.strptime(name, "%z").tzinfo
            if found is not None:
                return found
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        msg = (
            f"there is no time zone {name[:60]!r}; give an IANA name, such as Asia/Singapore or "
            "Europe/Berlin, or UTC, or an offset such as +08:00"
        )
        raise InvalidReadingsError(msg) from None


def utc_of(local: Floats, in_zone: tzinfo) -> tuple[Floats, Bools]:
    """Return UTC epoch seconds of local times in a zone, and which are ambiguous.

    Args:
        local: (n,) seconds since 1970-01-01 00:00 on that clock.
        in_zone: the clock's time zone.

    A local time is ambiguous if the clock shows it twice (put back) or never (put forward).
    """
    there = np.isfinite(local)
    steps, inverse = np.unique(np.floor(local[there] / _ZONE_STEP_S), return_inverse=True)
    offsets = np.empty(len(steps))
    doubtful = np.zeros(len(steps), dtype=np.bool_)
    start = datetime(1970, 1, 1)  # noqa: DTZ001 - a clock's own reading
    for row, step in enumerate(steps.tolist()):  # one step per quarter of an hour
        shown = (start + timedelta(seconds=step * _ZONE_STEP_S)).replace(tzinfo=in_zone)
        before, after = (shown.replace(fold=fold).utcoffset() for fold in (0, 1))
        offsets[row] = 0.0 if before is None else before.total_seconds()
        doubtful[row] = before != after
    found = np.full(len(local), np.nan)
    found[there] = local[there] - offsets[inverse]
    bad = np.zeros(len(local), dtype=np.bool_)
    bad[there] = doubtful[inverse]
    return np.where(bad, np.nan, found), bad


def days_since_1970(year: Ints, month: Ints, day: Ints) -> tuple[Ints, Bools]:
    """Return (n,) days from 1970-01-01 to each date, and (n,) which dates exist."""
    in_range = (year >= 1) & (month >= 1) & (month <= 12) & (day >= 1)
    first = (np.clip(year, 1, 9999) - 1970).astype("datetime64[Y]").astype("datetime64[M]")
    this_month = first + (np.clip(month, 1, 12) - 1).astype("timedelta64[M]")
    start = this_month.astype("datetime64[D]").astype(np.int64)
    length = (this_month + 1).astype("datetime64[D]").astype(np.int64) - start
    return start + day - 1, in_range & (day <= length)


def _too_many(odd: int, total: int) -> bool:
    """Return whether the number of odd rows means that the whole table is wrong."""
    return odd > _ODD_SHARE * total and not (odd == 1 and total >= _FEWEST_BESIDE_ONE)


def _kinds(numbers: Floats) -> dict[str, Bools]:
    kinds = {
        unit: (in_seconds(numbers, unit) >= _YEAR_2000_S)
        & (in_seconds(numbers, unit) < _YEAR_2100_S)
        for unit in _NAMES
    }
    kinds[_FROM_START] = np.abs(numbers) < _YEAR_2000_S
    kinds["negative"] = np.isfinite(numbers) & (numbers <= -_YEAR_2000_S)
    known = np.logical_or.reduce(list(kinds.values()))
    kinds["out of range"] = np.isfinite(numbers) & ~known
    return kinds


def _called(kind: str) -> str:
    return f"{_NAMES[kind]} since 1970" if kind in _NAMES else f"numbers {kind}"


def _in_unit(
    numbers: Floats, there: Bools, kinds: dict[str, Bools], what: str, unit: str, remedy: str
) -> Recognised:
    """Return ``numbers`` of the given ``unit`` in seconds.

    Raises:
        InvalidReadingsError: they can't have this unit.
    """
    total = int(there.sum())
    for other in _NAMES:
        rows = kinds[other]
        if other != unit and rows.sum() >= (1 - _ODD_SHARE) * total:
            span = float(np.ptp(numbers[rows])) * UNIT_SECONDS[other]
            if span <= _LATEST_FROM_START_S:
                raise InvalidReadingsError(
                    f"{what} is said to be in {unit}, but its numbers (such as "
                    f"{numbers[rows][0]:.15g}) are {_called(other)}: say {remedy.format(other)}"
                )
    seconds = in_seconds(numbers, unit)
    good = there & (seconds > -_LATEST_FROM_START_S) & (seconds < _YEAR_2100_S)
    odd = total - int(good.sum())
    if _too_many(odd, total):
        example = numbers[there & ~good][0]
        raise InvalidReadingsError(
            f"{what} holds {odd:,} numbers (such as {example:.15g}) that in {unit} are no time "
            "before the year 2100"
        )
    return Recognised(np.where(good, seconds, np.nan), odd)


def _no_times(what: str, values: Floats, kind: str) -> str:
    example = f"{values[0]:.15g}"
    if kind == "negative":
        return (
            f"{what} holds negative times, such as {example}; write epoch seconds, or seconds "
            "from the recording's start"
        )
    return (
        f"{what} holds numbers, such as {example}, that are no time between the years 2000 and "
        "2100 in seconds, milliseconds, microseconds or nanoseconds since 1970"
    )


def _check_epoch(values: Floats, what: str, unit: str, *, dated: bool) -> None:
    seconds = in_seconds(values, unit)
    if np.ptp(seconds) > _LONGEST_S:
        raise InvalidReadingsError(
            f"{what} holds times from {_year(seconds.min())} to {_year(seconds.max())}; as times "
            f"since 1970 in {_NAMES[unit]} they can't be of one table: check their unit"
        )
    if len(seconds) < _FEWEST:
        return
    if dated and _all_multiples(seconds, SECONDS_PER_HOUR):
        raise InvalidReadingsError(
            f"{what} holds dates without minutes: every time is a whole hour; write dates with "
            "minutes and seconds"
        )
    # A float of 32 bits keeps 24 of them.
    lost_bits = 2.0 ** np.ceil(np.log2(_ROUNDED_32_BITS_S / UNIT_SECONDS[unit]))
    if not dated and (_all_multiples(seconds, _ROUNDED_S) or _all_multiples(values, lost_bits)):
        raise InvalidReadingsError(
            f"{what} has lost its seconds: every time is a round number, such as {values[0]:.15g} "
            "(spreadsheets save so what they show as 1.6E+09, and floats of 32 bits hold no more); "
            "write the column as numbers without decimals"
        )


def _all_multiples(values: Floats, step: float) -> bool:
    return not np.any(values[:_FEWEST] % step) and not np.any(values % step)


def _check_from_start(values: Floats, what: str, remedy: str) -> None:
    low, high = float(values.min()), float(values.max())
    distinct = np.unique(values)
    fractions = bool(np.any(values != np.floor(values)))
    if _SERIAL_DAYS[0] <= low <= high < _SERIAL_DAYS[1] and (
        high - low <= _SERIAL_SPAN if fractions else len(values) >= _FEWEST and high == low
    ):
        raise InvalidReadingsError(
            f"{what} seems to hold a spreadsheet's days since 1900, such as {low:.15g}; turn them "
            "into UTC epoch seconds with the formula =(A2-25569)*86400 where the table is in UTC, "
            f"or, if they are seconds from a start, say {remedy.format('s')}"
        )
    if len(distinct) >= _FEWEST and low >= 0 and high < 1:
        raise InvalidReadingsError(
            f"{what} holds only times between {low:.6g} and {high:.6g}: if they are parts of a "
            "day, as spreadsheets write times, write dates with times; if they are seconds from a "
            f"start, say {remedy.format('s')}"
        )
    if len(distinct) >= _FEWEST and high - low < 1:
        raise InvalidReadingsError(
            f"{what} holds {len(distinct):,} different times within one second ({low:.15g} to "
            f"{high:.15g}): its unit is longer than seconds, such as days or hours; write UTC "
            f"epoch seconds, or say {remedy.format('h')} or another unit "
            f"({', '.join(UNIT_SECONDS)})"
        )
    gap = float(np.median(np.diff(distinct))) if len(distinct) >= _FEWEST_FOR_GAPS else 0.0
    latest = max(high, -low)
    if high - low > _LONGEST_FROM_START_S or latest > _LATEST_FROM_START_S or gap > _USUAL_GAP_S:
        raise InvalidReadingsError(
            f"{what} counts from a start of its own ({low:.15g} to {high:.15g}) in a unit that it "
            f"does not tell; as seconds it would be {_length(values)} with {gap:.3g} s between "
            f"readings: say {remedy.format('ms')} or another unit ({', '.join(UNIT_SECONDS)})"
        )


def _year(seconds: float) -> int:
    return int(np.datetime64(int(seconds), "s").astype("datetime64[Y]").astype(np.int64)) + 1970


def _length(values: Floats) -> str:
    seconds = float(np.ptp(values))
    for length, name in (
        (SECONDS_PER_DAY, "days"),
        (SECONDS_PER_HOUR, "hours"),
        (SECONDS_PER_MINUTE, "minutes"),
    ):
        if seconds >= 2 * length:
            return f"{seconds / length:.3g} {name}"
    return f"{seconds:.3g} s"
