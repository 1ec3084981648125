"""A gate's check beside two public libraries, in the same run.

    pytest tests/benchmarks/test_gate_speed.py --benchmark-enable -s

CPU time of one check of an EU certificate and of our own pass. The other chains decode, verify and
read the claims only: they don't judge, and they accept what ours refuses. pycose is not among the
packages that tests install; it is measured where it is.
"""

import json
import subprocess
import sys
import zlib
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import cbor2
import cwt
import pytest
import segno

from tests.benchmarks.processor import cpu_s
from tests.test_healthcode_check import GREEN, KEY, NOON, TRUSTED, text_of
from tests.test_passes_of_others import eu
from tracetogether import base45
from tracetogether.crypto import VerifyingKey
from tracetogether.healthcode.checking import check
from tracetogether.signed.trust import TrustedKey

MOST_US = 250.0
MOST_PICTURE_S = 0.5


def unpacked(text: str) -> bytes:
    return zlib.decompress(base45.decode(text.removeprefix("HC1:")))


def by_cwt(text: str, row: TrustedKey) -> Callable[[], object]:
    key = cwt.COSEKey.from_pem(row.key.to_pem().decode(), kid=row.kid)
    reader = cwt.COSE.new()
    return lambda: cbor2.loads(reader.decode(unpacked(text), key))


def by_pycose(text: str, row: TrustedKey) -> Callable[[], object]:
    from cryptography.hazmat.primitives.serialization import load_der_public_key
    from pycose.keys import EC2Key
    from pycose.messages import Sign1Message

    numbers = load_der_public_key(row.key.to_der()).public_numbers()  # type: ignore[union-attr]
    key = EC2Key(
        crv="P_256",
        x=numbers.x.to_bytes(32),
        y=numbers.y.to_bytes(32),  # type: ignore[union-attr]
    )

    def chain() -> object:
        message = Sign1Message.decode(unpacked(text))
        message.key = key
        assert message.verify_signature()
        return cbor2.loads(message.payload)

    return chain


def test_one_check_verifies_one_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    verify = VerifyingKey.verify
    monkeypatch.setattr(
        VerifyingKey, "verify", lambda *words: calls.append(words) or verify(*words)
    )
    for text, trust, now in ((text_of(GREEN), TRUSTED, NOON), eu("CO3")):
        calls.clear()
        assert check(text, trust, (), now).reason == "valid"
        assert len(calls) == 1
        assert check("HC1:" + text, trust, (), now).reason.startswith(("base45", "zlib"))
        assert len(calls) == 1  # nothing is verified of a text that can't be read


def test_a_check_costs_no_more_than_the_reading_of_others(*, full: bool) -> None:
    times = 500 if full else 1

    def us(act: Callable[[], object]) -> float:
        def often() -> None:
            for _ in range(times):
                act()

        return cpu_s(often, 7 if full else 1) / times * 1e6

    own = text_of(GREEN)
    text, trust, now = eu("CO3")
    figures = {
        "own pass": us(lambda: check(own, TRUSTED, (), NOON)),
        "EU certificate": us(lambda: check(text, trust, (), now)),
        "EU certificate by cwt": us(by_cwt(text, trust.keys[0])),
    }
    if find_spec("pycose"):
        figures["EU certificate by pycose"] = us(by_pycose(text, trust.keys[0]))
    if full:
        print({name: f"{value:.0f} us" for name, value in figures.items()})
        assert max(figures["own pass"], figures["EU certificate"]) <= MOST_US
        assert figures["EU certificate"] <= 3 * figures["EU certificate by cwt"]
        assert figures["EU certificate"] <= figures.get("EU certificate by pycose", 1e9)


def test_a_picture_is_checked_from_the_command_line_in_half_a_second(
    tmp_path: Path, *, full: bool
) -> None:
    (tmp_path / "list").write_bytes(TRUSTED.sign(KEY))
    segno.make(text_of(GREEN), error="m").save(str(tmp_path / "pass.png"), scale=6)
    script = (
        "import sys, time; from tracetogether.cli import cli\n"
        "words = 'gate check pass.png --trust list --json --at'.split()\n"
        "try: cli([*words, sys.argv[1]])\n"
        "finally: print(time.process_time(), file=sys.stderr)"
    )
    spent = []
    for _ in range(5 if full else 1):
        done = subprocess.run(
            [sys.executable, "-c", script, str(NOON)],
            cwd=tmp_path,
            env={"PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            text=True,
            check=True,
        )
        assert json.loads(done.stdout)["verdict"] == "pass"
        spent.append(float(done.stderr))
    if full:
        print(f"picture from the command line: {min(spent):.2f} CPU-s")
        assert min(spent) <= MOST_PICTURE_S
