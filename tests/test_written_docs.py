"""Every picture and generated page of the docs has its script in docs/write.py, and a test."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

TESTS = Path(__file__).parent
DOCS = TESTS.parent / "docs"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("write_docs", DOCS / "write.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # a dataclass looks itself up
    spec.loader.exec_module(module)
    return module


def test_each_script_of_the_docs_is_run_by_the_one_command(script: ModuleType) -> None:
    listed = {work.script.split()[0] for work in script.WORKS.values()}
    there = {str(file.relative_to(DOCS)) for file in DOCS.rglob("write_*.py")}
    assert there == listed, "add the script to WORKS in docs/write.py"


def test_each_picture_of_the_docs_is_written_by_a_script(script: ModuleType) -> None:
    written = [DOCS / path for work in script.WORKS.values() for path in work.writes]
    pictures = [file for ending in ("png", "svg") for file in DOCS.rglob(f"*.{ending}")]
    assert len(pictures) > 7
    for picture in pictures:
        assert picture in written or DOCS / "desk" in picture.parents, picture
    for file in written:
        assert file.exists(), file


def test_each_marked_part_of_a_page_belongs_to_a_script(script: ModuleType) -> None:
    written = {(DOCS / path).resolve() for work in script.WORKS.values() for path in work.writes}
    pages = [DOCS.parent / "README.md", *DOCS.rglob("*.md")]
    marked = {page.resolve() for page in pages if script.BLOCK.search(page.read_text("utf-8"))}
    assert marked - written == set(), "add the page to WORKS in docs/write.py"
    assert len(marked) > 8


def test_each_script_has_a_test_or_a_digest(script: ModuleType) -> None:
    kept = json.loads(script.KEPT.read_text("utf-8"))
    assert sorted(kept) == script.held_here()
    for name, work in script.WORKS.items():
        if work.held_by:
            text = (TESTS / work.held_by).read_text("utf-8")
            stem = Path(work.script.split()[0]).stem
            names = [stem, *(Path(path).name for path in work.writes)]
            assert any(word in text for word in names), f"{name}: {work.held_by}"
        else:
            paths = [path for path in work.writes if path not in script.OTHERS_HOLD]
            assert all(path in kept for path in paths), name


def test_figures_without_a_test_are_as_their_script_left_them(script: ModuleType) -> None:
    """A figure that was changed by hand, or a page renewed in part, has another digest."""
    kept = json.loads(script.KEPT.read_text("utf-8"))
    changed = [path for path in kept if script.held(path) != kept[path]]
    assert changed == [], "write them again: python docs/write.py --only NAME"


def test_the_check_names_what_is_stale_and_writes_nothing(
    script: ModuleType, tmp_path: Path
) -> None:
    copy = script.copied(tmp_path / "copy")
    page = copy / "reference" / "permissions.md"
    page.write_text(page.read_text("utf-8") + "by hand\n", "utf-8")
    before = page.read_bytes()
    words = [sys.executable, str(copy / "write.py"), "--check", "--only", "permissions"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "permissions: stale: reference/permissions.md" in done.stdout
    assert done.stderr == "stale: docs/reference/permissions.md\n"
    assert page.read_bytes() == before


def test_a_script_that_fails_is_named_and_the_others_run(
    script: ModuleType, tmp_path: Path
) -> None:
    copy = script.copied(tmp_path / "copy")
    (copy / "reference" / "write_permissions.py").write_text("raise SystemExit(3)\n", "utf-8")
    words = [sys.executable, str(copy / "write.py"), "--only", "permissions", "--only", "design"]
    for more, said in ((["--check"], "up to date"), ([], "written")):
        done = subprocess.run([*words, *more], capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "permissions: failed with exit status 3" in done.stdout
        assert f"design: {said}" in done.stdout
        assert done.stderr.startswith("failed: permissions: ")
        assert "write_permissions.py" in done.stderr
