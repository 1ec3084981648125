"""`tracetogether authority` keys, user, audit, backup, restore, migrate, and serving from many."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import urllib3
from click.testing import CliRunner, Result

from tests.authority_world import DAY, NOON, heard
from tracetogether.authority.access.permissions import CONSOLE, Role
from tracetogether.bluetrace.upload import write_upload
from tracetogether.cli.authority import authority
from tracetogether.cli.authority_folder import (
    create_folder,
    exclusive_use,
    opened_folder,
    shared_use,
)
from tracetogether.crypto import sha256
from tracetogether.errors import (
    AuditError,
    AuthorityError,
    ClockError,
    ConflictError,
    KeyRingError,
    NotFoundError,
    StoreError,
)
from tracetogether.keyring import KeyRing
from tracetogether.units import SECONDS_PER_DAY

Run = Callable[..., Result]
ROOT = Path(__file__).parent.parent


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs a command at NOON, beside a new ./authority."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("time.time", lambda: NOON)

    def command(*words: str) -> Result:
        return CliRunner().invoke(authority, words)

    assert command("init").exit_code == 0
    return command


def facts(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_keys_are_listed_rotated_quarantined_and_destroyed(run: Run) -> None:
    assert [key["date"] for key in facts(run("keys", "list", "--json"))] == [
        "2020-05-04",
        "2020-05-05",
    ]
    assert facts(run("keys", "rotate", "--json"))["first_date"] == "2020-05-06"
    assert isinstance(run("keys", "rotate").exception, KeyRingError)
    assert facts(run("keys", "quarantine", "2020-05-04", "2020-05-05", "--json")) == {
        "first_day": DAY,
        "last_day": DAY + 1,
    }
    assert all(key["quarantined"] for key in facts(run("keys", "list", "--json")))
    assert "YES" in run("keys", "list").stdout
    assert facts(run("keys", "destroy", "2020-05-05", "--yes", "--json")) == {"days": 1}
    ring = KeyRing.load(Path("authority/keys.txt"))
    assert ring.oldest_day == DAY + 1
    assert ring.quarantine_spans == [(DAY + 1, DAY + 1)]
    acts = [entry["act"] for entry in facts(run("audit", "list", "--json"))]
    assert acts[-3:] == ["keys.rotated", "keys.quarantined", "keys.destroyed"]
    assert "keys.rotated" in run("audit", "list").stdout


def test_keys_are_not_destroyed_unasked(run: Run) -> None:
    assert run("keys", "destroy", "2020-06-01").exit_code == 1
    assert KeyRing.load(Path("authority/keys.txt")).oldest_day == DAY
    assert run("keys", "destroy", "soon", "--yes").exit_code == 2
    assert isinstance(run("keys", "quarantine", "2020-05-05", "2020-05-04").exception, KeyRingError)


def test_a_running_server_learns_of_a_rotation(run: Run) -> None:
    with opened_folder(Path("authority")) as service:
        run("keys", "rotate")
        run("keys", "quarantine", str(DAY))
        service.custody.save_keys(service.custody.keys)
        assert service.custody.keys.same_as(KeyRing.load(Path("authority/keys.txt")))
        assert service.custody.keys.quarantined([DAY]) == [True]


def test_operators_are_added_listed_and_disabled(run: Run) -> None:
    added = facts(run("user", "add", "night", "--role", "tracer", "--role", "issuer", "--json"))
    with opened_folder(Path("authority")) as service:
        assert service.access.operator(added["operator_token"]).name == "night"
    listed = {operator["name"]: operator for operator in facts(run("user", "list", "--json"))}
    assert listed["night"]["roles"] == ["issuer", "tracer"]
    assert len(listed["operator"]["roles"]) == len(Role)
    assert "night" in run("user", "list").stdout
    assert run("user", "disable", "night").exit_code == 0
    assert isinstance(run("user", "disable", "night").exception, NotFoundError)
    assert isinstance(run("user", "add", "night", "--role", "admin").exception, ConflictError)
    assert run("user", "add", "x", "--role", "king").exit_code == 2


def test_the_audit_log_is_checked_against_an_earlier_head(run: Run) -> None:
    first = facts(run("audit", "verify", "--json"))
    assert first["entries"] == 2
    run("keys", "rotate")
    assert run("audit", "verify", "--head", first["head"]).exit_code == 0
    assert run("audit", "verify", "--head", "soon").exit_code == 2
    forged = f"2:{'0' * 64}"
    assert isinstance(run("audit", "verify", "--head", forged).exception, AuditError)
    cut = sqlite3.connect("authority/authority.db")
    cut.execute("DROP TRIGGER audit_no_delete")
    cut.execute("DELETE FROM audit WHERE number = 2")
    cut.commit()
    cut.close()
    assert isinstance(run("audit", "verify").exception, AuditError)


def test_a_restored_backup_revives_nothing(run: Run) -> None:
    folder = Path("authority")
    with opened_folder(folder) as service:
        patient, leaver, near = (service.issuance.register().user_id for _ in range(3))
        case = service.casework.open_case(patient, NOON, by=CONSOLE)
        pin = service.pins.issue(case, NOON, by=CONSOLE)
        body = write_upload(heard(service, near, NOON, 20, rssi_dbm=-45))
        token = service.intake.redeem_pin(patient, pin, sha256(body), NOON)
        service.intake.take_upload(token, body, NOON)
        open_pin = service.pins.issue(
            service.casework.open_case(near, NOON, by=CONSOLE), NOON, by=CONSOLE
        )
    assert run("backup", "day1.db").exit_code == 0
    assert isinstance(run("backup", "day1.db").exception, StoreError)
    with opened_folder(folder) as service:
        service.issuance.withdraw(leaver, NOON)
        key = service.custody.keys.day_key("upload-key", DAY)
    assert key not in Path("day1.db").read_bytes()
    assert run("restore", "day1.db", "--yes").exit_code == 0
    with opened_folder(folder) as service:
        assert (
            len(
                service.tracing.contacts(
                    service.casework.case(case.case_id, by=CONSOLE), by=CONSOLE
                ).contacts
            )
            == 1
        )
        assert not service.store.has_user(leaver)
        assert service.store.counts(NOON).open_pins == 0
        with pytest.raises(Exception, match="not accepted"):
            service.intake.redeem_pin(near, open_pin, bytes(32), NOON)
        service.audit.verify(by=CONSOLE)
    assert run("purge", "--now", str(int(NOON + 27 * SECONDS_PER_DAY))).exit_code == 0
    assert run("restore", "day1.db", "--yes").exit_code == 0
    with opened_folder(folder) as service:
        traced = service.tracing.contacts(
            service.casework.case(case.case_id, by=CONSOLE), by=CONSOLE
        )
        assert (traced.uploads, traced.unreadable_uploads, traced.contacts) == (1, 1, ())
    assert isinstance(run("restore", "none.db").exception, StoreError)


def test_a_restore_waits_for_the_server_to_end_and_a_server_for_the_restore(run: Run) -> None:
    assert run("backup", "day1.db").exit_code == 0
    before = Path("authority/authority.db").read_bytes()
    with shared_use(Path("authority")), shared_use(Path("authority")):  # two may serve
        result = run("restore", "day1.db", "--yes")
    assert "a server or another command uses authority" in str(result.exception)
    assert Path("authority/authority.db").read_bytes() == before
    with exclusive_use(Path("authority")):
        result = run("serve", "--port", "0")
    assert "is being restored" in str(result.exception)
    assert run("restore", "day1.db", "--yes").exit_code == 0


def test_upload_pins_a_day_are_shown_and_changed_within_reason(run: Run) -> None:
    assert facts(run("limits", "--json")) == {
        "pins_a_day": 10_000,
        "given_out_today": 0,
        "tries": 5,
        "guessed_a_day": 5e-4,
    }
    too_many = str(run("limits", "--pins-a-day", "20001").exception)
    assert "20001 upload PINs a day are not allowed" in too_many
    assert "give 1 to 20000 to `tracetogether authority limits --pins-a-day`" in too_many
    assert facts(run("limits", "--pins-a-day", "20000", "--json"))["guessed_a_day"] == 1e-3
    assert "0 of 20000 given out" in " ".join(run("limits").stdout.split())
    forged = sqlite3.connect("authority/authority.db")
    forged.execute("UPDATE settings SET value = '30000' WHERE name = 'pins_a_day'")
    forged.commit()
    forged.close()
    assert isinstance(run("serve", "--port", "0").exception, AuthorityError)
    assert run("limits", "--pins-a-day", "100").exit_code == 0
    assert [entry["act"] for entry in facts(run("audit", "list", "--json"))][-2:] == [
        "limits.changed",
        "limits.changed",
    ]


def test_threat_late_deletion_restore_with_a_clock_far_ahead_destroys_nothing(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened_folder(Path("authority")) as service:
        service.casework.open_case(service.issuance.register().user_id, NOON, by=CONSOLE)
    assert run("purge").exit_code == 0
    assert run("backup", "day1.db").exit_code == 0
    monkeypatch.setattr("time.time", lambda: NOON + 60 * SECONDS_PER_DAY)
    for _ in range(2):
        result = run("restore", "day1.db", "--yes")
        assert "The clock is not confirmed" in result.stderr
        assert KeyRing.load(Path("authority/keys.txt")).oldest_day == DAY
        with opened_folder(Path("authority")) as service:
            assert service.store.counts(NOON).cases == 1
        Path("authority/authority.db").unlink()  # nothing but the backup knows of any time
    assert run("restore", "day1.db", "--clock-is-right", "--yes").exit_code == 0
    ring = KeyRing.load(Path("authority/keys.txt"))
    assert ring.oldest_day == DAY + 60 - 25
    with opened_folder(Path("authority")) as service:
        assert service.store.counts(NOON).cases == 0
        purged = [
            entry.details for entry in service.audit.entries(by=CONSOLE) if entry.act == "purged"
        ]
    assert [details.get("day_keys", 0) for details in purged] == [0, 35]  # said once, when gone


def test_migrating_a_database_of_today_changes_nothing(run: Run) -> None:
    before = facts(run("audit", "verify", "--json"))
    assert run("migrate").exit_code == 0
    assert facts(run("audit", "verify", "--json")) == before


def test_reveal_prints_who_it_is(run: Run) -> None:
    with opened_folder(Path("authority")) as service:
        case = service.casework.open_case(service.issuance.register().user_id, NOON, by=CONSOLE)
    words = ("case", "reveal", case.case_id, "ABCDE-FGHIJ")
    assert run(*words).exit_code == 2
    assert isinstance(run(*words, "--reason", "x").exception, NotFoundError)


@pytest.mark.slow
@pytest.mark.network
def test_two_workers_serve_one_postgres_database(tmp_path: Path, postgres_url: str) -> None:
    folder = tmp_path / "desk"
    import time

    create_folder(folder, now=time.time(), database=postgres_url)  # noqa: TID251 - as the server's
    assert not (folder / "authority.db").exists()
    command = [sys.executable, "-m", "tracetogether", "authority", "serve", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [*command, "--port", "0", "--workers", "2"],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            assert server.stderr is not None
            url = server.stderr.readline().split()[3]
            users = set()
            for _ in range(12):
                with urllib3.PoolManager() as http:  # a connection each, to either worker
                    answer = http.request("POST", f"{url}/v1/users").json()
                    users.add(answer["user_id"])
                    bearer = {"Authorization": f"Bearer {answer['credential']}"}
                    batch = http.request("POST", f"{url}/v1/tempids", headers=bearer)
                    assert len(batch.json()["tempIDs"]) == 100
            assert len(users) == 12
            words = ("load", url, "--fetches", "90", "--seconds", "20", "--json")
            held = facts(CliRunner().invoke(authority, words))
            assert held["fetches"] == 90
            assert 0 < held["latency_ms_50"] <= held["latency_ms_95"] <= held["latency_ms_99"]
            server.send_signal(signal.SIGTERM)
            _, rest = server.communicate(timeout=180)
        finally:
            server.kill()
    assert server.returncode == 0, rest
    assert "Traceback" not in rest
    with opened_folder(folder) as service:
        assert service.store.registered(sorted(users)) == users


def test_a_clock_of_1972_makes_no_authority_and_stops_none(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("purge").exit_code == 0
    monkeypatch.setattr("time.time", lambda: 2.0 * 365 * SECONDS_PER_DAY)
    assert isinstance(run("purge").exception, ClockError)
    assert isinstance(run("serve", "--port", "0").exception, ClockError)
    assert "clock shows 1972" in str(run("init", "other").exception)
    assert not Path("other").exists()
    monkeypatch.setattr("time.time", lambda: NOON + 3_600)
    assert run("purge").exit_code == 0
    with opened_folder(Path("authority")) as service:
        service.purge.check_clock(NOON + 3_600)
