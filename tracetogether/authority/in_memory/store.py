"""The authority's store for tests and trials: it lives as long as the process, for one thread."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field, replace

from tracetogether.authority.access.audit import START, AuditEntry
from tracetogether.authority.access.limits import BATCHES
from tracetogether.authority.access.operators import Operator
from tracetogether.authority.access.tallies import PINS_REFUSED, told_until
from tracetogether.authority.cases.casework import OPEN_STATES, Case
from tracetogether.authority.contacts.lists import ContactList
from tracetogether.authority.in_memory.desk import MemoryDesk
from tracetogether.authority.in_memory.rows import Rows
from tracetogether.authority.in_memory.sign_ins import MemorySignIns
from tracetogether.authority.intake.pins import UploadPin
from tracetogether.authority.intake.uploads import SealedUpload
from tracetogether.authority.oversight.statistics import Counts
from tracetogether.units import utc_day


@dataclass
class MemoryStore:
    """Users, operators, cases, PINs, uploads, lists, counts and the audit log in dictionaries."""

    _rows: Rows = field(default_factory=Rows)
    sign_ins: MemorySignIns = field(default_factory=MemorySignIns)

    @property
    def desk(self) -> MemoryDesk:
        """The tracers' desk."""
        return MemoryDesk(self._rows)

    @contextmanager
    def atomic(self) -> Iterator[None]:
        """Make all that the body writes happen together or not at all; may be nested."""
        parts = (self._rows, self.sign_ins)
        before = [(one, key, copy(kept)) for one in parts for key, kept in vars(one).items()]
        try:
            yield
        except BaseException:
            for part, key, kept in before:
                setattr(part, key, kept)
            raise

    # --- users (access.UserStore) ---

    def add_user(self, user_id: str, credential_digest: bytes) -> bool:
        """Write down a new user; False if the id or the digest is already there."""
        if user_id in self._rows.users or credential_digest in self._rows.users.values():
            return False
        self._rows.users[user_id] = credential_digest
        return True

    def user_of(self, credential_digest: bytes) -> str | None:
        """Return whose credential this is."""
        return next(
            (user for user, one in self._rows.users.items() if one == credential_digest), None
        )

    def has_user(self, user_id: str) -> bool:
        """Return whether there is such a user."""
        return user_id in self._rows.users

    def registered(self, user_ids: Sequence[str]) -> set[str]:
        """Return those of ``user_ids`` that are users."""
        return set(user_ids) & self._rows.users.keys()

    def remove_user(self, user_id: str) -> bool:
        """Forget a user, and all that hangs on him; False if there is none."""
        if self._rows.users.pop(user_id, None) is None:
            return False
        self._rows.pins.pop(user_id, None)
        for case in [one for one in self._rows.cases.values() if one.user_id == user_id]:
            self._drop_case(case.case_id)
        return True

    def add_withdrawal(self, digest: bytes, now: float) -> None:
        """Write down that a user withdrew; a later time replaces an earlier one."""
        self._rows.withdrawals[digest] = now

    def withdrawals(self) -> Sequence[tuple[bytes, float]]:
        """Return digests of those who withdrew, and when."""
        return list(self._rows.withdrawals.items())

    def drop_withdrawals(self, before: float) -> int:
        """Forget withdrawals before that time; return how many went."""
        old = [digest for digest, at in self._rows.withdrawals.items() if at < before]
        for digest in old:
            del self._rows.withdrawals[digest]
        return len(old)

    # --- operators (operators.OperatorStore) ---

    def add_operator(self, operator: Operator) -> bool:
        """Write down a new operator; False if the name or the token is already there."""
        digests = [one.token_digest for one in self._rows.operators.values()]
        if operator.name in self._rows.operators or operator.token_digest in digests:
            return False
        self._rows.operators[operator.name] = operator
        return True

    def operators(self) -> Sequence[Operator]:
        """Return all operators by name, the disabled ones too."""
        return sorted(self._rows.operators.values(), key=lambda one: one.name)

    def disable_operator(self, name: str) -> bool:
        """Shut an operator out; False if there is none of that name who is not."""
        found = self._rows.operators.get(name)
        if found is None or found.disabled:
            return False
        self._rows.operators[name] = replace(found, disabled=True)
        return True

    # --- cases (casework.CaseStore) ---

    def add_case(self, case: Case) -> bool:
        """Write down a new case; False if its id is taken, or the user has an open case."""
        if case.case_id in self._rows.cases or (
            case.state in OPEN_STATES and self.desk.open_cases_of(case.user_id)
        ):
            return False
        self._rows.cases[case.case_id] = case
        return True

    def confirm_case(self, case_id: str) -> bool:
        """Note that a case is confirmed; False if there is none that is not."""
        found = self._rows.cases.get(case_id)
        if found is None or not found.unconfirmed:
            return False
        self._rows.cases[case_id] = replace(found, unconfirmed=False)
        return True

    def case(self, case_id: str) -> Case | None:
        """Return a case."""
        return self._rows.cases.get(case_id)

    def cases(self) -> Sequence[Case]:
        """Return all cases, the newest first."""
        return self._rows.cases_by_age()

    def touch_case(self, case_id: str, now: float) -> bool:
        """Note that the case is being worked on; False if there is none."""
        found = self._rows.cases.get(case_id)
        if found is None:
            return False
        self._rows.cases[case_id] = replace(found, active_at=max(now, found.active_at))
        return True

    def drop_cases(self, before: float) -> int:
        """Forget cases not worked on since ``before``; return how many went."""
        old = [one.case_id for one in self._rows.cases.values() if one.active_at < before]
        for case_id in old:
            self._drop_case(case_id)
        return len(old)

    def _drop_case(self, case_id: str) -> None:
        self.desk.drop_case(case_id)
        del self._rows.cases[case_id]
        self._rows.due.pop(case_id, None)
        self._rows.pins = {
            key: one for key, one in self._rows.pins.items() if one.case_id != case_id
        }
        self._rows.uploads = {
            key: one for key, one in self._rows.uploads.items() if one.case_id != case_id
        }
        self._rows.lists = {
            key: one for key, one in self._rows.lists.items() if one.case_id != case_id
        }

    # --- upload PINs (pins.PinStore) ---

    def put_pin(self, pin: UploadPin) -> None:
        """Write down a PIN in place of the user's earlier one."""
        self._rows.pins[pin.user_id] = pin

    def try_pin(self, user_id: str, now: float) -> UploadPin | None:
        """Spend one try of the user's PIN, used or not, and return it; None if none is open."""
        pin = self._rows.pins.get(user_id)
        if pin is None or pin.tries_left < 1 or now >= pin.expiry:
            return None
        spent = self._rows.pins[user_id] = replace(pin, tries_left=pin.tries_left - 1)
        return spent

    def use_pin(self, pin: UploadPin, attempt: bytes) -> bool:
        """Mark the PIN as used by ``attempt``; False if it was used or replaced meanwhile."""
        current = self._rows.pins.get(pin.user_id)
        if current is None or current.used or current.digest != pin.digest:
            return False
        self._rows.pins[pin.user_id] = replace(current, used=True, attempt=attempt)
        return True

    def drop_pins(self, now: float) -> int:
        """Forget PINs that can't be used any more; return how many went."""
        old = [
            pin.user_id
            for pin in self._rows.pins.values()
            if (pin.used and not pin.attempt) or pin.tries_left < 1 or pin.expiry <= now
        ]
        for user_id in old:
            del self._rows.pins[user_id]
        return len(old)

    # --- uploads (intake.UploadStore) ---

    def add_upload(self, upload: SealedUpload) -> bool:
        """Keep an upload; False if one with the same token is there or was."""
        if upload.token_id in self._rows.tokens:
            return False
        self._rows.tokens[upload.token_id] = upload.received_at
        self._rows.uploads[upload.token_id] = upload
        self._rows.due[upload.case_id] = upload.received_at, 0.0
        return True

    def claim_due_list(self, now: float, tried_before: float) -> tuple[str, float] | None:
        """Return a case whose list is due, and when its log came; it is noted as tried now."""
        due = [
            (came_at, case_id)
            for case_id, (came_at, tried_at) in self._rows.due.items()
            if tried_at < tried_before
        ]
        if not due:
            return None
        came_at, case_id = min(due)
        self._rows.due[case_id] = came_at, now
        return case_id, came_at

    def due_list_done(self, case_id: str, came_at: float) -> None:
        """Note that a case's list was found, unless another log came after ``came_at``."""
        if case_id in self._rows.due and self._rows.due[case_id][0] <= came_at:
            del self._rows.due[case_id]

    def uploads(self, case_id: str) -> Sequence[SealedUpload]:
        """Return a case's uploads in the order in which they came."""
        found = [one for one in self._rows.uploads.values() if one.case_id == case_id]
        return sorted(found, key=lambda one: (one.received_at, one.token_id))

    def upload_ids(self, case_id: str) -> Sequence[tuple[str, float]]:
        """Return token ids and times of receipt of a case's uploads, in their order."""
        return [(one.token_id, one.received_at) for one in self.uploads(case_id)]

    def all_upload_ids(self) -> Sequence[tuple[str, str]]:
        """Return case id and token id of every upload, sorted."""
        return sorted((one.case_id, one.token_id) for one in self._rows.uploads.values())

    def drop_uploads(self, before: float) -> int:
        """Forget uploads received before that time; return how many went."""
        old = [one.token_id for one in self._rows.uploads.values() if one.received_at < before]
        for token_id in old:
            del self._rows.uploads[token_id]
        return len(old)

    def drop_tokens(self, before: float) -> int:
        """Forget the ids of upload tokens used before that time; return how many went."""
        old = [token_id for token_id, used in self._rows.tokens.items() if used < before]
        for token_id in old:
            del self._rows.tokens[token_id]
        return len(old)

    # --- contact lists (contact_lists.ListStore) ---

    def put_contact_list(self, found: ContactList) -> None:
        """Keep a list in place of the one of the same case and basis."""
        self._rows.lists[found.case_id, found.basis] = found

    def contact_list(self, case_id: str, basis: str) -> ContactList | None:
        """Return a list."""
        return self._rows.lists.get((case_id, basis))

    def drop_contact_lists(self, before: float) -> int:
        """Forget contact lists of days that ended before that time; return how many went."""
        old = [key for key, one in self._rows.lists.items() if one.day < utc_day(before)]
        for key in old:
            del self._rows.lists[key]
        return len(old)

    # --- counts and notes (limits.LimitStore, retention.AgeingStore) ---

    def count_up(self, name: str, subject: bytes, window_s: int) -> int:
        """Add one to the count of a window (named by its start) and return it."""
        key = (name, subject, window_s)
        self._rows.counts[key] = self._rows.counts.get(key, 0) + 1
        return self._rows.counts[key]

    def count_down(self, name: str, subject: bytes, window_s: int) -> None:
        """Take one from the count of a window, unless it is 0."""
        key = (name, subject, window_s)
        if self._rows.counts.get(key, 0):
            self._rows.counts[key] -= 1

    def count_up_each(
        self, name: str, windows: Mapping[bytes, int], over: int
    ) -> Mapping[bytes, int]:
        """Add one to the count of each subject in its window; return counts above ``over``."""
        counts = {one: self.count_up(name, one, window_s) for one, window_s in windows.items()}
        return {one: count for one, count in counts.items() if count > over}

    def counted(self, name: str, subject: bytes, window_s: int) -> int:
        """Return the count of a window."""
        return self._rows.counts.get((name, subject, window_s), 0)

    def drop_counts(self, before: float) -> int:
        """Forget windows that began before that time; return how many went."""
        old = [key for key in self._rows.counts if key[2] < before]
        for key in old:
            del self._rows.counts[key]
        return len(old)

    def probe(self, *, write: bool) -> None:
        """Nothing is to be done: what is in memory can be read and written."""

    def note(self, name: str, value: str) -> None:
        """Write down a value under a name."""
        self._rows.noted[name] = value

    def noted(self, name: str) -> str | None:
        """Return the value that was written down last under a name."""
        return self._rows.noted.get(name)

    # --- the audit log (audit.AuditStore) ---

    def last_audit(self) -> tuple[int, bytes]:
        """Return number and digest of the newest entry, (0, START) if there is none."""
        if not self._rows.audit:
            return 0, START
        entry, digest = self._rows.audit[-1]
        return entry.number, digest

    def add_audit(self, entry: AuditEntry) -> None:
        """Append an entry."""
        self._rows.audit.append((entry, entry.digest))

    def audit(self, after: int = 0, limit: int | None = None) -> Iterable[tuple[AuditEntry, bytes]]:
        """Return entries with a number beyond ``after``, and the digests they were kept with."""
        found = [one for one in self._rows.audit if one[0].number > after]
        return found if limit is None else found[:limit]

    def audit_times(self, after: float, until: float) -> Iterable[float]:
        """Return the times of entries later than ``after`` and up to ``until``, ascending."""
        return sorted(one.time for one, _ in self._rows.audit if after < one.time <= until)

    # --- counts of everything (statistics.CountedStore) ---

    def counts(self, now: float) -> Counts:
        """Return how much of everything is kept at ``now``."""
        return Counts(
            users=len(self._rows.users),
            operators=len(self._rows.operators),
            cases=len(self._rows.cases),
            open_pins=sum(
                not one.used and one.tries_left > 0 and one.expiry > now
                for one in self._rows.pins.values()
            ),
            uploads=len(self._rows.uploads),
            sealed_bytes=sum(len(one.sealed) for one in self._rows.uploads.values()),
            contact_lists=len(self._rows.lists),
            contacts=sum(len(one.contacts) for one in self._rows.lists.values()),
            audit_entries=len(self._rows.audit),
            pin_failures=sum(one.act == "pin.refused" for one, _ in self._rows.audit)
            + sum(
                int(one.details["count"])
                for one, _ in self._rows.audit
                if one.act == PINS_REFUSED.name
            )
            + sum(
                count
                for (name, _, window_s), count in self._rows.counts.items()
                if name == PINS_REFUSED.name and window_s >= told_until(self)
            ),
            batches=sum(
                count
                for (name, _, window), count in self._rows.counts.items()
                if name == BATCHES.name and 0 <= utc_day(now) - utc_day(window) <= 1
            ),
        )
