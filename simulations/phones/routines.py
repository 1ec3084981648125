"""What each phone does whatever it hears: when it scans, fetches and advertises, in columns.

These times depend on the phone's own timings and chance alone, never on other phones, so they are
stepped for all phones together before the run: the k-th event of every phone at once, with the very
sums of floating-point numbers that ``tracetogether.device`` makes, so that they agree to the bit.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from simulations.phones.link_steps import FETCH_S, IOS_ADDRESS_S, STALE_S, Purpose
from simulations.phones.phones import CrowdPhones, System, timings_of
from simulations.settings.keys import PhoneKeys
from simulations.streams import Noise, Streams
from tracetogether.parameters import BLUETRACE
from tracetogether.units import Bools, Floats, Ints

_UNITS_PER_S: Final = 2**22  # an epoch second in a float is a whole number of these
_PERSON_BITS: Final = 40  # 2**18 seconds of them


@dataclass(frozen=True, slots=True)
class Timeline:
    """Moments of many phones, to be looked up by (phone, time).

    Attributes:
        begin_s: epoch seconds that times count from.
        key: (n,) phone and time in one number, ascending.
        at_s: (n,) epoch seconds.
        phone: (n,) whose moment it is.
        first: (P + 1,) where each phone's moments begin.
    """

    begin_s: float
    key: Ints
    at_s: Floats
    phone: Ints
    first: Ints

    @classmethod
    def of(cls, begin_s: float, phone: Ints, at_s: Floats, phones: int) -> tuple["Timeline", Ints]:
        """Return the timeline, and the order in which it took the given moments."""
        key = _key(begin_s, phone, at_s)
        order = np.argsort(key, kind="stable").astype(np.int64)
        first = np.searchsorted(phone[order], np.arange(phones + 1)).astype(np.int64)
        return cls(begin_s, key[order], at_s[order], phone[order], first), order

    def last(self, phone: Ints, at_s: Floats) -> Ints:
        """Return the index of each phone's last moment up to a time; -1 if there is none."""
        found = np.searchsorted(self.key, _key(self.begin_s, phone, at_s), side="right") - 1
        return np.asarray(np.where(found >= self.first[phone], found, -1), dtype=np.int64)


def _key(begin_s: float, phone: Ints, at_s: Floats) -> Ints:
    units = np.rint((at_s - begin_s) * _UNITS_PER_S).astype(np.int64)
    return np.asarray((phone << _PERSON_BITS) + units, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Routines:
    """Routines of all phones with the app; every phone index is a person.

    Attributes:
        scan_at_s: (s,) beginnings of scans, epoch seconds, ascending.
        scan_phone: (s,) whose.
        fetch_phone: (f,) who receives a batch of TempIDs, in the order of the time.
        fetch_at_s: (f,) when, epoch seconds.
        shows: when phones begin to show an advertisement, or none.
        showing: (n,) whether an advertisement is shown from then on.
        turn: (n,) how many advertisements the phone has shown until then; -1 for none.
        shown_batch: (n,) index of the fetch whose batch is in use.
        fetches: timeline of fetches; ``fetch_of`` their index in ``fetch_at_s``.
        fetch_of: (f,) see there.
    """

    scan_at_s: Floats
    scan_phone: Ints
    fetch_phone: Ints
    fetch_at_s: Floats
    shows: Timeline
    showing: Bools
    turn: Ints
    shown_batch: Ints
    fetches: Timeline
    fetch_of: Ints

    def on_air(self, phone: Ints, at_s: Floats) -> Bools:
        """Return whether phones show an advertisement at a time (epoch seconds)."""
        show = self.shows.last(phone, at_s)
        return np.asarray((show >= 0) & self.showing[show])


@dataclass(frozen=True, slots=True)
class _Timings:
    """Timings of each phone, in columns over those with the app."""

    scan_s: Floats
    pause_min_s: Floats
    pause_max_s: Floats
    advertise_s: Floats
    gap_s: Floats
    check_s: Floats


def _timings(system: Ints, app: str) -> _Timings:
    by_system = [timings_of(one, app) for one in System]

    def column(name: str) -> Floats:
        return np.array([getattr(one, name) for one in by_system], dtype=np.float64)[system]

    return _Timings(
        scan_s=column("scan_s"),
        pause_min_s=column("scan_pause_min_s"),
        pause_max_s=column("scan_pause_max_s"),
        advertise_s=column("advertise_s"),
        gap_s=column("advertise_gap_s"),
        check_s=column("refresh_check_s"),
    )


def draw_routines(
    app: Ints,
    phones: CrowdPhones,
    habits: PhoneKeys,
    *,
    begin_s: float,
    duration_s: float,
    streams: Streams,
) -> Routines:
    """Return the routines of the people in ``app`` until the end of the run."""
    timings = _timings(phones.system[app], habits.app)
    chance = streams.noise("handset")
    period_s = timings.scan_s + timings.pause_max_s
    start_s = begin_s + chance.uniform(app, 0) * period_s
    scan_at_s, scan_phone = _scans(app, timings, chance, start_s, begin_s + duration_s)
    stepper = _Stepper(app, phones, habits, timings, streams.noise("air", "link"), begin_s)
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
        low, high = timings.pause_min_s[rows], timings.pause_max_s[rows]
        drawn = chance.uniform(app[rows], number)
        at_s = at_s + timings.scan_s[rows] + low + drawn * (high - low)
    time, phone = np.concatenate([*times, []]), np.concatenate([*who, app[:0]])
    order = np.lexsort((phone, time))
    return time[order], phone[order].astype(np.int64)


class _Stepper:
    """The advertising and fetching half of ``Device``, for all phones at once.

    It knows no failing fetch: the source in this process always answers.
    """

    def __init__(
        self,
        app: Ints,
        phones: CrowdPhones,
        habits: PhoneKeys,
        timings: _Timings,
        link_noise: Noise,
        begin_s: float,
    ) -> None:
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
        self._expiry = np.full(count, np.nan)  # of what is on the air; NaN: nothing is

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
            renew_at[renewing] = now[renewing] + timings.check_s[renewing]
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
            advertise_at[pauses] = now[pauses] + timings.gap_s[pauses]
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
        """Return who has a TempID that is valid now."""
        length_s = np.where(self._stale, STALE_S, BLUETRACE.batch_size * BLUETRACE.validity_s)
        return np.asarray((self._batch_start >= 0) & (now < self._batch_start + length_s))

    def _renewal_due(self, now: Floats) -> Bools:
        refresh_at = self._batch_start + BLUETRACE.early_start_s + BLUETRACE.refresh_after_s
        return np.asarray(~self._holds(now) | (now >= refresh_at))

    def _advertise(
        self, which: Bools, now: Floats, until: Floats, advertise_at: Floats, new_until: Floats
    ) -> None:
        holds = self._holds(now)
        silent = which & ~holds
        was_on = silent & ~np.isnan(self._expiry)
        self._expiry[silent] = np.nan
        advertise_at[silent] = now[silent] + self._timings.check_s[silent]
        self._note(was_on, now, showing=False)
        shows = which & holds
        validity = np.where(self._stale, STALE_S, BLUETRACE.validity_s)
        window = (now - self._batch_start) // validity
        self._expiry[shows] = (self._batch_start + (window + 1) * validity)[shows]
        until[shows] = new_until[shows]
        self._note(shows, now, showing=True)

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
        batch = fetches.last(shows.phone, shows.at_s)
        return Routines(
            scan_at_s=scan_at_s,
            scan_phone=scan_phone,
            fetch_phone=fetch_phone,
            fetch_at_s=fetch_at_s,
            shows=shows,
            showing=showing,
            turn=np.asarray(so_far - before, dtype=np.int64),
            shown_batch=np.asarray(fetch_of[batch] if len(batch) else batch, dtype=np.int64),
            fetches=fetches,
            fetch_of=fetch_of,
        )


def first_window(fetched_at_s: Floats) -> Ints:
    """Return the epoch second at which the first TempID of a batch begins."""
    return np.asarray((fetched_at_s - BLUETRACE.early_start_s).astype(np.int64))


def address_turn(
    phones: CrowdPhones, habits: PhoneKeys, phone: Ints, since_begin_s: Floats, turn: Ints
) -> Ints:
    """Return which of its Bluetooth addresses each phone has; ``turn`` as in Routines."""
    if not habits.rotating_addresses:
        return np.zeros(len(phone), dtype=np.int64)
    of_time = (since_begin_s // IOS_ADDRESS_S).astype(np.int64)
    ios = phones.system[phone] == System.IOS
    return np.asarray(np.where(ios, of_time, turn), dtype=np.int64)
