from dataclasses import replace

import numpy as np
import pytest

from simulations.places.tracks import CrowdTracks
from simulations.radio.channel import Channel, direct_loss_db, free_space_loss_db
from simulations.settings.keys import ChannelKeys
from simulations.settings.scenario import Scenario
from simulations.streams import Streams
from simulations.studies.validation import (
    ChannelScene,
    plain_phones,
    spread_in_groups,
    turning_round_db,
)
from tracetogether.units import Ints


def test_free_space_at_one_metre() -> None:
    assert float(free_space_loss_db(1.0)) == pytest.approx(40.2, abs=0.05)
    assert float(free_space_loss_db(10.0) - free_space_loss_db(1.0)) == pytest.approx(20.0)


def test_the_level_falls_faster_beyond_the_breakpoint() -> None:
    near, at, far = direct_loss_db(np.array([0.5, 5.0, 50.0]), 5.0, 3.3)
    assert at - near == pytest.approx(20.0)
    assert far - at == pytest.approx(33.0)


def still(
    xy: list[list[float]], facing: list[float], carry: list[int], ticks: int = 3
) -> CrowdTracks:
    """Return people who do not move."""

    def column(values: list, kind: type) -> np.ndarray:
        return np.repeat(np.array(values, dtype=kind)[:, None], ticks, axis=1)

    return CrowdTracks(
        xy=column(xy, np.float32),
        facing=column(facing, np.float32),
        posture=np.full((len(xy), ticks), 2, np.int8),
        carry=column(carry, np.int8),
    )


BARE = ChannelKeys(
    diffuse_loss_db=120.0,
    shadowing_sd_db=0.0,
    pair_sd_db=0.0,
    direction_sd_db=0.0,
    packet_sd_db=0.0,
    packet_loss=0.0,
    antenna_loss_db=0.0,
)


def test_level_between_two_people_face_to_face_in_the_open() -> None:
    """No reflections, no bodies in the way: free space between the phones, and the two hands."""
    tracks = still([[0, 0], [3, 0]], [0.0, np.pi], [0, 0])
    channel = Channel(tracks, plain_phones(2), BARE, Streams(1))
    zero, one, time = np.array([0]), np.array([1]), np.array([0.0])
    level = channel.level_dbm(zero, one, time, zero)[0]
    distance_m = np.hypot(3 - 2 * 0.35, 0.25)
    assert level == pytest.approx(-1.6 - float(free_space_loss_db(distance_m)) - 1.0, abs=0.02)
    reading = channel.readings(zero, one, time, zero)
    assert reading.rssi_dbm[0] == np.rint(level - 3.6)
    assert reading.received[0]


def test_level_at_one_metre_agrees_with_anechoic_recordings() -> None:
    """iPhones 1 m apart in an anechoic chamber read about -48 dBm (DP-3T exp25 and exp27)."""
    tracks = still([[0, 0], [1.7, 0]], [0.0, np.pi], [0, 0])
    keys = replace(BARE, antenna_loss_db=ChannelKeys().antenna_loss_db)
    channel = Channel(tracks, plain_phones(2), keys, Streams(1))
    level = channel.level_dbm(np.array([0]), np.array([1]), np.array([0.0]), np.array([0]))[0]
    assert -50 < level < -44


def test_a_turned_back_and_a_body_in_between_lower_the_level() -> None:
    def level(facing: float, carry: int, between: bool) -> float:
        people = [[0, 0], [3, 0], [1.5, 0.0 if between else 9.0]]
        tracks = still(people, [facing, np.pi, 0.0], [carry, 0, 0])
        channel = Channel(tracks, plain_phones(3), BARE, Streams(1))
        return float(
            channel.level_dbm(np.array([0]), np.array([1]), np.array([0.0]), np.array([0]))[0]
        )

    assert level(0.0, 0, False) - level(np.pi, 0, False) > 12
    assert level(0.0, 0, False) - level(0.0, 0, True) == pytest.approx(2.5, abs=0.2)
    assert level(0.0, 0, False) - level(0.0, 2, False) > 8  # from the back pocket, through oneself


def test_a_phone_receives_neither_itself_nor_absent_phones() -> None:
    tracks = still([[0, 0], [1, 0], [np.nan, np.nan]], [0.0] * 3, [0] * 3)
    channel = Channel(tracks, plain_phones(3), BARE, Streams(1))
    tx, rx = np.array([0, 0, 2, 0]), np.array([0, 2, 0, 1])
    readings = channel.readings(tx, rx, np.zeros(4), np.zeros(4, dtype=np.int64))
    assert readings.received.tolist() == [False, False, False, True]


def test_the_share_of_received_packets_falls_smoothly_near_the_floor() -> None:
    """At the floor half is lost; two widths above it nearly nothing."""
    tracks = still([[0, 0], [3, 0]], [0.0, np.pi], [0, 0])
    level = float(
        Channel(tracks, plain_phones(2), BARE, Streams(1)).level_dbm(
            np.array([0]), np.array([1]), np.array([0.0]), np.array([0])
        )[0]
    )

    def share(floor_dbm: float) -> float:
        keys = replace(BARE, floor_dbm=floor_dbm, floor_width_db=2.0)
        channel = Channel(tracks, plain_phones(2), keys, Streams(1))
        count = 8000
        readings = channel.readings(
            np.zeros(count, dtype=np.int64),
            np.ones(count, dtype=np.int64),
            np.linspace(0, 2, count),
            np.zeros(count, dtype=np.int64),
        )
        return float(readings.received.mean())

    assert share(level) == pytest.approx(0.5, abs=0.02)
    assert share(level - 4.0) == pytest.approx(0.977, abs=0.01)
    assert share(level + 8.0) < 0.001


@pytest.fixture(scope="module")
def scenes(carriage: Scenario) -> list[ChannelScene]:
    return [ChannelScene.of(carriage, 0)]


def links(count: int, chance: np.random.Generator) -> tuple[Ints, Ints]:
    tx = chance.integers(60, size=count)
    return tx, (tx + chance.integers(1, 60, size=count)) % 60


def test_one_channel_alone_varies_less(scenes: list[ChannelScene]) -> None:
    alone = spread_in_groups(scenes[0], 4.0, 16, np.array([0]))
    assert alone < spread_in_groups(scenes[0], 4.0, 16) - 0.3


def test_level_while_a_person_turns_around_in_the_open() -> None:
    def rotation_db(diffuse_loss_db: float) -> float:
        keys = ChannelKeys(diffuse_loss_db=diffuse_loss_db)
        return float(np.mean([turning_round_db(keys, seed) for seed in range(3)]))

    carriage, outdoors = rotation_db(ChannelKeys().diffuse_loss_db), rotation_db(120.0)
    assert 9 <= carriage <= 20
    assert carriage + 2 < outdoors <= 20


def test_fading_changes_over_centimetres() -> None:
    """Correlation of the level with itself some centimetres on: gone by a wavelength's half."""

    def correlation(shift_m: float) -> float:
        keys = ChannelKeys(diffuse_loss_db=45.0, body_loss_db=40.0, shadowing_sd_db=0.0)
        levels: list[list[float]] = [[], []]
        for place in range(400):
            for row, step in enumerate((0.0, shift_m)):
                tracks = still(
                    [[0.3 * place + step, 0], [0.3 * place + 4, 0]], [np.pi, 0.0], [0, 0]
                )
                channel = Channel(tracks, plain_phones(2), keys, Streams(place))
                levels[row].append(
                    float(
                        channel.level_dbm(
                            np.array([0]), np.array([1]), np.array([0.0]), np.array([1])
                        )[0]
                    )
                )
        return float(np.corrcoef(levels)[0, 1])

    assert correlation(0.005) > 0.9
    assert correlation(0.10) < 0.4


def test_both_directions_share_one_field(scenes: list[ChannelScene]) -> None:
    """Without what belongs to a direction, a -> b and b -> a are the same but for the phones."""
    one = scenes[0]
    keys = replace(ChannelKeys(), direction_sd_db=0.0)
    channel = Channel(one.tracks, plain_phones(60), keys, Streams(0))
    chance = np.random.Generator(np.random.Philox(4))
    tx, rx = links(500, chance)
    time, on = chance.uniform(0, 1800, 500), chance.integers(3, size=500)
    there = channel.level_dbm(tx, rx, time, on)
    back = channel.level_dbm(rx, tx, time, on)
    assert np.allclose(there, back, equal_nan=True, rtol=0, atol=1e-9)


def test_any_split_of_the_work_gives_the_same_readings(scenes: list[ChannelScene]) -> None:
    one = scenes[0]
    chance = np.random.Generator(np.random.Philox(5))
    tx, rx = links(1001, chance)
    time, on = chance.uniform(0, 1800, 1001), chance.integers(3, size=1001)
    whole = one.channel.readings(tx, rx, time, on)
    order = chance.permutation(1001)
    for parts in (np.array_split(np.arange(1001), 7), np.array_split(order, 3), [order]):
        rows = np.concatenate(parts)
        split = [one.channel.readings(tx[part], rx[part], time[part], on[part]) for part in parts]
        assert np.array_equal(np.concatenate([p.received for p in split]), whole.received[rows])
        heard = whole.received[rows]
        rssi = np.concatenate([p.rssi_dbm for p in split])
        assert np.array_equal(rssi[heard], whole.rssi_dbm[rows][heard])
