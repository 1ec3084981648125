"""EU certificates and NZ passes: each vector is admitted, or refused with its own reason."""

import base64
import json
import time
import tracemalloc
import zlib
from datetime import UTC, datetime
from pathlib import Path

import cwt
import pytest

from tracetogether import base45
from tracetogether.cbor import Tagged, read_cbor, write_cbor
from tracetogether.crypto import SigningKey, VerifyingKey
from tracetogether.errors import TrustError
from tracetogether.healthcode.checking import check
from tracetogether.healthcode.reading import read_code
from tracetogether.healthcode.verdicts import Admitted, Refused
from tracetogether.signed import cose, hcert
from tracetogether.signed.trust import DCC_TEST, TrustList
from tracetogether.signed.trust_files import read_trust_file

VECTORS = Path(__file__).parent / "vectors" / "passes"
REFUSED = {
    "B1": ("unreadable", "base45-character"),
    "CBO1": ("unreadable", "dcc-form"),
    "CBO2": ("unreadable", "cbor-left-over"),
    "CO5": ("not ours", "bad-signature"),
    "CO6": ("not ours", "wrong-purpose"),
    "CO10": ("not ours", "wrong-purpose"),
    "CO11": ("not ours", "wrong-purpose"),
    "CO16": ("not now", "not-yet-valid"),
    "CO17": ("not now", "expired"),
    "CO22": ("not ours", "unknown-key"),
    "DGC1": ("unreadable", "dcc-form"),
    "H1": ("unreadable", "prefix"),
    "H2": ("unreadable", "prefix"),
    "Z1": ("unreadable", "zlib-damaged"),
}
FORGERIES = {
    "junk_behind_zlib": "zlib-left-over",
    "junk_behind_cbor": "cbor-left-over",
    "bomb_64_MiB": "text-too-long",
    "lower_case": "prefix",
    "alg_none": "algorithm",
    "alg_moved_to_unprotected": "algorithm",
}
EU = sorted(path for path in (VECTORS / "hcert").rglob("*.json") if path.name != "forgeries.json")
NZ_FROM, NZ_UNTIL = 1_635_883_530, 1_951_416_330


def eu(name: str) -> tuple[str, TrustList, float]:
    """Return the text of a vector, the keys to judge it with and the time."""
    (path,) = (VECTORS / "hcert").rglob(f"{name}.json")
    vector = json.loads(path.read_text("utf-8"))
    about = vector["TESTCTX"]
    moment = datetime.fromisoformat(about["VALIDATIONCLOCK"])
    now = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return vector["PREFIX"], read_trust_file(base64.b64decode(about["CERTIFICATE"])), now


@pytest.mark.parametrize("path", EU, ids=lambda path: path.stem)
def test_each_eu_vector_ends_as_its_makers_say(path: Path) -> None:
    text, trust, now = eu(path.stem)
    expected = json.loads(path.read_text("utf-8"))["EXPECTEDRESULTS"]
    verdict = check(text, trust, (), now)
    word, reason = REFUSED.get(path.stem, ("pass", "valid"))
    assert (verdict.for_guard, verdict.reason) == (word, reason)
    of_the_text = {key: value for key, value in expected.items() if "PICTURE" not in key}
    assert all(of_the_text.values()) == isinstance(verdict, Admitted)


@pytest.mark.parametrize("name", ["AT-1", "AT-2", "CH-1", "SE-2"])
def test_the_times_of_eu_certificates_are_exact(name: str) -> None:
    text, trust, now = eu(name)
    claim = read_code(text)[1]
    begins, ends = claim.not_before, claim.expires
    assert check(text, trust, (), begins - 1).reason == "not-yet-valid"
    assert check(text, trust, (), ends).reason == "expired"
    assert isinstance(check(text, trust, (), now), Admitted)
    assert check(text, trust, {claim.marks[1]}, now).reason == "revoked"


def test_no_state_signs_for_another() -> None:
    text, _, now = eu("SE-1")
    message = cose.read(hcert.from_text(text))
    claims = read_cbor(message.payload)
    assert isinstance(claims, dict)
    key = SigningKey.generate()
    forged = hcert.to_text(cose.sign(write_cbor(claims | {1: "DE"}), key, message.kid or b""))
    (row,) = eu("SE-1")[1].keys
    trust = TrustList([type(row)(**{**fields(row), "key": key.public})])
    assert check(forged, trust, (), now).reason == "wrong-issuer"


def fields(row: object) -> dict[str, object]:
    return {name: getattr(row, name) for name in row.__slots__}  # type: ignore[attr-defined]


def test_a_positive_test_admits_nobody() -> None:
    text, trust, now = eu("SE-2")
    message = cose.read(hcert.from_text(text))
    claims = read_cbor(message.payload)
    assert isinstance(claims, dict)
    claims[-260][1]["t"][0]["tr"] = "260373001"
    key = SigningKey.generate()
    (row,) = trust.keys
    signed = hcert.to_text(cose.sign(write_cbor(claims), key, message.kid or b""))
    believed = TrustList([type(row)(**{**fields(row), "key": key.public})])
    assert check(signed, believed, (), now).reason == "test-positive"


@pytest.mark.parametrize("name", FORGERIES)
def test_forgeries_are_refused_at_once_and_in_little_memory(name: str) -> None:
    _, trust, now = eu("CO3")
    made = json.loads((VECTORS / "hcert" / "forgeries.json").read_text("utf-8"))
    (text,) = [forgery["text"] for forgery in made if forgery["name"] == name]
    expect_cheap(text, trust, now, FORGERIES[name])


def expect_cheap(text: str, trust: TrustList, now: float, reason: str) -> None:
    begun = time.process_time()
    verdict = check(text, trust, (), now)
    assert time.process_time() - begun < 0.05
    assert isinstance(verdict, Refused)
    assert verdict.reason == reason
    tracemalloc.start()
    check(text, trust, (), now)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20  # the promise is 64 MB


@pytest.mark.parametrize(
    ("inside", "reason"),
    [
        (zlib.compress(bytes(2_000_000), 9), "zlib-too-long"),
        (zlib.compress(b"\x9f" * 4_000, 9), "cbor-indefinite"),
        (zlib.compress(b"\x81" * 4_000, 9), "cbor-too-deep"),
        (zlib.compress(b"\xd2" * 4_000, 9), "cbor-too-deep"),
        (zlib.compress(b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff", 9), "cbor-cut-short"),
        (zlib.compress(b"\x5b\x7f\xff\xff\xff\xff\xff\xff\xff", 9), "cbor-cut-short"),
        (
            zlib.compress(b"\xba\x01\x00\x00\x00" + bytes(3_000), 9),
            "cbor-cut-short",
        ),
        (zlib.compress(b"\xa2\x01\x01\x01\x02", 9), "cbor-key-twice"),
        (zlib.compress(b"\xd8\x23\x61\x28", 9), "cbor-unknown-tag"),
        (zlib.compress(b"\xc2\x41\x01", 9), "cbor-unknown-tag"),
        (b"", "zlib-cut-short"),
    ],
)
def test_bombs_and_tricks_are_refused_at_once(inside: bytes, reason: str) -> None:
    _, trust, now = eu("CO3")
    expect_cheap(hcert.PREFIX + base45.encode(inside), trust, now, reason)


@pytest.mark.parametrize("algorithm", ["ES256", "PS256"])
def test_another_library_reads_our_messages_and_we_read_its(algorithm: str) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    made = (
        ec.generate_private_key(ec.SECP256R1())
        if algorithm == "ES256"
        else (rsa.generate_private_key(65537, 2048))
    )
    pem = made.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    theirs = cwt.COSEKey.from_pem(pem.decode(), alg=algorithm, kid="a kid")
    payload = write_cbor({1: "SG"})
    header = {"alg": algorithm, "kid": "a kid"}
    message = cose.read(cwt.COSE.new().encode_and_sign(payload, theirs, protected=header))
    public = made.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert (message.algorithm, message.kid, message.payload) == (algorithm, b"a kid", payload)
    assert message.signed_by(VerifyingKey.from_der(public))
    if algorithm == "ES256":
        ours = cose.sign(payload, SigningKey.from_pem(pem), b"a kid")
        assert cwt.COSE.new().decode(ours, theirs) == payload


def test_a_key_of_another_curve_is_not_taken_for_p256() -> None:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = ec.generate_private_key(ec.SECP384R1()).public_key()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(TrustError, match="neither P-256 nor RSA"):
        read_trust_file(pem)


def test_an_rsa_key_does_not_check_what_claims_es256() -> None:
    text, trust, now = eu("CO1")
    message = Tagged(18, [write_cbor({1: -7, 4: read_code(text)[0].kid}), {}, b"\xa0", bytes(256)])
    assert not cose.read(write_cbor(message)).signed_by(trust.keys[0].key)
    assert isinstance(check(text, trust, (), now), Admitted)


@pytest.mark.parametrize("keys", ["jwk.json", "did.json"])
def test_nz_passes_are_judged_by_their_own_rules(keys: str) -> None:
    trust = read_trust_file((VECTORS / "nzcp" / "valid" / keys).read_bytes())

    def reason(name: str, now: float = NZ_FROM) -> str:
        return check((VECTORS / "nzcp" / name).read_text().strip(), trust, (), now).reason

    assert reason("valid/nzcp.txt") == "valid"
    assert reason("valid/nzcp.txt", NZ_FROM - 1) == "not-yet-valid"
    assert reason("valid/nzcp.txt", NZ_UNTIL - 1) == "valid"
    assert reason("valid/nzcp.txt", NZ_UNTIL) == "expired"
    assert reason("invalid/nzcp-modified-payload.txt") == "bad-signature"
    assert reason("invalid/nzcp-expired-payload.txt") == "expired"


def test_the_name_of_an_nz_key_counts_and_so_does_its_issuer() -> None:
    text = (VECTORS / "nzcp" / "valid" / "nzcp.txt").read_text().strip()
    jwk = json.loads((VECTORS / "nzcp" / "valid" / "jwk.json").read_text())

    def reason(**more: object) -> str:
        trust = read_trust_file(json.dumps({"keys": [jwk | more]}).encode())
        return check(text, trust, (), NZ_FROM).reason

    assert reason(kid="key-1") == "valid"
    assert reason(kid="key-2") == "unknown-key"
    assert reason(kid="key-1", iss="did:web:example.org") == "wrong-issuer"
    assert reason(kid="key-1", purposes=[DCC_TEST]) == "wrong-purpose"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("/1/", "/2/"), "nzcp-version"),
        (("NZCP", "nzcp"), "prefix"),
        (("/1/", "/1/1"), "nzcp-base32"),
        (("2KCE", "2kce"), "nzcp-base32"),
        (("FDX", "FDX="), "nzcp-base32"),
        (("FDX", "FDXAA"), "cbor-left-over"),
        (("7JTNCFDX", ""), "cbor-cut-short"),
    ],
)
def test_other_forms_of_an_nz_pass_are_refused(change: tuple[str, str], reason: str) -> None:
    text = (VECTORS / "nzcp" / "valid" / "nzcp.txt").read_text().strip()
    trust = read_trust_file((VECTORS / "nzcp" / "valid" / "jwk.json").read_bytes())
    assert change[0] in text
    assert check(text.replace(*change), trust, (), NZ_FROM).reason == reason


def test_smart_health_cards_are_refused_politely() -> None:
    cards = sorted((VECTORS / "shc").glob("*.txt"))
    assert len(cards) == 4
    for path in cards:
        verdict = check(path.read_text("utf-8").strip(), TrustList([]), (), 0)
        assert (verdict.for_guard, verdict.reason) == ("not ours", "not-supported")
    assert check("shc:/5676290952432060346029", TrustList([]), (), 0).reason == "not-supported"


def test_revocation_digests_are_those_of_the_eu() -> None:
    samples = json.loads((VECTORS / "revocation" / "hashes.json").read_text("utf-8"))
    assert len(samples) == 2
    for sample in samples:
        marks = [mark.hex() for mark in read_code(sample["barcodeData"])[1].marks]
        assert marks == [sample["expUCI"], sample["expCOUNTRYCODEUCI"], sample["expSIGNATURE"]]
