from dataclasses import replace

import numpy as np
import pytest

from simulations.phones.phones import draw_phones
from simulations.phones.radios import ANDROID_TX_POWER_DBM, System
from simulations.settings.scenario import Scenario
from simulations.streams import Streams


def test_mix_of_systems_and_models(carriage: Scenario) -> None:
    phones = draw_phones(2000, carriage.phones, carriage.channel, Streams(1))
    assert (phones.system == System.IOS).mean() == pytest.approx(0.35, abs=0.04)
    names = np.array(phones.model)
    assert all(name.startswith("iPhone") for name in names[phones.system == System.IOS])
    assert not any(name.startswith("iPhone") for name in names[phones.system == System.ANDROID])
    assert len(set(names)) == 14
    advertised = phones.advertised_dbm[phones.system == System.ANDROID]
    assert (advertised == ANDROID_TX_POWER_DBM).all()
    assert np.isnan(phones.advertised_dbm[phones.system == System.IOS]).all()


def test_population_figures_over_many_seeds(carriage: Scenario) -> None:
    """Offsets of models: tx mean -1.6 sd 5.3, correction mean 3.6 sd 4.4, correlation -.41."""
    exact = replace(carriage.channel, receiver_sd_db=0.0, transmitter_sd_db=0.0)
    pairs = set()
    for seed in range(150):
        phones = draw_phones(150, carriage.phones, exact, Streams(seed))
        pairs |= set(zip(phones.tx_dbm.tolist(), phones.correction_db.tolist(), strict=True))
    tx, correction = np.array(sorted(pairs)).T
    assert len(tx) > 1900
    assert tx.mean() == pytest.approx(-1.6, abs=0.4)
    assert tx.std() == pytest.approx(5.3, abs=0.3)
    assert correction.mean() == pytest.approx(3.6, abs=0.35)
    assert correction.std() == pytest.approx(4.4, abs=0.3)
    assert np.corrcoef(tx, correction)[0, 1] == pytest.approx(-0.41, abs=0.06)


def test_phones_of_the_same_model_differ(carriage: Scenario) -> None:
    phones = draw_phones(3000, carriage.phones, carriage.channel, Streams(1))
    of_one = np.array([model == phones.model[0] for model in phones.model])
    assert phones.tx_dbm[of_one].std() == pytest.approx(1.8, abs=0.25)
    assert phones.correction_db[of_one].std() == pytest.approx(3.0, abs=0.4)


def test_old_phones_drop_more_connections(carriage: Scenario) -> None:
    phones = draw_phones(500, carriage.phones, carriage.channel, Streams(1))
    by_model = dict(zip(phones.model, phones.failure.tolist(), strict=True))
    assert by_model["Nexus 5X"] > by_model["Galaxy S20"]


def test_offsets_of_a_model_do_not_depend_on_other_models(carriage: Scenario) -> None:
    exact = replace(carriage.channel, receiver_sd_db=0.0, transmitter_sd_db=0.0)
    one = draw_phones(40, carriage.phones, exact, Streams(1))
    other = draw_phones(80, replace(carriage.phones, ios=0.8), exact, Streams(1))
    shared = set(one.model) & set(other.model)
    assert shared
    for name in shared:
        assert one.tx_dbm[one.model.index(name)] == other.tx_dbm[other.model.index(name)]
