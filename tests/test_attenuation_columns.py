"""Tables that state attenuation, in a column or as counts per bucket."""

import numpy as np
import pytest

from tracetogether.errors import InvalidReadingsError
from tracetogether.evaluation.layout import RecordingLayout
from tracetogether.evaluation.recordings import read_recording
from tracetogether.proximity.calibration import Calibration, ModelOffsets
from tracetogether.proximity.encounters import encounters
from tracetogether.sightings import Sightings
from tracetogether.tables.attenuation_columns import StatedAttenuation

TABLE = Calibration({"known": ModelOffsets(5.0, 1.0, -20.0, 1.0, measured=True)})


def write(folder, text: str):
    path = folder / "windows.csv"
    path.write_text(text)
    return path


def test_attenuation_stays_as_stated_whatever_is_known_of_phones(tmp_path) -> None:
    path = write(tmp_path, "t,tx,tx_model,attenuation\n1,a,known,55\n2,a,other,61.5\n")
    found = Sightings.from_csv(path)
    for calibration in (Calibration.prior(), TABLE):
        given = calibration.attenuation(found)
        assert given.db.tolist() == [55.0, 61.5]
        assert given.phone_variance_db2.tolist() == [0.0, 0.0]
    scene = read_recording(path, RecordingLayout.parse("distance=2")).scenes[0]
    assert TABLE.attenuation(scene.sightings).db.tolist() == [55.0, 61.5]


def test_signal_strength_counts_where_a_table_has_both_unless_one_is_named(tmp_path) -> None:
    path = write(tmp_path, "t,tx,rssi,attenuation\n1,a,-70,55\n")
    assert Sightings.from_csv(path).rssi_dbm.tolist() == [-70.0]
    assert Sightings.from_csv(path, {"attenuation": "attenuation"}).rssi_dbm.tolist() == [-55.0]
    layout = RecordingLayout.parse("distance=2,attenuation=attenuation")
    assert read_recording(path, layout).scenes[0].sightings.rssi_dbm.tolist() == [-55.0]


def test_a_line_of_a_histogram_is_its_readings_spread_over_its_span(tmp_path) -> None:
    path = write(
        tmp_path,
        "t,tx,dist,att_50,att_55,att_65,seconds\n0,a,1,2,0,1,300\n600,b,3,,1,0,300\n900,c,3,0,0,0,1\n",
    )
    layout = RecordingLayout.parse("distance=dist,histogram=att_*,span=seconds")
    (scene,) = read_recording(path, layout).scenes
    heard = scene.sightings
    # Buckets reach from 50 to 55, 55 to 65, and as far again.
    assert (-heard.rssi_dbm).tolist() == [52.5, 52.5, 70.0, 60.0]
    assert heard.time.tolist() == [75.0, 225.0, 150.0, 750.0]
    assert heard.peer.to_list() == ["a", "a", "a", "b"]
    assert scene.distance_m.tolist() == [1, 1, 1, 3]
    fixed = RecordingLayout.parse("distance=dist,histogram=att_*,span=300")
    assert read_recording(path, fixed).scenes[0].sightings.time.tolist() == heard.time.tolist()
    for span in (300, "300", "300.0"):
        same = Sightings.from_csv(path, {"histogram": "att_*", "span": span})
        assert same.time.tolist() == read_recording(path, fixed).scenes[0].sightings.time.tolist()
    with pytest.raises(InvalidReadingsError, match=r"rssi=5: write the name of a column"):
        Sightings.from_csv(path, {"rssi": 5})
    alone = Sightings.from_csv(path, {"histogram": "att_*", "span": "seconds"})
    assert alone.time.tolist() == heard.time.tolist()
    assert alone.rssi_dbm.tolist() == heard.rssi_dbm.tolist()


def test_a_half_hour_of_near_buckets_is_half_an_hour_near(tmp_path) -> None:
    lines = [f"{300 * n},a,6,4,0\n{300 * n},b,0,1,9" for n in range(6)]
    path = write(tmp_path, "\n".join(["t,tx,att_40,att_45,att_80", *lines]))
    layout = RecordingLayout.parse("time=t[s],distance=2,histogram=att_*,span=300")
    (scene,) = read_recording(path, layout).scenes
    found = encounters(scene.sightings, estimator="bucket-cwa")
    minutes = dict(zip(found.peer.to_list(), found.minutes.median.tolist(), strict=True))
    assert 27 < minutes["a"] <= 31
    assert minutes["b"] < 10


def test_runs_of_equal_readings_are_read_by_their_count(tmp_path) -> None:
    path = write(tmp_path, "t,tx,rssi,n\n1,a,-50,3\n2,a,-60,0\n3,a,-70,1\n")
    assert Sightings.from_csv(path, {"count": "n"}).rssi_dbm.tolist() == [-50, -50, -50, -70]
    path = write(tmp_path, "t,tx,attenuation,n\n1,a,50,2\n")
    assert Sightings.from_csv(path, {"count": "n"}).rssi_dbm.tolist() == [-50, -50]


@pytest.mark.parametrize(
    ("text", "columns", "said"),
    [
        ("t,tx,attenuation\n1,a,-60", {}, "most of these are negative"),
        ("t,tx,att_50,att_55\n1,a,1,-2", {"histogram": "att_*"}, "whole numbers from 0 on"),
        ("t,tx,att_50,att_55\n1,a,1,.5", {"histogram": "att_*"}, "whole numbers from 0 on"),
        ("t,tx,att_50,att_55\n1,a,1,9e9", {"histogram": "att_*"}, "counts 9,000,000,001 readings"),
        ("t,tx,att_50\n1,a,1", {"histogram": "att_*"}, "has 1 columns like 'att_"),
        ("t,tx,att_50,att_55\n1,a,1,1", {"histogram": "att"}, r"write one \* in place of"),
        ("t,tx,rssi,s\n1,a,-60,1", {"span": "s"}, r"histogram=att_\*"),
        (
            "t,tx,rssi,attenuation\n1,a,-60,50",
            {"rssi": "rssi", "attenuation": "attenuation"},
            "name one of rssi and attenuation",
        ),
        (
            "t,tx,s,att_50,att_55\n1,a,-1,1,1",
            {"histogram": "att_*", "span": "s"},
            "span can't be negative",
        ),
        ("t,tx,level\n1,a,-60", {}, "no column 'rssi'"),
    ],
)
def test_what_can_not_be_meant_is_said(tmp_path, text, columns, said) -> None:
    path = write(tmp_path, text + "\n")
    with pytest.raises(InvalidReadingsError, match=said):
        Sightings.from_csv(path, columns)
    words = ",".join(f"{field}={column}" for field, column in columns.items())
    layout = RecordingLayout.parse(f"distance=2,{words}" if words else "distance=2")
    with pytest.raises(InvalidReadingsError, match=said):
        read_recording(path, layout)


def test_nobody_is_received_in_empty_buckets() -> None:

    found = StatedAttenuation.of(
        "x", np.zeros(2), {"bucket 50": np.zeros(2), "bucket 60": np.full(2, np.nan)}
    )
    assert len(found.line) == 0
