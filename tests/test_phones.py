"""Phone models learned from known distances; what a pair heard alone, or shortly, can tell."""

from dataclasses import replace

import numpy as np
import pytest

from tests.proximity_world import START, scene
from tracetogether.evaluation.phones import learned_phones
from tracetogether.evaluation.scene import Scene
from tracetogether.labels import Labels
from tracetogether.proximity.binned_readings import bin_readings
from tracetogether.proximity.calibration import Calibration, ModelOffsets, Shift
from tracetogether.proximity.model import MODEL, PHYSICS
from tracetogether.proximity.offsets import offsets_of_all_logs, offsets_of_own_log
from tracetogether.sightings import Sightings

KNOWN = Calibration({"known": ModelOffsets(3.6, 0.0, -24.7, 0.0, measured=True)})
STRONGER_DB = 15.0


def meeting(seed: int, sender: str) -> Scene:
    """Return three minutes of two people, one of whose phones nobody measured."""
    room = scene(seed, people=2, minutes=3)[0]
    sightings = room.sightings
    ahead = sightings.observer.codes == 0
    some = sightings.take(ahead)
    return Scene(
        f"{sender} {seed}",
        some.replaced(
            peer_model=Labels.constant(sender, len(some)),
            rssi_dbm=some.rssi_dbm + STRONGER_DB * (sender == "Strong One"),
        ),
        room.distance_m[ahead],
    )


def of_others(scene: Scene, people: int) -> Scene:
    """Return the scene with the names of another two people."""
    sightings = scene.sightings
    return replace(
        scene,
        sightings=sightings.replaced(
            observer=Labels.constant(f"left {people}", len(sightings)),
            peer=Labels.constant(f"right {people}", len(sightings)),
        ),
    )


@pytest.fixture(scope="module")
def meetings() -> list[Scene]:
    """Return meetings of forty different pairs."""
    return [of_others(meeting(seed, ("known", "Strong One")[seed % 2]), seed) for seed in range(40)]


def test_an_unmeasured_model_shows_its_power(meetings):
    learned = learned_phones(meetings, KNOWN, PHYSICS)
    shift = learned.calibration.transmit_shifts["strong one"]
    assert shift.db == pytest.approx(-STRONGER_DB, abs=3.0)
    assert 0 < shift.sd_db < 3.0
    assert learned.calibration.transmit_shifts["known"].sd_db == 0
    assert learned.model.level_db == pytest.approx(59.0, abs=2.0)
    assert learned.model.kept_decades == PHYSICS.kept_decades


def test_unmeasured_phones_alone_leave_the_level_to_physics(meetings):
    strong = [meeting for meeting in meetings if meeting.name.startswith("Strong")]
    learned = learned_phones(strong, KNOWN, PHYSICS)
    assert abs(learned.model.level_db - PHYSICS.level_db) < 3.0
    assert learned.calibration.transmit_shifts["strong one"].db < -9


def test_a_model_that_no_training_scene_has_takes_what_the_others_share(meetings):
    """At 0 it would seem nearer than all the others, which send as strongly."""
    family = Calibration(
        KNOWN.models | {"in table": ModelOffsets(3.6, 4.4, -24.7, 7.4, measured=False)}
    )
    learned = learned_phones(meetings, family, PHYSICS).calibration
    sightings = meetings[1].sightings
    shifts: dict[str | None, float] = {}
    for name in ("never met", None, "in table", "known"):
        models = Labels.constant(name, len(sightings))
        heard_from = sightings.replaced(peer_model=models)
        before, after = family.attenuation(heard_from), learned.attenuation(heard_from)
        shifts[name] = float(np.mean(after.db - before.db))
        # What they share says nothing of how one phone differs.
        assert np.all(after.phone_variance_db2 <= before.phone_variance_db2 + 1e-9)
    assert shifts["known"] == pytest.approx(0.0, abs=2.0)
    for name in ("never met", None, "in table"):
        assert 0.4 * STRONGER_DB < shifts[name] - shifts["known"] < 1.1 * STRONGER_DB


def test_many_files_of_one_pair_say_little_of_its_model(meetings):
    """The model's files lie in one room, whose 15 dB are not the phone's."""
    others, rooms = (
        [meeting for meeting in meetings if meeting.name.startswith(name)]
        for name in ("known", "Strong")
    )
    same_room = [of_others(meeting, 1000) for meeting in rooms]
    one_room, many_rooms, one_file = (
        learned_phones(others + files, KNOWN, PHYSICS).calibration.transmit_shifts["strong one"]
        for files in (same_room, rooms, same_room[:1])
    )
    assert one_room.sd_db > 1.5 * many_rooms.sd_db
    assert many_rooms.db < -0.8 * STRONGER_DB
    # Twenty files of one pair count as two independent ones at most.
    assert one_file.sd_db / np.sqrt(2.5) < one_room.sd_db < one_file.sd_db


def test_scenes_of_unknown_distance_teach_nothing(meetings):
    silent = [Scene(meeting.name, meeting.sightings) for meeting in meetings[:3]]
    learned = learned_phones(silent, KNOWN, PHYSICS)
    assert learned.calibration.transmit_shifts == {}
    assert learned.model == PHYSICS


def test_a_shift_is_taken_out_and_narrows_what_is_unknown(meetings):
    sightings = meetings[1].sightings
    shifted = Calibration(KNOWN.models, transmit_shifts={"strong one": Shift(-15.0, 1.5)})
    before, after = KNOWN.attenuation(sightings), shifted.attenuation(sightings)
    assert after.db == pytest.approx(before.db + 15.0)
    assert before.phone_variance_db2 == pytest.approx(7.4**2)
    assert after.phone_variance_db2 == pytest.approx(1.5**2)


def heard(levels: dict[str, float], minutes: int = 10) -> Sightings:
    times = START + np.arange(0, 60 * minutes, 10.0)
    return Sightings.from_columns(
        time=np.tile(times, len(levels)),
        observer=["anna"] * len(levels) * len(times),
        peer=[peer for peer in levels for _ in times],
        rssi_dbm=[level for level in levels.values() for _ in times],
    )


def test_a_pair_heard_alone_says_nothing_of_offsets():
    for offsets in (offsets_of_own_log, offsets_of_all_logs):
        found = offsets(bin_readings(heard({"ben": -90.0}), KNOWN), MODEL)
        assert found.db == pytest.approx([0.0], abs=1e-9)


@pytest.mark.parametrize("offsets", [offsets_of_own_log, offsets_of_all_logs])
def test_a_pair_has_no_part_in_its_own_offset(offsets):
    quiet = offsets(bin_readings(heard({"ben": -90.0, "cara": -80.0}), KNOWN), MODEL)
    loud = offsets(bin_readings(heard({"ben": -60.0, "cara": -80.0}), KNOWN), MODEL)
    assert quiet.db[0] == pytest.approx(loud.db[0])
    assert quiet.db[1] > loud.db[1] + 1
    assert quiet.variance_db2 == pytest.approx(loud.variance_db2)


def test_who_is_seen_shortly_has_hardly_moved():
    """Against many walks of the process, averaged."""
    rng = np.random.default_rng(1)
    fade = np.exp(-0.1 / MODEL.moving_minutes)
    walk = rng.standard_normal(4000)
    total, minutes = np.zeros(4000), 15
    for _ in range(minutes * 10):
        total += walk
        walk = fade * walk + np.sqrt(1 - fade**2) * rng.standard_normal(4000)
    kept = float(MODEL.movement_kept(np.array(float(minutes))))
    assert np.var(total / (minutes * 10)) == pytest.approx(kept, abs=0.04)
    long = np.array([0.0, 1.0, 30.0, 1e4])
    assert MODEL.movement_kept(long)[0] == pytest.approx(1.0, abs=1e-3)
    assert np.all(np.diff(MODEL.movement_kept(long)) < 0)
    whole = MODEL.kept_variance(long) + MODEL.moving_variance(long)
    assert whole == pytest.approx(MODEL.kept_decades**2 + MODEL.moving_decades**2)


def test_all_logs_tell_who_sits_apart_from_who_receives_weakly():
    """Apart is weak in both directions; a bag about a receiver is weak in one."""
    times = START + np.arange(0, 600, 10.0)
    people = [f"p{number}" for number in range(8)]

    def found(weak):
        ways = [(a, b) for a in people for b in people if a != b]
        level = [-70.0 - (10.0 if weak(a, b) else 0.0) for a, b in ways]
        sightings = Sightings.from_columns(
            time=np.tile(times, len(ways)),
            observer=[a for a, _ in ways for _ in times],
            peer=[b for _, b in ways for _ in times],
            rssi_dbm=np.repeat(level, len(times)),
        )
        binned = bin_readings(sightings, KNOWN)
        offsets = offsets_of_all_logs(binned, MODEL)
        of_first = binned.pairs.first == 0
        return offsets.distance_db[of_first].mean() - offsets.distance_db[~of_first].mean()

    apart, bag = found(lambda a, b: "p0" in (a, b)), found(lambda a, _: a == "p0")
    assert apart > 1.4 * bag > 0
