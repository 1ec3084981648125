"""Scores of a large crowd taken apart: as ``breakdown``, of pairs that were ever near alone."""

from dataclasses import replace
from itertools import pairwise

import numpy as np

from simulations.people.bodies import Carry
from simulations.phones.phones import System
from simulations.run import Run
from simulations.scores.breakdown import (
    BANDS_M,
    NEAR_SHARE,
    Breakdown,
    Share,
    battery_by_system,
    breakdown,
    contacts_by_systems,
    records_lost,
    window_count,
    window_length_s,
)
from simulations.scores.bulk_tracing import Opened, ScoredRun
from simulations.scores.pair_truth import pair_truth
from simulations.scores.scoring import Scores, fraction
from simulations.streams import Streams
from tracetogether.units import Bools, Floats, Ints

_Windows = tuple[Ints, Ints, Ints]
"""Windows of pairs: which window, observer and peer, each (n,)."""


def breakdown_of_columns(run: Run, scores: Scores, opened: Opened) -> Breakdown:
    """Take the scores of a vectorized run apart; ``opened`` are its records."""
    recorded = _recorded(run, opened)
    within_m = scores.policy.within_m
    minutes = {radius: _minutes(run, radius) for radius in {within_m, *BANDS_M[1:]}}
    least = window_length_s(run) * NEAR_SHARE / 60.0
    near = _both_ways(run, *_where(*minutes[within_m], least))
    system, app = run.phones.system, run.app
    chance = Streams(run.seed).generator("scores", "windows")

    def share(name: str, windows: _Windows, rows: Bools | None = None) -> Share:
        chosen = windows if rows is None else tuple(column[rows] for column in windows)
        window, observer, peer = chosen
        kept = np.isin(_code(run, window, observer, peer), recorded)
        place = np.searchsorted(app, observer)
        total = np.bincount(place, minlength=len(app))
        hits = np.bincount(place[kept], minlength=len(app))
        return Share(
            name,
            int(total.sum()),
            int(hits.sum()),
            fraction(hits.astype(np.float64), total.astype(np.float64), chance),
        )

    by_systems = []
    for one in System:
        for other in System:
            if not ((system[app] == one).any() and (system[app] == other).any()):
                continue
            kind = (system[near[1]] == one) & (system[near[2]] == other)
            plain = share(f"{one.name.lower()}-{other.name.lower()}", near, kind)
            true, found = contacts_by_systems(run, scores, one, other)
            by_systems.append(replace(plain, true_contacts=true, found=found))
    bands = []
    for low, high in pairwise(BANDS_M):
        code, upto = minutes[high]
        below = _at(*minutes[low], code) if low else np.zeros(len(code))
        most = _both_ways(run, *_where(code, upto - below, least))
        bands.append(share(f"{low:g}-{high:g} m", most))
    mostly = np.full(len(system), -1)
    mostly[app] = [np.bincount(row, minlength=len(Carry)).argmax() for row in run.tracks.carry[app]]
    return Breakdown(
        by_systems=tuple(by_systems),
        by_distance=tuple(bands),
        by_carry=tuple(
            share(place.name.lower(), near, mostly[near[1]] == place)
            for place in Carry
            if (mostly == place).any()
        ),
        lost=records_lost(run, opened.rejected),
        battery_percent_per_hour=battery_by_system(run),
    )


def _minutes(run: Run, within_m: float) -> tuple[Ints, Floats]:
    """Return codes of (window, pair), ascending, and minutes within a distance of each."""
    tracks, people = run.tracks, run.tracks.people
    ticks = int(window_length_s(run) / tracks.tick_s)
    has_app = np.zeros(people, dtype=np.bool_)
    has_app[run.app] = True
    codes, minutes = [], []
    for window in range(window_count(run)):
        part = slice(window * ticks, (window + 1) * ticks + 1)
        cut = replace(
            tracks,
            xy=tracks.xy[:, part],
            facing=tracks.facing[:, part],
            posture=tracks.posture[:, part],
            carry=tracks.carry[:, part],
        )
        truth = pair_truth(cut, within_m)
        one, other = np.divmod(truth.code, people)
        both = has_app[one] & has_app[other]
        codes.append(window * people**2 + truth.code[both])
        minutes.append(truth.minutes[both])
    return np.concatenate(codes), np.concatenate(minutes)


def _where(code: Ints, minutes: Floats, least: float) -> tuple[Ints]:
    return (code[minutes >= least],)


def _at(code: Ints, minutes: Floats, wanted: Ints) -> Floats:
    if not len(code):
        return np.zeros(len(wanted))
    at = np.minimum(np.searchsorted(code, wanted), len(code) - 1)
    return np.where(code[at] == wanted, minutes[at], 0.0)


def _both_ways(run: Run, code: Ints) -> _Windows:
    people = run.tracks.people
    window, pair = np.divmod(code, people**2)
    one, other = np.divmod(pair, people)
    return (
        np.concatenate([window, window]),
        np.concatenate([one, other]),
        np.concatenate([other, one]),
    )


def _code(run: Run, window: Ints, observer: Ints, peer: Ints) -> Ints:
    people = run.tracks.people
    return np.asarray((window * people + observer) * people + peer, dtype=np.int64)


def _recorded(run: Run, opened: Opened) -> Ints:
    """Return codes of (window, observer, peer) of which there is a believed record."""
    window = ((opened.sightings.time - run.start) // window_length_s(run)).astype(np.int64)
    inside = (window >= 0) & (window < window_count(run))
    code = _code(run, window[inside], opened.owner[inside], opened.peer[inside])
    return np.unique(code)


def break_down(run: Run, judged: ScoredRun) -> Breakdown:
    """Take a run's scores apart, however it was played."""
    if judged.opened is None:
        return breakdown(run, judged.scores)
    return breakdown_of_columns(run, judged.scores, judged.opened)
