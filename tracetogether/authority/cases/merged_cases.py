"""Cases that are one person: the case that a merged one belongs to, and those that belong to it.

Logs, visits and trips stay with the case that they arrived for, because they are sealed for it. So
they follow a merge, and its undo, by asking here each time.
"""

from collections.abc import Iterator

from tracetogether.authority.cases.case import Case
from tracetogether.authority.cases.store import CaseStore


def case_of_person(store: CaseStore, case_id: str) -> Case | None:
    """Return the case that stands for a person now: the last one that this one was merged into.

    None if the case, or one that it was merged into, is deleted.
    """
    case = store.case(case_id)
    while case is not None and case.merged_into:
        case = store.case(case.merged_into)
    return case


def with_merged(store: CaseStore, case: Case) -> list[Case]:
    """Return a case and all that were merged into it, directly or before; none of a merged case."""
    return [] if case.merged_into else list(_with_those_below(store, case))


def _with_those_below(store: CaseStore, case: Case) -> Iterator[Case]:
    yield case
    for merged in store.desk.cases_merged_into(case.case_id):
        yield from _with_those_below(store, merged)
