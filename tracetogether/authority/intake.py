"""How a contact log gets in: a PIN becomes an upload token, the token takes in one log, once."""

import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from tracetogether.authority.casework import CaseStore
from tracetogether.authority.opening import open_log
from tracetogether.authority.pins import Pins
from tracetogether.bluetrace.tempid import TempIDIssuer
from tracetogether.bluetrace.upload import parse_upload
from tracetogether.bluetrace.upload_token import UploadTokens
from tracetogether.crypto import IV_BYTES, Aead, equal, sha256
from tracetogether.errors import ConflictError, InvalidUploadError, NotFoundError, SealError
from tracetogether.keyring import KeyRing
from tracetogether.parameters import MAX_UPLOAD_BYTES
from tracetogether.rejection import Rejection
from tracetogether.units import Entropy, utc_day

SHA256_BYTES: Final = 32
_PURPOSE: Final = "upload-body"


@dataclass(frozen=True, slots=True)
class SealedUpload:
    """A raw log as it came, sealed under its day's key: when that goes, nobody reads it.

    Attributes:
        token_id: the upload token that it came with, once.
        case_id, user_id: whose log it is, and for which case.
        received_at: epoch seconds.
        sealed: IV, then the sealed and compressed bytes.
    """

    token_id: str = field(repr=False)
    case_id: str
    user_id: str = field(repr=False)
    received_at: float
    sealed: bytes = field(repr=False)


class UploadStore(Protocol):
    """Where uploads are kept. Every method happens whole, alone, or not at all."""

    def add_upload(self, upload: SealedUpload) -> bool:
        """Keep an upload; False if one with the same token is there."""
        ...


class MemoryUploads:
    """Uploads that live as long as the process."""

    def __init__(self) -> None:
        self._uploads: dict[str, SealedUpload] = {}

    def add_upload(self, upload: SealedUpload) -> bool:
        """Keep an upload; False if one with the same token is there."""
        return self._uploads.setdefault(upload.token_id, upload) is upload

    def uploads(self, case_id: str) -> list[SealedUpload]:
        """Return a case's uploads in the order in which they came."""
        found = [one for one in self._uploads.values() if one.case_id == case_id]
        return sorted(found, key=lambda one: (one.received_at, one.token_id))

    def drop_uploads(self, before: float) -> int:
        """Forget uploads received before that time; return how many went."""
        old = [one.token_id for one in self._uploads.values() if one.received_at < before]
        for token_id in old:
            del self._uploads[token_id]
        return len(old)


@dataclass(frozen=True, slots=True)
class UploadReceipt:
    """What became of an upload's records."""

    records: int
    accepted: int
    rejected: Mapping[Rejection, int]


@dataclass(frozen=True, slots=True)
class Intake:
    """Exchanges PINs for upload tokens and takes logs in."""

    keys: KeyRing
    issuer: TempIDIssuer
    tokens: UploadTokens
    pins: Pins
    cases: CaseStore
    store: UploadStore
    entropy: Entropy = os.urandom

    def redeem_pin(self, user_id: str, pin: str, log_sha256: bytes, now: float) -> str:
        """Exchange a PIN for leave to upload one log within two hours.

        Args:
            user_id: whose phone asks, as its credential says.
            pin: eight digits.
            log_sha256: SHA-256 of the log's bytes, 32 bytes.
            now: epoch seconds.

        Raises:
            InvalidUploadError: ``pin`` or ``log_sha256`` has another form. No try is spent.
            AccessDeniedError: the PIN is not accepted.
        """
        if len(log_sha256) != SHA256_BYTES:
            msg = "the digest of the log is not a SHA-256: 32 bytes, 64 hexadecimal digits"
            raise InvalidUploadError(msg)
        case_id = self.pins.redeem(user_id, pin, now)
        return self.tokens.seal(user_id, case_id, log_sha256, now)

    def check_token(self, token: str, now: float) -> None:
        """Return if ``token`` may upload now, before the log itself is read.

        Raises:
            InvalidUploadError: it was not issued here, or has expired.
        """
        self.tokens.open(token, now)

    def take_upload(self, token: str, body: bytes, now: float) -> UploadReceipt:
        """Take a log in, once.

        Args:
            token: from ``redeem_pin``.
            body: the very bytes whose SHA-256 the token is bound to: OpenTrace's JSON.
            now: epoch seconds.

        Raises:
            InvalidUploadError: the token is not good, the log is another one, too large, or
                no contact log. The token stays good for the right one.
            NotFoundError: the case was closed meanwhile.
            ConflictError: this log was taken in before; there is nothing left to do.
        """
        leave = self.tokens.open(token, now)
        if len(body) > MAX_UPLOAD_BYTES:
            msg = f"the log is larger than {MAX_UPLOAD_BYTES // 1_000_000} MB"
            raise InvalidUploadError(msg)
        if not equal(sha256(body), leave.log_sha256):
            msg = "this is not the log that the upload token was given for: send that one"
            raise InvalidUploadError(msg)
        records = parse_upload(body).records
        if self.cases.case(leave.case_id) is None:
            msg = "the case was closed meanwhile: ask the health authority"
            raise NotFoundError(msg)
        opened = open_log(records, self.issuer, uploader=leave.user_id, received_at=now)
        sealed = self._seal(body, leave.token_id, leave.case_id, now)
        if not self.store.add_upload(
            SealedUpload(leave.token_id, leave.case_id, leave.user_id, now, sealed)
        ):
            msg = "this log was already received: nothing more is to be done"
            raise ConflictError(msg)
        return UploadReceipt(opened.records, len(opened.sightings), opened.rejected)

    def _seal(self, body: bytes, token_id: str, case_id: str, now: float) -> bytes:
        aead = Aead(self.keys.day_key(_PURPOSE, utc_day(now), token_id))
        iv = self.entropy(IV_BYTES)
        return iv + aead.seal(iv, zlib.compress(body, 1), case_id.encode())


def unseal(upload: SealedUpload, keys: KeyRing) -> bytes:
    """Return the bytes of an upload as they came.

    Raises:
        KeyRingError: the key of its day was destroyed.
        SealError: the stored bytes were changed.
    """
    aead = Aead(keys.day_key(_PURPOSE, utc_day(upload.received_at), upload.token_id))
    iv, sealed = upload.sealed[:IV_BYTES], upload.sealed[IV_BYTES:]
    compressed = aead.open(iv, sealed, upload.case_id.encode())
    try:
        return zlib.decompress(compressed)
    except zlib.error:
        msg = "a stored upload does not unpack: it was written by another version"
        raise SealError(msg) from None
