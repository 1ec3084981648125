"""Scores taken apart: by operating systems, distance and carry; records lost and why; battery.

The unit is a pair's *window*: a quarter of an hour (or the whole run, if shorter) of which two
people with the app spent at least a third near each other. It is *recorded* if the observer's log
holds a believed record of the other from it, however strong.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np

from simulations.people.bodies import Carry
from simulations.phones.battery import battery_percent_per_hour
from simulations.phones.phones import HABITS, Habit, System, timings_of
from simulations.run import Run
from simulations.scores.intervals import Measured, flat
from simulations.scores.scoring import Scores, fraction
from simulations.scores.truth import ground_truth
from simulations.streams import Streams
from tracetogether.authority.intake.opening import open_log
from tracetogether.bluetrace.upload import parse_upload, write_upload
from tracetogether.rejection import Rejection
from tracetogether.units import Bools, Floats

WINDOW_S: Final = 900.0
NEAR_SHARE: Final = 1 / 3
BANDS_M: Final = (0.0, 1.0, 2.0, 4.0, 8.0)


@dataclass(frozen=True, slots=True)
class Share:
    """Windows of one kind.

    Attributes:
        name: which kind, such as "ios-android" (observer first), "1-2 m" or "bag".
        windows: how many there were.
        recorded: how many left a record.
        share: recorded / windows with its central 90 %, by resampling observers; None without any.
        true_contacts, found: of the contact lists, where the kind is one of pairs; else None.
    """

    name: str
    windows: int
    recorded: int
    share: Measured | None
    true_contacts: int | None = None
    found: int | None = None

    def to_json(self) -> dict[str, object]:
        """Return the numbers for a machine to read."""
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
    """Scores taken apart.

    Attributes:
        by_systems: windows within the policy's distance, by observer's and peer's system.
        by_distance: windows by distance band.
        by_carry: windows within the policy's distance, by where the observer mostly has the phone.
        lost: records not believed by the authority, by reason, and what phones lost before.
        battery_percent_per_hour: mean over phones, by system.
    """

    by_systems: tuple[Share, ...]
    by_distance: tuple[Share, ...]
    by_carry: tuple[Share, ...]
    lost: Mapping[str, int]
    battery_percent_per_hour: Mapping[str, float]

    def to_json(self) -> dict[str, object]:
        """Return the numbers for a machine to read."""
        return {
            "by_systems": [one.to_json() for one in self.by_systems],
            "by_distance": [one.to_json() for one in self.by_distance],
            "by_carry": [one.to_json() for one in self.by_carry],
            "lost": dict(self.lost),
            "battery_percent_per_hour": dict(self.battery_percent_per_hour),
        }


def breakdown(run: Run, scores: Scores) -> Breakdown:
    """Take the scores of a run apart.

    Raises:
        ValueError: the TempIDs came from an authority elsewhere, so nobody here can open them.
    """
    recorded, rejected = _recorded(run)
    near = near_windows(run, scores.policy.within_m)
    system = run.phones.system[run.app]
    chance = Streams(run.seed).generator("scores", "windows")

    def share(name: str, windows: Bools) -> Share:
        total = windows.sum(axis=(0, 2)).astype(np.float64)
        kept = (windows & recorded).sum(axis=(0, 2)).astype(np.float64)
        return Share(name, int(total.sum()), int(kept.sum()), fraction(kept, total, chance))

    by_systems = []
    for one in System:
        for other in System:
            if not ((system == one).any() and (system == other).any()):
                continue
            kind = (system == one)[:, None] & (system == other)[None, :]
            plain = share(f"{one.name.lower()}-{other.name.lower()}", near & kind)
            true, found = contacts_by_systems(run, scores, one, other)
            by_systems.append(replace(plain, true_contacts=true, found=found))
    bands, below = [], np.zeros_like(recorded, dtype=np.float64)
    for low, high in pairwise(BANDS_M):
        upto = _minutes(run, high)
        most = upto - below >= window_length_s(run) * NEAR_SHARE / 60.0
        bands.append(share(f"{low:g}-{high:g} m", most))
        below = upto
    carry = run.tracks.carry[run.app]
    mostly = np.array([np.bincount(row, minlength=len(Carry)).argmax() for row in carry])
    by_carry = [
        share(place.name.lower(), near & (mostly == place)[:, None])
        for place in Carry
        if (mostly == place).any()
    ]
    return Breakdown(
        by_systems=tuple(by_systems),
        by_distance=tuple(bands),
        by_carry=tuple(by_carry),
        lost=records_lost(run, rejected),
        battery_percent_per_hour=battery_by_system(run),
    )


def near_windows(run: Run, within_m: float) -> Bools:
    """Return (windows, app, app) whether the two spent a third of the window near each other."""
    return np.asarray(_minutes(run, within_m) >= window_length_s(run) * NEAR_SHARE / 60.0)


def recorded_windows(run: Run) -> Bools:
    """Return (windows, app, app) whether the observer's log holds a believed record of the peer.

    Raises:
        ValueError: the TempIDs came from an authority elsewhere.
    """
    return _recorded(run)[0]


def recorded_pairs(run: Run) -> Bools:
    """Return (app, app) whether the observer's log holds any believed record of the peer.

    Raises:
        ValueError: the TempIDs came from an authority elsewhere.
    """
    return np.asarray(_recorded(run)[0].any(axis=0))


def window_length_s(run: Run) -> float:
    """Return how long a window is, s."""
    return min(WINDOW_S, run.scenario.duration_s)


def window_count(run: Run) -> int:
    """Return how many windows a run has."""
    return max(1, int(np.ceil(run.scenario.duration_s / window_length_s(run))))


def _minutes(run: Run, within_m: float) -> Floats:
    """Return (windows, app, app) true minutes within a distance."""
    ticks = int(window_length_s(run) / run.tracks.tick_s)
    tracks, found = run.tracks, []
    for window in range(window_count(run)):
        part = slice(window * ticks, (window + 1) * ticks + 1)
        cut = replace(
            tracks,
            xy=tracks.xy[run.app, part],
            facing=tracks.facing[run.app, part],
            posture=tracks.posture[run.app, part],
            carry=tracks.carry[run.app, part],
        )
        found.append(ground_truth(cut, within_m).minutes)
    return np.stack(found)


def _recorded(run: Run) -> tuple[Bools, Counter[Rejection]]:
    """Return (windows, app, app) whether the observer's log holds the peer, and what it lost."""
    if run.issuer is None:
        raise ValueError("this run's TempIDs came from an authority elsewhere")
    people = len(run.app)
    index = {run.user_ids[person]: place for place, person in enumerate(run.app.tolist())}
    held = np.zeros((window_count(run), people, people), dtype=np.bool_)
    rejected: Counter[Rejection] = Counter()
    for place, person in enumerate(run.app.tolist()):
        opened = open_log(
            parse_upload(write_upload(run.logs[person].rows())).records,
            run.issuer,
            uploader=run.user_ids[person],
            received_at=run.start + run.scenario.duration_s,
        )
        rejected.update(opened.rejected)
        sightings = opened.sightings
        window = ((sightings.time - run.start) // window_length_s(run)).astype(np.int64)
        peer = np.array([index[str(name)] for name in sightings.peer.to_list()], dtype=np.int64)
        inside = (window >= 0) & (window < len(held))
        held[window[inside], place, peer[inside]] = True
    return held, rejected


def contacts_by_systems(
    run: Run, scores: Scores, observer: System, peer: System
) -> tuple[int, int]:
    """Return true contacts and how many of them were found, of one pair of systems."""
    system = run.phones.system
    true = found = 0
    for case in scores.cases:
        if system[case.person] != observer:
            continue
        hits = sum(
            line.close_contact and line.true_contact and system[line.person] == peer
            for line in case.listed
            if line.person is not None
        )
        found += hits
        true += hits + sum(system[other] == peer for other in case.missed_people)
    return int(true), int(found)


def records_lost(run: Run, rejected: Counter[Rejection]) -> dict[str, int]:
    """Return what phones lost and what the authority did not believe, by reason."""
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
    app = run.scenario.phones.app
    cost: dict[System, list[float]] = {}
    for person in run.app.tolist():
        system = System(int(run.phones.system[person]))
        habit = HABITS[Habit.BROADCAST if app == "broadcast" else Habit(system)]
        percent = battery_percent_per_hour(
            run.per_phone[person],
            timings_of(system, app),
            system=System.ANDROID if app == "broadcast" else system,
            advertise_every_s=habit.advertise_every_s,
            listening_share=habit.window_s / habit.interval_s,
            duration_s=run.scenario.duration_s,
        )
        cost.setdefault(system, []).append(percent)
    return {system.name.lower(): float(np.mean(cost[system])) for system in sorted(cost)}
