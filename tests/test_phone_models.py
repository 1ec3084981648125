"""Phone models' offsets from pairs of phones, and the table that they are kept in."""

import csv
from dataclasses import replace

import numpy as np
import pytest

from tests.proximity_world import scene
from tracetogether.errors import CalibrationError
from tracetogether.evaluation.phone_tables import phone_table
from tracetogether.evaluation.scene import Scene
from tracetogether.labels import Labels
from tracetogether.proximity.calibration import (
    NOT_SHOWN,
    OTHERS,
    Calibration,
    ModelOffsets,
    PhoneRow,
    table_text,
)
from tracetogether.proximity.mixed_effects import Factor, predict_effects
from tracetogether.proximity.model import MODEL
from tracetogether.proximity.phone_models import (
    APP_POWER_SD_DB,
    LASTING_SHARE,
    LEVEL_SD_DB,
    HeardPairs,
    ModelPriors,
    shown_models,
)

MODELS = 6
PRIORS = ModelPriors(
    receive_db2=np.full(MODELS, 4.4**2),
    transmit_db2=np.full(MODELS, 7.4**2),
    own_power=np.ones(MODELS, dtype=np.bool_),
)


def crowd(chance, people=40, scenes=4, in_a_scene=12):
    """Return pairs that the priors give, with the true offsets of models in both directions."""
    receive, transmit = chance.normal(0, 4.4, MODELS), chance.normal(0, 7.4, MODELS)
    transmit += chance.normal(0, APP_POWER_SD_DB)
    level = chance.normal(0, LEVEL_SD_DB)
    model = chance.integers(MODELS, size=people)
    model[:MODELS] = np.arange(MODELS)
    kept, turned = np.sqrt(LASTING_SHARE), np.sqrt(1 - LASTING_SHARE)
    as_receiver = chance.normal(0, MODEL.receiver_sd_db, people)
    as_sender = chance.normal(0, MODEL.transmitter_sd_db, people)
    rows = []
    for number in range(scenes):
        there = chance.choice(people, in_a_scene, replace=False)
        of_scene = chance.normal(0, MODEL.level_sd_db)
        today = [
            chance.normal(0, turned * sd, people)
            for sd in (MODEL.receiver_sd_db, MODEL.transmitter_sd_db)
        ]
        for a in there:
            for b in there:
                if a < b:
                    pair = chance.normal(0, 5.0)
                    for rx, tx in ((a, b), (b, a)):
                        stray = level + of_scene + receive[model[rx]] + transmit[model[tx]] + pair
                        stray += kept * (as_receiver[rx] + as_sender[tx])
                        stray += today[0][rx] + today[1][tx] + chance.normal(0, 2.0)
                        rows.append((rx, tx, model[rx], model[tx], number, stray))
    receiver, transmitter, rx_model, tx_model, number, stray = map(
        np.array, zip(*rows, strict=True)
    )
    count = len(rows)
    pairs = HeardPairs(
        receiver=receiver,
        transmitter=transmitter,
        pair=np.repeat(np.arange(count // 2), 2),
        receiver_model=rx_model,
        transmitter_model=tx_model,
        scene=number,
        stray_db=stray,
        error_db2=np.full(count, 4.0),
        pair_db2=np.full(count, 25.0),
        scene_db2=np.full(count, MODEL.level_sd_db**2),
        decades=np.zeros(count),
        readings=np.full(count, 10),
    )
    return pairs, receive, transmit


def test_the_last_factor_is_eliminated_without_changing_the_others():
    chance = np.random.default_rng(1)
    y, error = chance.normal(size=30), chance.uniform(1, 3, 30)
    first, second, third = (
        Factor(chance.integers(-1, count, size=30), chance.uniform(1, 5, count))
        for count in (3, 5, 8)
    )
    second = replace(second, scale=chance.normal(size=30))
    found = predict_effects(y, error, [first, second, third])
    designs = [factor.design().toarray() for factor in (first, second, third)]
    variance = np.concatenate([factor.variance for factor in (first, second, third)])
    whole = np.hstack(designs)
    covariance = np.linalg.inv(whole.T @ (whole / error[:, None]) + np.diag(1 / variance))
    assert found.covariance == pytest.approx(covariance[:8, :8])
    assert found.mean == pytest.approx((covariance @ (whole.T @ (y / error)))[:8])
    assert found.first.tolist() == [0, 3]


def test_errors_of_offsets_hold_what_they_say():
    inside, differences, differences_sd = [], [], []
    for seed in range(12):
        pairs, receive, transmit = crowd(np.random.default_rng(seed))
        found = shown_models(pairs, PRIORS, MODEL)
        for truth, shown in ((receive, found.receive), (transmit, found.transmit)):
            inside.append(np.abs(shown.db - truth) < 1.645 * shown.sd_db)
            assert (shown.sd_db < shown.prior_sd_db + APP_POWER_SD_DB).all()
        differences.append(np.diff(found.transmit.db) - np.diff(transmit))
        differences_sd.append(np.diff(transmit))
    assert 0.84 <= np.mean(inside) <= 0.96
    # Models are separated from each other, whatever the level is.
    assert np.std(differences) < 0.35 * np.std(differences_sd)


def test_people_count_and_not_readings():
    pairs, *_ = crowd(np.random.default_rng(1), people=12, scenes=1)
    once = shown_models(pairs, PRIORS, MODEL).receive
    other = replace(pairs, scene=pairs.scene + 1, pair=pairs.pair + pairs.pair.max() + 1)
    again = HeardPairs.concat([pairs, other])
    twice = shown_models(again, PRIORS, MODEL).receive
    assert (twice.readings == 2 * once.readings).all()
    assert (twice.people == once.people).all()
    assert (twice.sd_db > 0.8 * once.sd_db).all()  # two scenes of the same people
    # One person alone can't show more than the spread of people leaves.
    single = once.people == 1
    assert (once.sd_db[single] > np.sqrt(1 / (1 / 4.4**2 + 1 / MODEL.receiver_sd_db**2))).all()


# --- tables --------------------------------------------------------------------------


def room(seed, *, sender="Loud", louder=0.0, distances=True):
    made = scene(seed, people=4, minutes=5)[0]
    heard = made.sightings
    loud = heard.peer.codes >= 2
    models = Labels.encode([sender if is_loud else "Plain" for is_loud in loud])
    return Scene(
        f"room {seed}",
        heard.replaced(
            peer_model=models,
            observer_model=Labels.encode(
                [sender if code >= 2 else "Plain" for code in heard.observer.codes.tolist()]
            ),
            rssi_dbm=heard.rssi_dbm + louder * loud,
        ),
        made.distance_m if distances else None,
    )


@pytest.mark.parametrize("distances", [True, False])
def test_a_louder_model_is_seen_with_distances_and_without(distances):
    plain, loud = (
        {
            row.model: row
            for row in phone_table(
                [[room(seed, louder=louder, distances=distances)] for seed in range(6)],
                Calibration.prior(),
            ).rows
        }
        for louder in (0.0, 10.0)
    )
    gained = loud["Loud"].offsets.transmit_dbm - plain["Loud"].offsets.transmit_dbm
    gained -= loud["Plain"].offsets.transmit_dbm - plain["Plain"].offsets.transmit_dbm
    assert 7.0 < gained <= 10.0  # less than 10: each model has a prior
    assert loud["Loud"].transmit_shown
    assert loud["Loud"].people == 12


def test_what_the_recording_does_not_show_is_the_prior_and_says_so(tmp_path):
    short = room(1)
    first = short.sightings.take(np.arange(3))
    silent = first.replaced(
        observer_model=Labels.constant("Once", 3), peer_model=Labels.constant(None, 3)
    )
    table = phone_table([[Scene("a", silent)]], Calibration.prior())
    assert [row.model for row in table.rows] == ["Once", OTHERS]
    row = table.rows[0]
    assert not row.transmit_shown
    assert (row.offsets.transmit_dbm, row.offsets.transmit_sd_db) == (-24.7, 7.4)
    line, _ = csv.DictReader(table_text(table.rows).splitlines())
    assert line["tx_power_from"] == NOT_SHOWN
    assert line["readings"] == "3"


def test_other_models_are_taken_to_send_at_the_apps_power(tmp_path):
    """Otherwise a phone of a new model would seem 20 dB farther than all others."""
    loud = phone_table([[room(seed, louder=0.0)] for seed in range(4)], Calibration.prior())
    strong = [
        replace(
            made,
            sightings=made.sightings.replaced(
                rssi_dbm=np.minimum(made.sightings.rssi_dbm + 20, -1)
            ),
        )
        for made in (room(seed) for seed in range(4))
    ]
    louder = phone_table([[made] for made in strong], Calibration.prior())
    gained = louder.rows[-1].offsets.transmit_dbm - loud.rows[-1].offsets.transmit_dbm
    assert 10 < gained < 20
    path = tmp_path / "phones.csv"
    path.write_text(table_text(louder.rows), encoding="utf-8")
    table = Calibration.load(path)
    assert table.offsets_of("never seen").transmit_dbm == pytest.approx(
        louder.rows[-1].offsets.transmit_dbm, abs=0.01
    )
    assert table.transmit.sd_db > 7.4
    assert OTHERS not in table.models


def test_a_recording_without_models_is_refused():
    made = scene(1, people=2, minutes=2)[0]
    unknown = Labels.constant(None, len(made.sightings))
    nameless = replace(
        made, sightings=made.sightings.replaced(observer_model=unknown, peer_model=unknown)
    )
    with pytest.raises(CalibrationError, match="observer_model"):
        phone_table([[nameless]], Calibration.prior())


def test_people_without_names_may_all_be_one():
    named = [room(seed) for seed in range(4)]
    hidden = [
        replace(
            made,
            sightings=made.sightings.replaced(
                observer=made.sightings.observer.constant(None, len(made.sightings)),
                peer=made.sightings.peer.constant(None, len(made.sightings)),
            ),
        )
        for made in named
    ]
    loud = phone_table([hidden], Calibration.prior()).rows[0]
    assert loud.people == 1
    apart = phone_table([[made] for made in named], Calibration.prior()).rows[0]
    assert apart.people == 8


ROW = PhoneRow(
    "=cmd|' /C calc'!A0", ModelOffsets(2.5, 1.25, -20.0, 3.0, True), True, False, 3, 9, 99
)


def test_a_written_table_is_read_with_its_errors(tmp_path):
    path = tmp_path / "phones.csv"
    path.write_text(table_text([ROW, replace(ROW, model="Nut 1")]), encoding="utf-8")
    assert "\n,=" not in path.read_text("utf-8")  # no spreadsheet computes a name
    table = Calibration.load(path)
    assert table.offsets_of("nut 1") == ROW.offsets
    assert table.offsets_of("=cmd|' /c calc'!a0") == ROW.offsets
    assert table.offsets_of("other").measured is False


def test_a_negative_error_is_refused(tmp_path):
    path = tmp_path / "phones.csv"
    path.write_text(table_text([ROW]).replace("1.25", "-1.25"), encoding="utf-8")
    with pytest.raises(CalibrationError, match="line 2"):
        Calibration.load(path)
