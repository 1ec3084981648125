"""What the public figures of restrictions tell about one person."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from simulations.studies.ledger_rows import LedgerRow
from simulations.studies.linking import bits_of
from tracetogether.authority.service import Authority
from tracetogether.authority.status.restriction import Ground, Restriction, RestrictionEvidence
from tracetogether.crypto import sha256
from tracetogether.units import SECONDS_PER_DAY

_TENTH_PERSON: Final = 0.14
"""log2(1.1): who guesses is right in half of the cases, and in all of them at each tenth person."""


def restrict(authority: Authority, user: str, at: float, played: str = "") -> str:
    """Restrict a user for a week from ``at`` on, in force at once; return the restriction's id."""
    made = Restriction(
        restriction_id=sha256(f"{user}/{at}{played}".encode()).hex()[:10],
        user_id=user, ground=Ground.CASE,
        reference="ledger", begins_at=at, until=at + 7 * SECONDS_PER_DAY,
        evidence=RestrictionEvidence.DIAGNOSIS, notice="pass.withheld.case",
        set_by="first", set_at=at, confirmed_by="second", confirmed_at=at,
    )  # fmt: skip
    if not authority.store.status.add_restriction(made):
        raise AssertionError(made.restriction_id)
    return made.restriction_id


def figures_row(authority: Authority, users: Sequence[str], now: float) -> LedgerRow:
    """Play a reader of the public figures who knows of everybody else whether they are restricted.

    The reader asks about the next person, each time with one more who is restricted.
    """
    at = now + 8 * SECONDS_PER_DAY  # when nobody is restricted any more by the rows before
    figures = [authority.figures.restriction_figures(at + 2 * SECONDS_PER_DAY)]
    for user in users:
        restrict(authority, user, at)
        figures.append(authority.figures.restriction_figures(at + 2 * SECONDS_PER_DAY))
    right = [0.5 if before == after else 1.0 for before, after in pairwise(figures)]
    score = float(np.mean(right))
    return LedgerRow(
        feature="restriction figures",
        actor="public",
        learns="whether one person is restricted, if it is known of everybody else: not stopped "
        "for each tenth person; numbers are cut to full tens, and change once a day",
        bits=bits_of(score, 0.5),
        budget=_TENTH_PERSON,
        accepted=True,
        played=f"Figures with 0 to {len(users)} restricted people.",
        score=score,
        chance=0.5,
    )
