"""What a phone does with each answer of the server that refuses a request."""

from dataclasses import asdict, dataclass
from typing import Any, Final

_SENT_AGAIN: Final = frozenset({429, 503})


@dataclass(frozen=True, slots=True)
class RefusalForPhones:
    """An answer that a phone may get to a request of its own.

    Attributes:
        status, code: as in the answer.
        routes: which requests may get it; "" stands for all.
        then: what the phone does.
    """

    status: int
    code: str
    routes: tuple[str, ...]
    then: str

    @property
    def retry(self) -> bool:
        """Whether the same request may succeed later."""
        return self.status in _SENT_AGAIN


_ALL: Final = ("",)
_PIN: Final = ("/v1/upload-tokens",)
_LOG: Final = ("/v1/uploads",)
REFUSALS: Final = (
    RefusalForPhones(400, "invalid_request", _ALL, "Correct the request: it is a fault."),
    RefusalForPhones(
        400,
        "invalid_upload",
        _PIN + _LOG,
        "Send the very bytes whose digest was sent with the PIN.",
    ),
    RefusalForPhones(
        401,
        "unauthorized",
        _ALL,
        "Of a credential: register again, as a new user. Of an upload token: redeem the PIN again.",
    ),
    RefusalForPhones(
        403,
        "denied",
        _PIN,
        "Ask the person to compare the PIN. Five tries are allowed, then a new PIN is needed.",
    ),
    RefusalForPhones(
        403, "denied", _LOG, "Send the token of this phone, and its credential with it."
    ),
    RefusalForPhones(404, "not_found", _LOG, "Stop: the case is closed, nobody needs it."),
    RefusalForPhones(405, "method_not_allowed", _ALL, "Correct the request: it is a fault."),
    RefusalForPhones(408, "too_slow", _ALL, "Send it again over a faster connection."),
    RefusalForPhones(
        409, "conflict", _PIN + _LOG, "Stop: the log was received, nothing is left to do."
    ),
    RefusalForPhones(
        413, "too_large", _ALL, "Send fewer records of the same TempID, the oldest left out."
    ),
    RefusalForPhones(415, "unsupported_encoding", _LOG, "Send the log plain or as gzip."),
    RefusalForPhones(429, "busy", _LOG, "Send the same request after Retry-After seconds."),
    RefusalForPhones(429, "rate_limited", _ALL, "Send the same request after Retry-After seconds."),
    RefusalForPhones(500, "internal", _ALL, "Try again later; the operator has a log."),
    RefusalForPhones(503, "unavailable", _ALL, "Send the same request after Retry-After seconds."),
)


def answer_vectors() -> dict[str, Any]:
    """Return the content of answers.json."""
    return {
        "about": "Every refusal that a phone may get. The body is {'error': {'code', 'message', "
        "'retry'}}; a phone reads `code` and `retry`, never `message`. `routes` are those that "
        "send it; '' stands for all. Blanks may follow the JSON.",
        "refusals": [
            {
                **asdict(refusal),
                "retry": refusal.retry,
                "body": {
                    "error": {
                        "code": refusal.code,
                        "message": "a sentence in English",
                        "retry": refusal.retry,
                    }
                },
            }
            for refusal in REFUSALS
        ],
    }
