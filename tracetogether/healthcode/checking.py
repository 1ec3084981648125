"""Judge the text of a code at a gate, without a network and without a store."""

from collections.abc import Container

from tracetogether.errors import UnreadableMessageError
from tracetogether.healthcode.passes import EARLY_S, Pass
from tracetogether.healthcode.verdicts import REASONS, Admitted, Refused
from tracetogether.signed import cose, hcert
from tracetogether.signed.claims import read_claims
from tracetogether.signed.cose import SignedMessage
from tracetogether.signed.trust import PASS, TrustedKey, TrustList


def check(text: str, trust: TrustList, revoked: Container[bytes], now: float) -> Admitted | Refused:
    """Return the verdict on a code's text. Any text ends in a verdict; none raises.

    Args:
        text: what the code holds, without a line's end.
        trust: the keys that the gate believes.
        revoked: numbers of revoked passes (8 bytes each).
        now: epoch seconds.
    """
    try:
        message = cose.read(hcert.from_text(text))
        claims = read_claims(message.payload, most_bytes=hcert.MOST_BYTES)
        own = Pass.from_claims(claims)
    except UnreadableMessageError as error:
        return Refused("unreadable", str(error), error.code)
    if own is None:
        return Refused("unreadable", "the message holds no pass of a known kind", "unknown-kind")
    return _judge_own(own, message, trust, revoked, now)


def _judge_own(
    own: Pass, message: SignedMessage, trust: TrustList, revoked: Container[bytes], now: float
) -> Admitted | Refused:
    row = signer(message, own.issuer, PASS, trust, now)
    if isinstance(row, str):
        reason = row
    elif now < own.not_before - EARLY_S:
        reason = "not-yet-valid"
    elif now >= own.expires:
        reason = "expired"
    elif row.recognised_s is not None and now - own.not_before > row.recognised_s:
        reason = "too-old"
    elif own.number in revoked:
        reason = "revoked"
    else:
        return Admitted("pass", own.issuer, own.not_before, own.expires, own.hint)
    word, sentence = REASONS[reason]
    return Refused(word, sentence, reason, "pass", own.issuer, own.not_before, own.expires)


def signer(
    message: SignedMessage, issuer: str, purpose: str, trust: TrustList, now: float
) -> TrustedKey | str:
    """Return the trusted key that signed a message, or why there is none (a code of ``REASONS``).

    Args:
        message: the message; all keys of its kid are tried.
        issuer: the organisation that it names; a key signs for its own only.
        purpose: what the key must be allowed to sign.
        trust: the keys that the gate believes.
        now: epoch seconds, when the key must be believed.
    """
    named = trust.of_kid(message.kid)
    if not named:
        return "unknown-key"
    rows = [row for row in named if message.signed_by(row.key)]
    if not rows:
        return "bad-signature"
    for reason, fits in (
        ("wrong-issuer", lambda row: row.organisation in ("", issuer)),
        ("wrong-purpose", lambda row: purpose in row.purposes),
        ("key-out-of-time", lambda row: row.from_time <= now < row.until_time),
    ):
        rows = [row for row in rows if fits(row)]
        if not rows:
            return reason
    return rows[0]
