"""A crowd of phones in columns on SimPy's clock: one event per tick, with all scans of the tick.

All phones do together what ``objects`` and ``tracetogether.device`` do phone by phone. Both
fidelities draw the same hashed noise at the same moments. So one seed gives exactly the same
receptions and contact logs, down to the digest; contract tests hold this.

Three parts: behaviour that no reception changes is laid out before the run (``routines``), the
radio is computed tick by tick (``scans``), and only connections are handled singly (``links``).
"""

from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, Final

import numpy as np
import simpy

from simulations.fidelities.links import Links, ReceptionLists, names_of
from simulations.fidelities.players import Crowd, PhoneResults
from simulations.fidelities.record_columns import ContactLogs
from simulations.fidelities.scans import News, Packets, Scans, States
from simulations.phones.link_steps import STALE_S
from simulations.phones.phone_states import PhoneState
from simulations.phones.protocols import radio_of
from simulations.phones.radios import System
from simulations.phones.routines import Routines, address_turn, draw_routines, first_window
from simulations.phones.tempids import HomeTempIDs, LocalTempIDs
from simulations.radio.channel import Channel
from tracetogether.bluetrace.payload import PROTOCOL_VERSION
from tracetogether.parameters import BLUETRACE
from tracetogether.rejection import Rejection
from tracetogether.units import Bools, Bytes2D, Floats, Ints, is_rssi

TICK_S: Final = 5.0
_NO_TEXTS: Final = np.empty((0, 0), dtype=np.uint8)

OnReceptions = Callable[[Packets], None]
"""Called with the packets that apps receive, one per sender and scan."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """The packets of one scan of a half-sleeping phone: rows ``begin`` to ``end``.

    Attributes:
        packets: packets of all such scans of a tick, by (scan, sender, time).
        heard: the same packets as lists for ``Links``.
        about: sender, time and visibility of each, for ``News``.
        on_air: whether each sender shows an advertisement at that moment.
        begin, end: the rows of this scan.
    """

    packets: Packets
    heard: ReceptionLists
    about: list[tuple[int, float, bool]]
    on_air: list[bool]
    begin: int
    end: int


class VectorizedPhones:
    """All phones of one run, in columns.

    Args:
        crowd: people and their phones.
        source: issues the TempIDs.
        on_receptions: called with all receptions.
    """

    def __init__(
        self,
        crowd: Crowd,
        source: LocalTempIDs | HomeTempIDs,
        on_receptions: OnReceptions | None = None,
    ) -> None:
        scenario, phones, streams = crowd.scenario, crowd.phones, crowd.streams
        self._crowd = crowd
        self._source = source
        self._phones = phones
        self._habits = habits = scenario.phones
        self._begin_s = crowd.start
        self._connects = radio_of(habits).connects
        self._end_s = crowd.start + scenario.duration_s
        self._on_receptions = on_receptions
        self._states = States(crowd.changes, crowd.start, len(phones))
        self._routines: Routines = draw_routines(
            crowd.app,
            phones,
            habits,
            begin_s=crowd.start,
            duration_s=scenario.duration_s,
            streams=streams,
            tokens=crowd.tokens,
        )
        channel = Channel(
            crowd.tracks, phones, scenario.channel, streams, crowd.venue.walls, crowd.people
        )
        self._air = Scans(channel, crowd, self._states, self._routines.on_air)
        is_on = self._states.is_on if self._states.ever_off else None
        self._links = Links(crowd, self._routines, is_on)
        self._news = News(habits.awake_s)
        self._scans = np.zeros(len(phones), dtype=np.int64)
        self._receptions = np.zeros(len(phones), dtype=np.int64)
        self._rejections: Counter[Rejection] = Counter()

    def live(self, env: simpy.Environment) -> Generator[simpy.Event, Any, None]:
        """Run as a SimPy process, one tick after the other."""
        tick = 0
        while True:
            since, until = (self._begin_s + (tick + step) * TICK_S for step in (0, 1))
            self._play(since, min(until, self._end_s))
            tick += 1
            yield env.timeout(self._begin_s + tick * TICK_S - env.now)

    def _play(self, since: float, until: float) -> None:
        routines = self._routines
        scans = slice(*np.searchsorted(routines.scan_at_s, [since, until]).tolist())
        rx, at_s = routines.scan_phone[scans], routines.scan_at_s[scans]
        if self._crowd.places:
            listens = rx < self._crowd.people
            rx, at_s = rx[listens], at_s[listens]
        if self._states.ever_off:
            on = self._states.at(rx, at_s) != PhoneState.OFF
            rx, at_s = rx[on], at_s[on]
        np.add.at(self._scans, rx, 1)
        packets, asleep = self._air.listen(rx, at_s)
        waiting = asleep[packets.scan]
        self._hear(packets.first_of_each(~waiting), since)
        self._wait(packets.take(waiting), at_s)
        self._links.run_until(until)

    def _wait(self, packets: Packets, at_s: Floats) -> None:
        """Put scans of half-sleeping phones on the agenda of links.

        A link that another phone opens wakes such a phone's app. So the reports to the app are
        known only when the scan begins.
        """
        heard = self._heard_of(packets)
        on_air = self._on_air(packets).tolist()
        columns = (packets.tx, packets.when_s, packets.open)
        about = list(zip(*(column.tolist() for column in columns), strict=True))
        scans, first = np.unique(packets.scan, return_index=True)
        last = np.searchsorted(packets.scan, scans, side="right")
        for scan, begin, end in zip(scans.tolist(), first.tolist(), last.tolist(), strict=True):
            mine = _Waiting(packets, heard, about, on_air, begin, end)
            phone = int(packets.rx[begin])
            self._links.at(float(at_s[scan]), partial(self._half_asleep, mine), phone)

    def _half_asleep(self, mine: "_Waiting", phone: int, now: float) -> None:
        begin = mine.begin
        packets = mine.about[begin : mine.end]
        awake_until_s = self._links.awake_until_s[phone]
        reported, woke = self._news.seen(phone, awake_until_s, packets)
        if woke is not None:
            self._links.wake(phone, woke)
        first: dict[int, int] = {}
        for index in reported:
            first.setdefault(packets[index][0], begin + index)
        rows = [row for row in first.values() if mine.on_air[row]]
        self._receptions[phone] += len(rows)
        if self._on_receptions is not None:
            self._on_receptions(mine.packets.take(np.array(rows, dtype=np.int64)))
        valid = [row for row in rows if is_rssi(mine.heard.rssi_dbm[row])]
        if len(valid) < len(rows):
            self._rejections[Rejection.INVALID_RSSI] += len(rows) - len(valid)
        if valid and not self._connects:
            self._write_down(mine.packets.take(np.array(valid, dtype=np.int64)))
        elif valid:
            self._links.take(phone, mine.heard.in_order(valid), 0, len(valid), now)

    def _on_air(self, packets: Packets) -> Bools:
        """Return (n,) whether each sender shows an advertisement when the packet is reported."""
        heard = self._routines.on_air(packets.tx, packets.at_s)
        return np.asarray(heard & (packets.at_s < self._end_s))

    def _hear(self, came: Packets, since: float) -> None:
        """Let phones hear packets whose senders show an advertisement at that moment.

        Args:
            came: packets of all scans of a tick.
            since: begin of the tick, epoch seconds.
        """
        came = came.take(self._on_air(came))
        np.add.at(self._receptions, came.rx, 1)
        if self._on_receptions is not None:
            self._on_receptions(came)
        valid = is_rssi(came.rssi_dbm)
        if not valid.all():
            self._rejections[Rejection.INVALID_RSSI] += int((~valid).sum())
            came = came.take(valid)
        if not self._connects:
            self._write_down(came)
            return
        came = came.take(np.lexsort((came.tx, came.at_s, came.scan)))
        heard = self._heard_of(came)
        cuts = [0, *(np.flatnonzero(np.diff(came.scan)) + 1).tolist(), len(came.scan)]
        rx = came.rx.tolist()
        for begin, end in pairwise(cuts):
            if begin < end:
                self._links.take(rx[begin], heard, begin, end, since)

    def _write_down(self, came: Packets) -> None:
        """Record packets of phones that broadcast their tokens."""
        shows = self._routines.shows
        shown_at_s = shows.at_s[shows.last(came.tx, came.at_s)]
        self._links.records.extend(came.rx, came.at_s, came.tx, shown_at_s, came.rssi_dbm)

    def _heard_of(self, packets: Packets) -> ReceptionLists:
        """Return packets as lists for ``Links``."""
        tx, at_s = packets.tx, packets.at_s
        turn = self._routines.turn[self._routines.shows.last(tx, at_s)]
        since_s = at_s - self._begin_s
        name = names_of(tx, address_turn(self._phones, self._habits, tx, since_s, turn))
        columns = (at_s, tx, name, packets.rssi_dbm, packets.through)
        return ReceptionLists(*(column.tolist() for column in columns))

    def outcome(self) -> PhoneResults:
        """Return the results at the end of the run."""
        links, people = self._links, len(self._phones)
        columns = {
            "connections": np.frombuffer(links.connected, dtype=np.int64),
            "connections_tried": np.frombuffer(links.tried, dtype=np.int64),
            "fetches": np.bincount(self._routines.fetch_phone, minlength=people),
            "links_lost": np.frombuffer(links.lost, dtype=np.int64),
            "receptions": self._receptions,
            "scans": self._scans,
            "served": np.frombuffer(links.served, dtype=np.int64),
        }
        listening = self._crowd.listening
        for phone in listening.tolist():
            links.note_later_scans(phone)
        logs = self._logs()
        if links.records.unbelieved:
            self._rejections[Rejection.IMPLAUSIBLE] += links.records.unbelieved
        columns = {name: column[: self._crowd.people] for name, column in columns.items()}
        counts = {name: int(column.sum()) for name, column in columns.items()}
        rows = zip(*(column[listening].tolist() for column in columns.values()), strict=True)
        return PhoneResults(
            logs=logs,
            counts={name: total for name, total in counts.items() if total}
            | {"records": len(logs.time)},
            per_phone={
                person: {name: count for name, count in zip(columns, row, strict=True) if count}
                for person, row in zip(listening.tolist(), rows, strict=True)
            },
            rejections=dict(self._rejections),
        )

    def _logs(self) -> ContactLogs:
        tokens = self._crowd.tokens
        recorded = None if self._connects or tokens is None else tokens.recorded
        phone, time, peer, sent, rssi_dbm, as_central = self._links.records.columns(recorded)
        bounds = np.append(self._crowd.listening, len(self._phones))
        texts, token = self._tempids(peer, sent) if tokens is None else (_NO_TEXTS, peer)
        logs = ContactLogs(
            app=self._crowd.listening,
            first=np.searchsorted(phone, bounds).astype(np.int64),
            time=time,
            peer=peer,
            sent=sent,
            token=token,
            rssi_dbm=rssi_dbm,
            as_central=as_central,
            tokens=texts,
            model=self._phones.model,
            advertised_dbm=self._phones.advertised_dbm,
            organisation=self._crowd.homes,
            version=PROTOCOL_VERSION,
            token_tells_power=False,
            tells_model=True,
        )
        return logs if tokens is None else logs.spoken_in(tokens, sent, logs.advertised_dbm)

    def _tempids(self, peer: Ints, sent: Floats) -> tuple[Bytes2D, Ints]:
        """Return (t, 84) texts of the TempIDs in n records, and (n,) each one's row."""
        routines = self._routines
        fetch = routines.fetch_of[routines.fetches.last(peer, sent)]
        stale = self._habits.stale_tempid & (self._phones.system[peer] == System.IOS)
        length_s = np.where(stale, STALE_S, BLUETRACE.validity_s)
        window = (sent - first_window(routines.fetch_at_s[fetch])) // length_s
        spoken = fetch * BLUETRACE.batch_size + window.astype(np.int64)
        spoken, token = np.unique(spoken, return_inverse=True)
        texts = self._source.some(
            [self._crowd.user_ids[phone] for phone in routines.fetch_phone.tolist()],
            routines.fetch_at_s,
            *np.divmod(spoken, BLUETRACE.batch_size),
        )
        return texts, token.reshape(-1).astype(np.int64)
