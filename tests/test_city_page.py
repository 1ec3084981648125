"""The page about cities shows what `tracetogether city laws` printed, and settings as they are."""

import json
import runpy
from pathlib import Path

import pytest

from simulations.city.adoption_law import ADOPTIONS, law_points
from simulations.city.study_settings import STUDIES

DOCS = Path(__file__).parent.parent / "docs" / "explanation"
KEPT = DOCS / "city-laws.json"
SURE = 5.0  # standard errors


def test_the_page_is_written_from_what_was_kept() -> None:
    writer = runpy.run_path(str(DOCS / "write_city.py"))
    page = (DOCS / "city.md").read_text("utf-8")
    kept = json.loads(KEPT.read_text("utf-8"))
    assert writer["with_parts"](page, kept) == page, "run `python docs/explanation/write_city.py`"
    for picture in ("LAW_PICTURE", "SHUFFLE_PICTURE"):
        assert writer[picture].stat().st_size > 5_000
        assert writer[picture].name in page


def test_all_that_was_promised_is_kept() -> None:
    kept = json.loads(KEPT.read_text("utf-8"))
    for advice in ("advice_ignored", "advice_followed"):
        assert [row["adoption"] for row in kept[advice]["points"]] == list(ADOPTIONS)
    results = [
        (study.name, result.name, finds)
        for study in STUDIES
        for finds in ("captured", "radio")
        for result in study.results
    ]
    assert [(row["study"], row["result"], row["finds"]) for row in kept["studies"]] == results


@pytest.mark.slow
def test_the_law_on_the_page_is_that_of_the_code() -> None:
    kept = json.loads(KEPT.read_text("utf-8"))["advice_ignored"]["points"]
    (point,) = law_points({}, adoptions=(0.8,), seeds=4)
    row = next(row for row in kept if row["adoption"] == 0.8)
    for name, mean, error in (
        ("both", point.both.mean, point.both_error),
        ("traced", point.traced.mean, point.traced_error),
    ):
        half = (row[f"{name}_high"] - row[f"{name}_low"]) / 2
        assert abs(mean - row[name]) < SURE * max(error, half)
