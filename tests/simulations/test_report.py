import sys
from pathlib import Path

import numpy as np
import pytest

from simulations.one_run import Run
from simulations.pages.report import best_tick, save_picture
from simulations.places.tracks import CrowdTracks
from simulations.places.venue import Posture
from simulations.scores.scoring import CaseScore, score_run
from tracetogether.errors import MissingExtraError, StoreError


@pytest.fixture(scope="module")
def case(short_run: Run) -> CaseScore:
    return max(score_run(short_run).scores.cases, key=lambda case: case.true_contacts)


def test_a_picture_with_every_mark(short_run: Run, case: CaseScore, tmp_path: Path) -> None:
    file = tmp_path / "case.svg"
    save_picture(short_run, case, file)
    drawn = file.read_text("utf-8")
    assert f"missed {case.missed}, listed" in drawn
    assert f"Found {case.found} of {case.true_contacts}" in drawn
    for line in case.listed:
        marked = line.close_contact or line.true_contact
        assert (line.pseudonym in drawn) == marked


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["png", "pdf"])
def test_other_formats(short_run: Run, case: CaseScore, tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"case.{ending}"
    save_picture(short_run, case, file)
    assert file.read_bytes().startswith({"png": b"\x89PNG", "pdf": b"%PDF"}[ending])
    again = tmp_path / f"again.{ending}"
    save_picture(short_run, case, again)
    assert file.read_bytes() == again.read_bytes()


def test_nobody_to_show(short_run: Run, tmp_path: Path) -> None:
    file = tmp_path / "lonely.svg"
    save_picture(short_run, CaseScore(int(short_run.app[0]), 0, 0, (), tuple), file)
    assert "nobody is a close contact" in file.read_text("utf-8")


def test_a_moment_when_all_are_there_and_none_walks() -> None:
    posture = np.array([[1, 1, 1, 1, 0], [0, 3, 1, 1, 1], [0, 1, 1, 1, 1]], dtype=np.int8)
    tracks = CrowdTracks(
        xy=np.zeros((3, 5, 2), np.float32),
        facing=np.zeros((3, 5), np.float32),
        posture=posture,
        carry=np.zeros((3, 5), np.int8),
    )
    tick = best_tick(tracks, 0, np.array([1, 2]))
    assert tick in (2, 3)
    assert posture[1, tick] != Posture.WALKING


def test_clear_errors(
    short_run: Run, case: CaseScore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StoreError, match=r"end its name in \.png"):
        save_picture(short_run, case, tmp_path / "case.doc")
    with pytest.raises(StoreError, match=r"can't write .*case\.png"):
        save_picture(short_run, case, tmp_path / "none" / "case.png")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'tracetogether\[plot\]'"):
        save_picture(short_run, case, tmp_path / "case.png")
