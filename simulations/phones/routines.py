"""Routines of phones, in columns: when each phone scans, fetches TempIDs and advertises.

These times depend only on the phone's own timings and random numbers, not on other phones. So they
are computed before the run for all phones together: the k-th event of every phone in one step. The
floating-point sums are those of ``tracetogether.device``, so the times agree to the bit.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple, Self

import numpy as np

from simulations.phones.link_steps import FETCH_S, IOS_ADDRESS_S, STALE_S, Purpose
from simulations.phones.phones import CrowdPhones
from simulations.phones.protocols import radio_of
from simulations.phones.radios import PhoneRadio, System
from simulations.phones.token_sources import TokenSource
from simulations.settings.keys import PhoneKeys
from simulations.streams import Noise, Streams
from tracetogether.parameters import BLUETRACE
from tracetogether.units import Bools, Floats, Ints

_UNITS_PER_S: Final = 2**22  # float64 epoch seconds are whole numbers of these units
_PERSON_BITS: Final = 40  # enough for 2**18 seconds


@dataclass(frozen=True, slots=True)
class Timeline:
    """Moments of many phones, with a look-up by (phone, time).

    Attributes:
        begin_s: epoch seconds of the start.
        key: (n,) phone and time in one integer, ascending.
        at_s: (n,) epoch seconds.
        phone: (n,) the phone of each moment.
        first: (P + 1,) index of each phone's first moment.

    >>> timeline, _ = Timeline.of(0.0, np.array([1, 0, 1]), np.array([5.0, 1.0, 2.0]), 2)
    >>> timeline.at_s[timeline.last(np.array([1]), np.array([4.0]))].tolist()
    [2.0]
    """

    begin_s: float
    key: Ints
    at_s: Floats
    phone: Ints
    first: Ints

    @classmethod
    def of(cls, begin_s: float, phone: Ints, at_s: Floats, phones: int) -> tuple["Timeline", Ints]:
        """Return the timeline, and the indices that sort the given moments into it."""
        key = _key(begin_s, phone, at_s)
        order = np.argsort(key, kind="stable").astype(np.int64)
        first = np.searchsorted(phone[order], np.arange(phones + 1)).astype(np.int64)
        return cls(begin_s, key[order], at_s[order], phone[order], first), order

    def last(self, phone: Ints, at_s: Floats) -> Ints:
        """Return (n,) the index of each phone's last moment up to a time; -1 for none."""
        found = np.searchsorted(self.key, _key(self.begin_s, phone, at_s), side="right") - 1
        return np.asarray(np.where(found >= self.first[phone], found, -1), dtype=np.int64)


def _key(begin_s: float, phone: Ints, at_s: Floats) -> Ints:
    units = np.rint((at_s - begin_s) * _UNITS_PER_S).astype(np.int64)
    return np.asarray((phone << _PERSON_BITS) + units, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Routines:
    """Routines of all phones with the app; phone i belongs to person i.

    Attributes:
        scan_at_s: (s,) begins of scans, epoch seconds, ascending.
        scan_phone: (s,) the phone of each scan.
        fetch_phone: (f,) the phone that receives each batch of TempIDs, in order of time.
        fetch_at_s: (f,) times of receipt, epoch seconds.
        shows: n moments at which phones begin or stop to advertise.
        showing: (n,) whether the phone advertises from then on.
        turn: (n,) number of advertisements that the phone began before; -1 for none.
        fetches: timeline of fetches.
        fetch_of: (f,) index of each entry of ``fetches`` in ``fetch_at_s``.
    """

    scan_at_s: Floats
    scan_phone: Ints
    fetch_phone: Ints
    fetch_at_s: Floats
    shows: Timeline
    showing: Bools
    turn: Ints
    fetches: Timeline
    fetch_of: Ints

    def on_air(self, phone: Ints, at_s: Floats) -> Bools:
        """Return (n,) whether each phone advertises at a time (epoch seconds)."""
        show = self.shows.last(phone, at_s)
        return np.asarray((show >= 0) & self.showing[show])


class _Timings(NamedTuple):
    """Some of PhoneTimings in columns, one row per phone with the app; seconds."""

    scan_s: Floats
    scan_pause_min_s: Floats
    scan_pause_max_s: Floats
    advertise_s: Floats
    advertise_gap_s: Floats
    refresh_check_s: Floats

    @classmethod
    def of(cls, system: Ints, radio: PhoneRadio) -> Self:
        by_system = [radio.timings[each] for each in System]
        return cls(
            *(np.array([getattr(row, name) for row in by_system])[system] for name in cls._fields)
        )


def draw_routines(
    app: Ints,
    phones: CrowdPhones,
    habits: PhoneKeys,
    *,
    begin_s: float,
    duration_s: float,
    streams: Streams,
    tokens: TokenSource | None = None,
) -> Routines:
    """Return the routines of the people in ``app`` until the end of the run.

    Args:
        app: (n,) people with the app, ascending.
        phones: the phones of everybody.
        habits: the scenario's phone keys.
        begin_s: start of the run, epoch seconds.
        duration_s: of the run.
        streams: the run's random streams.
        tokens: what phones show that make their tokens themselves; None for BlueTrace.
    """
    radio = radio_of(habits)
    timings = _Timings.of(phones.system[app], radio)
    chance = streams.noise("handset")
    period_s = timings.scan_s + timings.scan_pause_max_s
    start_s = begin_s + chance.uniform(app, 0) * period_s
    scan_at_s, scan_phone = _scans(app, timings, chance, start_s, begin_s + duration_s)
    # On BlueTrace's radio every phone keeps BlueTrace's rhythm, whatever its tokens are.
    own = None if radio.connects else tokens
    stepper = _Stepper(app, phones, habits, timings, streams.noise("air", "link"), begin_s, own)
    return stepper.step_all(start_s, begin_s + duration_s, scan_at_s, scan_phone)


def _scans(
    app: Ints, timings: _Timings, chance: Noise, start_s: Floats, end_s: float
) -> tuple[Floats, Ints]:
    at_s, rows, times, who = start_s, np.arange(len(app)), [], []
    number = 0
    while len(rows):
        alive = at_s < end_s
        rows, at_s = rows[alive], at_s[alive]
        times.append(at_s)
        who.append(app[rows])
        number += 1
        low, high = timings.scan_pause_min_s[rows], timings.scan_pause_max_s[rows]
        drawn = chance.uniform(app[rows], number)
        at_s = at_s + timings.scan_s[rows] + low + drawn * (high - low)
    time, phone = np.concatenate([*times, []]), np.concatenate([*who, app[:0]])
    order = np.lexsort((phone, time))
    return time[order], phone[order].astype(np.int64)


class _Stepper:
    """The part of ``Device`` that advertises and fetches, for all phones at once.

    No fetch fails here: the source in this process always answers.
    """

    def __init__(
        self,
        app: Ints,
        phones: CrowdPhones,
        habits: PhoneKeys,
        timings: _Timings,
        link_noise: Noise,
        begin_s: float,
        tokens: TokenSource | None,
    ) -> None:
        self._tokens = tokens
        self._app = app
        self._people = len(phones)
        self._timings = timings
        self._noise = link_noise
        self._begin_s = begin_s
        ios = phones.system[app] == System.IOS
        self._stale = ios & habits.stale_tempid
        count = len(app)
        self._fetched: list[tuple[Ints, Floats]] = []
        self._shown: list[tuple[Ints, Floats, Bools]] = []
        self._batch_start = np.full(count, -1, dtype=np.int64)  # epoch second of its first window
        self._expiry = np.full(count, np.nan)  # of the TempID on the air; NaN for none

    def step_all(
        self, start_s: Floats, end_s: float, scan_at_s: Floats, scan_phone: Ints
    ) -> Routines:
        count = len(self._app)
        timings = self._timings
        renew_at, advertise_at, until = start_s.copy(), start_s.copy(), start_s.copy()
        arrives_at = np.full(count, np.inf)
        fetching = np.zeros(count, dtype=np.bool_)
        while True:
            on_air = ~np.isnan(self._expiry)
            radio_at = np.where(on_air, np.minimum(until, self._expiry), advertise_at)
            now = np.minimum(np.minimum(radio_at, renew_at), arrives_at)
            alive = now < end_s
            if not alive.any():
                break
            came = alive & (arrives_at <= now)
            if came.any():
                self._receive(came, now)
                arrives_at[came] = np.inf
                fetching[came] = False
                begins = came & ~on_air
                self._advertise(begins, now, until, advertise_at, now + timings.advertise_s)
                continue
            renewing = alive & (renew_at <= now)
            renew_at[renewing] = now[renewing] + timings.refresh_check_s[renewing]
            fetching &= ~renewing
            asks = renewing & self._renewal_due(now)
            starts = alive & ~on_air & (advertise_at <= now)
            asks |= starts & ~self._holds(now)
            asks &= ~fetching
            fetching |= asks
            rows = np.flatnonzero(asks)
            arrives_at[rows] = now[rows] + self._fetch_takes(rows, now[rows])
            pauses = alive & on_air & (until <= now)
            renews = alive & on_air & ~pauses & (self._expiry <= now)
            self._advertise(starts, now, until, advertise_at, now + timings.advertise_s)
            self._advertise(renews, now, until, advertise_at, until)
            self._expiry[pauses] = np.nan
            advertise_at[pauses] = now[pauses] + timings.advertise_gap_s[pauses]
            self._note(pauses, now, showing=False)
        return self._routines(scan_at_s, scan_phone)

    def _fetch_takes(self, rows: Ints, now: Floats) -> Floats:
        low, high = FETCH_S
        person = self._app[rows]
        microsecond = np.rint((now - self._begin_s) * 1e6).astype(np.int64)
        drawn = self._noise.uniform(person, person, microsecond, int(Purpose.FETCH_S))
        return np.asarray(low + (high - low) * drawn)

    def _receive(self, came: Bools, now: Floats) -> None:
        rows = np.flatnonzero(came)
        self._fetched.append((self._app[rows], now[rows]))
        self._batch_start[rows] = first_window(now[rows])

    def _holds(self, now: Floats) -> Bools:
        """Return (n,) whether each phone has a TempID that is valid now."""
        if self._tokens is not None:
            return np.ones(len(now), dtype=np.bool_)
        length_s = np.where(self._stale, STALE_S, BLUETRACE.batch_size * BLUETRACE.validity_s)
        return np.asarray((self._batch_start >= 0) & (now < self._batch_start + length_s))

    def _renewal_due(self, now: Floats) -> Bools:
        if self._tokens is not None:
            return np.zeros(len(now), dtype=np.bool_)
        refresh_at = self._batch_start + BLUETRACE.early_start_s + BLUETRACE.refresh_after_s
        return np.asarray(~self._holds(now) | (now >= refresh_at))

    def _advertise(
        self, which: Bools, now: Floats, until: Floats, advertise_at: Floats, new_until: Floats
    ) -> None:
        holds = self._holds(now)
        silent = which & ~holds
        was_on = silent & ~np.isnan(self._expiry)
        self._expiry[silent] = np.nan
        advertise_at[silent] = now[silent] + self._timings.refresh_check_s[silent]
        self._note(was_on, now, showing=False)
        shows = which & holds
        self._expiry[shows] = self._ends(now)[shows]
        until[shows] = new_until[shows]
        self._note(shows, now, showing=True)

    def _ends(self, now: Floats) -> Floats:
        """Return (n,) when what each phone shows now has to be replaced, epoch seconds."""
        if self._tokens is not None:
            return self._tokens.changes_at(now)
        validity = np.where(self._stale, STALE_S, BLUETRACE.validity_s)
        window = (now - self._batch_start) // validity
        return np.asarray(self._batch_start + (window + 1) * validity)

    def _note(self, which: Bools, now: Floats, *, showing: bool) -> None:
        rows = np.flatnonzero(which)
        if len(rows):
            self._shown.append((self._app[rows], now[rows], np.full(len(rows), showing)))

    def _routines(self, scan_at_s: Floats, scan_phone: Ints) -> Routines:
        none = self._app[:0]
        fetch_phone = np.concatenate([*(who for who, _ in self._fetched), none])
        fetch_at_s = np.concatenate([*(at for _, at in self._fetched), np.empty(0)])
        order = np.lexsort((fetch_phone, fetch_at_s))
        fetch_phone, fetch_at_s = fetch_phone[order], fetch_at_s[order]
        fetches, fetch_of = Timeline.of(self._begin_s, fetch_phone, fetch_at_s, self._people)
        phone = np.concatenate([*(who for who, _, _ in self._shown), none])
        at_s = np.concatenate([*(at for _, at, _ in self._shown), np.empty(0)])
        showing = np.concatenate([*(on for _, _, on in self._shown), np.empty(0, dtype=np.bool_)])
        shows, order = Timeline.of(self._begin_s, phone, at_s, self._people)
        showing = showing[order]
        so_far = np.cumsum(showing)
        before = np.concatenate([[0], so_far])[shows.first[shows.phone]]
        return Routines(
            scan_at_s=scan_at_s,
            scan_phone=scan_phone,
            fetch_phone=fetch_phone,
            fetch_at_s=fetch_at_s,
            shows=shows,
            showing=showing,
            turn=np.asarray(so_far - before, dtype=np.int64),
            fetches=fetches,
            fetch_of=fetch_of,
        )


def first_window(fetched_at_s: Floats) -> Ints:
    """Return (n,) the epoch second at which the first TempID of each batch begins."""
    return np.asarray((fetched_at_s - BLUETRACE.early_start_s).astype(np.int64))


def address_turn(
    phones: CrowdPhones, habits: PhoneKeys, phone: Ints, since_begin_s: Floats, turn: Ints
) -> Ints:
    """Return (n,) the number of the Bluetooth address that each phone has.

    Androids change it with each advertisement (``turn`` as in Routines), iPhones every 900 s.
    """
    if not habits.rotating_addresses:
        return np.zeros(len(phone), dtype=np.int64)
    of_time = (since_begin_s // IOS_ADDRESS_S).astype(np.int64)
    ios = phones.system[phone] == System.IOS
    return np.asarray(np.where(ios, of_time, turn), dtype=np.int64)
