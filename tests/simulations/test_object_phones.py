"""Two or three phones in a bare room: what the device asks for is what happens in the air."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import simpy

from simulations.fidelities.air import IN_FRONT, LINK_MARGIN_DB, MAX_INCOMING, SimulatedAir
from simulations.fidelities.objects import ObjectPhone, handle
from simulations.phones.phone_states import PhoneState, StateChange, live_states
from simulations.phones.phones import CrowdPhones
from simulations.phones.protocols import PROTOCOLS
from simulations.phones.radios import ANDROID_TX_POWER_DBM, System
from simulations.phones.tempids import LocalTempIDs, TempIDSource
from simulations.phones.token_sources import TokenDraws
from simulations.places.tracks import CrowdTracks
from simulations.radio.channel import Channel
from simulations.settings.keys import ChannelKeys, PhoneKeys
from simulations.streams import Streams
from tracetogether.bluetrace.batch import TempIDBatch
from tracetogether.errors import UnreachableError
from tracetogether.rejection import Rejection
from tracetogether.units import Floats

START = 1_593_590_400.0
SURE = ChannelKeys(
    packet_loss=0.0, pair_sd_db=0.0, direction_sd_db=0.0, floor_dbm=-110.0, packet_sd_db=0.0
)


def phones(systems: list[System], failure: float = 0.0) -> CrowdPhones:
    count = len(systems)
    system = np.array(systems, dtype=np.int64)
    return CrowdPhones(
        model=tuple(f"{System(system).name} {index}" for index, system in enumerate(systems)),
        system=system,
        advertised_dbm=np.where(system == System.IOS, np.nan, ANDROID_TX_POWER_DBM),
        tx_dbm=np.full(count, -1.6),
        correction_db=np.full(count, 3.6),
        channel_db=np.zeros((count, 3)),
        failure=np.full(count, failure),
    )


def standing(x: list[float], seconds: int) -> CrowdTracks:
    xy = np.zeros((len(x), seconds + 1, 2), np.float32)
    xy[:, :, 0] = np.array(x)[:, None]
    shape = xy.shape[:2]
    return CrowdTracks(
        xy=xy,
        facing=np.zeros(shape, np.float32),
        posture=np.full(shape, 2, np.int8),
        carry=np.zeros(shape, np.int8),
    )


class Room:
    def __init__(
        self,
        x: list[float],
        *,
        systems: list[System] | None = None,
        seconds: int = 600,
        failure: float = 0.0,
        keys: ChannelKeys = SURE,
        source: TempIDSource | None = None,
        on_time: Callable[[float], None] | None = None,
        change: Callable[[CrowdTracks], None] = lambda _: None,
        habits: PhoneKeys = IN_FRONT,
        states: Sequence[StateChange] = (),
    ) -> None:
        streams = Streams(1)
        carried = phones(systems or [System.ANDROID] * len(x), failure)
        tracks = standing(x, seconds)
        change(tracks)
        app = np.arange(len(x))
        channel = Channel(tracks, carried, keys, streams)
        air = SimulatedAir(channel, tracks, carried, app, keys, streams, habits)
        self.local = LocalTempIDs(START, streams)
        self.air = air
        self.env = simpy.Environment(initial_time=START)
        self.phones: dict[int, ObjectPhone] = {}
        made = PROTOCOLS[habits.protocol].tokens
        draws = TokenDraws(habits.protocol, streams, app, START, START + seconds, -21.0)
        for person in app.tolist():
            self.phones[person] = ObjectPhone(
                self.env,
                person,
                self.local.enrol(person),
                begin_s=START,
                phones=carried,
                air=air,
                streams=streams,
                source=source or self.local,
                on_time=on_time,
                phones_by_person=self.phones,
                habits=habits,
                tokens=None if made is None else made(draws),
            )
        self.env.process(live_states(self.env, states, START, air.change))
        self.env.run(until=START + seconds)


def test_two_phones_exchange_and_both_write_it_down() -> None:
    room = Room([0.0, 1.5])
    one, other = room.phones[0], room.phones[1]
    assert len(one.log) == len(other.log) > 3
    users = {one.user_id: one, other.user_id: other}
    for phone, peer in ((one, other), (other, one)):
        for row in phone.log.rows():
            opened = room.local.issuer.open(row.peer, row.time)
            assert users[opened.user_id] is peer  # type: ignore[union-attr]
            assert row.observer_model == phone._phones.model[phone.person]
            assert row.peer_model == phone._phones.model[peer.person]
    assert not one.device.rejections
    assert not other.device.rejections


def test_each_connection_leaves_one_record_on_either_side() -> None:
    room = Room([0.0, 1.5])
    connections = sum(phone.counts["connections"] for phone in room.phones.values())
    central = [row for phone in room.phones.values() for row in phone.log.rows() if row.as_central]
    written = [
        row for phone in room.phones.values() for row in phone.log.rows() if not row.as_central
    ]
    assert len(central) == len(written) == connections
    assert {row.tx_power_dbm for row in central} == {ANDROID_TX_POWER_DBM}
    assert {row.tx_power_dbm for row in written} == {None}
    # The peripheral writes down what the central measured.
    assert sorted(row.rssi_dbm for row in central) == sorted(row.rssi_dbm for row in written)


def test_a_peer_is_left_alone_for_a_while() -> None:
    def gaps(habits: PhoneKeys) -> Floats:
        room = Room([0.0, 1.5], habits=habits)
        return np.diff(sorted(row.time for row in room.phones[0].log.rows()))

    assert gaps(replace(IN_FRONT, rotating_addresses=False)).min() > 90
    assert gaps(IN_FRONT).min() < 90  # under a new address it is somebody else


def test_iphones_tell_no_power_and_scan_once_a_minute() -> None:
    room = Room([0.0, 1.5], systems=[System.IOS, System.ANDROID])
    android = room.phones[1]
    assert all(row.tx_power_dbm is None for row in android.log.rows())
    assert room.phones[0].counts["scans"] in (9, 10, 11)
    assert android.counts["scans"] in (12, 13, 14)


def test_out_of_reach() -> None:
    room = Room([0.0, 5000.0])
    assert all(len(phone.log) == 0 for phone in room.phones.values())
    assert all(phone.counts["receptions"] == 0 for phone in room.phones.values())
    assert all(phone.counts["scans"] > 10 for phone in room.phones.values())


def test_who_left_is_not_heard() -> None:
    def leave(tracks: CrowdTracks) -> None:
        tracks.xy[1, 200:] = np.nan
        tracks.posture[1, 200:] = 0

    rows = Room([0.0, 1.5], change=leave).phones[0].log.rows()
    assert rows
    assert all(row.time < START + 202 for row in rows)


def test_connections_that_fail_end_by_time_out() -> None:
    room = Room([0.0, 1.5], failure=1.0)
    for phone in room.phones.values():
        assert phone.counts["connections_tried"] > 3
        assert phone.counts["connections"] == 0
        assert len(phone.log) == 0
        assert phone.device.next_deadline > room.env.now  # it goes on


def test_nobody_serves_more_links_than_a_phone_can() -> None:
    room = Room([0.0, 1.0])
    room.air.incoming[1] = MAX_INCOMING
    assert not room.air.accepts(0, 1, 300.0)
    room.air.incoming[1] = 0
    room.air._through[0, 1] = 1.0
    assert room.air.accepts(0, 1, 300.0)
    room.air.show(1, None)
    assert not room.air.accepts(0, 1, 300.0)


def test_all_links_are_closed_again() -> None:
    room = Room([0.0, 0.8, 1.6, 2.4], seconds=900)
    open_links = sum(phone._linked_to is not None for phone in room.phones.values())
    assert sum(room.air.incoming) == open_links <= 1


def test_a_weak_link_fails_more_often() -> None:
    assert LINK_MARGIN_DB > 0
    weak = replace(SURE, floor_dbm=-60.0, floor_width_db=4.0)
    strong_room, weak_room = Room([0.0, 1.5], seconds=900), Room([0.0, 1.5], seconds=900, keys=weak)

    def share(room: Room) -> float:
        tried = sum(phone.counts["connections_tried"] for phone in room.phones.values())
        return sum(phone.counts["connections"] for phone in room.phones.values()) / tried

    assert share(weak_room) < share(strong_room)


class Flaky:
    """An authority that cannot be reached at first."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self.local = LocalTempIDs(START, Streams(1))

    def enrol(self, person: int) -> str:
        return self.local.enrol(person)

    def batch(self, user_id: str, now: float) -> TempIDBatch:
        self.asked.append(now)
        if now < START + 300:
            raise UnreachableError("no network")
        return self.local.batch(user_id, now)


def test_phones_without_tokens_say_nothing_and_try_again() -> None:
    source, times = Flaky(), []
    room = Room([0.0, 1.5], source=source, seconds=1500, on_time=times.append)
    assert times == source.asked
    rows = [row for phone in room.phones.values() for row in phone.log.rows()]
    assert rows
    assert min(row.time for row in rows) > START + 300
    assert all(phone.counts["fetches_failed"] >= 1 for phone in room.phones.values())


def test_handles_are_no_identities() -> None:
    assert handle(17, 3) == "phone:17:3"
    room = Room([0.0, 1.5])
    for phone in room.phones.values():
        assert "phone:" not in repr(phone.log.rows())


@pytest.mark.parametrize("systems", [[System.IOS, System.IOS], [System.ANDROID, System.IOS]])
def test_every_pair_of_systems_exchanges(systems: list[System]) -> None:
    room = Room([0.0, 1.5], systems=systems)
    assert all(len(phone.log) > 2 for phone in room.phones.values())


def in_state(state: PhoneState, count: int) -> list[StateChange]:
    return [StateChange(0.0, person, state) for person in range(count)]


IPHONES = [System.IOS, System.IOS]


def test_locked_iphones_find_each_other_only_with_the_screen_lit() -> None:
    locked = in_state(PhoneState.LOCKED, 2)
    assert not Room([0.0, 1.5], systems=IPHONES, states=locked).phones[0].log.rows()
    unlocked = in_state(PhoneState.BACKGROUND, 2)
    assert Room([0.0, 1.5], systems=IPHONES, states=unlocked).phones[0].log.rows()
    lit = [*locked, StateChange(200.0, 0, PhoneState.LIT), StateChange(320.0, 0, PhoneState.LOCKED)]
    rows = Room([0.0, 1.5], systems=IPHONES, states=lit).phones[0].log.rows()
    assert rows
    assert all(START + 200 < row.time < START + 332 for row in rows)


def test_without_the_rules_locked_iphones_are_as_good_as_others() -> None:
    free = replace(IN_FRONT, ios_background_rules=False)
    locked = Room([0.0, 1.5], systems=IPHONES, habits=free, states=in_state(PhoneState.LOCKED, 2))
    front = Room([0.0, 1.5], systems=IPHONES)
    assert locked.phones[0].log.rows()
    gaps = [
        a.time - b.time
        for a, b in zip(locked.phones[0].log.rows(), front.phones[0].log.rows(), strict=True)
    ]
    assert not any(gaps)


def test_androids_do_not_see_locked_iphones_but_are_seen_by_them() -> None:
    systems = [System.IOS, System.ANDROID]
    room = Room([0.0, 1.5], systems=systems, states=in_state(PhoneState.LOCKED, 2), seconds=1200)
    iphone, android = room.phones[0], room.phones[1]
    assert android.counts["connections_tried"] == 0
    assert iphone.counts["connections"] == len(android.log) > 2
    assert all(not row.as_central for row in android.log.rows())


def test_an_android_nearby_keeps_locked_iphones_awake() -> None:
    systems = [System.IOS, System.IOS, System.ANDROID, System.ANDROID]
    locked = in_state(PhoneState.LOCKED, 4)
    iphones = {"IOS 0", "IOS 1"}

    def met(x: list[float], awake_s: float = 10.0) -> int:
        room = Room(
            x,
            systems=systems,
            states=locked,
            seconds=1800,
            habits=replace(IN_FRONT, awake_s=awake_s),
        )
        return sum(row.peer_model in iphones for row in room.phones[0].log.rows())

    assert met([0.0, 1.5, 0.7, 2.0]) > 0
    assert met([0.0, 1.5, 5000.0, 6000.0]) == 0
    assert met([0.0, 1.5, 0.7, 2.0], awake_s=0.0) == 0


def test_with_bluetooth_off_nothing_happens() -> None:
    off = [StateChange(100.0, 0, PhoneState.OFF), StateChange(500.0, 0, PhoneState.FRONT)]
    room = Room([0.0, 1.5], seconds=900, states=off)
    times = [row.time - START for row in room.phones[0].log.rows()]
    assert any(time > 500 for time in times)
    assert not any(101 < time < 500 for time in times)
    assert room.phones[0].counts["scans"] < room.phones[1].counts["scans"]


def test_the_stale_tempid_of_iphones_expires_on_the_way() -> None:
    room = Room(
        [0.0, 1.5], systems=IPHONES, seconds=1800, habits=replace(IN_FRONT, stale_tempid=True)
    )
    rows = room.phones[0].log.rows()
    assert len({row.peer for row in rows}) == 1
    opened = [room.local.issuer.open(row.peer, row.time) for row in rows]
    expired = [result is Rejection.EXPIRED_ID for result in opened]
    assert expired == sorted(expired)
    assert not expired[0]
    assert all(late for late, row in zip(expired, rows, strict=True) if row.time > START + 900)
    assert expired[-1]


def test_phones_that_speak_gaen_connect_to_nobody() -> None:
    room = Room([0.0, 1.5], seconds=1800, habits=replace(IN_FRONT, protocol="gaen"))
    phone = room.phones[0]
    assert phone.counts["connections_tried"] == 0
    assert phone.counts["scans"] in range(5, 9)
    times = np.array([row.time for row in phone.log.rows()])
    assert len(times) > 3
    assert np.diff(times).min() > 200
    assert all(row.as_central for row in phone.log.rows())
