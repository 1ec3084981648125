"""Judge the text of a code at a gate, without a network and without a store."""

from collections.abc import Container
from dataclasses import replace

from tracetogether.errors import UnreadableMessageError
from tracetogether.healthcode.passclaim import PassClaim
from tracetogether.healthcode.passes import number_abroad
from tracetogether.healthcode.reading import read_code
from tracetogether.healthcode.verdicts import REASONS, Admitted, Refused
from tracetogether.signed.cose import SignedMessage
from tracetogether.signed.trust import PASS, TrustedKey, TrustList


def check(text: str, trust: TrustList, revoked: Container[bytes], now: float) -> Admitted | Refused:
    """Return the verdict on a code's text. Any text ends in a verdict; none raises.

    The signature is checked before the times: of a text that no trusted key signed, nobody learns
    more than that it is not ours.

    Args:
        text: what the code holds, without a line's end.
        trust: the keys that the gate believes.
        revoked: what lists of revoked passes name: numbers of our own passes (8 bytes), digests of
            EU certificates and numbers of NZ passes (16 bytes). A pass of another organisation than
            the trust list's is looked up as ``passes.number_abroad``.
        now: epoch seconds.
    """
    try:
        message, claim = read_code(text)
    except UnreadableMessageError as error:
        word = REASONS[error.code][0] if error.code in REASONS else "unreadable"
        return Refused(word, str(error), error.code)
    row = signer(message, claim.issuer, claim.kind, trust, now)
    if claim.kind == PASS and trust.organisation not in ("", claim.issuer):
        claim = replace(claim, marks=tuple(number_abroad(claim.issuer, m) for m in claim.marks))
    reason = row if isinstance(row, str) else _fault_of(claim, row, revoked, now)
    if reason is None and now >= trust.expires:
        reason = "list-over"
    issuer = claim.issuer or ("" if isinstance(row, str) else row.organisation)
    if reason is None:
        return Admitted(claim.kind, issuer, claim.not_before, claim.expires, claim.hint)
    word, sentence = REASONS[reason]
    return Refused(word, sentence, reason, claim.kind, issuer, claim.not_before, claim.expires)


def _fault_of(
    claim: PassClaim, row: TrustedKey, revoked: Container[bytes], now: float
) -> str | None:
    """Return why a pass that is signed rightly does not count now; None if it does."""
    if now < claim.not_before - claim.early_s:
        return "not-yet-valid"
    if now >= claim.expires:
        return "expired"
    if not row.believed_at(now):
        return "key-out-of-time"
    if row.recognised_s is not None and now - claim.not_before > row.recognised_s:
        return "too-old"
    if claim.in_force is not None and not claim.in_force[0] <= now < claim.in_force[1]:
        return "not-in-force"
    if any(mark in revoked for mark in claim.marks):
        return "revoked"
    return claim.fault


def signer(
    message: SignedMessage, issuer: str, purpose: str, trust: TrustList, now: float
) -> TrustedKey | str:
    """Return the trusted key that signed a message, or why there is none (a code of ``REASONS``).

    Args:
        message: the message; all keys of its kid are tried, those of the issuer first.
        issuer: the organisation that it names; a key signs for its own only. "" names nobody.
        purpose: what the key must be allowed to sign.
        trust: the keys that the gate believes.
        now: epoch seconds. A key that is believed now goes before one that is not; the caller asks
            ``believed_at`` of the one returned.
    """
    named = trust.of_kid(message.kid)
    if not named:
        return "unknown-key"
    if message.algorithm is None:
        return "algorithm"
    # A partner chooses the kids of its keys: with ours for many, it would slow our own passes down.
    own = [not (issuer and row.organisation) or row.organisation == issuer for row in named]
    rows = [
        row for row, fits in zip(named, own, strict=True) if fits and message.signed_by(row.key)
    ]
    if not rows:
        others = (row for row, fits in zip(named, own, strict=True) if not fits)
        signed = any(message.signed_by(row.key) for row in others)
        return "wrong-issuer" if signed else "bad-signature"
    rows = [row for row in rows if purpose in row.purposes]
    if not rows:
        return "wrong-purpose"
    return next((row for row in rows if row.believed_at(now)), rows[0])
