"""Sightings hold the valid readings in columns and count the others."""

import numpy as np
import pytest

from tracetogether.errors import InvalidReadingsError
from tracetogether.labels import Labels
from tracetogether.sightings import Sighting, Sightings
from tracetogether.units import is_rssi, is_transmit_power


def some() -> Sightings:
    return Sightings.from_columns(
        time=[1.0, 2.0, 3.0], peer=["anna", "ben", "anna"], rssi_dbm=[-60, -70, -80]
    )


def test_readings_without_a_signal_are_dropped_and_counted():
    rssi = [-60.0, 127.0, 0.0, 5.0, np.nan, -np.inf, -1.0, -60.0]
    time = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, np.nan]
    sightings = Sightings.from_columns(time=time, peer=list("abcdefgh"), rssi_dbm=rssi)
    assert sightings.peer.to_list() == ["a", "g"]
    assert sightings.rssi_dbm.tolist() == [-60.0, -1.0]
    assert sightings.dropped == 6


def test_missing_columns_are_unknown():
    sightings = some()
    assert sightings.observer.to_list() == [None] * 3
    assert sightings.peer_model.to_list() == [None] * 3
    assert np.isnan(sightings.tx_power_dbm).all()


def test_rows_become_columns():
    sightings = Sightings.from_rows(
        [Sighting(1.0, "anna", -60.0, -21.0, "Pixel 3a"), Sighting(2.0, "ben", -61.0)]
    )
    assert sightings.peer.to_list() == ["anna", "ben"]
    assert sightings.tx_power_dbm[0] == -21.0
    assert np.isnan(sightings.tx_power_dbm[1])
    assert sightings.peer_model.to_list() == ["Pixel 3a", None]


def test_concat_and_take():
    both = Sightings.concat([some(), some().take(np.array([True, False, True]))])
    assert both.time.tolist() == [1.0, 2.0, 3.0, 1.0, 3.0]
    assert both.peer.to_list() == ["anna", "ben", "anna", "anna", "anna"]
    assert len(Sightings.concat([])) == 0


def test_columns_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match="differ in length"):
        some().replaced(peer=Labels.constant("anna", 2))


def test_from_csv_reads_the_usual_names(tmp_path):
    path = tmp_path / "readings.csv"
    path.write_text("t,rx,tx,rx_model,tx_model,rssi,tx_power\n5,a,b,M,,-60,-21\n6,a,b,,N,127,\n")
    sightings = Sightings.from_csv(path)
    assert len(sightings) == 1
    assert sightings.dropped == 1
    assert sightings.observer.to_list() == ["a"]
    assert sightings.observer_model.to_list() == ["M"]
    assert sightings.tx_power_dbm.tolist() == [-21.0]


def test_from_csv_takes_other_names_and_says_what_it_skipped(tmp_path):
    path = tmp_path / "readings.csv"
    path.write_text("when,whom,level,phone\n5,b,-60,\n6,b,loud,\n")
    skipped = []
    sightings = Sightings.from_csv(
        path,
        {"time": "when", "peer": "whom", "rssi": "level", "peer_model": "phone"},
        on_bad_lines=lambda count, first: skipped.append((count, first[0].line)),
    )
    assert len(sightings) == 1  # a blank model that was asked for is unknown, not malformed
    assert skipped == [(1, 3)]


def test_from_csv_refuses_unknown_fields_and_missing_columns(tmp_path):
    path = tmp_path / "readings.csv"
    path.write_text("t,tx,rssi\n5,b,-60\n")
    with pytest.raises(InvalidReadingsError, match="unknown field 'loudness'"):
        Sightings.from_csv(path, {"loudness": "rssi"})
    with pytest.raises(InvalidReadingsError, match="no column 'who' for the observer"):
        Sightings.from_csv(path, {"observer": "who"})


@pytest.mark.parametrize("unknown", [-127.0, 127.0, 0.0, 100.0, -128.0, 20.0, np.nan])
def test_a_stand_in_for_not_known_is_no_signal_strength(unknown):
    assert not is_rssi(unknown)
    column = np.array([-60.0, unknown, -126.0])
    assert is_rssi(column).tolist() == [True, False, True]
    sightings = Sightings.from_columns(time=[1.0, 2.0, 3.0], peer=list("aaa"), rssi_dbm=column)
    assert (len(sightings), sightings.dropped) == (2, 1)


@pytest.mark.parametrize("unknown", [-127.0, 127.0, -59.0, -2147483648.0, np.nan])
def test_a_level_at_1_m_and_a_stand_in_are_no_transmit_power(unknown):
    assert not is_transmit_power(unknown)
    assert is_transmit_power(np.array([-40.0, unknown, 20.0])).tolist() == [True, False, True]


def test_two_phones_of_one_model_may_hear_each_other_where_models_are_names(tmp_path):
    path = tmp_path / "readings.csv"
    path.write_text("t,rx_model,tx_model,rssi\n1600000000,A,A,-60\n1600000030,A,B,-60\n")
    names = {"observer": "rx_model", "peer": "tx_model"}
    assert len(Sightings.from_csv(path, names)) == 2
    path.write_text("t,rx,tx,rssi\n1600000000,A,A,-60\n1600000030,A,B,-60\n")
    sightings = Sightings.from_csv(path)
    assert len(sightings) == 1
    assert sightings.reasons == {"in which a phone hears itself": 1}
