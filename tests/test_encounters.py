"""The public call: defaults, rows, refusals."""

from dataclasses import replace

import numpy as np
import pytest

from tracetogether.labels import Labels
from tracetogether.proximity.attenuation import SWISSCOVID, Bucketed
from tracetogether.proximity.calibration import Calibration, ModelOffsets
from tracetogether.proximity.encounters import ESTIMATORS, encounters
from tracetogether.proximity.model import ONE_LOG, ProximityModel
from tracetogether.proximity.single_log import SingleLogPosterior
from tracetogether.sightings import Sightings


def walk() -> Sightings:
    """Return two encounters with ben, an hour apart, and one with cara."""
    time = np.concatenate([np.arange(0, 900, 10), np.arange(4500, 4800, 10), [100.0]])
    return Sightings.from_columns(
        time=1.6e9 + time,
        observer=["anna"] * len(time),
        peer=["ben"] * (len(time) - 1) + ["cara"],
        rssi_dbm=np.full(len(time), -75.0),
    )


def test_iteration_gives_rows_with_intervals():
    found = encounters(walk())
    rows = list(found)
    assert len(rows) == len(found) == 3
    assert [(row.observer, row.peer, row.readings) for row in rows] == [
        ("anna", "ben", 90),
        ("anna", "ben", 30),
        ("anna", "cara", 1),
    ]
    first = rows[0]
    assert (first.start, first.end) == (1.6e9, 1.6e9 + 890)
    assert 0 < first.minutes.median <= first.minutes.high
    assert first.nearest_m.low < first.nearest_m.median < first.nearest_m.high


def test_a_shorter_gap_cuts_and_a_longer_one_joins():
    assert len(encounters(walk(), max_gap_s=3610)) == 2
    assert len(encounters(walk(), max_gap_s=5)) == 121


def test_the_posterior_is_the_default():
    default, named = encounters(walk()), encounters(walk(), estimator="single-log")
    assert default.minutes.median.tolist() == named.minutes.median.tolist()
    assert (
        default.minutes.median.tolist()
        == encounters(walk(), estimator=SingleLogPosterior()).minutes.median.tolist()
    )


def heard_at(rssi_dbm: float) -> Sightings:
    """Return half an hour in which one phone heard eight others, all about as loudly."""
    time = np.arange(0.0, 1800.0, 30.0)
    return Sightings.from_columns(
        time=1.6e9 + np.tile(time, 8),
        observer=["anna"] * 8 * len(time),
        peer=np.repeat([f"p{n}" for n in range(8)], len(time)).tolist(),
        rssi_dbm=np.full(8 * len(time), rssi_dbm),
    )


def test_who_hears_all_weakly_may_be_far_from_all():
    """What a log has in common is its owner's bag in part, and in part the size of the place."""

    def chances(model: ProximityModel) -> list[float]:
        found = [encounters(heard_at(r), estimator=SingleLogPosterior(model)) for r in (-80, -98)]
        return [heard.chance(15.0, [0]) for heard in found]

    near, far = chances(ONE_LOG)
    assert far < 0.55 * near
    near, far = chances(replace(ONE_LOG, density_decades=0.02))
    assert far > 0.75 * near


@pytest.mark.parametrize("tx_power_dbm", [-247.0, 126.0])
def test_levels_that_no_distance_explains_still_give_an_answer(tx_power_dbm):
    table = Calibration({"m": ModelOffsets(0.0, 0.0, tx_power_dbm, 0.0, measured=True)})
    log = walk().replaced(
        observer_model=walk().peer.constant("m", len(walk())),
        peer_model=walk().peer.constant("m", len(walk())),
    )
    found = encounters(log, calibration=table)
    assert np.isfinite(found.minutes.high).all()
    assert np.isfinite(found.nearest_m.high).all()


def test_of_many_heard_at_once_few_can_be_near():
    """Equally loud: three peers may sit at one table, sixty can't."""
    time = np.arange(0.0, 1800.0, 60.0)

    def mean_chance(peers: int) -> float:
        heard = Sightings.from_columns(
            time=1.6e9 + np.tile(time, peers),
            peer=np.repeat([f"p{n:02}" for n in range(peers)], len(time)).tolist(),
            rssi_dbm=np.full(peers * len(time), -82.0),
        )
        found = encounters(heard)
        return float(np.mean([found.chance(15.0, [row]) for row in range(len(found))]))

    few, many = mean_chance(3), mean_chance(60)
    assert few > 2 * many
    assert 60 * many < 20


@pytest.mark.parametrize("name", list(ESTIMATORS))
def test_a_chance_agrees_with_the_interval(name):
    found = encounters(walk(), estimator=name)
    for row in range(len(found)):
        at_quantiles = found.minutes_at_offset_quantiles[row]
        assert np.all(np.diff(at_quantiles) <= 1e-9)
        low, middle = found.minutes.low[row], found.minutes.median[row]
        if at_quantiles[0] > low > 0:
            assert found.chance(low, [row]) >= 0.92
            assert found.chance(low * 1.01 + 0.01, [row]) <= 0.98
        assert found.chance(middle, [row]) >= 0.5 - 1e-6
        assert found.chance(1e4, [row]) < 0.01
        assert found.chance(0.0, [row]) > 0.99


def test_the_chances_of_a_column_are_those_of_its_rows():
    found = encounters(walk())
    for least in (0.0, 2.0, 5.0, 1e4):
        rows = [found.chance(least, [row]) for row in range(len(found))]
        assert found.chances(least).tolist() == rows
    assert len({*found.chances(2.0).tolist(), *found.chances(5.0).tolist()}) > len(found)


def test_encounters_of_one_pair_add_up_to_one_chance():
    found = encounters(walk())
    ben = slice(0, 2)
    together = found.minutes.median[ben].sum()
    assert found.chance(together, ben) == pytest.approx(0.5, abs=0.01)
    assert found.chance(together, [0]) < 0.5
    with pytest.raises(ValueError, match="several pairs"):
        found.chance(5.0)


def test_an_unknown_name_is_answered_with_those_there_are():
    with pytest.raises(
        ValueError, match=r"'smothed'; did you mean 'smoothed'\? Known are single-log"
    ):
        encounters(walk(), estimator="smothed")


def test_names_make_their_rules():
    by_name = encounters(walk(), estimator="bucket-swisscovid")
    by_rule = encounters(walk(), estimator=Bucketed(SWISSCOVID))
    assert by_name.minutes.median.tolist() == by_rule.minutes.median.tolist()
    assert set(ESTIMATORS) == {
        "smoothed",
        "single-log",
        "bucket-cwa",
        "bucket-swisscovid",
        "bucket-immuni",
        "bucket-lfph",
        "bucket-arizona",
    }


def test_an_own_log_without_observers():
    log = Sightings.from_columns(
        time=[1.0, 2.0], peer=Labels.encode(["x", None]), rssi_dbm=[-60, -60]
    )
    rows = list(encounters(log))
    assert [(row.observer, row.peer) for row in rows] == [(None, None), (None, "x")]


@pytest.mark.parametrize("radius", [0.0, -1.0, np.nan, np.inf])
def test_a_radius_must_be_a_distance(radius):
    with pytest.raises(ValueError, match="within_m"):
        encounters(walk(), within_m=radius)


@pytest.mark.parametrize("gap", [0.0, -1.0, np.nan])
def test_a_gap_must_be_a_time(gap):
    with pytest.raises(ValueError, match="max_gap_s"):
        encounters(walk(), max_gap_s=gap)
