"""`tracetogether calibrate fit`: figures in a file, a table or one JSON document."""

import hashlib
import json
import sys

import pytest
from click.testing import CliRunner

from tests.proximity_world import Radio, scene
from tracetogether import __version__
from tracetogether.cli.calibrate import calibrate
from tracetogether.errors import InvalidReadingsError, MissingExtraError, StoreError
from tracetogether.evaluation.fitting import FITTED
from tracetogether.proximity.calibration import Calibration
from tracetogether.proximity.model import ProximityModel


def run(*arguments):
    return CliRunner().invoke(calibrate, ["fit", *map(str, arguments)])


def phones(*arguments):
    return CliRunner().invoke(calibrate, ["phones", *map(str, arguments)])


def phone_lines(louder, *, distance=True):
    lines = ["t,rx,tx,rx_model,tx_model,rssi" + ",distance" * distance]
    for t in range(0, 600, 10):
        for a, b in ((0, 1), (1, 0), (0, 2), (2, 0), (1, 2), (2, 1)):
            rssi = -80 + louder * (b == 2)
            lines.append(f"{t},p{a},p{b},M{a},M{b},{rssi}" + ",2.0" * distance)
    return "\n".join(lines) + "\n"


def test_phones_writes_a_table_that_says_what_the_recording_shows(tmp_path):
    (tmp_path / "a.csv").write_text(phone_lines(0))
    (tmp_path / "b.csv").write_text(phone_lines(12))
    found = {}
    for name in ("a", "b"):
        result = phones(tmp_path / f"{name}.csv", "-o", tmp_path / "phones.csv")
        assert result.exit_code == 0, result.output
        assert "known before" in result.stdout
        found[name] = Calibration.load(tmp_path / "phones.csv").offsets_of("M2")
    assert found["b"].transmit_dbm - found["a"].transmit_dbm > 6
    assert 0 < found["b"].transmit_sd_db < 7.4
    both = phones(tmp_path / "a.csv", tmp_path / "b.csv", "-o", tmp_path / "phones.csv", "--json")
    document = json.loads(both.stdout)
    assert document["pairs"] == document["pairs_with_distance"] == 12
    assert [row["people"] for row in document["phones"]] == [2, 2, 2, 0]
    assert document["phones"][2]["power_from"] == "recording"


def test_a_recording_is_never_written_over(tmp_path):
    recording = tmp_path / "a.csv"
    recording.write_text("t,rx,tx,rssi\n", "utf-8")
    for arguments in (["phones", recording], ["fit", recording]):
        done = CliRunner().invoke(calibrate, [*map(str, arguments), "-o", str(recording)])
        assert "choose another file to write" in done.stderr
    assert recording.read_text("utf-8") == "t,rx,tx,rssi\n"


def test_phones_needs_no_distances(tmp_path):
    (tmp_path / "a.csv").write_text(phone_lines(12, distance=False))
    result = phones(tmp_path / "a.csv", "-o", tmp_path / "phones.csv", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["pairs_with_distance"] == 0


@pytest.fixture(scope="module")
def readings(tmp_path_factory):
    path = tmp_path_factory.mktemp("recording") / "readings.csv"
    lines = ["scene,t,rx,tx,rssi,distance"]
    for seed in range(3):
        one = scene(seed, people=4, minutes=8, radio=Radio(at_2m_db=65.0))[0]
        heard = one.sightings
        lines += [
            f"room {seed},{t:.2f},{a},{b},{r:.0f},{d:.3f}"
            for t, a, b, r, d in zip(
                heard.time.tolist(),
                heard.observer.to_list(),
                heard.peer.to_list(),
                heard.rssi_dbm.tolist(),
                one.distance_m.tolist(),
                strict=True,
            )
        ]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.slow
def test_a_fit_is_a_table_and_a_file_that_loads(readings, tmp_path):
    model = tmp_path / "model.toml"
    result = run(readings, "-o", model)
    assert result.exit_code == 0, result.output
    for name in FITTED:
        assert name in result.stdout
    fitted = ProximityModel.load(model)
    assert fitted.level_db == pytest.approx(65.0, abs=6.0)
    assert fitted != ProximityModel()
    text = model.read_text("utf-8")
    assert hashlib.sha256(readings.read_bytes()).hexdigest() in text
    assert f"tracetogether {__version__} calibrate fit to readings.csv" in text


@pytest.mark.slow
def test_json_is_one_document_with_the_same_figures(readings, tmp_path):
    model = tmp_path / "model.toml"
    result = run(readings, "-o", model, "--json")
    found = json.loads(result.stdout)
    assert found["scenes"] == 3
    fitted = ProximityModel.load(model)
    for figure in found["figures"]:
        assert figure["value"] == getattr(fitted, figure["name"])
        assert figure["error"] >= 0  # 0 where it rests on its bound
    assert found["error_db"] < found["residual_db"]


@pytest.mark.slow
def test_a_picture_is_drawn(readings, tmp_path):
    pytest.importorskip("matplotlib", reason="needs the extra plot")
    picture = tmp_path / "fit.png"
    result = run(readings, "-o", tmp_path / "m.toml", "--picture", picture)
    assert result.exit_code == 0, result.output
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_a_picture_without_matplotlib_says_how_to_get_it(readings, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    result = run(readings, "-o", tmp_path / "m.toml", "--picture", tmp_path / "fit.png")
    assert isinstance(result.exception, MissingExtraError)
    assert "tracetogether[plot]" in str(result.exception)


@pytest.mark.slow
def test_a_place_that_cannot_be_written_is_named(readings, tmp_path):
    result = run(readings, "-o", tmp_path / "none" / "m.toml")
    assert isinstance(result.exception, StoreError)
    assert "can't write" in str(result.exception)


def test_a_recording_without_distances_is_refused(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("t,rx,tx,rssi\n1,a,b,-60\n")
    result = run(path, "-o", tmp_path / "m.toml")
    assert isinstance(result.exception, InvalidReadingsError)
    assert "distance" in str(result.exception)


def test_track_columns_want_tracks(readings, tmp_path):
    result = run(readings, "-o", tmp_path / "m.toml", "--track-columns", "x=X")
    assert result.exit_code == 2
    assert "--tracks" in result.output
