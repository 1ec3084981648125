"""Counts of what there is: no person, no case, nothing that could be put together to one."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Counts:
    """How much of everything is kept."""

    users: int
    operators: int
    cases: int
    open_pins: int
    uploads: int
    sealed_bytes: int
    contact_lists: int
    contacts: int
    audit_entries: int
    pin_failures: int = 0  # ever: as the audit log has them
    batches: int = 0  # of TempIDs, asked for on this UTC day and the day before
