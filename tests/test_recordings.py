"""Recordings of any layout as scenes: columns, units, joins, tracks, and what is amiss."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from tracetogether.errors import InvalidReadingsError
from tracetogether.evaluation.layout import TRACK_COLUMNS, RecordingLayout
from tracetogether.evaluation.recordings import TableJoin, read_recording
from tracetogether.evaluation.truth import TrueMinutes

READINGS = """t,rx,tx,rssi,dist,place
0,a,b,-50,1.5,hall
10,b,a,-60,,hall
20,a,b,127,2.0,hall
5,a,c,-70,3.0,yard
15,a,c,,3.0,yard
15,a,c,-128,3.0,yard
1e300,a,c,-70,3.0,yard
"""


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_a_column_separates_scenes(tmp_path):
    path = write(tmp_path, "readings.csv", READINGS)
    found = read_recording(path, RecordingLayout.parse("distance=dist,scene=place"))
    hall, yard = found.scenes
    assert (hall.name, yard.name) == ("hall", "yard")
    assert hall.sightings.time.tolist() == [0, 10]
    assert hall.sightings.observer.to_list() == ["a", "b"]
    assert hall.distance_m.tolist() == pytest.approx([1.5, np.nan], nan_ok=True)
    assert yard.sightings.peer.names == ("c",)
    assert found.dropped == 4


def test_without_a_scene_column_there_is_one_scene_named_as_the_file(tmp_path):
    path = tmp_path / "walk.csv.gz"
    path.write_bytes(gzip.compress(READINGS.encode()))
    (scene,) = read_recording(path, RecordingLayout.parse("distance=dist")).scenes
    assert scene.name == "walk"
    assert len(scene.sightings) == 3


def test_units_are_turned_into_metres_and_seconds(tmp_path):
    path = write(tmp_path, "r.csv", "ms,level,feet\n1500,-50,10\n")
    found = read_recording(path, RecordingLayout.parse("time=ms[ms],rssi=level,distance=feet[ft]"))
    (scene,) = found.scenes
    assert scene.sightings.time.tolist() == [1.5]
    assert scene.distance_m.tolist() == pytest.approx([3.048])
    # One pair, of which nobody is named: both get a name, so that they are a pair with minutes.
    assert scene.sightings.observer.to_list() == ["(the receiver)"]
    assert scene.sightings.peer.to_list() == ["(the sender)"]


def test_a_number_stands_for_every_row(tmp_path):
    path = write(tmp_path, "r.csv", "t,rssi\n1,-50\n2,-60\n")
    (scene,) = read_recording(path, RecordingLayout.parse("distance=6[ft],tx_power=-21")).scenes
    assert scene.distance_m.tolist() == pytest.approx([1.8288, 1.8288])
    assert scene.sightings.tx_power_dbm.tolist() == [-21, -21]


def test_lines_may_stand_for_times_that_a_table_does_not_have(tmp_path):
    path = write(tmp_path, "r.csv", "level,metres\n" + "-50,1\n" * 61 + "-60,4\n" * 31)
    found = read_recording(path, RecordingLayout.parse("time=line[s],rssi=level,distance=metres"))
    (scene,) = found.scenes
    assert scene.sightings.time.tolist() == list(range(92))
    assert TrueMinutes.of_scene(scene, 2.0).near[0, 1] == 1.0
    assert TrueMinutes.of_scene(scene, 2.0).tracked[0, 1] == 1.5
    assert any("lines count as 1 s apart" in note for note in found.notes)
    half = RecordingLayout.parse("time=line[min],rssi=level,distance=metres")
    assert read_recording(path, half).scenes[0].sightings.time[1] == 60.0
    named = write(tmp_path, "n.csv", "line,level,metres\n1600000000,-50,1\n")
    (scene,) = read_recording(
        named, RecordingLayout.parse("time=line,rssi=level,distance=metres")
    ).scenes
    assert scene.sightings.time.tolist() == [1600000000]


def test_runs_of_equal_readings_are_repeated_if_asked_for(tmp_path):
    path = write(tmp_path, "r.csv", "t,rssi,distance,n\n1,-50,2,3\n2,-60,2,0\n3,-70,2,1\n")
    (scene,) = read_recording(path, RecordingLayout.parse("count=n")).scenes
    assert scene.sightings.rssi_dbm.tolist() == [-50, -50, -50, -70]
    assert len(read_recording(path, RecordingLayout.parse(None)).scenes[0].sightings) == 3


def test_a_join_brings_in_what_the_table_lacks(tmp_path):
    path = write(tmp_path, "r.csv", "file,t,rssi,feet\n1,0,-50,6\n2,0,-60,10\n9,0,-70,3\n")
    files = write(tmp_path, "f.csv", 'file,model,n,room\n2,B,7,"small, open"\n1,A,9,hall\n')
    found = read_recording(
        path,
        RecordingLayout.parse("scene=file,distance=feet[ft],observer=model,observer_model=model"),
        join=TableJoin.parse(f"{files}:file"),
    )
    assert [scene.name for scene in found.scenes] == ["1", "2", "9"]
    models = [scene.sightings.observer_model.to_list() for scene in found.scenes]
    assert models == [["A"], ["B"], [None]]
    assert found.unjoined == 1
    assert [len(scene.sightings) for scene in found.scenes] == [1, 1, 1]  # n is no count here


def test_a_join_may_bring_in_the_distance(tmp_path):
    path = write(tmp_path, "r.csv", "file,t,rssi\n1,0,-50\n2,0,-60\n")
    files = write(tmp_path, "f.csv", "file,cm\n1,150\n2,300\n")
    found = read_recording(
        path, RecordingLayout.parse("distance=cm[cm]"), join=TableJoin.parse(f"{files}:file")
    )
    assert found.scenes[0].distance_m.tolist() == pytest.approx([1.5, 3.0])


TRACKS = """place,t,id,x,y
hall,0,a,0,0
hall,0,b,0,1.5
hall,0.5,a,0,0
hall,0.5,b,0,1.5
"""


def test_tracks_belong_to_scenes(tmp_path):
    path = write(tmp_path, "r.csv", READINGS)
    tracks = write(tmp_path, "tracks.csv", TRACKS)
    layout = RecordingLayout.parse("distance=dist,scene=place")
    hall, yard = read_recording(path, layout, tracks=tracks).scenes
    assert len(hall.tracks) == 4
    assert yard.tracks is None


def test_tracks_may_have_other_columns_and_units(tmp_path):
    path = write(tmp_path, "r.csv", READINGS)
    text = "where,when,who,x_cm,y_cm\nhall,0,a,0,0\nhall,0,b,0,150\n"
    tracks = write(tmp_path, "tracks.csv", text)
    chosen = RecordingLayout.parse(
        "scene=where,time=when,person=who,x=x_cm[cm],y=y_cm[cm]", TRACK_COLUMNS
    )
    layout = RecordingLayout.parse("distance=dist,scene=place")
    hall, _ = read_recording(path, layout, tracks=tracks, track_layout=chosen).scenes
    assert hall.tracks.y_m.tolist() == [0, 1.5]


def test_distances_come_from_the_tracks_if_need_be(tmp_path):
    path = write(tmp_path, "r.csv", READINGS.replace("dist", "other"))
    tracks = write(tmp_path, "tracks.csv", TRACKS)
    hall, yard = read_recording(path, RecordingLayout.parse("scene=place"), tracks=tracks).scenes
    assert hall.distance_m.tolist() == pytest.approx([1.5, np.nan], nan_ok=True)
    assert yard.distance_m is None


def test_tracks_without_scenes_are_parted_by_time(tmp_path):
    readings = (
        "t,rx,tx,rssi,s,distance\n0,a,b,-50,x,1\n9,a,b,-50,x,1\n100,a,b,-50,y,4\n109,a,b,-50,y,4\n"
    )
    tracks = "t,id,x,y\n5,a,0,0\n5,b,1,0\n105,a,0,0\n105,b,4,0\n300,a,0,0\n"
    found = read_recording(
        write(tmp_path, "r.csv", readings),
        RecordingLayout.parse("scene=s"),
        tracks=write(tmp_path, "t.csv", tracks),
    )
    assert [scene.tracks.x_m.tolist() for scene in found.scenes] == [[0, 1], [0, 4]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("distanz=d", "did you mean 'distance'"),
        ("distance", "not FIELD=COLUMN"),
        ("distance=d[furlong]", "no unit 'furlong'"),
        ("time=a,time=b", "named twice"),
    ],
)
def test_a_wrong_layout_is_refused(text, message):
    with pytest.raises(InvalidReadingsError, match=message):
        RecordingLayout.parse(text)


def test_a_wrong_join_is_refused(tmp_path):
    with pytest.raises(InvalidReadingsError, match="not FILE"):
        TableJoin.parse("files.csv")
    path = write(tmp_path, "r.csv", "file,t,rssi,distance\n1,0,-50,6\n")
    twice = write(tmp_path, "f.csv", "file,model\n1,A\n1,B\n")
    with pytest.raises(InvalidReadingsError, match="more than once"):
        read_recording(path, RecordingLayout.parse(None), join=TableJoin(twice, "file"))
    once = write(tmp_path, "g.csv", "file,model\n1,A\n")
    with pytest.raises(InvalidReadingsError, match=r"neither .* nor .* 'modell'"):
        read_recording(
            path, RecordingLayout.parse("observer_model=modell"), join=TableJoin(once, "file")
        )
    with pytest.raises(InvalidReadingsError, match="no column 'nr'"):
        read_recording(path, RecordingLayout.parse(None), join=TableJoin(once, "nr"))


def test_a_recording_without_truth_is_refused(tmp_path):
    path = write(tmp_path, "r.csv", READINGS)
    with pytest.raises(InvalidReadingsError, match="true distances"):
        read_recording(path, RecordingLayout.parse(None))
    with pytest.raises(InvalidReadingsError, match="no column 'd'"):
        read_recording(path, RecordingLayout.parse("distance=d"))


def test_tracks_of_others_are_refused(tmp_path):
    path = write(tmp_path, "r.csv", READINGS)
    layout = RecordingLayout.parse("distance=dist,scene=place")
    strangers = TRACKS.replace(",a,", ",17,").replace(",b,", ",18,")
    with pytest.raises(InvalidReadingsError, match="tracks nobody"):
        read_recording(path, layout, tracks=write(tmp_path, "t.csv", strangers))
    elsewhere = TRACKS.replace("hall", "attic")
    with pytest.raises(InvalidReadingsError, match="tracks nobody"):
        read_recording(path, layout, tracks=write(tmp_path, "t.csv", elsewhere))
    with pytest.raises(InvalidReadingsError, match="a track wants columns"):
        read_recording(
            path,
            layout,
            tracks=write(tmp_path, "t.csv", TRACKS),
            track_layout=RecordingLayout.parse("x=3", TRACK_COLUMNS),
        )


def test_an_inherited_layout_may_name_what_is_not_there(tmp_path):
    path = write(tmp_path, "r.csv", "t,rssi,d\n0,-50,1\n")
    layout = RecordingLayout.parse("distance=d,observer_model=phone")
    assert read_recording(path, layout, inherited=True).scenes
    with pytest.raises(InvalidReadingsError, match="phone"):
        read_recording(path, layout)
    other = RecordingLayout.parse("distance=metres")
    with pytest.raises(InvalidReadingsError, match="metres"):
        read_recording(path, other, inherited=True)


def test_two_phones_of_one_model_may_hear_each_other_where_models_are_names(tmp_path):
    path = write(tmp_path, "r.csv", "t,m,n,rssi,distance\n0,A,A,-60,1\n9,A,B,-60,1\n")
    models = "observer_model=m,peer_model=n,"
    both = read_recording(path, RecordingLayout.parse(models + "observer=m,peer=n"))
    assert (len(both.scenes[0].sightings), both.dropped) == (2, 0)
    people = read_recording(path, RecordingLayout.parse("observer=m,peer=n"))
    assert people.reasons == {"in which a phone hears itself": 1}


def test_a_power_that_the_user_says_is_believed(tmp_path):
    path = write(
        tmp_path, "r.csv", "t,rx,tx,rssi,distance,tx_power\n0,a,b,-60,1,0\n9,a,b,-60,1,0\n"
    )
    unknown = read_recording(path, RecordingLayout.parse(None))
    assert np.isnan(unknown.scenes[0].sightings.tx_power_dbm).all()
    assert "transmit power is 0 in every reading" in unknown.notes[-1]
    said = read_recording(path, RecordingLayout.parse("tx_power=0"))
    assert said.scenes[0].sightings.tx_power_dbm.tolist() == [0.0, 0.0]


def test_times_of_readings_and_tracks_may_be_written_in_two_ways(tmp_path):
    readings = "t,rx,tx,rssi\n" + "".join(
        f"{1_600_000_000_000 + 500 * n},a,b,-60\n" for n in range(20)
    )
    tracks = "t,id,x,y\n" + "".join(
        f"2020-09-13 20:26:{40 + n // 2}.{5 * (n % 2)},{who},{place},0\n"
        for n in range(20)
        for who, place in (("a", 0), ("b", 3))
    )
    found = read_recording(
        write(tmp_path, "r.csv", readings),
        RecordingLayout.parse(None),
        tracks=write(tmp_path, "t.csv", tracks),
        time_zone="Asia/Singapore",
    )
    assert found.scenes[0].distance_m == pytest.approx(3.0)


def test_distances_that_cannot_be_true_are_unknown(tmp_path):
    distances = ["1", "inf", "1e300", "1e-300", "", "-1", "0", "2"]
    lines = [f"{10 * n},a,b,-60,{text}\n" for n, text in enumerate(distances)]
    found = read_recording(
        write(tmp_path, "r.csv", "t,rx,tx,rssi,distance\n" + "".join(lines)),
        RecordingLayout.parse(None),
    )
    distance = found.scenes[0].distance_m
    assert distance[distance > 0].tolist() == [1.0, 2.0]
    assert "3 true distances, such as inf m, can't be true" in found.notes[-1]
