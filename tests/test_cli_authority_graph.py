"""`tracetogether authority case contacts|graph|onward`, as people see them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.authority_world import DAY, NOON, heard
from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.bluetrace.upload import write_upload
from tracetogether.cli.authority import authority
from tracetogether.cli.authority_folder import create_folder, opened_folder
from tracetogether.crypto import sha256
from tracetogether.units import SECONDS_PER_DAY

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("time.time", lambda: NOON)
    monkeypatch.setenv("COLUMNS", "80")

    def command(*words: str) -> Result:
        result = CliRunner().invoke(authority, words)
        assert result.exit_code == 0, result.output
        return result

    return command


@pytest.fixture
def people(run: Run) -> dict[str, str]:
    """Two cases in ./authority: A met B for hours, on days apart; B met C."""
    create_folder(Path("authority"), now=NOON - 30 * SECONDS_PER_DAY)
    said = {}
    with opened_folder(Path("authority")) as service:
        a, b, c = (service.issuance.register().user_id for _ in range(3))

        def upload(user_id: str, day: int, rows: list[object]) -> str:
            case = service.casework.open_case(user_id, NOON, day, by=CONSOLE)
            body = write_upload(rows)
            pin = service.pins.issue(case, NOON, by=CONSOLE)
            token = service.intake.redeem_pin(user_id, pin, sha256(body), NOON)
            service.intake.take_upload(token, body, NOON)
            service.finder.refresh(case, NOON)
            return case.case_id

        days = [NOON - days * SECONDS_PER_DAY for days in (12, 11, 6, 5)]
        together = [row for day in days for row in heard(service, b, day, 180, rssi_dbm=-45)]
        said["case_a"] = upload(a, DAY - 5, together)
        after = heard(service, c, NOON - 3 * SECONDS_PER_DAY, 30, rssi_dbm=-45)
        said["case_b"] = upload(b, DAY, [*heard(service, a, days[-1], 60, rssi_dbm=-45), *after])
        names = map(service.desk.name_of, (a, b, c))
        said |= dict(zip("abc", names, strict=True))
    return said


def test_tables_fit_eighty_columns_and_lose_nothing(run: Run, people: dict[str, str]) -> None:
    contacts = run("case", "contacts", people["case_a"]).stdout
    graph = run("case", "graph").stdout.split("Assumptions")[0]
    onward = run("case", "onward", people["case_a"]).stdout
    for table in (contacts, graph, onward):
        assert max(map(len, table.splitlines())) <= 80, table
        assert "…" not in table
    (line,) = [line for line in contacts.splitlines() if people["b"] in line]
    (said,) = json.loads(run("case", "contacts", people["case_a"], "--json").stdout)["contacts"]
    assert line.split()[1:3] == [f"{100 * said['probability']:.0f}", "%"]
    assert line.split()[-4:-3] == ["YES"]
    assert line.split()[-3:] == ["4", "04-29", "both"]
    assert "likely" in contacts
    assert "perhaps by" in graph
    for letter in "abc":
        assert people[letter] in graph
    assert people["c"] in onward


def test_the_ranking_never_goes_without_what_it_takes_for_granted(
    run: Run, people: dict[str, str]
) -> None:
    shown = run("case", "graph").stdout
    assert "a ranking, not a finding" in shown
    assert "Lauer et al." in shown
    assert "Ashcroft et al." in shown
    said = json.loads(run("case", "graph", "--json").stdout)
    assert said["assumptions"]
    (first, *_) = [line for line in said["candidates"] if line["infected"] == people["b"]]
    assert first["infector"] == people["a"]


def test_every_switch_has_its_effect(run: Run, people: dict[str, str]) -> None:
    for words in (("case", "graph"), ("case", "onward", people["case_a"])):
        usual = json.loads(run(*words, "--json").stdout)
        other = json.loads(run(*words, "--policy", "swisscovid", "--json").stdout)
        assert usual != other
        moved = run(*words, "--dir", str(Path("authority").rename("elsewhere")), "--json").stdout
        assert json.loads(moved) == usual
        Path("elsewhere").rename("authority")


def test_who_looked_stands_in_the_audit_log(run: Run, people: dict[str, str]) -> None:
    run("case", "graph")
    run("case", "onward", people["case_a"])
    with opened_folder(Path("authority")) as service:
        acts = [entry.act for entry in service.audit.entries(limit=10**6, by=CONSOLE)]
    assert acts[-2:] == ["graph.shown", "contacts.onward_listed"]


def test_no_meetings_is_said(run: Run) -> None:
    run("init")
    assert "No two cases met" in run("case", "graph").stdout


@pytest.mark.parametrize("verb", ["contacts", "onward", "graph", "list"])
def test_a_folder_given_as_an_argument_is_an_error_that_names_the_option(verb: str) -> None:
    words = ["case", verb, *(["CASE"] if verb in {"contacts", "onward"} else []), "desk"]
    result = CliRunner().invoke(authority, words)
    assert result.exit_code == 2
    assert "--dir DIR" in result.output


def test_without_a_folder_the_error_names_the_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(authority, ["case", "contacts", "CASE"])
    assert "--dir DIR" in str(result.exception)
    assert "authority init" in str(result.exception)
