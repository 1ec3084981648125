"""What a restore takes over of partners, batches and warnings, and what happens at one moment."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Barrier, BrokenBarrierError, Thread
from typing import Any

import pytest

from tests.authority_world import NOON, heard
from tests.partners_world import ANN, LATER, Border, recognise
from tests.presence_world import CAFE, sent
from tests.restored_desk import RestoredDesk, command
from tracetogether.adapters.sql_store.access import AccessTables
from tracetogether.adapters.sql_store.handovers import HandoverTables
from tracetogether.authority.access.permissions import CONSOLE, Caller, Role
from tracetogether.authority.service import Authority
from tracetogether.bluetrace.upload import write_upload
from tracetogether.cli.authority_folder import opened_folder
from tracetogether.cli.revoked_file import read_revoked
from tracetogether.crypto import sha256
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_HOUR

HOURLY = float(SECONDS_PER_HOUR)
TRACER = Caller("ravi", frozenset({Role.TRACER, Role.SUPERVISOR}))


DAMAGED = pytest.mark.parametrize(
    "damaged", [pytest.param(False, marks=pytest.mark.slow), True], ids=["readable", "lost"]
)


class Clock:
    """The time that commands see."""

    now = NOON

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("time.time", made)
    return made


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def url(request: pytest.FixtureRequest, clock: Clock) -> str | None:
    """The URL of a PostgreSQL database; None for SQLite."""
    del clock
    found: str = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""
    return found or None


@pytest.fixture
def desk(url: str | None, tmp_path: Path) -> RestoredDesk:
    """An authority on either database."""
    return RestoredDesk(tmp_path / "desk", url).make()


@pytest.fixture
def border() -> Border:
    """Two authorities in memory that recognise each other."""
    return Border.open()


def lost(desk: RestoredDesk) -> None:
    """Lose the present database, as a disk does."""
    if desk.url is None:
        for path in desk.folder.glob("authority.db*"):
            path.unlink()
    else:
        schema = desk.url.rpartition("%3D")[2]
        desk.execute(f"DROP SCHEMA {schema} CASCADE", f"CREATE SCHEMA {schema}")


def restored(desk: RestoredDesk, file: Path, *, damaged: bool) -> None:
    if damaged:
        lost(desk)
    desk.ran("restore", str(file), "--yes")


def upload_of(service: Authority, abroad: Authority, user: str, now: float) -> None:
    """Let a person of ours upload a log that holds a person of the partner's."""
    code = abroad.partners.organisation
    rows = [replace(row, organisation=code) for row in heard(abroad, user, now - 3 * HOURLY, 40)]
    person = service.issuance.register().user_id
    case = service.casework.open_case(person, now, by=CONSOLE)
    pin = service.pins.issue(case, now, by=CONSOLE)
    body = write_upload(rows)
    token = service.intake.redeem_pin(person, pin, sha256(body), now)
    service.intake.take_upload(token, body, now)


def send_all(service: Authority, abroad: Authority, now: float) -> list[Any]:
    """Pack and send what waits; return what the partner made of each batch."""
    service.record_sending.pack(now)
    found = []
    for batch in service.record_sending.to_send("AU_DTA", now):
        found.append(abroad.record_taking.from_partner("SG_MOH", batch.message, now))
        service.record_sending.sent(batch, now)
    return found


@DAMAGED
def test_a_partner_that_was_removed_stays_removed(
    damaged: bool, desk: RestoredDesk, border: Border, tmp_path: Path, clock: Clock
) -> None:
    desk.work(lambda service: recognise(service, border.abroad))
    desk.ran("backup", str(tmp_path / "file"))
    clock.now += HOURLY
    desk.work(lambda service: service.partners.remove("AU_DTA", clock.now, by=ANN))
    restored(desk, tmp_path / "file", damaged=damaged)
    assert desk.work(lambda service: service.partners.all(by=ANN)) == []
    assert desk.work(lambda service: list(service.partners.rows(clock.now))) == []


@pytest.mark.slow
def test_a_partner_that_was_added_again_comes_back(
    desk: RestoredDesk, border: Border, tmp_path: Path, clock: Clock
) -> None:
    desk.work(lambda service: recognise(service, border.abroad))
    clock.now += HOURLY
    desk.work(lambda service: service.partners.remove("AU_DTA", clock.now, by=ANN))
    clock.now += HOURLY
    desk.work(lambda service: recognise(service, border.abroad, clock.now))
    desk.ran("backup", str(tmp_path / "file"))
    restored(desk, tmp_path / "file", damaged=True)
    (kept,) = desk.work(lambda service: service.partners.all(by=ANN))
    assert kept.confirmed_by


def test_the_list_of_each_machine_has_partners_and_warnings_until_they_are_old(
    desk: RestoredDesk, border: Border, clock: Clock
) -> None:
    desk.work(lambda service: recognise(service, border.abroad))
    desk.work(lambda service: service.partners.remove("AU_DTA", clock.now, by=ANN))
    visit_id = desk.work(released_visit)
    desk.work(lambda service: service.warnings.refuse(visit_id, "no", clock.now, by=TRACER))
    before = read_revoked(desk.folder)
    assert (len(before.partners), before.kept_back) == (1, {visit_id})
    (desk.folder / "revoked.txt").unlink()
    command("purge", str(desk.folder))
    again = read_revoked(desk.folder)
    assert (again.partners, again.kept_back) == (before.partners, before.kept_back)
    clock.now += 91 * SECONDS_PER_DAY
    command("purge", str(desk.folder), "--clock-is-right")
    assert read_revoked(desk.folder).kept_back == set()
    assert read_revoked(desk.folder).partners == before.partners
    clock.now += 276 * SECONDS_PER_DAY
    command("purge", str(desk.folder), "--clock-is-right")
    assert read_revoked(desk.folder).partners == {}


def released_visit(service: Authority) -> str:
    """Let two cases report one café, which releases the warning; return the visit's id."""
    visit = sent(CAFE, NOON - 5 * HOURLY)
    for _ in range(2):
        user = service.issuance.register().user_id
        case = service.casework.open_case(user, NOON, by=CONSOLE)
        pin = service.pins.issue(case, NOON, by=CONSOLE)
        leave = service.intake.redeem_pin(user, pin, sha256(user.encode()), NOON)
        service.visits.take(leave, [visit], (), NOON)
    (kept,) = service.warnings.of_case(case.case_id, by=CONSOLE).visits
    return kept.kept.visit_id


@DAMAGED
def test_a_warning_that_was_kept_back_is_not_published(
    damaged: bool, desk: RestoredDesk, tmp_path: Path, clock: Clock
) -> None:
    visit_id = desk.work(released_visit)
    desk.ran("backup", str(tmp_path / "file"))
    desk.work(lambda service: service.warnings.refuse(visit_id, "no", clock.now, by=TRACER))
    restored(desk, tmp_path / "file", damaged=damaged)
    clock.now += 2 * HOURLY
    desk.work(lambda service: service.publishing.publish(clock.now))
    states = {row[0]: row[6] for row in desk.rows(("reported_visits",))["reported_visits"]}
    assert states.pop(visit_id) == "refused"
    assert set(states.values()) == {"published"}  # the visit of the other case


@DAMAGED
def test_a_batch_that_was_sent_counts_once_for_the_partner(
    damaged: bool, desk: RestoredDesk, border: Border, tmp_path: Path, clock: Clock
) -> None:
    """Another log of the same hour, which the restore loses, changes nothing of that."""
    abroad = border.abroad
    user = abroad.issuance.register().user_id

    def prepare(service: Authority) -> None:
        recognise(service, abroad)
        abroad.partners.remove("SG_MOH", NOON, by=ANN)
        recognise(abroad, service)
        upload_of(service, abroad, user, NOON)

    desk.work(prepare)
    desk.ran("backup", str(tmp_path / "file"))
    desk.work(lambda service: upload_of(service, abroad, user, NOON + 60))
    clock.now = LATER
    (first,) = desk.work(lambda service: send_all(service, abroad, LATER))
    assert (first.records, first.already) == (240, False)
    before = abroad.store.handing.answers()
    restored(desk, tmp_path / "file", damaged=damaged)
    again = desk.work(lambda service: send_all(service, abroad, LATER + 60))
    assert [taken.already for taken in again] == [True] * damaged
    assert abroad.store.handing.answers() == before
    (batch,) = desk.work(lambda service: service.record_sending.all_outgoing(by=CONSOLE))
    assert batch.state.value == "sent"
    (there,) = abroad.casework.cases(by=CONSOLE)
    assert len(abroad.store.uploads(there.case_id)) == 1
    # A log of the next hour goes out under a name of its own.
    desk.work(lambda service: upload_of(service, abroad, user, LATER))
    (later,) = desk.work(lambda service: send_all(service, abroad, LATER + HOURLY))
    assert (later.records, later.already) == (120, False)


def test_a_log_that_is_noted_after_its_hour_was_packed_goes_out_too(border: Border) -> None:
    user = border.abroad.issuance.register().user_id
    rows = border.rows(border.abroad, user, NOON - 3 * HOURLY)
    border.upload(rows)
    assert len(border.send()) == 1
    border.upload(rows)  # of noon, which is packed
    (late,) = border.send(LATER + 60)
    assert (late.records, late.already) == (120, False)


def test_what_partners_sent_since_the_backup_stays_and_counts_once(
    url: str | None, border: Border, tmp_path: Path, clock: Clock
) -> None:
    home = border.home

    def prepare(service: Authority) -> str:
        recognise(service, home)
        home.partners.remove("AU_DTA", NOON, by=ANN)
        recognise(home, service)
        return service.issuance.register().user_id

    desk = RestoredDesk(tmp_path / "abroad", url).make(name="AU_DTA")
    user = desk.work(prepare)
    rows = desk.work(lambda service: border.rows(service, user, NOON - 3 * HOURLY))
    border.upload(rows)
    desk.ran("backup", str(tmp_path / "file"))
    clock.now = LATER
    home.record_sending.pack(LATER)
    (batch,) = home.record_sending.to_send("AU_DTA", LATER)

    def take(service: Authority) -> Any:
        found = service.record_taking.from_partner("SG_MOH", batch.message, clock.now)
        service.finder.work_off(clock.now)
        return found

    assert desk.work(take).accepted == 120
    tables = ("taken_batches", "record_answers", "uploads", "cases")
    before = desk.rows(tables)
    restored(desk, tmp_path / "file", damaged=False)
    assert desk.rows(tables) == before
    assert desk.work(take).already
    (case,) = desk.work(lambda service: service.casework.cases(by=CONSOLE))
    (contact,) = desk.work(lambda service: service.store.desk.contacts_of([case.case_id]))
    assert contact.close_contact
    # Where nobody knows what came, the partner's file brings it back, and it counts once.
    restored(desk, tmp_path / "file", damaged=True)
    assert desk.rows(("taken_batches",)) == {"taken_batches": []}
    assert desk.work(take).accepted == 120
    assert desk.rows(("record_answers",)) == {"record_answers": before["record_answers"]}


# --- at one moment ---


@pytest.fixture(params=["sqlite", "postgres"])
def service(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[Authority]:
    """An opened authority, whose threads have a connection each."""
    del clock
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else None
    with opened_folder(RestoredDesk(tmp_path / "desk", url).make().folder) as found:
        yield found


def at_one_moment(method: str, of: type, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let two threads meet after they called a method of the store, if both can get there."""
    plain, barrier = getattr(of, method), Barrier(2, timeout=0.3)

    def meeting(*arguments: Any) -> Any:
        found = plain(*arguments)
        with suppress(BrokenBarrierError):  # the other one waits for our transaction to end
            barrier.wait()
        return found

    monkeypatch.setattr(of, method, meeting)


def together(*acts: Callable[[], object]) -> None:
    """Let each act run in a thread of its own."""
    threads = [Thread(target=act) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_two_batches_at_once_open_one_case(
    service: Authority, border: Border, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = border.abroad
    recognise(service, sender)
    sender.partners.remove("SG_MOH", NOON, by=ANN)
    recognise(sender, service)
    user = service.issuance.register().user_id
    upload_of(sender, service, user, NOON - HOURLY)
    upload_of(sender, service, user, NOON)
    sender.record_sending.pack(LATER)
    messages = [batch.message for batch in sender.record_sending.to_send("SG_MOH", LATER)]
    assert len(messages) == 2
    at_one_moment("case_of", HandoverTables, monkeypatch)

    def take(message: bytes) -> None:
        assert service.record_taking.from_partner("AU_DTA", message, LATER).accepted

    together(*(lambda message=message: take(message) for message in messages))
    assert len(service.casework.cases(by=CONSOLE)) == 1


def test_a_screen_that_is_ended_while_its_code_is_used_stays_ended(
    service: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = service.screens.add("lobby", NOON, by=CONSOLE)
    plain, barrier = AccessTables.screens, Barrier(2, timeout=0.3)
    let_in: list[str] = []

    def slowly(tables: AccessTables) -> Any:
        found = plain(tables)
        with suppress(BrokenBarrierError):
            barrier.wait()
            barrier.wait()
        return found

    def enter() -> None:
        monkeypatch.setattr(AccessTables, "screens", slowly)
        let_in.append(service.screens.enter(code, NOON))

    def end() -> None:
        with suppress(BrokenBarrierError):
            barrier.wait()
        service.screens.end("lobby", NOON, by=CONSOLE)
        with suppress(BrokenBarrierError):
            barrier.wait()

    together(enter, end)
    monkeypatch.setattr(AccessTables, "screens", plain)
    assert service.screens.all(by=CONSOLE) == []
    assert [service.screens.who(token, NOON) for token in let_in] == [None]
