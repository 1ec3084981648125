"""`tracetogether authority`, on real folders."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import urllib3
from click.testing import CliRunner, Result

from tests.authority_world import DAY, NOON, heard
from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.bluetrace.tempid import OpenedTempID, TempIDIssuer
from tracetogether.bluetrace.upload import write_upload
from tracetogether.cli import authority_folder
from tracetogether.cli.authority import authority
from tracetogether.cli.authority_folder import create_folder, opened_folder
from tracetogether.crypto import sha256
from tracetogether.errors import (
    AuthorityError,
    ClockError,
    InvalidRequestError,
    KeyRingError,
    MissingExtraError,
    NotFoundError,
    StoreError,
)
from tracetogether.keyring import KeyRing
from tracetogether.rejection import Rejection
from tracetogether.units import SECONDS_PER_DAY, utc_day

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs a command at NOON, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("time.time", lambda: NOON)

    def command(*words: str) -> Result:
        return CliRunner().invoke(authority, words)

    return command


def facts(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def desk(run: Run) -> Path:
    """An authority in ./authority."""
    assert run("init").exit_code == 0
    return Path("authority")


def new_user(folder: Path) -> str:
    with opened_folder(folder) as service:
        return service.issuance.register().user_id


def take(folder: Path, world_rows: list[Any], case_id: str, pin: str) -> None:
    body = write_upload(world_rows)
    with opened_folder(folder) as service:
        case = service.casework.case(case_id, by=CONSOLE)
        token = service.intake.redeem_pin(case.user_id, pin, sha256(body), NOON)
        service.intake.take_upload(token, body, NOON)


def rows_of(folder: Path, user_id: str, start: float, minutes: float) -> list[Any]:
    """Return what a phone writes down that hears the user."""
    with opened_folder(folder) as service:
        return heard(service, user_id, start, minutes, rssi_dbm=-45)


# --- init ---


def test_init_makes_a_folder_for_its_owner_alone(run: Run) -> None:
    result = run("init", "desk")
    assert result.exit_code == 0
    folder = Path("desk")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    files = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert files == {"authority.db": 0o600, "keys.txt": 0o600, "operator.token": 0o600}
    token = (folder / "operator.token").read_text().strip()
    assert token not in result.output
    assert "desk/operator.token" in result.output
    assert "authority serve desk" in result.output
    with opened_folder(folder) as service:
        service.access.operator(token)
    assert KeyRing.load(folder / "keys.txt").oldest_day == DAY


@pytest.mark.parametrize("name", ["", "  ", "SG\x1b[2J", "SG\u202eHOM", "SG\nMOH"])
def test_init_refuses_a_name_that_is_no_plain_text(run: Run, name: str) -> None:
    result = run("init", "desk", "--name", name)
    assert isinstance(result.exception, AuthorityError)
    assert "check --name" in str(result.exception)
    assert not Path("desk").exists()


def test_init_closes_an_empty_folder_and_leaves_a_full_one_alone(run: Run) -> None:
    empty, full = Path("empty"), Path("full")
    for folder in (empty, full):
        folder.mkdir(mode=0o755)
        folder.chmod(0o755)
    assert run("init", "empty").exit_code == 0
    assert stat.S_IMODE(empty.stat().st_mode) == 0o700
    (full / "notes.txt").write_text("for all to read")
    result = run("init", "full")
    assert isinstance(result.exception, StoreError)
    assert "chmod 700 full" in str(result.exception)
    assert stat.S_IMODE(full.stat().st_mode) == 0o755
    assert [path.name for path in full.iterdir()] == ["notes.txt"]
    full.chmod(0o700)
    assert run("init", "full").exit_code == 0


def test_init_overwrites_nothing(run: Run, desk: Path) -> None:
    before = {path: path.read_bytes() for path in desk.iterdir()}
    result = run("init")
    assert isinstance(result.exception, StoreError)
    assert "already" in str(result.exception)
    assert {path: path.read_bytes() for path in desk.iterdir()} == before
    (desk / "authority.db").unlink()
    (desk / "operator.token").unlink()
    assert isinstance(run("init").exception, StoreError)
    assert (desk / "keys.txt").read_bytes() == before[desk / "keys.txt"]


def test_init_that_fails_leaves_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, _secret: str) -> None:
        raise StoreError(f"can't write {path}: No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(authority_folder, "create_secret", full)
        result = run("init")
    assert isinstance(result.exception, StoreError)
    assert "No space left" in str(result.exception)
    assert list(Path("authority").iterdir()) == []
    assert run("init").exit_code == 0


def test_init_refuses_the_path_of_a_file(run: Run) -> None:
    Path("file").write_text("")
    assert run("init", "file").exit_code == 2
    result = run("init", "file/below")
    assert isinstance(result.exception, StoreError)


def test_an_authority_made_just_after_midnight_issues_at_once(tmp_path: Path) -> None:
    midnight = 1_600_041_600.0
    create_folder(tmp_path / "desk", now=midnight + 5)
    with opened_folder(tmp_path / "desk") as service:
        user = service.issuance.register()
        assert len(service.issuance.batch(user.user_id, midnight + 10)) == 100


def test_init_in_json(run: Run) -> None:
    assert facts(run("init", "desk", "--name", "AU_DTA", "--json")) == {
        "dir": "desk",
        "name": "AU_DTA",
        "operator_token_file": "desk/operator.token",
    }


@pytest.mark.parametrize(
    "words", [("case", "list"), ("case", "open", "x"), ("case", "contacts", "x"), ("purge",)]
)
def test_without_an_authority_the_error_names_the_remedy(run: Run, words: tuple[str, ...]) -> None:
    result = run(*words)
    assert isinstance(result.exception, StoreError)
    assert "no authority in the folder authority: " in str(result.exception)
    assert "authority init" in str(result.exception)


def test_a_restore_of_what_is_no_backup_asks_for_another_one(run: Run, desk: Path) -> None:
    Path("table.csv").write_text("t,rssi\n" * 200)
    failure = run("restore", "table.csv").exception
    assert isinstance(failure, StoreError)
    assert str(failure) == "table.csv is not a backup, or is damaged: give another backup"


def test_keys_that_others_can_read_are_refused(run: Run, desk: Path) -> None:
    (desk / "keys.txt").chmod(0o640)
    result = run("case", "list")
    assert isinstance(result.exception, KeyRingError)
    assert "chmod 600" in str(result.exception)


@pytest.mark.parametrize("words", [("case", "list"), ("time-zone", "--set", "Asia/Singapore")])
def test_lost_keys_are_named_with_the_remedy(run: Run, desk: Path, words: tuple[str, ...]) -> None:
    (desk / "keys.txt").unlink()
    result = run(*words)
    assert isinstance(result.exception, KeyRingError)
    assert "there is no " in str(result.exception)
    assert "`tracetogether authority keys replace`" in str(result.exception)


@pytest.mark.parametrize("words", [("init", "new"), ("serve",), ("case", "list"), ("purge",)])
def test_without_the_optional_packages_the_error_names_the_pip_line(
    run: Run, desk: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    import tracetogether.adapters

    for name in ("sql_store", "http_api"):
        monkeypatch.setitem(sys.modules, f"tracetogether.adapters.{name}", None)
        monkeypatch.delattr(tracetogether.adapters, name, raising=False)
    result = run(*words)
    assert isinstance(result.exception, MissingExtraError)
    assert "pip install 'tracetogether[server]'" in str(result.exception)


# --- cases ---


def name_of(desk: Path, user_id: str) -> str:
    """Return what lists call a user."""
    with opened_folder(desk) as service:
        return service.desk.name_of(user_id)


def test_a_case_from_opening_to_contacts(run: Run, desk: Path) -> None:
    patient, near = new_user(desk), new_user(desk)
    opened = facts(run("case", "open", patient, "--json"))
    assert opened["date"] == "2020-05-04"
    assert opened["expires_at"] == NOON + 86_400
    take(desk, rows_of(desk, near, NOON - 3600, 45), opened["case_id"], opened["upload_pin"])
    traced = facts(run("case", "contacts", opened["case_id"], "--json"))
    (contact,) = traced["contacts"]
    assert contact["pseudonym"] == name_of(desk, near)
    assert {
        "pseudonym",
        "days",
        "encounters",
        "minutes",
        "minutes_low",
        "minutes_high",
        "nearest_m",
        "close_contact",
    } <= set(contact)
    assert contact["close_contact"] is True
    assert (traced["policy"]["within_m"], traced["policy"]["minutes"]) == (2.0, 30.0)
    other = facts(run("case", "contacts", opened["case_id"], "--policy", "2m-15min", "--json"))
    assert other["policy"]["minutes"] == 15.0
    table = run("case", "contacts", opened["case_id"]).stdout
    assert name_of(desk, near) in table
    assert "YES" in table
    assert "1 upload, 135 records, 135 accepted" in " ".join(table.split())
    assert near not in table


def test_rejections_and_lost_uploads_are_shown(run: Run, desk: Path) -> None:
    opened = facts(run("case", "open", new_user(desk), "--json"))
    rows = rows_of(desk, new_user(desk), NOON - 3600, 1)
    take(desk, [*rows, rows[0].__class__(NOON, "x", -60)], opened["case_id"], opened["upload_pin"])
    shown = run("case", "contacts", opened["case_id"]).stdout
    assert "rejected: 1 failed_decryption" in shown
    ring = KeyRing.load(desk / "keys.txt")
    ring.destroy_before(DAY + 1)
    ring.save(desk / "keys.txt")
    shown = run("case", "contacts", opened["case_id"]).stdout
    assert "1 upload can't be opened" in shown


def test_a_case_is_opened_for_people_too(run: Run, desk: Path) -> None:
    user = new_user(desk)
    shown = run("case", "open", user, "--date", "2020-05-01").stdout
    words = shown.split()
    case_id, pin = words[words.index("Case") + 1], words[words.index("PIN") + 1]
    assert len(pin) == 8
    assert pin.isdecimal()
    assert "2020-05-05 12:00:00 UTC" in shown
    assert case_id in run("case", "list").stdout
    (line,) = facts(run("case", "list", "--json"))
    assert line == {
        "case_id": case_id,
        "pseudonym": name_of(desk, user),
        "date": "2020-05-01",
        "opened_at": NOON,
        "state": "open",
        "confirmed": True,
        "origin": "",
    }


def test_a_pin_of_another_time_is_not_replaced_by_mistake(run: Run, desk: Path) -> None:
    opened = facts(run("case", "open", new_user(desk), "--json"))
    state = facts(run("case", "pin-state", opened["case_id"], "--json"))
    assert state["state"] == "out"
    words = ("case", "pin", opened["case_id"], "--after", state["mark"])
    run(*words)
    assert "a PIN was issued since" in str(run(*words).exception)
    assert "The last PIN is out until" in run("case", "pin-state", opened["case_id"]).stdout


def test_a_new_pin_voids_the_earlier_one(run: Run, desk: Path) -> None:
    opened = facts(run("case", "open", new_user(desk), "--json"))
    renewed = facts(run("case", "pin", opened["case_id"], "--json"))
    assert renewed["case_id"] == opened["case_id"]
    with pytest.raises(AuthorityError, match="not accepted"):
        take(desk, [], opened["case_id"], opened["upload_pin"])
    take(desk, [], opened["case_id"], renewed["upload_pin"])


def test_threat_pin_lifetime_of_a_pin_read_out_is_15_minutes(run: Run, desk: Path) -> None:
    opened = facts(run("case", "open", new_user(desk), "--short", "--json"))
    assert opened["expires_at"] == NOON + 900
    assert (
        "until 2020-05-04 12:15:00 UTC" in run("case", "pin", opened["case_id"], "--short").stdout
    )
    for words in (("--long",), ()):
        renewed = facts(run("case", "pin", opened["case_id"], *words, "--json"))
        assert renewed["expires_at"] == NOON + 86_400


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (("case", "open", "nobody"), "check the id"),
        (("case", "contacts", "NONE"), "`authority case list` shows all"),
        (("case", "pin", "NONE"), "`authority case list` shows all"),
        (("follow-up", "call", "NONE", "symptoms"), "`authority follow-up list` shows those"),
    ],
)
def test_unknown_ids_are_errors(run: Run, desk: Path, words: tuple[str, ...], remedy: str) -> None:
    failure = run(*words).exception
    assert isinstance(failure, NotFoundError)
    assert remedy in str(failure)


def test_an_unknown_contact_or_tracer_of_a_case_is_an_error(run: Run, desk: Path) -> None:
    case_id = str(facts(run("case", "open", new_user(desk), "--json"))["case_id"])
    for words, remedy in (
        (("case", "reveal", case_id, "XXXX", "--reason", "a test"), "`authority case contacts`"),
        (("follow-up", "assign", case_id, "nobody"), "`authority user list`"),
    ):
        failure = run(*words).exception
        assert isinstance(failure, NotFoundError)
        assert remedy in str(failure)


def test_a_date_that_makes_no_sense_is_an_error(run: Run, desk: Path) -> None:
    user = new_user(desk)
    assert isinstance(
        run("case", "open", user, "--date", "2020-06-01").exception, InvalidRequestError
    )
    for words in (("case", "open", user), ("follow-up", "call", "x", "symptoms")):
        wrong = run(*words, "--date", "1/2/2026")
        assert wrong.exit_code == 2
        assert "'1/2/2026' is not a date: write it like 2026-02-01" in wrong.stderr
    assert run("case", "contacts", "x", "--policy", "none").exit_code == 2


# --- purge ---


def test_a_tempid_of_26_days_ago_is_opened_by_nobody(run: Run, tmp_path: Path) -> None:
    """The database file and the key file are at hand, and every key that they still give."""
    folder = tmp_path / "old"
    create_folder(folder, now=NOON - 26 * SECONDS_PER_DAY)
    then = NOON - 26 * SECONDS_PER_DAY
    yesterday = NOON - SECONDS_PER_DAY
    user = new_user(folder)
    with opened_folder(folder) as service:
        old = service.issuance.batch(user, then).at(then)
        recent = service.issuance.batch(user, yesterday).at(yesterday)
    assert old is not None
    assert recent is not None

    def opened(text: str, time: float) -> OpenedTempID | Rejection:
        return TempIDIssuer(KeyRing.load(folder / "keys.txt"), "SG_MOH").open(text, time)

    assert isinstance(opened(old.text, then), OpenedTempID)
    assert isinstance(run("purge", str(folder)).exception, ClockError)
    assert isinstance(opened(old.text, then), OpenedTempID)
    assert facts(run("purge", str(folder), "--clock-is-right", "--json"))["day_keys"] == 1
    assert opened(old.text, then) is Rejection.KEY_DESTROYED
    assert isinstance(opened(recent.text, yesterday), OpenedTempID)
    ring = KeyRing.load(folder / "keys.txt")
    assert ring.oldest_day == DAY - 25
    with pytest.raises(KeyRingError, match="destroyed"):
        ring.day_key("tempid", DAY - 26)
    for day in range(DAY - 25, DAY + 2):
        assert isinstance(opened(old.text, day * SECONDS_PER_DAY + 60.0), Rejection)


def test_purge_takes_what_is_too_old_and_says_so(run: Run, desk: Path) -> None:
    opened = facts(run("case", "open", new_user(desk), "--json"))
    take(desk, [], opened["case_id"], opened["upload_pin"])
    run("case", "open", new_user(desk))
    nothing = {"day_keys": 0, "uploads": 0, "contact_lists": 0, "pins": 0, "cases": 0}
    assert facts(run("purge", "--json")) == {**nothing, "pins": 1}
    later = run("purge", "--now", "2020-06-03T12:00:00")
    assert later.exit_code == 0
    assert later.stdout == "Gone: 5 day keys, 1 upload, 0 contact lists, 1 pin, 2 cases\n"
    assert facts(run("purge", "--now", str(int(NOON + 30 * SECONDS_PER_DAY)), "--json")) == nothing
    assert facts(run("case", "list", "--json")) == []


@pytest.mark.parametrize("moment", ["soon", "", "2020-13-01", "１２x", "9" * 400])
def test_a_time_that_is_none_is_wrong_use(run: Run, desk: Path, moment: str) -> None:
    assert run("purge", "--now", moment).exit_code == 2


def test_a_time_may_be_a_date_or_have_an_offset(run: Run, desk: Path) -> None:
    for moment in ("2020-05-31", "2020-05-31T08:00:00+08:00", "2020-05-31 00:00"):
        assert run("purge", "--now", moment).exit_code == 0
        assert KeyRing.load(desk / "keys.txt").oldest_day == DAY + 2


def test_a_server_never_revives_what_a_purge_beside_it_destroyed(run: Run, desk: Path) -> None:
    with opened_folder(desk) as server:
        run("purge", "--now", "2020-06-10")
        destroyed = KeyRing.load(desk / "keys.txt").oldest_day
        assert destroyed is not None
        assert destroyed > DAY
        server.purge(NOON)
        assert KeyRing.load(desk / "keys.txt").oldest_day == destroyed
        with pytest.raises(KeyRingError):
            server.issuance.batch(new_user(desk), NOON)  # and it has forgotten them itself


# --- serve ---


@pytest.mark.slow
@pytest.mark.network
def test_serve_serves_until_interrupted(tmp_path: Path) -> None:
    now = time.time()  # noqa: TID251 - the other process has no other clock
    long_ago = now - 40 * SECONDS_PER_DAY
    create_folder(tmp_path / "desk", now=long_ago)
    command = [sys.executable, "-m", "tracetogether", "authority", "serve", "desk", "--port", "0"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
    ) as unsure:
        try:
            assert unsure.stderr is not None
            assert "40.0 days after the last purge" in unsure.stderr.readline()
            url = unsure.stderr.readline().split()[3]
            with urllib3.PoolManager() as http:
                assert http.request("GET", f"{url}/v1/health").json() == {"status": "ok"}
                ready = http.request("GET", f"{url}/v1/ready").json()
                assert (ready["ready"], ready["clock_suspect"]) == (False, True)
            unsure.send_signal(signal.SIGINT)
            unsure.communicate(timeout=180)
        finally:
            unsure.kill()
    assert KeyRing.load(tmp_path / "desk" / "keys.txt").oldest_day == utc_day(long_ago)
    command.append("--clock-is-right")  # the service stood still
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stderr is not None
            url = server.stderr.readline().split()[3]
            with urllib3.PoolManager() as http:
                assert http.request("GET", f"{url}/v1/health").json() == {"status": "ok"}
                assert http.request("GET", f"{url}/openapi.json").json()["paths"]
            server.send_signal(signal.SIGINT)
            _, rest = server.communicate(timeout=180)
        finally:
            server.kill()
    assert server.returncode == 0
    assert "Traceback" not in rest
    ring = KeyRing.load(tmp_path / "desk" / "keys.txt")
    assert ring.oldest_day is not None
    assert ring.oldest_day > utc_day(long_ago)  # it purged at its start


@pytest.mark.network
def test_serve_on_a_taken_port_is_an_error(run: Run, desk: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = run("serve", "--port", str(taken.getsockname()[1]))
    assert isinstance(result.exception, AuthorityError)
    assert "--port" in str(result.exception)
