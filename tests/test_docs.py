"""Every example in the README and the docs runs, and nothing public goes undocumented."""

import doctest
import importlib
import importlib.util
import inspect
import os
import pkgutil
import re
import runpy
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import click
import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

import simulations
import tracetogether
from tests.old_schemas import REVISIONS, of_first_schema, of_schema
from tests.restored_desk import RestoredDesk, traced
from tracetogether import errors, rejection
from tracetogether.authority.access.permissions import Role
from tracetogether.authority.cases.case import CaseState
from tracetogether.authority.cases.followed import ContactState, Outcome, Priority
from tracetogether.cli import cli
from tracetogether.evaluation.registry import REGISTRY
from tracetogether.proximity.encounters import ESTIMATORS

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
SYBIL = Sybil(parsers=[PythonCodeBlockParser()], pattern="*.md")
REFERENCE = ROOT / "docs" / "reference"
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SOURCE = re.compile(r"`((?:tracetogether|simulations|tests|docs)/[\w./-]+)`")
BIN = Path(sys.executable).parent
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_python_examples_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = SYBIL.parse(page)
    monkeypatch.chdir(tmp_path)
    for example in document.examples():
        example.evaluate()


def transcripts() -> list[object]:
    """Return the pages with console examples. The tutorial is tried daily, the rest take longer."""
    return [
        pytest.param(page, marks=[] if page.name == "tutorial.md" else pytest.mark.slow)
        for page in PAGES
        if CONSOLE.search(page.read_text("utf-8"))
    ]


def of_old_schema(revision: str, folder: Path) -> None:
    """Make an authority with a case, as a release of schema ``revision`` left it."""
    desk = RestoredDesk(folder / "newest").make(now=time.time())  # noqa: TID251 - as the commands
    desk.work(lambda service: traced(service, time.time()))  # noqa: TID251
    kept = folder / "kept.db"
    desk.ran("backup", str(kept))
    old = folder / "desk"
    old.mkdir(mode=0o700)
    make = of_first_schema if revision == "0000" else partial(of_schema, revision)
    make(old / "authority.db", kept)
    (desk.folder / "keys.txt").rename(old / "keys.txt")


@pytest.mark.parametrize("page", transcripts(), ids=name)
@pytest.mark.network
def test_console_examples_run_and_print_what_they_show(
    page: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Each page runs as it is written; some need a database that is there already.

    Commands of the tutorial start as a user starts them, those of other pages with imports done.
    """
    environment = {}
    commands = BIN if page.name == "tutorial.md" else request.getfixturevalue("warm")
    if page.name == "upgrade.md":
        of_old_schema("0003", tmp_path)
    if page.name == "second-machine.md":
        environment["DATABASE"] = request.getfixturevalue("postgres_url")
    run_transcript(page, tmp_path, environment, commands)


@pytest.mark.slow
@pytest.mark.parametrize("revision", ["0000", REVISIONS[-1]])
def test_the_upgrade_runs_as_written_from_other_schemas_too(
    revision: str, tmp_path: Path, warm: Path
) -> None:
    of_old_schema(revision, tmp_path)
    run_transcript(ROOT / "docs" / "howto" / "upgrade.md", tmp_path, {}, warm)


def run_transcript(page: Path, tmp_path: Path, environment: dict[str, str], commands: Path) -> None:
    """Run all console blocks of a page as one session.

    ``$`` begins a command, ``>`` continues it, ``...`` in what it prints stands for anything.
    """
    script, shown = [], []
    for block in CONSOLE.findall(page.read_text("utf-8")):
        for line in block.splitlines():
            if line.startswith("$ "):
                script.append(line[2:])
                shown.append([])
            elif line.startswith(">"):
                script[-1] += "\n" + line[2:]
            else:
                shown[-1].append(line)
    marked = "".join(
        f"printf '\\n<<{n}>>\\n'\n{{ {line}\n}} 2>&1\n" for n, line in enumerate(script)
    )
    done = subprocess.run(
        ["bash", "-c", f"set -e\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{marked}"],
        cwd=tmp_path,
        env={
            **os.environ,
            **environment,
            "PATH": os.pathsep.join([str(commands), str(BIN), os.environ["PATH"]]),
            "COLUMNS": "110",
            "NO_COLOR": "1",
            "TERM": "dumb",
        },
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    parts = re.split(r"\n?<<\d+>>\n", done.stdout)[1:]
    assert len(parts) == len(script)
    for command, wanted, got in zip(script, shown, parts, strict=True):
        pattern = ".*".join(re.escape(piece) for piece in _squeezed("\n".join(wanted)).split("..."))
        if wanted:
            assert re.fullmatch(pattern, _squeezed(_without_progress(got)), re.DOTALL), (
                f"$ {command}\n{got}"
            )


def _without_progress(text: str) -> str:
    """Return what a command prints without the lines of progress that it writes after 30 s."""
    return re.sub(r"^.+: (\d+ % done|at work) after .+\n?", "", text, flags=re.MULTILINE)


def _squeezed(text: str) -> str:
    """Return the words without blanks and rules: widths of columns depend on their cells."""
    return " ".join(re.sub(r"[─━┃│┏┓┗┛└┘┡┩┯┷╇╈┌┐├┤┬┴┼┳┻]+", " ", text).split())


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text("utf-8")):
        assert (page.parent / target).exists(), target
    for target in SOURCE.findall(page.read_text("utf-8")):
        assert (ROOT / target).exists(), target


def test_the_command_line_is_documented_as_it_is() -> None:
    # In a process of its own: click keeps the help option of the first context a command meets.
    writer = REFERENCE / "write_cli.py"
    written = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import runpy; print(runpy.run_path({str(writer)!r})['page'](), end='')",
        ],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    ).stdout
    page = (REFERENCE / "cli.md").read_text("utf-8")
    assert page == written, "run `python docs/reference/write_cli.py`"
    for words, command in runpy.run_path(str(writer))["commands"](cli):
        assert command.help, words
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"{words} {parameter.opts[0]} has no help"


def test_every_public_name_is_documented_and_exists() -> None:
    page = (REFERENCE / "api.md").read_text("utf-8")
    assert len(tracetogether.__all__) == len(set(tracetogether.__all__))
    for name in tracetogether.__all__:
        assert inspect.getdoc(getattr(tracetogether, name)), name
        assert f"`{name}`" in page, f"{name} is not in api.md"


def test_every_public_name_of_the_simulator_is_documented() -> None:
    page = (REFERENCE / "api.md").read_text("utf-8")
    for name in simulations.__all__:
        assert inspect.getdoc(getattr(simulations, name)), name
        assert f"`{name}" in page, f"{name} is not in api.md"


def test_every_error_and_rejection_is_documented() -> None:
    page = (REFERENCE / "api.md").read_text("utf-8")
    for error, value in vars(errors).items():
        if inspect.isclass(value) and issubclass(value, Exception):
            assert f"`{error}`" in page, f"{error} is not in api.md"
    for reason in rejection.Rejection:
        assert f"`{reason.value}`" in page, f"{reason.value} is not in api.md"


def glossary_terms() -> list[str]:
    page = (REFERENCE / "glossary.md").read_text("utf-8")
    cells = re.findall(r"^\| (.+?) \|", page, re.MULTILINE)
    return [term.strip("` ") for cell in cells if cell != "term" for term in cell.split(",")]


def test_each_term_of_the_glossary_is_in_use() -> None:
    pages = [page for page in PAGES if page.name != "glossary.md"]
    code = [
        file
        for folder in ("tracetogether", "simulations")
        for file in (ROOT / folder).rglob("*.py")
    ]
    words = "\n".join(file.read_text("utf-8") for file in [*pages, *code]).casefold()
    terms = glossary_terms()
    assert len(terms) == len(set(terms)) > 80
    assert [term for term in terms if term.casefold() not in words] == []


def test_the_glossary_explains_each_role_state_and_estimator_that_users_see() -> None:
    shown = {*ESTIMATORS, *REGISTRY, *(priority.word for priority in Priority)}
    for names in (Role, CaseState, ContactState, Outcome):
        shown |= {name.value for name in names}
    assert shown - set(glossary_terms()) == set()


def test_the_threat_table_and_the_tests_name_the_same_threats() -> None:
    """Each row has a test called after it, and each such test has one row."""
    page = (ROOT / "docs" / "explanation" / "threat-model.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    tests = {
        test
        for file in (ROOT / "tests").rglob("test_*.py")
        for test in re.findall(r"^def (test_threat_\w+)\(", file.read_text("utf-8"), re.MULTILINE)
    }
    assert len(rows) == len(set(rows)) > 20
    for test in tests:
        assert sum(test.startswith(f"test_threat_{row}_") for row in rows) == 1, test
    for row in rows:
        assert any(test.startswith(f"test_threat_{row}_") for test in tests), row


def modules() -> list[str]:
    names = []
    for package in ("tracetogether", "simulations"):
        found = importlib.import_module(package)
        names += [
            info.name
            for info in pkgutil.walk_packages(found.__path__, f"{package}.")
            if not info.name.endswith("__main__")
        ]
    return names


@pytest.mark.parametrize("module", modules())
def test_every_module_says_what_it_is_in_one_line(module: str) -> None:
    first = (inspect.getdoc(importlib.import_module(module)) or "").split("\n")[0]
    assert first.endswith((".", ":")), f"{module}: {first!r}"


def modules_with_examples() -> list[str]:
    sources = [importlib.util.find_spec(module) for module in modules()]
    return [
        spec.name
        for spec in sources
        if spec and spec.origin and "    >>> " in Path(spec.origin).read_text("utf-8")
    ]


@pytest.mark.parametrize("module", modules_with_examples())
def test_examples_in_docstrings_run(module: str) -> None:
    result = doctest.testmod(importlib.import_module(module))
    assert result.attempted
    assert not result.failed


def test_files_stay_short() -> None:
    """House style: none over 500 lines."""
    for folder in ("tracetogether", "simulations"):
        for file in (ROOT / folder).rglob("*.py"):
            assert len(file.read_text("utf-8").splitlines()) <= 500, file
