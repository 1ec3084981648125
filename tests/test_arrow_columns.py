"""pandas, polars and DuckDB read the columns of the library, and get the same rows."""

from datetime import UTC, datetime

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from tracetogether import Encounters, Labels, Sightings, encounters, encounters_by_time
from tracetogether.tables import arrow_columns
from tracetogether.tables.arrow_columns import NamedColumns, UtcSeconds, columns_of_rows

START = 1_600_000_000.25
TOKEN = "A" * 84


def walk() -> Sightings:
    times = START + np.arange(0.0, 1800.0, 30.0)
    return Sightings.from_columns(
        time=np.tile(times, 2),
        observer=["ann"] * 120,
        peer=["ben"] * 60 + ["中"] * 60,
        rssi_dbm=np.repeat([-58.0, -80.0], 60),
        tx_power_dbm=np.r_[np.full(60, -21.0), np.full(60, np.nan)],
        peer_model=[None] * 119 + ["<b>"],
    )


def found() -> Encounters:
    return encounters(walk(), within_m=2.0)


def test_sightings_are_the_same_in_every_tool():
    heard = walk()
    frame = pl.DataFrame(heard)
    assert frame.columns == ["time", "observer", "peer", "rssi_dbm", "tx_power_dbm",
                             "observer_model", "peer_model"]  # fmt: skip
    assert frame.schema["time"] == pl.Datetime("us", "UTC")
    assert frame["time"][0] == datetime.fromtimestamp(START, UTC)
    assert frame["peer"].to_list() == heard.peer.to_list()
    assert frame["tx_power_dbm"].null_count() == 60
    assert frame["peer_model"].to_list() == [None] * 119 + ["<b>"]
    in_pandas = heard.to_pandas()
    assert in_pandas["time"].dt.tz is not None
    assert in_pandas["time"][0].timestamp() == START
    assert in_pandas["peer"].tolist() == heard.peer.to_list()
    assert in_pandas["peer_model"].isna().sum() == 119
    pd.testing.assert_series_equal(
        in_pandas["rssi_dbm"], pd.Series(heard.rssi_dbm, name="rssi_dbm")
    )


def test_pandas_polars_and_duckdb_read_encounters_by_themselves():
    met = found()  # named in the SQL below
    sums = duckdb.sql("select peer, sum(minutes_near), min(readings) from met group by peer")
    by_peer = {peer: (minutes, readings) for peer, minutes, readings in sums.fetchall()}
    frame = pl.DataFrame(met).to_dicts()
    assert [row["peer"] for row in frame] == met.peer.to_list()
    for row, encounter in zip(frame, met, strict=True):
        assert by_peer[encounter.peer] == (encounter.minutes.median, encounter.readings)
        assert row["minutes_low"] == encounter.minutes.low
        assert row["nearest_high_m"] == encounter.nearest_m.high
        assert row["start"].timestamp() == encounter.start
    arrow = pa.table(met).to_pandas()
    pd.testing.assert_frame_equal(met.to_pandas(), arrow, check_dtype=False)


def test_half_minutes_and_their_unknown_distances():
    moments = encounters_by_time(walk(), estimator="bucket-cwa")
    frame = pl.DataFrame(moments)
    assert len(frame) == len(moments) == 120
    assert frame["distance_m"].null_count() == 120
    assert frame["chance_near"].to_list() == moments.chance.tolist()


def test_sightings_come_back_from_a_data_frame():
    heard, frame = walk(), walk().to_pandas()
    again = Sightings.from_columns(**{name: frame[name] for name in frame})
    assert again.time.tolist() == heard.time.tolist()
    assert again.peer.to_list() == heard.peer.to_list()
    assert again.peer_model.to_list() == heard.peer_model.to_list()


def test_long_tables_come_in_several_batches(monkeypatch):
    monkeypatch.setattr(arrow_columns, "_ROWS_A_BATCH", 50)
    heard = walk()
    table = pa.table(heard)
    assert [len(batch) for batch in table.to_batches()] == [50, 50, 20]
    assert table["rssi_dbm"].to_pylist() == heard.rssi_dbm.tolist()
    assert table["peer"].to_pylist() == heard.peer.to_list()


def test_no_rows_keep_their_names_and_types():
    nothing = walk()[:0]
    assert pl.DataFrame(nothing).schema == pl.DataFrame(walk()).schema
    assert nothing.to_pandas().dtypes["time"].kind == "M"
    assert pl.DataFrame(columns_of_rows([])).shape == (0, 0)


def test_times_outside_the_calendar_and_missing_numbers_are_nulls():
    columns = NamedColumns(
        {
            "time": UtcSeconds(np.array([0.0, np.nan, 1e15, -1.5])),
            "near": np.array([True, False, True, False]),
            "count": np.array([1, 2, 3, 4]),
        }
    )
    frame = pl.DataFrame(columns)
    assert frame["time"].is_null().to_list() == [False, True, True, False]
    assert frame["time"][3] == datetime.fromtimestamp(-1.5, UTC)
    assert frame["near"].to_list() == [True, False, True, False]
    assert columns.to_pandas()["time"].isna().tolist() == [False, True, True, False]
    with pytest.raises(ValueError, match="differ in length"):
        NamedColumns({"a": np.zeros(2), "b": np.zeros(3)})


def test_rows_of_dicts_become_columns():
    rows = [{"name": None, "size": 1, "share": None}, {"name": "a", "size": 2, "share": 0.5}]
    assert pl.DataFrame(columns_of_rows(rows)).to_dicts() == rows


def test_a_notebook_shows_a_short_escaped_table():
    shown = walk()[::-1]._repr_html_()
    assert shown.count("<tr>") == 11
    assert "&lt;b&gt;" in shown
    assert "<b>" not in shown
    assert "2020-09-13T12:56:10Z" in shown
    assert "first 10 of 120 rows, 7 columns" in shown
    assert "nan" not in shown
    assert "1 row," in found()[:1]._repr_html_()


def test_a_notebook_cuts_tokens_and_hides_what_steers():
    heard = Sightings.from_columns(
        time=[0.0, 1.0], peer=[TOKEN, "\u202eben"], rssi_dbm=[-60.0, -60.0]
    )
    shown = heard._repr_html_()
    assert TOKEN[:7] not in shown
    assert "AAAAAA…" in shown
    assert "\u202e" not in shown
    assert TOKEN not in repr(heard)


def test_rows_are_chosen_as_in_numpy():
    heard, met = walk(), found()
    assert heard[0].peer == "ben"
    assert heard[-1].peer_model == "<b>"
    assert heard[-1].tx_power_dbm is None
    assert len(heard[heard.peer == "中"]) == 60
    assert len(heard[[]]) == 0
    assert [row.time for row in heard[[3, 1]]] == [START + 90, START + 30]
    assert len(heard[pd.Series(heard.rssi_dbm) > -70]) == 60
    assert met[0] == next(iter(met))
    assert met[met.minutes.median > met.minutes.median.min()].peer.to_list() == ["ben"]
    assert len(met[1:].minutes_at_offset_quantiles) == 1
    assert met.minutes[0] == met[0].minutes
    with pytest.raises(IndexError):
        heard[120]
    with pytest.raises(IndexError):
        met[np.array([True])]
    moments = encounters_by_time(heard)
    assert moments[5] == list(moments)[5]
    assert len(moments[moments.chance > 0.5]) == sum(moment.chance > 0.5 for moment in moments)


def test_labels_are_like_an_array_of_text():
    labels = Labels.encode(["ben", None, "cem", "ben"])
    assert list(labels) == ["ben", None, "cem", "ben"]
    assert (labels[0], labels[1], labels[-1]) == ("ben", None, "ben")
    assert (labels == "ben").tolist() == [True, False, False, True]
    assert (labels != "ben").tolist() == [False, True, True, False]
    assert (labels == "dee").sum() == 0
    assert (labels == Labels.encode(["cem", None, "cem", "ben"])).tolist() == [0, 0, 1, 1]
    assert (labels == np.array(["ben", "ben", "cem", None], dtype=object)).tolist() == [1, 0, 1, 0]
    assert np.asarray(labels, dtype=str).tolist() == ["ben", "None", "cem", "ben"]
    with pytest.raises(TypeError):
        hash(labels)
