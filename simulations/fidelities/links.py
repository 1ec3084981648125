"""All phones' connections: one agenda of events on links, in order of time.

Connections are few, some per phone and scan. Each one depends on others: a phone has a queue of
peers, lets a peer rest after a connection, and a controller serves at most MAX_INCOMING links. So
they are handled one after the other, as ``objects`` and ``tracetogether.device`` do: with the same
draws at the same moments, and so the same records. Everything else about a phone is in columns.

A link's steps: the phone connects, the peer accepts with probability (1 - failure)(1 - failure)
times ``through``, the phone reads the peer's value, writes its own, and hangs up. Each step takes a
uniformly drawn time; it is lost with probability 1 - ``through``. Once a peer has accepted, nothing
that other phones do changes the outcome. So all further steps are computed at that moment, and the
agenda gets only what other phones can notice.
"""

from array import array
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from math import inf
from typing import Final

import numpy as np

from simulations.fidelities.later_scans import Exchanged, LaterScans
from simulations.fidelities.players import Crowd
from simulations.fidelities.record_columns import RecordColumns
from simulations.phones.link_steps import (
    CONNECT_S,
    HANG_UP_S,
    IOS_ADDRESS_S,
    MAX_INCOMING,
    READ_S,
    STALE_S,
    SUPERVISION_S,
    WRITE_S,
    Purpose,
)
from simulations.phones.protocols import radio_of
from simulations.phones.radios import System
from simulations.phones.routines import Routines
from simulations.streams import LinkDraws
from tracetogether.parameters import BLUETRACE
from tracetogether.units import Ints

TURN_BITS: Final = 16  # of a name; room for more addresses than a phone has in a day

# Plain numbers, since members of an enumeration take longer to look up.
_ACCEPT: Final = int(Purpose.ACCEPT)
_CONNECT: Final = int(Purpose.CONNECT_S)
_READ: Final = int(Purpose.READ)
_READ_TIME: Final = int(Purpose.READ_S)
_WRITE: Final = int(Purpose.WRITE)
_WRITE_TIME: Final = int(Purpose.WRITE_S)
_HANG_UP: Final = int(Purpose.HANG_UP_S)


@dataclass(slots=True)
class ReceptionLists:
    """Receptions of phones in order of time, as lists, since they are read one at a time.

    Attributes:
        at_s: epoch seconds.
        tx: senders.
        name: the senders' addresses: ``tx << TURN_BITS | turn``.
        rssi_dbm: signal strengths as the receivers report them.
        through: probability that a step of a link with that phone succeeds.
    """

    at_s: list[float] = field(default_factory=list)
    tx: list[int] = field(default_factory=list)
    name: list[int] = field(default_factory=list)
    rssi_dbm: list[float] = field(default_factory=list)
    through: list[float] = field(default_factory=list)

    def in_order(self, rows: list[int]) -> "ReceptionLists":
        """Return the chosen rows in order of time, then of sender."""
        at_s, tx = self.at_s, self.tx
        rows = sorted(rows, key=lambda row: (at_s[row], tx[row]))
        return ReceptionLists(
            [at_s[row] for row in rows],
            [tx[row] for row in rows],
            [self.name[row] for row in rows],
            [self.rssi_dbm[row] for row in rows],
            [self.through[row] for row in rows],
        )


_NOTHING: Final = ReceptionLists()


@dataclass(slots=True)
class _OpenLink:
    """The one connection that a phone has opened; ``draws`` belongs to phone and peer."""

    peer: int
    name: int
    rssi_dbm: float
    heard_s: float
    through: float
    began_s: float
    draws: int


class Links:
    """Queue, connection and rests of each of P phones.

    Args:
        crowd: people and their phones.
        routines: advertisements of phones over time.
        is_on: returns whether a phone's Bluetooth is on at a time (epoch seconds); None if always.

    Attributes:
        records: the records in all contact logs.
        tried, connected, served, lost: (P,) connections that each phone requested, established,
            answered, and lost on the way.
        awake_until_s: P times at which a phone's app stops running after a Bluetooth event,
            seconds after the beginning.
    """

    def __init__(
        self,
        crowd: Crowd,
        routines: Routines,
        is_on: Callable[[int, float], bool] | None,
    ) -> None:
        phones, habits, present = crowd.phones, crowd.scenario.phones, crowd.tracks.present()
        people = len(phones)
        self._begin_s = crowd.start
        self._end_s = crowd.start + crowd.scenario.duration_s
        self._people = crowd.people
        self._present = present.tobytes()  # single bytes are faster to read
        self._ticks = present.shape[1]
        self._tick_s = crowd.tracks.tick_s
        self._is_on = is_on
        self._kept_shown = crowd.tokens is None  # others make a value when it is read
        self._draws = LinkDraws(crowd.streams.noise("air", "link"), people, len(Purpose))
        self._habits = habits
        self._failure = phones.failure.tolist()
        self._advertised = phones.advertised_dbm.tolist()
        self._system = phones.system.tolist()
        radio = radio_of(habits)
        timings = [radio.timings[system] for system in System]
        self._queue_max_s = [timing.queue_max_s for timing in timings]
        self._blacklist_s = [habits.reconnect_s or timing.blacklist_s for timing in timings]
        self._timeout_s = [timing.connection_timeout_s for timing in timings]
        self._connect_span = [
            (CONNECT_S[0], CONNECT_S[1] + radio.habits_of_system(system).advertise_every_s)
            for system in System
        ]
        self._shows_at = routines.shows.at_s.tolist()
        self._shows_first = routines.shows.first.tolist()
        self._showing = routines.showing.tolist()
        self._turn = routines.turn.tolist()
        self._fetches_at = routines.fetches.at_s.tolist()
        self._fetches_first = routines.fetches.first.tolist()
        self._agenda: list[tuple[float, int, Callable[[int, float], None], int]] = []
        self._number = 0
        self._heard = [_NOTHING] * people
        self._first = [0] * people  # index of this scan's first reception
        self._next = [0] * people  # index of the next reception
        self._end = [0] * people  # index after the last reception of this scan
        self._queue: list[list[int]] = [[] for _ in range(people)]
        self._link: list[_OpenLink | None] = [None] * people
        self._rest_until: list[dict[int, float]] = [{} for _ in range(people)]  # by name
        self._incoming = [0] * people
        self.records = RecordColumns()
        self._later: LaterScans | None = None
        if habits.later_scans:
            every_s = [timings[system].later_scan_s for system in self._system]
            self._later = LaterScans(self.records, every_s, self._token_of)
        self.tried = array("q", bytes(8 * people))
        self.connected = array("q", bytes(8 * people))
        self.served = array("q", bytes(8 * people))
        self.lost = array("q", bytes(8 * people))
        self.awake_until_s = [-inf] * people

    def at(self, time_s: float, what: Callable[[int, float], None], phone: int) -> None:
        """Put the call ``what(phone, time_s)`` on the agenda."""
        self._number += 1
        heappush(self._agenda, (time_s, self._number, what, phone))

    def run_until(self, end_s: float) -> None:
        """Handle everything on the agenda before ``end_s``, epoch seconds."""
        agenda = self._agenda
        while agenda and agenda[0][0] < end_s:
            time_s, _, what, phone = heappop(agenda)
            what(phone, time_s)

    def take(self, phone: int, heard: ReceptionLists, begin: int, end: int, since_s: float) -> None:
        """Give a phone the receptions of the scan that begins now: rows ``begin`` to ``end``.

        Receptions of earlier scans have waited too long to be connected to. Everything on the
        agenda before ``since_s`` (epoch seconds) is done.
        """
        self.note_later_scans(phone, since_s)
        self._heard[phone] = heard
        self._first[phone] = begin
        self._next[phone] = begin
        self._end[phone] = end
        self._queue[phone].clear()
        if self._link[phone] is None:
            self._await_reception(phone)

    def note_later_scans(self, phone: int, until_s: float = inf) -> None:
        """Record what a phone exchanged and heard before ``until_s``, epoch seconds."""
        if self._later is not None:
            rows = range(self._first[phone], self._end[phone])
            self._later.play(phone, self._heard[phone], rows, until_s)
            self._first[phone] = self._end[phone]

    def wake(self, phone: int, since_begin_s: float) -> None:
        """Let ``phone``'s app run for ``awake_s`` after a Bluetooth event."""
        until = since_begin_s + self._habits.awake_s
        self.awake_until_s[phone] = max(self.awake_until_s[phone], until)

    def _hears(self, phone: int, now: float) -> None:
        """Handle the next reception of a phone without a connection."""
        if self._link[phone] is not None:
            return
        heard, index = self._heard[phone], self._next[phone]
        if index >= self._end[phone] or heard.at_s[index] != now:
            return  # of an earlier scan
        if self._rest_until[phone].get(heard.name[index], now) > now:  # it wrote since
            self._await_reception(phone)
            return
        self._next[phone] = index + 1
        self._connect(phone, heard, index, now)

    def _await_reception(self, phone: int) -> None:
        """Put the next reception of a peer that does not rest on the agenda."""
        heard, end = self._heard[phone], self._end[phone]
        at_s, name, rest = heard.at_s, heard.name, self._rest_until[phone]
        for index in range(self._next[phone], end):
            if rest.get(name[index], 0.0) <= at_s[index]:  # a rest is only ever extended
                self._next[phone] = index
                self.at(at_s[index], self._hears, phone)
                return
        self._next[phone] = end

    def _connect_next(self, phone: int, now: float) -> None:
        """Connect to the peer heard last that still waits, if any."""
        heard, queue = self._heard[phone], self._queue[phone]
        at_s, name, rest = heard.at_s, heard.name, self._rest_until[phone]
        upto = bisect_right(at_s, now, self._next[phone], self._end[phone])
        queue.extend(range(self._next[phone], upto))
        self._next[phone] = upto
        while queue:
            index = queue.pop()
            since = at_s[index]
            if rest.get(name[index], since) > since:
                continue  # it rested when heard, or has written to this phone since
            if now - since > self._queue_max_s[self._system[phone]]:
                queue.clear()
                break
            self._connect(phone, heard, index, now)
            return
        self._await_reception(phone)

    def _connect(self, phone: int, heard: ReceptionLists, index: int, now: float) -> None:
        self.tried[phone] += 1
        peer = heard.tx[index]
        draws = self._draws.between(phone, peer)
        self._link[phone] = _OpenLink(
            peer,
            heard.name[index],
            heard.rssi_dbm[index],
            heard.at_s[index],
            heard.through[index],
            now,
            draws,
        )
        low, high = self._connect_span[self._system[peer]]
        moment = self._draws.moment(draws, now - self._begin_s)
        drawn = self._draws.number(moment, _CONNECT)
        self.at(now + (low + (high - low) * drawn), self._connects, phone)

    def _connects(self, phone: int, now: float) -> None:
        link = self._open_link(phone)
        since = now - self._begin_s
        reachable = self._reachable(phone, link, now)
        moment = self._draws.moment(link.draws, since)
        if not self._accepts(phone, link, now, reachable, moment):
            # The connection fails; the device's own time-out ends it.
            timed_out = link.began_s + self._timeout_s[self._system[phone]]
            self.at(self._hung_up_at(link, timed_out), self._closed, phone)
            return
        peer = link.peer
        self.connected[phone] += 1
        self._incoming[peer] += 1
        self.wake(peer, since)
        self.served[peer] += 1
        if reachable < self._draws.number(moment, _READ):
            self.lost[phone] += 1
            self.at(now + SUPERVISION_S, self._dropped, phone)
            return
        low, high = READ_S
        drawn = self._draws.number(moment, _READ_TIME)
        self._reads(phone, link, now + (low + (high - low) * drawn))

    def _accepts(
        self, phone: int, link: _OpenLink, now: float, reachable: float, moment: int
    ) -> bool:
        peer = link.peer
        if not self._is_shown(peer, now) or self._incoming[peer] >= MAX_INCOMING:
            return False
        sound = (1.0 - self._failure[peer]) * (1.0 - self._failure[phone])
        return bool(self._draws.number(moment, _ACCEPT) < sound * reachable)

    def _reachable(self, phone: int, link: _OpenLink, at_s: float) -> float:
        tick = min(int((at_s - self._begin_s) / self._tick_s), self._ticks - 1)
        present, ticks = self._present, self._ticks
        if not (present[phone * ticks + tick] and present[link.peer * ticks + tick]):
            return 0.0
        is_on = self._is_on
        if is_on is not None and not (is_on(phone, at_s) and is_on(link.peer, at_s)):
            return 0.0
        return link.through

    def _reads(self, phone: int, link: _OpenLink, read_s: float) -> None:
        """Compute the outcome of a link whose peer is read at ``read_s``."""
        if read_s >= self._end_s:
            return
        peer = link.peer
        shown_s = self._last_shown(peer, read_s) if self._kept_shown else read_s
        said = Exchanged(read_s, link.name, peer, shown_s, link.rssi_dbm, link.heard_s)
        self._record(phone, said)
        if not self._has_token(phone, read_s):  # it has nothing to write
            self._let_rest(phone, link.name, read_s)
            self.at(self._hung_up_at(link, read_s), self._dropped, phone)
            return
        moment = self._draws.moment(link.draws, read_s - self._begin_s)
        if self._reachable(phone, link, read_s) < self._draws.number(moment, _WRITE):
            self.lost[phone] += 1
            fell_silent = read_s + SUPERVISION_S
            timed_out = link.began_s + self._timeout_s[self._system[phone]]
            if timed_out <= fell_silent:  # the device gives up first
                fell_silent = min(fell_silent, self._hung_up_at(link, timed_out))
            self.at(fell_silent, self._dropped, phone)
            return
        low, high = WRITE_S
        written_s = read_s + (low + (high - low) * self._draws.number(moment, _WRITE_TIME))
        if written_s >= self._end_s:
            return
        # The message was composed when the peer was read, and arrives now.
        name = self._name_of(phone, written_s)
        self._record(peer, Exchanged(written_s, name, phone, read_s, link.rssi_dbm, None))
        self._let_rest(phone, link.name, written_s)
        self.at(written_s, self._writes, phone)

    def _record(self, phone: int, said: Exchanged) -> None:
        if phone >= self._people:
            return  # a place keeps nothing
        if self._later is not None:
            self._later.exchanged(phone, said)
            return
        self.records.add(
            phone,
            said.at_s,
            said.peer,
            said.token_s,
            said.rssi_dbm,
            as_central=said.heard_s is not None,
        )

    def _writes(self, phone: int, now: float) -> None:
        link = self._open_link(phone)
        self._let_rest(link.peer, self._name_of(phone, now), now)
        self.at(self._hung_up_at(link, now), self._dropped, phone)

    def _let_rest(self, phone: int, name: int, since_s: float) -> None:
        """Let ``phone`` ignore a peer for a while; its own open link goes on."""
        until_s = since_s + self._blacklist_s[self._system[phone]]
        rest = self._rest_until[phone]
        rest[name] = max(rest.get(name, 0.0), until_s)

    def _hung_up_at(self, link: _OpenLink, at_s: float) -> float:
        low, high = HANG_UP_S
        moment = self._draws.moment(link.draws, at_s - self._begin_s)
        drawn = self._draws.number(moment, _HANG_UP)
        return at_s + (low + (high - low) * drawn)

    def _dropped(self, phone: int, now: float) -> None:
        self._incoming[self._open_link(phone).peer] -= 1
        self._closed(phone, now)

    def _closed(self, phone: int, now: float) -> None:
        self._link[phone] = None
        self._connect_next(phone, now)

    def _open_link(self, phone: int) -> _OpenLink:
        link = self._link[phone]
        if link is None:
            raise AssertionError("a phone keeps its link until it is closed")
        return link

    def _show(self, phone: int, now: float) -> int:
        """Return the index of the last change of ``phone``'s advertisement; -1 if none."""
        low, high = self._shows_first[phone], self._shows_first[phone + 1]
        found = bisect_right(self._shows_at, now, low, high) - 1
        return found if found >= low else -1

    def _fetch(self, phone: int, now: float) -> int:
        """Return the index of ``phone``'s last fetch of TempIDs; -1 if none."""
        low, high = self._fetches_first[phone], self._fetches_first[phone + 1]
        found = bisect_right(self._fetches_at, now, low, high) - 1
        return found if found >= low else -1

    def _is_stale(self, phone: int) -> bool:
        return self._habits.stale_tempid and self._system[phone] == System.IOS

    def _has_token(self, phone: int, now: float) -> bool:
        found = self._fetch(phone, now)
        if found < 0:
            return False
        window = int(self._fetches_at[found] - BLUETRACE.early_start_s)
        whole_s = BLUETRACE.batch_size * BLUETRACE.validity_s
        return now < window + (STALE_S if self._is_stale(phone) else whole_s)

    def _token_of(self, phone: int, now: float) -> tuple[int, ...]:
        """Return the fetch and the window of the TempID that ``phone`` has in use."""
        found = self._fetch(phone, now)
        window = int(self._fetches_at[found] - BLUETRACE.early_start_s)
        length_s = STALE_S if self._is_stale(phone) else BLUETRACE.validity_s
        return found, int((now - window) // length_s)

    def _is_shown(self, phone: int, now: float) -> bool:
        show = self._show(phone, now)
        return show >= 0 and self._showing[show]

    def _last_shown(self, phone: int, now: float) -> float:
        """Return when ``phone`` began to show its readable value, epoch seconds."""
        show = self._show(phone, now)
        if not self._showing[show]:
            show -= 1  # the value stays readable while the phone shows none
        return float(self._shows_at[show])

    def _name_of(self, phone: int, now: float) -> int:
        if not self._habits.rotating_addresses:
            turn = 0
        elif self._system[phone] == System.IOS:
            turn = int((now - self._begin_s) // IOS_ADDRESS_S)
        else:
            show = self._show(phone, now)
            turn = self._turn[show] if show >= 0 else 0
        return phone << TURN_BITS | turn


def names_of(phone: Ints, turn: Ints) -> Ints:
    """Return (n,) names of phones under their ``turn``-th addresses."""
    return np.asarray(phone << TURN_BITS | turn, dtype=np.int64)
