"""What each feature tells each actor, measured: an attacker for every row, and a budget in bits.

Each row plays a feature with the project's own code, takes what an actor sees of it, lets an
attacker guess, and scores the guesses. A row's budget is the most that is accepted. Where an actor
has to learn something, or nothing here stops it, the row says so, and its budget is what can be
learned at most. Everywhere else the budget is near 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from simulations.studies.leaks_of_charges import charge_rows
from simulations.studies.leaks_of_contacts import START, Pack, log_rows, tempid_rows
from simulations.studies.leaks_of_hints import hint_rows
from simulations.studies.leaks_of_open_data import open_data_rows
from simulations.studies.leaks_of_passes import pass_rows
from simulations.studies.leaks_of_places import place_rows
from simulations.studies.leaks_of_records import record_rows
from simulations.studies.leaks_of_visit_reports import visit_report_rows
from simulations.studies.leaks_of_visits import visit_rows
from simulations.studies.ledger_rows import LedgerRow
from tracetogether.authority.service import Authority

PEOPLE: Final = 2_000
"""People whose acts are linked: the attacker learns on one half, and is judged on the other."""

_PHONES: Final = 1_000  # whose TempIDs are linked; a batch holds a hundred of them


@dataclass(frozen=True, slots=True)
class Ledger:
    """All rows of a measurement.

    Attributes:
        rows: one for each feature, actor and thing learned.
    """

    rows: Sequence[LedgerRow]

    @property
    def over_budget(self) -> list[LedgerRow]:
        """The rows in which an actor learns more than is accepted."""
        return [row for row in self.rows if not row.within_budget]

    def to_json(self) -> dict[str, Any]:
        """Return everything for JSON."""
        return {"rows": [row.to_json() for row in self.rows]}


def measure_privacy(
    authority: Authority, pack: Pack, *, people: int = PEOPLE, seed: int = 1
) -> Ledger:
    """Play every feature and its attackers.

    Args:
        authority: a service of its own for this call; its keys know ``leaks_of_contacts.START``.
        pack: packs a log as a phone sends it.
        people: number of people whose acts are linked.
        seed: of all draws.
    """
    users = [authority.issuance.register().user_id for _ in range(people)]
    return Ledger(
        [
            *tempid_rows(authority.issuance, users[:_PHONES], seed),
            *log_rows(seed, pack),
            *pass_rows(authority, users, START, seed),
            *hint_rows(seed),
            *visit_report_rows(authority, START, seed),
            *visit_rows(START, seed),
            *place_rows(authority, START, seed),
            *open_data_rows(seed),
            *record_rows(authority, START, seed, users=people),
            *charge_rows(authority, users, START, seed),
        ]
    )
