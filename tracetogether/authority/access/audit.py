"""The audit log: append-only entries, each chained to the previous one by a SHA-256 digest."""

import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Final

from tracetogether.authority.access.permissions import Action, Caller
from tracetogether.authority.access.store import AccessStore
from tracetogether.crypto import equal, sha256
from tracetogether.errors import AuditError, InvalidRequestError
from tracetogether.plain_text import hidden_in

_CHAIN: Final = b"tracetogether/v1/audit/"
START: Final = bytes(32)
"""What the first entry is chained to."""

LONGEST_REASON: Final = 200
"""Characters of a reason."""

Details = Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One act. An entry holds no user id, PIN, token, TempID or address.

    Attributes:
        number: 1, 2, 3, ...
        time: epoch seconds.
        by: name of the operator; "console", "phone" or "clock" if no operator acted.
        act: what was done, such as "case.opened".
        subject: what it was done to: a case id, an operator's name, or "".
        details: further facts.
        previous: digest of the entry before (START for the first).
    """

    number: int
    time: float
    by: str
    act: str
    subject: str
    details: Details
    previous: bytes

    @property
    def digest(self) -> bytes:
        """SHA-256 over this entry, including the digest of the previous one."""
        said = [self.number, self.time, self.by, self.act, self.subject, dict(self.details)]
        text = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return sha256(_CHAIN + self.previous + text.encode("ascii"))


@dataclass(frozen=True, slots=True)
class Audit:
    """Writes, checks and shows the audit log; ``by`` must be allowed to read it."""

    store: AccessStore

    def atomic(self) -> AbstractContextManager[None]:
        """Make the body's writes and its audit entries one transaction."""
        return self.store.atomic()

    @contextmanager
    def transaction(self, *, dry_run: bool) -> Iterator[None]:
        """Make the body's writes one transaction; with ``dry_run``, undo them at the end."""
        try:
            with self.store.atomic():
                yield
                if dry_run:
                    raise _DryRunError  # noqa: TRY301 - it ends the transaction
        except _DryRunError:
            pass

    def record(
        self, act: str, now: float, *, by: str, subject: str = "", **details: str | int
    ) -> None:
        """Append an entry in the open transaction."""
        with self.store.atomic():
            number, previous = self.store.last_audit()
            self.store.add_audit(
                AuditEntry(number + 1, float(now), by, act, subject, details, previous)
            )

    def reason_given(
        self,
        reason: str,
        now: float,
        *,
        by: str,
        case_id: str,
        contact: str,
        of_case: bool = False,
    ) -> str:
        """Return the reason for which a person is revealed; a refusal is recorded.

        Args:
            reason: what the caller typed.
            now: epoch seconds.
            by: the caller's name.
            case_id: of the case.
            contact: the person's pseudonym.
            of_case: whether a case's person is revealed, not a contact.

        Raises:
            InvalidRequestError: the reason is empty, has more than 200 characters, or has control
                characters, which could disguise entries of this log.
        """
        given = reason.strip()
        hidden = hidden_in(given)
        if given and len(given) <= LONGEST_REASON and not hidden:
            return given
        act = "case.reveal-refused" if of_case else "contact.reveal-refused"
        self.record(act, now, by=by, subject=case_id, contact=contact)
        if hidden:
            msg = (
                "a reason is one line of plain text: remove its line breaks and control characters"
            )
            raise InvalidRequestError(msg, "reason-not-plain")
        msg = "give a reason of 1 to {count} characters: it is recorded in the audit log"
        raise InvalidRequestError(msg, "reason-needed", count=LONGEST_REASON)

    def rehearse(self, act: str, now: float, *, by: str) -> None:
        """Do the work of ``record`` without appending, so that both take the same time."""
        number, previous = self.store.last_audit()
        _ = AuditEntry(number + 1, float(now), by, act, "", {}, previous).digest

    def verify(self, head: tuple[int, bytes] | None = None, *, by: Caller) -> tuple[int, bytes]:
        """Return number and digest of the newest entry after checking every one.

        Args:
            head: what an earlier call returned, kept elsewhere; the log must still contain it.
                Without it, a log that was rewritten as a whole is not noticed.
            by: the caller.

        Raises:
            AuditError: an entry was changed, removed or put in; names the first one.
        """
        by.require(Action.READ_AUDIT)
        number, previous = 0, START
        met = head is None or head[0] == 0
        for entry, digest in self.store.audit():
            if entry.number != number + 1:
                msg = "audit entry {number} is missing: the log was tampered with"
                raise AuditError(msg, "audit-entry-missing", number=number + 1)
            if not (equal(entry.previous, previous) and equal(entry.digest, digest)):
                msg = "audit entry {number} was changed: the log was tampered with"
                raise AuditError(msg, "audit-entry-changed", number=entry.number)
            number, previous = entry.number, digest
            if head is not None and number == head[0]:
                if not equal(digest, head[1]):
                    msg = "audit entry {number} differs from the noted one: the log was rewritten"
                    raise AuditError(msg, "audit-head-differs", number=number)
                met = True
        if not met:
            msg = "the log ends at entry {number}, before the noted entry: its end was cut off"
            raise AuditError(msg, "audit-log-truncated", number=number)
        return number, previous

    def entries(self, after: int = 0, limit: int = 1_000, *, by: Caller) -> Iterator[AuditEntry]:
        """Return an iterator over the entries with numbers above ``after``, in order."""
        by.require(Action.READ_AUDIT)
        return (entry for entry, _ in self.store.audit(after, limit))


class _DryRunError(Exception):
    """Ends a transaction whose writes are taken back."""
