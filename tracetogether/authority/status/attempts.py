"""Attempts to restrict somebody: each is one transaction, and the audit log keeps refusals too."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.access.permissions import Caller
from tracetogether.authority.status.store import RestrictingStore
from tracetogether.errors import AuthorityError

_ID: Final = re.compile(r"[A-Z2-7]{10}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Attempting:
    """Runs what an operator tries with orders, restrictions and appeals.

    Args:
        store: keeps them.
        audit: the log.
    """

    store: RestrictingStore
    audit: Audit

    @contextmanager
    def attempt(self, refused: str, now: float, *, by: Caller, subject: str) -> Iterator[None]:
        """Make the body one transaction, during which nobody else changes what it reads.

        Args:
            refused: the act of the audit entry if the body raises AuthorityError. The entry has
                the error's code as its reason; the body's writes are undone.
            now: epoch seconds.
            by: who tries.
            subject: id of the order, restriction, appeal or case that it is about. The entry leaves
                out a text that is no such id.

        Raises:
            AccessDeniedError: the console tries: two people are needed, and it is none.
        """
        try:
            by.require_person()
            with self.audit.atomic():
                self.store.status.lock()
                yield
        except AuthorityError as error:
            about = subject if _ID.fullmatch(subject) else ""
            self.audit.record(refused, now, by=by.name, subject=about, reason=error.code)
            raise
