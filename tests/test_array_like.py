"""Columns of lists, numpy, pandas and Arrow become sightings, or are refused with the remedy."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from tracetogether.errors import InvalidReadingsError
from tracetogether.labels import Labels
from tracetogether.proximity.encounters import encounters
from tracetogether.sightings import Sightings
from tracetogether.tables.reading_faults import NO_PEER, NO_RSSI, NO_TIME, SELF

TIMES = np.arange(1_600_000_000, 1_600_001_800, 30)
COUNT = len(TIMES)
SINGAPORE = timezone(timedelta(hours=8))


def heard(time: object, **options: object) -> Sightings:
    given = {"peer": ["ben"] * COUNT, "rssi_dbm": [-60] * COUNT, **options}
    return Sightings.from_columns(time=time, **given)


def moments(zone: str | None = "UTC") -> pd.Series:
    utc = pd.Series(pd.to_datetime(TIMES, unit="s", utc=True))
    return utc.dt.tz_convert(zone) if zone else utc.dt.tz_localize(None)


def datetimes(zone: timezone) -> list[datetime]:
    return [datetime.fromtimestamp(int(time), zone) for time in TIMES]


COLUMNS = {
    "list": TIMES.tolist(),
    "floats": TIMES.astype(float),
    "float32 from a start": (TIMES - TIMES[0]).astype(np.float32),
    "milliseconds": TIMES * 1000,
    "microseconds": pd.Series(TIMES * 10**6),
    "nanoseconds": TIMES * 10**9,
    "decimals": [Decimal(int(time)) for time in TIMES],
    "texts of numbers": [str(time) for time in TIMES],
    **{f"datetime64[{unit}]": TIMES.astype("datetime64[s]").astype(f"datetime64[{unit}]")
       for unit in ("s", "ms", "us", "ns")},
    "to_datetime": pd.to_datetime(TIMES, unit="s"),
    "naive series": moments(None),
    "UTC series": moments(),
    "series of Singapore": moments("Asia/Singapore"),
    "series at +08:00": moments("Asia/Singapore").dt.tz_convert("+08:00"),
    "index": pd.DatetimeIndex(moments()),
    "extension array": moments("Asia/Singapore").array,
    "objects": moments("Asia/Singapore").astype(object),
    "datetimes": datetimes(SINGAPORE),
    "datetimes of UTC": np.array(datetimes(UTC), dtype=object),
    "texts": [moment.isoformat() for moment in datetimes(SINGAPORE)],
    "strings": pd.Series([moment.isoformat(" ") for moment in datetimes(UTC)], dtype="string"),
    "Int64": pd.array(TIMES, dtype="Int64"),
    "timedeltas": pd.to_timedelta(TIMES - TIMES[0], unit="s"),
}  # fmt: skip


@pytest.mark.parametrize("kind", COLUMNS)
def test_times_of_any_column(kind):
    sightings = heard(COLUMNS[kind])
    start = 0 if kind in {"float32 from a start", "timedeltas"} else TIMES[0]
    assert sightings.time.tolist() == (TIMES - TIMES[0] + start).tolist()
    assert len(encounters(sightings)) == 1


@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Singapore"])
def test_times_of_arrow(zone):
    arrow = pytest.importorskip("pyarrow")
    kind = arrow.timestamp("us", tz=zone)
    for column in (moments(zone).astype(pd.ArrowDtype(kind)), arrow.array(moments(zone), kind)):
        assert heard(column).time.tolist() == TIMES.tolist()


@pytest.mark.parametrize(
    "column",
    [
        moments(None).dt.tz_localize("UTC").dt.tz_convert("Asia/Singapore").dt.tz_localize(None),
        [moment.replace(tzinfo=None) for moment in datetimes(SINGAPORE)],
        [moment.replace(tzinfo=None).isoformat() for moment in datetimes(SINGAPORE)],
    ],
    ids=["pandas", "datetime", "text"],
)
def test_times_without_a_zone_get_the_given_zone(column):
    assert heard(column, time_zone="Asia/Singapore").time.tolist() == TIMES.tolist()


@pytest.mark.parametrize(
    "column",
    [
        [moment.replace(tzinfo=None) for moment in datetimes(UTC)],
        [moment.replace(tzinfo=None).isoformat() for moment in datetimes(UTC)],
    ],
    ids=["datetime", "text"],
)
def test_local_times_without_a_zone_are_refused(column):
    with pytest.raises(InvalidReadingsError, match=r"time_zone='Asia/Singapore'"):
        heard(column)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Singapore", None])
def test_missing_times_are_dropped_and_counted(zone):
    column = moments(zone)
    column[[3, 5]] = pd.NaT
    sightings = heard(column)
    assert len(sightings) == COUNT - 2
    assert sightings.reasons == {NO_TIME: 2}


@pytest.mark.parametrize(
    "missing", [None, np.nan, pd.NA, pd.NaT, ""], ids=["None", "NaN", "NA", "NaT", "blank"]
)
def test_missing_peers_and_signals_are_dropped_and_counted(missing):
    peers: list[object] = ["ben"] * COUNT
    rssi: list[object] = [-60] * COUNT
    peers[2], rssi[4] = missing, missing
    sightings = heard(TIMES, peer=peers, rssi_dbm=rssi)
    assert sightings.reasons == {NO_PEER: 1, NO_RSSI: 1}
    assert sightings.dropped == 2
    assert sightings.peer.names == ("ben",)


NAMES = pd.Series(["ben", None, "cem"] * (COUNT // 3))


@pytest.mark.parametrize("kind", ["object", "string", "category", "str"])
def test_names_of_any_column(kind):
    column = NAMES.astype(kind) if kind != "str" else NAMES.dropna().reindex(range(COUNT))
    sightings = heard(TIMES, peer=column)
    assert sightings.peer.to_list() == NAMES.dropna().tolist()
    assert sightings.reasons == {NO_PEER: COUNT // 3}


def test_names_of_arrow():
    arrow = pytest.importorskip("pyarrow")
    for column in (
        arrow.array(NAMES),
        arrow.array(NAMES).dictionary_encode(),
        NAMES.astype(pd.ArrowDtype(arrow.string())),
    ):
        assert heard(TIMES, peer=column).peer.to_list() == NAMES.dropna().tolist()


def test_numbers_as_names_equal_those_of_a_table():
    assert Labels.encode([0, 7, None]).to_list() == ["0", "7", None]
    assert Labels.encode(np.array([1, 2])).to_list() == ["1", "2"]
    # pandas makes floats of whole numbers where one is missing.
    assert Labels.encode(pd.Series([17, None, 4])).to_list() == ["17", None, "4"]
    assert Labels.encode(["1", 1, b"one"]).to_list() == ["1", "1", "one"]


@pytest.mark.parametrize("value", [["ben"], True, object()])
def test_other_values_than_names_are_refused(value):
    with pytest.raises(InvalidReadingsError, match="is no name"):
        Labels.encode(["ben", value])


@pytest.mark.parametrize("kind", ["Int64", "Float64", "float32", "int8", "object"])
def test_signals_of_any_column(kind):
    sightings = heard(TIMES, rssi_dbm=pd.Series([-60] * COUNT).astype(kind))
    assert sightings.rssi_dbm.tolist() == [-60.0] * COUNT


def test_masked_values_are_missing():
    rssi = np.ma.masked_array([-60] * COUNT, mask=[True] + [False] * (COUNT - 1))
    times = np.ma.masked_array(TIMES, mask=[False] * (COUNT - 1) + [True])
    assert heard(times, rssi_dbm=rssi).reasons == {NO_TIME: 1, NO_RSSI: 1}


def test_a_phone_that_receives_itself_is_not_a_contact():
    observer = ["ben"] + ["ann"] * (COUNT - 1)
    assert heard(TIMES, observer=observer).reasons == {SELF: 1}
    both = Labels.encode(["x"] * COUNT)
    with pytest.raises(InvalidReadingsError, match="hears itself"):
        heard(TIMES, observer=Labels(both.codes, ("ben",)), peer=["ben"] * COUNT)
    unnamed = heard(TIMES, observer=[None] * COUNT, peer=Labels.constant(None, COUNT))
    assert len(unnamed) == COUNT  # unknown people are not the same person


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rssi_dbm": [60] * COUNT}, "they lack their minus sign"),
        ({"rssi_dbm": ["loud"] * COUNT}, "rssi_dbm holds 'loud', which is no number"),
        ({"rssi_dbm": [True] * COUNT}, "rssi_dbm is a column of bool"),
        ({"rssi_dbm": [[-60, -61]] * COUNT}, "rssi_dbm is not one column"),
        ({"tx_power_dbm": -21}, "tx_power_dbm is not one column"),
        ({"time_unit": "days"}, "no unit of time 'days'"),
        ({"time_zone": 8}, "no time zone '8'"),
        ({"time_zone": "Mars/Base"}, "no time zone 'Mars/Base'"),
        ({"time": ["soon"] * COUNT}, "neither a number nor a date"),
        ({"time": [30_000 * n for n in range(COUNT)]}, "time_unit='ms'"),
        ({"time": [1.6e9] * COUNT}, "lost its seconds"),
        ({"time": ["1.6E+09"] * COUNT}, "lost its seconds"),
        ({"time": TIMES.astype(np.float32)}, "lost its seconds"),
        ({"time": (TIMES * 1000).astype(np.float32)}, "lost its seconds"),
        ({"time": TIMES.astype("datetime64[s]").astype("datetime64[D]")}, "without minutes"),
        ({"time": ["2020-09-13T12:00Z"] * COUNT}, "without minutes"),
        ({"time": pd.to_datetime(TIMES, unit="s").date}, "which is no number"),
        ({"time": pd.to_datetime(TIMES - 2**31, unit="s")}, "outside the years 2000 to 2100"),
        ({"time": np.where(TIMES % 60 == 10, TIMES, TIMES * 1000)}, "times of different kinds"),
    ],
)
def test_a_wrong_column_is_refused(change, message):
    with pytest.raises(InvalidReadingsError, match=message):
        heard(**{"time": TIMES, **change})


def test_an_empty_table_is_accepted():
    assert len(Sightings.from_columns(time=[], peer=[], rssi_dbm=[])) == 0


def test_assumptions_are_noted():
    assert heard(TIMES * 1000).notes == ("time is in milliseconds since 1970.",)
    assert heard(TIMES - TIMES[0]).notes[0].startswith("time counts from a start of its own")
    assert heard(TIMES).notes == ()
    assert heard(moments()).notes == heard(moments(None), time_zone="UTC").notes == ()
    (note,) = heard(moments(None)).notes
    assert note == "time holds datetimes without a time zone: taken as UTC."
    (note,) = heard(TIMES, tx_power_dbm=[-59] * COUNT).notes
    assert "-59 dBm for the transmit power, which is none" in note
