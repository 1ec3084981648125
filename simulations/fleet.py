"""A crowd of phones as columns on SimPy's clock: one event a tick, every scan of the tick at once.

What one phone does in ``handset`` and ``tracetogether.device`` as objects, all phones do here
together. Both draw the same hashed noise at the same moments, so from one seed the receptions are
the same exactly, and so are the contact logs, to the digest; contract tests hold them together.
What a phone does whatever it hears is laid out before the run (``routines``), radio goes through
the channel tick by tick (``scans``), and only connections are worked off one by one (``links``).
"""

from collections import Counter
from collections.abc import Callable, Generator
from functools import partial
from itertools import pairwise
from typing import Any, Final

import numpy as np
import simpy

from simulations.channel import Channel
from simulations.link_steps import ORGANISATION, STALE_S, Purpose
from simulations.links import Heard, Links, names_of
from simulations.neighbours import Bystanders
from simulations.phone_states import PhoneState
from simulations.phones import System
from simulations.players import Crowd, Outcome
from simulations.record_columns import ContactLogs
from simulations.routines import Routines, address_turn, draw_routines, first_window
from simulations.scans import News, Packets, Scans, States
from simulations.streams import LinkDraws
from simulations.tempids import LocalTempIDs
from tracetogether.parameters import BLUETRACE
from tracetogether.rejection import Rejection
from tracetogether.sightings import RSSI_LOWEST_DBM
from tracetogether.units import Floats, Ints

TICK_S: Final = 5.0

Receptions = Callable[[Packets], None]
"""Told what was heard: packets that came through and were seen, one per sender and scan."""


class Fleet:
    """All phones of one run.

    Args:
        crowd: who is there with what.
        source: where TempIDs come from.
        on_receptions: told every reception.
    """

    def __init__(
        self, crowd: Crowd, source: LocalTempIDs, on_receptions: Receptions | None = None
    ) -> None:
        scenario, phones, streams = crowd.scenario, crowd.phones, crowd.streams
        self._crowd = crowd
        self._source = source
        self._phones = phones
        self._habits = habits = scenario.phones
        self._begin_s = crowd.start
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
        )
        channel = Channel(
            crowd.tracks,
            phones,
            scenario.channel,
            streams,
            crowd.venue.walls_x,
            Bystanders(crowd.tracks),
        )
        self._air = Scans(channel, crowd, self._states, self._routines.on_air)
        self._links = Links(
            phones,
            habits,
            self._routines,
            present=crowd.tracks.present(),
            tick_s=crowd.tracks.tick_s,
            is_on=self._states.is_on if self._states.ever_off else None,
            draws=LinkDraws(streams.noise("air", "link"), len(phones), len(Purpose)),
            begin_s=crowd.start,
        )
        self._news = News(habits.awake_s)
        self._scans = np.zeros(len(phones), dtype=np.int64)
        self._receptions = np.zeros(len(phones), dtype=np.int64)
        self._rejections: Counter[Rejection] = Counter()

    def live(self, env: simpy.Environment) -> Generator[simpy.Event, Any, None]:
        """Be the SimPy process that plays one tick after the other."""
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
        if self._states.ever_off:
            on = self._states.at(rx, at_s) != PhoneState.OFF
            rx, at_s = rx[on], at_s[on]
        np.add.at(self._scans, rx, 1)
        packets, asleep = self._air.listen(rx, at_s)
        waiting = asleep[packets.scan]
        self._hear(packets.first_of_each(~waiting))
        rows = np.searchsorted(packets.scan, np.arange(len(rx) + 1))
        for scan in np.flatnonzero(asleep).tolist():
            mine = packets.take(slice(int(rows[scan]), int(rows[scan + 1])))
            self._links.at(float(at_s[scan]), partial(self._half_asleep, mine), int(rx[scan]))
        self._links.run_until(until)

    def _half_asleep(self, packets: Packets, phone: int, now: float) -> None:  # noqa: ARG002
        seen, woke = self._news.seen(phone, float(self._links.awake_until_s[phone]), packets)
        if woke is not None:
            self._links.wake(phone, woke)
        self._hear(packets.first_of_each(seen))

    def _hear(self, came: Packets) -> None:
        """Let phones hear what came through, if it is on the air at that very moment."""
        at_s, show = came.at_s, self._routines.shows.last(came.tx, came.at_s)
        heard = (show >= 0) & self._routines.showing[show] & (at_s < self._end_s)
        came, at_s, show = came.take(heard), at_s[heard], show[heard]
        np.add.at(self._receptions, came.rx, 1)
        if self._on_receptions is not None:
            self._on_receptions(came)
        valid = (came.rssi_dbm >= RSSI_LOWEST_DBM) & (came.rssi_dbm < 0)
        if not valid.all():
            self._rejections[Rejection.INVALID_RSSI] += int((~valid).sum())
            came, at_s, show = came.take(valid), at_s[valid], show[valid]
        if self._habits.app == "broadcast":
            shown_at_s = self._routines.shows.at_s[show]
            self._links.records.extend(came.rx, at_s, came.tx, shown_at_s, came.rssi_dbm)
            return
        self._tell(came, at_s, self._routines.turn[show])

    def _tell(self, came: Packets, at_s: Floats, turn: Ints) -> None:
        order = np.lexsort((came.tx, at_s, came.scan))
        scan = came.scan[order]
        name = names_of(
            came.tx,
            address_turn(self._phones, self._habits, came.tx, at_s - self._begin_s, turn),
        )
        cuts = [0, *(np.flatnonzero(np.diff(scan)) + 1).tolist(), len(scan)]
        columns = [
            column[order].tolist() for column in (at_s, came.tx, name, came.rssi_dbm, came.through)
        ]
        rx = came.rx[order].tolist()
        for begin, end in pairwise(cuts):
            if begin < end:
                self._links.take(rx[begin], Heard(*(column[begin:end] for column in columns)))

    def outcome(self) -> Outcome:
        """Return what happened, at the end of the run."""
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
        logs = self._logs()
        counts = {name: int(column.sum()) for name, column in columns.items()}
        rows = zip(*(column[self._crowd.app].tolist() for column in columns.values()), strict=True)
        return Outcome(
            logs=logs,
            counts={name: total for name, total in counts.items() if total}
            | {"records": len(logs.time)},
            per_phone={
                person: {name: count for name, count in zip(columns, row, strict=True) if count}
                for person, row in zip(self._crowd.app.tolist(), rows, strict=True)
            },
            rejections=dict(self._rejections + links.rejections),
        )

    def _logs(self) -> ContactLogs:
        phone, time, peer, token_s, rssi_dbm, as_central = self._links.records.columns()
        routines = self._routines
        fetch = routines.fetch_of[routines.fetches.last(peer, token_s)]
        stale = self._habits.stale_tempid & (self._phones.system[peer] == System.IOS)
        length_s = np.where(stale, STALE_S, BLUETRACE.validity_s)
        window = (token_s - first_window(routines.fetch_at_s[fetch])) // length_s
        spoken = fetch * BLUETRACE.batch_size + window.astype(np.int64)
        spoken, token = np.unique(spoken, return_inverse=True)
        return ContactLogs(
            app=self._crowd.app,
            first=np.searchsorted(phone, np.append(self._crowd.app, len(self._phones))).astype(
                np.int64
            ),
            time=time,
            peer=peer,
            token=token.reshape(-1).astype(np.int64),
            rssi_dbm=rssi_dbm,
            as_central=as_central,
            tokens=self._source.some(
                [self._crowd.user_ids[one] for one in routines.fetch_phone.tolist()],
                routines.fetch_at_s,
                *np.divmod(spoken, BLUETRACE.batch_size),
            ),
            model=self._phones.model,
            advertised_dbm=self._phones.advertised_dbm,
            organisation=ORGANISATION,
        )
