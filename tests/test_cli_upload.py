"""`tracetogether upload`, against a real server on loopback."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.authority_world import NOON, OPERATOR_TOKEN, World
from tracetogether.adapters import http_api
from tracetogether.adapters.http_client import AuthorityClient
from tracetogether.adapters.sqlite_log import SqliteContactLog
from tracetogether.bluetrace.upload import write_upload
from tracetogether.cli.upload import upload
from tracetogether.errors import (
    AccessDeniedError,
    ConflictError,
    InvalidUploadError,
    StoreError,
    UnreachableError,
)
from tracetogether.sightings import Sighting
from tracetogether.units import Entropy

pytestmark = pytest.mark.network
ROOT = Path(__file__).parent.parent


@dataclass
class Patient:
    """A phone's log and credential in the current folder, and its case at an authority."""

    url: str
    pin: str
    case_id: str
    rows: list[Sighting]
    operator: AuthorityClient
    world: World

    def run(self, log: str = "phone.db", pin: str | None = None, *more: str) -> Result:
        words = [log, "--pin", pin or self.pin, "--server", self.url, *more]
        return CliRunner().invoke(upload, words)


@pytest.fixture
def patient(entropy: Entropy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Patient]:
    monkeypatch.chdir(tmp_path)
    world = World.of(entropy)
    rows = world.heard(world.user(), NOON - 3600, 10)
    with SqliteContactLog.open("phone.db", now=NOON) as log:
        log.append(rows)
    app = http_api.create_app(world.authority, clock=lambda: NOON)
    with (
        http_api.running(app) as url,
        AuthorityClient(url) as phone,
        AuthorityClient(url, operator_token=OPERATOR_TOKEN) as operator,
    ):
        who = phone.register()
        who.save(Path("phone.credential"))
        case_id = operator.open_case(who.user_id)
        yield Patient(url, operator.issue_pin(case_id), case_id, rows, operator, world)


def test_a_phones_database_is_sent(patient: Patient) -> None:
    result = patient.run()
    assert result.exit_code == 0, result.output
    assert "Sent      30 records" in result.stdout
    assert "Accepted  30 of 30" in result.stdout
    assert patient.operator.contacts(patient.case_id)["accepted"] == 30


def test_the_log_on_the_phone_stays_as_it_was(patient: Patient) -> None:
    before = Path("phone.db").read_bytes()
    assert patient.run().exit_code == 0
    assert Path("phone.db").read_bytes() == before


def test_a_file_in_opentraces_json_is_sent_as_it_is(patient: Patient) -> None:
    body = json.dumps(json.loads(write_upload(patient.rows)), indent=3).encode()
    Path("log.json").write_bytes(body)
    result = patient.run("log.json", None, "--credential", "phone.credential", "--json")
    assert json.loads(result.stdout) == {
        "sent": 30,
        "bytes": len(body),
        "records": 30,
        "accepted": 30,
        "rejected": {},
    }


def test_rejections_are_printed(patient: Patient) -> None:
    Path("phone.json").write_bytes(write_upload([*patient.rows, Sighting(NOON, "x", -60)]))
    result = patient.run("phone.json")
    assert "Accepted  30 of 31" in result.stdout
    assert "Rejected  1: failed_decryption" in result.stdout


def test_a_wrong_pin_is_an_error_and_the_right_one_still_works(patient: Patient) -> None:
    wrong = f"{(int(patient.pin) + 1) % 10**8:08d}"
    assert isinstance(patient.run(pin=wrong).exception, AccessDeniedError)
    short = patient.run(pin="12")
    assert short.exit_code == 2
    assert "8 digits" in short.stderr
    assert patient.run().exit_code == 0
    twice = patient.run()  # a PIN is used once
    assert isinstance(twice.exception, ConflictError)
    assert "already received with this upload PIN, at 20" in str(twice.exception)
    assert not list(Path().glob("*.attempt"))


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"\x00\xff" * 100, b'{"records": []}'.ljust(16_000_001)],
    ids=["empty", "no log", "binary", "too large"],
)
def test_what_is_no_log_costs_no_pin(patient: Patient, content: bytes) -> None:
    Path("bad.json").write_bytes(content)
    result = patient.run("bad.json", None, "--credential", "phone.credential")
    assert isinstance(result.exception, InvalidUploadError)
    if content[:1] not in b"[{":
        assert "bad.json is not a contact log: give the phone's database" in str(result.exception)
    assert patient.run().exit_code == 0


def test_a_pin_may_be_typed_as_it_was_read_out(patient: Patient) -> None:
    assert patient.run(pin=f"{patient.pin[:4]} {patient.pin[4:]}").exit_code == 0


def test_an_empty_log_costs_no_pin(patient: Patient) -> None:
    Path("empty.json").write_bytes(write_upload([]))
    result = patient.run("empty.json", None, "--credential", "phone.credential")
    assert isinstance(result.exception, InvalidUploadError)
    assert "still valid" in str(result.exception)
    assert patient.run().exit_code == 0


def test_a_missing_log_or_credential_is_an_error(patient: Patient) -> None:
    result = patient.run("none.db", None, "--credential", "phone.credential")
    assert isinstance(result.exception, StoreError)
    assert "none.db" in str(result.exception)
    Path("phone.credential").rename("elsewhere")
    result = patient.run()
    assert isinstance(result.exception, StoreError)
    assert "there is no phone.credential" in str(result.exception)
    assert "--credential" in str(result.exception)
    nothing = patient.run("none.db")
    assert "there is no contact log none.db" in str(nothing.exception)
    assert patient.run("phone.db", None, "--credential", "elsewhere").exit_code == 0


def test_a_database_that_is_no_log_is_an_error(patient: Patient) -> None:
    Path("phone.db").write_bytes(b"SQLite format 3\x00" + bytes(100))
    assert isinstance(patient.run().exception, StoreError)


def test_secrets_do_not_leave_in_clear(patient: Patient) -> None:
    words = ["phone.db", "--pin", patient.pin, "--server", "http://health.example"]
    result = CliRunner().invoke(upload, words)
    assert isinstance(result.exception, UnreachableError)
    assert "--allow-plain-http" in str(result.exception)


def test_a_dry_run_says_what_would_go_and_nothing_does(patient: Patient) -> None:
    earlier = patient.world.heard(patient.world.user(), NOON - 3 * 86_400, 5)
    with SqliteContactLog.open("phone.db", now=NOON) as log:
        log.append(earlier)
    Path("phone.credential").unlink()  # not even that is needed
    result = CliRunner().invoke(upload, ["phone.db", "--dry-run", "--json"])
    seen = json.loads(result.stdout)
    assert (seen["records"], seen["would_send"], seen["fits"]) == (45, 45, True)
    assert [(day["date"], day["records"]) for day in seen["days"]] == [
        ("2020-05-01", 15),
        ("2020-05-04", 30),
    ]
    with SqliteContactLog.open("phone.db", read_only=True) as log:
        assert seen["bytes"] == len(write_upload(log.rows()))
    words = ["phone.db", "--dry-run", "--leave-out", "2020-05-01..2020-05-01"]
    table = CliRunner().invoke(upload, words).stdout
    assert "Would send  30 of 45 records" in table
    assert "Nothing was sent" in table
    assert patient.operator.contacts(patient.case_id)["uploads"] == 0


@pytest.mark.parametrize(
    ("words", "sent"),
    [
        (["--since", "2020-05-04"], 30),
        (["--until", "2020-05-03"], 15),
        (["--until", "2020-05-01"], 15),  # a date is that whole day
        (["--leave-out", "2020-05-04T11:00..2020-05-04T11:05"], 30),
        (
            [
                "--leave-out",
                "2020-05-01..2020-05-03",
                "--leave-out",
                "2020-05-04T11:05..2020-05-04",
            ],
            15,
        ),
    ],
)
@pytest.mark.parametrize("log", ["phone.db", "phone.json"])
def test_a_period_is_left_out(patient: Patient, log: str, words: list[str], sent: int) -> None:
    rows = [*patient.world.heard(patient.world.user(), NOON - 3 * 86_400, 5), *patient.rows]
    with SqliteContactLog.open("phone.db", now=NOON) as phone:
        phone.append(rows[:15])
    Path("phone.json").write_bytes(write_upload(rows))
    seen = json.loads(CliRunner().invoke(upload, [log, "--dry-run", "--json", *words]).stdout)
    result = patient.run(log, None, *words, "--json")
    assert result.exit_code == 0, result.output
    receipt = json.loads(result.stdout)
    assert receipt["accepted"] == receipt["sent"] == seen["would_send"] == sent
    assert receipt["bytes"] == seen["bytes"]


def test_nothing_left_or_a_wrong_period_costs_no_pin(patient: Patient) -> None:
    result = patient.run("phone.db", None, "--until", "2019-01-01")
    assert isinstance(result.exception, InvalidUploadError)
    assert "leave less out" in str(result.exception)
    for words in (
        ["--leave-out", "2020-05-04"],
        ["--leave-out", "2020-05-04..2020-05-03"],
        ["--since", "soon"],
    ):
        result = patient.run("phone.db", None, *words)
        assert result.exit_code == 2
        assert words[0] == "--since" or "or 2020-05-04..2020-05-04" in result.stderr
    missing = CliRunner().invoke(upload, ["phone.db", "--pin", patient.pin])
    assert missing.exit_code == 2
    assert "--server" in missing.stderr
    assert patient.run().exit_code == 0


def test_a_log_that_is_too_large_is_an_error_that_names_the_remedy(patient: Patient) -> None:
    text = write_upload(patient.rows).decode()
    (start, end) = text.split("[", 1)
    more = end.split("]", 1)[0]
    large = start + "[" + ",".join([more] * (16_000_000 // len(more) + 2)) + end[len(more) :]
    Path("phone.json").write_text(large, "utf-8")
    result = patient.run("phone.json")
    assert isinstance(result.exception, InvalidUploadError)
    assert "--leave-out" in str(result.exception)
    seen = CliRunner().invoke(upload, ["phone.json", "--dry-run"]).stdout
    assert "Too large" in seen
    assert patient.run().exit_code == 0


DYING = """
import os, signal, sys
from tracetogether.adapters.http_client import AuthorityClient
from tracetogether.cli.upload import upload

step, when, *words = sys.argv[1:]
real = getattr(AuthorityClient, step)

def dying(*args, **named):
    if when == "after":
        real(*args, **named)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(AuthorityClient, step, dying)
upload(words)
"""


@pytest.mark.parametrize(
    ("step", "when"), [("redeem_pin", "before"), ("redeem_pin", "after"), ("upload", "after")]
)
def test_threat_crash_of_an_upload_continues_as_the_same_attempt(
    patient: Patient, step: str, when: str
) -> None:
    words = ["phone.db", "--pin", patient.pin, "--server", patient.url]
    done = subprocess.run(
        [sys.executable, "-c", DYING, step, when, *words],
        check=False,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=120,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    left = Path("phone.attempt")
    assert left.stat().st_mode & 0o777 == 0o600
    name = json.loads(left.read_text())["attempt"]
    with SqliteContactLog.open("phone.db", now=NOON) as log:
        log.append(patient.rows[:1])  # the phone has gone on hearing: the log has grown
    asked = []
    real = AuthorityClient.redeem_pin

    def seen(self: AuthorityClient, pin: str, body: bytes, *, attempt: str | None = None) -> str:
        asked.append(attempt)
        return real(self, pin, body, attempt=attempt)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AuthorityClient, "redeem_pin", seen)
        result = patient.run("phone.db", None, "--json")
    assert result.exit_code == 0, result.output
    assert asked == [name]
    assert "started before" in result.stderr
    said = json.loads(result.stdout)
    assert said["sent"] == 30
    assert ("already_received" in said) == (step == "upload")
    assert patient.operator.contacts(patient.case_id)["uploads"] == 1
    assert not left.exists()


def test_an_unreachable_authority_leaves_an_attempt_and_other_wishes_begin_another(
    patient: Patient,
) -> None:
    away = ["phone.db", "--pin", patient.pin, "--server", "http://127.0.0.1:1"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tracetogether.adapters.http_client.Retry.sleep", lambda *_: None)
        assert isinstance(CliRunner().invoke(upload, away).exception, UnreachableError)
    first = json.loads(Path("phone.attempt").read_text())["attempt"]
    Path("short.json").write_bytes(write_upload(patient.rows[:5]))
    result = patient.run("short.json", None, "--credential", "phone.credential", "--json")
    assert json.loads(result.stdout)["sent"] == 5  # never what was asked for before
    assert "started before" not in result.stderr
    assert first
    assert not Path("phone.attempt").exists()


def test_a_refused_pin_leaves_no_copy_of_the_log_behind(patient: Patient) -> None:
    wrong = f"{(int(patient.pin) + 1) % 10**8:08d}"
    assert isinstance(patient.run(pin=wrong).exception, AccessDeniedError)
    assert not Path("phone.attempt").exists()
    assert patient.run().exit_code == 0
    assert not Path("phone.attempt").exists()


@pytest.mark.parametrize("damaged", ["", "{}", '{"attempt": "a", "asked": "zz", "log": ""}'])
def test_a_damaged_attempt_is_an_error(patient: Patient, damaged: str) -> None:
    left = Path("phone.attempt")
    left.write_text(damaged)
    left.chmod(0o600)
    assert "remove it" in str(patient.run().exception)
    left.chmod(0o644)
    assert "chmod 600" in str(patient.run().exception)
    left.unlink()
    assert patient.run().exit_code == 0


@pytest.mark.parametrize("left_out", ["log", "--pin", "--server"])
def test_wrong_use(left_out: str) -> None:
    words = {"log": ["phone.db"], "--pin": ["--pin", "1"], "--server": ["--server", "u"]}
    given = [word for name, part in words.items() if name != left_out for word in part]
    assert CliRunner().invoke(upload, given).exit_code == 2
