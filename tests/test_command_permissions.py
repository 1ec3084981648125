"""Every command of the authority checks the actions that permissions.md documents, and no other."""

import re
import runpy
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from tests.service_acts import PHONES
from tracetogether.authority.access import permissions
from tracetogether.authority.access.permissions import CONSOLE, PERMISSIONS, Action, Caller
from tracetogether.cli import cli
from tracetogether.cli.authority_folder import OPERATOR_TOKEN, create_folder, opened_folder
from tracetogether.errors import AccessDeniedError

REFERENCE = Path(__file__).parent.parent / "docs" / "reference"

WRITER = runpy.run_path(str(REFERENCE / "write_permissions.py"))

COMMANDS: dict[str, tuple[Action, ...]] = WRITER["COMMANDS"]

ARGUMENTS = {
    "audit list": ["DIR"],
    "audit verify": ["DIR"],
    "case confirm": ["CASE"],
    "case contacts": ["CASE"],
    "case import": ["cases.csv"],
    "case onward": ["CASE"],
    "case stays": ["CASE"],
    "case days": ["CASE"],
    "warnings confirm": ["NONE", "--reason", "x", "--yes", "--token-file", "TOKEN"],
    "warnings confirm-trip": [
        *("NONE", "--aboard", "80", "--reason", "x", "--yes", "--token-file", "TOKEN"),
    ],
    "warnings refuse": ["NONE", "--reason", "x", "--yes", "--token-file", "TOKEN"],
    "warnings refuse-trip": ["NONE", "--reason", "x", "--yes", "--token-file", "TOKEN"],
    "place add": ["Canteen 3"],
    "place retire": ["NONE"],
    "place warn": [
        *("NONE", "--since", "2020-05-04T08", "--until", "2020-05-04T09", "--reason", "x"),
        *("--yes", "--token-file", "TOKEN"),
    ],
    "case open": ["USER"],
    "case pin": ["CASE"],
    "case pin-state": ["CASE"],
    "case reveal": ["CASE", "person", "--reason", "a test"],
    "case person": ["CASE", "--reason", "a test"],
    "case describe": ["CASE", "--name", "Ann"],
    "charge end": ["NONE", "--reason", "a test"],
    "partner add": ["cases.csv", "--operator-token", "TOKEN"],
    "partner confirm": ["NONE", "0", "--operator-token", "TOKEN"],
    "partner fingerprint": [],
    "partner address": ["NONE"],
    "partner exchange export": ["NONE"],
    "partner exchange import": ["cases.csv"],
    "partner exchange answers": ["NONE", "--out", "answers.cose"],
    "partner remove": ["NONE"],
    "partner update": ["NONE", "cases.csv"],
    "follow-up assign": ["NONE", "-"],
    "follow-up convert": ["NONE"],
    "follow-up call": ["NONE", "symptoms"],
    "follow-up find": ["12345678"],
    "follow-up show": ["NONE"],
    "keys destroy": ["2000-01-01", "--yes"],
    "keys quarantine": ["2000-01-01"],
    "keys replace": ["--yes"],
    "pass paper": ["--reason", "a test", "--token-file", "TOKEN"],
    "pass retire": ["00"],
    "appeal decide": ["NONE", "upheld", "--yes", "--token-file", "TOKEN"],
    "order add": [
        *("--kind", "border", "--legal-basis", "x", "--place", "y", "--people", "1"),
        *("--from", "1", "--to", "2", "--ends", "3", "--token-file", "TOKEN"),
    ],
    "order end": ["NONE", "--yes", "--token-file", "TOKEN"],
    "restriction confirm": ["NONE", "--token-file", "TOKEN"],
    "restriction lift": ["NONE", "--yes", "--token-file", "TOKEN"],
    "restriction set": [
        *("USER", "--ground", "case", "--reference", "CASE", "--evidence", "diagnosis"),
        *("--until", "2100-01-01", "--token-file", "TOKEN"),
    ],
    "restriction test": [
        *("USER", "--date", "2020-05-04", "--laboratory", "x", "--token-file", "TOKEN"),
    ],
    **{key: ["DIR"] for key in ("open-data list", "open-data preview", "open-data stop")},
    **{key: ["DIR"] for key in ("wall list", "bulletin end")},
    "open-data publish": ["DIR", "--yes"],
    "wall add": ["lobby"],
    "wall end": ["lobby"],
    "bulletin put": ["x", "--until", "2000-01-01"],
    "policy set": ["--least-chance", "0.5"],
    "phones use": ["phones.csv"],
    "team hand-over": ["NONE", "--to", "-"],
    "team end-shift": ["NOBODY"],
    "team hours": ["DIR", "--set", "any"],
    "team show": ["DIR"],
    "user confirm-reset": ["nobody", "--operator-token", "TOKEN"],
    "user reset": ["nobody", "--operator-token", "TOKEN"],
    "user roles": ["nobody", "--role", "tracer"],
    "user add": ["new", "--role", "tracer"],
    "user disable": ["nobody"],
    "user import": ["users.csv"],
    "user password": ["operator", "--stdin"],
}

OF_THE_MACHINE = {
    *("backup", "demo-data", "follow-up refresh", "init", "limits", "load"),
    *(
        "migrate",
        "purge",
        "restore",
        "serve",
        "time-zone",
        "restriction figures",
        "warnings publish",
    ),
    "bulletin show",
}
"""Commands that set the service up, or do what its clock does: they act for no caller."""


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the names of all commands below one."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands(below, (*path, name))
    else:
        yield " ".join(path)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Return an authority's folder, and what stands for the words in capitals."""
    place, now = tmp_path_factory.mktemp("console") / "authority", time.time()  # noqa: TID251 - commands read the clock
    create_folder(place, now=now)
    with opened_folder(place) as service:
        case = service.casework.open_case(service.issuance.register(now).user_id, now, by=CONSOLE)
        user = service.issuance.register(now).user_id
    return place, {"CASE": case.case_id, "USER": user}


def test_every_command_is_documented_with_what_it_does() -> None:
    below = cli.get_command(click.Context(cli), "authority")
    assert below is not None
    assert set(commands(below)) == COMMANDS.keys() | OF_THE_MACHINE
    page = (REFERENCE / "permissions.md").read_text("utf-8")
    for command, actions in COMMANDS.items():
        for action in actions:
            (row,) = re.findall(rf"^\| {re.escape(action.value)} \|.*$", page, re.MULTILINE)
            assert f"`{command}`" in row


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_a_command_asks_for_the_documented_actions_and_no_other(
    command: str,
    made: tuple[Path, dict[str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cases.csv").write_text("user_id\n")
    (tmp_path / "users.csv").write_text("name,roles\n")
    (tmp_path / "phones.csv").write_text(PHONES)

    def run(number: int) -> Result:
        place = tmp_path / str(number)
        shutil.copytree(made[0], place)
        meant = made[1] | {"DIR": str(place), "TOKEN": str(place / OPERATOR_TOKEN)}
        words = [meant.get(word, word) for word in ARGUMENTS.get(command, [])]
        where = [] if str(place) in words else ["--dir", str(place)]
        return CliRunner().invoke(
            cli, ["authority", *command.split(), *words, *where], input="correct horse battery\n"
        )

    asked: list[Action] = []
    require = Caller.require

    def watched(caller: Caller, action: Action) -> None:
        asked.append(action)
        require(caller, action)

    with monkeypatch.context() as patch:
        patch.setattr(Caller, "require", watched)  # no other place sees what is required
        assert not isinstance(run(0).exception, AccessDeniedError)
    assert tuple(dict.fromkeys(asked)) == COMMANDS[command]
    for number, action in enumerate(COMMANDS[command], 1):
        monkeypatch.setattr(permissions, "PERMISSIONS", {**PERMISSIONS, action: frozenset()})
        denied = run(number).exception
        assert isinstance(denied, AccessDeniedError), (action, denied)
        assert (denied.code, str(denied)[-len(action.value) :]) == (
            "roles-do-not-allow",
            action.value,
        )
