"""Files that only their owner can read."""

import os
import stat
import threading
from pathlib import Path

import pytest

from tracetogether.errors import StoreError
from tracetogether.whole_file import create_secret, read_secret, replace_secret


def test_a_new_file_is_private_and_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    create_secret(path, "word\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_secret(path) == "word\n"


def test_an_existing_file_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("mine")
    with pytest.raises(StoreError, match="File exists"):
        create_secret(path, "other")
    assert path.read_text() == "mine"


def test_replacing_wipes_the_old_bytes(tmp_path: Path) -> None:
    path, second_name = tmp_path / "secret", tmp_path / "second name of the old file"
    create_secret(path, "old word")
    os.link(path, second_name)
    replace_secret(path, "new")
    assert read_secret(path) == "new"
    assert second_name.read_bytes() == bytes(8)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([path.name, second_name.name])


def test_what_a_crash_left_behind_is_replaced_too(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    (tmp_path / ".secret.half").write_text("half")
    replace_secret(path, "whole")
    assert read_secret(path) == "whole"
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


@pytest.mark.skipif(os.name != "posix", reason="permission bits are POSIX")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "secret"
    create_secret(path, "word")
    path.chmod(mode)
    with pytest.raises(StoreError, match="chmod 600"):
        read_secret(path)


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    create_secret(target, "old")
    link.symlink_to(target)
    replace_secret(link, "new")
    assert link.is_symlink()
    assert read_secret(link) == read_secret(target) == "new"


def test_readers_never_see_a_wiped_file(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    create_secret(path, "word 0")
    stop = threading.Event()

    def replace() -> None:
        count = 0
        while not stop.is_set():
            count += 1
            replace_secret(path, f"word {count}")

    writer = threading.Thread(target=replace)
    writer.start()
    try:
        assert all(read_secret(path).startswith("word ") for _ in range(3_000))
    finally:
        stop.set()
        writer.join()


def test_missing_files_folders_and_binaries_are_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="none: No such file"):
        read_secret(tmp_path / "none")
    for write in (create_secret, replace_secret):
        with pytest.raises(StoreError, match="can't write"):
            write(tmp_path / "none" / "secret", "word")
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    binary.chmod(0o600)
    with pytest.raises(StoreError, match="not text"):
        read_secret(binary)
