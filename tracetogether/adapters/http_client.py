"""The phone's and the operator's side of the authority's HTTP interface."""

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import Any, Final, Self
from urllib.parse import quote

import urllib3
from urllib3.util import Retry, Timeout, parse_url

from tracetogether.bluetrace.batch import TempIDBatch
from tracetogether.bluetrace.packed_log import packed_log
from tracetogether.errors import (
    AccessDeniedError,
    AuthorityError,
    ConflictError,
    InvalidRequestError,
    InvalidUploadError,
    NotFoundError,
    StaleError,
    UnreachableError,
)
from tracetogether.healthcode.wallet import FetchedPasses
from tracetogether.parameters import UPLOAD_BUCKETS, UPLOAD_PIN_DIGITS
from tracetogether.phone_registration import PhoneRegistration

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_ERRORS: Final[Mapping[str, type[AuthorityError | InvalidUploadError]]] = {
    "invalid_request": InvalidRequestError,
    "invalid_upload": InvalidUploadError,
    "unauthorized": AccessDeniedError,
    "denied": AccessDeniedError,
    "not_found": NotFoundError,
    "conflict": ConflictError,
    "stale": StaleError,
    "too_large": InvalidUploadError,
    "unsupported_encoding": InvalidUploadError,
}
"""The kind of error for each `error.code` of the service; any other is an AuthorityError."""
_CASES_AT_ONCE: Final = 1_000
_DECLARED_BYTES: Final = 64
_ASKED_BYTES: Final = 64


class AuthorityClient:
    """Calls to one authority.

    Nothing is sent twice unless that can do no harm: calls that only read, and issuing TempIDs, are
    repeated with growing pauses; the others only where no connection came about.

    Args:
        url: such as https://health.example; http is accepted for this machine alone.
        credential: a phone's, for fetch_batch, redeem_pin and upload; ``register`` sets it.
        operator_token: an operator's, for open_case, cases, issue_pin and contacts.
        timeout_s: for connecting, and for each silence of the server.
        retries: how many more times a call is tried.
        backoff_s: the first pause between tries; the next ones double. 0: no pauses at all.
        allow_plain_http: send secrets over http to other machines too.

    Attributes:
        server_time: the server's clock as of its last answer (HTTP's Date), epoch seconds; None
            where it does not say.

    Raises:
        UnreachableError: the address is none, or not safe.
    """

    def __init__(
        self,
        url: str,
        *,
        credential: str | None = None,
        operator_token: str | None = None,
        timeout_s: float = 30.0,
        retries: int = 3,
        backoff_s: float = 0.2,
        allow_plain_http: bool = False,
    ) -> None:
        self._url = checked_address(url, allow_plain_http=allow_plain_http)
        self._credential = credential
        self._operator_token = operator_token
        careful = Retry(
            total=retries,
            connect=retries,
            read=0,
            other=0,
            backoff_factor=backoff_s,
            raise_on_status=False,  # the caller sees the server's message
            respect_retry_after_header=backoff_s > 0,
        )
        self._once = careful.new(status=0, redirect=0, allowed_methods=None)
        self._again = careful.new(
            read=retries, status=retries, redirect=0, allowed_methods=None, status_forcelist={503}
        )
        self.server_time: float | None = None
        self._pool = urllib3.PoolManager(timeout=Timeout(connect=timeout_s, read=timeout_s))

    def close(self) -> None:
        """Close all connections."""
        self._pool.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"AuthorityClient({self._url!r})"

    # --- a phone's calls ---

    def register(self) -> PhoneRegistration:
        """Register a new phone; later calls are made in its name. Keep what is returned."""
        said = self._call("POST", "/v1/users", None)
        registered = PhoneRegistration(str(said["user_id"]), str(said["credential"]))
        self._credential = registered.credential
        return registered

    def fetch_batch(self) -> TempIDBatch:
        """Return a new batch of TempIDs.

        Raises:
            InvalidTempIDError: the server's answer is no batch.
        """
        answer = self._call("POST", "/v1/tempids", self._credential, repeatable=True)
        return replace(TempIDBatch.from_json(answer), issued_at=self.server_time)

    def add_charge(self, code: str) -> dict[str, Any]:
        """Keep passes for one more person, who gave this code; return ids and time.

        Raises:
            NotFoundError: the code is wrong, expired or used.
            ConflictError: this phone keeps passes for as many people as it may.
        """
        return self._call("POST", "/v1/charges", self._credential, {"code": code})

    def charges(self) -> list[dict[str, Any]]:
        """Return the people without a phone that this phone keeps passes for."""
        answer = self._call("GET", "/v1/charges", self._credential, repeatable=True)
        return list(answer["charges"])

    def end_charge(self, charge_id: str) -> None:
        """Keep passes for this person no more.

        Raises:
            NotFoundError: it ended before.
        """
        self._call("DELETE", f"/v1/charges/{quote(charge_id, safe='')}", self._credential)

    def fetch_passes(self, charge_id: str | None = None) -> FetchedPasses:
        """Return passes for a day, or the notice that says why there are none.

        Args:
            charge_id: a person without a phone whom this phone keeps passes for; None for the
                owner of the phone.

        Raises:
            NotFoundError: this phone keeps passes for nobody of this number.
            UnreadableMessageError: the server's answer holds no passes.
        """
        # Blanks after the JSON: on the line all such requests have the same length.
        body = json.dumps({"charge_id": charge_id}).ljust(_ASKED_BYTES).encode()
        answer = self._call("POST", "/v1/passes", self._credential, body, repeatable=True)
        return FetchedPasses.from_json(answer)

    def status(self) -> dict[str, Any]:
        """Return the notice of this phone's owner about passes: {"notice": …, "parameters": …}."""
        return self._call("GET", "/v1/status", self._credential, repeatable=True)

    def declare(self, *, symptoms: bool, since: str | None = None) -> int:
        """Declare symptoms or none; return until when it is kept, in epoch seconds.

        Args:
            symptoms: whether there are any.
            since: YYYY-MM-DD, when they began; only with symptoms.
        """
        asked = {"symptoms": symptoms, "since": since}
        # Blanks after the JSON: on the line both answers have the same length.
        body = json.dumps(asked).ljust(_DECLARED_BYTES).encode()
        answer = self._call("POST", "/v1/declarations", self._credential, body, repeatable=True)
        return int(answer["kept_until"])

    def appeal(self, charge_id: str | None = None) -> list[dict[str, Any]]:
        """Appeal against what withholds passes; return the open appeals.

        Args:
            charge_id: a person without a phone whom this phone keeps passes for; None for the
                owner of the phone.

        Raises:
            NotFoundError: nothing restricts this person.
            ConflictError: an appeal was decided less than a day ago.
        """
        # Asked again, the server returns the same appeals.
        body = {"charge_id": charge_id}
        answer = self._call("POST", "/v1/appeals", self._credential, body, repeatable=True)
        return list(answer["appeals"])

    def withdraw(self) -> None:
        """Withdraw: the authority forgets this phone's user, with cases and uploads."""
        self._call("DELETE", "/v1/users/me", self._credential)
        self._credential = None

    def redeem_pin(self, pin: str, body: bytes, *, attempt: str | None = None) -> str:
        """Exchange an upload PIN for the token to upload ``body``, once, within two hours.

        Args:
            pin: eight digits.
            body: the log.
            attempt: 32 hexadecimal digits that name this attempt; random ones if None. If the
                answer was lost, the same attempt may ask again, with the same PIN and log.

        Raises:
            AccessDeniedError: the PIN is not accepted. Five numbers may be tried.
        """
        asked = {
            "pin": pin,
            "sha256": hashlib.sha256(body).hexdigest(),
            "attempt": attempt or secrets.token_hex(16),
        }
        return self._exchange(asked, chaff=False)

    def upload(self, body: bytes, token: str) -> dict[str, Any]:
        """Upload a contact log.

        Returns:
            {"records": n, "accepted": n, "rejected": {reason: n}}

        Raises:
            AccessDeniedError: the token is not valid, has expired, or is another phone's.
            InvalidUploadError: this is not the log that the token was issued for, or no log.
            ConflictError: this log was received before: there is nothing left to do.
        """
        return self._send(packed_log(body), token)

    def report_visits(self, body: bytes, token: str) -> dict[str, Any]:
        """Send the visits and trips that the owner chose, once, with the token of the log.

        Args:
            body: as ``presence.reporting.visits_body`` writes it.
            token: from ``redeem_pin``.

        Raises:
            ConflictError: visits came with this token before: there is nothing left to do.
        """
        owner = {"X-Credential": self._credential or ""}
        return self._call("POST", "/v1/visits", token, body, more=owner)

    def pretend(self, size_bytes: int = UPLOAD_BUCKETS[0]) -> None:
        """Make all the requests of an upload and leave nothing, to hide the phones that do upload.

        On the line it looks like a right PIN and a log that fills ``size_bytes``.
        """
        body = b'{"records": []}'
        asked = {
            "pin": f"{secrets.randbelow(10**UPLOAD_PIN_DIGITS):0{UPLOAD_PIN_DIGITS}d}",
            "sha256": hashlib.sha256(body).hexdigest(),
            "attempt": secrets.token_hex(16),
        }
        token = self._exchange(asked, chaff=True)
        self._send(packed_log(body, at_least=size_bytes), token)

    def _send(self, packed: bytes, token: str) -> dict[str, Any]:
        owner = {"X-Credential": self._credential or "", "Content-Encoding": "gzip"}
        return self._call("POST", "/v1/uploads", token, packed, more=owner)

    def _exchange(self, asked: Mapping[str, str], *, chaff: bool) -> str:
        # Both headers are equally long.
        mark = {"X-Chaff": "1"} if chaff else {"X-Plain": "1"}
        answer = self._call(
            "POST", "/v1/upload-tokens", self._credential, asked, repeatable=True, more=mark
        )
        return str(answer["upload_token"])

    # --- a gate's calls ---

    def fetch_trust_list(self) -> bytes:
        """Return the signed list of keys that sign passes."""
        return self._signed_list("/v1/trust", "trust")

    def fetch_revocations(self) -> bytes:
        """Return the signed list of revoked passes."""
        return self._signed_list("/v1/revocations", "revocations")

    # --- everybody's calls: they name no phone, and ask for the same ---

    def fetch_warnings(self, hour: int) -> bytes | None:
        """Return the bundle of warnings that ends with an hour; None if the authority has none.

        Args:
            hour: number of an hour that is over (epoch seconds / 3600).
        """
        return self._public(f"/v1/warnings/{hour}/bundle")

    def fetch_trips(self, day: str, prefix: int | None = None) -> bytes | None:
        """Return the signed list of cases' trips of a day; None if there is none.

        Args:
            day: YYYY-MM-DD.
            prefix: of a divided day, the part whose places begin with this byte.
        """
        part = "" if prefix is None else f"?prefix={prefix:02x}"
        return self._public(f"/v1/trips/{quote(day, safe='')}{part}")

    def _public(self, path: str) -> bytes | None:
        try:
            response = self._request("GET", path, {"Accept": "application/cose"}, None, self._again)
            if response.status == 200:
                return bytes(response.data)
            self._read(response)
        except NotFoundError:
            return None
        raise UnreachableError(f"{self._url} answers without content: check its address")

    def _signed_list(self, path: str, name: str) -> bytes:
        answer = self._call("GET", path, None, repeatable=True)
        try:
            return base64.b64decode(answer[name], validate=True)
        except (KeyError, TypeError, ValueError):
            msg = f"{self._url} sends no list for gates: check its address and version"
            raise UnreachableError(msg) from None

    # --- another authority's calls ---

    def hand_over(self, own_code: str, message: bytes) -> tuple[bool, bytes]:
        """Send a signed batch; return whether the partner had it before, and its signed answers.

        ``own_code`` is our code, by which the partner knows us. Raise AccessDeniedError if it does
        not recognise us, InvalidRequestError if it can't open the batch.
        """
        path = f"/v1/partners/{quote(own_code, safe='')}/records"
        more = {"Content-Type": "application/cose"}
        answer = self._call("POST", path, None, message, repeatable=True, more=more)
        return bool(answer["already"]), base64.b64decode(answer["answers"])

    # --- an operator's calls ---

    def open_case(self, user_id: str, date: str | None = None) -> str:
        """Open a case and return its id. ``date`` is YYYY-MM-DD, today if None."""
        asked = {"user_id": user_id, "date": date}
        return str(self._call("POST", "/v1/cases", self._operator_token, asked)["case_id"])

    def issue_pin(self, case_id: str, *, short: bool = False) -> str:
        """Return a new upload PIN for the case's user; it is shown this once.

        Good for 24 hours; ``short``: for 15 minutes, to be read out.
        """
        path = f"/v1/cases/{quote(case_id, safe='')}/pin"
        asked = {"lifetime": "short"} if short else None
        return str(self._call("POST", path, self._operator_token, asked)["upload_pin"])

    def cases(self) -> list[dict[str, Any]]:
        """Return all cases that the operator may see, the newest first, as `GET /v1/cases` does."""
        found: list[dict[str, Any]] = []
        while True:
            path = f"/v1/cases?limit={_CASES_AT_ONCE}&offset={len(found)}"
            answer = self._call("GET", path, self._operator_token, repeatable=True)
            found += answer["cases"]
            if not answer["cases"] or len(found) >= answer["total"]:
                return found

    def contacts(self, case_id: str, policy: str = "singapore") -> dict[str, Any]:
        """Return a case's contacts and what they were found from (docs/reference/http.md)."""
        path = f"/v1/cases/{quote(case_id, safe='')}/contacts?policy={quote(policy, safe='')}"
        return self._call("GET", path, self._operator_token, repeatable=True)

    def _call(
        self,
        method: str,
        path: str,
        bearer: str | None,
        said: Mapping[str, Any] | bytes | None = None,
        *,
        repeatable: bool = False,
        more: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        headers = {"Accept": "application/json", **(more or {})}
        if bearer is not None:
            headers["Authorization"] = f"Bearer {bearer}"
        body: bytes | None = None
        if said is not None:
            headers.setdefault("Content-Type", "application/json")
            body = said if isinstance(said, bytes) else json.dumps(said).encode()
        retries = self._again if repeatable else self._once
        return self._read(self._request(method, path, headers, body, retries))

    def _request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None,
        retries: Retry,
    ) -> urllib3.BaseHTTPResponse:
        try:
            response = self._pool.request(
                method,
                self._url + path,
                body=body,
                headers=headers,
                redirect=False,  # secrets go to the one address that was given
                retries=retries,
            )
        except urllib3.exceptions.HTTPError as error:
            raise _unreachable(self._url, error) from None
        self.server_time = _time(response.headers.get("Date"))
        return response

    def _read(self, response: urllib3.BaseHTTPResponse) -> dict[str, Any]:
        try:
            answer = json.loads(response.data)
            if response.status < 300:
                return dict(answer)
            code, message = (str(answer["error"][name]) for name in ("code", "message"))
        except (ValueError, KeyError, TypeError):
            msg = (
                f"{self._url} answers, but is not an authority's server (HTTP {response.status}): "
                "check the address"
            )
            raise UnreachableError(msg) from None
        if response.status >= 500:
            msg = f"{self._url}: {message}"
            raise UnreachableError(msg)
        raise _ERRORS.get(code, AuthorityError)(message)


def _time(date: str | None) -> float | None:
    try:
        return None if date is None else parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None


def checked_address(url: str, *, allow_plain_http: bool) -> str:
    """Return the address of a server, without what follows its path.

    Raises:
        UnreachableError: it is none, or secrets would travel to another machine unencrypted.
    """
    try:
        parts = parse_url(url)
    except urllib3.exceptions.LocationParseError:
        parts = parse_url("")
    if parts.scheme not in {"http", "https"} or not parts.host:
        msg = "that is not the address of a server: give one such as https://health.example"
        raise UnreachableError(msg)
    if parts.scheme == "http" and parts.host not in _LOOPBACK and not allow_plain_http:
        msg = (
            f"{parts.host} would receive secrets unencrypted: use https, or allow plain http "
            "(--allow-plain-http) on a network that you trust"
        )
        raise UnreachableError(msg)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.host}{port}{(parts.path or '').rstrip('/')}"


def _unreachable(url: str, error: Exception) -> UnreachableError:
    cause = error.reason if isinstance(error, urllib3.exceptions.MaxRetryError) else error
    match cause:
        case urllib3.exceptions.NameResolutionError():
            why = "no address is known for this name"
        case urllib3.exceptions.NewConnectionError():
            why = "no connection"
        case urllib3.exceptions.TimeoutError():
            why = "no answer in time"
        case urllib3.exceptions.SSLError():
            why = "no secure connection"
        case _:
            why = "the connection broke off"
    return UnreachableError(f"{url} does not answer ({why}): check the address and try again")
