"""The command starts without what it does not need, and knows all that it can do."""

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tracetogether.cli import _COMMANDS as COMMANDS
from tracetogether.cli import cli

SLOW = ("scipy.signal", "scipy.stats", "scipy.optimize", "matplotlib", "simulations", "uvicorn")


@pytest.mark.slow
def test_an_authoritys_commands_start_without_what_fits_models_and_draws() -> None:
    asked = (
        "from tracetogether.cli import main; import sys; sys.argv[1:] = ['authority', 'case', '-h']"
    )
    shown = f"print([name for name in {SLOW!r} if name in sys.modules], file=sys.stderr)"
    script = f"{asked}\ntry:\n    main()\nfinally:\n    {shown}"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert "Open cases" in done.stdout
    assert done.stderr.strip() == "[]"


def test_help_imports_no_command_and_nothing_that_computes() -> None:
    script = (
        "from tracetogether.cli import main; import sys; sys.argv[1:] = ['--help']\n"
        "try:\n    main()\nfinally:\n"
        "    print([name for name in ('scipy', 'cryptography', 'simulations', "
        "'tracetogether.cli.estimate') if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert "simulate     Simulate crowds of people" in done.stdout
    assert done.stderr.strip() == "[]"


def test_the_list_of_commands_says_what_their_own_help_says() -> None:
    context = click.Context(cli)
    listed = CliRunner().invoke(cli, ["--help"]).stdout
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        assert COMMANDS[name] == command.get_short_help_str(1000)
        assert f"\n  {name} " in listed


def test_every_command_is_listed_and_an_unknown_one_is_refused() -> None:
    context = click.Context(cli)
    listed = cli.list_commands(context)
    assert listed == sorted(listed)
    for name in listed:
        command = cli.get_command(context, name)
        assert command is not None
        assert command.name == name
    answer = CliRunner().invoke(cli, ["trace"])
    assert answer.exit_code == 2
    assert "No such command 'trace'" in answer.output


def test_a_folder_of_the_users_in_place_of_the_simulator_is_named(tmp_path: Path) -> None:
    (tmp_path / "simulations").mkdir()
    (tmp_path / "simulations" / "__init__.py").touch()
    done = subprocess.run(
        [sys.executable, "-m", "tracetogether", "simulate", "list"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert f"{tmp_path / 'simulations'} is in the way of it" in done.stderr
    assert "in place of `python -m tracetogether`" in done.stderr
    assert done.stderr.count("\n") == 1
