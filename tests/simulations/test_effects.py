"""Every key of a scenario, changed, changes what it is about; a key without a row here fails."""

import hashlib
from functools import cache
from typing import NamedTuple

import numpy as np
import pytest

from simulations.one_run import run
from simulations.people.walking import move
from simulations.phones.phones import draw_phones
from simulations.places.tracks import CrowdTracks
from simulations.radio.channel import Channel
from simulations.scores.scoring import score_run
from simulations.settings.scenario import Scenario, full_key, load_scenario, scenario_keys
from simulations.streams import Streams

WORDS = {
    "places.NUMBER.name",
    "layer",
    "schema",
    "title",
    "modelled_on",
    "policy.name",
}  # said, not played


class Change(NamedTuple):
    """In which scenario the key is set to what, with what else."""

    scenario: str
    value: str
    besides: str = ""
    at: str = ""  # the key in that scenario, where the user chooses a part of its name


SMALL = "duration_s=300 people.count=14 length_m=12 doors_per_side=2 standing_places=12"
TWO_ROOMS = "duration_s=300 rooms=2 tables=4 people.count=16"
AT_HOME = "duration_s=2000"
LIVING, FRONT = "venue.spaces.living-room", "venue.doors.front"
MOST_LOCKED = f"{SMALL} phones.locked=0.6 phones.ios=0.7"

CHANGES = {
    # where people are, where they look, where they keep the phone
    "duration_s": Change("lift", "100", "duration_s=60"),
    "people.count": Change("lift", "9"),
    "places.NUMBER.at": Change("lift", "[0.5,0.5]", at="places.1.at"),
    "places.NUMBER.tx_dbm": Change("lift", "-25", "places.1.at=[0.5,0.5]", at="places.1.tx_dbm"),
    "people.home": Change("lift", "{AU_DTA=1}"),
    "people.in_hand": Change("lift", "0"),
    "people.hand_change_s": Change("lift", "20"),
    "people.stowed.front_pocket": Change("lift", "0", "in_hand=0"),
    "people.stowed.back_pocket": Change("lift", "1", "in_hand=0"),
    "people.stowed.bag": Change("lift", "0", "in_hand=0"),
    "venue.kind": Change("party", "tables"),
    "venue.length_m": Change("train-carriage", "24"),
    "venue.width_m": Change("train-carriage", "2.9"),
    "venue.doors_per_side": Change("train-carriage", "3", "duration_s=300"),
    "venue.seats_per_bench": Change("train-carriage", "5"),
    "venue.seat_pitch_m": Change("train-carriage", "0.5"),
    "venue.rows": Change("bus", "6", "people.count=10"),
    "venue.seats_per_row": Change("bus", "3", "people.count=10"),
    "venue.row_pitch_m": Change("bus", "0.7"),
    "venue.tables": Change("hawker-centre", "4", "people.count=10"),
    "venue.seats_per_table": Change("hawker-centre", "3", "people.count=10"),
    "venue.across_m": Change("hawker-centre", "1.6", "people.count=10"),
    "venue.standing_places": Change("train-carriage", "20"),
    "venue.corridor_m": Change("office-day", "0", "duration_s=300"),
    "motion.kind": Change("party", "wander", "duration_s=120"),
    "motion.aboard_at_start": Change("train-carriage", "0.2"),
    "motion.stop_every_s": Change("train-carriage", "60"),
    "motion.dwell_s": Change("train-carriage", "10"),
    "motion.stay_median_s": Change("train-carriage", "100"),
    "motion.stay_spread": Change("train-carriage", "1.5", "stay_median_s=300"),
    "motion.counterflow": Change("corridor-pass", "0", "duration_s=60 counterflow=0.5"),
    "motion.pause_s": Change("party", "1", "motion.kind=wander duration_s=120"),
    "motion.breaks_per_hour": Change("office-day", "0", "duration_s=1200"),
    "motion.break_s": Change("office-day", "60", "duration_s=1200"),
    "motion.visits_per_hour": Change("office-day", "0", "duration_s=1200"),
    "motion.visitors": Change("office-day", "standing", "duration_s=1200"),
    "motion.visit_median_s": Change("office-day", "200", "duration_s=1200"),
    "motion.visit_spread": Change("office-day", "0", "duration_s=1200"),
    "motion.walk_speed_m_s": Change("train-carriage", "0.5"),
    "motion.walk_speed_sd_m_s": Change("train-carriage", "0"),
    "motion.seat_wish": Change("train-carriage", "0"),
    "motion.stand_by_choice": Change("train-carriage", "0.6"),
    "motion.moves_per_hour": Change("train-carriage", "60"),
    # a plan
    "people.groups.NAME.people": Change(
        "care-home",
        "3 people.groups.late-shift.people=5",
        "duration_s=300",
        "people.groups.early-shift.people",
    ),
    "people.groups.NAME.space": Change(
        "home", "living-room", AT_HOME, "people.groups.parents.space"
    ),
    "people.groups.NAME.carriers": Change(
        "home", "0.5", AT_HOME, "people.groups.children.carriers"
    ),
    "people.groups.NAME.keeps_together": Change(
        "school", "0", "duration_s=5800", "people.groups.class-1.keeps_together"
    ),
    "people.groups.NAME.visits": Change(
        "home",
        '["children"]',
        f"{AT_HOME} motion.visits_per_hour=30",
        "people.groups.parents.visits",
    ),
    "people.groups.NAME.visits_per_hour": Change(
        "home", "30", AT_HOME, "people.groups.parents.visits_per_hour"
    ),
    "venue.spaces.NAME.kind": Change("home", "groups", AT_HOME, f"{LIVING}.kind"),
    "venue.spaces.NAME.length_m": Change("home", "5.5", AT_HOME, f"{LIVING}.length_m"),
    "venue.spaces.NAME.width_m": Change(
        "home", f"4.5 {LIVING}.y_m=0.5", AT_HOME, f"{LIVING}.width_m"
    ),
    "venue.spaces.NAME.seat_pitch_m": Change("home", "0.8", AT_HOME, f"{LIVING}.seat_pitch_m"),
    "venue.spaces.NAME.rows": Change("school", "5", "duration_s=60", "venue.spaces.room-1.rows"),
    "venue.spaces.NAME.seats_per_row": Change(
        "school",
        "5",
        "duration_s=60 venue.spaces.room-1.rows=5",
        "venue.spaces.room-1.seats_per_row",
    ),
    "venue.spaces.NAME.row_pitch_m": Change(
        "school", "1.5", "duration_s=60", "venue.spaces.room-1.row_pitch_m"
    ),
    "venue.spaces.NAME.tables": Change("home", "2", AT_HOME, f"{LIVING}.tables"),
    "venue.spaces.NAME.seats_per_table": Change("home", "6", AT_HOME, f"{LIVING}.seats_per_table"),
    "venue.spaces.NAME.across_m": Change("home", "1.4", AT_HOME, f"{LIVING}.across_m"),
    "venue.spaces.NAME.standing_places": Change(
        "school", "180", "duration_s=5800", "venue.spaces.yard.standing_places"
    ),
    "venue.spaces.NAME.x_m": Change(
        "home", "8.6", "venue.length_m=12", "venue.spaces.childrens-room.x_m"
    ),
    "venue.spaces.NAME.y_m": Change("home", f"0.5 {LIVING}.width_m=4.5", AT_HOME, f"{LIVING}.y_m"),
    "venue.doors.NAME.x_m": Change("home", "2", AT_HOME, "venue.doors.living-room.x_m"),
    "venue.doors.NAME.y_m": Change("home", "5.9", "duration_s=4000", f"{FRONT}.y_m"),
    "venue.doors.NAME.width_m": Change("home", "2", AT_HOME, "venue.doors.living-room.width_m"),
    "motion.set_out_s": Change("home", "10", AT_HOME),
    "motion.timetable.NUMBER.starts": Change("home", "06:20", AT_HOME, "motion.timetable.1.starts"),
    "motion.timetable.NUMBER.ends": Change(
        "home", "06:50 motion.timetable.2.starts=06:50", AT_HOME, "motion.timetable.1.ends"
    ),
    "motion.timetable.NUMBER.space": Change("home", "own", AT_HOME, "motion.timetable.2.space"),
    "motion.timetable.NUMBER.groups": Change(
        "home",
        '["children"] motion.timetable.4.groups=["parents"] motion.timetable.5.groups=["parents"]',
        "duration_s=4000 motion.timetable.3.space=own",
        "motion.timetable.3.groups",
    ),
    # what the air makes of it
    "venue.rooms": Change("office-day", "1", TWO_ROOMS),
    "channel.antenna_loss_db": Change("lift", "6"),
    "channel.breakpoint_m": Change("train-carriage", "50"),
    "channel.beyond_exponent": Change("train-carriage", "2"),
    "channel.diffuse_loss_db": Change("lift", "90"),
    "channel.diffuse_decay_db_per_m": Change("lift", "3"),
    "channel.delay_spread_ns": Change("lift", "50"),
    "channel.doppler_hz": Change("lift", "1"),
    "channel.body_loss_db": Change("lift", "0"),
    "channel.obstruction_db": Change("lift", "0"),
    "channel.shadowing_sd_db": Change("lift", "0"),
    "channel.shadowing_length_m": Change("lift", "8"),
    "channel.pair_sd_db": Change("lift", "0"),
    "channel.direction_sd_db": Change("lift", "0"),
    "channel.receiver_sd_db": Change("lift", "0"),
    "channel.transmitter_sd_db": Change("lift", "0"),
    "channel.packet_sd_db": Change("lift", "0"),
    "channel.wall_db": Change("office-day", "0", TWO_ROOMS),
    "channel.packet_loss": Change("lift", "0.6"),
    "channel.floor_dbm": Change("lift", "-60"),
    "channel.floor_width_db": Change("lift", "20", "channel.floor_dbm=-60"),
    "phones.models_android": Change("lift", "1"),
    "phones.models_ios": Change("lift", "1", "phones.ios=1"),
    # what ends in the contact logs
    "people.adoption": Change("train-carriage", "0.4", SMALL),
    "phones.ios": Change("train-carriage", "1", SMALL),
    "phones.protocol": Change("train-carriage", "gaen", SMALL),
    "phones.radio": Change("train-carriage", "same", f"{SMALL} phones.protocol=gaen"),
    "phones.locked": Change("train-carriage", "1", SMALL),
    "phones.background": Change("train-carriage", "1", SMALL),
    "phones.state_change_s": Change("train-carriage", "60", f"{SMALL} phones.background=0.3"),
    "phones.lit_every_s": Change("train-carriage", "30", MOST_LOCKED),
    "phones.lit_s": Change("train-carriage", "60", f"{MOST_LOCKED} phones.lit_every_s=60"),
    "phones.ios_background_rules": Change("train-carriage", "false", MOST_LOCKED),
    "phones.awake_s": Change("train-carriage", "0", MOST_LOCKED),
    "phones.stale_tempid": Change("train-carriage", "true", "duration_s=1000 ios=1 people.count=6"),
    "phones.rotating_addresses": Change("train-carriage", "false", SMALL),
    "phones.later_scans": Change("train-carriage", "true", SMALL),
    "phones.reconnect_s": Change("train-carriage", "30", SMALL),
    "phones.bluetooth_drops_per_hour": Change("train-carriage", "20", SMALL),
    "phones.bluetooth_off_s": Change(
        "train-carriage", "20", f"{SMALL} bluetooth_drops_per_hour=20"
    ),
    "channel.reach_m": Change("train-carriage", "1", SMALL),
    # what is said of them
    "policy.within_m": Change("train-carriage", "1", f"{SMALL} policy.minutes=3"),
    "policy.minutes": Change("train-carriage", "1", f"{SMALL} policy.minutes=3"),
    "policy.least_chance": Change("train-carriage", "0.1", f"{SMALL} policy.minutes=3"),
}
IN_THE_LOGS = {
    "places.NUMBER.at",
    "places.NUMBER.tx_dbm",
    "people.adoption",
    "people.home",
    "people.groups.NAME.carriers",
    "channel.reach_m",
}
IN_THE_AIR = {"venue.rooms", "phones.models_android", "phones.models_ios"}


@cache
def scenario(name: str, settings: str) -> Scenario:
    pairs = [word.split("=", 1) for word in settings.split()]
    return load_scenario(name, {full_key(key).name: value for key, value in pairs})


@cache
def tracks(name: str, settings: str) -> CrowdTracks:
    chosen = scenario(name, settings)
    return move(chosen, chosen.venue.room(), Streams(3))


@cache
def movement(name: str, settings: str) -> str:
    moved = tracks(name, settings)
    columns = (moved.xy, moved.facing, moved.posture, moved.carry)
    return hashlib.sha256(b"".join(column.tobytes() for column in columns)).hexdigest()


@cache
def readings(name: str, settings: str) -> str:
    """Return what everybody reads of everybody at some moments."""
    chosen = scenario(name, settings)
    phones = draw_phones(chosen.people.count, chosen.phones, chosen.channel, Streams(3))
    walls = chosen.venue.room().walls
    channel = Channel(tracks(name, settings), phones, chosen.channel, Streams(3), walls)
    chance = np.random.Generator(np.random.Philox(1))
    tx, rx = chance.integers(chosen.people.count, size=(2, 400))
    time_s = chance.uniform(0, chosen.duration_s - 1, 400)
    found = channel.readings(tx, rx, time_s, chance.integers(3, size=400))
    rssi = np.where(found.received, found.rssi_dbm, 0.0)
    return hashlib.sha256(rssi.tobytes() + found.received.tobytes()).hexdigest()


@cache
def logs(name: str, settings: str) -> str:
    return run(scenario(name, settings), seed=3).digest


@cache
def scores(name: str, settings: str) -> str:
    return str(score_run(run(scenario(name, settings), seed=3)).scores.to_json())


def test_every_key_has_a_row() -> None:
    assert set(CHANGES) == {key.name for key in scenario_keys()} - WORDS


@pytest.mark.slow
@pytest.mark.parametrize("key", CHANGES)
def test_every_key_has_an_effect(key: str) -> None:
    change = CHANGES[key]
    table = key.partition(".")[0]
    if table == "policy":
        numbers = scores
    elif key not in IN_THE_AIR and (table == "phones" or key in IN_THE_LOGS):
        numbers = logs
    elif table == "channel" or key in IN_THE_AIR:
        numbers = readings
    else:
        numbers = movement
    before = numbers(change.scenario, change.besides)
    after = numbers(change.scenario, f"{change.besides} {change.at or key}={change.value}")
    assert after != before
