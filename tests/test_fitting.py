import numpy as np
import pytest

from tests.proximity_world import Radio, scene
from tracetogether.errors import InvalidReadingsError
from tracetogether.evaluation.fitting import FITTED, fit
from tracetogether.evaluation.scene import Scene
from tracetogether.proximity.calibration import Calibration, ModelOffsets

pytestmark = pytest.mark.slow

KNOWN = Calibration({"known": ModelOffsets(3.6, 0.0, -24.7, 0.0, measured=True)})
RADIO = Radio(
    at_2m_db=63.0,
    slope_db=18.0,
    receiver_db=4.0,
    transmitter_db=1.0,
    pair_db=1.0,
    turning_db=2.5,
    turning_minutes=5.0,
    floor_db=95.0,
    heavy=False,
)


@pytest.fixture(scope="module")
def found():
    rooms = [scene(seed, people=8, minutes=16, radio=RADIO, name=str(seed))[0] for seed in range(3)]
    done = []
    return fit(rooms, KNOWN, on_progress=lambda *step: done.append(step)), done


def test_the_figures_put_in_are_found(found):
    model = found[0].model
    assert model.level_db == pytest.approx(63.0, abs=2.0)
    assert model.exponent == pytest.approx(1.8, abs=0.25)
    assert model.receiver_sd_db == pytest.approx(4.0, abs=0.9)
    assert model.transmitter_sd_db < 1.6
    assert model.slow_sd_db == pytest.approx(2.5, abs=0.7)
    assert model.slow_minutes == pytest.approx(5.0, abs=2.5)


def test_every_figure_has_an_error_and_offsets_explain_what_is_left(found):
    result, _ = found
    assert [figure.name for figure in result.figures] == list(FITTED)
    assert all(np.isfinite(figure.error) for figure in result.figures)
    assert result.error_db < result.residual_db < result.spread_db
    assert result.scenes == 3
    assert len(result.distance_m) == len(result.attenuation_db) == result.slots


def test_progress_ends_at_its_end(found):
    done = found[1]
    assert done[0] == (0, 4)
    assert done[-1] == (4, 4)


def test_one_scene_is_cut_into_pairs_for_errors():
    one = fit([scene(9, people=6, minutes=10, radio=RADIO)[0]], KNOWN)
    assert all(np.isfinite(figure.error) for figure in one.figures)


def test_too_little_is_refused():
    room = scene(1, people=3, minutes=5)[0]
    unknown = Scene(room.name, room.sightings, np.full(len(room.sightings), np.nan))
    with pytest.raises(InvalidReadingsError, match="known distance"):
        fit([unknown], KNOWN)
    with pytest.raises(InvalidReadingsError, match=r"^1 minute of pairs .* 30 or more"):
        fit([Scene("", room.sightings.take(slice(0, 3)), room.distance_m[:3])], KNOWN)
