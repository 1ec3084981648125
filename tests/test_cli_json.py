"""Commands that other programs call: `--json` prints one JSON document."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from tracetogether.cli import cli


def commands_below(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield name, command
        return
    context = click.Context(command)
    for part in command.list_commands(context):
        found = command.get_command(context, part)
        assert found is not None
        yield from commands_below(found, f"{name} {part}")


@pytest.mark.parametrize("group", ["place", "partner", "open-data", "wall", "bulletin"])
def test_each_command_of_these_groups_prints_json_on_request(group: str) -> None:
    authority = cli.get_command(click.Context(cli), "authority")
    assert isinstance(authority, click.Group)
    top = authority.get_command(click.Context(authority), group)
    assert top is not None
    found = dict(commands_below(top, group))
    assert len(found) >= 3
    without = [
        name
        for name, command in found.items()
        if not any("--json" in part.opts for part in command.params)
    ]
    assert without == []


def said(*words: str) -> Any:
    result = CliRunner().invoke(cli, ["authority", *words, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_place_that_retires_and_a_screen_that_ends_are_told_as_json(tmp_path: Path) -> None:
    folder = str(tmp_path / "a")
    assert CliRunner().invoke(cli, ["authority", "init", folder]).exit_code == 0
    at = ("--dir", folder)
    added = said("place", "add", "Canteen 3", *at)
    retired = said("place", "retire", added["place_id"], *at)
    assert (retired["place_id"], retired["state"]) == (added["place_id"], "retired")
    assert said("place", "list", *at)[0]["retired_at"] == retired["retired_at"]
    said("wall", "add", "lobby", *at)
    assert said("wall", "end", "lobby", *at) == {"name": "lobby", "state": "over"}
    assert said("bulletin", "end", folder) == {"text": None}
    assert len(said("partner", "fingerprint", *at)["fingerprint"].split()) == 8
