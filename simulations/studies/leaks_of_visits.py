"""What visits and trips tell others: played with the phone's own rules, requests and messages.

A check-in sends nothing, so that only two acts are left to look at: a check, whose requests the
authority and the network see, and the report of a person who tested positive. A sealed visit tells
those who know the poster when a case was there: that is what it is for.
"""

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from functools import partial
from typing import Final

import numpy as np

from simulations.streams import Streams
from simulations.studies.ledger_rows import LedgerRow
from tracetogether.crypto import sha256
from tracetogether.errors import SealError
from tracetogether.parameters import CHANCE_BITS, SEALED_VISIT_BITS, TRIP_CHECK_BITS, VISITS
from tracetogether.presence.asking import ask_for_warnings
from tracetogether.presence.packages import WarningPackage
from tracetogether.presence.posters import Poster, make_poster
from tracetogether.presence.reporting import visits_body
from tracetogether.presence.sealed import SealedVisit, WarnedTime
from tracetogether.presence.trips import Trip
from tracetogether.presence.visits import MemoryVisitLog, Visit, scanned, settled
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_HOUR

_PHONES: Final = 400
_REPORTS: Final = 1_000
_PLACES: Final = 8
_MOST_VISITS: Final = 60
_TRAINS: Final = 10_000
_CARS: Final = 16
_SEALED: Final = 200


def visit_rows(start: float, seed: int) -> list[LedgerRow]:
    """Return what visits and trips tell venues, the network, the authority and the public.

    Args:
        start: epoch seconds.
        seed: of all draws.
    """
    return [
        _check_row(start, seed),
        _report_row(start, seed),
        _poster_row(start, seed),
        _trip_row(),
    ]


def mutual_bits(secret: Sequence[Hashable], seen: Sequence[Hashable]) -> float:
    """Return how many bits what is seen tells of the secret: their mutual information.

    Example:
        >>> mutual_bits([0, 0, 1, 1], ["a", "a", "b", "b"])
        1.0
    """
    count = len(secret)
    both = Counter(zip(secret, seen, strict=True))
    of_secret, of_seen = Counter(secret), Counter(seen)
    return sum(
        joint / count * math.log2(joint * count / (of_secret[key] * of_seen[shown]))
        for (key, shown), joint in both.items()
    )


def _check_row(start: float, seed: int) -> LedgerRow:
    """Let phones with other visits check at the same time, and compare their requests."""
    chance = Streams(seed).generator("ledger", "visits", "checks")
    posters = [make_poster(f"Place {at}", entropy=chance.bytes) for at in range(_PLACES)]
    now = start + SECONDS_PER_DAY
    visited, requests = [], []
    for _ in range(_PHONES):
        chosen = np.flatnonzero(chance.random(_PLACES) < 0.3).tolist()
        log = _visited([posters[at] for at in chosen], start)
        asked: list[int] = []

        def fetch(hour: int, asked: list[int] = asked) -> list[WarningPackage]:
            asked.append(hour)
            return []

        found = ask_for_warnings(fetch, log.asked_hour(), now)
        log.remember((), found.hour, now)
        ask_for_warnings(fetch, log.asked_hour(), now + SECONDS_PER_DAY)
        visited.append(tuple(chosen))
        requests.append(tuple(asked))
    return LedgerRow(
        feature="visit",
        actor="venue, network, authority",
        learns="where somebody was, by check-ins and checks of warnings",
        bits=mutual_bits(visited, requests),
        budget=CHANCE_BITS,
        accepted=False,
        played=f"{_PHONES} phones note visits to some of {_PLACES} places and check on two days; "
        f"their requests are {len(set(requests))} sequence of {len(requests[0])}.",
    )


def _visited(posters: Sequence[Poster], start: float) -> MemoryVisitLog:
    log = MemoryVisitLog()
    for hours, poster in enumerate(posters):
        now = start + hours * SECONDS_PER_HOUR
        log.update(partial(scanned, poster=poster, now=now), now)
    end = start + SECONDS_PER_DAY
    log.update(partial(settled, now=end), end)
    return log


def _report_row(start: float, seed: int) -> LedgerRow:
    """Compare the lengths of reports with how many visits are in them."""
    chance = Streams(seed).generator("ledger", "visits", "reports")
    poster = make_poster("A place", "A street 1", entropy=chance.bytes, public_key=chance.bytes(65))
    counts = chance.integers(_MOST_VISITS + 1, size=_REPORTS).tolist()
    lengths = []
    for count in counts:
        visits = [
            Visit(
                poster.location_id,
                poster.description,
                poster.address,
                start + at,
                start + at + 600,
                poster=poster.text,
            )
            for at in range(count)
        ]
        lengths.append(len(visits_body(visits, ())))
    return LedgerRow(
        feature="report of visits",
        actor="network",
        learns="how many visits a person reports, by the length of the message",
        bits=mutual_bits(counts, lengths),
        budget=CHANCE_BITS,
        accepted=False,
        played=f"{_REPORTS} reports of 0 to {_MOST_VISITS} visits; {len(set(lengths))} length.",
    )


def _poster_row(start: float, seed: int) -> LedgerRow:
    """Let somebody who knows one poster open all sealed visits."""
    chance = Streams(seed).generator("ledger", "visits", "posters")
    known, other = (make_poster(name, entropy=chance.bytes) for name in ("Bar", "Hall"))
    times = [
        WarnedTime(int(start) // VISITS.interval_s + int(step), 6)
        for step in chance.integers(VISITS.published_days * 144, size=_SEALED)
    ]
    opened = sum(
        _opens(SealedVisit.seal(place.location_id, time, chance.bytes), known)
        for time in times
        for place in (known, other)
    )
    return LedgerRow(
        feature="sealed visit",
        actor="who has seen the poster",
        learns="when a case was at the place, to 10 minutes: warnings are for this, and a poster "
        "that is changed ends it",
        bits=math.log2(VISITS.published_days * 144),
        budget=SEALED_VISIT_BITS,
        accepted=True,
        played=f"{2 * _SEALED} sealed visits to two places, one poster known: {opened} open, all "
        "of its place; without a poster none does.",
        score=opened / _SEALED,
        chance=0.0,
    )


def _opens(sealed: SealedVisit, poster: Poster) -> bool:
    try:
        sealed.open(poster.location_id)
    except SealError:
        return False
    return True


def _trip_row() -> LedgerRow:
    """Count what the prefix tells that a phone asks for on a day with very many trips."""
    prefixes = Counter(
        sha256(Trip.of(f"G{train % 9_999 + 1}", "2020-01-25", str(car), f"C{train // 9_999}")
               .location_id)[0]
        for train in range(_TRAINS)
        for car in range(1, _CARS + 1)
    )  # fmt: skip
    runs = _TRAINS * _CARS
    left = sum(count / runs * math.log2(count) for count in prefixes.values())
    return LedgerRow(
        feature="check of a trip",
        actor="network, authority",
        learns="which trip somebody looks up: its day, and on a day of more than 5 MB one of 256 "
        "parts",
        bits=math.log2(runs) - left,
        budget=TRIP_CHECK_BITS,
        accepted=True,
        played=f"all {runs} cars of a day's trains by prefix; the smallest part still has "
        f"{min(prefixes.values())} of them.",
    )
