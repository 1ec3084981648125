"""What a newcomer gets: versions, imports, no stray dependency."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

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


@pytest.mark.slow
def test_the_wheel_works_without_the_checkout(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    built, place = tmp_path / "built", tmp_path / "site"
    wheel = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", built, ROOT]
    subprocess.run([*pip, *wheel], check=True)
    (file,) = built.glob("*.whl")
    assert file.name.startswith(f"tracetogether-{tracetogether.__version__}-")
    subprocess.run([*pip, "install", "--no-deps", "--target", place, file], check=True)
    assert {path.name for path in place.iterdir()} <= {
        *("bin", "simulations", "tracetogether"),
        f"tracetogether-{tracetogether.__version__}.dist-info",
    }

    def call(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, *words],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(place)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert str(place) in call("-c", "import tracetogether; print(tracetogether.__file__)")
    assert (place / "tracetogether" / "py.typed").exists()
    languages = {path.parts[-3] for path in place.rglob("locale/*/LC_MESSAGES/pages.po")}
    assert languages >= {"en", "ms", "zh"}
    assert "train-carriage" in call("-m", "tracetogether", "simulate", "list")
    assert "test-town" in call("-m", "tracetogether", "city", "list")
    assert '"digest"' in call("-m", "tracetogether", "simulate", "run", "lift", "--json")
    assert '"digest"' in call("-m", "tracetogether", "city", "run", "test-town", "--json")
    call("-m", "tracetogether", "authority", "init", "desk")


def test_the_readme_says_how_to_cite_this_version() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    cite = readme[readme.index("## How to cite") :]
    assert f"version {tracetogether.__version__}" in cite


def test_the_changelog_begins_with_this_version() -> None:
    page = (ROOT / "docs" / "changelog.md").read_text("utf-8")
    (first, *_) = re.findall(r"^## (\S+)", page, re.MULTILINE)
    assert first == tracetogether.__version__
