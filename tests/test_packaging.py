"""What a newcomer gets: versions, imports, no stray dependency."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import tracetogether

ROOT = Path(__file__).parent.parent


def python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_version_is_in_one_place() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "version" not in project
    assert "version" in project["dynamic"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", tracetogether.__version__)


def test_importing_the_library_loads_no_adapter_and_nothing_optional() -> None:
    heavy = ("bleak", "simpy", "fastapi", "sqlalchemy", "uvicorn", "matplotlib", "bumble",
             "sqlite3", "click", "rich", "urllib3", "distributed", "babel")  # fmt: skip
    loaded = python(
        f"import sys, tracetogether; print([m for m in {heavy!r} if m in sys.modules],"
        "[m for m in sys.modules if m.startswith('tracetogether.adapters')])"
    )
    assert loaded.strip() == "[] []"


def test_importing_the_library_waits_for_nothing_that_computes() -> None:
    loaded = python(
        "import sys, tracetogether;"
        "print([m for m in ('numpy', 'scipy', 'cryptography', 'arro3') if m in sys.modules]);"
        "tracetogether.Sightings; print('scipy' in sys.modules);"
        "tracetogether.encounters; print('scipy' in sys.modules, 'arro3' in sys.modules);"
        "print(tracetogether.errors.CalibrationError.code, tracetogether.local_days.__name__)"
    )
    assert loaded.splitlines() == ["[]", "False", "True False",
                                   "calibration tracetogether.local_days"]  # fmt: skip


def test_the_simulator_loads_no_adapter() -> None:
    loaded = python(
        "import sys, simulations.one_run;"
        "print([m for m in sys.modules if m.startswith(('tracetogether.adapters', 'fastapi'))])"
    )
    assert loaded.strip() == "[]"


def test_the_top_level_has_the_agreed_folders() -> None:
    listed = subprocess.run(
        ["git", "ls-tree", "--name-only", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode == 0:  # not so where the tests run from an unpacked archive
        assert set(listed.stdout.split()) <= {
            "pyproject.toml", "README.md", "LICENSE", "tracetogether", "simulations", "tests",
            "docs", ".ci", ".gitignore",
        }  # fmt: skip
