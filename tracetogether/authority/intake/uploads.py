"""How a contact log gets in: a PIN becomes an upload token, the token takes in one log, once."""

import os
import zlib
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.cases.case import Case
from tracetogether.authority.intake.opening import open_log
from tracetogether.authority.intake.pins import Pins, SpentPinError
from tracetogether.authority.intake.store import IntakeStore
from tracetogether.authority.partners.records import ForeignRecords
from tracetogether.bluetrace.tempid import TempIDIssuer
from tracetogether.bluetrace.upload import UploadRecords, parse_upload
from tracetogether.bluetrace.upload_token import UploadToken, UploadTokens
from tracetogether.crypto import IV_BYTES, KEY_BYTES, Aead, equal, sha256
from tracetogether.errors import (
    AccessDeniedError,
    ConflictError,
    InvalidUploadError,
    NotFoundError,
    SealError,
)
from tracetogether.keyring import KeyRing
from tracetogether.parameters import MAX_UPLOAD_BYTES, UPLOAD_TOKEN_LIFETIME_S
from tracetogether.rejection import Rejection
from tracetogether.units import Entropy, Ints, utc_day

SHA256_BYTES: Final = 32
CHAFF_CASE: Final = "----------"
"""The case id in tokens of phones that only pretend; it is no real case id."""
_TOKEN_ID: Final = b"tracetogether/v1/upload-token-id/"
_PURPOSE: Final = "upload-key"
_PRETENDED: Final = "uploads-pretended"
_RECEIVED: Final = "this log was already received: there is nothing more to do"
_MAPS_OF_CBOR: Final = bytes(range(0xA0, 0xB8))  # first bytes that no JSON has
_ANY_HEADER: Final = 32 + zlib.MAX_WBITS  # zlib or gzip, whichever it is


@dataclass(frozen=True, slots=True)
class SealedUpload:
    """A raw log as it came, sealed under a key of its own.

    That key is wrapped by the key-encryption key of the day: when that goes, nobody reads it.

    Attributes:
        token_id: the upload token that it came with, once.
        case_id, user_id: whose log it is, and for which case.
        received_at: epoch seconds.
        wrapped_key: IV, then the upload's own key, sealed under the day's.
        sealed: IV, then the compressed log, sealed under the upload's own key.
    """

    token_id: str = field(repr=False)
    case_id: str
    user_id: str = field(repr=False)
    received_at: float
    wrapped_key: bytes = field(repr=False)
    sealed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class UploadReceipt:
    """What became of an upload's records."""

    records: int
    accepted: int
    rejected: Mapping[Rejection, int]
    case_id: str = ""


OnForeign = Callable[[Case, SealedUpload, UploadRecords, Mapping[str, Ints]], None]
"""Gets a case, its new log, the log's records, and which of them are each partner's."""


@dataclass(frozen=True, slots=True)
class Intake:
    """Exchanges PINs for upload tokens and takes logs in.

    ``partners`` returns the authorities that records are handed over to at a time, and
    ``on_foreign`` gets the records that are theirs, in the transaction that stores the log.
    """

    keys: KeyRing
    issuer: TempIDIssuer
    tokens: UploadTokens
    pins: Pins
    store: IntakeStore
    audit: Audit
    entropy: Entropy = os.urandom
    partners: Callable[[float], Container[str]] = lambda _now: ()
    on_foreign: OnForeign | None = None

    def redeem_pin(
        self,
        user_id: str,
        pin: str,
        log_sha256: bytes,
        now: float,
        *,
        attempt: str = "",
        address: str = "",
    ) -> str:
        """Exchange a PIN for leave to upload one log within two hours.

        Args:
            user_id: whose phone asks, as its credential says.
            pin: eight digits.
            log_sha256: SHA-256 of the log's bytes, 32 bytes.
            now: epoch seconds.
            attempt: a random name of this attempt, to ask again by if the answer is lost.
            address: where the request comes from.

        Raises:
            InvalidUploadError: ``pin`` or ``log_sha256`` has another form. No try is spent.
            RateLimitedError: too many tries.
            AccessDeniedError: the PIN is not accepted.
            ConflictError: it is the right PIN, and a log came in with it. Only the person's own
                phone with the right PIN hears of it.
        """
        _check_digest(log_sha256)
        named = f"{attempt}/{log_sha256.hex()}" if attempt else ""
        refusal, spent = None, None
        try:
            spent = self.pins.redeem(user_id, pin, now, attempt=named, address=address)
        except SpentPinError as error:
            refusal, spent = AccessDeniedError(str(error), error.code), error.pin
        except AccessDeniedError as error:
            refusal = error
        # One PIN is one leave: however often its token is given out, one log comes in.
        token_id = sha256(_TOKEN_ID + spent.digest)[:16].hex() if spent else ""
        # Looked up whatever was answered, so that the time does not tell.
        received_at = self._received_at(spent.case_id if spent else "", token_id)
        if refusal is not None and received_at is not None:
            raise ConflictError(_received(received_at), "log-received")
        if refusal is not None or spent is None:
            raise refusal or AccessDeniedError("the upload PIN is not accepted", "pin-refused")
        return self.tokens.seal(user_id, spent.case_id, log_sha256, now, token_id=token_id)

    def _received_at(self, case_id: str, token_id: str) -> float | None:
        """Return when a log came in with a token, None if none did."""
        return dict(self.store.upload_ids(case_id)).get(token_id)

    def pretend_redeem(
        self, user_id: str, log_sha256: bytes, now: float, *, address: str = ""
    ) -> str:
        """Answer a phone that asks only to hide others who do: a token that lets nothing in.

        Raises:
            InvalidUploadError, RateLimitedError: as ``redeem_pin``.
        """
        _check_digest(log_sha256)
        self.pins.pretend(user_id, now, address=address)
        self._received_at("", "")
        return self.tokens.seal(user_id, CHAFF_CASE, log_sha256, now)

    def check_token(self, token: str, now: float) -> None:
        """Return if ``token`` may upload now, before the log itself is read.

        Raises:
            InvalidUploadError: it was not issued here, or has expired.
        """
        self.tokens.open(token, now)

    def check_sender(self, token: str, user_id: str, now: float) -> None:
        """Return if ``token`` was given to this user's phone: a token that got lost serves nobody.

        Raises:
            InvalidUploadError: as ``check_token``.
            AccessDeniedError: it was given to another's.
        """
        if not equal(self.tokens.open(token, now).user_id.encode(), user_id.encode()):
            msg = "the upload token was given to another phone: redeem an upload PIN of your own"
            raise AccessDeniedError(msg, "token-of-other-phone")

    def take_upload(
        self, token: str, body: bytes, now: float, *, packed: bytes | None = None
    ) -> UploadReceipt:
        """Take a log in, once. Either all of it is kept, or nothing.

        Args:
            token: from ``redeem_pin``.
            body: the very bytes whose SHA-256 the token is bound to: OpenTrace's JSON.
            now: epoch seconds.
            packed: the same as it came, if it came as gzip: kept as it is.

        Raises:
            InvalidUploadError: the token is not good, the log is another one, too large, or
                no contact log. The token stays good for the right one.
            NotFoundError: the case was closed meanwhile.
            ConflictError: this log was taken in before; there is nothing left to do.
        """
        leave = self.tokens.open(token, now)
        if len(body) > MAX_UPLOAD_BYTES:
            msg = f"the log is larger than {MAX_UPLOAD_BYTES // 1_000_000} MB"
            raise InvalidUploadError(msg, "log-too-large")
        if not equal(sha256(body), leave.log_sha256):
            msg = "this is not the log that the upload token was given for: send that one"
            raise InvalidUploadError(msg, "not-log-of-token")
        records = parse_upload(body).records
        opened = open_log(
            records,
            self.issuer,
            uploader=leave.user_id,
            received_at=now,
            keys=self.keys,
            registered=self.store.registered,
            partners=self.partners(now),
            places=self.store.places_among,
        )
        receipt = UploadReceipt(opened.records, opened.believed, opened.rejected, leave.case_id)
        sealed = sealed_upload(
            packed or zlib.compress(body, 1),
            token_id=leave.token_id,
            case_id=leave.case_id,
            user_id=leave.user_id,
            now=now,
            keys=self.keys,
            entropy=self.entropy,
        )
        if leave.case_id == CHAFF_CASE:
            self._pretend_to_keep(leave, now)
            return receipt
        case = self.store.case(leave.case_id)
        if case is None:
            msg = "the case was closed meanwhile: ask the health authority"
            raise NotFoundError(msg, "case-closed-meanwhile")
        with self.audit.atomic():
            if not self.store.add_upload(sealed):
                received_at = self._received_at(leave.case_id, leave.token_id)
                msg = _RECEIVED if received_at is None else _received(received_at)
                raise ConflictError(msg, "log-received")
            relayed = self.pins.limits.add_hearers(opened.heard)
            if relayed:
                self.audit.record(
                    "tempid.alert", now, by="clock", subject=leave.case_id, tempids=relayed
                )
            if opened.foreign and self.on_foreign is not None:
                self.on_foreign(case, sealed, records, opened.foreign)
            if case.unconfirmed and self.store.confirm_case(leave.case_id):
                self.audit.record("case.confirmed", now, by="phone", subject=leave.case_id)
            self.audit.record(
                "upload.taken", now, by="phone", subject=leave.case_id, records=opened.records
            )
        return receipt

    def _pretend_to_keep(self, leave: UploadToken, now: float) -> None:
        """Take the steps of keeping a log for a phone that pretends; only a count is left.

        Raises:
            ConflictError: a log came with this token before, as with a token that a PIN became.
        """
        with self.audit.atomic():
            issued = leave.expiry - UPLOAD_TOKEN_LIFETIME_S
            if not self.pins.limits.first(
                _PRETENDED, leave.token_id, since=issued, until=leave.expiry
            ):
                raise ConflictError(_RECEIVED, "log-received")
            self.audit.rehearse("upload.taken", now, by="phone")


def sealed_upload(
    packed: bytes,
    *,
    token_id: str,
    case_id: str,
    user_id: str,
    now: float,
    keys: KeyRing,
    entropy: Entropy,
) -> SealedUpload:
    """Return compressed records, sealed under a key of their own and the key of today."""
    key, iv, own_iv = entropy(KEY_BYTES), entropy(IV_BYTES), entropy(IV_BYTES)
    bound = _bound_to(token_id, case_id)
    wrapping = keys.aead(_PURPOSE, utc_day(now))
    return SealedUpload(
        token_id=token_id,
        case_id=case_id,
        user_id=user_id,
        received_at=now,
        wrapped_key=iv + wrapping.seal(iv, key, bound),
        sealed=own_iv + Aead(key).seal(own_iv, packed, bound),
    )


def records_in(body: bytes) -> UploadRecords:
    """Return the records of an upload as it was sealed: a phone's JSON, or a partner's columns."""
    if body[:1] in _MAPS_OF_CBOR:
        return ForeignRecords.read(body).to_log("")
    return parse_upload(body).records


def unseal(upload: SealedUpload, keys: KeyRing) -> bytes:
    """Return the bytes of an upload as they came.

    Raises:
        KeyRingError: the key of its day was destroyed.
        SealError: the stored bytes were changed.
    """
    bound = _bound_to(upload.token_id, upload.case_id)
    iv, wrapped = upload.wrapped_key[:IV_BYTES], upload.wrapped_key[IV_BYTES:]
    key = keys.aead(_PURPOSE, utc_day(upload.received_at)).open(iv, wrapped, bound)
    iv, sealed = upload.sealed[:IV_BYTES], upload.sealed[IV_BYTES:]
    try:
        return zlib.decompress(Aead(key).open(iv, sealed, bound), _ANY_HEADER)
    except zlib.error:
        msg = "a stored upload can't be decompressed: another version wrote it"
        raise SealError(msg) from None


def _received(at: float) -> str:
    """Return what is said to a phone whose log came in before."""
    when = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return (
        f"a log was already received with this upload PIN, at {when}, and the PIN is spent: "
        "there is nothing more to do. To send what the phone heard since, ask the health authority "
        "for a new PIN"
    )


def _bound_to(token_id: str, case_id: str) -> bytes:
    return f"{token_id}/{case_id}".encode()


def _check_digest(log_sha256: bytes) -> None:
    if len(log_sha256) != SHA256_BYTES:
        msg = "the digest of the log is not a SHA-256: 32 bytes, 64 hexadecimal digits"
        raise InvalidUploadError(msg, "digest-form")
