"""Every error of this library, by name.

TraceTogetherError
├── InvalidTempIDError
├── InvalidUploadError
├── InvalidReadingsError
├── KeyRingError
├── SealError
├── UnreadableMessageError     a signed message breaks a rule of its format; the code says which
├── TrustError                 a trust list, certificate or key can't be used
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

import re


class TraceTogetherError(Exception):
    """Root of all errors of this library; never raised itself.

    Args:
        message: what is wrong and what to do. Where ``figures`` are given, each ``{name}`` in it is
            replaced by the figure of that name.
        code: the kind of failure, in kebab-case. "" takes the class's own code: its name, such as
            "not-found" for NotFoundError.
        figures: the values in the sentence, by name.

    Example:
        >>> error = NotFoundError("there is no case {case}", "no-such-case", case="K7")
        >>> str(error), error.code, error.figures
        ('there is no case K7', 'no-such-case', {'case': 'K7'})
    """

    code = "error"

    def __init_subclass__(cls) -> None:
        words = re.sub("(?<=[a-z])(?=[A-Z])", "-", cls.__name__.removesuffix("Error"))
        cls.code = words.lower()

    def __init__(self, message: str, code: str = "", /, **figures: object) -> None:
        super().__init__(message.format(**figures) if figures else message)
        self.code = code or type(self).code
        self.figures = figures


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


class UnreadableMessageError(TraceTogetherError):
    """A signed message or its text breaks a rule of its format; ``code`` says which one."""


class TrustError(TraceTogetherError):
    """A trust list, certificate or key is not what it should be, or can't be used."""


class CalibrationError(TraceTogetherError):
    """A calibration table is not in one of the published layouts."""


class ScenarioError(TraceTogetherError):
    """A scenario is wrong; names the file and the key."""


class StoreError(TraceTogetherError):
    """A read from storage or a write to it failed; nothing stored is lost."""


class BusyError(StoreError):
    """Another program is writing to the store."""


class DamagedLogError(StoreError):
    """A contact log's file is damaged, or is not a contact log."""


class AuthorityError(TraceTogetherError):
    """The health authority refuses a request."""


class InvalidRequestError(AuthorityError):
    """A value that was sent is missing, too long or of the wrong form."""


class AccessDeniedError(AuthorityError):
    """The credential is missing, wrong, expired, or not allowed to do this."""


class NotFoundError(AuthorityError):
    """There is no such user, case, contact or operator."""


class ConflictError(AuthorityError):
    """The request does not fit what is stored; it may succeed after a change."""


class StaleError(ConflictError):
    """Somebody else changed the record first; nothing was written."""


class RateLimitedError(AuthorityError):
    """Too many requests of this kind; try again after ``retry_after_s`` seconds."""

    def __init__(
        self,
        retry_after_s: int,
        message: str = "too many requests of this kind: try again in {seconds} s",
        code: str = "",
        /,
        **figures: object,
    ) -> None:
        super().__init__(message, code, **figures, seconds=retry_after_s)
        self.retry_after_s = retry_after_s


class ClockError(AuthorityError):
    """The system clock may be wrong; nothing is deleted until it is right."""


class AuditError(AuthorityError):
    """The audit log was changed: an entry is missing, altered or inserted."""


class UnreachableError(TraceTogetherError):
    """The authority, a Dask scheduler or a process did not answer; nothing was changed here."""


class MissingExtraError(TraceTogetherError):
    """An optional part is not installed; the message has the pip command."""

    def __init__(self, what: str, extra: str) -> None:
        message = (
            "{what} needs packages that are not installed: pip install 'tracetogether[{extra}]' "
            "(in a checkout: pip install -e '.[{extra}]')"
        )
        super().__init__(message, what=what, extra=extra)
        self.extra = extra


class RadioError(TraceTogetherError):
    """The Bluetooth adapter is missing or fails."""


class LinkError(RadioError):
    """One connection to another phone failed; the adapter works."""


class ProtocolError(TraceTogetherError):
    """The exchange between two phones went wrong."""


class LocalProtocolError(ProtocolError):
    """This side tried something that the protocol does not allow now: a bug here."""


class RemoteProtocolError(ProtocolError):
    """The other phone sent something that the protocol does not allow."""
