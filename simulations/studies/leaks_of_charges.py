"""What passes tell of a person without a phone, whose passes somebody else's phone keeps.

Codes are given and used as at a desk, and both show passes of their own at times of their own.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from simulations.streams import Streams
from simulations.studies.leaks_of_passes import SHOWINGS, Showings, link_passes, show_passes
from simulations.studies.ledger_rows import LedgerRow
from tracetogether.authority.access.permissions import Caller, Role
from tracetogether.authority.service import Authority
from tracetogether.parameters import GIVEN_A_DAY
from tracetogether.units import SECONDS_PER_DAY

_FEATURE: Final = "passes for a person without a phone"


def charge_rows(
    authority: Authority, guardians: Sequence[str], now: float, seed: int
) -> list[LedgerRow]:
    """Return what gates and the authority learn of a person and the phone that keeps the passes.

    Args:
        authority: issues passes; its keys know the days from ``now`` on.
        guardians: users whose phones each keep the passes of one more person.
        now: epoch seconds.
        seed: of all draws.
    """
    others = _consenting(authority, guardians, now)
    shown = show_passes(authority, [*guardians, *others], now, SECONDS_PER_DAY, seed)
    linked = link_passes(_side_by_side(shown, len(guardians), seed), seed=seed)
    kept = [found for each in guardians for found in authority.charges.of(each)]
    named = sum(found.user_id == other for found, other in zip(kept, others, strict=True))
    return [
        LedgerRow.of_link(
            _FEATURE,
            "gates together",
            "whether one phone keeps the passes of two people",
            linked,
            played=f"{len(guardians):,} phones keep passes of one more person; both show "
            f"{SHOWINGS} passes within a day.",
        ),
        LedgerRow(
            feature=_FEATURE,
            actor="authority",
            learns="which random id keeps passes for which, without a name: its purpose",
            bits=float(np.log2(len(guardians))) * (named / len(others)),
            budget=float(np.log2(len(guardians))),
            accepted=True,
            played=f"{named:,} of {len(others):,} charges found in its own tables.",
        ),
    ]


def _consenting(authority: Authority, guardians: Sequence[str], now: float) -> list[str]:
    """Give a code to one person for each phone, which uses it; return the people's user ids."""
    found = []
    for number, guardian in enumerate(guardians):
        desk = Caller(f"desk-{number // GIVEN_A_DAY}", frozenset({Role.ISSUER}))
        given = authority.charges.consent(now, by=desk)
        found.append(authority.charges.add(guardian, given.code, now).user_id)
    return found


def _side_by_side(shown: Showings, phones: int, seed: int) -> Showings:
    """Return showings in which one pass of each person of a phone are acts of one "person".

    So the attacker has only such pairs to find, and none of two passes of the same person. Which
    pass goes with which is drawn: a person's passes are in the order of time.
    """
    chance = Streams(seed).generator("ledger", "charges")
    people = len(shown.person) // SHOWINGS
    place = np.argsort(chance.random((people, SHOWINGS)), axis=1).ravel()
    return replace(shown, person=shown.person % phones * SHOWINGS + place)
