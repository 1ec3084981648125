"""Receptions of a vectorized run: all scans of one tick go through the channel together.

The candidates, draws and channel are those of ``air.SimulatedAir.listen`` for one scan. So the
receptions agree exactly: who heard whom, when, and at what RSSI.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Final

import numpy as np
from scipy.special import ndtr

from simulations.fidelities.air import Codes8, habits_of, hearing_tables, hidden
from simulations.fidelities.players import Crowd
from simulations.phones.link_steps import LINK_MARGIN_DB, NEWS_S
from simulations.phones.phone_states import PhoneState, StateChange
from simulations.phones.protocols import radio_of
from simulations.phones.radios import Habit, System
from simulations.phones.routines import Timeline
from simulations.places.cells import Cells
from simulations.radio.channel import Channel
from simulations.radio.hearing import MAX_CHANCES
from simulations.radio.neighbours import frame_of, places_at, within_reach
from simulations.streams import Noise
from tracetogether.units import Bools, Floats, Ints

_ROWS_IN_REACH: Final = 4
_CELLS_IN_REACH: Final = 10
_FIRST: Final = np.arange(MAX_CHANCES) == 0


@dataclass(frozen=True, slots=True)
class Packets:
    """n received packets of some scans, ordered by scan, sender and time.

    Attributes:
        scan: (n,) index of the scan.
        rx, tx: (n,) receiver and sender.
        when_s: (n,) seconds after the start of the run.
        at_s: (n,) when the receiver's app gets the report, epoch seconds.
        open: (n,) whether all phones can see the sender's service (it is no hidden iPhone).
        rssi_dbm: (n,) signal strength as reported.
        through: (n,) probability that a step of a link succeeds at this level.
    """

    scan: Ints
    rx: Ints
    tx: Ints
    when_s: Floats
    at_s: Floats
    open: Bools
    rssi_dbm: Floats
    through: Floats

    def take(self, rows: Ints | Bools | slice) -> "Packets":
        """Return the chosen packets."""
        return Packets(
            self.scan[rows],
            self.rx[rows],
            self.tx[rows],
            self.when_s[rows],
            self.at_s[rows],
            self.open[rows],
            self.rssi_dbm[rows],
            self.through[rows],
        )

    def first_of_each(self, which: Bools) -> "Packets":
        """Return the first packet of each sender in each scan, among those in ``which``."""
        rows = np.flatnonzero(which)
        scan, tx = self.scan[rows], self.tx[rows]
        again = (scan[1:] == scan[:-1]) & (tx[1:] == tx[:-1])
        return self.take(rows[np.concatenate([[True], ~again])] if len(rows) else rows)


@dataclass(frozen=True, slots=True)
class _Chances:
    """n pairs of a scan and a sender within reach, and the moments when it can be heard.

    Attributes:
        scan: (n,) index of the scan.
        rx, tx: (n,) receiver and sender.
        open: (n,) whether all phones can see the sender's service.
        when_s: (n, MAX_CHANCES) seconds after the start of the run, ascending; NaN for none.
        at_s: (n, MAX_CHANCES) when the receiver's app would get the report, epoch seconds.
        channel: (n, MAX_CHANCES) index of the advertising channel.
    """

    scan: Ints
    rx: Ints
    tx: Ints
    open: Bools
    when_s: Floats
    at_s: Floats
    channel: Ints


class States:
    """The state of every phone over time, set by its owner."""

    def __init__(self, changes: list[StateChange], begin_s: float, people: int) -> None:
        person = np.array([change.person for change in changes], dtype=np.int64)
        at_s = begin_s + np.array([change.at_s for change in changes], dtype=np.float64)
        self._timeline, order = Timeline.of(begin_s, person, at_s, people)
        self._state = np.array([change.state for change in changes], dtype=np.int8)[order]
        self.ever_off = bool((self._state == PhoneState.OFF).any())

    def at(self, phone: Ints, at_s: Floats) -> Codes8:
        """Return (n,) codes of PhoneState of n phones, each at its own time (epoch seconds)."""
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
        crowd: people and their phones.
        states: states of the phones.
        on_air: returns whether phones show an advertisement at a time (epoch seconds).

    Attributes:
        asked: number of packets computed by the channel so far.
    """

    def __init__(
        self,
        channel: Channel,
        crowd: Crowd,
        states: States,
        on_air: Callable[[Ints, Floats], Bools],
    ) -> None:
        self._channel = channel
        self._tracks = crowd.tracks
        self._system = crowd.phones.system
        self._app = crowd.app
        self._keys = crowd.scenario.channel
        self._habits = habits = crowd.scenario.phones
        self._states = states
        self._on_air = on_air
        self._begin_s = crowd.start
        streams, tracks = crowd.streams, crowd.tracks
        self._noise: Noise = streams.noise("air", "scan")
        self._frame = frame_of(tracks)
        radio = radio_of(habits)
        self._scan_s = np.array([radio.timings[system].scan_s for system in System])
        tables = hearing_tables(radio, streams)
        rows = len(next(iter(tables.values())).at_s)
        kinds = len(Habit)
        self._after_s = np.full((kinds, kinds, rows, MAX_CHANCES), np.nan)
        self._on = np.zeros((kinds, kinds, rows, MAX_CHANCES), dtype=np.int64)
        for (sender, listener), table in tables.items():
            self._after_s[sender, listener] = table.at_s
            self._on[sender, listener] = table.channel
        self.asked = 0

    def listen(self, rx: Ints, at_s: Floats) -> tuple[Packets, Bools]:
        """Return what n scans receive that begin at ``at_s``, epoch seconds.

        Returns:
            The packets, and (n,) which scans are of locked iPhones with a hidden phone within
            reach. Those need all packets, since reports to their apps depend on them. Other scans
            have the first packet of each sender, and perhaps more.
        """
        state = self._states.at(rx, at_s)
        chances = self._chances(rx, at_s, state)
        hears_hidden = np.zeros(len(rx), dtype=np.bool_)
        hears_hidden[chances.scan[~chances.open]] = True
        asleep = hears_hidden & (state == PhoneState.LOCKED)
        pair, chance, rssi_dbm, level_dbm = self._ask(chances, asleep[chances.scan])
        margin = level_dbm - self._keys.floor_dbm - LINK_MARGIN_DB
        packets = Packets(
            scan=chances.scan[pair],
            rx=chances.rx[pair],
            tx=chances.tx[pair],
            when_s=chances.when_s[pair, chance],
            at_s=chances.at_s[pair, chance],
            open=chances.open[pair],
            rssi_dbm=rssi_dbm,
            through=ndtr(margin / self._keys.floor_width_db),
        )
        return packets, asleep

    def _ask(self, chances: _Chances, all_of: Bools) -> tuple[Ints, Ints, Floats, Floats]:
        """Compute which packets are received: the first moment of each pair, then later ones.

        Each packet costs time, so a later moment is computed only if the earlier ones failed. A
        packet at a silent moment of its sender still ends the search of its scan. So only moments
        after which the sender is always silent can be left out.

        Args:
            chances: n pairs.
            all_of: (n,) for which pairs all moments count.

        Returns:
            Pair, number of the moment, RSSI and level of the packets, by scan, sender and time.
        """
        possible = ~np.isnan(chances.when_s)
        pair, chance = np.nonzero(possible & ~all_of[:, None])
        shown = np.zeros_like(possible)
        shown[pair, chance] = self._on_air(chances.tx[pair], chances.at_s[pair, chance])
        later = np.logical_or.accumulate(shown[:, ::-1], axis=1)[:, ::-1]
        possible &= all_of[:, None] | later
        unheard = np.ones(len(possible), dtype=np.bool_)
        found: list[tuple[Ints, Ints, Floats, Floats]] = []
        for now in (all_of[:, None] | _FIRST, ~all_of[:, None] & ~_FIRST):
            pair, chance = np.nonzero(possible & now & unheard[:, None])
            when_s, channel = chances.when_s[pair, chance], chances.channel[pair, chance]
            readings = self._channel.readings(chances.tx[pair], chances.rx[pair], when_s, channel)
            self.asked += len(pair)
            came = np.flatnonzero(readings.received)
            pair, chance = pair[came], chance[came]
            unheard[pair] = False
            found.append((pair, chance, readings.rssi_dbm[came], readings.level_dbm[came]))
        pair, chance, rssi_dbm, level_dbm = (
            np.concatenate(column) for column in zip(*found, strict=True)
        )
        code = chances.scan[pair] * len(self._system) + chances.tx[pair]
        order = np.argsort(code * MAX_CHANCES + chance)
        return pair[order], chance[order], rssi_dbm[order], level_dbm[order]

    def _chances(self, rx: Ints, at_s: Floats, own_state: Codes8) -> _Chances:
        begin_s = at_s - self._begin_s
        scan, tx = self._candidates(rx, begin_s)
        state = self._states.at(tx, at_s[scan])
        hides = hidden(self._habits, self._system[tx], state)
        seen = (state != PhoneState.OFF) & ~(hides & (self._system[rx] == System.ANDROID)[scan])
        scan, tx, hides = scan[seen], tx[seen], hides[seen]
        own_hides = hidden(self._habits, self._system[rx], own_state)
        listener = habits_of(self._habits, self._system[rx], own_hides)[scan]
        sender = habits_of(self._habits, self._system[tx], hides)
        millisecond = np.rint(begin_s * 1e3).astype(np.int64)
        draw = self._noise.hashes(tx, rx[scan], millisecond[scan])
        row = (draw % np.uint64(self._after_s.shape[2])).astype(np.int64)
        may = np.flatnonzero(~np.isnan(self._after_s[sender, listener, row, 0]))
        scan, tx, sender, listener, row = (
            column[may] for column in (scan, tx, sender, listener, row)
        )
        when_s = begin_s[scan, None] + self._after_s[sender, listener, row]
        scan_at_s = (self._begin_s + begin_s)[scan, None]
        return _Chances(
            scan=scan,
            rx=rx[scan],
            tx=tx,
            open=~hides[may],
            when_s=when_s,
            at_s=scan_at_s + np.maximum(when_s - begin_s[scan, None], 0.0),
            channel=self._on[sender, listener, row],
        )

    def _candidates(self, rx: Ints, begin_s: Floats) -> tuple[Ints, Ints]:
        """Return the scan and sender of every pair within reach."""
        tick_s, last = self._tracks.tick_s, self._tracks.ticks - 1
        scan_s = self._scan_s[self._system[rx]]
        begin = np.minimum((begin_s / tick_s).astype(np.int64), last)
        end = np.minimum(((begin_s + scan_s) / tick_s).astype(np.int64), last)
        spans, span = np.unique(begin * (last + 1) + end, return_inverse=True)
        span = span.reshape(-1)
        xy = places_at(self._tracks, *np.divmod(spans, last + 1))
        layer, place = np.nonzero(~np.isnan(xy[:, self._app, 0]))
        sender = self._app[place]
        reach_m = self._keys.reach_m
        cells = Cells(
            xy[layer, sender],
            layer,
            self._frame,
            row_m=reach_m / _ROWS_IN_REACH,
            cell_m=reach_m / _CELLS_IN_REACH,
            layers=len(spans),
        )
        mine = xy[span, rx]
        there = np.flatnonzero(~np.isnan(mine[:, 0]))
        scan, found = cells.near(mine[there], reach_m, span[there])
        scan = there[scan]
        x, y = mine.T
        near = within_reach((cells.x[found], cells.y[found]), (x[scan], y[scan]), reach_m)
        scan, tx = scan[near], sender[cells.order[found[near]]]
        others = tx != rx[scan]
        return scan[others], tx[others]


class News:
    """Wakes the apps of locked iPhones when they hear a phone for the first time in NEWS_S."""

    def __init__(self, awake_s: float) -> None:
        self._awake_s = awake_s
        self._at: dict[int, dict[int, float]] = {}

    def seen(
        self,
        rx: int,
        awake_until_s: float,
        packets: Sequence[tuple[int, float, bool]],
    ) -> tuple[list[int], float | None]:
        """Return which packets a locked iPhone reports to its app, and when the app last woke.

        Args:
            rx: the iPhone.
            awake_until_s: end of the time that its app runs anyway, seconds after the start.
            packets: sender, time (seconds after the start) and visibility of one scan's packets.

        Returns:
            Indices of packets, and seconds after the start; None if no phone was news.
        """
        last = self._at.setdefault(rx, {})
        news = [
            (tx, when_s)
            for tx, when_s, is_open in packets
            if is_open and when_s - last.get(tx, -inf) >= NEWS_S
        ]
        last.update(news)
        woke = sorted(when_s for _, when_s in news)

        def awake(when_s: float) -> bool:
            if when_s < awake_until_s:
                return True
            since = bisect_right(woke, when_s)
            return since > 0 and when_s - woke[since - 1] < self._awake_s

        reported = [
            index for index, (_, when_s, is_open) in enumerate(packets) if is_open or awake(when_s)
        ]
        return reported, woke[-1] if woke else None
