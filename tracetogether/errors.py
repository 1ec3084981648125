"""Everything that can go wrong, by name; the message says what, where and what to do.

TraceTogetherError
├── InvalidTempIDError
├── InvalidUploadError
├── InvalidReadingsError
├── KeyRingError
├── SealError
├── CalibrationError
├── ScenarioError
├── StoreError
│   └── DamagedLogError        a contact log's file: what is read of it can't be trusted
├── AuthorityError
│   ├── AccessDeniedError
│   ├── NotFoundError
│   ├── ConflictError
│   │   └── StaleError         somebody changed it meanwhile
│   ├── RateLimitedError
│   ├── ClockError
│   └── AuditError
├── UnreachableError
├── MissingExtraError
├── RadioError
│   └── LinkError              one connection failed: usual, the next one may not
└── ProtocolError
    ├── LocalProtocolError     our own code broke the rules
    └── RemoteProtocolError    the other phone did

One item that fails raises. A batch that fails in parts returns values
(``Rejection``), so that one bad record never hides the good ones.
"""


class TraceTogetherError(Exception):
    """Root of all errors of this library; never raised itself."""


class InvalidTempIDError(TraceTogetherError):
    """A token is not a TempID that these keys issued."""


class InvalidUploadError(TraceTogetherError):
    """An uploaded contact log, PIN or upload token can't be accepted."""


class InvalidReadingsError(TraceTogetherError):
    """A table of readings can't be read; names the file, and the line or column."""


class KeyRingError(TraceTogetherError):
    """A key is missing, destroyed, or its file is damaged or readable by others."""


class SealError(TraceTogetherError):
    """A sealed value was changed, or sealed under another key."""


class CalibrationError(TraceTogetherError):
    """A calibration table is not in one of the published layouts."""


class ScenarioError(TraceTogetherError):
    """A scenario is wrong; names the file and the key."""


class StoreError(TraceTogetherError):
    """Something could not be read from or written to storage; nothing stored is lost."""


class DamagedLogError(StoreError):
    """A contact log's file is damaged, or something else stands in its place."""


class AuthorityError(TraceTogetherError):
    """The health authority refuses a request."""


class AccessDeniedError(AuthorityError):
    """The credential is missing, wrong, expired, or not allowed to do this."""


class NotFoundError(AuthorityError):
    """There is no such user, case or upload."""


class ConflictError(AuthorityError):
    """The request does not fit the state it meets; it may be repeated after a change."""


class StaleError(ConflictError):
    """What a change was based on was changed meanwhile; nothing was written."""


class RateLimitedError(AuthorityError):
    """Too many requests of this kind; try again when some time has passed."""

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ClockError(AuthorityError):
    """The machine's clock may be wrong: nothing is destroyed, and nobody served, by it."""


class AuditError(AuthorityError):
    """The audit log is not what was written: an entry is missing, changed or put in."""


class UnreachableError(TraceTogetherError):
    """The authority, or a Dask scheduler, did not answer; nothing was changed here."""


class MissingExtraError(TraceTogetherError):
    """An optional part is not installed; prints the pip line."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(
            f"{what} needs packages that are not installed: pip install 'tracetogether[{extra}]' "
            f"(in a checkout: pip install -e '.[{extra}]')"
        )
        self.extra = extra


class RadioError(TraceTogetherError):
    """The Bluetooth adapter is missing, or does not do what it is told."""


class LinkError(RadioError):
    """One connection to another phone failed or broke; the adapter is well."""


class ProtocolError(TraceTogetherError):
    """The exchange between two phones went wrong."""


class LocalProtocolError(ProtocolError):
    """This side tried something that the protocol does not allow now: a bug here."""


class RemoteProtocolError(ProtocolError):
    """The other phone sent something that the protocol does not allow."""
