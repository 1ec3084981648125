"""The network of a city: contacts are symmetric, degrees and tables are as the keys say."""

from collections import Counter

import numpy as np
import pytest
from scipy import stats

from simulations.city.hashes import chance, happens, hashed, key_of
from simulations.city.keys import CITY, CLASSROOM, HOUSEHOLD, LAYERS, NEIGHBOURHOOD, SCHOOL
from simulations.city.neighbourhoods import draw
from simulations.city.network import MEAN_INTENSITY, WEEKDAY_LAYERS, Network
from simulations.city.scenario import load_city
from simulations.city.shuffles import Shuffle

MONDAY, SATURDAY = 7, 5


@pytest.fixture(scope="module")
def town() -> Network:
    return Network(load_city("test-town"), seed=1)


@pytest.mark.parametrize("size", [1, 2, 7, 100, 4_999, 65_537])
def test_a_shuffle_is_a_permutation_and_can_be_undone(size: int) -> None:
    shuffle, places = Shuffle(size, seed=3, name="x"), np.arange(size)
    moved = shuffle.forward(places, 5)
    assert sorted(moved.tolist()) == places.tolist()
    assert (shuffle.backward(moved, 5) == places).all()


def test_a_shuffle_serves_several_days_at_once() -> None:
    shuffle, places = Shuffle(1_000, seed=3, name="x"), np.arange(1_000)
    days = places % 3 + 30
    together = shuffle.forward(places, days)
    for day in (30, 31, 32):
        assert (together[days == day] == shuffle.forward(places[days == day], day)).all()
    assert (shuffle.forward(places, 30) != shuffle.forward(places, 31)).any()


def test_partners_of_one_place_are_uniform() -> None:
    shuffle = Shuffle(15_000, seed=3, name="x")
    met = np.concatenate([shuffle.met(np.arange(7, 15_000, 150), day) for day in range(60)])
    assert len(met) == 6_000
    assert stats.chisquare(np.bincount(met // 500, minlength=30)).pvalue > 1e-3


def test_neighbouring_places_go_to_unrelated_places() -> None:
    shuffle, days = Shuffle(10_000, seed=4, name="x"), 100
    gaps = [np.diff(shuffle.forward(np.array([500, 501]), day))[0] % 10_000 for day in range(days)]
    assert len(set(gaps)) > days * 0.95


@pytest.mark.parametrize("count", [777, 10_000, 12_345])
@pytest.mark.parametrize("day", [MONDAY, SATURDAY])
def test_contacts_are_mutual(count: int, day: int) -> None:
    network = Network(load_city("test-town", {"people.count": str(count)}), seed=1)
    people = np.arange(count)
    met = network.contacts(people, day)
    assert (met.other < count).all()
    assert (met.other != people[met.of]).all()
    keys = (met.of * count + met.other) * len(LAYERS) + met.layer
    back = (met.other * count + met.of) * len(LAYERS) + met.layer
    assert len(keys) > 4 * count
    assert Counter(keys.tolist()) == Counter(back.tolist())


def test_a_contact_is_as_intense_from_both_sides(town: Network) -> None:
    people = np.arange(2_000)
    met = town.contacts(people, MONDAY)
    for layer in range(len(LAYERS)):
        rows = met.layer == layer
        of, other = people[met.of[rows]], met.other[rows]
        seen = town.intensity(layer, of, other, MONDAY)
        assert (seen == town.intensity(layer, other, of, MONDAY)).all()
        assert seen.mean() == pytest.approx(MEAN_INTENSITY, rel=0.15)
        assert seen.max() <= town.most[layer]


def test_contacts_on_several_days_are_those_of_each_day(town: Network) -> None:
    people = np.arange(300).repeat(9)
    days = np.tile(np.arange(3, 12), 300)
    together = town.contacts(people, days)
    for day in range(3, 12):
        alone = town.contacts(np.arange(300), day)
        rows = days[together.of] == day
        assert (together.other[rows] == alone.other).all()
        assert (together.layer[rows] == alone.layer).all()


def test_nobody_learns_or_works_on_saturdays(town: Network) -> None:
    layers = set(town.contacts(np.arange(5_000), SATURDAY).layer.tolist())
    assert layers == set(range(len(LAYERS))) - set(WEEKDAY_LAYERS)


def test_random_contacts_have_the_numbers_that_the_keys_say() -> None:
    network = Network(load_city("test-town", {"city.spread": "0.7"}), seed=2)
    people = np.arange(10_000)
    met = network.contacts(people, 4, [CITY, NEIGHBOURHOOD])
    for layer in (CITY, NEIGHBOURHOOD):
        degree = np.bincount(met.of[met.layer == layer], minlength=10_000)
        shape = 1 / 0.7**2
        shares = stats.nbinom(shape, shape / (shape + 3)).pmf(np.arange(12))
        counts = np.bincount(np.minimum(degree, 12), minlength=13)[:12]
        assert stats.chisquare(counts, shares / shares.sum() * counts.sum()).pvalue > 1e-3


def test_households_and_ages_are_exact() -> None:
    scenario = load_city("test-town")
    tables = draw(scenario, 1)
    assert tables.tables == 2
    for table in range(2):
        rows = slice(table * tables.places, (table + 1) * tables.places)
        decades = np.bincount(np.minimum(tables.age[rows] // 10, 8))
        assert decades.tolist() == [500, 550, 650, 700, 700, 650, 600, 400, 250]
        size, first = tables.home_size[rows], tables.home_first[rows]
        homes = np.bincount(size[np.unique(first)], minlength=7)[1:]
        shares = homes / homes.sum()
        assert shares == pytest.approx([0.28, 0.32, 0.16, 0.16, 0.06, 0.02], abs=0.002)
        assert (np.bincount(first)[np.unique(first)] == size[np.unique(first)]).all()
        children_alone = (tables.age[rows] < 20) & (size == 1)
        assert not children_alone.any()


def test_classmates_meet_every_school_day(town: Network) -> None:
    pupil = int(np.flatnonzero(town.tables.pupil_rank >= 0)[0])
    monday, tuesday = (
        set(town.contacts(np.array([pupil]), day, [CLASSROOM]).other.tolist()) for day in (7, 8)
    )
    assert monday == tuesday
    assert 10 < len(monday) < 25
    others = [
        set(town.contacts(np.array([pupil]), day, [SCHOOL]).other.tolist()) for day in (7, 8, 9)
    ]
    assert others[0] != others[1] != others[2]


def test_household_members_meet_each_other(town: Network) -> None:
    tables = town.tables
    person = int(np.flatnonzero(tables.home_size[: tables.places] == 4)[0])
    first = int(tables.home_first[person])
    met = town.contacts(np.arange(first, first + 4), SATURDAY, [HOUSEHOLD])
    assert len(met.of) == 12
    assert set(met.other.tolist()) == set(range(first, first + 4))


def test_chances_are_met() -> None:
    hashes = hashed(key_of(1, "x"), np.arange(100_000))
    for share in (0.0, 0.1, 0.5, 1.0):
        found = int(happens(hashes, chance(share)).sum())
        assert abs(found - share * 100_000) <= 4 * (100_000 * share * (1 - share)) ** 0.5
