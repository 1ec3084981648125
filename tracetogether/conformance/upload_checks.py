"""Checks of a server's uploads: most with pretended ones, which leave nothing behind."""

import secrets
from typing import Final

from tracetogether.conformance.checklist import CheckNotTriedError, require
from tracetogether.conformance.server_bench import (
    HttpAnswer,
    ServerBench,
    asked_for,
    live_counts,
    packed,
    usual_reasons,
)
from tracetogether.conformance.server_checks import FIRST, LAST, ServerCheck
from tracetogether.parameters import UPLOAD_TOKEN_LIFETIME_S

_EMPTY: Final = b'{"records":[],"events":[]}'
_NO_LEAVE: Final = "it needs the upload token of the check `pin`"
_TOKENS: Final = "POST /v1/upload-tokens"
_STEP: Final = 1_024  # answers of the two routes are filled up to a multiple of it
_CREATED: Final = 201


def _receipt(answer: HttpAnswer) -> str:
    records, accepted, rejected = live_counts()
    said = answer.expect(_CREATED).json()
    wanted = {"records": records, "accepted": accepted, "rejected": rejected}
    require(isinstance(said, dict) and {*said} >= {*wanted}, "the receipt lacks a field")
    for name, value in wanted.items():
        found = usual_reasons(said[name]) if name == "rejected" else said[name]
        require(found == value, f"{name}: {said[name]!r}; {value!r} was expected")
    return f"{accepted} of {records} records accepted, the others counted by reason"


def _pretend(bench: ServerBench) -> str:
    token = bench.pretended_token(_EMPTY)
    bench.pretend_upload(_EMPTY, token).expect(_CREATED)
    return bench.pretend_upload(_EMPTY, token).expect(409, "conflict").brief


def _hiding(bench: ServerBench) -> str:
    asked = asked_for(_EMPTY, "00000000")
    refused = bench.send(_TOKENS, asked, bearer=bench.met.credential, X_Plain="1")
    pretended = bench.send(_TOKENS, asked, bearer=bench.met.credential, X_Chaff="1")
    token = bench.pretended_token(_EMPTY)
    receipt = bench.pretend_upload(_EMPTY, token)
    again = bench.pretend_upload(_EMPTY, token)
    # Headers that a proxy adds have the same length in all answers.
    sizes = [
        answer.head_bytes + 4 * len(answer.headers) + len(answer.body)
        for answer in (refused, pretended, receipt, again)
    ]
    require(len({size % _STEP for size in sizes}) == 1, f"answers of {sizes} bytes")
    return f"refused, pretended and received: answers of {sizes[0]} bytes"


def _records(bench: ServerBench) -> str:
    _, log = bench.logs()
    return _receipt(bench.pretend_upload(log, bench.pretended_token(log)))


def _gzip(bench: ServerBench) -> str:
    _, log = bench.logs()
    token = bench.pretended_token(log)
    bench.pretend_upload(packed(log)[:-9], token, Content_Encoding="gzip").expect(
        400, "invalid_upload"
    )
    bench.pretend_upload(packed(log), token, Content_Encoding="br").expect(
        415, "unsupported_encoding"
    )
    return _receipt(bench.pretend_upload(packed(log), token, Content_Encoding="gzip"))


def _digest(bench: ServerBench) -> str:
    token = bench.pretended_token(_EMPTY)
    bench.pretend_upload(_EMPTY + b" ", token).expect(400, "invalid_upload")
    bench.pretend_upload(_EMPTY, token).expect(_CREATED)
    return "another log is refused, and the token stays good for its own"


def _owner(bench: ServerBench) -> str:
    token = bench.pretended_token(_EMPTY)
    for credential in (bench.sender.credential, ""):
        bench.pretend_upload(_EMPTY, token, credential=credential).expect(403, "denied")
    return "refused with another phone's credential, and without one"


def _no_log(bench: ServerBench) -> str:
    bodies = (b"[]", b'{"events":[]}', b'{"records":{}}', b"\xff")
    for body in bodies:
        token = bench.pretended_token(body)
        bench.pretend_upload(body, token).expect(400, "invalid_upload")
    return f"{len(bodies)} files that are no log"


def _token(bench: ServerBench) -> str:
    log, _ = bench.logs()
    asked = asked_for(log, bench.ask_for_pin())
    answers = [
        bench.send(_TOKENS, asked, bearer=bench.sender.credential).expect(_CREATED)
        for _ in range(2)
    ]
    said = [answer.json() for answer in answers]
    bench.token = str(said[1].get("upload_token", ""))
    sent = answers[0].seconds
    if sent is not None:
        life = said[0].get("expires_at", 0) - sent
        require(abs(life - UPLOAD_TOKEN_LIFETIME_S) < 60, f"the token lives for {life:.0f} s")
    other = {**asked, "attempt": secrets.token_hex(16)}
    refused = bench.send(_TOKENS, other, bearer=bench.sender.credential)
    refused.expect(403, "denied")
    return "the same attempt gets a token again, another attempt none"


def _upload(bench: ServerBench) -> str:
    if bench.token is None:
        raise CheckNotTriedError(_NO_LEAVE)
    log, _ = bench.logs()
    return _receipt(bench.upload(log, bench.token))


def _once(bench: ServerBench) -> str:
    if bench.pin is None or bench.token is None:
        raise CheckNotTriedError(_NO_LEAVE)
    log, _ = bench.logs()
    bench.upload(log, bench.token).expect(409, "conflict")
    asked = asked_for(log, bench.pin)
    return bench.send(_TOKENS, asked, bearer=bench.sender.credential).expect(409, "conflict").brief


UPLOADS: Final = (
    ServerCheck(
        "pretend",
        "a pretended upload is taken once",
        "Answer X-Chaff with 201 and a token that admits nothing, and its upload like any other.",
        _pretend,
    ),
    ServerCheck(
        "hiding",
        "answers of the upload routes have one length",
        "Fill status line, headers and body of all their answers up to a multiple of 1,024 bytes, "
        "with blanks after the JSON.",
        _hiding,
    ),
    ServerCheck(
        "records",
        "each record is accepted or counted by its reason",
        "Compare with `live` of upload.json: both ends of a window are in it, times above "
        "10,000,000,000 are milliseconds, and one bad record costs no other.",
        _records,
    ),
    ServerCheck(
        "gzip",
        "a log comes plain or as gzip",
        "Take Content-Encoding: gzip; refuse damaged data with 400 invalid_upload and other "
        "encodings with 415 unsupported_encoding.",
        _gzip,
    ),
    ServerCheck(
        "digest",
        "a token takes the log of its digest, and no other",
        "Compare SHA-256 of the unpacked bytes before they are parsed; keep the token good.",
        _digest,
    ),
    ServerCheck(
        "owner",
        "a token serves only the phone that got it",
        "Compare the phone of X-Credential with the token's: 403 denied.",
        _owner,
    ),
    ServerCheck(
        "no-log",
        "a file that is no contact log is refused",
        "Answer 400 invalid_upload unless there is a list `records` in JSON in UTF-8.",
        _no_log,
    ),
    ServerCheck(
        "pin",
        "a PIN becomes a token, once, for two hours",
        "Bind the PIN to the user, the digest and `attempt`; answer the same attempt again.",
        _token,
    ),
    ServerCheck(
        "upload",
        "a log comes in with a PIN",
        "See `records`: a real upload gets the same receipt as a pretended one.",
        _upload,
    ),
    ServerCheck(
        "once",
        "a PIN takes in one log",
        "Answer 409 conflict when the log was received, for the token and for the PIN.",
        _once,
    ),
)
SERVER_CHECKS: Final = (*FIRST, *UPLOADS, *LAST)
"""All checks of a server, in their order."""
