"""`tracetogether gate check`: words, exit codes, JSON, pictures, and no network."""

import base64
import json
import os
import struct
import subprocess
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
import segno
from click.testing import CliRunner, Result
from PIL import Image

from tests.test_healthcode_check import GREEN, HOUR, KEY, NOON, TRUSTED, text_of
from tests.test_passes_of_others import VECTORS
from tests.test_plain_text import EVIL, steers
from tracetogether.cli import cli
from tracetogether.signed.trust import TrustList

TEXT = text_of(GREEN)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a trust list, a text and a picture of a pass, as the current folder."""
    monkeypatch.chdir(tmp_path)
    Path("list").write_bytes(TRUSTED.sign(KEY))
    Path("pass.txt").write_text(TEXT + "\n")
    segno.make(TEXT, error="m").save("pass.png", scale=4)
    return tmp_path


def gate(*words: str, now: int = NOON, stdin: str | bytes | None = None) -> Result:
    if "--trust" not in words:
        words = (*words, "--trust", "list")
    return CliRunner().invoke(cli, ["gate", "check", *words, "--at", str(now)], input=stdin)


@pytest.mark.parametrize("shown", [TEXT, "pass.txt", "pass.png", "-"])
def test_a_pass_counts_in_its_hour_and_not_an_hour_later(place: Path, shown: str) -> None:
    stdin = TEXT + "\r\n" if shown == "-" else None
    admitted = gate(shown, stdin=stdin)
    assert (admitted.stdout, admitted.exit_code) == ("pass\n", 0)
    refused = gate(shown, now=NOON + HOUR, stdin=stdin)
    assert (refused.stdout, refused.stderr, refused.exit_code) == ("not now\n", "", 1)


def test_jpeg_and_a_picture_on_standard_input_are_read(place: Path) -> None:
    with Image.open("pass.png") as image:
        turned = image.convert("RGB").rotate(20, expand=True, fillcolor="white")
    turned.resize((turned.width * 2, turned.height * 2)).save("pass.jpg", quality=60)
    assert gate("pass.jpg").stdout == "pass\n"
    assert gate("-", stdin=Path("pass.jpg").read_bytes()).stdout == "pass\n"


def test_of_several_codes_in_a_picture_one_pass_is_enough(place: Path) -> None:
    segno.make("https://example.org/menu", error="m").save("menu.png", scale=4)
    with Image.open("menu.png") as menu, Image.open("pass.png") as shown:
        both = Image.new("L", (menu.width + shown.width, shown.height), "white")
        both.paste(menu, (0, 0))
        both.paste(shown, (menu.width, 0))
    both.save("both.png")
    assert gate("both.png").stdout == "pass\n"


def png_of_size(side: int) -> bytes:
    """Return a PNG of some bytes that says it has ``side`` x ``side`` pixels."""
    head = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    end = struct.pack(">I", zlib.crc32(head))
    data = struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + end + data


def test_pictures_without_a_code_or_damaged_are_unreadable(place: Path) -> None:
    Image.new("L", (300, 300), "white").save("blank.png")
    Path("cut.png").write_bytes(Path("pass.png").read_bytes()[:200])
    Path("bomb.png").write_bytes(png_of_size(30_000))
    Path("large.png").write_bytes(png_of_size(12_000))
    Path("larger.png").write_bytes(png_of_size(8_000))
    reasons = {"blank": "no-code", "cut": "picture-damaged"}
    reasons |= dict.fromkeys(("bomb", "large", "larger"), "picture-too-large")
    for name, reason in reasons.items():
        result = gate(f"{name}.png", "--json")
        assert result.exit_code == 1
        said = json.loads(result.stdout)
        assert (said["verdict"], said["reason"]) == ("unreadable", reason)


def test_json_has_the_six_values_and_nothing_of_the_holder(place: Path) -> None:
    Path("hinted.txt").write_text(text_of(replace(GREEN, hint="TC 0412")))
    for name in ("pass.txt", "hinted.txt"):
        assert json.loads(gate(name, "--json").stdout) == {
            "verdict": "pass",
            "reason": "valid",
            "kind": "pass",
            "issuer": "SG_MOH",
            "not_before": NOON,
            "expires": NOON + HOUR,
        }
    assert json.loads(gate("nonsense", "--json").stdout) == {
        "verdict": "unreadable",
        "reason": "prefix",
        "kind": None,
        "issuer": None,
        "not_before": None,
        "expires": None,
    }


def test_the_reason_is_shown_to_operators_only(place: Path) -> None:
    late = gate("pass.txt", "--explain", now=NOON + HOUR)
    assert late.stdout.splitlines() == [
        "not now",
        "expired: its time is over",
        "pass of SG_MOH",
        "2084-01-29 16:00:00 to 2084-01-29 17:00:00 UTC",
    ]
    assert "expired" not in gate("pass.txt", now=NOON + HOUR).output


def test_certificates_and_jwk_sets_are_trusted_together(place: Path) -> None:
    vector = json.loads((VECTORS / "hcert" / "AT-1.json").read_text("utf-8"))
    der = base64.b64decode(vector["TESTCTX"]["CERTIFICATE"])
    pem = base64.encodebytes(der).decode()
    Path("at.pem").write_text(f"-----BEGIN CERTIFICATE-----\n{pem}-----END CERTIFICATE-----\n")
    Path("at.b64").write_text(pem)  # as the EU's lists have it
    Path("at.png").write_bytes(base64.b64decode(vector["2DCODE"]))
    jwk = json.loads((VECTORS / "nzcp" / "valid" / "jwk.json").read_text("utf-8"))
    Path("nz.json").write_text(json.dumps({"keys": [jwk | {"kid": "key-1"}, {"kty": "OKP"}]}))
    trust = ("--trust", "at.pem", "--trust", "nz.json")
    at = gate("at.png", "--json", *trust, now=1_620_324_000)
    assert json.loads(at.stdout)["kind"] == "dcc-vaccination"
    assert gate("at.png", "--trust", "at.b64", now=1_620_324_000).stdout == "pass\n"
    Path("at.b64").write_text(pem[:99])
    cut = gate("at.png", "--trust", "at.b64")
    assert "at.b64: it begins as a certificate in Base64, and is cut" in str(cut.exception)
    nz = gate(str(VECTORS / "nzcp" / "valid" / "nzcp.txt"), "--json", *trust, now=1_635_883_530)
    assert json.loads(nz.stdout)["kind"] == "nz-pass"
    assert json.loads(gate("pass.txt", "--json", *trust).stdout)["reason"] == "unknown-key"


@pytest.mark.parametrize(
    "words",
    [("pass.txt", "--at", "noon"), ("pass.txt", "--trust", "none"), ("a", "b"), ("--wrong",)],
)
def test_wrong_use_ends_with_2(place: Path, words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(cli, ["gate", "check", *words])
    assert (result.exit_code, result.stdout) == (2, "")


@pytest.mark.parametrize("name", ["photo.jpg", "at home/pass.PNG", "./pass.tx", "."])
def test_a_file_that_is_not_there_is_no_unreadable_pass(place: Path, name: str) -> None:
    result = gate(name)
    assert (result.exit_code, result.stdout) == (2, "")
    assert repr(name) in result.stderr


@pytest.mark.parametrize("text", ["hello", "hc1:6BF", "https://example.org/menu.png", "x" * 5_000])
def test_a_text_of_an_unknown_kind_is_unreadable(place: Path, text: str) -> None:
    assert (gate(text).stdout, gate(text).exit_code) == ("unreadable\n", 1)


def test_without_keys_nothing_is_judged(place: Path) -> None:
    result = CliRunner().invoke(cli, ["gate", "check", "pass.txt"])
    assert result.exit_code == 2
    assert "--trust FILE" in result.stderr


def test_a_file_of_no_keys_is_named(place: Path) -> None:
    result = gate("pass.txt", "--trust", "pass.png")
    assert result.exit_code == 1
    assert "pass.png: neither a certificate" in str(result.exception)


def test_no_text_of_a_stranger_reaches_the_screen_uncleaned(place: Path) -> None:
    strange = text_of(replace(GREEN, issuer=EVIL[:64]))
    for shown in (strange, EVIL.replace("\0", ""), "HC1:" + EVIL):
        for more in ((), ("--explain",), ("--json",)):
            output = gate("-", *more, stdin=shown).output
            assert not [c for c in output if steers(c) and c != "\n"]


def test_two_lists_hold_while_both_hold(place: Path) -> None:
    old = TrustList((), organisation="AU_DTA", issued=NOON - 2 * HOUR, expires=NOON)
    assert gate("pass.txt").exit_code == 0
    joined = TRUSTED.joined_with(old)
    assert (joined.organisation, joined.issued, joined.expires) == ("SG_MOH", NOON, NOON)


@pytest.mark.skipif(
    subprocess.run(["unshare", "-rn", "true"], capture_output=True, check=False).returncode != 0
    if sys.platform == "linux"
    else True,
    reason="needs a user namespace without a network",
)
@pytest.mark.slow
def test_a_gate_needs_no_network_and_asks_for_none(place: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "tracetogether",
        "gate",
        "check",
        "pass.png",
        "--trust",
        "list",
    ]
    root = str(Path(__file__).parent.parent)
    for at, word, code in ((NOON, "pass\n", 0), (NOON + HOUR, "not now\n", 1)):
        done = subprocess.run(
            [
                *("unshare", "-rn", "strace", "-f", "-e", "trace=connect,sendto", "-o", "calls"),
                *(*command, "--at", str(at)),
            ],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": root},
        )
        assert (done.stdout, done.returncode) == (word, code), done.stderr
        calls = [line for line in Path("calls").read_text().splitlines() if "(" in line]
        assert calls == []
