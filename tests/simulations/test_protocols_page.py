"""The page that compares protocols shows what was played and kept, and costs as they are."""

import json
import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from simulations.attacks.expectations import LAST_ACCEPTED_S
from simulations.scores.cost import PROTOCOLS

DOCS = Path(__file__).parents[2] / "docs" / "explanation"


@pytest.fixture(scope="module")
def writer() -> dict[str, Any]:
    return runpy.run_path(str(DOCS / "write_protocols.py"))


@pytest.fixture(scope="module")
def kept(writer: dict[str, Any]) -> dict[str, Any]:
    return json.loads(writer["KEPT"].read_text("utf-8"))


def test_the_page_and_the_picture_are_written_from_what_was_kept(
    writer: dict[str, Any], kept: dict[str, Any]
) -> None:
    page = writer["PAGE"].read_text("utf-8")
    assert writer["with_parts"](page, kept) == page, "run `python docs/write.py --only protocols`"
    assert f"digest {writer['digest'](kept)}".encode() in writer["PICTURE"].read_bytes()
    assert writer["PICTURE"].name in page
    with pytest.raises(ValueError, match="no place for costs"):
        writer["with_parts"](page.replace("<!-- costs -->", ""), kept)


def test_what_is_kept_was_played_by_the_commands_of_the_script(
    writer: dict[str, Any], kept: dict[str, Any]
) -> None:
    assert set(kept) <= set(writer["COMMANDS"])
    assert tuple(writer["NAMES"]) == PROTOCOLS == tuple(dict.fromkeys(PROTOCOLS))
    last = writer["attacked"](kept, "last_accepted_s")
    assert {name: last[name]["value"] for name in PROTOCOLS} == {
        name: LAST_ACCEPTED_S[name] for name in PROTOCOLS
    }
    for said in kept.values():
        for row in said.get("protocols", ()):
            assert 0 <= row["tif_low"] <= row["tif"] <= row["tif_high"] <= 1


def test_the_table_has_a_row_for_each_protocol_and_no_empty_attack(
    writer: dict[str, Any], kept: dict[str, Any]
) -> None:
    rows = writer["one_table"](kept).splitlines()[2:]
    assert len(rows) == len(PROTOCOLS)
    for row in rows:
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert len(cells) == 10
        assert "–" not in cells[4:]
    page = writer["PAGE"].read_text("utf-8")
    for word in ("PACT", "CEN", "Pronto-C2"):
        assert re.search(rf"\b{word}\b", page)
