"""Checks of a server: what it answers to phones and strangers, before any log is uploaded."""

import math
import re
import time
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import Any, Final

from tracetogether.bluetrace.batch import TempIDBatch
from tracetogether.bluetrace.token_text import raw_of_texts
from tracetogether.conformance.answers import REFUSALS
from tracetogether.conformance.checklist import (
    Check,
    CheckFailedError,
    CheckNotTriedError,
    Finding,
    Verdict,
    require,
)
from tracetogether.conformance.server_bench import ServerBench, asked_for
from tracetogether.errors import InvalidTempIDError
from tracetogether.parameters import BLUETRACE, CLOCK_ERROR_S

_CANARY: Final = "canary-of-the-checks"
_STRANGER: Final = "A" * 43  # like a credential, and nobody's
_TOO_LONG: Final = 40_000
_USER_ID: Final = re.compile(r"[A-Za-z0-9+/_-]{28}")
_TRIES: Final = 3  # a window may end between two requests
_SLACK_S: Final = 2  # HTTP's Date has whole seconds
_OK: Final = 200


ServerCheck = Check[Callable[[ServerBench], str]]


def run_checks(checks: Iterable[ServerCheck], bench: ServerBench) -> Verdict:
    """Run checks in their order; one that fails stops no other.

    Raises:
        UnreachableError: the server gives no answer.
    """
    return Verdict([_found(check, bench) for check in checks])


def _found(check: ServerCheck, bench: ServerBench) -> Finding:
    try:
        return check.passed(check.run(bench))
    except (CheckFailedError, CheckNotTriedError) as error:
        return check.ended(error)
    except (TypeError, LookupError, AttributeError, ValueError) as error:
        # A list where an object was expected, for one: the check reads what a stranger sent.
        return check.ended(CheckFailedError(f"the answer has another form: {type(error).__name__}"))


def _health(bench: ServerBench) -> str:
    answer = bench.send("GET /v1/health").expect(_OK)
    require(answer.json() == {"status": "ok"}, "the body is not {'status': 'ok'}")
    return answer.brief


def _unknown(bench: ServerBench) -> str:
    bench.send("GET /v1/no-such-route").expect(404, "not_found")
    return bench.send("PUT /v1/users").expect(405, "method_not_allowed").brief


def _register(bench: ServerBench) -> str:
    if bench.uploader is None:
        bench.uploader = bench.register()
    bench.other = bench.register()
    both = (bench.uploader, bench.other)
    for phone in both:
        require(_USER_ID.fullmatch(phone.user_id), "a user id has not 28 base64 characters")
        require(len(phone.credential) >= 32, "a credential has fewer than 32 characters")
    require(bench.uploader.user_id != bench.other.user_id, "two phones have one user id")
    require(bench.uploader.credential != bench.other.credential, "two phones have one credential")
    return "two phones, with ids and credentials of their own"


def _strangers(bench: ServerBench) -> str:
    body = asked_for(b"", "00000000")
    for route, sent in (
        ("POST /v1/tempids", None),
        ("DELETE /v1/users/me", None),
        ("POST /v1/upload-tokens", body),
        ("POST /v1/uploads", b"{}"),
    ):
        answers = [bench.send(route, sent, bearer=bearer) for bearer in (None, _STRANGER)]
        for answer in answers:
            answer.expect(401, "unauthorized")
            require("www-authenticate" in answer.headers, f"{route}: WWW-Authenticate is missing")
        same = answers[0].json() == answers[1].json()
        require(same, f"{route} answers a wrong credential otherwise than a missing one")
    return "401 on every route, with one body"


def _tempids(bench: ServerBench) -> str:
    for phone in (bench.sender, bench.met):
        answer = bench.send("POST /v1/tempids", bearer=phone.credential).expect(_OK)
        said = answer.json()
        try:
            batch = TempIDBatch.from_json(said)
        except InvalidTempIDError:
            raise CheckFailedError("the answer lacks tempIDs, their times or refreshTime") from None
        require(said.get("status") == "SUCCESS", "status is not SUCCESS")
        times = [said["refreshTime"]]
        times += [item[name] for item in said["tempIDs"] for name in ("startTime", "expiryTime")]
        require(all(type(at) is int for at in times), "a time is no whole number of seconds")
        texts = [tempid.text for tempid in batch]
        _, well_formed = raw_of_texts(texts)
        require(well_formed.all(), "a TempID is not 61 bytes in 84 characters of base64")
        require(len({*texts}) == len(texts), "a TempID comes twice in one batch")
        if phone is bench.other:
            bench.batch = said
        else:
            bench.own_batch = said
    return f"{len(bench.issued['tempIDs'])} TempIDs of 84 characters"


def _windows(bench: ServerBench) -> str:
    batch = TempIDBatch.from_json(bench.issued)
    now = bench.answers[-1].seconds or time.time()  # noqa: TID251 - compared with a live server
    for before, after in pairwise(batch):
        require(before.expiry == after.start, "a window does not begin where the one before ends")
    longest = max(tempid.expiry - tempid.start for tempid in batch)
    require(longest <= BLUETRACE.validity_s, f"a window has {longest} s")
    require(min(tempid.expiry - tempid.start for tempid in batch) > 0, "a window is empty")
    first, last = batch.tempids[0], batch.tempids[-1]
    minute_ago = now - BLUETRACE.early_start_s
    require(first.start <= minute_ago + _SLACK_S, "the first window has not begun a minute ago")
    require(minute_ago - _SLACK_S < first.expiry, "the first window was over a minute ago")
    require(batch.at(now), "no TempID is valid at the time of the answer")
    require(now < batch.refresh_at < last.expiry, "refreshTime is not before the last TempID ends")
    return f"windows of up to {longest} s, for {(last.expiry - now) / 3600:.0f} hours"


def _same_batch(bench: ServerBench) -> str:
    for _ in range(_TRIES):
        first, second = (
            bench.send("POST /v1/tempids", bearer=bench.met.credential).expect(_OK).json()
            for _ in range(2)
        )
        if first["tempIDs"] == second["tempIDs"]:
            return "two requests, one batch"
    raise CheckFailedError("two requests within one window return different TempIDs")


def _own_tempids(bench: ServerBench) -> str:
    own = bench.send("POST /v1/tempids", bearer=bench.sender.credential).expect(_OK).json()
    texts = [{item["tempID"] for item in said["tempIDs"]} for said in (own, bench.issued)]
    require(not texts[0] & texts[1], "two phones have a TempID in common")
    ivs = [{bytes(row[29:45]) for row in raw_of_texts(sorted(text_set))[0]} for text_set in texts]
    require(not ivs[0] & ivs[1], "TempIDs of two phones are sealed with one IV")
    require(len(ivs[0]) == len(texts[0]), "TempIDs of one phone are sealed with one IV")
    return "two phones share neither TempID nor IV"


def _clock(bench: ServerBench) -> str:
    seconds = bench.send("GET /v1/health").seconds
    if seconds is None:
        raise CheckFailedError("the header Date is missing")
    ahead = seconds - time.time()  # noqa: TID251 - compared with a live server
    require(abs(ahead) <= CLOCK_ERROR_S, f"its clock differs from this machine's by {ahead:.0f} s")
    return f"its clock is within {max(1, math.ceil(abs(ahead)))} s of this machine's"


def _bodies(bench: ServerBench) -> str:
    good = asked_for(b"", "00000000")
    bad: tuple[bytes | Mapping[str, Any], ...] = (
        {**good, "pin": _CANARY},
        {**good, "sha256": _CANARY},
        {**good, _CANARY: 1},
        {"pin": "00000000"},
        b"{" + _CANARY.encode(),
    )
    for body in bad:
        answer = bench.send("POST /v1/upload-tokens", body, bearer=bench.sender.credential)
        answer.expect(400, "invalid_request")
        require(_CANARY.encode() not in answer.body, "the answer repeats what was sent")
    return f"{len(bad)} bad bodies, each 400 without an echo"


def _long_bodies(bench: ServerBench) -> str:
    body = b" " * _TOO_LONG
    answer = bench.send("POST /v1/upload-tokens", body, bearer=bench.sender.credential)
    return answer.expect(413, "too_large").brief


def _wrong_pin(bench: ServerBench) -> str:
    answer = bench.send(
        "POST /v1/upload-tokens", asked_for(b"", "00000000"), bearer=bench.met.credential
    )
    return answer.expect(403, "denied").brief


def _kept(bench: ServerBench) -> str:
    kept = [
        answer.route
        for answer in bench.answers
        if "no-store" not in answer.headers.get("cache-control", "")
    ]
    require(not kept, f"without Cache-Control: no-store: {', '.join(sorted({*kept}))}")
    return f"{len(bench.answers)} answers with Cache-Control: no-store"


def _errors(bench: ServerBench) -> str:
    known = {(row.status, row.code): row.retry for row in REFUSALS}
    refused = [answer for answer in bench.answers if answer.status >= 400]
    for answer in refused:
        pair = (answer.status, answer.code)
        require(pair in known, f"{answer.brief}, which is no known pair of status and code")
        error = answer.json()["error"]
        named = isinstance(error.get("message"), str) and error.get("retry") is known[pair]
        require(named, f"{answer.brief} without message, or with a wrong retry")
        later = answer.headers.get("retry-after", "").isdigit() or not known[pair]
        require(later, f"{answer.brief} without Retry-After")
    return f"{len(refused)} refusals, each with code, message and retry"


def _withdraw(bench: ServerBench) -> str:
    credential = bench.met.credential
    bench.send("DELETE /v1/users/me", bearer=credential).expect(_OK)
    bench.other = None
    bench.send("POST /v1/tempids", bearer=credential).expect(401, "unauthorized")
    return "the second phone is gone; its credential opens nothing"


FIRST: Final = (
    ServerCheck(
        "health",
        "GET /v1/health answers",
        "Answer 200 and {'status': 'ok'} while the store can be read.",
        _health,
    ),
    ServerCheck(
        "unknown-routes",
        "unknown routes and methods are refused in JSON",
        "Answer 404 not_found and 405 method_not_allowed in the form of all errors.",
        _unknown,
    ),
    ServerCheck(
        "register",
        "a phone gets a user id and a credential",
        "Answer POST /v1/users with 201, 21 random bytes as base64, and a random credential.",
        _register,
    ),
    ServerCheck(
        "strangers",
        "a stranger gets 401, whatever is sent",
        "Check the bearer first; give a missing and a wrong one the same body, with "
        "WWW-Authenticate: Bearer.",
        _strangers,
    ),
    ServerCheck(
        "tempids",
        "TempIDs have their form",
        "Answer POST /v1/tempids as OpenTrace: 84 characters of base64 each, times as whole "
        "seconds. OpenTrace's Android app reads any other refreshTime as 0.",
        _tempids,
    ),
    ServerCheck(
        "windows",
        "windows follow each other, and the first has begun",
        "Let each window begin where the one before ends, with 15 minutes at most, and the first "
        "a minute before the answer, so that clocks may differ.",
        _windows,
    ),
    ServerCheck(
        "same-batch",
        "asking twice within a window gives the same batch",
        "Derive IVs from the user and the window instead of drawing them for each request.",
        _same_batch,
    ),
    ServerCheck(
        "own-tempids",
        "no TempID and no IV comes twice",
        "Seal each TempID with an IV of its own: AES-GCM breaks if one repeats under one key.",
        _own_tempids,
    ),
    ServerCheck(
        "clock",
        "the server says its time, and it is right",
        "Send the header Date, and set the clock: phones compare theirs with it.",
        _clock,
    ),
    ServerCheck(
        "bad-bodies",
        "a bad body is refused and not repeated",
        "Answer 400 invalid_request to unknown, missing and malformed fields, without their "
        "values.",
        _bodies,
    ),
    ServerCheck(
        "long-bodies",
        "a body that is too long is refused",
        "Answer 413 too_large above 32,768 bytes on all routes but POST /v1/uploads.",
        _long_bodies,
    ),
    ServerCheck(
        "wrong-pin",
        "a wrong upload PIN is denied",
        "Answer 403 denied, the same to wrong, expired, used and void PINs.",
        _wrong_pin,
    ),
)
"""Checks that come before those of uploads."""
LAST: Final = (
    ServerCheck(
        "withdraw",
        "a phone can withdraw",
        "Answer DELETE /v1/users/me with 200, and forget the credential with all else.",
        _withdraw,
    ),
    ServerCheck(
        "errors",
        "every refusal has code, message and retry",
        "Use the statuses and codes of docs/reference/http.md, and Retry-After where retry is "
        "true.",
        _errors,
    ),
    ServerCheck(
        "no-store",
        "no answer may be kept by a cache",
        "Send Cache-Control: no-store with every answer.",
        _kept,
    ),
)
"""Checks that come last, since they look back at all answers."""
