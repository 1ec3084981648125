import pytest

from tracetogether.errors import CalibrationError
from tracetogether.proximity.model import MODEL, ProximityModel


def test_a_model_survives_its_file(tmp_path):
    model = ProximityModel(level_db=61.25, exponent=1.1, slow_minutes=4.5)
    path = tmp_path / "model.toml"
    path.write_text(model.to_toml())
    assert ProximityModel.load(path) == model


def test_figures_left_out_stay_as_built_in(tmp_path):
    path = tmp_path / "model.toml"
    path.write_text("[model]\nlevel_db = 60\n")
    assert ProximityModel.load(path) == ProximityModel(level_db=60.0)
    assert ProximityModel.load(path).exponent == MODEL.exponent


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[model]\nlevel = 60\n", "unknown figure 'level'"),
        ("[model]\nexponent = -1\n", "exponent must be above 0"),
        ("[model]\nexponent = nan\n", "finite"),
        ("[model]\nexponent = 'x'\n", "must be a number"),
        ("[model]\nexponent = true\n", "must be a number"),
        ("level_db = 60\n", r"no table \[model\]"),
        ("[model\n", "no TOML"),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong(tmp_path, text, says):
    path = tmp_path / "model.toml"
    path.write_text(text)
    with pytest.raises(CalibrationError, match=says):
        ProximityModel.load(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CalibrationError, match="there is no model"):
        ProximityModel.load(tmp_path / "none.toml")


def test_level_and_slope_agree_at_the_median_distance():
    model = ProximityModel(level_db=60.0, exponent=2.0, distance_m=20.0)
    assert model.typical_db == pytest.approx(80.0)
