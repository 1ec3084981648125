"""From a poster at the door to a warning on another phone, over a real server."""

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.authority_world import World
from tests.presence_world import MEI
from tracetogether.adapters import http_api
from tracetogether.adapters.sqlite_log import SqliteContactLog
from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.presence.deciding import SeatRow
from tracetogether.cli import cli
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, Entropy

pytestmark = pytest.mark.network
wall = time.time  # noqa: TID251 - the commands read this clock


def said(*words: str) -> dict:
    found = CliRunner().invoke(cli, [*words, "--json"])
    assert found.exit_code == 0, found.output + repr(found.exception)
    return json.loads(found.stdout)


def test_a_case_reports_a_visit_and_another_phone_finds_the_same_place(
    tmp_path: Path, entropy: Entropy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    began = wall()
    world = World.of(entropy, since=began - 10 * SECONDS_PER_DAY)
    authority, now = world.authority, [began]
    monkeypatch.setattr("time.time", lambda: now[0])
    with http_api.running(http_api.create_app(authority, clock=lambda: now[0])) as url:
        poster = said("venue", "poster", "Bar", "--address", "Pier 1", "--out", "bar.png")["url"]
        case = said("node", "init", "case", "--server", url)
        said("node", "init", "guest", "--server", url)
        said("visit", "in", "bar.png", "--dir", "case")
        said("trip", "add", "G1234", "2020-01-25", "--car", "5", "--dir", "case")  # too long ago
        now[0] += 600
        said("visit", "in", poster, "--dir", "guest")
        now[0] += 1_800
        assert said("visit", "out", "--dir", "case")["ended"]["minutes"] == 40
        case_id = authority.casework.open_case(case["user_id"], now[0], by=CONSOLE)
        pin = authority.pins.issue(case_id, now[0], by=CONSOLE)
        with SqliteContactLog.open("case/phone.db", now=now[0]) as log:
            log.append(world.heard(world.user(), now[0] - 600, 1))
        receipt = said("node", "upload", "case", "--pin", pin, "--visits")
        assert receipt["visits"]["visits"] == 1
        assert not Path("case/phone.attempt").exists()
        (line,) = authority.warnings.waiting(by=CONSOLE)[0]
        assert line.visit is not None
        assert line.visit.description == "Bar"
        empty = said("visit", "check", "--dir", "guest")
        assert empty["found"] == []
        authority.warnings.confirm(line.kept.visit_id, "called the bar", now[0], by=MEI)
        now[0] += SECONDS_PER_HOUR
        assert authority.publishing.publish(now[0]) == 1
        now[0] += 60
        (found,) = said("visit", "check", "--dir", "guest")["found"]
        assert (found["description"], found["new"]) == ("Bar", True)
        assert 50 <= found["minutes"] <= 70  # the air counts for half an hour more
        assert said("visit", "check", "--dir", "guest")["new"] == 0


def test_a_phone_that_heard_nobody_reports_visits_and_names_what_is_refused(
    tmp_path: Path, entropy: Entropy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    now = wall()
    authority = World.of(entropy, since=now - 10 * SECONDS_PER_DAY).authority
    with http_api.running(http_api.create_app(authority)) as url:
        case = said("node", "init", "case", "--server", url)
        for name, days in (("Bar", 0), ("Pool", 3)):
            said("venue", "poster", name, "--out", f"{name}.png")
            begin = str(int(now - days * SECONDS_PER_DAY - SECONDS_PER_HOUR))
            said("visit", "in", f"{name}.png", "--at", begin, "--minutes", "30", "--dir", "case")
        case_id = authority.casework.open_case(case["user_id"], now, by=CONSOLE)
        pin = authority.pins.issue(case_id, now, by=CONSOLE)
        refused = CliRunner().invoke(cli, ["node", "upload", "case", "--pin", pin])
        assert "the PIN is still valid" in str(refused.exception)
        done = CliRunner().invoke(cli, ["node", "upload", "case", "--pin", pin, "--visits"])
    assert done.exit_code == 0, done.output
    shown = " ".join(done.stdout.split())
    assert "Sent 0 records" in shown
    assert "Visits 1 visit and 0 trips accepted" in shown
    assert "Refused Pool, " in shown
    assert "it was before your phone registered" in shown


@pytest.mark.parametrize("divided", [False, True])
def test_a_case_reports_a_train_and_a_passenger_sees_how_far_apart_they_sat(
    tmp_path: Path, entropy: Entropy, monkeypatch: pytest.MonkeyPatch, *, divided: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    began = wall() // SECONDS_PER_DAY * SECONDS_PER_DAY + SECONDS_PER_DAY / 2
    world = World.of(entropy, since=began - 10 * SECONDS_PER_DAY)
    authority, now = world.authority, [began]
    monkeypatch.setattr("time.time", lambda: now[0])
    today = time.strftime("%Y-%m-%d", time.gmtime(began))
    with http_api.running(http_api.create_app(authority, clock=lambda: now[0])) as url:
        case = said("node", "init", "case", "--server", url)
        said("node", "init", "guest", "--server", url)
        said("trip", "add", "G1234", today, "--car", "5", "--seat", "12A", "--dir", "case")
        said("trip", "add", "g1234", today, "--car", "05", "--seat", "10F", "--dir", "guest")
        said("trip", "add", "G7", today, "--car", "1", "--seat", "1A", "--dir", "guest")
        case_id = authority.casework.open_case(case["user_id"], now[0], by=CONSOLE)
        pin = authority.pins.issue(case_id, now[0], by=CONSOLE)
        with SqliteContactLog.open("case/phone.db", now=now[0]) as log:
            log.append(world.heard(world.user(), now[0] - 600, 1))
        receipt = said("node", "upload", "case", "--pin", pin, "--visits")
        assert receipt["visits"]["trips"] == 1
        assert said("trip", "check", "--dir", "guest")["found"] == []
        (shown,) = authority.warnings.waiting(by=CONSOLE)[1]
        authority.warnings.state_aboard(
            shown.kept.trip_id, 85, "by the list", now[0], seat=SeatRow(12, 18), by=MEI
        )
        now[0] += SECONDS_PER_HOUR
        whole_day = 0 if divided else authority.publishing.whole_day_bytes
        assert replace(authority.publishing, whole_day_bytes=whole_day).publish(now[0]) == 1
        now[0] += 60
        (found,) = said("trip", "check", "--dir", "guest")["found"]
        assert (found["service"], found["car"], found["near"]) == ("G1234", "5", "yes")
        assert found["rows_apart"] == {"least": 0, "most": 3}
        words = ("trip", "check", "G1234", today, "--car", "5", "--dir", "guest")
        assert said(*words)["found"][0]["near"] == "unknown", "no seat was given"
        assert said(*words, "--seat", "1A")["found"][0]["near"] == "no"
        shown_words = CliRunner().invoke(cli, words).output
        assert "near" not in shown_words
