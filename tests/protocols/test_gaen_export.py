"""Export files: the published one, its signature, damage of every bit."""

import base64
import hashlib
import io
import shutil
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import counted_entropy
from tests.protocols.known_answers import FOLDER, answers, raw
from tracetogether.crypto import SigningKey, VerifyingKey, signature_in_der
from tracetogether.diagnosis import InvalidReportError
from tracetogether.gaen.export import (
    HEADER,
    ExportHeader,
    ExportSigner,
    key_message,
    marshal,
    read_export,
    read_export_bin,
    read_signatures,
    unpacked,
    write_export,
    write_export_bin,
)
from tracetogether.gaen.report import MISSING, DiagnosisKeys
from tracetogether.protobuf import bytes_field, number_field, unzigzag, varint, zigzag

KNOWN = answers("gaen_export")
FILE = (FOLDER / KNOWN["file"]).read_bytes()
PUBLIC = (FOLDER / "gaen_export_public.pem").read_bytes()
KEY = VerifyingKey.from_pem(PUBLIC)


def flips(data: bytes):
    for bit in range(8 * len(data)):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        yield bytes(changed)


def test_the_published_file_is_read_and_its_signature_fits() -> None:
    export = read_export(FILE, KEY)
    decoded = KNOWN["decoded"]
    header = export.header
    assert (header.start, header.end) == (decoded["start"], decoded["end"])
    assert (header.region, header.batch) == (decoded["region"], (decoded["num"], decoded["size"]))
    assert header.signers == (ExportSigner("1", "some_id", "1.2.840.10045.4.3.2"),)
    assert [row.tobytes().hex() for row in export.keys.key] == [
        known["key"] for known in decoded["keys"]
    ]
    for column, name in (("transmission_risk", "trl"), ("start", "start"), ("period", "rp")):
        values = [known[name] for known in decoded["keys"]]
        assert getattr(export.keys, column).tolist() == values
    assert len(export.revised) == len(decoded["revised"]) == 0
    assert set(export.keys.report_type.tolist()) == {MISSING}


def test_its_parts_have_the_published_sizes_and_digest() -> None:
    body, signatures = unpacked(FILE)
    assert {"export.bin": len(body), "export.sig": len(signatures)} == KNOWN["bytes"]
    assert hashlib.sha256(body).hexdigest() == KNOWN["sha256_export_bin"]


def test_the_writer_gives_the_published_bytes_back() -> None:
    body, _ = unpacked(FILE)
    export = read_export_bin(body)
    assert write_export_bin(export.header, export.keys) == body


def test_the_marshal_digest_byte_for_byte() -> None:
    known = KNOWN["marshal_digest"]
    signer = known["signature_info"]
    header = ExportHeader(
        known["start"],
        known["end"],
        known["region"],
        tuple(known["batch"]),
        (ExportSigner(signer["version"], signer["id"], signer["algorithm"]),),
    )
    keys, revised = (
        [
            key_message(
                key["key_ascii"].encode(),
                key["start"],
                key["rolling_period"],
                key["trl"],
                key["report_type"],
                MISSING if key["dsos"] is None else key["dsos"],
            )
            for key in known[part]
        ]
        for part in ("keys", "revised")
    )
    digest = hashlib.sha256(marshal(header, keys, revised)).digest()
    assert base64.b64encode(digest).decode() == known["sha256_base64"]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl program here")
def test_openssl_verifies_the_published_and_an_own_signature(tmp_path: Path) -> None:
    private = SigningKey.generate()
    header = ExportHeader(0, 3_600, "SG", signers=(ExportSigner("v1", "525"),))
    keys = DiagnosisKeys.of([bytes(range(16))], [2_650_000], report_type=1)
    own = write_export(header, keys, private)
    for data, public in ((FILE, PUBLIC), (own, private.public.to_pem())):
        body, signatures = unpacked(data)
        (signature,) = read_signatures(signatures, read_export_bin(body).header)
        for name, content in (("key", public), ("sig", signature_in_der(signature)), ("bin", body)):
            (tmp_path / name).write_bytes(content)
        command = ["openssl", "dgst", "-sha256", "-verify", "key", "-signature", "sig", "bin"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
        assert done.stdout == b"Verified OK\n"
        (tmp_path / "bin").write_bytes(body[:-1] + bytes([body[-1] ^ 1]))
        assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode


def test_what_is_written_is_read_again() -> None:
    entropy = counted_entropy(1)
    keys = DiagnosisKeys.concat(
        [
            DiagnosisKeys.of([entropy(16)], [2_650_032], report_type=2, days_since_onset=-3),
            DiagnosisKeys.of([entropy(16)], [2_650_176], period=7, transmission_risk=5),
        ]
    )
    revised = DiagnosisKeys.of([entropy(16)], [0], report_type=5, days_since_onset=14)
    header = ExportHeader(1, 2, "DE", (2, 3), (ExportSigner("v1", "262"),))
    private = SigningKey.generate()
    data = write_export(header, keys, private, revised)
    export = read_export(data, private.public)
    assert export.header == header
    for got, written in ((export.keys, keys.sorted_by_key()), (export.revised, revised)):
        for column in ("key", "start", "period", "transmission_risk", "report_type"):
            assert np.array_equal(getattr(got, column), getattr(written, column))
        assert got.days_since_onset.tolist() == written.days_since_onset.tolist()
    with pytest.raises(InvalidReportError, match="no signature fits"):
        read_export(data, KEY)


def test_every_flipped_bit_of_what_is_signed_is_a_named_error() -> None:
    body, signatures = unpacked(FILE)
    believed = 0
    for changed in flips(body):
        try:
            header = read_export_bin(changed).header
            believed += any(
                KEY.verify(each, changed) for each in read_signatures(signatures, header)
            )
        except InvalidReportError as error:
            assert str(error)  # noqa: PT017 - either outcome is right
    assert believed == 0


def test_every_flipped_bit_of_the_signature_file_is_a_named_error() -> None:
    body, signatures = unpacked(FILE)
    header = read_export_bin(body).header
    believed = 0
    for changed in flips(signatures):
        try:
            believed += any(KEY.verify(each, body) for each in read_signatures(changed, header))
        except InvalidReportError as error:
            assert str(error)  # noqa: PT017 - either outcome is right
    assert believed == 0


@pytest.mark.parametrize("written", ["published", "own"])
def test_every_flipped_bit_of_the_zip_is_a_named_error(written: str) -> None:
    data, key = FILE, KEY
    if written == "own":
        private = SigningKey.from_secret(bytes(range(1, 33)))
        keys = DiagnosisKeys.of([bytes([n] * 16) for n in range(3)], [2_650_032] * 3)
        header = ExportHeader(1, 2, "DE", signers=(ExportSigner("v1", "262"),))
        data, key = write_export(header, keys, private), private.public
    assert len(read_export(data, key).keys) in {2, 3}
    for changed in flips(data):
        with pytest.raises(InvalidReportError):
            read_export(changed, key)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("sizes_follow", [False, True])
def test_zips_of_other_writers_are_read(method: int, sizes_follow: bool) -> None:
    body, signatures = unpacked(FILE)
    packed = Unseekable() if sizes_follow else io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as file:
        file.writestr("export.sig", signatures)
        file.writestr("export.bin", body)
    assert unpacked(packed.getvalue()) == (body, signatures)


class Unseekable(io.BytesIO):
    """A stream such as a socket: sizes are known only after a file is written."""

    def seekable(self) -> bool:
        return False

    def tell(self) -> int:
        raise OSError("a stream has no place")


@pytest.mark.parametrize(
    "names", [("export.bin",), ("export.bin", "other"), ("export.bin", "export.sig", "a")]
)
def test_zips_with_other_files_are_named_errors(names: tuple[str, ...]) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        for name in names:
            file.writestr(name, b"1")
    with pytest.raises(InvalidReportError, match="nothing else"):
        unpacked(packed.getvalue())


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"EK Export v2    ", "does not begin"),
        (HEADER + bytes_field(7, bytes_field(1, b"short")), "key 0 of export.bin has not 16"),
        (HEADER + bytes_field(7, bytes_field(1, bytes(16)) + number_field(4, 145)), "lasts"),
        (HEADER + bytes_field(7, bytes_field(1, bytes(16)) + number_field(4, 0)), "lasts"),
        (HEADER + bytes_field(7, bytes_field(1, bytes(16)) + number_field(2, 9)), "out of range"),
        (HEADER + bytes_field(7, bytes_field(1, bytes(16)) + number_field(3, -1)), "lasts"),
        (HEADER + bytes_field(3, b"\xff"), "not text"),
        (HEADER + number_field(1, 5), "field 1 is of kind 0"),
        (HEADER + b"\x0b", "unknown kind 3"),
        (HEADER + b"\x02\x00", "no field 0"),
        (HEADER + b"\x1a\x05abc", "ends within field 3"),
        (HEADER + b"\x20" + b"\x80" * 10, "more than 10 bytes"),
        (HEADER + b"\x20\x80", "ends within a number"),
    ],
)
def test_other_forms_are_named_errors(body: bytes, why: str) -> None:
    with pytest.raises(InvalidReportError, match=why):
        read_export_bin(body)


def test_unknown_fields_are_skipped() -> None:
    old = bytes_field(1, bytes(16)) + number_field(3, 144) + bytes_field(99, b"new")
    export = read_export_bin(HEADER + bytes_field(7, old) + number_field(50, 7))
    assert export.keys.start.tolist() == [144]


@pytest.mark.parametrize("number", [0, 1, -1, 2, -2, 14, -14, 2**31 - 1, -(2**31)])
def test_zigzag_comes_back(number: int) -> None:
    assert unzigzag(zigzag(number)) == number


def test_varints() -> None:
    assert varint(300) == raw("ac02")
    assert varint(-1) == b"\xff" * 9 + b"\x01"


def test_a_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracetogether.gaen.export.MAX_EXPORT_BYTES", 134)
    with pytest.raises(InvalidReportError, match="larger than 134"):
        read_export(FILE, KEY)
