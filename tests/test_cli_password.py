"""Passwords for the pages from the command line: asked for, never an argument."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tracetogether.cli import cli
from tracetogether.cli.authority_folder import create_folder, opened_folder
from tracetogether.errors import NotFoundError

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
def test_the_error_says_what_is_wrong_with_the_table(
    folder: Path, name: str, typed: str, wrong: str
) -> None:
    done = run(folder, name, "--stdin", said=f"{typed}\n")
    assert done.exit_code != 0
    assert wrong in str(done.exception)
    assert kept(folder) is None


def test_an_unknown_operator_is_an_error_before_the_password_is_asked_for(folder: Path) -> None:
    done = run(folder, "nobody", said=f"{PASSWORD}\n{PASSWORD}\n")
    assert isinstance(done.exception, NotFoundError)
    assert "Password" not in done.output


def test_a_password_from_a_file_or_the_environment(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\nmore\n")
    file.chmod(0o644)
    refused = run(folder, "operator", "--password-file", str(file), said="")
    assert "chmod 600" in str(refused.exception)
    assert kept(folder) is None
    file.chmod(0o600)
    assert run(folder, "operator", "--password-file", str(file), said="").exit_code == 0
    from_file = kept(folder)
    assert from_file is not None
    monkeypatch.setenv("TRACETOGETHER_PASSWORD", PASSWORD)
    assert run(folder, "operator", said="").exit_code == 0
    assert kept(folder) not in {None, from_file}  # another salt
    both = run(folder, "operator", "--stdin", "--password-file", str(file), said="")
    assert both.exit_code == 2


def test_a_password_among_the_words_is_refused_and_not_repeated(folder: Path) -> None:
    done = run(folder, "operator", PASSWORD, said="")
    assert done.exit_code == 2
    assert "a password must not be an argument" in done.output
    assert PASSWORD not in done.output
    assert kept(folder) is None


@pytest.mark.parametrize(
    ("words", "environment", "warned"),
    [
        (["--database", "postgresql://u:canary@127.0.0.1:1/x"], None, True),
        (["--database", "postgresql:///x?host=127.0.0.1&port=1&password=canary"], None, True),
        (["--database", "postgresql://u@127.0.0.1:1/x"], None, False),
        (["--database", "@FILE"], None, False),
        ([], "postgresql://u:canary@127.0.0.1:1/x", False),
    ],
)
def test_a_databases_password_belongs_in_a_file_or_the_environment(
    tmp_path: Path,
    words: list[str],
    environment: str | None,
    warned: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "address"
    file.write_text("postgresql://u:canary@127.0.0.1:1/x\n")
    file.chmod(0o600)
    if environment is not None:
        monkeypatch.setenv("TRACETOGETHER_DATABASE", environment)
    words = [word.replace("FILE", str(file)) for word in words]
    done = CliRunner().invoke(cli, ["authority", "init", str(tmp_path / "new"), *words])
    assert "can't be" in str(done.exception)  # nobody listens there
    assert ("Every user of this machine can read the password" in done.output) == warned
    assert "canary" not in done.output + str(done.exception)
