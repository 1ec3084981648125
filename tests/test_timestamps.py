"""Dates are read as datetime reads them; zones are applied; units are judged over a column."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracetogether.errors import InvalidReadingsError
from tracetogether.sightings import Sightings
from tracetogether.tables import byte_fields, csv_columns
from tracetogether.tables.byte_fields import times_of_texts
from tracetogether.tables.timestamps import (
    DATE_WITH_ZONE,
    DATE_WITHOUT_ZONE,
    Times,
    in_seconds,
    recognise,
    utc_of,
    zone,
)

FIRST, LAST = datetime.min + timedelta(days=2), datetime.max - timedelta(days=2)  # noqa: DTZ901
zones = st.one_of(
    st.none(),
    st.just(UTC),
    st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)


@given(
    moments=st.lists(st.datetimes(FIRST, LAST, timezones=zones), min_size=1),
    separator=st.sampled_from("T "),
    padding=st.sampled_from(["", " ", "  "]),
)
def test_agrees_with_datetime(moments, separator, padding):
    texts = [padding + moment.isoformat(separator) + padding for moment in moments]
    times, unreadable, blank = times_of_texts(texts)
    assert not unreadable.any()
    assert not blank.any()
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    expected = [
        (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - epoch for moment in moments
    ]
    assert times.values == pytest.approx([row.total_seconds() for row in expected], abs=1e-6)
    forms = [DATE_WITHOUT_ZONE if moment.tzinfo is None else DATE_WITH_ZONE for moment in moments]
    assert times.forms.tolist() == forms


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2020-09-13T12:26:40Z", 1_600_000_000.0),
        ("2020-09-13t12:26:40z", 1_600_000_000.0),
        ("2020-09-13 12:26:40.25 UTC", 1_600_000_000.25),
        ("2020-09-13 12:26:40,25 GMT", 1_600_000_000.25),
        ("2020-09-13 12:26:40.123456789012345678+00:00", 1_600_000_000.123456789),
        ("2020/09/13 12:26Z", 1_599_999_960.0),
        ("2020-09-13T04:26:40-0800", 1_600_000_000.0),
        ("2020-02-29T00:00:00Z", 1_582_934_400.0),
        (" 1600000000 ", 1_600_000_000.0),
        ("1.6000000005E+09", 1_600_000_000.5),
    ],
)
def test_forms_of_one_moment(text, seconds):
    times, unreadable, _ = times_of_texts([text])
    assert not unreadable[0]
    assert times.values[0] == seconds


@pytest.mark.parametrize(
    "text",
    [
        "2020-09-13", "2020-09-13T", "2020-09-13T12", "2020-09-13T12:2", "2020-09-13T24:00:00Z",
        "2020-09-13T12:26:60Z", "2020-09-13T12:26:4Z", "2020-09-13T12:26:40.Z",
        "2020-09-13T12:26:40X", "2020-09-13T12:26:40+8", "2020-09-13T12:26:40+08:0",
        "2020-09-13T12:26:40+24:00", "2020-09-13T12:26:40Z+", "2020-09/13T12:26:40Z",
        "2020-00-13T12:26:40Z", "2020-09-00T12:26:40Z", "2021-02-29T12:26:40Z",
        "2020-09-13T12:26:40 Z Z", "2020-09-13_12:26:40Z", "13/09/2020 12:26", "1.6E+09", "soon",
        "2020-09-13T12:26:40" + "0" * 200,
    ],
)  # fmt: skip
def test_impossible_dates_are_unreadable(text):
    times, unreadable, _ = times_of_texts([text, "2020-09-13T12:26:40Z"])
    assert unreadable.tolist() == [True, False]
    assert np.isnan(times.values[0])
    assert times.values[1] == 1_600_000_000.0


def test_a_zone_is_applied_before_and_after_its_changes():
    berlin = ZoneInfo("Europe/Berlin")
    shown = [
        datetime(2020, 10, 25, 1, 59, 59, tzinfo=berlin),  # still summer
        datetime(2020, 10, 25, 2, 30, tzinfo=berlin),  # twice
        datetime(2020, 10, 25, 3, 0, tzinfo=berlin),
        datetime(2021, 3, 28, 2, 15, tzinfo=berlin),  # never
        datetime(2021, 3, 28, 3, 0, tzinfo=berlin),
    ]
    local = np.array([moment.replace(tzinfo=UTC).timestamp() for moment in shown] + [np.nan])
    found, doubtful = utc_of(local, berlin)
    assert doubtful.tolist() == [False, True, False, True, False, False]
    for row in (0, 2, 4):
        assert found[row] == shown[row].timestamp()
    assert np.isnan(found[[1, 3, 5]]).all()


def test_times_in_the_repeated_hour_are_left_out_with_a_note():
    start = datetime(2020, 10, 25, tzinfo=UTC).timestamp()
    local = start + 600.0 * np.arange(24)  # 0:00 to 3:50, every ten minutes
    written = Times(local, np.full(24, DATE_WITHOUT_ZONE, dtype=np.uint8))
    found = recognise(written, "t", in_zone=zone("Europe/Berlin"))
    assert found.odd == 6
    assert np.isnan(found.seconds).sum() == 6
    assert "6 times are in the hour in which clocks are put back" in found.notes[0]
    assert len(recognise(written, "t", in_zone=zone("Asia/Singapore")).notes) == 0


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_the_unit_follows_from_the_size_of_the_numbers(unit):
    times = 1.6e9 + 30.0 * np.arange(50)
    numbers = times / in_seconds(np.ones(1), unit)
    assert recognise(Times.of_numbers(numbers), "t").seconds == pytest.approx(times, abs=1e-3)
    for other in {"s", "ms", "us", "ns"} - {unit}:
        with pytest.raises(InvalidReadingsError, match=f"say --time-unit {unit}"):
            recognise(Times.of_numbers(numbers), "t", unit=other)


def test_milliseconds_are_divided_exactly():
    found = recognise(Times.of_numbers(np.array([1_600_000_000_123.0])), "t")
    assert found.seconds.tolist() == [1_600_000_000.123]


@pytest.mark.parametrize("share", [0.06, 0.4, 0.5, 0.6, 0.94])
def test_two_units_in_one_column_are_refused_at_any_share(share):
    times = 1.6e9 + 30.0 * np.arange(100)
    times[: int(100 * share)] *= 1000
    with pytest.raises(InvalidReadingsError, match="of different kinds"):
        recognise(Times.of_numbers(times), "t")


def test_columns_without_any_time_are_accepted():
    for numbers in (np.full(3, np.nan), np.empty(0)):
        found = recognise(Times.of_numbers(numbers), "t")
        assert len(found.seconds) == len(numbers)
        assert np.isnan(found.seconds).all()


@pytest.mark.parametrize(
    ("separator", "time", "rssi"),
    [(",", "1600000000.5", "-60"), (",", "2020-09-13T20:26:40.5+08:00", "-60"),
     (";", "1600000000,5", "-60,5"), ("\t", "2020-09-13 12:26:40Z", "-60,5")],
)  # fmt: skip
def test_no_field_of_a_usual_table_goes_through_python(
    tmp_path, monkeypatch, separator, time, rssi
):
    def unusual(*_: object) -> float:
        raise AssertionError("a field went through Python")

    monkeypatch.setattr(byte_fields, "number", unusual)
    monkeypatch.setattr(csv_columns, "number", unusual)
    path = tmp_path / "readings.csv"
    rows = [["t", "tx", "rssi"], *[[time, "ben", rssi]] * 1000]
    path.write_text("\n".join(separator.join(row) for row in rows))
    assert len(Sightings.from_csv(path)) == 1000
