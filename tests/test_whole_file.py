"""Files are written whole or not at all: on a full disk, over an old file, from every command."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.authority_world import NOON
from tests.conftest import counted_entropy
from tests.followed_rows import fill
from tracetogether.cli.authority import authority
from tracetogether.cli.authority_folder import opened_folder
from tracetogether.errors import StoreError
from tracetogether.whole_file import whole_file, write_whole

ROOT = Path(__file__).parent.parent
LIMITED = """
import resource, sys
from tracetogether.cli import main
most = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
main()
"""
"""The command, where no file may grow beyond some bytes: as on a full disk, on every system."""

needs_limits = pytest.mark.skipif(os.name != "posix", reason="limits of file size are POSIX")


def limited(folder: Path, most: int, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", LIMITED, str(most), *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "TERM": "dumb"},
        capture_output=True,
        text=True,
        check=False,
    )


def refused(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    """Check that the command said in one line what is wrong."""
    assert done.returncode == 1, done.stdout + done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("Error: ")
    for part in parts:
        assert part in lines[0]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with an authority of 600 contacts in ``desk``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("time.time", lambda: NOON)
    assert CliRunner().invoke(authority, ["init", "desk"]).exit_code == 0
    with opened_folder(tmp_path / "desk") as service:
        fill(service.store, service.custody.keys, counted_entropy(3), cases=2, contacts=600)
    return tmp_path


def test_a_file_replaces_another_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old")
    path.chmod(0o640)
    with whole_file(path) as half:
        half.write_text("ne")
        assert path.read_text() == "old"
        half.write_text("new")
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o640
    assert names(tmp_path) == ["a.csv"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("of the writer")])
def test_a_writer_that_fails_leaves_the_old_file(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old")

    def write() -> None:
        with whole_file(path) as half:
            half.write_text("half")
            raise error

    with pytest.raises(type(error)):
        write()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.csv"]


def test_a_new_file_never_replaces_a_file_created_in_the_meantime(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"

    def write() -> None:
        with whole_file(path, new=True) as half:
            half.write_text("mine")
            path.write_text("theirs")

    with pytest.raises(StoreError, match="already: name a new one"):
        write()
    assert path.read_text() == "theirs"
    assert names(tmp_path) == ["a.csv"]


def test_the_temporary_file_of_a_killed_process_is_replaced(tmp_path: Path) -> None:
    (tmp_path / ".a.half.csv").write_text("half of an earlier run")
    write_whole(tmp_path / "a.csv", "whole")
    assert names(tmp_path) == ["a.csv"]
    assert (tmp_path / "a.csv").read_text() == "whole"


@pytest.mark.skipif(os.name != "posix", reason="devices as files are POSIX")
def test_a_device_is_written_to_and_stays_a_device() -> None:
    write_whole(Path("/dev/null"), "text")
    assert not Path("/dev/null").is_file()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_device_is_named() -> None:
    with pytest.raises(StoreError, match="/dev/full: No space left"):
        write_whole(Path("/dev/full"), "text")


@needs_limits
def test_no_part_of_a_secret_stays_if_it_does_not_fit(tmp_path: Path) -> None:
    script = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (8, 8))\n"
        "from pathlib import Path\nfrom tracetogether.whole_file import create_secret\n"
        "create_secret(Path('secret'), 'longer than eight')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "can't write secret: File too large" in done.stderr
    assert names(tmp_path) == []


@pytest.mark.slow
@needs_limits
@pytest.mark.parametrize("name", ["a.csv", "a.ndjson", "a.xlsx"])
def test_an_export_to_a_full_disk_leaves_nothing_and_says_so(desk: Path, name: str) -> None:
    done = limited(desk, 65_536, "authority", "export", "--output", name, "--dir", "desk")
    refused(done, f"can't write {name}: ")
    assert names(desk) == ["desk"]


@pytest.mark.slow
@needs_limits
def test_a_backup_to_a_full_disk_leaves_nothing_and_says_so(desk: Path) -> None:
    done = limited(desk, 65_536, "authority", "backup", "day.db", "--dir", "desk")
    refused(done, "can't write day.db: ", "day.db")
    assert names(desk) == ["desk"]
    assert limited(desk, 2**30, "authority", "backup", "day.db", "--dir", "desk").returncode == 0
    kept = (desk / "day.db").read_bytes()
    done = limited(desk, 65_536, "authority", "backup", "day.db", "--dir", "desk")
    refused(done, "there is a file day.db already")
    assert (desk / "day.db").read_bytes() == kept


@pytest.mark.slow
@needs_limits
def test_a_restore_on_a_full_disk_leaves_the_old_database(desk: Path) -> None:
    assert limited(desk, 2**30, "authority", "backup", "day.db", "--dir", "desk").returncode == 0
    before, kept = names(desk / "desk"), (desk / "desk" / "authority.db").read_bytes()
    done = limited(desk, 65_536, "authority", "restore", "day.db", "--yes", "--dir", "desk")
    refused(done, "desk")
    assert (desk / "desk" / "authority.db").read_bytes() == kept
    assert names(desk / "desk") == before


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="mounts a small disk, as Linux does")
@pytest.mark.parametrize(
    "words",
    [
        ["backup", "{disk}/day.db"],
        ["export", "--output", "{disk}/a.csv"],
        ["export", "--output", "{disk}/a.xlsx"],
    ],
    ids=lambda words: words[-1].rpartition(".")[2],
)
def test_a_disk_that_is_really_full_keeps_the_old_file(desk: Path, words: list[str]) -> None:
    disk = desk / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount a small disk; the tests beside it limit file sizes")
    try:
        (disk / "mine").write_text("mine")
        named = [word.format(disk=disk) for word in words]
        done = limited(desk, 2**30, "authority", *named, "--dir", "desk")
        refused(done, f"can't write {named[-1]}: ")
        assert names(disk) == ["mine"]
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_under_standard_output_is_one_line(desk: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "tracetogether", "authority", "export", "--dir", "desk"],
            cwd=desk,
            env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "TERM": "dumb"},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "Error: can't read or write standard output: No space left on device"
    ]


WRITES = {"write_text", "write_bytes", "savefig", "savez", "savez_compressed", "write_table"}
AT_ONCE = {
    "tracetogether/whole_file.py": "the one function itself; exclusive creation of secrets",
    "tracetogether/cli/standard_input.py": "a temporary file of this process alone",
    "tracetogether/cli/record.py": "a new file that grows, so that a killed recording is kept",
}


def writers(module: ast.Module) -> list[tuple[int, str]]:
    """Return line and name of the calls that write a file outside of ``whole_file``."""
    found = []

    def visit(node: ast.AST, whole: bool) -> None:
        if isinstance(node, ast.FunctionDef):
            # A private function that is given the half-written file says so by its name's type.
            whole = any(argument.arg == "half" for argument in node.args.args)
        if isinstance(node, ast.With):
            for item in node.items:
                visit(item, whole)
                call = item.context_expr
                named = getattr(getattr(call, "func", None), "id", "")
                whole = whole or named == "whole_file"
            for statement in node.body:
                visit(statement, whole)
            return
        if isinstance(node, ast.Call) and not whole:
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            modes = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
            opened = called == "open" and any(
                isinstance(mode, str) and set(mode) & set("wax") and len(mode) < 4 for mode in modes
            )
            if called in WRITES or opened:
                found.append((node.lineno, called))
        for child in ast.iter_child_nodes(node):
            visit(child, whole)

    visit(module, False)
    return found


@pytest.mark.parametrize("folder", ["tracetogether", "simulations"])
def test_every_file_that_a_command_writes_is_written_whole(folder: str) -> None:
    for path in sorted((ROOT / folder).rglob("*.py")):
        name = str(path.relative_to(ROOT))
        if name not in AT_ONCE:
            assert writers(ast.parse(path.read_text("utf-8"))) == [], name
