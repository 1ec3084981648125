"""Records in columns: what a device believes within a minute."""

from collections import deque

import numpy as np

from simulations.fidelities.record_columns import RecordColumns, believed
from tracetogether.sighting_writer import MAX_SIGHTINGS_PER_MINUTE


def one_by_one(times: list[float]) -> list[bool]:
    recent: deque[float] = deque(maxlen=MAX_SIGHTINGS_PER_MINUTE)
    kept = []
    for at_s in times:
        kept.append(len(recent) < MAX_SIGHTINGS_PER_MINUTE or at_s - recent[0] >= 60)
        if kept[-1]:
            recent.append(at_s)
    return kept


def test_a_device_believes_only_so_many_within_a_minute() -> None:
    chance = np.random.default_rng(1)
    crowded = np.sort(chance.uniform(0, 200, 1500))
    others = [np.sort(chance.uniform(0, 200, count)) for count in (0, 5, 700)]
    times = [crowded, others[2], others[1], crowded + 0.5]
    phone = np.repeat([2, 3, 5, 9], [len(time_s) for time_s in times])
    kept = believed(phone, np.concatenate(times))
    expected = [kept_one for time_s in times for kept_one in one_by_one(time_s.tolist())]
    assert kept.tolist() == expected
    assert 0 < (~kept).sum() < len(kept) / 2
    assert kept[phone == 3].all()


def test_records_that_are_not_believed_are_left_out_and_counted() -> None:
    records = RecordColumns()
    for number in reversed(range(MAX_SIGHTINGS_PER_MINUTE + 7)):
        records.add(1, 0.1 * number, 2, 0.0, -60.0, as_central=True)
    phone, time_s, *_ = records.columns()
    assert len(phone) == MAX_SIGHTINGS_PER_MINUTE
    assert time_s.max() < 0.1 * MAX_SIGHTINGS_PER_MINUTE
    assert records.unbelieved == 7


def test_broadcasts_count_among_what_a_device_believes() -> None:
    records = RecordColumns()
    count = MAX_SIGHTINGS_PER_MINUTE + 9
    who = np.ones(count, dtype=np.int64)
    time_s = np.linspace(0.0, 30.0, count)
    records.extend(who, time_s, 2 * who, time_s, np.full(count, -60.0))
    phone, kept_s, *_ = records.columns()
    assert len(phone) == MAX_SIGHTINGS_PER_MINUTE
    assert records.unbelieved == 9
    only_late = records.columns(lambda heard: heard.time > 20.0)
    assert len(only_late[0]) == (time_s > 20.0).sum()
    assert only_late[1].min() > kept_s.min()
