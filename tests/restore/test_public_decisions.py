"""A restore takes back no place, warning, published day or restriction that ended since."""

from pathlib import Path

import pytest

from tests.authority_world import NOON
from tests.presence_world import CAFE, sent
from tests.restored_desk import Clock, RestoredDesk, spoilt
from tracetogether.authority.access.permissions import CONSOLE, Caller, Role
from tracetogether.authority.service import Authority
from tracetogether.authority.status.order import OrderKind
from tracetogether.authority.status.restriction import Ground, RestrictionEvidence
from tracetogether.crypto import sha256
from tracetogether.units import SECONDS_PER_DAY

HOUR = 3_600.0


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
