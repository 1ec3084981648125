"""Bucket rules: weights by hand, and minutes as the rule says."""

import numpy as np
import pytest

from tracetogether.proximity.attenuation import (
    ARIZONA,
    CWA,
    IMMUNI,
    LFPH,
    RULES,
    SWISSCOVID,
    Bucketed,
    BucketRule,
)
from tracetogether.proximity.calibration import Calibration
from tracetogether.proximity.slots import fold
from tracetogether.sightings import Sightings


@pytest.mark.parametrize(
    ("rule", "attenuations", "weights"),
    [
        (CWA, [20, 54.9, 55, 62.9, 63, 90], [1, 1, 0.5, 0.5, 0, 0]),
        (SWISSCOVID, [52.9, 53, 59.9, 60], [1, 0.5, 0.5, 0]),
        (IMMUNI, [72.9, 73], [1, 0]),
        (LFPH, [54.9, 55, 66.9, 67, 74.9, 75], [1.75, 1, 1, 0.33, 0.33, 0]),
    ],
)
def test_the_published_weights(rule, attenuations, weights):
    assert rule.weight(np.array(attenuations, dtype=float)).tolist() == weights


def test_arizonas_doses_keep_their_published_ratios():
    near, middle, far = ARIZONA.weight(np.array([49.9, 50.0, 70.0]))
    assert near / middle == pytest.approx(2.0182978 / 1.1507629)
    assert near / far == pytest.approx(2.0182978 / 0.6651614)


def at(attenuation_db: float, minutes: int = 10) -> Sightings:
    """Return readings every second that prior phones hear at this attenuation."""
    count = minutes * 60 + 1
    return Sightings.from_columns(
        time=np.arange(count, dtype=float),
        peer=["b"] * count,
        rssi_dbm=np.full(count, -24.7 - 3.6 - attenuation_db),
    )


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("attenuation_db", [30.0, 54.0, 58.0, 66.0, 74.0, 90.0])
def test_minutes_are_weight_times_time(name, attenuation_db):
    rule = RULES[name]
    slots = fold(at(attenuation_db), Calibration.prior())
    estimates = Bucketed(rule).estimate(slots, within_m=2.0)
    weight = float(rule.weight(np.array([attenuation_db]))[0])
    credited = float(slots.total(slots.credit_s)[0]) / 60
    assert credited == pytest.approx(10.1, abs=0.1)
    assert estimates.minutes.median[0] == pytest.approx(weight * credited)


def test_slots_add_up_whatever_their_order():
    readings = Sightings.concat(
        [
            at(50.0),
            at(60.0).replaced(time=at(60.0).time + 630),
            at(80.0).replaced(time=at(80.0).time + 1260),
        ]
    )
    slots = fold(readings, Calibration.prior())
    assert len(slots) == 1
    minutes = Bucketed(CWA).estimate(slots, within_m=2.0).minutes
    assert minutes.median[0] == pytest.approx(10 + 0.5 * 10, abs=1.0)
    assert 0 < minutes.low[0] < minutes.median[0] < minutes.high[0] < 35


def test_a_blurred_weight_is_the_mean_over_noisy_attenuations():
    noise = np.random.default_rng(1).normal(0, 3.5, 200_000)
    for level in (50.0, 55.0, 61.0, 70.0):
        for rule in RULES.values():
            expected = rule.weight(level + noise).mean()
            assert rule.blurred(np.array([level]), 3.5)[0] == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(
    ("thresholds", "weights", "message"),
    [
        ((55.0, 63.0), (1.0, 0.0), "one more weight"),
        ((63.0, 55.0), (1.0, 0.5, 0.0), "ascend"),
        ((55.0, 63.0), (0.5, 1.0, 0.0), "rise"),
        ((55.0,), (1.0, -0.5), "below 0"),
    ],
)
def test_a_rule_is_built_valid_or_not_at_all(thresholds, weights, message):
    with pytest.raises(ValueError, match=message):
        BucketRule("bucket-x", thresholds, weights, "made up")


def test_every_rule_names_its_source():
    for name, rule in RULES.items():
        assert rule.name == name
        assert len(rule.source) > 20
