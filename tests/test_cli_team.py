"""A team's day at the command line: shifts, hours, cases that change hands, roles and resets."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.authority_world import NOON
from tests.restored_desk import Clock
from tracetogether.authority.access.permissions import ALL_ROLES, CONSOLE, Caller, Role
from tracetogether.authority.cases.calls import ShiftReason
from tracetogether.cli.authority import authority
from tracetogether.cli.authority_folder import create_folder, opened_folder
from tracetogether.errors import AccessDeniedError, InvalidRequestError, NotFoundError

RAVI = Caller("ravi", frozenset({Role.TRACER}))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("time.time", Clock())
    place = tmp_path / "desk"
    create_folder(place, now=NOON, time_zone="Asia/Singapore")
    with opened_folder(place) as service:
        for name in ("ada", "ben"):
            service.staff.add(name, ALL_ROLES, f"token-of-{name}", NOON, by=CONSOLE)
            token = tmp_path / name
            token.write_text(f"token-of-{name}\n")
            token.chmod(0o600)
        service.staff.add("ravi", RAVI.roles, "token-of-ravi", NOON, by=CONSOLE)
    return place


def run(folder: Path, *words: str) -> Result:
    named = [] if "DIR" in words else ["--dir", str(folder)]
    line = [str(folder) if word == "DIR" else word for word in words]
    return CliRunner().invoke(authority, [*line, *named])


def said(folder: Path, *words: str) -> str:
    result = run(folder, *words)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def test_shifts_hours_and_cases(folder: Path) -> None:
    with opened_folder(folder) as service:
        user = service.issuance.register().user_id
        case = service.casework.open_case(user, NOON, by=CONSOLE).case_id
        service.calling.begin_shift(ShiftReason.DAILY_CALLS, NOON, by=RAVI)
    assert said(folder, "team", "hand-over", case, "--to", "ravi") == (
        f"{case} is assigned to ravi\n"
    )
    shown = json.loads(said(folder, "team", "show", "DIR", "--json"))
    (row,) = [row for row in shown["tracers"] if row["name"] == "ravi"]
    assert (row["cases"], row["due"], shown["time_zone"]) == (1, 0, "Asia/Singapore")
    assert row["shift_since"] is not None
    assert "shift (Asia/Singapore)" in " ".join(said(folder, "team", "show", "DIR").split())
    assert said(folder, "team", "end-shift", "ravi") == "The shift of ravi has ended\n"
    assert isinstance(run(folder, "team", "end-shift", "ravi").exception, NotFoundError)
    assert (
        said(folder, "team", "hours", "DIR") == "People are called at any hour (Asia/Singapore)\n"
    )
    hours = "People are called from 09:00 to 20:00 (Asia/Singapore)\n"
    assert said(folder, "team", "hours", "DIR", "--set", "09:00-20:00") == hours
    wrong = run(folder, "team", "hours", "DIR", "--set", "09:00")
    assert isinstance(wrong.exception, InvalidRequestError)
    assert json.loads(said(folder, "team", "hours", "DIR", "--json"))["end"] == "20:00"
    assert "at any hour" in said(folder, "team", "hours", "DIR", "--set", "any")


def test_two_people_reset_a_password_and_one_time_is_local(folder: Path) -> None:
    ada, ben = (("--operator-token", str(folder.parent / name)) for name in ("ada", "ben"))
    asked = ("user", "reset", "ravi", "--password")
    assert isinstance(run(folder, *asked).exception, AccessDeniedError)  # the console is nobody
    assert "chooses another password" in said(folder, *asked, *ada)
    confirmed = ("user", "confirm-reset", "ravi", "--password")
    assert isinstance(run(folder, *confirmed, *ada).exception, AccessDeniedError)
    codes = run(folder, "user", "confirm-reset", "ravi", *ben)
    assert isinstance(codes.exception, NotFoundError)  # nobody asked for that
    shown = json.loads(said(folder, *confirmed, *ben, "--json"))
    assert (shown["name"], len(shown["password"])) == ("ravi", 24)
    assert shown["password"] not in said(folder, "audit", "list", "DIR")
    assert "20:00:00" in said(folder, "audit", "list", "DIR")  # noon in UTC
    assert isinstance(run(folder, *confirmed, *ben).exception, NotFoundError)
    assert said(folder, "user", "roles", "ravi", "--role", "exporter").startswith("ravi has")
    put = said(folder, "bulletin", "put", "Mind the hours", "--until", "2020-05-04T21:00")
    assert "until 2020-05-04 21:00:00 Asia/Singapore" in put  # an hour from now in Singapore
