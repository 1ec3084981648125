"""Our city is like covasim's, by numbers that are known before a run."""

from dataclasses import replace

import numpy as np
import pytest

from simulations.city.city_bench import UNMATCHED, worst_week
from simulations.city.covasim_city import (
    RANDOM,
    SCHOOL,
    WORK,
    city_like,
    generation_keys,
    incubation_key,
)
from simulations.city.disease import generation_shares
from simulations.city.keys import CITY, CLASSROOM, HOUSEHOLD, TEAM
from simulations.city.keys import SCHOOL as SCHOOL_LAYER
from simulations.city.network import Network
from simulations.city.scenario import load_city


def test_contacts_are_those_of_covasim() -> None:
    scenario = city_like(UNMATCHED, 50_000, 30, 20, traced=False)
    network = Network(scenario, 1)
    slots = network.slots
    # Clusters of Poisson(2) people: a person lives with two others on average.
    assert slots[HOUSEHOLD].mean() == pytest.approx(2, abs=0.03)
    pupils, workers = slots[CLASSROOM] > 0, slots[TEAM] > 0
    assert set(slots[CLASSROOM][pupils].tolist()) == {SCHOOL - 1}
    assert set(slots[TEAM][workers].tolist()) == {WORK - 1}
    assert slots[CITY].mean() == pytest.approx(RANDOM, abs=0.05)
    assert slots[CITY].var() == pytest.approx(RANDOM, abs=2)
    assert slots[SCHOOL_LAYER].sum() == 0
    assert pupils.mean() == pytest.approx(0.23 * 0.69 + 0.15 * 0.17, abs=0.005)


def test_the_generation_time_is_the_nearest_one() -> None:
    plain = load_city("test-town").disease
    for mean, sd in ((5.0, 2.0), (7.2, 3.1)):
        keys = replace(plain, generation_mean_days=mean, generation_sd_days=sd)
        assert generation_keys(generation_shares(keys).tolist()) == (mean, sd)
    late = [0.0] * 6 + [0.1] * 10  # the last two days are cut
    assert 9 < generation_keys(late)[0] <= 12


def test_more_infections_before_the_result_mean_later_symptoms() -> None:
    medians = [incubation_key(share, (7.5, 3.5)) for share in (0.1, 0.3, 0.5)]
    assert medians == sorted(medians)
    assert medians[0] < medians[-1]


def test_the_worst_week_is_the_middle_of_seven_days() -> None:
    assert worst_week(np.array([0, 1, 2, 9, 2, 1, 0, 0, 0])) == 3
    assert worst_week(np.array([5])) == 0
