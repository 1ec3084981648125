"""Who hears whom: all scans that begin in one tick go through the channel together.

The same candidates, draws and channel as ``air.Air.listen`` has for one scan, so the receptions
agree exactly: who heard whom, when, and at what RSSI.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import ndtr

from simulations.air import hearing_tables
from simulations.channel import Channel
from simulations.hearing import MAX_CHANCES
from simulations.link_steps import LINK_MARGIN_DB, NEWS_S
from simulations.neighbours import frame_of, meeting_places, within_reach
from simulations.phone_states import PhoneState, StateChange
from simulations.phones import Habit, System, timings_of
from simulations.players import Crowd
from simulations.routines import Timeline
from simulations.streams import Noise
from simulations.strips import Strips
from tracetogether.units import Bools, Floats, Ints

_STRIPS_IN_REACH: Final = 4


@dataclass(frozen=True, slots=True)
class Packets:
    """n packets of some scans that a receiver was listening for, by (scan, sender, time).

    Attributes:
        scan: (n,) index of the scan.
        rx, tx: (n,) receiver and sender.
        when_s: (n,) seconds after the start of the run.
        begin_s: (n,) when the scan began, likewise.
        received: (n,) which came through.
        open: (n,) whether the sender shows its service to all (not a hidden iPhone).
        rssi_dbm: (n,) as reported.
        through: (n,) chance that a step of a link gets through at this level.
    """

    scan: Ints
    rx: Ints
    tx: Ints
    when_s: Floats
    begin_s: Floats
    received: Bools
    open: Bools
    rssi_dbm: Floats
    through: Floats

    def take(self, rows: Ints | Bools | slice) -> "Packets":
        """Return some of them."""
        return Packets(
            self.scan[rows],
            self.rx[rows],
            self.tx[rows],
            self.when_s[rows],
            self.begin_s[rows],
            self.received[rows],
            self.open[rows],
            self.rssi_dbm[rows],
            self.through[rows],
        )

    def first_of_each(self, came: Bools) -> "Packets":
        """Return, of those that ``came``, the first of each sender in each scan."""
        rows = np.flatnonzero(came)
        scan, tx = self.scan[rows], self.tx[rows]
        again = (scan[1:] == scan[:-1]) & (tx[1:] == tx[:-1])
        return self.take(rows[np.concatenate([[True], ~again])] if len(rows) else rows)


class States:
    """What owners do to their phones, to be asked by (phone, time)."""

    def __init__(self, changes: list[StateChange], begin_s: float, people: int) -> None:
        person = np.array([change.person for change in changes], dtype=np.int64)
        at_s = begin_s + np.array([change.at_s for change in changes], dtype=np.float64)
        self._timeline, order = Timeline.of(begin_s, person, at_s, people)
        self._state = np.array([change.state for change in changes], dtype=np.int8)[order]
        self.ever_off = bool((self._state == PhoneState.OFF).any())

    def at(self, phone: Ints, at_s: Floats) -> np.ndarray[tuple[int, ...], np.dtype[np.int8]]:
        """Return codes of PhoneState at epoch seconds."""
        last = self._timeline.last(phone, at_s)
        return np.where(last >= 0, self._state[last], np.int8(PhoneState.FRONT))

    def is_on(self, phone: int, at_s: float) -> bool:
        """Return whether ``phone``'s Bluetooth is on."""
        state = self.at(np.array([phone]), np.array([at_s]))
        return bool(state[0] != PhoneState.OFF)


class Scans:
    """The receiving side of all phones.

    Args:
        channel: levels and losses.
        crowd: who is there with what.
        states: what owners do to their phones.

    Attributes:
        packets: how many packets went through the channel so far.
    """

    def __init__(self, channel: Channel, crowd: Crowd, states: States) -> None:
        self._channel = channel
        self._tracks = crowd.tracks
        self._system = crowd.phones.system
        self._app = crowd.app
        self._keys = crowd.scenario.channel
        self._habits = habits = crowd.scenario.phones
        self._states = states
        self._begin_s = crowd.start
        streams, tracks = crowd.streams, crowd.tracks
        self._noise: Noise = streams.noise("air", "scan")
        self._frame = frame_of(tracks)
        # Whole ticks are asked for, so they lie together here.
        self._by_tick = np.ascontiguousarray(tracks.xy[self._app].transpose(1, 0, 2))
        self._scan_s = np.array([timings_of(one, habits.app).scan_s for one in System])
        tables = hearing_tables(habits.app, streams)
        rows = len(next(iter(tables.values())).at_s)
        kinds = len(Habit)
        self._after_s = np.full((kinds, kinds, rows, MAX_CHANCES), np.nan)
        self._on = np.zeros((kinds, kinds, rows, MAX_CHANCES), dtype=np.int64)
        for (sender, listener), table in tables.items():
            self._after_s[sender, listener] = table.at_s
            self._on[sender, listener] = table.channel
        self.packets = 0

    def listen(self, rx: Ints, at_s: Floats) -> Packets:
        """Return what n scans could hear that begin at ``at_s``, epoch seconds."""
        begin_s = at_s - self._begin_s
        scan, tx = self._candidates(rx, begin_s)
        state = self._states.at(tx, at_s[scan])
        hidden = self._hidden(tx, state)
        seen = (state != PhoneState.OFF) & ~(hidden & (self._system[rx] == System.ANDROID)[scan])
        scan, tx, hidden = scan[seen], tx[seen], hidden[seen]
        listener = self._habit(rx, self._hidden(rx, self._states.at(rx, at_s)))
        millisecond = np.rint(begin_s * 1e3).astype(np.int64)
        draw = self._noise.hashes(tx, rx[scan], millisecond[scan])
        row = (draw % np.uint64(self._after_s.shape[2])).astype(np.int64)
        sender = self._habit(tx, hidden)
        after_s = self._after_s[sender, listener[scan], row]
        which, chance = np.nonzero(~np.isnan(after_s))
        on = self._on[sender[which], listener[scan[which]], row[which], chance]
        scan, tx, hidden = scan[which], tx[which], hidden[which]
        when_s = begin_s[scan] + after_s[which, chance]
        readings = self._channel.readings(tx, rx[scan], when_s, on)
        self.packets += len(tx)
        margin = readings.level_dbm - self._keys.floor_dbm - LINK_MARGIN_DB
        return Packets(
            scan=scan,
            rx=rx[scan],
            tx=tx,
            when_s=when_s,
            begin_s=begin_s[scan],
            received=readings.received,
            open=~hidden,
            rssi_dbm=readings.rssi_dbm,
            through=ndtr(margin / self._keys.floor_width_db),
        )

    def _candidates(self, rx: Ints, begin_s: Floats) -> tuple[Ints, Ints]:
        """Return (scan, sender) of all within reach, ordered."""
        tick_s, last = self._tracks.tick_s, self._tracks.ticks - 1
        scan_s = self._scan_s[self._system[rx]]
        begin = np.minimum((begin_s / tick_s).astype(np.int64), last)
        end = np.minimum(((begin_s + scan_s) / tick_s).astype(np.int64), last)
        found: list[tuple[Ints, Ints]] = []
        groups, group = np.unique(begin * (last + 1) + end, return_inverse=True)
        for number, code in enumerate(groups.tolist()):
            rows = np.flatnonzero(group.reshape(-1) == number)
            found.append(self._near(rows, rx[rows], *divmod(code, last + 1)))
        scan = np.concatenate([*(one for one, _ in found), rx[:0]])
        tx = np.concatenate([*(one for _, one in found), rx[:0]])
        order = np.argsort(scan * len(self._system) + tx, kind="stable")
        return scan[order], tx[order]

    def _near(self, rows: Ints, rx: Ints, begin: int, end: int) -> tuple[Ints, Ints]:
        reach_m = self._keys.reach_m
        first, later = self._by_tick[begin], self._by_tick[end]
        here = np.flatnonzero(~(np.isnan(first[:, 0]) & np.isnan(later[:, 0])))
        places = meeting_places(self._tracks, self._app[here], begin, end)
        mine = meeting_places(self._tracks, rx, begin, end)
        there = np.flatnonzero(~np.isnan(mine[:, 0]))
        strips = Strips.of(
            self._app[here],
            places,
            height_m=reach_m / _STRIPS_IN_REACH,
            frame=self._frame,
        )
        query, place = strips.near(mine[there], reach_m)
        query = there[query]
        found = np.column_stack([strips.x[place], strips.y[place]])
        near = within_reach(found, mine[query], reach_m) & (strips.who[place] != rx[query])
        return rows[query[near]], strips.who[place[near]]

    def _hidden(self, phone: Ints, state: np.ndarray[tuple[int, ...], np.dtype[np.int8]]) -> Bools:
        if self._habits.app == "broadcast" or not self._habits.ios_background_rules:
            return np.zeros(len(phone), dtype=np.bool_)
        return np.asarray((self._system[phone] == System.IOS) & (state != PhoneState.FRONT))

    def _habit(self, phone: Ints, hidden: Bools) -> Ints:
        if self._habits.app == "broadcast":
            return np.full(len(phone), int(Habit.BROADCAST), dtype=np.int64)
        return np.where(hidden, int(Habit.IOS_BACK), self._system[phone]).astype(np.int64)


class News:
    """What wakes the apps of locked iPhones: phones that they have not heard for a while."""

    def __init__(self, awake_s: float) -> None:
        self._awake_s = awake_s
        self._at: dict[tuple[int, int], float] = {}

    def seen(self, rx: int, awake_until_s: float, packets: Packets) -> tuple[Bools, float | None]:
        """Return which packets the app of a locked iPhone is told about, and when it last woke.

        Args:
            rx: the iPhone.
            awake_until_s: until when its app runs anyway, seconds after the start of the run.
            packets: of one scan.
        """
        when, tx = packets.when_s, packets.tx
        before = np.array([self._at.get((rx, one), -np.inf) for one in tx.tolist()])
        news = packets.open & packets.received & (when - before >= NEWS_S)
        awake = when < awake_until_s
        woke = None
        if news.any():
            since = np.sort(when[news])
            last = np.searchsorted(since, when, side="right") - 1
            awake = awake | ((last >= 0) & (when - since[last] < self._awake_s))
            keys = [(rx, one) for one in tx[news].tolist()]
            self._at.update(zip(keys, when[news].tolist(), strict=True))
            woke = float(since[-1])
        return packets.open | awake, woke
