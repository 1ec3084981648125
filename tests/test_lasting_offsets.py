"""A phone's lasting offset, learned from its log of many days."""

from collections import Counter
from dataclasses import fields, replace

import numpy as np
import pytest

from tracetogether.proximity import lasting_offsets as module
from tracetogether.proximity.encounters import encounters
from tracetogether.proximity.grid import RowGroups
from tracetogether.proximity.lasting_offsets import EncounterLevels, OffsetSpreads, lasting_offsets
from tracetogether.proximity.single_log import SingleLogPosterior
from tracetogether.sightings import Sightings
from tracetogether.units import Floats, Ints

DAY_S = 86_400.0
SPREADS = OffsetSpreads(
    owner_db=2.0,
    habit_db=1.0,
    usual_db=3.0,
    day_db=1.5,
    scene_db=2.0,
    place_db=2.5,
    apart_db=0.8,
)


def levels_of(chance: np.random.Generator, logs: int, days: int) -> tuple[EncounterLevels, Floats]:
    """Return encounters that SPREADS and random phones give, and the logs' true offsets."""
    rows, offsets = [], []
    usual = chance.normal(0, SPREADS.usual_db)
    for log in range(logs):
        offset = chance.normal(0, np.hypot(SPREADS.owner_db, 4.0))
        offsets.append(offset)
        habit = chance.normal(0, SPREADS.habit_db)
        friends = chance.normal(0, 5.0, 4)  # met again and again
        for day in range(days):
            of_day = chance.normal(0, SPREADS.day_db)
            for scene in range(int(chance.integers(1, 4))):
                of_scene = chance.normal(
                    0, np.hypot(np.hypot(SPREADS.scene_db, SPREADS.place_db), SPREADS.apart_db)
                )
                for near in range(int(chance.integers(1, 9))):
                    friend = int(chance.integers(4)) if near < 2 else -1
                    peer = friends[friend] if friend >= 0 else chance.normal(0, 5.0)
                    noise = float(chance.uniform(1.0, 3.0))
                    start = day * DAY_S + scene * 7200.0 + 60.0 * near
                    stray = (
                        usual + offset + habit + of_day + of_scene + peer + chance.normal(0, noise)
                    )
                    rows.append((log, friend, start, start + 900.0, stray, noise**2, 25.0, 16.0))
    names = [field.name for field in fields(EncounterLevels)]
    columns = dict(zip(names, map(np.array, zip(*rows, strict=True)), strict=True))
    return EncounterLevels(**columns), np.array(offsets)


def dense(levels: EncounterLevels, scene: Ints, day: Ints, at: int) -> tuple[float, float, float]:
    """Return mean and variance of scene ``at``'s offset, and of the habit, by whole matrices."""
    here = levels.observer[scene == at][0]
    used = scene != at
    own_log = (levels.observer == here)[used]

    def same(column: np.ndarray) -> Floats:
        return (column[used][:, None] == column[used][None, :]).astype(float)

    own = SPREADS.scene_db**2 + SPREADS.place_db**2 + SPREADS.apart_db**2
    lasting = SPREADS.owner_db**2 + 16.0
    variance = np.full((used.sum(), used.sum()), SPREADS.usual_db**2)
    variance += (lasting + SPREADS.habit_db**2) * same(levels.observer)
    variance += SPREADS.day_db**2 * same(day) + own * same(scene)
    variance += np.diag(levels.noise_db2[used] + levels.peer_db2[used])
    shared = lasting * own_log + SPREADS.day_db**2 * (day[used] == day[scene == at][0])
    weight = np.linalg.solve(variance, shared)
    prior = lasting + SPREADS.day_db**2 + SPREADS.scene_db**2
    stray = levels.stray_db[used]
    farther = SPREADS.usual_db**2 + SPREADS.habit_db**2 * own_log
    habit = np.linalg.solve(variance, farther)
    return float(weight @ stray), float(prior - weight @ shared), float(habit @ stray)


def test_sums_over_the_tree_are_the_best_linear_prediction() -> None:
    levels, _ = levels_of(np.random.default_rng(1), logs=3, days=3)
    levels = replace(levels, peer=np.arange(len(levels.peer)))  # no peer is met twice
    found = lasting_offsets(levels, SPREADS)
    day = (levels.start_s // DAY_S).astype(np.int64) + 10 * levels.observer
    for scene in range(int(found.scene.max()) + 1):
        row = int(np.flatnonzero(found.scene == scene)[0])
        mean, variance, habit = dense(levels, found.scene, day, scene)
        assert found.db[row] == pytest.approx(mean)
        assert found.variance_db2[row] == pytest.approx(variance)
        assert found.habit_db[row] == pytest.approx(habit)


def test_known_offsets_are_found_and_the_intervals_hold_them() -> None:
    levels, offsets = levels_of(np.random.default_rng(2), logs=200, days=21)
    found = lasting_offsets(levels, SPREADS)
    error, sd = found.owner_db - offsets, np.sqrt(found.owner_variance_db2)
    assert np.corrcoef(found.owner_db, offsets)[0, 1] > 0.9
    assert np.sqrt(np.mean(error**2)) < 0.4 * np.std(offsets)
    assert 0.86 <= np.mean(np.abs(error) < 1.645 * sd) <= 0.94  # 90 % +- 2 standard errors
    # The whole is as right as it says, not at 90 % alone.
    assert 0.85 <= np.std(error / sd) <= 1.15


def test_other_logs_separate_what_is_usual_from_offsets() -> None:
    """Where everybody hears everybody 6 dB weaker than expected, no phone is weak."""
    levels, _ = levels_of(np.random.default_rng(6), logs=40, days=21)
    farther = replace(levels, stray_db=levels.stray_db + 6.0)
    together = (
        lasting_offsets(farther, SPREADS).owner_db - lasting_offsets(levels, SPREADS).owner_db
    )
    assert np.abs(together).max() < 0.5
    alone = levels.observer == 0
    both = [
        lasting_offsets(
            EncounterLevels(*(getattr(each, field.name)[alone] for field in fields(each))), SPREADS
        )
        for each in (levels, farther)
    ]
    shared = (4 + 16) / (4 + 16 + 1 + 9)  # the owner's share of owner, habit and usual
    gained = float(both[1].owner_db[0] - both[0].owner_db[0])
    assert 0.8 * 6 * shared < gained < 6 * shared
    assert both[0].owner_variance_db2[0] > lasting_offsets(levels, SPREADS).owner_variance_db2[0]


def test_a_friend_met_every_day_is_no_new_evidence_each_time() -> None:
    levels, _ = levels_of(np.random.default_rng(3), logs=1, days=21)
    expected = replace(SPREADS, habit_db=0.1, usual_db=0.1)
    strangers, friend = (
        lasting_offsets(replace(levels, peer=peer), expected).owner_variance_db2[0]
        for peer in (np.arange(len(levels.peer)), np.zeros_like(levels.peer))
    )
    assert friend > 3 * strangers
    # One peer with variance 25 can't be separated from the owner: 20 / (1 + 20 / 25) at best.
    assert friend > 11


def test_one_scene_alone_has_the_prior() -> None:
    levels, _ = levels_of(np.random.default_rng(4), logs=1, days=1)
    first = lasting_offsets(levels, SPREADS).scene == 0
    alone = EncounterLevels(*(getattr(levels, field.name)[first] for field in fields(levels)))
    found = lasting_offsets(alone, SPREADS)
    assert found.scenes.tolist() == [1]
    assert found.db == pytest.approx(np.zeros(first.sum()))
    assert found.variance_db2 == pytest.approx(np.full(first.sum(), 20 + 1.5**2 + 2.0**2))


def test_scenes_end_where_nobody_is_heard_and_at_night() -> None:
    start = np.array([0.0, 500.0, 2500.0, 20 * 3600.0, 20 * 3600.0 + 300])
    rows = len(start)
    levels = EncounterLevels(
        observer=np.zeros(rows, np.int32),
        peer=np.arange(rows, dtype=np.int32),
        start_s=start,
        end_s=start + np.array([2000.0, 100.0, 60.0, 60.0, 60.0]),
        stray_db=np.zeros(rows),
        noise_db2=np.ones(rows),
        peer_db2=np.ones(rows),
        model_db2=np.ones(rows),
    )
    # The first encounter lasts until 2,000 s, so that the third is only 500 s after it.
    assert lasting_offsets(levels).scene.tolist() == [0, 0, 0, 1, 1]
    shuffled = np.array([3, 0, 4, 2, 1])
    mixed = EncounterLevels(*(getattr(levels, field.name)[shuffled] for field in fields(levels)))
    assert lasting_offsets(mixed).scene.tolist() == [1, 0, 1, 0, 0]


def test_a_day_turns_at_night_wherever_the_owner_lives() -> None:
    """In Singapore 08:00 is midnight UTC: the day of an office goes on beyond it."""
    hours = np.array([22.0, 23.5, 24.5, 26.0, 30.0])
    start = np.concatenate([(24 * day + hours) * 3600 for day in range(5)])
    rows = len(start)
    ones = np.ones(rows)
    owner = np.zeros(rows, np.int32)
    levels = EncounterLevels(owner, owner - 1, start, start + 60, ones, ones, ones, ones)
    assert module._days(levels, RowGroups(owner.astype(np.int64), 1)).tolist() == [
        day for day in range(5) for _ in hours
    ]


def test_an_empty_log_gives_empty_columns() -> None:
    none = np.empty(0)
    codes = np.empty(0, np.int32)
    found = lasting_offsets(EncounterLevels(codes, codes, none, none, none, none, none, none))
    assert len(found.db) == len(found.owner) == len(found.scene) == 0


def test_the_log_of_three_weeks_is_read_in_a_few_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of passes over the columns does not grow with the log."""
    passes = Counter()
    summed = module.RowGroups.sum

    def count(self: module.RowGroups, values: Floats) -> Floats:
        passes["sums"] += 1
        return summed(self, values)

    monkeypatch.setattr(module.RowGroups, "sum", count)
    for days in (2, 40):
        levels, _ = levels_of(np.random.default_rng(5), logs=1, days=days)
        before = passes["sums"]
        lasting_offsets(levels, SPREADS)
        assert passes["sums"] - before == 7


def test_a_phone_that_is_weak_on_all_days_is_not_far_from_everybody() -> None:
    """Twelve phones meet for a quarter of an hour on ten days; one receives 12 dB less."""
    chance = np.random.default_rng(7)
    phones, days = 12, 10
    one, other = np.nonzero(~np.eye(phones, dtype=bool))
    rows = np.arange(days * len(one) * 15)
    day, pair, minute = rows // (15 * len(one)), rows // 15 % len(one), rows % 15
    names = np.array([f"p{number:02}" for number in range(phones)])
    rssi = -80.0 - 12.0 * (one[pair] == 0) + chance.normal(0, 3.0, len(rows))
    heard = Sightings.from_columns(
        time=1.6e9 + 86_400.0 * day + 60.0 * minute,
        observer=names[one[pair]].tolist(),
        peer=names[other[pair]].tolist(),
        rssi_dbm=rssi,
    )

    def weak_and_usual(lasting: bool) -> tuple[float, float]:
        found = encounters(heard, estimator=SingleLogPosterior(lasting=lasting))
        weak = np.array(found.observer.to_list()) == "p00"
        near = found.minutes_at_offset_quantiles.mean(axis=1)
        return float(near[weak].mean()), float(near[~weak].mean())

    alone, usual = weak_and_usual(lasting=False)
    compared, still = weak_and_usual(lasting=True)
    assert alone < 0.9 * usual
    assert compared / still > 1.1 * alone / usual
