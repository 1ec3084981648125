"""The script of howto/notebook.md runs without a display, and prints what the page shows."""

import re
import runpy
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest

pytestmark = pytest.mark.skipif(
    find_spec("covasim") is None, reason="the script needs covasim, of the test extra"
)
HOWTO = Path(__file__).parents[2] / "docs" / "howto"
WRITER = runpy.run_path(str(HOWTO / "write_notebook.py"))
REMEDY = "run `python docs/howto/write_notebook.py`"
INFECTIONS = re.compile(r": ([\d,]+) infections$", re.MULTILINE)


def shown() -> str:
    """Return what the page says that the script prints."""
    return WRITER["PAGE"].read_text("utf-8").split("```text\n")[-1].split("```")[0]


def test_the_page_shows_the_script_as_it_is() -> None:
    assert WRITER["page_with"](shown()) == WRITER["PAGE"].read_text("utf-8"), REMEDY
    assert len(WRITER["SCRIPT"].read_text("utf-8").splitlines()) < 60


@pytest.mark.slow
def test_the_script_runs_and_prints_what_the_page_shows(tmp_path: Path) -> None:
    printed = WRITER["output"](tmp_path)
    # Covasim's count is another one with another version of it.
    assert INFECTIONS.sub("", printed) == INFECTIONS.sub("", shown()), REMEDY
    without, traced = (int(count.replace(",", "")) for count in INFECTIONS.findall(printed))
    assert 20 < traced < without
    readings = pd.read_csv(tmp_path / "readings.csv")
    assert readings.time[0].endswith("Z")
    assert set(readings.room) == {1, 2}
    for picture in ("near.svg", "school.svg"):
        assert "</svg>" in (tmp_path / picture).read_text("utf-8")
    assert "digest " in (tmp_path / "school.svg").read_text("utf-8")
