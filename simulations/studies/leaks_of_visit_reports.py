"""What reported visits tell everybody, the authority and the network, played with real packages.

Cases report visits to posters of places. The authority seals them with a fake beside each, signs
the package, and everybody reads it. An attacker who knows no poster guesses which rows are real,
and which are of one case. A place is visited once here: that real places and fakes come up equally
often is held by the tests of the packages.
"""

from typing import Final

import numpy as np

from simulations.streams import Streams
from simulations.studies.ledger_rows import LedgerRow
from simulations.studies.linking import (
    SeenActs,
    entropy_of,
    few_bits_differ,
    link,
    near,
    tell_apart,
)
from tracetogether.authority.presence.publishing import sealed_with_twins, warning_key
from tracetogether.authority.presence.reported import ReportedVisit
from tracetogether.authority.service import Authority
from tracetogether.crypto import sha256
from tracetogether.presence.packages import WarningPackage, hour_of, read_package, write_package
from tracetogether.presence.posters import make_poster
from tracetogether.presence.reporting import visits_body
from tracetogether.presence.visits import Visit
from tracetogether.signed.trust import WARNINGS, TrustedKey, TrustList
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_HOUR

CASES: Final = 2_500
VISITS_EACH: Final = 6
_MOST_VISITS: Final = 20
_ID_BYTES: Final = 32
_ONE_BIT: Final = 1.0


def visit_report_rows(
    authority: Authority, now: float, seed: int, *, cases: int = CASES
) -> list[LedgerRow]:
    """Return what reports of visits tell whom.

    Args:
        authority: its keys sign the package.
        now: epoch seconds.
        seed: of all draws.
        cases: how many cases one package has.
    """
    chance = Streams(seed).generator("ledger", "visit reports")
    case, visits = [], []
    for index in range(cases):
        for _ in range(VISITS_EACH):
            start = now - SECONDS_PER_DAY * float(chance.random())
            end = start + SECONDS_PER_HOUR * float(0.5 + chance.random())
            visits.append(ReportedVisit(chance.bytes(_ID_BYTES), start, end))
            case.append(index)
    package = _published(authority, visits, now)
    of_case = {sha256(visit.location_id): index for visit, index in zip(visits, case, strict=True)}
    owner = np.array([of_case.get(row.place, -1) for row in package.visits])
    rows = np.array([list(row.to_columns()) for row in package.visits], dtype=np.uint8)
    real = owner >= 0
    seen = SeenActs(
        owner[real],
        {"order": np.flatnonzero(real), "place": rows[real, :_ID_BYTES], "row": rows[real]},
        bits="row",
    )
    signals = {
        "they stand near each other": near("order"),
        "few bits of the places differ": few_bits_differ("place"),
    }
    played = f"A package with {len(visits):,} visits of {cases:,} cases, and a fake beside each."
    return [
        LedgerRow.of_link(
            "upload of visits", "everybody",
            "which sealed visits are real",
            tell_apart(rows[real], rows[~real]),
            played=played,
        ),
        LedgerRow.of_link(
            "upload of visits", "everybody",
            "whether two sealed visits of a package are of one case: among n cases a guess is "
            "right once in n",
            link(seen, signals, seed=seed),
            played=played,
        ),
        LedgerRow(
            feature="upload of visits, one case in the hour", actor="everybody",
            learns="that all visits of a package are of one case: not stopped",
            bits=_ONE_BIT, budget=_ONE_BIT, accepted=True,
            played=f"A package with {VISITS_EACH} visits of one case, and {VISITS_EACH} fakes.",
            score=1.0, chance=0.5,
        ),
        LedgerRow(
            feature="upload of visits", actor="authority",
            learns=f"which of {len(visits):,} places a case chose to report, for each visit: its "
            "purpose",
            bits=float(np.log2(len(visits))), budget=float(np.log2(len(visits))), accepted=True,
            played="The authority opens what it keeps sealed, for 21 days.",
        ),
        _length_row(now, chance),
        LedgerRow(
            feature="upload of visits", actor="network",
            learns="that this phone reports visits: not stopped, phones that pretend send none",
            bits=_ONE_BIT, budget=_ONE_BIT, accepted=True,
            played="Somebody watches the line between a phone and the authority.",
        ),
    ]  # fmt: skip


def _published(authority: Authority, visits: list[ReportedVisit], now: float) -> WarningPackage:
    """Return a package as phones read it: sealed, signed and checked."""
    keys, organisation = authority.passes.keys, authority.passes.organisation
    key = warning_key(keys)
    package = WarningPackage(
        hour=hour_of(now),
        visits=tuple(sealed_with_twins(visits, keys, authority.publishing.entropy)),
        organisation=organisation,
        issued=int(now),
    )
    row = TrustedKey(
        kid=key.public.kid,
        key=key.public,
        organisation=organisation,
        region="",
        purposes=frozenset({WARNINGS}),
        from_time=1,
        until_time=now + SECONDS_PER_DAY,
    )
    return read_package(write_package(package, key, key.public.kid), TrustList([row]))


def _length_row(now: float, chance: np.random.Generator) -> LedgerRow:
    """Play somebody who sees how long a phone's message is."""
    posters = [
        make_poster(f"Place {number}", "Lane 1", entropy=chance.bytes)
        for number in range(_MOST_VISITS)
    ]
    visits = [
        Visit(
            poster.location_id,
            poster.description,
            poster.address,
            now - SECONDS_PER_HOUR,
            now,
            poster=poster.text,
        )
        for poster in posters
    ]
    lengths = [len(visits_body(visits[:count], [])) for count in range(1, _MOST_VISITS + 1)]
    return LedgerRow(
        feature="upload of visits",
        actor="network",
        learns=f"how many visits a phone reports, of 1 to {_MOST_VISITS}, by the length",
        bits=abs(entropy_of(lengths)),
        budget=0.0,
        accepted=False,
        played=f"Messages with 1 to {_MOST_VISITS} visits, filled up to whole 16 KiB.",
    )
