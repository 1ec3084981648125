"""The command starts without what it does not need, and knows all that it can do."""

import runpy
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import tracetogether.cli as cli_package
from tracetogether.cli import cli
from tracetogether.cli.lazy_commands import LazyCommands

DOCS = Path(__file__).parent.parent / "docs"
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


@pytest.mark.parametrize("words", [[], ["city"], ["simulate"]])
def test_help_imports_no_command_and_nothing_that_computes(words: list[str]) -> None:
    script = (
        f"from tracetogether.cli import main; import sys; sys.argv[1:] = [*{words!r}, '--help']\n"
        "try:\n    main()\nfinally:\n"
        "    print([name for name in ('scipy', 'cryptography', 'simulations', "
        "'tracetogether.cli.estimate') if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    shown = {"": "simulate     Simulate crowds of people", "city": "Run SCENARIO, a TOML file"}
    assert shown.get("".join(words), "Play SCENARIO, a TOML file") in done.stdout
    assert done.stderr.strip() == "[]"


def lazy_groups() -> list[tuple[str, LazyCommands]]:
    """Return all groups that list commands without their modules."""
    context = click.Context(cli)
    inner = {name: cli.get_command(context, name) for name in cli.list_commands(context)}
    groups = [("", cli), *inner.items()]
    return [(name, group) for name, group in groups if isinstance(group, LazyCommands)]


def test_lists_of_commands_say_what_their_own_help_says() -> None:
    assert {name for name, _ in lazy_groups()} == {"", "city", "simulate"}
    for path, group in lazy_groups():
        context = click.Context(group)
        listed = CliRunner().invoke(cli, [*filter(None, [path]), "--help"]).stdout
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None
            assert command.name == name
            assert group.listed[name] == command.get_short_help_str(1000)
            assert f"\n  {name} " in listed


@pytest.mark.parametrize("path", ["city", "simulate"])
def test_no_command_of_a_module_is_left_out_of_its_list(path: str) -> None:
    (group,) = [group for name, group in lazy_groups() if name == path]
    folder = Path(cli_package.__file__).parent
    found = {
        command.name
        for file in folder.glob(f"{path}_*.py")
        for command in vars(import_module(f"tracetogether.cli.{file.stem}")).values()
        if isinstance(command, click.Command) and command.name is not None
    }
    inner = {
        name
        for command in map(group.get_command, [click.Context(group)] * 99, group.listed)
        if isinstance(command, click.Group)
        for name in command.commands
    }
    assert found - inner == set(group.listed)


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


def test_the_table_of_start_up_figures_is_that_of_its_command() -> None:
    writer = runpy.run_path(str(DOCS / "explanation" / "write_startup.py"))
    rows = writer["PAGE"].read_text("utf-8").split(writer["BEGIN"])[1].split(writer["END"])[0]
    cells = [line.strip("|").split("|") for line in rows.splitlines()[2:]]
    now = {name.strip(): float(figure) for name, _, figure in cells}
    assert list(now) == list(writer["STARTS"]), "run `python docs/explanation/write_startup.py`"
    assert max(figure for name, figure in now.items() if "--help" in name) <= 1.0
    for command in ("", "simulate ", "city "):
        assert now[f"`tracetogether {command}--help`"] <= 0.6
