"""One battery over every contact log: in memory and in SQLite."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracetogether.adapters.sqlite_log import SqliteContactLog
from tracetogether.contactlog import ContactLog, MemoryContactLog
from tracetogether.sightings import Sighting

NOW = 1_600_000_000.0
DAY = 86_400
RETENTION = 21 * DAY

Make = Callable[[], ContactLog]


@pytest.fixture(params=["memory", "sqlite"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    with ExitStack() as stack:
        count = 0

        def new() -> ContactLog:
            nonlocal count
            count += 1
            if request.param == "memory":
                return MemoryContactLog()
            path = tmp_path / f"log{count}.db"
            return stack.enter_context(SqliteContactLog.open(path, now=NOW))

        yield new


def sighting(time: float, peer: str = "T") -> Sighting:
    return Sighting(time, peer, -60.0, None, "iPhone 8", "Pixel 3a", "SG_OTC", 2, as_central=False)


def test_rows_come_back_as_they_were(make: Make) -> None:
    log = make()
    rows = [
        Sighting(NOW, "T1", -60.5, 12.0, "手机", None, "", 1, as_central=True),
        sighting(NOW + 1),
    ]
    log.append(rows)
    assert log.rows() == rows
    assert len(log) == 2


def test_rows_are_in_order_of_time_whatever_the_order_of_writing(make: Make) -> None:
    log = make()
    log.append([sighting(NOW + 2, "c"), sighting(NOW, "a")])
    log.append([sighting(NOW + 1, "b")])
    assert [row.peer for row in log.rows()] == ["a", "b", "c"]


def test_periods_are_half_open(make: Make) -> None:
    log = make()
    log.append([sighting(NOW + n, str(n)) for n in range(5)])
    assert [row.peer for row in log.rows(NOW + 1, NOW + 3)] == ["1", "2"]
    assert [row.peer for row in log.rows(start=NOW + 3)] == ["3", "4"]
    assert [row.peer for row in log.rows(end=NOW + 1)] == ["0"]
    assert log.rows(NOW + 3, NOW + 1) == []


def test_columns_agree_with_rows(make: Make) -> None:
    log = make()
    log.append([sighting(NOW), Sighting(NOW + 1, "U", -70.0, 3.0)])
    columns = log.sightings()
    assert columns.time.tolist() == [NOW, NOW + 1]
    assert columns.peer.to_list() == ["T", "U"]
    assert columns.rssi_dbm.tolist() == [-60, -70]
    assert np.isnan(columns.tx_power_dbm[0])
    assert columns.tx_power_dbm[1] == 3
    assert columns.peer_model.to_list() == ["iPhone 8", None]
    assert columns.observer_model.to_list() == ["Pixel 3a", None]
    assert len(log.sightings(NOW + 1)) == 1
    assert len(make().sightings()) == 0


def test_adding_one(make: Make) -> None:
    log = make()
    log.add(time=NOW, peer="T", rssi_dbm=-67, peer_model="Pixel 3a")
    assert log.rows() == [Sighting(NOW, "T", -67, None, "Pixel 3a")]


def run_on(log: ContactLog, start: float, days: int) -> None:
    """Let a phone purge its log once a day, ``days`` times."""
    for day in range(1, days + 1):
        log.purge(start + day * DAY)


def test_purge_drops_what_is_older_than_21_days_to_the_second(make: Make) -> None:
    log = make()
    log.append([sighting(NOW - 1, "old"), sighting(NOW, "edge"), sighting(NOW + 1, "young")])
    run_on(log, NOW - 60, 21)
    assert log.purge(NOW + RETENTION) == 1
    assert [row.peer for row in log.rows()] == ["edge", "young"]
    assert log.purge(NOW + RETENTION) == 0
    assert log.purge(NOW + RETENTION + DAY) == 2
    assert len(log) == 0


def test_appending_rolls_the_log(make: Make) -> None:
    log = make()
    for day in range(30):
        log.append([sighting(NOW + day * DAY, str(day))])
    assert [row.peer for row in log.rows()] == [str(day) for day in range(8, 30)]


three_weeks = [sighting(NOW - 20 * DAY + hour * 3600.0, str(hour)) for hour in range(480)]
leaps = pytest.mark.parametrize("leap_d", [3, 20, 22, 60, 179, 200, 3650, -3, -60, -15_000])


@leaps
def test_a_clock_that_leaps_and_comes_back_costs_nothing(make: Make, leap_d: int) -> None:
    log = make()
    log.append(three_weeks)
    wrong = NOW + leap_d * DAY
    log.append([sighting(wrong, "wrong")])
    for hour in range(48):
        assert log.purge(wrong + hour * 3600) == 0
    assert [row for row in log.rows() if row.peer != "wrong"] == three_weeks
    assert log.purge(NOW + 600) == (leap_d < -21)  # a sighting of 1979 is too old by a right clock
    assert log.set_aside() == 0
    assert [row for row in log.rows() if row.peer != "wrong"] == three_weeks


def test_what_is_too_old_by_a_doubted_clock_is_set_aside_and_leaves_in_the_end(make: Make) -> None:
    log = make()
    log.append(three_weeks)
    log.purge(NOW)
    wrong = NOW + 60 * DAY
    log.append([sighting(wrong, "after")])
    assert log.set_aside() == 480
    run_on(log, wrong, 20)
    assert log.set_aside() == 480
    log.purge(wrong + 21 * DAY)
    assert [row.peer for row in log.rows()] == ["after"]  # the others are 21 days old by now
    assert log.set_aside() == 0


def test_a_phone_that_is_on_once_a_week_and_meets_no_authority_forgets_too(make: Make) -> None:
    log = make()
    log.append(three_weeks)
    weeks = 0
    while len(log):
        weeks += 1
        log.purge(NOW + weeks * 7 * DAY)
    assert weeks == 22


def test_the_authority_ends_every_doubt(make: Make) -> None:
    log = make()
    log.append(three_weeks)
    assert log.purge(NOW + 60 * DAY) == 0
    assert log.purge(NOW + 60 * DAY, confirmed=True) == 480
    log.append([sighting(NOW + 60 * DAY, "new"), sighting(NOW + 90 * DAY, "ahead")])
    assert log.purge(NOW + 60 * DAY + 1, confirmed=True) == 1  # no right clock wrote that
    assert [row.peer for row in log.rows()] == ["new"]


def test_a_machine_without_a_clock_begins_in_1970_and_goes_on_in_the_present(make: Make) -> None:
    log = make()
    log.append([sighting(100.0, "1970"), sighting(200.0, "1970")])
    log.append([sighting(NOW, "now")])  # the time came by network
    assert [row.peer for row in log.rows()] == ["now"]
    log.append([sighting(300.0, "1970")])  # after the next start
    assert log.purge(400.0) == 0
    log.append([sighting(NOW + 3600, "now")])
    assert [row.peer for row in log.rows()] == ["now", "now"]


def test_a_log_that_began_under_a_wrong_clock_keeps_what_the_right_one_writes(make: Make) -> None:
    log = make()
    log.append([sighting(NOW + 60 * DAY, "ahead")])
    log.append([sighting(NOW + n * DAY, "right") for n in range(5)])
    assert log.purge(NOW + 4 * DAY) == 0
    assert log.purge(NOW + 60 * DAY) == 0  # it leaps again
    assert [row.peer for row in log.rows()] == ["right"] * 5 + ["ahead"]


def test_appending_nothing_is_nothing(make: Make) -> None:
    log = make()
    log.append([])
    assert len(log) == 0


def test_equal_times_keep_the_order_of_writing(make: Make) -> None:
    log = make()
    log.append([sighting(NOW, str(n)) for n in range(20)])
    assert [row.peer for row in log.rows()] == [str(n) for n in range(20)]


@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    batches=st.lists(
        st.lists(st.integers(0, 40 * DAY), min_size=1, max_size=5), min_size=1, max_size=6
    )
)
def test_both_forms_hold_the_same_after_any_history(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[int]]
) -> None:
    path = tmp_path_factory.mktemp("logs") / "log.db"
    memory = MemoryContactLog()
    memory.purge(NOW)  # as the file does when it is opened
    with SqliteContactLog.open(path, now=NOW) as sqlite:
        for batch in batches:
            rows = [sighting(NOW + offset, str(offset)) for offset in batch]
            memory.append(rows)
            sqlite.append(rows)
            assert sqlite.rows() == memory.rows()
        end = NOW + max(max(batch) for batch in batches)
        assert sqlite.purge(end) == memory.purge(end)
        assert sqlite.set_aside() == memory.set_aside()
        assert sqlite.purge(end, confirmed=True) == memory.purge(end, confirmed=True)
        assert sqlite.rows() == memory.rows()
