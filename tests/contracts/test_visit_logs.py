"""One battery over every visit log, in memory and in SQLite, and the rules of scans."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import counted_entropy
from tracetogether.adapters.sqlite_log import SqliteVisitLog
from tracetogether.presence.posters import Poster, make_poster
from tracetogether.presence.visits import (
    MemoryVisitLog,
    Visit,
    VisitChange,
    VisitLog,
    checked_out,
    forgotten,
    scanned,
    settled,
)

DAY = 86_400
NOON = 1_600_041_600.0 + 43_200 - 1_600_041_600.0 % DAY  # of a UTC day
HOUR = 3_600
MINUTE = 60
ENTROPY = counted_entropy(7)
BAR = make_poster("Bar ⚓", "Pier 1", entropy=ENTROPY, default_minutes=60)
HALL = make_poster("Hall", entropy=ENTROPY)  # two hours, the default
Make = Callable[[], VisitLog]


@pytest.fixture(params=["memory", "sqlite"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    with ExitStack() as stack:
        count = 0

        def new() -> VisitLog:
            nonlocal count
            count += 1
            if request.param == "memory":
                return MemoryVisitLog()
            path = tmp_path / f"visits{count}.db"
            return stack.enter_context(SqliteVisitLog.open(path, now=NOON))

        yield new


def scan(log: VisitLog, poster: Poster, now: float, note: str = "") -> VisitChange:
    return log.update(partial(scanned, poster=poster, now=now, note=note), now)


def leave(log: VisitLog, now: float) -> VisitChange:
    return log.update(partial(checked_out, now=now), now)


def settle(log: VisitLog, now: float) -> VisitChange:
    return log.update(partial(settled, now=now), now)


def spans(log: VisitLog) -> list[tuple[str, float, float, bool]]:
    """Return names, and minutes from noon."""
    return [
        (row.description, (row.start - NOON) / MINUTE, (row.end - NOON) / MINUTE, row.open)
        for row in log.visits()
    ]


def test_a_visit_ends_at_the_check_out(make: Make) -> None:
    log = make()
    scan(log, BAR, NOON, "with Mei")
    (visit,) = log.visits()
    assert visit == Visit(
        BAR.location_id, "Bar ⚓", "Pier 1", NOON, NOON + HOUR, HOUR, True, "with Mei", BAR.text
    )
    change = leave(log, NOON + 25 * MINUTE)
    assert change.current == replace(visit, end=NOON + 25 * MINUTE, open=False)
    assert spans(log) == [("Bar ⚓", 0, 25, False)]
    assert leave(log, NOON + HOUR).current is None


def test_the_same_poster_prolongs(make: Make) -> None:
    log = make()
    scan(log, BAR, NOON)
    scan(log, BAR, NOON + 50 * MINUTE)
    assert spans(log) == [("Bar ⚓", 0, 110, True)]
    scan(log, BAR, NOON + 111 * MINUTE)  # the former visit was over
    assert spans(log) == [("Bar ⚓", 0, 110, False), ("Bar ⚓", 111, 171, True)]


def test_another_poster_ends_the_former(make: Make) -> None:
    log = make()
    scan(log, BAR, NOON)
    scan(log, HALL, NOON + 20 * MINUTE)
    assert spans(log) == [("Bar ⚓", 0, 20, False), ("Hall", 20, 140, True)]


def test_a_visit_ends_after_the_posters_time(make: Make) -> None:
    log = make()
    scan(log, BAR, NOON)
    assert settle(log, NOON + HOUR - 1).gone == ()
    settle(log, NOON + 5 * HOUR)
    assert spans(log) == [("Bar ⚓", 0, 60, False)]


def test_no_visit_is_longer_than_a_day(make: Make) -> None:
    log = make()
    for hour in range(30):
        scan(log, HALL, NOON + hour * HOUR)
    settle(log, NOON + 40 * HOUR)
    rows = log.visits()
    assert max(row.end - row.start for row in rows) <= DAY
    covered = sum(row.end - row.start for row in rows)
    assert covered == 31 * HOUR


def test_midnight_divides_a_visit_that_ended(make: Make) -> None:
    log = make()
    scan(log, HALL, NOON + 11 * HOUR)
    assert [row.open for row in log.visits()] == [True]
    leave(log, NOON + 12.5 * HOUR)
    assert spans(log) == [("Hall", 660, 720, False), ("Hall", 720, 750, False)]


def test_visits_leave_21_days_after_their_end(make: Make) -> None:
    log = make()
    scan(log, BAR, NOON)
    leave(log, NOON + 30 * MINUTE)
    for day in range(1, 22):
        assert log.purge(NOON + day * DAY) == 0
    assert len(log) == 1
    assert log.purge(NOON + 21 * DAY + 30 * MINUTE + 1) == 1
    assert log.visits() == []


def test_a_scan_drops_old_visits_too(make: Make) -> None:
    log = make()
    for day in range(30):
        scan(log, BAR, NOON + day * DAY)
    assert [int((row.start - NOON) // DAY) for row in log.visits()] == list(range(8, 30))


@pytest.mark.parametrize("leap_d", [3, 22, 60, 3650, -3, -60])
def test_a_clock_that_leaps_costs_no_visit(make: Make, leap_d: int) -> None:
    log = make()
    scan(log, BAR, NOON)
    leave(log, NOON + 30 * MINUTE)
    wrong = NOON + leap_d * DAY
    scan(log, HALL, wrong)
    log.purge(wrong + HOUR)
    assert log.set_aside() == (leap_d > 21)
    scan(log, BAR, NOON + 2 * HOUR)
    names = [row.description for row in log.visits()]
    assert names.count("Bar ⚓") == 2
    assert ("Hall" in names) == (leap_d > -21)  # a visit of two months ago is too old
    assert log.set_aside() == 0
    assert log.purge(NOON + 3 * HOUR, confirmed=True) == (leap_d > 0)


def test_a_clock_that_goes_back_ends_an_open_visit_as_planned(make: Make) -> None:
    log = make()
    scan(log, BAR, NOON)
    scan(log, HALL, NOON - 5 * HOUR)
    assert spans(log) == [("Hall", -300, -180, True), ("Bar ⚓", 0, 60, False)]


def test_visits_are_forgotten_on_request(make: Make) -> None:
    log = make()
    scan(log, BAR, NOON)
    scan(log, HALL, NOON + 20 * MINUTE)
    at_bar = partial(forgotten, which=lambda row: row.description.startswith("Bar"))
    assert len(log.update(at_bar, NOON + HOUR).gone) == 1
    assert [row.description for row in log.visits()] == ["Hall"]


def test_two_equal_visits_are_two(make: Make) -> None:
    log = make()
    row = Visit(bytes(32), "a", "", NOON, NOON + HOUR)
    log.update(lambda _: VisitChange((), (row, row)), NOON)
    log.update(lambda _: VisitChange((row,)), NOON)
    assert log.visits() == [row]


def test_a_rule_that_fails_changes_nothing(make: Make) -> None:
    log = make()
    scan(log, BAR, NOON)
    before = log.visits()

    def broken(_: list[Visit]) -> VisitChange:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        log.update(broken, NOON + HOUR)
    assert log.visits() == before


def test_seen_warnings_are_remembered_as_long_as_visits(make: Make) -> None:
    log = make()
    assert (log.seen(), log.asked_hour()) == (frozenset(), None)
    log.remember([b"a" * 32, b"b" * 32], 444_000, NOON)
    log.remember([b"b" * 32, b"c" * 32], 444_001, NOON + HOUR)
    assert log.seen() == {b"a" * 32, b"b" * 32, b"c" * 32}
    assert log.asked_hour() == 444_001
    for day in range(1, 22):
        log.purge(NOON + day * DAY)
    assert log.seen() == {b"b" * 32, b"c" * 32} if log.purge(NOON + 21 * DAY + 1) == 0 else False
    log.purge(NOON + 22 * DAY)
    assert log.seen() == frozenset()
    assert log.asked_hour() == 444_001


steps = st.lists(
    st.tuples(st.sampled_from(["bar", "hall", "out", "settle"]), st.integers(-3 * HOUR, 9 * HOUR)),
    max_size=12,
)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps)
def test_both_logs_do_the_same_and_lose_nothing(tmp_path_factory: object, taken: list) -> None:
    place = tmp_path_factory.mktemp("visits") / "visits.db"  # type: ignore[attr-defined]
    memory, scans, now = MemoryVisitLog(), 0, NOON
    with SqliteVisitLog.open(place, now=NOON) as file:
        memory.purge(NOON)
        for what, later in taken:
            now += later
            if what in {"bar", "hall"}:
                scans += 1
            for log in (memory, file):
                match what:
                    case "bar":
                        scan(log, BAR, now)
                    case "hall":
                        scan(log, HALL, now)
                    case "out":
                        leave(log, now)
                    case _:
                        settle(log, now)
        assert memory.visits() == file.visits()
        rows = file.visits()
        assert sum(row.open for row in rows) <= 1
        assert all(row.start <= row.end <= row.start + DAY for row in rows)
        assert bool(rows) == bool(scans)


def test_the_file_is_the_owners_alone_and_keeps_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "visits.db"
    with SqliteVisitLog.open(path, now=NOON) as log:
        scan(log, BAR, NOON)
        assert path.stat().st_mode & 0o777 == 0o600
        log.update(partial(forgotten, which=lambda _: True), NOON)
        files = list(tmp_path.iterdir())
        assert all(b"Pier 1" not in file.read_bytes() for file in files)
        assert all(BAR.location_id not in file.read_bytes() for file in files)
