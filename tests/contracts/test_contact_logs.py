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


def test_purge_drops_what_is_older_than_21_days_to_the_second(make: Make) -> None:
    log = make()
    log.append([sighting(NOW - 1, "old"), sighting(NOW, "edge"), sighting(NOW + 1, "young")])
    assert log.purge(NOW + RETENTION) == 1
    assert [row.peer for row in log.rows()] == ["edge", "young"]
    assert log.purge(NOW + RETENTION) == 0
    assert log.purge(NOW + 2 * RETENTION) == 2
    assert len(log) == 0


def test_appending_rolls_the_log(make: Make) -> None:
    log = make()
    for day in range(30):
        log.append([sighting(NOW + day * DAY, str(day))])
    assert [row.peer for row in log.rows()] == [str(day) for day in range(8, 30)]


def test_a_gap_longer_than_the_retention_empties_the_log(make: Make) -> None:
    log = make()
    log.append([sighting(NOW, "before")])
    log.append([sighting(NOW + 22 * DAY, "after")])
    assert [row.peer for row in log.rows()] == ["after"]


def test_a_clock_wrong_by_years_does_not_empty_the_log(make: Make) -> None:
    log = make()
    log.append([sighting(NOW + n, "before") for n in range(5)])
    log.append([sighting(NOW + 20 * 365 * DAY + n, "2040") for n in range(5)])
    for n in range(5):
        log.append([sighting(NOW + 5 + n, "after")])
    assert [row.peer for row in log.rows()] == ["before"] * 5 + ["after"] * 5 + ["2040"] * 5
    assert log.purge(NOW + RETENTION) == 0
    log.append([sighting(NOW + RETENTION + 7, "later")])  # and it rolls on
    assert [row.peer for row in log.rows()] == ["after"] * 3 + ["later"] + ["2040"] * 5


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
    with SqliteContactLog.open(path, now=NOW) as sqlite:
        for batch in batches:
            rows = [sighting(NOW + offset, str(offset)) for offset in batch]
            memory.append(rows)
            sqlite.append(rows)
            assert sqlite.rows() == memory.rows()
        end = NOW + max(max(batch) for batch in batches)
        assert sqlite.purge(end) == memory.purge(end)
        assert sqlite.rows() == memory.rows()
