"""No identity without a reason: what asks for one, and writes down who had none."""

from typing import Final

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.access.permissions import Caller
from tracetogether.errors import InvalidRequestError
from tracetogether.plain_text import hidden_in

LONGEST_REASON: Final = 200
"""Characters: a reason is a line, not a file."""


def reason_given(
    audit: Audit, reason: str, now: float, *, by: Caller, case_id: str, contact: str
) -> str:
    """Return the reason for which a person is to be known; without one, the try is audited.

    Args:
        audit: where the refusal is written down.
        reason: what was said.
        now: epoch seconds.
        by: who asks.
        case_id: of the case.
        contact: the contact's pseudonym.

    Raises:
        InvalidRequestError: the reason is empty, has more than 200 characters, or has control
            characters, which could disguise entries of the audit log.
    """
    given = reason.strip()
    hidden = hidden_in(given)
    if given and len(given) <= LONGEST_REASON and not hidden:
        return given
    audit.record("contact.reveal-refused", now, by=by.name, subject=case_id, contact=contact)
    if hidden:
        msg = "a reason is one line of plain text: remove its line breaks and control characters"
        raise InvalidRequestError(msg, "reason-not-plain")
    msg = "give a reason of 1 to {count} characters: it is recorded in the audit log"
    raise InvalidRequestError(msg, "reason-needed", count=LONGEST_REASON)
