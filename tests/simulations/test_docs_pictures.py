"""Pictures of the simulator in the docs, and the tables beside them, are those of their command."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from simulations.studies.sweep import digest

DOCS = Path(__file__).parent.parent.parent / "docs"
REMEDY = "make it again: python docs/explanation/write_pictures.py adoption"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "write_pictures", DOCS / "explanation" / "write_pictures.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def block(script: ModuleType) -> str:
    return script.BLOCK.search(script.PAGE.read_text("utf-8"))[0]


def test_the_table_and_the_picture_are_of_the_same_runs(block: str) -> None:
    (said,) = re.findall(r"^Digest ([0-9a-f]{64})\.$", block, re.MULTILINE)
    assert f"digest {said}".encode() in (DOCS / "adoption.png").read_bytes(), REMEDY


@pytest.mark.slow
def test_some_of_these_runs_played_again_give_the_same_rows(script: ModuleType, block: str) -> None:
    value, seeds = script.PLAYED_AGAIN
    (said,) = re.findall(rf"<!-- digest of {seeds} runs at {value}: ([0-9a-f]{{64}}) -->", block)
    assert digest(script.by_adoption([value], seeds, workers=1).rows) == said, REMEDY


@pytest.mark.slow
def test_pictures_of_pages_are_of_these_runs(script: ModuleType) -> None:
    remedy = "make it again: python docs/explanation/write_pictures.py report"
    for names, runs in (
        (("report", "report-phone"), [script.office()]),
        (("report-two",), script.carriages()),
    ):
        for name in names:
            said = f"digest {script.digest_of_runs(runs)}".encode()
            assert said in (DOCS / f"{name}.png").read_bytes(), (name, remedy)
