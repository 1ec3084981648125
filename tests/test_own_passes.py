"""Our own formats against the known answers that other authorities test with."""

import json
import runpy
from pathlib import Path

import pytest

from tracetogether.crypto import SigningKey, VerifyingKey
from tracetogether.healthcode.gate_lists import GateLists
from tracetogether.healthcode.passes import Pass
from tracetogether.signed import cose, hcert

PLACE = Path(__file__).parent / "vectors" / "passes" / "own.json"
OWN = json.loads(PLACE.read_text("utf-8"))
KEYS = {
    name: VerifyingKey.from_der(bytes.fromhex(key["public_der"]))
    for name, key in OWN["keys"].items()
}
WRITER = runpy.run_path(str(PLACE.with_name("write_own.py")))


@pytest.mark.parametrize("name", OWN["keys"])
def test_keys_and_their_names_follow_from_the_secrets(name: str) -> None:
    key = SigningKey.from_secret(bytes.fromhex(OWN["keys"][name]["secret"]))
    assert key.public == KEYS[name]
    assert key.public.kid.hex() == OWN["keys"][name]["kid"]
    assert KEYS[name].verify(key.sign(b"words"), b"words")


@pytest.mark.parametrize("number", range(2))
def test_a_pass_is_written_as_its_known_answer(number: int) -> None:
    known = OWN["passes"][number]
    given = {name: known[name] for name in ("issuer", "not_before", "expires", "hint", "form")}
    made = Pass(**given, number=bytes.fromhex(known["number"]))
    assert made.write().hex() == known["payload"]
    message = cose.read(hcert.from_text(known["text"]))
    assert hcert.from_text(known["text"]).hex() == known["message"]
    assert message.payload.hex() == known["payload"]
    assert message.signed_by(KEYS["passes"])
    assert not message.signed_by(KEYS["other"])


def gate() -> GateLists:
    lists = (bytes.fromhex(OWN[name]) for name in ("trust_list", "revocation_list"))
    return GateLists.read(*lists, KEYS["lists"])


def test_the_lists_hold_what_the_page_says() -> None:
    held = gate()
    assert [row.purposes for row in held.trust.keys] == [{"pass"}, {"revocations", "trust"}]
    assert (held.trust.organisation, len(held.revoked)) == ("SG_MOH", 2)


@pytest.mark.parametrize("number", range(len(OWN["verdicts"])))
def test_a_gate_says_what_the_known_answers_say(number: int) -> None:
    known = OWN["verdicts"][number]
    verdict = gate().judge(known["text"], known["at"])
    assert (verdict.for_guard, verdict.reason) == (known["word"], known["reason"])


def test_the_file_is_what_its_writer_writes_but_for_signatures() -> None:
    written = WRITER["document"]()
    assert written.keys() == OWN.keys()
    assert written["keys"] == OWN["keys"]
    assert [known["payload"] for known in written["passes"]] == [
        known["payload"] for known in OWN["passes"]
    ]
    assert [(known["at"], known["reason"]) for known in written["verdicts"]] == [
        (known["at"], known["reason"]) for known in OWN["verdicts"]
    ]
