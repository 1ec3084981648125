"""What a change would do, found out by doing it and taking it back."""

from collections.abc import Iterator
from contextlib import contextmanager

from tracetogether.authority.access.audit import Audit


class _AskedOnlyError(Exception):
    """Ends a transaction whose body was only tried."""


@contextmanager
def rehearsed(audit: Audit, *, only_ask: bool) -> Iterator[None]:
    """Make all that the body writes happen together; with ``only_ask``, nothing of it stays."""
    try:
        with audit.atomic():
            yield
            if only_ask:
                raise _AskedOnlyError  # noqa: TRY301 - it ends the transaction
    except _AskedOnlyError:
        pass
