"""Export files: the signed zip in which a server publishes keys.

``export.bin`` is a header of 16 bytes and a Protocol Buffers message; ``export.sig`` holds an ECDSA
P-256 signature over SHA-256 of the whole ``export.bin``. A reader believes nothing that a file says
of itself: sizes are bounded, and both files must name the same signer and the same batch.
"""

import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import numpy as np

from tracetogether.crypto import (
    SigningKey,
    VerifyingKey,
    signature_from_der,
    signature_in_der,
)
from tracetogether.diagnosis import InvalidReportError
from tracetogether.errors import UnreadableMessageError
from tracetogether.gaen.container import read_container
from tracetogether.gaen.keys import INTERVALS_PER_KEY, KEY_BYTES, MAX_INTERVAL
from tracetogether.gaen.report import MISSING, DiagnosisKeys
from tracetogether.protobuf import (
    BYTES,
    FIXED64,
    VARINT,
    Fields,
    bytes_field,
    fixed64_field,
    last_number,
    last_text,
    number_field,
    read_fields,
    signed32,
    unzigzag,
    zigzag,
)

HEADER: Final = b"EK Export v1    "
ECDSA_P256_SHA256: Final = "1.2.840.10045.4.3.2"
MAX_EXPORT_BYTES: Final = 64 * 2**20  # 600,000 keys of the most talkative form take 40 MB
MAX_SIGNATURE_FILE_BYTES: Final = 2**20
_NAMES: Final = ("export.bin", "export.sig")
_EPOCH_OF_ZIP: Final = (1980, 1, 1, 0, 0, 0)
_FILE_FIELDS: Final = {
    1: FIXED64, 2: FIXED64, 3: BYTES, 4: VARINT, 5: VARINT, 6: BYTES, 7: BYTES, 8: BYTES,
}  # fmt: skip
_SIGNER_FIELDS: Final = {3: BYTES, 4: BYTES, 5: BYTES}
_KEY_FIELDS: Final = {1: BYTES, 2: VARINT, 3: VARINT, 4: VARINT, 5: VARINT, 6: VARINT}
_MOST_RISK: Final = 8
_REPORT_TYPES: Final = 5
_MOST_DAYS: Final = 400


@dataclass(frozen=True, slots=True)
class ExportSigner:
    """Who signs: version and name of the key, and the algorithm's object identifier."""

    version: str
    key_id: str
    algorithm: str = ECDSA_P256_SHA256


@dataclass(frozen=True, slots=True)
class ExportHeader:
    """What an export file says besides its keys.

    Attributes:
        start, end: which time of publication it covers, epoch seconds.
        region: where, such as "DE".
        batch: number and size of the batch, from 1.
        signers: who signs the file.
    """

    start: int
    end: int
    region: str
    batch: tuple[int, int] = (1, 1)
    signers: tuple[ExportSigner, ...] = ()


@dataclass(frozen=True, slots=True)
class KeyExport:
    """An export file: its header, keys, and keys published earlier that were changed."""

    header: ExportHeader
    keys: DiagnosisKeys
    revised: DiagnosisKeys


@contextmanager
def _named_faults() -> Iterator[None]:
    """Raise faults of the wire format as faults of a published file."""
    try:
        yield
    except UnreadableMessageError as error:
        raise InvalidReportError(str(error)) from None


def write_export(
    header: ExportHeader,
    keys: DiagnosisKeys,
    key: SigningKey,
    revised: DiagnosisKeys | None = None,
) -> bytes:
    """Return the zip file.

    Args:
        header: times, region, batch and exactly one signer.
        keys: what to publish; written in the order of their bytes.
        key: the signer's secret key.
        revised: keys published earlier whose report changed.
    """
    (signer,) = header.signers
    body = write_export_bin(header, keys, revised)
    batch = number_field(2, header.batch[0]) + number_field(3, header.batch[1])
    entry = (
        bytes_field(1, _signer_message(signer))
        + batch
        + bytes_field(4, signature_in_der(key.sign(body)))
    )
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in zip(_NAMES, (body, bytes_field(1, entry)), strict=True):
            file.writestr(zipfile.ZipInfo(name, _EPOCH_OF_ZIP), content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def write_export_bin(
    header: ExportHeader, keys: DiagnosisKeys, revised: DiagnosisKeys | None = None
) -> bytes:
    """Return ``export.bin``."""
    return marshal(header, _messages(keys), _messages(revised) if revised is not None else ())


def marshal(header: ExportHeader, keys: Iterable[bytes], revised: Iterable[bytes] = ()) -> bytes:
    """Return ``export.bin`` of keys that ``key_message`` wrote."""
    return b"".join(
        [
            HEADER,
            fixed64_field(1, header.start),
            fixed64_field(2, header.end),
            bytes_field(3, header.region.encode()),
            number_field(4, header.batch[0]),
            number_field(5, header.batch[1]),
            *(bytes_field(6, _signer_message(signer)) for signer in header.signers),
            *(bytes_field(7, key) for key in keys),
            *(bytes_field(8, key) for key in revised),
        ]
    )


def key_message(
    key: bytes, start: int, period: int, risk: int, report_type: int, days: int
) -> bytes:
    """Return one key as a message; MISSING values and a period of 144 are left out."""
    parts = [bytes_field(1, key)]
    if risk != MISSING:
        parts.append(number_field(2, risk))
    parts.append(number_field(3, start))
    if period != INTERVALS_PER_KEY:
        parts.append(number_field(4, period))
    if report_type != MISSING:
        parts.append(number_field(5, report_type))
    if days != MISSING:
        parts.append(number_field(6, zigzag(days)))
    return b"".join(parts)


def read_export(data: bytes, key: VerifyingKey) -> KeyExport:
    """Read an export file and check who signed it.

    Args:
        data: the zip file.
        key: the signer's public key, P-256.

    Raises:
        InvalidReportError: the file is damaged, too large, of another form, or no signature of it
            fits; says which.
    """
    body, signatures = unpacked(data)
    export = read_export_bin(body)
    if not any(key.verify(each, body) for each in read_signatures(signatures, export.header)):
        raise InvalidReportError("export.sig: no signature fits export.bin")
    return export


def unpacked(data: bytes) -> tuple[bytes, bytes]:
    """Return ``export.bin`` and ``export.sig`` out of a zip file.

    Raises:
        InvalidReportError: the zip is damaged, holds other files, or one of them is too large.
    """
    limits = dict(zip(_NAMES, (MAX_EXPORT_BYTES, MAX_SIGNATURE_FILE_BYTES), strict=True))
    found = read_container(data, limits)
    body, signatures = (found[name] for name in _NAMES)
    return body, signatures


@_named_faults()
def read_export_bin(body: bytes) -> KeyExport:
    """Read ``export.bin``; who signed it is not asked.

    Raises:
        InvalidReportError: it has another form; names the field.
    """
    if not body.startswith(HEADER):
        raise InvalidReportError("export.bin does not begin with 'EK Export v1'")
    fields = read_fields(body[len(HEADER) :], _FILE_FIELDS, "export.bin")
    header = ExportHeader(
        start=last_number(fields, 1, 0),
        end=last_number(fields, 2, 0),
        region=last_text(fields, 3, "export.bin"),
        batch=(signed32(last_number(fields, 4, 1)), signed32(last_number(fields, 5, 1))),
        signers=tuple(_signer(each) for each in _bytes(fields, 6)),
    )
    if header.start > header.end:
        raise InvalidReportError("export.bin ends before it starts")
    return KeyExport(header, _keys(_bytes(fields, 7)), _keys(_bytes(fields, 8)))


@_named_faults()
def read_signatures(data: bytes, header: ExportHeader) -> list[bytes]:
    """Return the signatures of ``export.sig`` by signers of the header: r and s, 64 bytes each.

    Raises:
        InvalidReportError: it has another form, or names another signer or batch than the header.
    """
    what = "export.sig"
    found = []
    for entry in _bytes(read_fields(data, {1: BYTES}, what), 1):
        fields = read_fields(entry, {1: BYTES, 2: VARINT, 3: VARINT, 4: BYTES}, what)
        signers, signatures = _bytes(fields, 1), _bytes(fields, 4)
        if any(len(fields.get(number, ())) != 1 for number in (1, 2, 3, 4)):
            raise InvalidReportError("export.sig: an entry has one signer, batch and signature")
        signer = _signer(signers[0])
        if signer not in header.signers or signer.algorithm != ECDSA_P256_SHA256:
            raise InvalidReportError("export.sig names a signer that export.bin does not")
        batch = (signed32(last_number(fields, 2, 1)), signed32(last_number(fields, 3, 1)))
        if batch != header.batch:
            raise InvalidReportError("export.sig is of another batch than export.bin")
        found.append(signature_from_der(signatures[0]))
    return found


def _messages(keys: DiagnosisKeys) -> list[bytes]:
    ordered = keys.sorted_by_key()
    columns = (
        ordered.start,
        ordered.period,
        ordered.transmission_risk,
        ordered.report_type,
        ordered.days_since_onset,
    )
    whole = ordered.key.tobytes()
    texts = (whole[at : at + KEY_BYTES] for at in range(0, len(whole), KEY_BYTES))
    return [
        key_message(key, *values)
        for key, *values in zip(texts, *(column.tolist() for column in columns), strict=True)
    ]


def _keys(messages: Sequence[bytes]) -> DiagnosisKeys:
    secrets, rows = [], []
    for row, message in enumerate(messages):
        what = f"key {row} of export.bin"
        fields = read_fields(message, _KEY_FIELDS, what)
        key = _bytes(fields, 1)
        if len(key) != 1 or len(key[0]) != KEY_BYTES:
            raise InvalidReportError(f"{what} has not {KEY_BYTES} bytes")
        start, period = last_number(fields, 3, 0), last_number(fields, 4, INTERVALS_PER_KEY)
        risk, kind = last_number(fields, 2, MISSING), last_number(fields, 5, MISSING)
        days = unzigzag(last_number(fields, 6, 0))
        if start > MAX_INTERVAL or not 1 <= period <= INTERVALS_PER_KEY:
            raise InvalidReportError(f"{what} lasts from {start} for {period} intervals")
        if risk > _MOST_RISK or kind > _REPORT_TYPES or abs(days) > _MOST_DAYS:
            raise InvalidReportError(f"{what} has a risk, a report type or days out of range")
        secrets.append(key[0])
        rows.append((start, period, risk, kind, days if 6 in fields else MISSING))
    table = np.array(rows, dtype=np.int64).reshape(-1, 5)
    whole = np.frombuffer(b"".join(secrets), np.uint8).reshape(-1, KEY_BYTES)
    return DiagnosisKeys(whole, *table.T)


def _signer_message(signer: ExportSigner) -> bytes:
    texts = ((3, signer.version), (4, signer.key_id), (5, signer.algorithm))
    return b"".join(bytes_field(number, text.encode()) for number, text in texts if text)


def _signer(message: bytes) -> ExportSigner:
    what = "a signer"
    fields = read_fields(message, _SIGNER_FIELDS, what)
    return ExportSigner(*(last_text(fields, number, what) for number in (3, 4, 5)))


def _bytes(fields: Fields, number: int) -> list[bytes]:
    return [value for value in fields.get(number, []) if isinstance(value, bytes)]
