"""A backup brings everything back, but nothing that was revoked since."""

import json
import os
import shutil
import signal
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.authority_world import NOON
from tests.contracts.test_kept_counts import check
from tests.old_schemas import REVISIONS, in_postgres, of_first_schema, of_schema
from tests.presence_world import CAFE, sent
from tests.restored_desk import KEPT, RestoredDesk, command, traced
from tracetogether.adapters.sql_store.databases import UnreadableError
from tracetogether.authority.access.permissions import CONSOLE, Caller, Role
from tracetogether.authority.access.sign_in import KeptPassword, Session
from tracetogether.authority.service import Authority
from tracetogether.authority.status.order import OrderKind
from tracetogether.authority.status.restriction import Ground, RestrictionEvidence
from tracetogether.cli.authority_folder import KEYS, exclusive_use, migrate_folder
from tracetogether.cli.authority_restore import prepared_restore
from tracetogether.cli.folder_locks import shared_use
from tracetogether.cli.revoked_file import read_revoked
from tracetogether.crypto import sha256
from tracetogether.errors import (
    AccessDeniedError,
    ConflictError,
    KeyRingError,
    StoreError,
)
from tracetogether.keyring import KeyRing
from tracetogether.units import SECONDS_PER_DAY

HOUR = 3_600.0
GIVEN_BACK = ("users", "cases", "uploads", "contact_lists", "contacts")
"""Tables that every schema since the first migration has."""


class Clock:
    """The time that commands see."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("time.time", made)
    return made


@pytest.fixture(params=["sqlite", "postgres"])
def desk(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> RestoredDesk:
    """An authority with a case, a log and a contact, on either database."""
    del clock
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else None
    made = RestoredDesk(tmp_path / "desk", url).make()
    made.work(traced)
    return made


@pytest.fixture
def sqlite_desk(tmp_path: Path, clock: Clock) -> RestoredDesk:
    """An authority with a case, a log and a contact, on SQLite."""
    del clock
    made = RestoredDesk(tmp_path / "desk").make()
    made.work(traced)
    return made


def spoilt(path: Path, how: str) -> None:
    """Damage a database file."""
    whole = path.read_bytes()
    for ending in ("-wal", "-shm"):
        Path(f"{path}{ending}").unlink(missing_ok=True)
    match how:
        case "garbage":
            path.write_bytes(bytes(index % 251 for index in range(9_000)))
        case "empty":
            path.write_bytes(b"")
        case "cut off":
            path.write_bytes(whole[: len(whole) // 2])
        case "half written":
            path.write_bytes(whole[:8_192] + bytes(len(whole) - 8_192))
        case "a page":  # of contacts: nothing else is read to look at what the file is
            found = sqlite3.connect(path)
            (page,) = found.execute(
                "SELECT rootpage FROM sqlite_master WHERE name = 'contacts'"
            ).fetchone()
            found.close()
            start = (page - 1) * 4_096
            path.write_bytes(whole[:start] + bytes(4_096) + whole[start + 4_096 :])
        case "missing":
            path.unlink()
        case "another program's":
            path.unlink()
            other = sqlite3.connect(path)
            other.execute("CREATE TABLE theirs (x)")
            other.close()


# --- what everybody has read, places and screens ---


def _presence_and_places(service: Authority) -> tuple[str, str, str]:
    """Register a place and a screen; let two cases report one café; return their ids."""
    place, _ = service.places.add("Canteen", "", NOON, by=CONSOLE)
    token = service.screens.enter(service.screens.add("lobby", NOON, by=CONSOLE), NOON)
    visit = sent(CAFE, NOON - 5 * HOUR)
    for _ in range(2):
        user = service.issuance.register().user_id
        case = service.casework.open_case(user, NOON, by=CONSOLE)
        pin = service.pins.issue(case, NOON, by=CONSOLE)
        leave = service.intake.redeem_pin(user, pin, sha256(user.encode()), NOON)
        service.visits.take(leave, [visit], (), NOON)
    (kept,) = service.warnings.of_case(case.case_id, by=CONSOLE).visits
    return place.place_id, token, kept.kept.visit_id


@pytest.mark.parametrize("how", ["", "missing", "purged"])
def test_retired_places_and_ended_screens_do_not_come_back(
    how: str, sqlite_desk: RestoredDesk, clock: Clock, tmp_path: Path
) -> None:
    desk = sqlite_desk
    place_id, token, _ = desk.work(_presence_and_places)
    desk.ran("backup", str(tmp_path / "file"))
    clock.now += HOUR

    def end(service: Authority) -> None:
        service.places.retire(place_id, clock.now, by=CONSOLE)
        service.screens.end("lobby", clock.now, by=CONSOLE)
        if how == "purged":
            service.store.places.drop(clock.now + 1)

    desk.work(end)
    if how == "missing":
        spoilt(desk.folder / "authority.db", how)
    desk.ran("restore", str(tmp_path / "file"), "--yes")

    def check_ended(service: Authority) -> None:
        assert service.places.found(place_id).retired_at is not None
        assert service.screens.who(token, clock.now) is None

    desk.work(check_ended)


def test_a_place_that_is_newer_than_the_backup_stays(
    sqlite_desk: RestoredDesk, tmp_path: Path
) -> None:
    sqlite_desk.ran("backup", str(tmp_path / "file"))
    place_id, _, _ = sqlite_desk.work(_presence_and_places)
    sqlite_desk.ran("restore", str(tmp_path / "file"), "--yes")
    found = sqlite_desk.work(lambda service: service.places.found(place_id))
    assert found.retired_at is None


@pytest.mark.parametrize("damaged", [False, True])
def test_no_day_of_open_data_is_published_a_second_time(
    damaged: bool, sqlite_desk: RestoredDesk, clock: Clock, tmp_path: Path
) -> None:
    desk, by = sqlite_desk, Caller("mei", frozenset({Role.SUPERVISOR}))
    clock.now += 2 * SECONDS_PER_DAY
    desk.ran("backup", str(tmp_path / "file"))
    out = desk.work(lambda service: service.open_data.publish(clock.now, by=by))
    assert out
    if damaged:
        spoilt(desk.folder / "authority.db", "missing")
    desk.ran("restore", str(tmp_path / "file"), "--yes")
    assert desk.work(lambda service: service.open_data.publish(clock.now, by=by)) == []
    kept = desk.work(lambda service: service.open_data.all(by=by))
    assert list(kept) == ([] if damaged else out)
    later = clock.now + 3 * SECONDS_PER_DAY
    further = desk.work(lambda service: service.open_data.publish(later, by=by))
    assert min(day.day for day in further) > max(day.day for day in out)


def test_a_warning_that_was_kept_back_stays_so_and_packages_stay_out(
    sqlite_desk: RestoredDesk, clock: Clock, tmp_path: Path
) -> None:
    desk, tracer = sqlite_desk, Caller("ravi", frozenset({Role.TRACER, Role.SUPERVISOR}))
    _, _, visit_id = desk.work(_presence_and_places)
    desk.ran("backup", str(tmp_path / "file"))
    desk.work(lambda service: service.warnings.refuse(visit_id, "no", clock.now, by=tracer))
    clock.now += HOUR
    assert desk.work(lambda service: service.publishing.publish(clock.now)) == 1
    before = desk.rows(("packages", "reported_visits"))
    desk.ran("restore", str(tmp_path / "file"), "--yes")
    assert desk.rows(("packages", "reported_visits")) == before
    assert desk.work(lambda service: service.publishing.publish(clock.now + HOUR)) == 0


# --- restrictions ---


def _restricted(service: Authority) -> str:
    user = service.issuance.register().user_id
    setter, reviewer = (Caller(role.value, frozenset({role})) for role in _TWO)
    by = Caller("mei", frozenset({Role.SUPERVISOR}))
    day = SECONDS_PER_DAY
    order = service.orders.add(
        OrderKind.BORDER, "Act 12", "Gate 4", (NOON - day, NOON), NOON + 30 * day, 9, NOON, by=by
    )
    found = service.restrictions.set(
        user,
        Ground.ORDER,
        order.order_id,
        RestrictionEvidence.VISIT,
        NOON + 9 * day,
        NOON,
        by=setter,
    )
    service.restrictions.confirm(found.restriction_id, NOON, by=reviewer)
    return user


_TWO = (Role.RESTRICTOR, Role.REVIEWER)


@pytest.mark.parametrize("damaged", [False, True])
def test_a_lifted_restriction_does_not_come_back(
    damaged: bool,
    sqlite_desk: RestoredDesk,
    clock: Clock,
    tmp_path: Path,
) -> None:
    user = sqlite_desk.work(_restricted)
    sqlite_desk.ran("backup", str(tmp_path / "b"))
    reviewer = Caller("reviewer", frozenset({Role.REVIEWER}))

    def lift(service: Authority) -> None:
        (found,) = service.store.status.restrictions_of(user)
        service.restrictions.lift(found.restriction_id, NOON + 60, by=reviewer)

    sqlite_desk.work(lift)
    clock.now = NOON + HOUR
    if damaged:
        spoilt(sqlite_desk.folder / "authority.db", "garbage")
    sqlite_desk.ran("restore", str(tmp_path / "b"), "--yes")
    assert sqlite_desk.work(lambda service: service.restrictions.in_force(user, clock.now)) is None
    sqlite_desk.work(lambda service: service.audit.verify(by=CONSOLE))


# --- everything comes back ---


@pytest.fixture(scope="module")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> RestoredDesk:
    """An authority that `demo-data` made."""
    made = RestoredDesk(tmp_path_factory.mktemp("made-up") / "old")
    command("demo-data", str(made.folder), "--people", "24", "--days", "3")
    return made


@pytest.mark.parametrize("to", ["sqlite", "postgres"])
def test_made_up_data_comes_back_in_a_new_folder(
    to: str, made_up: RestoredDesk, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """`demo-data old; backup; init new; restore`, and back from there."""
    url = request.getfixturevalue("postgres_url") if to == "postgres" else None
    new = RestoredDesk(tmp_path / "new", url)
    before = made_up.rows()
    assert all(before[name] for name in ("users", "cases", "uploads", "followed", "outcomes"))
    file = str(tmp_path / "old.backup")
    made_up.ran("backup", file)
    command("init", str(new.folder), *(() if url is None else ("--database", url)))
    result = new.ran("restore", file)
    assert "keys.txt is not that of this backup" in result.stderr
    assert new.rows() == before
    shutil.copy(made_up.folder / KEYS, new.folder / KEYS)
    assert "keys.txt" not in new.ran("restore", file, "--yes").stderr
    assert new.rows() == before
    new.work(lambda service: service.audit.verify(by=CONSOLE))
    case_id = before["cases"][0][0]
    listed = [
        json.loads(desk.ran("case", "contacts", case_id, "--json").stdout)
        for desk in (made_up, new)
    ]
    assert listed[0] == listed[1]
    again = str(tmp_path / "new.backup")
    new.ran("backup", again)
    back = RestoredDesk(tmp_path / "back")
    command("init", str(back.folder))
    shutil.copy(new.folder / KEYS, back.folder / KEYS)
    back.ran("restore", again)
    assert back.rows() == before


def test_a_restore_counts_each_followed_contact_once(desk: RestoredDesk, tmp_path: Path) -> None:
    """Triggers count the contacts while they are copied, to the backup and from it."""
    desk.ran("backup", str(tmp_path / "file"))
    desk.ran("restore", str(tmp_path / "file"), "--yes")
    desk.work(lambda service: check(service.store))


def test_everything_comes_back_after_a_wrong_restore(
    desk: RestoredDesk, tmp_path: Path, clock: Clock
) -> None:
    desk.ran("backup", str(tmp_path / "early"))
    clock.now += HOUR
    desk.work(lambda service: traced(service, clock.now))
    desk.ran("backup", str(tmp_path / "late"))
    before = desk.rows()
    plan = json.loads(desk.ran("restore", str(tmp_path / "early"), "--yes", "--json").stdout)
    assert (plan["before"]["users"], plan["after"]["users"]) == (4, 2)
    assert desk.rows() != before
    plan = json.loads(desk.ran("restore", str(tmp_path / "late"), "--yes", "--json").stdout)
    assert (plan["before"]["users"], plan["after"]["users"]) == (2, 4)
    assert plan["carried"]["withdrawn"] == 0
    assert desk.rows() == before
    desk.work(lambda service: service.audit.verify(by=CONSOLE))


@pytest.mark.parametrize(
    "how", ["garbage", "empty", "cut off", "half written", "a page", "missing", "another program's"]
)
def test_everything_comes_back_over_a_damaged_file(
    sqlite_desk: RestoredDesk, tmp_path: Path, how: str
) -> None:
    before = sqlite_desk.rows()
    file = str(tmp_path / "file")
    sqlite_desk.ran("backup", file)
    database = sqlite_desk.folder / "authority.db"
    spoilt(database, how)
    spoilt_bytes = None if how == "missing" else database.read_bytes()
    if how != "missing":
        assert isinstance(sqlite_desk.run("backup", str(tmp_path / "bad")).exception, StoreError)
        assert not (tmp_path / "bad").exists()
    result = sqlite_desk.ran("restore", file)
    assert sqlite_desk.rows() == before
    kept = list(sqlite_desk.folder.glob("authority.db.damaged-*"))
    assert [path.read_bytes() for path in kept] == ([] if spoilt_bytes is None else [spoilt_bytes])
    assert ("kept as" in result.stderr) == (how != "missing")
    assert database.stat().st_mode & 0o777 == 0o600


def test_everything_comes_back_over_a_damaged_postgres_database(
    tmp_path: Path, clock: Clock, postgres_url: str
) -> None:
    del clock
    desk = RestoredDesk(tmp_path / "desk", postgres_url).make()
    desk.work(traced)
    before, file = desk.rows(), str(tmp_path / "file")
    desk.ran("backup", file)
    desk.execute("DROP TABLE notes", "DROP TABLE uploads")
    assert isinstance(desk.run("backup", str(tmp_path / "bad")).exception, UnreadableError)
    assert desk.run("restore", file).exit_code == 1  # asks
    desk.ran("restore", file, "--yes")
    assert desk.rows() == before
    desk.execute(*(f"DROP TABLE {name} CASCADE" for name in (*KEPT, "alembic_version", "counts")))
    assert "of another program" in str(desk.run("restore", file, "--yes").exception)


def test_everything_comes_back_into_an_empty_postgres_database(
    tmp_path: Path, clock: Clock, postgres_url: str
) -> None:
    del clock
    old = RestoredDesk(tmp_path / "old").make()
    old.work(traced)
    old.ran("backup", str(tmp_path / "file"))
    (old.folder / "authority.db").unlink()
    url_file = old.folder / "database.url"
    url_file.touch(mode=0o600)
    url_file.write_text(postgres_url)
    moved = RestoredDesk(old.folder, postgres_url)
    moved.ran("restore", str(tmp_path / "file"))
    assert len(moved.rows()["uploads"]) == 1


@pytest.mark.slow
@pytest.mark.parametrize("revision", REVISIONS)
def test_a_database_of_an_earlier_schema_is_backed_up_and_restored(
    revision: str, desk: RestoredDesk, tmp_path: Path
) -> None:
    """Before `migrate`, over the old database, over the new one and into a new folder."""
    newest, old_file = tmp_path / "newest.db", tmp_path / "old.db"
    before = desk.rows(GIVEN_BACK)
    desk.ran("backup", str(newest))
    of_schema(revision, old_file, newest)
    if desk.url is None:
        shutil.copy(old_file, desk.folder / "authority.db")
    else:
        desk.execute(DROP_ALL)
        in_postgres(revision, desk.url, old_file)
    file = str(tmp_path / "backup")
    desk.ran("backup", file)
    kept = sqlite3.connect(file)
    assert kept.execute("SELECT version_num FROM alembic_version").fetchone() == (revision,)
    kept.close()
    desk.ran("restore", file, "--yes")  # over the old schema
    restored = desk.rows(GIVEN_BACK)
    assert {name: len(rows) for name, rows in before.items() if rows} == {
        "users": 2,
        "cases": 1,
        "uploads": 1,
        "contact_lists": 2,
        "contacts": 2,
    }
    assert restored | {"cases": []} == before | {"cases": []}
    assert [row[0] for row in restored["cases"]] == [row[0] for row in before["cases"]]
    followed = desk.rows(("followed",))["followed"]
    assert len(followed) == 1
    if desk.url is not None:
        return  # what follows is the same on either database
    migrate_folder(desk.folder, NOON)
    desk.ran("restore", file, "--yes")  # over the new one
    assert desk.rows(tuple(restored)) == restored
    new = RestoredDesk(tmp_path / "new").make()
    shutil.copy(desk.folder / KEYS, new.folder / KEYS)
    new.ran("restore", file)
    assert new.rows(tuple(restored)) == restored
    new.work(lambda service: service.audit.verify(by=CONSOLE))


DROP_ALL = """DO $$ DECLARE one record; BEGIN
    FOR one IN SELECT tablename FROM pg_tables WHERE schemaname = current_schema()
    LOOP EXECUTE 'DROP TABLE IF EXISTS ' || quote_ident(one.tablename) || ' CASCADE'; END LOOP;
    FOR one IN SELECT proname FROM pg_proc WHERE pronamespace = current_schema()::regnamespace
    LOOP EXECUTE 'DROP FUNCTION ' || quote_ident(one.proname) || ' CASCADE'; END LOOP; END $$"""
"""Empties a schema of PostgreSQL."""


def test_the_very_first_schema_is_backed_up_and_restored(
    sqlite_desk: RestoredDesk, tmp_path: Path
) -> None:
    newest, file = tmp_path / "newest.db", str(tmp_path / "backup")
    before = sqlite_desk.rows(("users", "cases"))
    sqlite_desk.ran("backup", str(newest))
    (sqlite_desk.folder / "authority.db").unlink()
    of_first_schema(sqlite_desk.folder / "authority.db", newest)
    sqlite_desk.ran("backup", file)
    for _ in range(2):  # over itself, and over what came of it
        sqlite_desk.ran("restore", file, "--yes")
        assert sqlite_desk.rows(("users",))["users"] == before["users"]
        assert len(sqlite_desk.rows(("cases",))["cases"]) == 1


# --- nothing that was revoked comes back ---


def test_a_backup_replaces_no_device_and_no_pipe(desk: RestoredDesk, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    error = desk.run("backup", str(pipe)).exception
    assert isinstance(error, StoreError)
    assert "is a device or a pipe: name a new file" in str(error)
    assert pipe.is_fifo()


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
        "passwords": 1,
        "sessions": 0,
        "pins": 0,
        "audit_entries": 0,
    }
    assert leaver not in {row[0] for row in desk.rows(("users",))["users"]}
    operators = {row[0]: row[-1] for row in desk.rows(("operators",))["operators"]}
    assert operators == {"night": True, "operator": False}
    assert [row[0] for row in desk.rows(("passwords",))["passwords"]] == ["night"]


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
    assert read_revoked(sqlite_desk.folder) == before
    assert revoked.stat().st_mode & 0o777 == 0o600
    command("purge", str(sqlite_desk.folder))
    assert len(revoked.read_text().splitlines()) == 2


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
    assert "1 passwords that were changed since" in result.stdout
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


# --- what is refused ---


def test_another_authoritys_backup_is_refused(
    desk: RestoredDesk, tmp_path: Path, clock: Clock
) -> None:
    del clock
    before = desk.rows()
    other = RestoredDesk(tmp_path / "other").make()
    other.work(traced)
    other.ran("backup", str(tmp_path / "theirs"))
    result = desk.run("restore", str(tmp_path / "theirs"), "--yes")
    assert isinstance(result.exception, ConflictError)
    assert desk.rows() == before
    empty = RestoredDesk(tmp_path / "empty").make(name="AU_DTA")
    assert isinstance(empty.run("restore", str(tmp_path / "theirs")).exception, ConflictError)


def test_another_authoritys_backup_is_refused_over_a_damaged_database(
    sqlite_desk: RestoredDesk, tmp_path: Path
) -> None:
    other = RestoredDesk(tmp_path / "other").make()
    other.work(traced)
    other.ran("backup", str(tmp_path / "theirs"))
    of_schema("0004", tmp_path / "theirs before", tmp_path / "theirs")
    forget = sqlite3.connect(tmp_path / "theirs before")
    forget.execute("DELETE FROM settings WHERE name = 'keys_check'")
    forget.commit()
    forget.close()
    spoilt(sqlite_desk.folder / "authority.db", "garbage")
    for name in ("theirs", "theirs before"):
        result = sqlite_desk.run("restore", str(tmp_path / name), "--yes")
        assert isinstance(result.exception, KeyRingError), result.exception
    assert not list(sqlite_desk.folder.glob("*damaged*"))


@pytest.mark.parametrize(
    "how", ["garbage", "empty", "cut off", "half written", "a page", "missing"]
)
def test_a_damaged_backup_is_refused(desk: RestoredDesk, tmp_path: Path, how: str) -> None:
    before = desk.rows()
    desk.ran("backup", str(tmp_path / "file"))
    spoilt(tmp_path / "file", how)
    result = desk.run("restore", str(tmp_path / "file"), "--yes")
    assert isinstance(result.exception, StoreError)
    assert str(tmp_path / "file") in str(result.exception)
    assert desk.rows() == before


def test_a_backup_of_a_newer_program_is_refused(sqlite_desk: RestoredDesk, tmp_path: Path) -> None:
    sqlite_desk.ran("backup", str(tmp_path / "file"))
    newer = sqlite3.connect(tmp_path / "file")
    newer.execute("UPDATE alembic_version SET version_num = '9999'")
    newer.commit()
    newer.close()
    result = sqlite_desk.run("restore", str(tmp_path / "file"), "--yes")
    assert "newer program" in str(result.exception)


def test_restore_shows_what_changes_and_asks(desk: RestoredDesk, tmp_path: Path) -> None:
    desk.ran("backup", str(tmp_path / "file"))
    desk.work(lambda service: service.issuance.register())
    before = desk.rows((*KEPT, "audit"))
    result = desk.ran("restore", str(tmp_path / "file"), "--dry-run")
    words = " ".join(result.stdout.replace("│", " ").split())
    assert "users 3 2" in words
    assert "Nothing was changed" in words
    assert desk.run("restore", str(tmp_path / "file")).exit_code == 1
    assert desk.rows((*KEPT, "audit")) == before
    assert sorted(path.name for path in desk.folder.iterdir() if path.is_dir()) == []


def test_restores_servers_and_commands_wait_for_each_other(
    desk: RestoredDesk, tmp_path: Path
) -> None:
    desk.ran("backup", str(tmp_path / "file"))
    with shared_use(desk.folder):
        assert "a server or another command uses" in str(
            desk.run("restore", str(tmp_path / "file"), "--yes").exception
        )
    with exclusive_use(desk.folder):
        assert "is being restored" in str(desk.run("user", "list").exception)


def test_a_server_of_another_machine_loses_nothing_to_a_restore(
    desk: RestoredDesk, tmp_path: Path, clock: Clock
) -> None:
    if desk.url is None:
        pytest.skip("one machine alone uses an SQLite file")
    desk.ran("backup", str(tmp_path / "file"))
    with prepared_restore(desk.folder, tmp_path / "file", clock.now) as prepared:
        elsewhere = RestoredDesk(tmp_path / "elsewhere", desk.url)
        elsewhere.folder.mkdir(mode=0o700)
        for name in (KEYS, "database.url"):
            shutil.copy(desk.folder / name, elsewhere.folder / name)
        elsewhere.work(lambda service: service.issuance.register())
        with pytest.raises(StoreError, match="stop the servers on all machines"):
            prepared.commit()
    assert len(desk.rows(("users",))["users"]) == 3


# --- killed at any step ---


@pytest.mark.skipif(os.name != "posix", reason="forks")
@pytest.mark.parametrize("damaged", [False, True])
def test_a_restore_that_is_killed_leaves_the_old_or_the_new_state(
    sqlite_desk: RestoredDesk, tmp_path: Path, damaged: bool
) -> None:
    desk, file = sqlite_desk, str(tmp_path / "file")
    desk.ran("backup", file)
    new = desk.rows()
    desk.work(lambda service: service.issuance.register())
    old = desk.rows()
    if damaged:
        spoilt(desk.folder / "authority.db", "garbage")
    seen = []
    for step in range(1, 500):
        folder = tmp_path / f"copy-{step}"
        shutil.copytree(desk.folder, folder)
        if not _killed_at(step, RestoredDesk(folder), file):
            break
        copy = RestoredDesk(folder)
        if damaged and (folder / "authority.db").read_bytes()[:16] != b"SQLite format 3\0":
            pending = (folder / "authority.db.restored").exists()
            assert (copy.run("user", "list").exit_code == 0) == pending
            seen.append("new" if pending else "old")
        else:
            copy.ran("user", "list")  # any command completes what was begun
            copy.work(lambda service: service.audit.verify(by=CONSOLE))
            seen.append("new" if copy.rows() == new else "old")
            assert copy.rows() in (old, new)
        assert not list(folder.glob("*.restored"))
        if seen[-1] == "old" and not damaged:
            assert not (folder / ".restoring").exists()
        shutil.rmtree(folder)
    assert seen == sorted(seen, reverse=True)  # first the old state, then the new one
    assert {"old", "new"} <= set(seen)


def _killed_at(step: int, desk: RestoredDesk, file: str) -> bool:
    """Restore in a process that is killed when it touches files for the ``step``-th time."""
    child = os.fork()
    if child == 0:
        count = 0

        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal count
            if event in {"os.rename", "os.remove", "os.link", "os.mkdir", "os.rmdir", "os.chmod"}:
                count += str(desk.folder) in str(arguments[0])
                if count == step:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        desk.run("restore", file, "--yes")
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)
