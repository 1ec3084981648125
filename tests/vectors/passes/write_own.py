"""Write own.json again: `python tests/vectors/passes/write_own.py`.

Signatures differ each time, because signing draws a random number. The rest stays the same.
"""

import json
from pathlib import Path

from tracetogether import base45
from tracetogether.crypto import SigningKey, sha256
from tracetogether.healthcode.passes import PAPER, Pass
from tracetogether.healthcode.revocations import RevocationList
from tracetogether.signed import cose, hcert
from tracetogether.signed.trust import PASS, REVOCATIONS, TRUST, TrustedKey, TrustList

HOUR = 3_600
NOON = 1_795_953_600  # 2026-11-29 12:00:00 UTC
PLACE = Path(__file__).with_name("own.json")
SECRETS = {name: sha256(f"known answers: {name}".encode()) for name in ("passes", "lists", "other")}
KEYS = {name: SigningKey.from_secret(secret) for name, secret in SECRETS.items()}


def document() -> dict[str, object]:
    """Return the known answers."""
    screen = Pass("SG_MOH", NOON, NOON + HOUR, bytes(range(8)))
    paper = Pass("SG_MOH", NOON, NOON + 168 * HOUR, bytes(range(8, 16)), "TC 0412", PAPER)
    revoked = Pass("SG_MOH", NOON, NOON + HOUR, b"\xff" * 8)
    shown = {name: text(made) for name, made in (("screen", screen), ("revoked", revoked))}
    other = text(screen, KEYS["other"], KEYS["passes"].public.kid)
    abroad = text(Pass("AU_DTA", NOON, NOON + HOUR, bytes(8)))
    packed = base45.decode(shown["screen"].removeprefix(hcert.PREFIX))
    longer = hcert.PREFIX + base45.encode(packed + b"junk")
    trust = TrustList(
        [row("passes", PASS), row("lists", TRUST, REVOCATIONS)],
        organisation="SG_MOH",
        issued=NOON,
        expires=NOON + 24 * HOUR,
    )
    numbers = RevocationList.of("SG_MOH", [revoked.number, bytes(8)], NOON)
    return {
        "about": "Keys for tests only: their secrets are in this file.",
        "keys": {
            name: {
                "secret": SECRETS[name].hex(),
                "public_der": key.public.to_der().hex(),
                "kid": key.public.kid.hex(),
            }
            for name, key in KEYS.items()
        },
        "passes": [described(screen, shown["screen"]), described(paper, text(paper))],
        "trust_list": trust.sign(KEYS["lists"]).hex(),
        "revocation_list": numbers.signed(KEYS["lists"]).hex(),
        "verdicts": [
            {"text": said, "at": at, "word": word, "reason": reason}
            for said, at, word, reason in (
                (shown["screen"], NOON, "pass", "valid"),
                (shown["screen"], NOON - 240, "pass", "valid"),
                (shown["screen"], NOON - 241, "not now", "not-yet-valid"),
                (shown["screen"], NOON + HOUR, "not now", "expired"),
                (shown["revoked"], NOON, "not now", "revoked"),
                (other, NOON, "not ours", "bad-signature"),
                (text(screen, kid=b"unknown!"), NOON, "not ours", "unknown-key"),
                (abroad, NOON, "not ours", "wrong-issuer"),
                (text(screen, KEYS["lists"]), NOON, "not ours", "wrong-purpose"),
                (longer, NOON, "unreadable", "zlib-left-over"),
                (shown["screen"].lower(), NOON, "unreadable", "prefix"),
            )
        ],
    }


def text(made: Pass, key: SigningKey | None = None, kid: bytes | None = None) -> str:
    key = KEYS["passes"] if key is None else key
    return hcert.to_text(cose.sign(made.write(), key, key.public.kid if kid is None else kid))


def row(name: str, *purposes: str) -> TrustedKey:
    key, kinds = KEYS[name].public, frozenset(purposes)
    return TrustedKey(key.kid, key, "SG_MOH", "SG", kinds, NOON - HOUR, NOON + 168 * HOUR)


def described(made: Pass, shown: str) -> dict[str, object]:
    return {
        "issuer": made.issuer,
        "not_before": made.not_before,
        "expires": made.expires,
        "number": made.number.hex(),
        "hint": made.hint,
        "form": made.form,
        "payload": made.write().hex(),
        "message": hcert.from_text(shown).hex(),
        "text": shown,
    }


if __name__ == "__main__":
    PLACE.write_text(json.dumps(document(), indent=1) + "\n", "utf-8")
