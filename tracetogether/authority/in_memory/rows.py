"""What the store in memory keeps: one dictionary for each kind of row."""

from collections.abc import Callable
from dataclasses import dataclass, field

from tracetogether.authority.access.audit import AuditEntry
from tracetogether.authority.access.operators import Operator
from tracetogether.authority.cases.casework import Case
from tracetogether.authority.cases.followed import DayOutcome, KeptContact
from tracetogether.authority.cases.merges import SealedMerge
from tracetogether.authority.cases.notes import SealedNote
from tracetogether.authority.contacts.lists import ContactList
from tracetogether.authority.intake.pins import UploadPin
from tracetogether.authority.intake.uploads import SealedUpload


@dataclass
class Rows:
    """All rows; the store puts them back when a transaction fails.

    Attributes:
        users: digests of credentials by user id.
        withdrawals: when a user withdrew, by digest of the user id.
        operators: by name.
        cases: by case id.
        pins: by user id.
        uploads: by token id.
        tokens: when an upload token was used, by its id.
        due: when a log came whose list is not found yet, and when that was tried, by case id.
        lists: by case id and basis.
        counts: by limit, subject and start of the window.
        noted: values by name.
        audit: entries, each with the digest it was kept with.
        followed: contacts under follow-up by contact id.
        outcomes: by contact id and day.
        notes: notes on cases and contacts by note id.
        merges: by the id of the case or contact that was merged.
    """

    users: dict[str, bytes] = field(default_factory=dict)
    withdrawals: dict[bytes, float] = field(default_factory=dict)
    operators: dict[str, Operator] = field(default_factory=dict)
    cases: dict[str, Case] = field(default_factory=dict)
    pins: dict[str, UploadPin] = field(default_factory=dict)
    uploads: dict[str, SealedUpload] = field(default_factory=dict)
    tokens: dict[str, float] = field(default_factory=dict)
    due: dict[str, tuple[float, float]] = field(default_factory=dict)
    lists: dict[tuple[str, str], ContactList] = field(default_factory=dict)
    counts: dict[tuple[str, bytes, int], int] = field(default_factory=dict)
    noted: dict[str, str] = field(default_factory=dict)
    audit: list[tuple[AuditEntry, bytes]] = field(default_factory=list)
    followed: dict[str, KeptContact] = field(default_factory=dict)
    outcomes: dict[tuple[str, int], DayOutcome] = field(default_factory=dict)
    notes: dict[str, SealedNote] = field(default_factory=dict)
    merges: dict[str, SealedMerge] = field(default_factory=dict)

    def cases_by_age(self) -> list[Case]:
        """Return all cases, the newest first."""
        return sorted(self.cases.values(), key=lambda one: (-one.opened_at, one.case_id))

    def keep_contacts(self, wanted: Callable[[KeptContact], bool]) -> int:
        """Keep only such contacts, their calendars and notes; return how many went."""
        gone = {key for key, one in self.followed.items() if not wanted(one)}
        self.followed = {key: one for key, one in self.followed.items() if key not in gone}
        self.outcomes = {key: one for key, one in self.outcomes.items() if key[0] not in gone}
        self.notes = {key: one for key, one in self.notes.items() if one.contact_id not in gone}
        return len(gone)
