"""One script of meetings through three drivers of the same machine gives the same contact logs.

The simulator's person, bumble's stack on the air in this process, and bleak with BlueZ's D-Bus (a
mock of bluetoothd on a private bus). ``tests/meetings.py`` states how far they may differ.
BlueZ needs a real clock, so it follows the short script, and so does bumble's stack beside it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import simpy

from simulations.fidelities.air import IN_FRONT, SimulatedAir
from simulations.fidelities.objects import ObjectPhone
from simulations.phones import protocols
from simulations.phones.phones import CrowdPhones
from simulations.phones.radios import CONNECTING, HABITS, Habit, RadioHabits, System
from simulations.places.tracks import CrowdTracks
from simulations.radio.channel import Channel
from simulations.settings.keys import ChannelKeys
from simulations.streams import Streams
from tests import meetings
from tests.bluez_bus import mock_of_bluez, set_levels
from tests.leaping_loop import leap
from tests.meetings import FULL, NAMES, SHORT, START, Met, Script, met
from tests.radio_world import HASTY, complaints, opener
from tracetogether.adapters.bleak_radio import open_bluez
from tracetogether.adapters.bumble_radio.virtual_air import Air
from tracetogether.bluetrace.batch import TempIDBatch
from tracetogether.bluetrace.handshake import PROFILE, BlueTraceExchange
from tracetogether.contactlog import ContactLog, MemoryContactLog
from tracetogether.device import PayloadWritten
from tracetogether.exchange import Heard
from tracetogether.node import Node
from tracetogether.node.radio import Radio, Report

BARE = ChannelKeys(
    antenna_loss_db=0.0,
    breakpoint_m=meetings.BREAKPOINT_M,
    beyond_exponent=meetings.BEYOND_EXPONENT,
    diffuse_loss_db=200.0,
    body_loss_db=0.0,
    obstruction_db=0.0,
    shadowing_sd_db=0.0,
    pair_sd_db=0.0,
    direction_sd_db=0.0,
    packet_sd_db=0.0,
    packet_loss=0.0,
    floor_dbm=meetings.FLOOR_DBM,
    floor_width_db=0.1,
)
"""The simulator's channel with everything taken out that the script does not have."""
_GRIP_DB = 0.5  # what a hand costs each phone there


@pytest.fixture(scope="module")
def bumble_rows() -> list[Met]:
    return on_the_bumble_link(FULL)


class Issued:
    """The script's TempIDs, for simulated phones."""

    def __init__(self, batches: dict[str, TempIDBatch]) -> None:
        self._batches = batches

    def enrol(self, person: int) -> str:
        return NAMES[person]

    def batch(self, user_id: str, now: float) -> TempIDBatch:
        return self._batches[user_id]


def by_simulated_people(script: Script, monkeypatch: pytest.MonkeyPatch) -> list[Met]:
    scan_s, batches = script.rhythm.scan_s, script.batches()
    timings = {**CONNECTING.timings, System.ANDROID: script.rhythm}
    monkeypatch.setattr(protocols, "CONNECTING", replace(CONNECTING, timings=timings))
    habits = replace(IN_FRONT, radio="same")  # on the radio of the line above
    monkeypatch.setitem(HABITS, Habit.ANDROID, RadioHabits(0.1, scan_s, scan_s))
    count, ticks = len(NAMES), int(script.length_s) + 1
    xy = np.zeros((count, ticks, 2), np.float32)
    for person, name in enumerate(NAMES):
        xy[person, :, 0] = [script.place_m(name, tick) for tick in range(ticks)]
    tracks = CrowdTracks(
        xy=xy,
        facing=np.zeros((count, ticks), np.float32),
        posture=np.full((count, ticks), 2, np.int8),
        carry=np.zeros((count, ticks), np.int8),
    )
    phones = CrowdPhones(
        model=NAMES,
        system=np.full(count, System.ANDROID, np.int64),
        advertised_dbm=np.full(count, meetings.TX_POWER_DBM),
        tx_dbm=np.full(count, meetings.TX_POWER_DBM + 2 * _GRIP_DB),
        correction_db=np.zeros(count),
        channel_db=np.zeros((count, 3)),
        failure=np.zeros(count),
    )
    streams = Streams(5)
    air = SimulatedAir(
        Channel(tracks, phones, BARE, streams),
        tracks,
        phones,
        np.arange(count),
        BARE,
        streams,
        habits,
    )
    env = simpy.Environment(initial_time=START)
    by_person: dict[int, ObjectPhone] = {}
    for person, name in enumerate(NAMES):
        by_person[person] = ObjectPhone(
            env,
            person,
            name,
            begin_s=START,
            phones=phones,
            air=air,
            streams=streams,
            source=Issued(batches),
            on_time=None,
            phones_by_person=by_person,
            habits=habits,
        )
    env.run(until=START + script.length_s)
    for phone in by_person.values():
        assert not phone.device.rejections
    return met(batches, {name: by_person[person].log for person, name in enumerate(NAMES)})


async def on_radios(
    script: Script,
    openers: dict[str, Callable[[Report], Awaitable[Radio]]],
    clock: Callable[[], float],
    over: Awaitable[None],
) -> list[Met]:
    """Run nodes on these radios until the script is over."""
    stop, batches = asyncio.Event(), script.batches()
    logs: dict[str, ContactLog] = {name: MemoryContactLog() for name in NAMES}

    def fetcher(name: str) -> Callable[[], Awaitable[object]]:
        async def fetch() -> object:
            return batches[name]

        return fetch

    nodes = [
        Node(
            BlueTraceExchange(model=name, organisation="SG_MOH"),
            logs[name],
            open_radio=openers[name],
            fetch=fetcher(name),
            clock=clock,
            chance=np.random.default_rng(number).random,
            timings=script.rhythm,
            pauses=HASTY,
        )
        for number, name in enumerate(NAMES)
    ]
    running = [asyncio.ensure_future(node.run(stop)) for node in nodes]
    try:
        await over
    finally:
        stop.set()
        await asyncio.gather(*running)
    for node in nodes:
        assert not node.device.rejections
        assert node.counts["radio_lost"] == 0
    return met(batches, logs)


def on_the_bumble_link(script: Script) -> list[Met]:
    async def play() -> list[Met]:
        loop = asyncio.get_running_loop()

        def level_dbm(sender: str, receiver: str) -> float | None:
            return script.level_dbm(sender, receiver, loop.time())

        def clock() -> float:
            return START + loop.time()

        air = Air(level_dbm, chance=np.random.default_rng(1).random)
        openers = {name: opener(air.controller(name), now=clock) for name in NAMES}
        found = await on_radios(script, openers, clock, asyncio.sleep(script.length_s))
        assert air.open_links == 0
        return found

    return leap(play())


class Pace:
    """The script's time on this machine's clock; it slows down where the machine can't follow."""

    _STEP_S = 0.05

    def __init__(self, script: Script, folder: Path) -> None:
        self._script = script
        self._folder = folder
        self.now_s = 0.0
        self._set_levels()

    async def play(self) -> None:
        """Let it be played to the end."""
        while self.now_s < self._script.length_s:
            await asyncio.sleep(self._STEP_S)
            self.now_s += self._STEP_S
            self._set_levels()

    def _set_levels(self) -> None:
        set_levels(
            self._folder,
            {
                (sender, receiver): self._script.level_dbm(
                    NAMES[sender], NAMES[receiver], self.now_s
                )
                for sender in range(3)
                for receiver in range(3)
                if sender != receiver
            },
        )


def on_bluez(script: Script, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[Met]:
    pace = Pace(script, folder)

    def clock() -> float:
        return START + pace.now_s

    def bluez(number: int) -> Callable[[Report], Awaitable[Radio]]:
        async def open_radio(report: Callable[[Heard | PayloadWritten], None]) -> Radio:
            return await open_bluez(f"hci{number}", PROFILE, report, clock=clock)

        return open_radio

    async def play() -> list[Met]:
        openers = {name: bluez(number) for number, name in enumerate(NAMES)}
        return await on_radios(script, openers, clock, pace.play())

    with mock_of_bluez(folder) as bus:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus)
        return asyncio.run(play())


def test_simulated_people_follow_the_script(monkeypatch: pytest.MonkeyPatch) -> None:
    FULL.check("simulated people", by_simulated_people(FULL, monkeypatch))


def test_phones_on_bumble_follow_the_script(bumble_rows: list[Met]) -> None:
    FULL.check("bumble's stack", bumble_rows)


def test_phones_on_bumble_follow_the_short_script() -> None:
    SHORT.check("bumble's stack", on_the_bumble_link(SHORT))


def test_phones_on_bluez_follow_the_short_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    found = on_bluez(SHORT, tmp_path, monkeypatch)
    assert complaints(caplog) == []
    SHORT.check("BlueZ's D-Bus", found)


def wrong(rows: list[Met], what: str) -> list[Met]:
    """Return the records with something missing or changed."""
    match what:
        case "a pair is missing":
            return [row for row in rows if {row.observer, row.peer} != {"bob", "cat"}]
        case "one side is missing":
            return [row for row in rows if (row.observer, row.peer) != ("bob", "cat")]
        case "a TempID is missing":
            return [
                row for row in rows if (row.observer, row.peer, row.window) != ("ann", "cat", 2)
            ]
        case "levels are off":
            return [Met(*_fields(row)[:4], row.rssi_dbm - 6, row.as_central) for row in rows]
        case "times are off":
            return [Met(*_fields(row)[:3], row.at_s + 8, *_fields(row)[4:]) for row in rows]
    raise AssertionError(what)


def _fields(row: Met) -> list[object]:
    return [row.observer, row.peer, row.window, row.at_s, row.rssi_dbm, row.as_central]


@pytest.mark.parametrize(
    "what",
    [
        "a pair is missing",
        "one side is missing",
        "a TempID is missing",
        "levels are off",
        "times are off",
    ],
)
def test_the_comparison_notices(what: str, bumble_rows: list[Met]) -> None:
    with pytest.raises((AssertionError, IndexError)):
        FULL.check("bumble", wrong(bumble_rows, what))
