"""Limits of what one operator does in a day, with an entry in the audit log."""

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.access.limits import Limit, Limits
from tracetogether.authority.access.permissions import Caller
from tracetogether.errors import RateLimitedError


def take_of_operator(
    limit: Limit, act: str, now: float, limits: Limits, audit: Audit, *, by: Caller
) -> None:
    """Count what an operator does. The first one too many is in the audit log, the others not.

    Args:
        limit: how many are allowed.
        act: of the audit entry.
        now: epoch seconds.
        limits: the counts.
        audit: the log.
        by: the operator.

    Raises:
        RateLimitedError: the limit is exceeded.
    """
    count = limits.add(limit, by.name, now)
    if count <= limit.at_most:
        return
    if count == limit.at_most + 1:
        audit.record(act, now, by=by.name, count=count)
    raise RateLimitedError(limit.per_s - int(now) % limit.per_s)
