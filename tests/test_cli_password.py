"""Passwords for the pages from the command line: asked for, never an argument."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tracetogether.cli import cli
from tracetogether.cli.authority_folder import create_folder, opened_folder

PASSWORD = "a long sentence nobody else knows"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    create_folder(tmp_path / "desk", now=1_588_550_400.0)
    return tmp_path / "desk"


def run(folder: Path, *words: str, said: str) -> Result:
    return CliRunner().invoke(
        cli, ["authority", "user", "password", *words, "--dir", str(folder)], input=said
    )


def kept(folder: Path) -> bytes | None:
    with opened_folder(folder) as service:
        found = service.store.sign_ins.password("operator")
    return None if found is None else found.verifier


@pytest.mark.parametrize("words", [["operator"], ["operator", "--stdin"]])
def test_a_password_is_asked_for_or_read(folder: Path, words: list[str]) -> None:
    typed = PASSWORD if "--stdin" in words else f"{PASSWORD}\n{PASSWORD}"
    done = run(folder, *words, said=f"{typed}\n")
    assert done.exit_code == 0, done.output
    assert PASSWORD not in done.output
    assert "signs in at the server's /desk" in done.output
    assert kept(folder) is not None
    for file in folder.iterdir():
        assert PASSWORD.encode() not in file.read_bytes()


@pytest.mark.parametrize(
    ("name", "typed", "wrong"),
    [
        ("nobody", PASSWORD, "no such operator"),
        ("nobody", "", "no such operator"),  # the name is looked at first
        ("operator", "short", "12 to 256 characters"),
        ("operator", "", "12 to 256 characters"),
    ],
)
def test_what_is_wrong_is_said(folder: Path, name: str, typed: str, wrong: str) -> None:
    done = run(folder, name, "--stdin", said=f"{typed}\n")
    assert done.exit_code != 0
    assert wrong in str(done.exception)
    assert kept(folder) is None
