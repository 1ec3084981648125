"""From a place and a poster at the door to warnings on phones: every step as people do it.

A device speaks on the virtual Bluetooth link and phones note it. One of them is a case's, and
uploads its log and visits over HTTP. A tracer warns on the command line.
"""

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.radio_world import HASTY, air, opener, until
from tracetogether.adapters import http_api
from tracetogether.adapters.sqlite_log import SqliteContactLog
from tracetogether.cli import cli
from tracetogether.cli.authority_folder import opened_folder
from tracetogether.cli.node_folder import LOG
from tracetogether.cli.node_live import live
from tracetogether.parameters import PhoneTimings
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_HOUR

pytestmark = [pytest.mark.network, pytest.mark.slow]
wall = time.time  # noqa: TID251 - the commands read this clock
BRISK = PhoneTimings(scan_s=1.0, scan_pause_min_s=0.1, scan_pause_max_s=0.3)
PLACE = "device"


def run(*words: str) -> str:
    found = CliRunner().invoke(cli, list(words))
    assert found.exit_code == 0, found.output + repr(found.exception)
    return found.stdout


def said(*words: str) -> Any:
    return json.loads(run(*words, "--json"))


def one_to_the_other_side(sender: str, receiver: str) -> float | None:
    """The device hangs in a wall: both rooms hear it, and neither hears the other."""
    return -60.0 if PLACE in (sender, receiver) else None


def noted(folder: str, since: float) -> bool:
    with SqliteContactLog.open(Path(folder) / LOG, read_only=True) as log:
        return any(row.as_central for row in log.rows(since))


def stand_near(phones: list[str], now: Callable[[], float]) -> None:
    """Let the device of the place speak until each phone has noted it."""

    async def meet() -> None:
        link, since = air(), now()
        link.level_dbm = one_to_the_other_side
        running = [
            asyncio.ensure_future(
                live(
                    Path(name),
                    opener(link.controller(name), now=now),
                    as_json=True,
                    timings=BRISK,
                    pauses=HASTY,
                    peripheral_only=name == PLACE,
                )
            )
            for name in (PLACE, *phones)
        ]
        try:
            await until(lambda: all(noted(name, since) for name in phones))
        finally:
            for node in running:
                node.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    asyncio.run(meet())


def test_a_place_and_a_poster_warn_who_was_there_once_and_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    begin = wall() // SECONDS_PER_HOUR * SECONDS_PER_HOUR - SECONDS_PER_DAY + 600.0
    real, later = wall(), [0.0]

    def now() -> float:
        return begin + wall_clock() - real + later[0]

    wall_clock = time.time  # noqa: TID251 - the hours pass as the test says
    monkeypatch.setattr("time.time", now)
    said("authority", "init", "authority")
    home = ("--dir", "authority")
    person = ("--reason", "a case", "--yes", "--token-file", "authority/operator.token", *home)
    with (
        opened_folder(Path("authority")) as service,
        http_api.running(http_api.create_app(service, clock=now)) as url,
    ):
        place = said("authority", "place", "add", "Canteen 3", "--out", "place.json", *home)
        said("node", "init", PLACE, "--server", url, "--place", "place.json")
        people = {
            name: said("node", "init", name, "--server", url) for name in ("ann", "ben", "cat")
        }
        run("venue", "poster", "Bar", "--address", "Pier 1", "--out", "bar.png")
        # Ann and ben are at the place and at the bar for 24 minutes; cat is elsewhere.
        started = now()
        for name in ("ann", "ben"):
            said("visit", "in", "bar.png", "--dir", name)
        stand_near(["ann", "ben"], now)
        for minutes in (12, 24):
            later[0] = minutes * 60.0
            stand_near(["ann", "ben"], now)
        for name in ("ann", "ben"):
            assert said("visit", "out", "--dir", name)["ended"]["description"] == "Bar"
        # Ann tests positive.
        case = said("authority", "case", "open", people["ann"]["user_id"], *home)
        sent = said("node", "upload", "ann", "--pin", case["upload_pin"], "--visits")
        assert sent["visits"]["visits"] == 1
        (stay,) = said("authority", "case", "stays", case["case_id"], *home)
        assert stay["place"] == "Canteen 3"
        assert 24 * 60 <= stay["to"] - stay["from"] <= 26 * 60
        assert said("authority", "case", "contacts", case["case_id"], *home)["contacts"] == []
        days = said("authority", "case", "days", case["case_id"], *home)["days"]
        assert sum(len(day["stays"]) for day in days) == 1
        assert sum(day["people"] for day in days) == 0
        # Nothing is out before a tracer decides.
        for name in ("ben", "cat"):
            assert said("visit", "check", "--dir", name)["found"] == []
        (visit,) = said("authority", "warnings", "list", *home)["visits"]
        run("authority", "warnings", "confirm", visit["visit_id"], *person)
        window = ("--since", str(int(started - 60)), "--until", str(int(now() + 60)))
        warned = said("authority", "place", "warn", place["place_id"], *window, *person)
        assert warned["new"] == warned["tempids"] > 0
        later[0] += SECONDS_PER_HOUR
        assert said("authority", "warnings", "publish", *home)["made"] == 1
        found = said("visit", "check", "--dir", "ben")
        assert found["new"] == 2
        assert sorted(line["by"] for line in found["found"]) == ["heard", "visit"]
        (heard,) = [line for line in found["found"] if line["by"] == "heard"]
        assert 24 <= heard["minutes"] <= 26
        assert said("visit", "check", "--dir", "ben")["new"] == 0
        assert said("visit", "check", "--dir", "cat")["found"] == []
        # The next hours bring nothing new to anybody.
        later[0] += SECONDS_PER_HOUR
        assert said("authority", "warnings", "publish", *home)["made"] == 0
        assert [said("visit", "check", "--dir", name)["new"] for name in ("ben", "cat")] == [0, 0]
