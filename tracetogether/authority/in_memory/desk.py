"""The tracers' desk in dictionaries, for tests and trials: a room of the store in memory."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from tracetogether.authority.access.limits import BATCHES
from tracetogether.authority.cases.casework import (
    OPEN_STATES,
    Case,
    CasePage,
    CaseQuery,
    CaseState,
    summary_of,
)
from tracetogether.authority.cases.followed import (
    ACTIVE,
    TRACED_STATES,
    ContactQuery,
    ContactState,
    DayOutcome,
    KeptContact,
)
from tracetogether.authority.cases.indicators import Dashboard, DayCounts, Indicators, Ratio
from tracetogether.authority.cases.merges import SealedMerge
from tracetogether.authority.cases.notes import SealedNote
from tracetogether.authority.in_memory.rows import Rows
from tracetogether.local_days import UTC_DAYS, LocalDays
from tracetogether.parameters import FOLLOW_UP
from tracetogether.units import SECONDS_PER_DAY, utc_day

_DAYS: Final = 14
_Kind = TypeVar("_Kind")


@dataclass(frozen=True)
class MemoryDesk:
    """The desk's part of a store in memory."""

    rows: Rows

    # --- cases (casework.CaseDeskStore) ---

    def locked_case(self, case_id: str) -> Case | None:
        """Return a case: there is one thread."""
        return self.rows.cases.get(case_id)

    def put_case(self, case: Case) -> None:
        """Write down what can change of a case; those merged into it are assigned with it."""
        if case.case_id in self.rows.cases:
            kept = self.rows.cases[case.case_id]
            self.rows.cases[case.case_id] = replace(
                kept,
                state=case.state,
                assigned_to=case.assigned_to,
                tracing_at=case.tracing_at,
                closed_at=case.closed_at,
                merged_into=case.merged_into,
                unconfirmed=case.unconfirmed,
                version=case.version,
            )
        for merged in self.cases_merged_into(case.case_id):
            self.put_case(replace(merged, assigned_to=case.assigned_to))

    def cases_merged_into(self, case_id: str) -> Sequence[Case]:
        """Return the cases that were merged into one, the newest first."""
        return [one for one in self.rows.cases_by_age() if one.merged_into == case_id]

    def open_cases_of(self, user_id: str) -> Sequence[Case]:
        """Return a user's open cases, the newest first: there is one thread."""
        return [
            one
            for one in self.rows.cases_by_age()
            if one.user_id == user_id and one.state in OPEN_STATES
        ]

    def cases_page(self, query: CaseQuery, today: int) -> CasePage:
        """Return a page with counts; ``today`` is the day that contacts are due on."""
        cases = [
            one
            for one in self.rows.cases_by_age()
            if (not query.states or one.state in query.states)
            and query.assigned_to in {None, one.assigned_to}
            and one.case_id.startswith(query.starts_with)
            and (one.unconfirmed or not query.unconfirmed)
        ]
        page = cases[query.offset : query.offset + query.limit]
        summaries = []
        for case in page:
            found: dict[ContactState, tuple[int, int]] = {}
            for one in self.contacts_of([case.case_id]):
                count, due = found.get(one.state, (0, 0))
                found[one.state] = (count + 1, due + one.due(today))
            summaries.append(summary_of(case, self._uploads(case.case_id), found))
        return CasePage(tuple(summaries), len(cases), query.offset)

    def cases_of_users(self, user_ids: Sequence[str]) -> Sequence[tuple[str, str]]:
        """Return user id and case id of all cases of some users."""
        wanted = set(user_ids)
        return [
            (one.user_id, one.case_id) for one in self.rows.cases_by_age() if one.user_id in wanted
        ]

    # --- contacts (followed.FollowStore) ---

    def put_contacts(self, contacts: Sequence[KeptContact]) -> None:
        """Write contacts down, each in place of the one of its id."""
        self.rows.followed.update((one.contact_id, one) for one in contacts)

    def contact(self, contact_id: str) -> KeptContact | None:
        """Return a contact."""
        return self.rows.followed.get(contact_id)

    def contacts_page(self, query: ContactQuery) -> tuple[Sequence[KeptContact], int]:
        """Return a page in order of priority, and how many there are on all pages."""
        found = [
            one
            for one in self._of(query.assigned_to)
            if query.case_id in {None, one.case_id}
            and (not query.states or one.state in query.states)
            and (not query.priorities or one.priority in query.priorities)
            and (query.due_on is None or one.due(query.due_on))
        ]
        return found[query.offset : query.offset + query.limit], len(found)

    def contacts_of(self, case_ids: Sequence[str]) -> Sequence[KeptContact]:
        """Return all contacts of some cases, in order of priority."""
        wanted = set(case_ids)
        return [one for one in self._of(None) if one.case_id in wanted]

    def contacts_after(self, contact_id: str, limit: int) -> Sequence[tuple[KeptContact, str]]:
        """Return contacts by id beyond one ("" for the first), each with the case's date."""
        found = sorted(one for one in self.rows.followed if one > contact_id)[:limit]
        kept = [self.rows.followed[one] for one in found]
        return [(one, self.rows.cases[one.case_id].date) for one in kept]

    def tagged(self, tags: Sequence[bytes]) -> Sequence[KeptContact]:
        """Return all contacts that bear one of ``tags``."""
        wanted = set(tags)
        return [one for one in self.rows.followed.values() if one.tag in wanted]

    def put_outcome(self, contact_id: str, outcome: DayOutcome) -> None:
        """Write down a day's outcome in place of an earlier one."""
        if outcome.outcome is not None:
            self.rows.outcomes[contact_id, outcome.day] = outcome

    def outcomes(self, contact_ids: Sequence[str]) -> dict[str, tuple[DayOutcome, ...]]:
        """Return the outcomes of some contacts by id, each in the order of days."""
        wanted = set(contact_ids)
        found: dict[str, list[DayOutcome]] = {}
        for (contact_id, _), one in sorted(self.rows.outcomes.items(), key=lambda row: row[0]):
            if contact_id in wanted:
                found.setdefault(contact_id, []).append(one)
        return {key: tuple(ones) for key, ones in found.items()}

    def drop_tagged(self, tags: Sequence[bytes]) -> int:
        """Forget contacts that bear one of ``tags``, and notes on them; return how many went."""
        wanted = set(tags)
        return self.rows.keep_contacts(lambda one: one.tag not in wanted)

    def drop_contacts(self, before_day: int) -> int:
        """Forget contacts of days before that one; return how many went."""
        return self.rows.keep_contacts(lambda one: one.day >= before_day)

    def drop_case(self, case_id: str) -> None:
        """Forget what hangs on a case that goes."""
        self.rows.keep_contacts(lambda one: one.case_id != case_id)
        notes = self.rows.notes
        self.rows.notes = {key: one for key, one in notes.items() if one.case_id != case_id}
        merges = self.rows.merges
        self.rows.merges = {key: one for key, one in merges.items() if one.case_id != case_id}

    def end_follow_ups(self, today: int, now: float) -> int:
        """Complete (or lose) those whose last day has passed; return how many ended."""
        over = [one for one in self._of(None) if one.state in ACTIVE and one.until_day < today]
        for one in over:
            state = ContactState.LOST if one.traced_at is None else ContactState.COMPLETED
            self.rows.followed[one.contact_id] = replace(
                one, state=state, ended_at=now, version=one.version + 1
            )
        return len(over)

    # --- notes (notes.NoteStore) ---

    def add_note(self, note: SealedNote) -> None:
        """Keep a note."""
        self.rows.notes[note.note_id] = note

    def notes(self, case_id: str) -> Sequence[SealedNote]:
        """Return the notes on a case and its contacts, the oldest first."""
        found = [one for one in self.rows.notes.values() if one.case_id == case_id]
        return sorted(found, key=lambda one: (one.at, one.note_id))

    def drop_notes(self, before_day: int) -> int:
        """Forget notes of days before that one; return how many went."""
        before = len(self.rows.notes)
        notes = self.rows.notes
        self.rows.notes = {key: one for key, one in notes.items() if one.day >= before_day}
        return before - len(self.rows.notes)

    # --- merges (merges.MergeStore) ---

    def put_merge(self, merge: SealedMerge) -> None:
        """Keep a merge in place of an earlier one of the same ``gone``."""
        self.rows.merges[merge.gone] = merge

    def merge_of(self, gone: str) -> SealedMerge | None:
        """Return how a case or contact was merged."""
        return self.rows.merges.get(gone)

    def merges_into(self, stays: str) -> Sequence[SealedMerge]:
        """Return what was merged into a case or contact, the oldest first."""
        found = [merge for merge in self.rows.merges.values() if merge.stays == stays]
        return sorted(found, key=lambda merge: (merge.at, merge.gone))

    def drop_merge(self, gone: str) -> None:
        """Forget a merge."""
        self.rows.merges.pop(gone, None)

    def drop_merges(self, before_day: int) -> int:
        """Forget merges of days before that one; return how many went."""
        old = [gone for gone, merge in self.rows.merges.items() if merge.day < before_day]
        for gone in old:
            self.drop_merge(gone)
        return len(old)

    def move_note(self, note_id: str, case_id: str, contact_id: str) -> None:
        """Say on what a note is."""
        if note_id in self.rows.notes:
            note = self.rows.notes[note_id]
            self.rows.notes[note_id] = replace(note, case_id=case_id, contact_id=contact_id)

    def drop_outcome(self, contact_id: str, day: int) -> None:
        """Forget a day's outcome."""
        self.rows.outcomes.pop((contact_id, day), None)

    # --- counts (indicators.DashboardStore) ---

    def dashboard(
        self, now: float, assigned_to: str | None, days: LocalDays = UTC_DAYS
    ) -> Dashboard:
        """Return the counts at ``now``, of one operator's cases or (None) of all, by ``days``."""
        today = days.day(now)
        everything = self.rows.cases_by_age()
        cases = [one for one in everything if assigned_to in {None, one.assigned_to}]
        contacts = self._of(assigned_to)
        his = {one.case_id for one in cases}
        uploads = [one for one in self.rows.uploads.values() if one.case_id in his]
        return Dashboard(
            cases=_tally(one.state for one in cases),
            contacts=_tally(one.state for one in contacts),
            priorities=_tally(one.priority for one in contacts if one.state in ACTIVE),
            due_today=sum(one.due(today) for one in contacts),
            done_today=sum(one.last_day == today for one in contacts),
            uploads=len(uploads),
            users=len(self.rows.users),
            active_users=(self._active(utc_day(now)), self._active(utc_day(now) - 1)),
            days=_days(days, today, cases, contacts),
            indicators=_indicators(now, cases, contacts),
        )

    def _uploads(self, case_id: str) -> int:
        return sum(one.case_id == case_id for one in self.rows.uploads.values())

    def _active(self, day: int) -> int:
        return len(
            {
                subject
                for name, subject, window in self.rows.counts
                if name == BATCHES.name and window // SECONDS_PER_DAY == day
            }
        )

    def _of(self, assigned_to: str | None) -> list[KeptContact]:
        found = [
            one
            for one in self.rows.followed.values()
            if assigned_to is None or self.rows.cases[one.case_id].assigned_to == assigned_to
        ]
        return sorted(found, key=lambda one: (one.urgency, one.contact_id))


def _tally(kinds: Iterable[_Kind]) -> dict[_Kind, int]:
    found: dict[_Kind, int] = {}
    for one in kinds:
        found[one] = found.get(one, 0) + 1
    return found


def _days(
    days: LocalDays, today: int, cases: Sequence[Case], contacts: Sequence[KeptContact]
) -> tuple[DayCounts, ...]:
    opened = _tally(days.day(one.opened_at) for one in cases)
    found = _tally(days.day(one.found_at) for one in contacts)
    reached = _tally(days.day(one.traced_at) for one in contacts if one.traced_at is not None)
    return tuple(
        DayCounts(day, opened.get(day, 0), found.get(day, 0), reached.get(day, 0))
        for day in range(today - _DAYS + 1, today + 1)
    )


def _indicators(now: float, cases: Sequence[Case], contacts: Sequence[KeptContact]) -> Indicators:
    traced = [one for one in contacts if one.state in TRACED_STATES]
    ended = [one for one in traced if one.state in {ContactState.COMPLETED, ContactState.LOST}]
    real = [one for one in cases if one.state is not CaseState.MERGED]
    return Indicators(
        traced_within_a_day=_prompt([(one.found_at, one.traced_at) for one in traced], now),
        followed_all_days=Ratio(sum(one.followed_all for one in ended), len(ended)),
        new_cases_known=Ratio(sum(one.known_contact for one in real), len(real)),
        started_within_a_day=_prompt([(one.opened_at, one.tracing_at) for one in real], now),
        lost=Ratio(sum(one.state is ContactState.LOST for one in traced), len(traced)),
    )


def _prompt(spans: Sequence[tuple[float, float | None]], now: float) -> Ratio:
    within = FOLLOW_UP.prompt_s
    done = [end - start for start, end in spans if end is not None]
    late = sum(end is None and start <= now - within for start, end in spans)
    return Ratio(sum(one <= within for one in done), len(done) + late)
