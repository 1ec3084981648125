"""The picture of 1.8 million in the README: it shows its data, and its caption says the same."""

import json
import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from simulations.city.report_data import scenario_of
from simulations.city.run import run_city
from simulations.city.sweeps import made_by
from simulations.provenance import digest_of

ROOT = Path(__file__).parent.parent
WRITER = runpy.run_path(str(ROOT / "docs" / "howto" / "write_city_picture.py"))
DATA: dict[str, Any] = json.loads(WRITER["DATA"].read_text("utf-8"))
REMEDY = "run `python docs/howto/write_city_picture.py`"


def infections(adoption: float) -> list[int]:
    return [
        row["infections"] for row in DATA["rows"] if row["settings"]["app.adoption"] == adoption
    ]


def test_the_picture_is_drawn_from_its_data() -> None:
    assert DATA["digest"] == digest_of(DATA["rows"])
    drawn = WRITER["PICTURE"].read_text("utf-8")
    assert drawn == WRITER["adoption_picture"](WRITER["report"]()), REMEDY
    assert DATA["digest"][:12] in drawn
    assert drawn.count('class="dot first"') == 2 * len(DATA["points"])


@pytest.mark.parametrize("page", WRITER["CAPTIONS"], ids=lambda page: page.name)
def test_captions_say_what_the_data_say(page: Path) -> None:
    text = page.read_text("utf-8")
    assert text == WRITER["with_caption"](page, WRITER["report"]()), REMEDY
    said = " ".join(text.partition(WRITER["BEGIN"])[2].partition(WRITER["END"])[0].split())
    without = sum(infections(0))
    for adoption in (0.32, 1):
        assert len(infections(adoption)) == len(DATA["seeds"]) == 10
        share = 1 - sum(infections(adoption)) / without
        assert f" {100 * share:.0f} % " in said
    users = 0.32 * DATA["people"] / 1e6
    assert f"{users:.1f} M of {DATA['people'] / 1e6:.1f} M people" in said
    for point in DATA["points"]:
        if point["settings"]["app.adoption"] in (0, 0.32):
            assert f"{point['r']['r']:.2f} ({point['r']['low']:.2f} to" in said
    assert re.search(r"10 seeds\)", said)


@pytest.mark.slow
def test_a_run_of_the_picture_has_its_digest() -> None:
    report = WRITER["report"]()
    scenario = scenario_of(DATA, report.chosen, source="the picture's data")
    (row,) = [
        row for row in DATA["rows"] if (row["settings"]["app.adoption"], row["seed"]) == (0.32, 3)
    ]
    digest = run_city(scenario, seed=3).digest
    if digest != row["digest"] and DATA["made_by"] != made_by():
        pytest.skip("the code of cities has changed since the picture was computed: make it again")
    assert digest == row["digest"]
