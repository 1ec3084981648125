"""A restore gives back no person, password, PIN or key that was revoked since."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.authority_world import NOON
from tests.restored_desk import Clock, RestoredDesk, command, spoilt, traced
from tracetogether.authority.access.permissions import CONSOLE, Role
from tracetogether.authority.access.sign_in import KeptPassword, Session
from tracetogether.authority.service import Authority
from tracetogether.cli.authority_folder import KEYS
from tracetogether.cli.revoked_file import read_revoked
from tracetogether.errors import AccessDeniedError, NotFoundError
from tracetogether.keyring import KeyRing
from tracetogether.units import SECONDS_PER_DAY

HOUR = 3_600.0


def test_users_who_withdrew_stay_deleted_and_all_others_come_back(
    desk: RestoredDesk, tmp_path: Path, clock: Clock
) -> None:
    leaver = desk.work(lambda service: service.issuance.register().user_id)
    near = desk.rows(("cases",)) and desk.work(lambda service: traced(service)[1])
    desk.ran("backup", str(tmp_path / "file"))
    clock.now += HOUR
    desk.work(lambda service: service.issuance.withdraw(leaver, clock.now))
    desk.work(lambda service: service.issuance.withdraw(near, clock.now))
    for _ in range(2):
        desk.ran("restore", str(tmp_path / "file"), "--yes")
        left = {row[0] for row in desk.rows(("users",))["users"]}
        assert len(left) == 3
        assert not {leaver, near} & left
        assert len(desk.rows(("followed",))["followed"]) == 1  # the lists with them are gone too


def test_name_and_number_of_a_case_come_back_but_for_one_who_withdrew(
    desk: RestoredDesk, tmp_path: Path, clock: Clock
) -> None:
    def falls_ill(service: Authority) -> tuple[str, str]:
        case, near = traced(service, clock.now)
        (line,) = service.store.desk.contacts_of([case.case_id])
        service.follow_up.describe(line.contact_id, "Ann", "+65 1", clock.now, by=CONSOLE)
        opened = service.merging.convert(line.contact_id, clock.now, by=CONSOLE)
        return near, opened.case_id

    leaver, _ = desk.work(falls_ill)
    _, kept = desk.work(falls_ill)
    before = desk.rows(("case_people",))["case_people"]
    desk.ran("backup", str(tmp_path / "file"))
    desk.work(lambda service: service.issuance.withdraw(leaver, clock.now))
    desk.ran("restore", str(tmp_path / "file"), "--yes")
    assert len(before) == 5  # three cases with a log, and two who fell ill
    assert len(desk.rows(("case_people",))["case_people"]) == 4
    reveal = desk.work(lambda s: s.case_people.reveal(kept, "a test", clock.now, by=CONSOLE))
    assert (reveal.name, reveal.phone) == ("Ann", "+65 1")


@pytest.mark.parametrize("how", ["garbage", "missing"])
def test_what_was_revoked_stays_so_though_the_database_is_damaged(
    how: str, sqlite_desk: RestoredDesk, tmp_path: Path, clock: Clock
) -> None:
    desk = sqlite_desk
    leaver = desk.work(lambda service: service.issuance.register().user_id)
    desk.ran("user", "add", "night", "--role", "tracer")
    desk.work(lambda service: _password(service, "night", b"old"))
    desk.work(lambda service: _password(service, "operator", b"old"))
    desk.ran("backup", str(tmp_path / "file"))
    clock.now += HOUR
    desk.work(lambda service: service.issuance.withdraw(leaver, clock.now))
    desk.ran("user", "disable", "night")
    desk.work(lambda service: _password(service, "operator", b"new"))
    spoilt(desk.folder / "authority.db", how)
    plan = json.loads(desk.ran("restore", str(tmp_path / "file"), "--json").stdout)
    assert plan["carried"] | {"pins": 0} == {
        "withdrawn": 1,
        "disabled": 1,
        "roles": 0,
        "passwords": 1,
        "sessions": 0,
        "pins": 0,
        "audit_entries": 0,
    }
    assert leaver not in {row[0] for row in desk.rows(("users",))["users"]}
    operators = {row[0]: row[-1] for row in desk.rows(("operators",))["operators"]}
    assert operators == {"night": True, "operator": False}
    assert [row[0] for row in desk.rows(("passwords",))["passwords"]] == ["night"]


@pytest.mark.parametrize("how", ["", "garbage"])
def test_no_charge_that_ended_and_no_code_that_was_used_comes_back(
    how: str, sqlite_desk: RestoredDesk, tmp_path: Path, clock: Clock
) -> None:
    def given(service: Authority) -> tuple[str, list[str], list[str]]:
        phone = service.issuance.register().user_id
        codes = [service.charges.consent(clock.now, by=CONSOLE).code for _ in range(5)]
        numbers = [service.charges.add(phone, code, clock.now).charge_id for code in codes[:3]]
        return phone, numbers, codes[3:]

    phone, numbers, (used, unused) = sqlite_desk.work(given)
    sqlite_desk.ran("backup", str(tmp_path / "file"))
    clock.now += HOUR

    def ended(service: Authority) -> None:
        service.charges.end_at_desk(numbers[0], "a quarrel", clock.now, by=CONSOLE)
        service.charges.end(phone, numbers[1], clock.now)
        service.charges.add(service.issuance.register().user_id, used, clock.now)

    sqlite_desk.work(ended)
    if how:
        spoilt(sqlite_desk.folder / "authority.db", how)
    sqlite_desk.ran("restore", str(tmp_path / "file"), "--yes")

    def check(service: Authority) -> None:
        assert [charge.charge_id for charge in service.charges.of(phone)] == numbers[2:]
        with pytest.raises(NotFoundError):
            service.charges.add(phone, used, clock.now)
        if how:  # nobody knows which codes were used
            with pytest.raises(NotFoundError):
                service.charges.add(phone, unused, clock.now)
        else:
            assert service.charges.add(phone, unused, clock.now)

    sqlite_desk.work(check)


def test_what_another_machine_revoked_is_on_the_list_of_each(
    sqlite_desk: RestoredDesk, clock: Clock
) -> None:
    """Also what was revoked before there was a list: a purge brings it in line."""
    leaver = sqlite_desk.work(lambda service: service.issuance.register().user_id)
    sqlite_desk.ran("user", "add", "night", "--role", "tracer")
    sqlite_desk.work(lambda service: service.issuance.withdraw(leaver, clock.now))
    sqlite_desk.ran("user", "disable", "night")
    revoked = sqlite_desk.folder / "revoked.txt"
    before = read_revoked(sqlite_desk.folder)
    revoked.unlink()
    command("purge", str(sqlite_desk.folder))
    everything = frozenset(role.value for role in Role)
    assert read_revoked(sqlite_desk.folder) == replace(before, roles={"operator": everything})
    assert revoked.stat().st_mode & 0o777 == 0o600
    command("purge", str(sqlite_desk.folder))
    assert len(revoked.read_text().splitlines()) == 3


def test_withdrawals_are_deleted_on_time(sqlite_desk: RestoredDesk, clock: Clock) -> None:
    leaver = sqlite_desk.work(lambda service: service.issuance.register().user_id)
    sqlite_desk.work(lambda service: service.issuance.withdraw(leaver, clock.now))
    revoked = sqlite_desk.folder / "revoked.txt"
    assert leaver not in revoked.read_text()
    for days, left in ((90, 1), (91, 0)):
        clock.now = NOON + days * SECONDS_PER_DAY
        command("purge", str(sqlite_desk.folder), "--clock-is-right")
        assert len(sqlite_desk.rows(("withdrawals",))["withdrawals"]) == left
        assert revoked.read_text().count("withdrawn") == left


def _password(service: Authority, name: str, salt: bytes) -> None:
    kept = KeptPassword(name, salt * 8, "cost", b"verifier" + salt, b"secret", 7)
    service.store.sign_ins.put_password(kept)


def test_operators_stay_as_they_are_now(desk: RestoredDesk, tmp_path: Path, clock: Clock) -> None:
    for name in ("left", "stays"):
        desk.ran("user", "add", name, "--role", "tracer")
        desk.work(lambda service, name=name: _password(service, name, b"old"))
    session = Session(b"s" * 32, "left", NOON, NOON)
    desk.work(lambda service: service.store.sign_ins.add_session(session))
    desk.ran("backup", str(tmp_path / "file"))
    clock.now += HOUR
    desk.ran("user", "disable", "left")
    desk.ran("user", "add", "new", "--role", "issuer")
    desk.work(lambda service: _password(service, "stays", b"new"))
    now = desk.rows(("operators", "passwords"))
    result = desk.ran("restore", str(tmp_path / "file"), "--yes")
    assert "1 operators who were disabled since: they stay disabled" in result.stdout
    assert "1 passwords or codes that were changed since" in result.stdout
    assert "1 sessions of operators: they end" in result.stdout
    assert desk.rows(("operators", "passwords")) == now
    assert desk.rows(("sessions",)) == {"sessions": []}


def test_pins_are_void_and_used_tokens_stay_used(
    desk: RestoredDesk, tmp_path: Path, clock: Clock
) -> None:
    case, pin = desk.work(_open_pin)
    desk.ran("backup", str(tmp_path / "file"))
    clock.now += HOUR
    desk.work(lambda service: traced(service, clock.now))
    used = desk.rows(("used_tokens",))["used_tokens"]
    assert len(used) == 2
    counts = desk.rows(("counts",))
    assert (
        "2 upload PINs: they become invalid"
        in desk.ran("restore", str(tmp_path / "file"), "--yes").stdout
    )
    assert desk.rows(("used_tokens",))["used_tokens"] == used
    assert desk.rows(("counts",)) == counts
    with pytest.raises(AccessDeniedError):
        desk.work(lambda one: one.intake.redeem_pin(case.user_id, pin, bytes(32), clock.now))


def _open_pin(service: Authority) -> tuple[Any, str]:
    case = service.casework.open_case(service.issuance.register().user_id, NOON, by=CONSOLE)
    return case, service.pins.issue(case, NOON, by=CONSOLE)


def test_destroyed_keys_stay_destroyed(desk: RestoredDesk, tmp_path: Path, clock: Clock) -> None:
    desk.ran("backup", str(tmp_path / "file"))
    desk.ran("keys", "destroy", "2020-05-05", "--yes")
    clock.now += HOUR
    desk.ran("restore", str(tmp_path / "file"), "--yes")
    assert KeyRing.load(desk.folder / KEYS).oldest_day == int(NOON // SECONDS_PER_DAY) + 1
    (case_id,) = (row[0] for row in desk.rows(("cases",))["cases"])
    found = desk.work(
        lambda one: one.tracing.contacts(one.casework.case(case_id, by=CONSOLE), by=CONSOLE)
    )
    assert (found.uploads, found.unreadable_uploads) == (1, 1)


def test_the_audit_log_continues_after_its_newest_entry(
    desk: RestoredDesk, tmp_path: Path, clock: Clock
) -> None:
    desk.ran("backup", str(tmp_path / "file"))
    clock.now += HOUR
    desk.ran("user", "add", "later", "--role", "auditor")
    noted = desk.work(lambda service: service.audit.verify(by=CONSOLE))
    desk.ran("restore", str(tmp_path / "file"), "--yes")
    number, _ = desk.work(lambda service: service.audit.verify(noted, by=CONSOLE))
    assert number > noted[0]
    entries = desk.work(lambda service: list(service.audit.entries(by=CONSOLE)))
    acts = [entry.act for entry in entries]
    assert "operator.added" in acts[2:]
    assert "backup.restored" in acts
