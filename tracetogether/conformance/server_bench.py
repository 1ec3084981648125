"""A server under test: requests to it as bare HTTP, and what the checks have learned so far."""

import gzip
import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeVar

import urllib3

from tracetogether.adapters.http_client import checked_address
from tracetogether.conformance.checklist import CheckNotTriedError, require
from tracetogether.conformance.known_answers import shipped
from tracetogether.errors import AuthorityError, UnreachableError
from tracetogether.phone_registration import PhoneRegistration

_TIMEOUT_S: Final = 30.0
_MOST_SHOWN: Final = 60
_NEEDS_PIN: Final = "it needs an upload PIN of the phone that uploads"

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer of the server.

    Attributes:
        route: the request's method and path.
        head_bytes: length of the status line's phrase and of all headers.
    """

    route: str
    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    head_bytes: int

    def json(self) -> Any:  # noqa: ANN401 - whatever the server sent
        """Return the body as JSON; None if it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def code(self) -> str:
        """The error's code; "" without one."""
        said = self.json()
        error = said.get("error") if isinstance(said, dict) else None
        code = error.get("code") if isinstance(error, dict) else None
        return code if isinstance(code, str) else ""

    @property
    def brief(self) -> str:
        """The status, and the code of an error; never a value of the body."""
        code = self.code[:_MOST_SHOWN]
        return f"{self.route} answered {self.status}" + (f" ({code})" if code else "")

    @property
    def seconds(self) -> float | None:
        """The server's time by the header Date, epoch seconds; None without one."""
        try:
            return parsedate_to_datetime(self.headers.get("date", "")).timestamp()
        except (ValueError, OverflowError):
            return None

    def expect(self, status: int, code: str = "") -> "HttpAnswer":
        """Return the answer if it has this status and code.

        Raises:
            CheckFailedError: it has not.
        """
        wanted = f"{status} {code}".strip()
        require((self.status, self.code) == (status, code), f"{self.brief}; {wanted} was expected")
        return self


class ServerBench:
    """One run of the checks against one server.

    Args:
        url: address of the server.
        uploader: a phone that registered before, whose PIN is given; None registers one.
        pin_for: returns an upload PIN for the uploader's user id; None leaves the checks out that
            need one.
        allow_plain_http: send secrets over http to other machines too.

    Attributes:
        uploader, other: the phone that uploads, and one that it has met. The other is new in each
            run and pretends uploads, of which a server may allow a phone some twenty an hour.
        batch, own_batch: TempIDs of the other phone and of the uploader, as the server answered.
        pin, token: the uploader's PIN, and the upload token that it became.
        answers: all answers so far.

    Raises:
        UnreachableError: the address is none, or not safe.
    """

    def __init__(
        self,
        url: str,
        *,
        uploader: PhoneRegistration | None = None,
        pin_for: Callable[[str], str] | None = None,
        allow_plain_http: bool = False,
    ) -> None:
        self._url = checked_address(url, allow_plain_http=allow_plain_http)
        self._pool = urllib3.PoolManager(timeout=_TIMEOUT_S)
        self.uploader = uploader
        self.other: PhoneRegistration | None = None
        self.batch: Mapping[str, Any] | None = None
        self.own_batch: Mapping[str, Any] | None = None
        self.pin: str | None = None
        self.token: str | None = None
        self._pin_for = pin_for
        self.answers: list[HttpAnswer] = []

    def close(self) -> None:
        """Close all connections."""
        self._pool.clear()

    def send(
        self,
        route: str,
        body: bytes | Mapping[str, Any] | None = None,
        *,
        bearer: str | None = None,
        **more: str,
    ) -> HttpAnswer:
        """Send one request, and return the answer whatever it is.

        Args:
            route: method and path, such as "POST /v1/tempids".
            body: bytes, or what is sent as JSON.
            bearer: credential or token.
            more: headers, with underscores for hyphens.

        Raises:
            UnreachableError: no answer came.
        """
        method, path = route.split()
        headers = {name.replace("_", "-"): value for name, value in more.items()}
        if bearer is not None:
            headers["Authorization"] = f"Bearer {bearer}"
        if body is not None:
            headers["Content-Type"] = "application/json"
        raw = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        try:
            got = self._pool.request(
                method, self._url + path, body=raw, headers=headers, retries=False, redirect=False
            )
        except urllib3.exceptions.HTTPError:
            msg = f"{self._url} gave no answer to {route}: check the address and that it runs"
            raise UnreachableError(msg) from None
        head = sum(len(name) + len(value) for name, value in got.headers.items())
        answer = HttpAnswer(
            route,
            got.status,
            {name.lower(): value for name, value in got.headers.items()},
            got.data,
            head + len(got.reason or ""),
        )
        self.answers.append(answer)
        return answer

    def register(self) -> PhoneRegistration:
        """Register a phone.

        Raises:
            CheckFailedError: the answer is no registration.
        """
        said = self.send("POST /v1/users").expect(201).json()
        named = isinstance(said, dict) and {"user_id", "credential"} <= said.keys()
        require(named, "the answer lacks user_id or credential")
        return PhoneRegistration(str(said["user_id"]), str(said["credential"]))

    def ask_for_pin(self) -> str:
        """Return an upload PIN for the uploader.

        Raises:
            CheckNotTriedError: there is nobody to ask, or no PIN was issued.
        """
        if self._pin_for is None:
            raise CheckNotTriedError(_NEEDS_PIN)
        try:
            self.pin = self._pin_for(self.sender.user_id)
        except AuthorityError as error:
            msg = f"no PIN was issued: {error}"
            raise CheckNotTriedError(msg) from None
        return self.pin

    def withdraw(self, *, uploader: bool) -> None:
        """Delete the phones that are left, the uploader only if that is wanted."""
        for phone in (self.other, self.uploader if uploader else None):
            if phone is not None:
                self.send("DELETE /v1/users/me", bearer=phone.credential)
        self.other = None

    @property
    def sender(self) -> PhoneRegistration:
        """The phone that uploads.

        Raises:
            CheckNotTriedError: none could be registered.
        """
        return _there(self.uploader, "a phone, which could not be registered")

    @property
    def met(self) -> PhoneRegistration:
        """The phone that the uploader has met.

        Raises:
            CheckNotTriedError: none could be registered.
        """
        return _there(self.other, "a second phone, which could not be registered")

    @property
    def issued(self) -> Mapping[str, Any]:
        """The other phone's batch of TempIDs.

        Raises:
            CheckNotTriedError: none could be fetched.
        """
        return _there(self.batch, "a batch of TempIDs, which could not be fetched")

    def pretended_token(self, body: bytes) -> str:
        """Return an upload token that admits nothing, for a log.

        Raises:
            CheckNotTriedError: the server gives none.
        """
        answer = self.send(
            "POST /v1/upload-tokens",
            asked_for(body, "00000000"),
            bearer=self.met.credential,
            X_Chaff="1",
        )
        said = answer.json()
        if answer.status != 201 or not isinstance(said, dict) or "upload_token" not in said:
            raise CheckNotTriedError("it needs a pretended upload, which the server refuses")
        return str(said["upload_token"])

    def pretend_upload(
        self, body: bytes, token: str, *, credential: str | None = None, **more: str
    ) -> HttpAnswer:
        """Send a log with a pretended token, as the other phone unless a credential is given."""
        owner = self.met.credential if credential is None else credential
        return self.send("POST /v1/uploads", body, bearer=token, X_Credential=owner, **more)

    def upload(self, body: bytes, token: str) -> HttpAnswer:
        """Send the uploader's log with the token that its PIN became."""
        owner = self.sender.credential
        return self.send("POST /v1/uploads", body, bearer=token, X_Credential=owner)

    def logs(self) -> tuple[bytes, bytes]:
        """Return the uploader's log and the other phone's, with a record of each kind.

        Raises:
            CheckNotTriedError: there are no TempIDs.
        """
        own = _there(self.own_batch, "a batch of TempIDs for each phone")
        return live_log(self.issued, own), live_log(own, self.issued)


def _there(value: _Value | None, what: str) -> _Value:
    if value is None:
        msg = f"it needs {what}"
        raise CheckNotTriedError(msg)
    return value


def asked_for(body: bytes, pin: str, attempt: str | None = None) -> dict[str, str]:
    """Return what a phone sends to exchange a PIN for the token to upload ``body``."""
    return {
        "pin": pin,
        "sha256": hashlib.sha256(body).hexdigest(),
        "attempt": attempt or secrets.token_hex(16),
    }


def live_log(other: Mapping[str, Any], own: Mapping[str, Any]) -> bytes:
    """Return the log that ``live`` of upload.json describes, for two batches as servers answer."""
    live = shipped("upload.json")["live"]
    records = []
    for case in live["records"]:
        batch = own if case.get("msg") == "own" else other
        tempid = batch["tempIDs"][0]
        edge, add = case.get("at", ["start", 0])
        time = tempid["startTime" if edge == "start" else "expiryTime"] + add
        made = {
            **live["record"],
            "msg": tempid["tempID"],
            "timestamp": 1000 * time if case.get("milliseconds") else time,
            **case.get("changes", {}),
        }
        records.append({name: value for name, value in made.items() if value is not None})
    return json.dumps({"records": records, "events": []}).encode()


def live_counts() -> tuple[int, int, dict[str, int]]:
    """Return how many records that log has, how many are accepted, and the others by reason."""
    outcomes = [case["becomes"] for case in shipped("upload.json")["live"]["records"]]
    reasons = sorted({*outcomes} - {"accepted"})
    rejected = {reason: outcomes.count(reason) for reason in reasons}
    return len(outcomes), outcomes.count("accepted"), rejected


def usual_reasons(rejected: object) -> object:
    """Return a receipt's counts by reason, with those that may be said instead as the usual ones.

    What is no table of counts is returned as it is.
    """
    if not isinstance(rejected, dict) or not all(type(n) is int for n in rejected.values()):
        return rejected
    cases = shipped("upload.json")["live"]["records"]
    usual: dict[str, str] = {case["or"]: case["becomes"] for case in cases if "or" in case}
    counts: dict[str, int] = {}
    for reason, count in rejected.items():
        name = str(usual.get(reason, reason))
        counts[name] = counts.get(name, 0) + count
    return counts


def packed(body: bytes) -> bytes:
    """Return a log as gzip."""
    return gzip.compress(body, mtime=0)
