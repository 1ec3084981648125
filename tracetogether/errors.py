"""Every error of this library, by name.

TraceTogetherError
├── InvalidTempIDError
├── InvalidUploadError
├── InvalidReadingsError
├── KeyRingError
├── SealError
├── CalibrationError
├── ScenarioError
├── StoreError
│   ├── BusyError              another program is writing
│   └── DamagedLogError        a contact log's file can't be trusted
├── AuthorityError
│   ├── InvalidRequestError    what was sent is wrong, whatever is stored
│   ├── AccessDeniedError
│   ├── NotFoundError
│   ├── ConflictError          what was sent does not fit what is stored
│   │   └── StaleError         somebody else changed it first
│   ├── RateLimitedError
│   ├── ClockError
│   └── AuditError
├── UnreachableError
├── MissingExtraError
├── RadioError
│   └── LinkError              one connection failed; the next one may work
└── ProtocolError
    ├── LocalProtocolError     our own code broke the rules
    └── RemoteProtocolError    the other phone did

``str(error)`` is one English sentence: what is wrong, where, and what to do. ``error.code`` names
the kind of failure and stays the same when the sentence is reworded; ``error.figures`` has the
values in the sentence. Programs branch on the code and pages translate it: never parse the text.

One item that fails raises. A batch that fails in parts returns values (``Rejection``), so that one
bad record never hides the good ones.
"""


class TraceTogetherError(Exception):
    """Root of all errors of this library; never raised itself.

    Args:
        message: what is wrong and what to do. Where ``figures`` are given, each ``{name}`` in it is
            replaced by the figure of that name.
        code: the kind of failure, in kebab-case. "" takes the class's own code.
        figures: the values in the sentence, by name.

    Example:
        >>> error = NotFoundError("there is no case {case}", "no-such-case", case="K7")
        >>> str(error), error.code, error.figures
        ('there is no case K7', 'no-such-case', {'case': 'K7'})
    """

    code = "error"

    def __init__(self, message: str, code: str = "", /, **figures: object) -> None:
        super().__init__(message.format(**figures) if figures else message)
        self.code = code or type(self).code
        self.figures = figures


class InvalidTempIDError(TraceTogetherError):
    """A token is not a TempID that these keys issued."""

    code = "invalid-tempid"


class InvalidUploadError(TraceTogetherError):
    """An uploaded contact log, PIN or upload token can't be accepted."""

    code = "invalid-upload"


class InvalidReadingsError(TraceTogetherError):
    """A table of readings can't be read; names the file, and the line or column."""

    code = "invalid-readings"


class KeyRingError(TraceTogetherError):
    """A key is missing, destroyed, or its file is damaged or readable by others."""

    code = "key-ring"


class SealError(TraceTogetherError):
    """A sealed value was changed, or sealed under another key."""

    code = "seal"


class CalibrationError(TraceTogetherError):
    """A calibration table is not in one of the published layouts."""

    code = "calibration"


class ScenarioError(TraceTogetherError):
    """A scenario is wrong; names the file and the key."""

    code = "scenario"


class StoreError(TraceTogetherError):
    """A read from storage or a write to it failed; nothing stored is lost."""

    code = "store"


class BusyError(StoreError):
    """Another program is writing to the store."""

    code = "store-busy"


class DamagedLogError(StoreError):
    """A contact log's file is damaged, or is not a contact log."""

    code = "damaged-log"


class AuthorityError(TraceTogetherError):
    """The health authority refuses a request."""

    code = "authority"


class InvalidRequestError(AuthorityError):
    """A value that was sent is missing, too long or of the wrong form."""

    code = "invalid-request"


class AccessDeniedError(AuthorityError):
    """The credential is missing, wrong, expired, or not allowed to do this."""

    code = "denied"


class NotFoundError(AuthorityError):
    """There is no such user, case, contact or operator."""

    code = "not-found"


class ConflictError(AuthorityError):
    """The request does not fit what is stored; it may succeed after a change."""

    code = "conflict"


class StaleError(ConflictError):
    """Somebody else changed the record first; nothing was written."""

    code = "stale"


class RateLimitedError(AuthorityError):
    """Too many requests of this kind; try again after ``retry_after_s`` seconds."""

    code = "rate-limited"

    def __init__(
        self,
        retry_after_s: int,
        message: str = "too many requests of this kind: try again in {seconds} seconds",
        code: str = "",
        /,
        **figures: object,
    ) -> None:
        super().__init__(message, code, **figures, seconds=retry_after_s)
        self.retry_after_s = retry_after_s


class ClockError(AuthorityError):
    """The system clock may be wrong; nothing is deleted until it is right."""

    code = "clock"


class AuditError(AuthorityError):
    """The audit log was changed: an entry is missing, altered or inserted."""

    code = "audit"


class UnreachableError(TraceTogetherError):
    """The authority, or a Dask scheduler, did not answer; nothing was changed here."""

    code = "unreachable"


class MissingExtraError(TraceTogetherError):
    """An optional part is not installed; the message has the pip command."""

    code = "missing-extra"

    def __init__(self, what: str, extra: str) -> None:
        message = (
            "{what} needs packages that are not installed: pip install 'tracetogether[{extra}]' "
            "(in a checkout: pip install -e '.[{extra}]')"
        )
        super().__init__(message, what=what, extra=extra)
        self.extra = extra


class RadioError(TraceTogetherError):
    """The Bluetooth adapter is missing or fails."""

    code = "radio"


class LinkError(RadioError):
    """One connection to another phone failed; the adapter works."""

    code = "link"


class ProtocolError(TraceTogetherError):
    """The exchange between two phones went wrong."""

    code = "protocol"


class LocalProtocolError(ProtocolError):
    """This side tried something that the protocol does not allow now: a bug here."""

    code = "local-protocol"


class RemoteProtocolError(ProtocolError):
    """The other phone sent something that the protocol does not allow."""

    code = "remote-protocol"
