"""Scores broken down: by operating systems, distance and carry; records lost and why; battery.

The unit is a pair's *window*: a quarter of an hour (or the whole run, if shorter) of which two
people with the app spent at least a third near each other. It is *recorded* if the observer's log
holds an accepted record of the peer from it, however strong.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise, product
from typing import Final

import numpy as np

from simulations.one_run import Run
from simulations.people.bodies import Carry
from simulations.phones.battery import battery_percent_per_hour
from simulations.phones.protocols import radio_of
from simulations.phones.radios import System
from simulations.scores.intervals import Measured, flat
from simulations.scores.published import OpenedRun
from simulations.scores.scoring import ScoredRun, Scores, fraction
from simulations.scores.truth import ground_truth, minutes_at
from simulations.streams import Streams
from tracetogether.rejection import Rejection
from tracetogether.units import SECONDS_PER_MINUTE, Bools, Floats, Ints

WINDOW_S: Final = 900.0
NEAR_SHARE: Final = 1 / 3
BANDS_M: Final = (0.0, 1.0, 2.0, 4.0, 8.0)


@dataclass(frozen=True, slots=True)
class Share:
    """PairWindows of one kind.

    Attributes:
        name: the kind, such as "ios-android" (observer first), "1-2 m" or "bag".
        windows: number of windows.
        recorded: number of windows with a record.
        share: recorded / windows with its central 90 %, by a bootstrap over observers; None
            without windows.
        true_contacts, found: true contacts and those listed, for kinds of pairs; None otherwise.
    """

    name: str
    windows: int
    recorded: int
    share: Measured | None
    true_contacts: int | None = None
    found: int | None = None

    def to_json(self) -> dict[str, object]:
        """Return the figures as the command line prints them."""
        row: dict[str, object] = {
            "name": self.name,
            "windows": self.windows,
            "recorded": self.recorded,
            **flat("share", self.share),
        }
        if self.true_contacts is not None:
            row |= {"true_contacts": self.true_contacts, "found": self.found}
        return row


@dataclass(frozen=True, slots=True)
class Breakdown:
    """Scores broken down.

    Attributes:
        by_systems: windows within the policy's distance, by the systems of observer and peer.
        by_distance: windows by distance band.
        by_carry: windows within the policy's distance, by the observer's usual place of the phone.
        lost: reason -> records rejected by the authority, or lost by phones before.
        battery_percent_per_hour: system -> mean over phones.
    """

    by_systems: tuple[Share, ...]
    by_distance: tuple[Share, ...]
    by_carry: tuple[Share, ...]
    lost: Mapping[str, int]
    battery_percent_per_hour: Mapping[str, float]

    def to_json(self) -> dict[str, object]:
        """Return the figures as the command line prints them."""
        kinds = ("by_systems", "by_distance", "by_carry")
        return {
            **{kind: [share.to_json() for share in getattr(self, kind)] for kind in kinds},
            "lost": dict(self.lost),
            "battery_percent_per_hour": dict(self.battery_percent_per_hour),
        }


@dataclass(frozen=True, slots=True)
class PairWindows:
    """n windows of directed pairs of people with the app.

    Attributes:
        number: (n,) which window of the run, from 0.
        observer, peer: (n,) the two people.
        recorded: (n,) whether the observer's log holds an accepted record of the peer from it.
    """

    number: Ints
    observer: Ints
    peer: Ints
    recorded: Bools

    def take(self, rows: Bools) -> "PairWindows":
        """Return the chosen windows."""
        return PairWindows(
            self.number[rows], self.observer[rows], self.peer[rows], self.recorded[rows]
        )

    def counts(self, app: Ints) -> tuple[Floats, Floats]:
        """Return (a,) recorded windows and (a,) all windows of each observer in ``app``."""
        place = np.searchsorted(app, self.observer)
        recorded = np.bincount(place[self.recorded], minlength=len(app))
        return recorded.astype(np.float64), np.bincount(place, minlength=len(app)).astype(float)


def break_down(run: Run, scored: ScoredRun) -> Breakdown:
    """Break a run's scores down."""
    app, system = run.app, run.phones.system
    opened, scores = scored.opened, scored.scores
    recorded_there = recorded_codes(run, opened)
    within_m = scores.policy.within_m
    minutes = {radius: _minutes(run, radius) for radius in {within_m, *BANDS_M[1:]}}
    near = _windows(run, recorded_there, *minutes[within_m])
    chance = Streams(run.seed).generator("scores", "windows")

    def share(name: str, windows: PairWindows) -> Share:
        recorded, total = windows.counts(app)
        part = fraction(recorded, total, chance)
        return Share(name, int(total.sum()), int(recorded.sum()), part)

    by_systems = []
    for observer, peer in product(System, System):
        if not ((system[app] == observer).any() and (system[app] == peer).any()):
            continue
        kind = (system[near.observer] == observer) & (system[near.peer] == peer)
        plain = share(f"{observer.name.lower()}-{peer.name.lower()}", near.take(kind))
        true, found = _contacts_by_systems(system, scores, observer, peer)
        by_systems.append(replace(plain, true_contacts=true, found=found))
    bands = []
    for low, high in pairwise(BANDS_M):
        code, upto = minutes[high]
        between = upto - minutes_at(*minutes[low], code) if low else upto
        windows = _windows(run, recorded_there, code, between)
        bands.append(share(f"{low:g}-{high:g} m", windows))
    mostly = np.full(len(system), -1)
    mostly[app] = [np.bincount(row, minlength=len(Carry)).argmax() for row in run.tracks.carry[app]]
    return Breakdown(
        by_systems=tuple(by_systems),
        by_distance=tuple(bands),
        by_carry=tuple(
            share(place.name.lower(), near.take(mostly[near.observer] == place))
            for place in Carry
            if (mostly == place).any()
        ),
        lost=records_lost(run, opened.rejected),
        battery_percent_per_hour=battery_by_system(run),
    )


def near_windows(run: Run, opened: OpenedRun, within_m: float) -> PairWindows:
    """Return the windows of which two people spent a third within ``within_m`` of each other."""
    return _windows(run, recorded_codes(run, opened), *_minutes(run, within_m))


def recorded_codes(run: Run, opened: OpenedRun) -> Ints:
    """Return ``(window * P + observer) * P + peer`` of all recorded windows, near or not."""
    window = ((opened.sightings.time - run.start) // window_length_s(run)).astype(np.int64)
    inside = (window >= 0) & (window < window_count(run))
    return np.unique(_code(run, window[inside], opened.owner[inside], opened.peer[inside]))


def window_length_s(run: Run) -> float:
    """Return how long a window is, s."""
    return min(WINDOW_S, run.scenario.duration_s)


def window_count(run: Run) -> int:
    """Return how many windows a run has."""
    return max(1, int(np.ceil(run.scenario.duration_s / window_length_s(run))))


def _minutes(run: Run, within_m: float) -> tuple[Ints, Floats]:
    """Return codes ``window * P**2 + pair``, ascending, and minutes within a distance of each."""
    tracks, people, app = run.tracks, run.tracks.people, run.app
    ticks = int(window_length_s(run) / tracks.tick_s)
    codes, minutes = [], []
    for window in range(window_count(run)):
        part = slice(window * ticks, (window + 1) * ticks + 1)
        truth = ground_truth(
            replace(tracks, xy=tracks.xy[app, part], posture=tracks.posture[app, part]),
            within_m,
            walls=run.venue.walls,
        )
        first, second = np.divmod(truth.code, max(len(app), 1))
        codes.append(window * people**2 + app[first] * people + app[second])
        minutes.append(truth.minutes)
    return np.concatenate(codes), np.concatenate(minutes)


def _windows(run: Run, recorded: Ints, code: Ints, minutes: Floats) -> PairWindows:
    """Return both directions of the pairs' windows with enough minutes."""
    people = run.tracks.people
    least = window_length_s(run) * NEAR_SHARE / SECONDS_PER_MINUTE
    number, pair = np.divmod(code[minutes >= least], people**2)
    first, second = np.divmod(pair, people)
    number = np.concatenate([number, number])
    observer, peer = np.concatenate([first, second]), np.concatenate([second, first])
    kept = np.isin(_code(run, number, observer, peer), recorded)
    return PairWindows(number, observer, peer, kept)


def _code(run: Run, window: Ints, observer: Ints, peer: Ints) -> Ints:
    people = run.tracks.people
    return np.asarray((window * people + observer) * people + peer, dtype=np.int64)


def _contacts_by_systems(
    system: Ints, scores: Scores, observer: System, peer: System
) -> tuple[int, int]:
    """Return true contacts and how many of them were found, of one pair of systems."""

    def count(case: Ints, person: Ints) -> int:
        return int(((system[case] == observer) & (system[person] == peer)).sum())

    lines = scores.lines
    hits = lines.close_contact & lines.true_contact
    found = count(lines.listing.case[hits], lines.listing.person[hits])
    return found + count(*scores.missed_pairs), found


def records_lost(run: Run, rejected: Counter[Rejection]) -> dict[str, int]:
    """Return what phones lost and what the authority rejected, by reason."""
    counts = run.counts
    lost = {
        "connections_failed": counts.get("connections_tried", 0) - counts.get("connections", 0),
        "links_lost": counts.get("links_lost", 0),
        "fetches_failed": counts.get("fetches_failed", 0),
    }
    for reasons in (run.rejections, rejected):
        for reason, count in reasons.items():
            lost[reason.value] = lost.get(reason.value, 0) + count
    return {name: count for name, count in sorted(lost.items()) if count}


def battery_by_system(run: Run) -> dict[str, float]:
    """Return percent per hour, the mean over phones, by system."""
    radio = radio_of(run.scenario.phones)
    cost: dict[System, list[float]] = {}
    for person in run.app.tolist():
        system = System(int(run.phones.system[person]))
        habit = radio.habits_of_system(system)
        percent = battery_percent_per_hour(
            run.per_phone[person],
            radio.timings[system],
            system=System.ANDROID if radio.by_system else system,  # no app needs the screen
            advertise_every_s=habit.advertise_every_s,
            listening_share=habit.window_s / habit.interval_s,
            duration_s=run.scenario.duration_s,
        )
        cost.setdefault(system, []).append(percent)
    return {system.name.lower(): float(np.mean(cost[system])) for system in sorted(cost)}
