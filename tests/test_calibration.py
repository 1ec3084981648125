"""Phone models' offsets: both published layouts, duplicates, and phones nobody measured."""

import numpy as np
import pytest

from tracetogether.errors import CalibrationError
from tracetogether.proximity.calibration import (
    BLUETRACE_TRANSMIT,
    EXPOSURE_NOTIFICATION_TRANSMIT,
    RECEIVE,
    Calibration,
)
from tracetogether.sightings import Sightings

# Made-up phones in the two published layouts.
JUNE = (
    "oem,model,rssi correction (android rssi + rssi correction = iphone rssi),"
    "tx (as iphone would report for same power),has direct measurement\r\n"
    "Acme,Rocket 1,-5,-26,yes\r\nAcme,Rocket 2,-4,-25,no\r\nBolt,Rocket 2,-6,-27,no\r\n"
    '"Quote, Inc","TV 40""",-4,-26,no\r\n'
)
DECEMBER = (
    "oem,device,model,rssi_correction,tx_power,confidence\n"
    "acme,r1,Rocket 1,2,-28,3\nacme,r2a,Rocket 2,1,-31,3\nacme,r2b,Rocket 2,3,-33,3\n"
    "bolt,b,Bolt,7,-20,1\nbolt,b2,Bolt,5,-22,3\nbolt,c,Nut,6,-21,1\n"
)


def readings(observer: str | None, peer: str | None, power: float = np.nan) -> Sightings:
    return Sightings.from_columns(
        time=[1.0],
        peer=["p"],
        rssi_dbm=[-70.0],
        observer_model=[observer],
        peer_model=[peer],
        tx_power_dbm=[power],
    )


@pytest.fixture
def load(tmp_path):
    def write(text: str | bytes) -> Calibration:
        path = tmp_path / "table.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return Calibration.load(path)

    return write


def attenuation(calibration: Calibration, sightings: Sightings) -> tuple[float, float]:
    found = calibration.attenuation(sightings)
    return float(found.db[0]), float(found.phone_variance_db2[0])


def test_measured_phones_of_december_are_taken_as_they_are(load):
    table = load(DECEMBER)
    assert attenuation(table, readings("Rocket 1", "Rocket 1")) == (-28 - (-70 + 2), 0.0)


def test_june_is_brought_onto_decembers_scale(load):
    table = load(JUNE)
    db, variance = attenuation(table, readings("Rocket 1", "Rocket 1"))
    assert db == pytest.approx((-26 + 1.4) - (-70 - 5 + 7.4))
    assert variance == pytest.approx(2.7**2 + 3.5**2)


def test_a_family_average_is_as_uncertain_as_nothing(load):
    unknown = RECEIVE.sd_db**2 + EXPOSURE_NOTIFICATION_TRANSMIT.sd_db**2
    assert attenuation(load(JUNE), readings('TV 40"', 'TV 40"'))[1] == pytest.approx(unknown)
    assert attenuation(load(DECEMBER), readings("Nut", "Nut"))[1] == pytest.approx(unknown)


@pytest.mark.parametrize("name", ["Rocket 1", "ROCKET 1", " rocket  1", "Acme Rocket 1"])
def test_models_are_found_in_any_case_and_with_their_maker(load, name):
    assert attenuation(load(DECEMBER), readings(name, name))[1] == 0.0


def test_rows_of_one_name_are_averaged_and_their_spread_kept(load):
    table = load(DECEMBER)
    db, variance = attenuation(table, readings("Rocket 2", "Rocket 2"))
    assert db == -32 - (-70 + 2)
    assert variance == pytest.approx(1.0 + 1.0)
    # With its maker the name of June means one phone, without it two.
    june = load(JUNE)
    assert attenuation(june, readings("Bolt Rocket 2", "Bolt Rocket 2"))[0] == pytest.approx(
        (-27 + 1.4) - (-70 - 6 + 7.4)
    )
    assert attenuation(june, readings("Rocket 2", "Rocket 2"))[0] == pytest.approx(
        (-26 + 1.4) - (-70 - 5 + 7.4)
    )


def test_a_measured_row_counts_before_an_average(load):
    assert attenuation(load(DECEMBER), readings("Bolt", "Bolt")) == (-22 - (-70 + 5), 0.0)


def test_other_phones_take_the_prior_whatever_they_advertise(load):
    table = load(DECEMBER)
    expected = EXPOSURE_NOTIFICATION_TRANSMIT.mean_dbm - (-70 + RECEIVE.mean_db)
    for sightings in (readings(None, None), readings("?", "?", power=-3.0)):
        db, variance = attenuation(table, sightings)
        assert db == pytest.approx(expected)
        assert variance == pytest.approx(RECEIVE.sd_db**2 + 7.4**2)


@pytest.mark.parametrize("transmit", [EXPOSURE_NOTIFICATION_TRANSMIT, BLUETRACE_TRANSMIT])
def test_without_a_table_the_advertised_power_shifts_the_prior(transmit):
    prior = Calibration.prior(transmit)
    untold = attenuation(prior, readings("M", "M"))
    nominal = attenuation(prior, readings("M", "M", power=transmit.nominal_dbm))
    assert nominal == pytest.approx(untold)
    assert attenuation(prior, readings("M", "M", power=transmit.nominal_dbm + 6))[
        0
    ] == pytest.approx(untold[0] + 6)


@pytest.mark.parametrize("power", [127.0, -2_147_483_648.0, np.nan, np.inf])
def test_stand_ins_for_an_unknown_power_are_not_used(power):
    prior = Calibration.prior()
    assert attenuation(prior, readings("M", "M", power)) == attenuation(prior, readings("M", "M"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "neither published"),
        ("a,b,c\n1,2,3\n", "has the columns a, b, c"),
        ("oem,model,rssi_correction,tx_power\nA,B,1,2\n", "neither published"),
        ("oem,device,model,rssi_correction,tx_power,confidence\n", "no phone model"),
        (DECEMBER + "acme,d,X,two,-20,3\n", "line 8"),
        (DECEMBER + "acme,d,X\n", "line 8"),
        (DECEMBER + "acme,d,X,nan,-20,3\n", "line 8"),
        (DECEMBER + "acme,d,X,1,-247,3\n", "line 8.*decimal point"),
        (DECEMBER + "acme,d,X,1e300,-20,3\n", "line 8.*decimal point"),
        (b"\xff\xfe\x00oem", "UTF-8"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(load, text, message):
    with pytest.raises(CalibrationError, match=message):
        load(text)


def test_a_table_that_is_not_there(tmp_path):
    with pytest.raises(CalibrationError, match="there is no calibration table"):
        Calibration.load(tmp_path / "none.csv")
    with pytest.raises(CalibrationError, match="can't read"):
        Calibration.load(tmp_path)


def test_the_published_tables(recordings):
    folder = recordings / "google_en_calibration"
    december = Calibration.load(folder / "en-calibration-2020-12-14_measured.csv")
    june = Calibration.load(folder / "en-calibration-2020-06-13.csv")
    assert attenuation(december, readings("SM-G973F", "SM-A405FN")) == (-23 - (-70 + 2), 0.0)
    # Both scales agree on the average phone that both measured.
    both = [
        (december.models[name], june.models[name])
        for name in december.models
        if name in june.models and june.models[name].measured
    ]
    difference = [
        (a.transmit_dbm - a.correction_db) - (b.transmit_dbm - b.correction_db) for a, b in both
    ]
    assert len(difference) > 280
    assert abs(np.mean(difference)) < 0.2
