"""`authority warnings` and `authority case days`: what they print, ask and write."""

import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.presence_world import CAFE, sent
from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.presence.taking import SentTrip
from tracetogether.cli import cli
from tracetogether.cli.authority_folder import create_folder, opened_folder
from tracetogether.crypto import sha256

wall = time.time  # noqa: TID251 - commands read the clock


def run(*words: str, given: str = "") -> str:
    found = CliRunner().invoke(cli, ["authority", *words], input=given)
    assert found.exit_code == 0, found.output
    return found.output


@pytest.fixture
def office(tmp_path: Path) -> tuple[Path, str]:
    """An authority whose only case reported a visit and a trip."""
    place, now = tmp_path / "authority", wall()
    create_folder(place, now=now)
    with opened_folder(place) as service:
        user = service.issuance.register().user_id
        case = service.casework.open_case(user, now, by=CONSOLE)
        pin = service.pins.issue(case, now, by=CONSOLE)
        token = service.intake.redeem_pin(user, pin, sha256(b"log"), now)
        date = time.strftime("%Y-%m-%d", time.gmtime(now - 86_400))
        service.visits.take(token, [sent(CAFE, now - 30 * 3_600)], [SentTrip("SQ322", date)], now)
    return place, case.case_id


def test_a_visit_is_listed_asked_about_and_confirmed_by_name(office: tuple[Path, str]) -> None:
    place, case_id = office
    at = ("--dir", str(place))
    listed = json.loads(run("warnings", "list", *at, "--json"))
    (visit,), (trip,) = listed["visits"], listed["trips"]
    assert (visit["description"], visit["case_id"], trip["service"]) == ("Café", case_id, "SQ322")
    token = ("--token-file", str(place / "operator.token"))
    decide = (visit["visit_id"], "--reason", "called them", *at, *token)
    asked = CliRunner().invoke(cli, ["authority", "warnings", "confirm", *decide], input="n\n")
    assert (asked.exit_code, "Café, Lane 1" in asked.output) == (1, True)
    run("warnings", "confirm", *decide, "--yes")
    few = ("warnings", "confirm-trip", trip["trip_id"], "--reason", "x", *at, *token, "--yes")
    refused = CliRunner().invoke(cli, ["authority", *few, "--aboard", "19"])
    assert (refused.exit_code, "at least 20" in str(refused.exception)) == (1, True)
    run(*few, "--aboard", "200")
    shown = json.loads(run("warnings", "list", *at, "--case", case_id, "--json"))
    assert [shown["visits"][0]["state"], shown["trips"][0]["state"]] == ["released"] * 2
    assert run("warnings", "list", *at).strip().endswith("0 visits, 0 trips")
    made = json.loads(run("warnings", "publish", *at, "--json"))
    assert made["made"] in {0, 2}  # 2 if an hour began meanwhile


def test_the_days_of_a_case_are_fifteen_rows(office: tuple[Path, str]) -> None:
    place, case_id = office
    days = json.loads(run("case", "days", case_id, "--dir", str(place), "--json"))["days"]
    assert len(days) == 15
    assert sum(len(day["visits"]) for day in days) in {1, 2}  # 2 if it reaches over midnight
    assert sum(len(day["trips"]) for day in days) == 1
    assert "Café" in run("case", "days", case_id, "--dir", str(place))
