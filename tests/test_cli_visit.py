"""`tracetogether venue`, `visit` and `trip`: on the phone alone, and one question for everybody."""

import json
import os
import re
import shutil
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from time import time as wall  # noqa: TID251 - the commands read this clock

import pytest
from click.testing import CliRunner, Result

from tests.integration.test_gate_without_network import no_network
from tests.presence.test_posters import BAR, NZ_PLACE, UK, UK_JWK, nz
from tests.test_plain_text import EVIL, steers
from tracetogether.adapters.qr_images import codes_in
from tracetogether.adapters.sqlite_log import SqliteContactLog
from tracetogether.cli import cli
from tracetogether.crypto import SigningKey
from tracetogether.presence.packages import (
    WarningPackage,
    heard_digest,
    write_bundle,
    write_package,
)
from tracetogether.presence.posters import make_poster, read_poster
from tracetogether.presence.sealed import SealedVisit, WarnedTime
from tracetogether.presence.trips import Trip, TripDay, TripWarning, divided_trips, write_trips
from tracetogether.sightings import Sighting
from tracetogether.signed.trust import TRUST, WARNINGS, TrustedKey, TrustList

HOUR = 3_600
ROOT = Path(__file__).parents[1]
LISTS, WARNER = SigningKey.generate(), SigningKey.generate()


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*words: str, code: int = 0) -> Result:
    found = CliRunner().invoke(cli, list(words))
    assert found.exit_code == code, found.output + repr(found.exception)
    return found


def told(*words: str) -> dict:
    return json.loads(run(*words, "--json").stdout)


# --- posters ---


@pytest.mark.parametrize("ending", ["png", "svg", "html"])
def test_a_poster_is_drawn_and_read_again(ending: str) -> None:
    made = told("venue", "poster", "Bar ⚓", "--address", "Pier 1", "--out", f"bar.{ending}")
    poster = read_poster(made["url"])
    assert poster.location_id.hex() == made["location_id"]
    assert len(made["location_id"]) == 64
    if ending == "png":
        assert codes_in(Path("bar.png").read_bytes()) == [made["url"]]
        assert told("visit", "read", "bar.png")["location_id"] == made["location_id"]
    else:
        assert "<svg" in Path(f"bar.{ending}").read_text()
        refused = run("visit", "read", f"bar.{ending}", code=1)
        assert "PNG and JPEG alone" in str(refused.exception)
    assert Path(f"bar.{ending}").stat().st_mode & 0o044 == 0o044


def test_a_page_to_print_and_a_code_alone_are_one_poster() -> None:
    made = told("venue", "poster", "Hall", "--out", "hall.html", "--out", "hall.png")
    assert made["files"] == ["hall.html", "hall.png"]
    assert told("visit", "read", "hall.png")["location_id"] == made["location_id"]
    assert run("venue", "poster", "Hall", "--out", "a.png", "--out", "a.gif", code=2)
    assert not Path("a.png").exists()


def test_what_is_no_poster_is_refused_with_its_code() -> None:
    assert "(poster-form)" in str(run("visit", "read", "nonsense", code=1).exception)


def test_a_page_to_print_shows_a_name_as_text_and_loads_nothing() -> None:
    told("venue", "poster", "<b>Bar & Co</b>", "--out", "bar.html")
    page = Path("bar.html").read_text()
    assert "<b>Bar" not in page
    assert "&lt;b&gt;Bar &amp; Co&lt;/b&gt;" in page
    assert not re.search(r"(src|href)=|url\(", page)


def test_a_poster_has_times_and_a_kind() -> None:
    made = told(
        "venue", "poster", "Fair", "--kind", "club-activity", "--minutes", "45", "--from",
        "2026-01-02", "--until", "2026-01-03", "--host", "health.example",
    )  # fmt: skip
    shown = told("visit", "read", made["url"])
    assert made["url"].startswith("https://health.example/visit?v=1#")
    assert (shown["kind"], shown["default_minutes"]) == ("club-activity", 45)
    assert shown["end"] - shown["start"] == 86_400
    assert "does not count" in str(run("visit", "in", made["url"], code=1).exception)
    assert run("venue", "poster", "Fair", "--out", "fair.gif", code=2)
    assert run("venue", "poster", "", code=1)


def test_posters_of_others_are_read() -> None:
    Path("nhs.json").write_bytes(UK_JWK)
    signed = UK["cases"][0]["text"]
    assert "none of the given keys" in str(run("visit", "read", signed, code=1).exception)
    assert told("visit", "read", signed, "--key", "nhs.json")["form"] == "nhs"
    shown = told("visit", "read", nz(NZ_PLACE))
    assert (shown["description"], shown["form"]) == ("Dairy", "nz")
    assert told("visit", "in", nz(NZ_PLACE))["description"] == "Dairy"


def test_a_visit_that_cannot_be_reported_is_named_when_it_is_noted_and_when_it_is_chosen() -> None:
    """The authority refuses posters of New Zealand and the NHS, so the phone sends none."""
    noted = run("visit", "in", nz(NZ_PLACE), "--at", str(int(wall()) - HOUR), "--minutes", "20")
    assert "can't be reported" in noted.stdout.replace("\n", " ")
    fine = run("visit", "in", BAR.text, "--at", str(int(wall()) - 2 * HOUR), "--minutes", "20")
    assert "can't be reported" not in fine.stdout.replace("\n", " ")
    with SqliteContactLog.open("node/phone.db") as log:
        log.append([Sighting(wall() - 600, "T1", -60.0)])
    words = ("upload", "node/phone.db", "--visits", "node", "--dry-run")
    seen = told(*words)
    assert (seen["visits"], seen["visits_guessable"], seen["beyond_room"]) == (1, 1, 0)
    shown = " ".join(run(*words).stdout.split())
    assert "Would send 1 visit and 0 trips" in shown
    assert "Not sent 1 visit by posters" in shown


# --- visits ---


def test_a_visit_is_noted_listed_and_forgotten() -> None:
    assert told("visit", "out") == {"ended": None}
    noted = told("visit", "in", BAR.text, "--note", "with Mei")
    assert noted["open"]
    assert noted["end"] - noted["start"] == 90 * 60
    assert told("visit", "out")["ended"]["description"] == BAR.description
    earlier = told("visit", "in", BAR.text, "--at", str(int(wall()) - 7_200), "--minutes", "30")
    assert (earlier["minutes"], earlier["open"]) == (30, False)
    assert [row["note"] for row in told("visit", "list")["visits"]] == ["", "with Mei"]
    assert Path("node/visits.db").stat().st_mode & 0o777 == 0o600
    assert run("visit", "forget", code=2)
    assert told("visit", "forget", "--until", str(int(wall()) - 3_600)) == {"forgotten": 1}
    assert told("visit", "forget", "--place", BAR.description) == {"forgotten": 1}
    assert "No visits" in run("visit", "list").stdout


def test_a_visit_noted_later_changes_no_other() -> None:
    now = int(wall())
    hall = make_poster("Hall", entropy=os.urandom)
    told("visit", "in", BAR.text)
    told("visit", "in", hall.text, "--at", str(now - 1_800))
    rows = told("visit", "list")["visits"]
    assert [(row["description"], row["open"]) for row in rows] == [
        ("Hall", False),
        (BAR.description, True),
    ]
    assert rows[0]["end"] <= rows[1]["start"]


def test_names_of_places_are_shown_as_text_alone() -> None:
    poster = make_poster("[bold]Bar[/bold]", "a" * 100, entropy=os.urandom)
    told("visit", "in", poster.text, "--note", EVIL.replace("\0", ""))
    shown = run("visit", "list").stdout
    assert "[bold]Bar" in shown.replace("\n", "")
    assert not any(steers(mark) and mark != "\n" for mark in shown)


def test_a_check_in_sends_nothing(tmp_path: Path) -> None:
    """It runs without any network, and tries to reach none."""
    trace = tmp_path / "trace"
    watched = shutil.which("strace")
    before = no_network()
    if watched:
        before += [watched, "-f", "-e", "trace=connect,sendto,sendmsg", "-o", str(trace)]
    for words in (
        ["visit", "in", BAR.text],
        ["visit", "out"],
        ["trip", "add", "G1234", "2026-01-25", "--car", "5", "--seat", "12A"],
    ):
        done = subprocess.run(
            [*before, sys.executable, "-m", "tracetogether", *words],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert done.returncode == 0, done.stderr
        if watched:
            assert re.findall(r"(connect|sendto|sendmsg)\(.*", trace.read_text()) == []


# --- warnings ---


@dataclass
class Published:
    """An authority's public answers, and the requests that came, as they were on the line."""

    packages: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    url: str = ""

    def warn(self, *visits: SealedVisit, heard: tuple[str, ...] = (), hours: int = 24) -> None:
        hour = int(wall() // HOUR) - 1
        digests = tuple(map(heard_digest, heard))
        package = WarningPackage(hour, "", visits, digests, hours, "SG_MOH")
        self.bundle(hour, write_package(package, WARNER, WARNER.public.kid))

    def bundle(self, hour: int, *messages: bytes) -> None:
        self.packages[f"/v1/warnings/{hour}/bundle"] = write_bundle(messages)


def trust_list() -> bytes:
    rows = [
        TrustedKey(LISTS.public.kid, LISTS.public, "SG_MOH", "", frozenset({TRUST}), 1, 4e9),
        TrustedKey(WARNER.public.kid, WARNER.public, "SG_MOH", "", frozenset({WARNINGS}), 1, 4e9),
    ]
    now = int(wall())
    return TrustList(rows, organisation="SG_MOH", issued=now, expires=now + 86_400).sign(LISTS)


@contextmanager
def publishing() -> Iterator[Published]:
    found = Published()
    found.packages["/v1/trust"] = json.dumps({"trust": b64encode(trust_list()).decode()}).encode()

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append(self.path)
            found.heads.append(f"{self.requestline}\n{self.headers}")
            body = found.packages.get(self.path)
            self.send_response(404 if body is None else 200)
            missing = {"error": {"code": "not_found", "message": "there is none"}}
            body = json.dumps(missing).encode() if body is None else body
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    Thread(target=server.serve_forever, daemon=True).start()
    found.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def site() -> Iterator[Published]:
    with publishing() as found:
        yield found


def warning_of_an_hour_ago(place: bytes = BAR.location_id) -> SealedVisit:
    first = int(wall() - HOUR) // 600
    return SealedVisit.seal(place, WarnedTime(first, 3), os.urandom)


def test_a_warned_place_is_found_and_shown_once(site: Published) -> None:
    began = str(int(wall()) - HOUR)
    told("visit", "in", BAR.text, "--at", began, "--minutes", "40")
    site.warn(warning_of_an_hour_ago(), SealedVisit.fake(os.urandom))
    first = told("visit", "check", "--server", site.url)
    assert first["new"] == 1
    (found,) = first["found"]
    assert found["description"] == BAR.description
    assert 20 <= found["minutes"] <= 30
    assert set(found) == {"description", "address", "start", "end", "minutes", "by", "new"}
    again = told("visit", "check", "--server", site.url)
    assert (again["new"], [row["new"] for row in again["found"]]) == (0, [False])
    site.warn(warning_of_an_hour_ago())  # the same warning, sealed again
    assert told("visit", "check", "--server", site.url)["new"] == 0
    words = run("visit", "check", "--server", site.url, "--dir", "other").stdout
    assert "No new warning" in words


def test_what_is_said_is_the_same_place_and_never_a_close_contact(site: Published) -> None:
    told("visit", "in", BAR.text, "--at", str(int(wall()) - HOUR), "--minutes", "40")
    site.warn(warning_of_an_hour_ago())
    words = run("visit", "check", "--server", site.url).stdout
    assert "You were in the same place as a person who tested positive" in words
    assert "does not mean that you were close" in words
    assert "close contact" not in words


def test_one_check_is_one_request_the_same_for_everybody(site: Published) -> None:
    site.warn(warning_of_an_hour_ago(), heard=("T1",))
    hour = int(wall() // HOUR) - 1
    told("visit", "in", BAR.text, "--dir", "one")
    for folder in ("one", "other"):
        told("visit", "check", "--server", site.url, "--dir", folder)
    assert (
        site.asked == [f"/v1/warnings/{hour}/bundle", "/v1/trust"] * 2
    )  # who may warn is noted once
    site.asked.clear()
    site.heads.clear()
    told("visit", "in", nz(NZ_PLACE), "--dir", "other")
    for folder in ("one", "other"):
        told("visit", "check", "--server", site.url, "--dir", folder)
    assert site.asked == [f"/v1/warnings/{hour}/bundle"] * 2
    assert len(set(site.heads)) == 1
    assert "Authorization" not in site.heads[0]


def test_a_place_that_the_phone_heard_is_found(site: Published) -> None:
    now = wall()
    Path("node").mkdir(mode=0o700)
    with SqliteContactLog.open("node/phone.db") as log:
        log.append([Sighting(now - 4_000 + 60 * at, "T1", -60.0) for at in range(0, 15, 2)])
    site.warn(heard=("T1", "T2"))
    (found,) = told("visit", "check", "--server", site.url)["found"]
    assert (found["by"], found["minutes"], found["description"]) == ("heard", 14, "")
    shutil.copytree("node", "copy", ignore=shutil.ignore_patterns("visits.db"))
    shown = run("visit", "check", "--server", site.url, "--dir", "copy").stdout
    assert "a place that your phone noted" in shown


def test_warnings_by_another_key_are_refused(site: Published) -> None:
    site.warn(warning_of_an_hour_ago())
    told("visit", "check", "--server", site.url)
    stranger = SigningKey.generate()
    hour = int(wall() // HOUR) - 1
    forged = WarningPackage(hour, organisation="SG_MOH")
    site.bundle(hour, write_package(forged, stranger, WARNER.public.kid))
    refused = run("visit", "check", "--server", site.url, code=1)
    assert "nobody signed" in str(refused.exception)


def test_earlier_warnings_that_were_not_asked_for_are_named(site: Published) -> None:
    told("visit", "in", BAR.text, "--at", str(int(wall()) - 5 * 86_400))
    now = int(wall() // HOUR) - 1
    for hour in range(now - 36 * 10, now + 1, 36):
        site.bundle(hour)
    shown = run("visit", "check", "--server", site.url)
    assert "--days 14" in shown.stderr
    site.asked.clear()
    told("visit", "check", "--server", site.url, "--days", "14")
    assert site.asked == [f"/v1/warnings/{now - 36 * at}/bundle" for at in range(10)]


def test_an_authority_without_warnings_is_named(site: Published) -> None:
    refused = run("visit", "check", "--server", site.url, code=1)
    assert "publishes no warnings" in str(refused.exception)


# --- trips ---


def trips(
    site: Published, *found: TripWarning, day: str = "2026-11-20", divided: bool = False
) -> None:
    number = Trip.of("G1", day).day
    whole = TripDay(number, "", found, organisation="SG_MOH")
    for prefix, part in divided_trips(whole, 0 if divided else 10**6).items():
        query = "" if prefix is None else f"?prefix={prefix:02x}"
        site.packages[f"/v1/trips/{day}{query}"] = write_trips(part, WARNER, WARNER.public.kid)


@pytest.mark.parametrize("divided", [False, True])
def test_a_trip_of_a_case_is_found(site: Published, divided: bool) -> None:
    train = Trip.of("G1234", "2026-11-20", "5")
    others = (TripWarning.of(Trip.of(f"G{number}", "2026-11-20", "1")) for number in range(1, 40))
    trips(site, TripWarning.of(train, 9, 12), *others, divided=divided)
    words = ["G1234", "2026-11-20", "--car", "5", "--server", site.url]
    near = told("trip", "check", *words, "--seat", "10A")["found"]
    assert [(row["rows_apart"], row["near"]) for row in near] == [({"least": 0, "most": 2}, "yes")]
    (far,) = told("trip", "check", *words, "--seat", "1F")["found"]
    assert far["near"] == "no"
    (unknown,) = told("trip", "check", *words)["found"]
    assert (unknown["rows_apart"], unknown["near"]) == (None, "unknown")
    assert told("trip", "check", *["G1234", "2026-11-20", "--car", "6", *words[4:]])["found"] == []
    asked = {path for path in site.asked if "trips" in path}
    if divided:
        assert all(
            re.fullmatch(r"/v1/trips/2026-11-20(\?prefix=[0-9a-f]{2})?", path) for path in asked
        )
    else:
        assert asked == {"/v1/trips/2026-11-20"}
    assert "10A" not in "".join(site.heads)


def test_noted_trips_are_checked_all_at_once(site: Published) -> None:
    day = "2026-11-20"
    assert "Too old" in run("trip", "add", "G1234", "2020-01-25").stdout
    assert told("trip", "add", "G1234", "2020-01-25")["kept"] is False
    run("trip", "add", "g1234", day, "--car", "05", "--seat", "12a")
    run("trip", "add", "SQ322", day)
    trips(site, TripWarning.of(Trip.of("SQ0322", day)), day=day)
    shown = run("trip", "check", "--server", site.url).stdout
    assert "the same flight: SQ SQ322" in shown
    assert len([path for path in site.asked if "trips" in path]) == 1
    assert [row["seat"] for row in told("trip", "list")["trips"]] == ["12A", ""]
    assert told("trip", "forget", "G1234", day, "--car", "5") == {"forgotten": 1}
    assert len(told("trip", "list")["trips"]) == 1
    assert run("trip", "check", "G1", code=2)
    assert run("trip", "add", "ICE 599", day, code=1)
