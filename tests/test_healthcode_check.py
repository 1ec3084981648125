"""A gate's verdict on our own passes: signature, issuer, purpose, times and revocation."""

from dataclasses import replace

import pytest

from tracetogether.crypto import SigningKey, VerifyingKey
from tracetogether.errors import TrustError, UnreadableMessageError
from tracetogether.healthcode.checking import check
from tracetogether.healthcode.passes import Pass
from tracetogether.healthcode.verdicts import Admitted, Refused
from tracetogether.signed import cose, hcert
from tracetogether.signed.trust import DCC_TEST, PASS, TRUST, TrustedKey, TrustList

HOUR = 3_600
NOON = 1_000_000 * HOUR
KEY = SigningKey.from_secret(b"a secret of 32 bytes, for tests.")
OTHER = SigningKey.from_secret(b"another secret of 32 bytes, too.")
GREEN = Pass("SG_MOH", NOON, NOON + HOUR, b"number 1")
ROW = TrustedKey(
    KEY.public.kid,
    KEY.public,
    "SG_MOH",
    "SG",
    frozenset({PASS, TRUST}),
    NOON - HOUR,
    NOON + 100 * HOUR,
)
TRUSTED = TrustList([ROW], organisation="SG_MOH", issued=NOON, expires=NOON + 24 * HOUR)


def text_of(shown: Pass, key: SigningKey = KEY, kid: bytes = KEY.public.kid) -> str:
    return hcert.to_text(cose.sign(shown.write(), key, kid))


def judged(text: str, *rows: TrustedKey, now: float = NOON, revoked: bytes = b"") -> str:
    verdict = check(text, TrustList(rows) if rows else TRUSTED, {revoked}, now)
    return verdict.reason


def test_a_pass_counts_in_its_hour() -> None:
    assert check(text_of(GREEN), TRUSTED, set(), NOON) == Admitted(
        "pass", "SG_MOH", NOON, NOON + HOUR
    )


@pytest.mark.parametrize(
    ("after_s", "reason"),
    [
        (-241, "not-yet-valid"),
        (-240, "valid"),
        (0, "valid"),
        (HOUR - 1, "valid"),
        (HOUR, "expired"),
    ],
)
def test_times_are_exact_at_the_end_and_early_by_four_minutes(after_s: int, reason: str) -> None:
    assert judged(text_of(GREEN), now=NOON + after_s) == reason


def test_a_pass_of_paper_counts_seven_days_and_no_longer() -> None:
    paper = replace(GREEN, form="paper", expires=NOON + 168 * HOUR)
    assert judged(text_of(paper), ROW, now=NOON + 99 * HOUR) == "valid"
    assert judged(text_of(paper), now=NOON + 25 * HOUR) == "list-over"
    with pytest.raises(ValueError, match="seven days"):
        replace(paper, expires=NOON + 169 * HOUR)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (replace(ROW, kid=b"another."), "unknown-key"),
        (replace(ROW, key=OTHER.public), "bad-signature"),
        (replace(ROW, organisation="AU_DTA"), "wrong-issuer"),
        (replace(ROW, purposes=frozenset({DCC_TEST})), "wrong-purpose"),
        (replace(ROW, until_time=NOON), "key-out-of-time"),
        (replace(ROW, recognised_s=600), "too-old"),
    ],
)
def test_each_rule_of_the_trust_list_refuses_with_its_own_reason(
    row: TrustedKey, reason: str
) -> None:
    assert judged(text_of(GREEN), row, now=NOON + 601) == reason


def test_all_keys_of_a_kid_are_tried() -> None:
    others = [replace(ROW, key=OTHER.public), replace(ROW, organisation="AU_DTA")]
    assert judged(text_of(GREEN), *others, ROW) == "valid"


def test_keys_of_others_under_our_kid_cost_our_own_passes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried: list[object] = []
    verify = VerifyingKey.verify
    monkeypatch.setattr(
        VerifyingKey, "verify", lambda *given: tried.append(given) or verify(*given)
    )
    theirs = replace(ROW, key=OTHER.public, organisation="AU_DTA")
    assert judged(text_of(GREEN), *[theirs] * 50, ROW) == "valid"
    assert len(tried) == 1
    assert judged(text_of(GREEN, OTHER), theirs, ROW) == "wrong-issuer"


def test_expired_and_revoked_are_the_same_to_the_guard() -> None:
    expired = check(text_of(GREEN), TRUSTED, set(), NOON + HOUR)
    revoked = check(text_of(GREEN), TRUSTED, {GREEN.number}, NOON)
    assert isinstance(expired, Refused)
    assert isinstance(revoked, Refused)
    assert (expired.for_guard, revoked.for_guard) == ("not now", "not now")
    assert (expired.reason, revoked.reason) == ("expired", "revoked")


def test_a_trust_list_is_the_same_after_writing_and_reading() -> None:
    signed = TRUSTED.sign(KEY)
    for key in (None, KEY.public):
        found = TrustList.read(signed, key)
        assert found.keys == TRUSTED.keys
        assert (found.organisation, found.issued, found.expires) == ("SG_MOH", NOON, NOON + 86_400)


def test_a_trust_list_of_another_key_is_refused() -> None:
    with pytest.raises(TrustError, match="not signed by the key"):
        TrustList.read(TRUSTED.sign(OTHER))
    with pytest.raises(TrustError, match="not signed by the key"):
        TrustList.read(TRUSTED.sign(KEY), OTHER.public)
    with pytest.raises(UnreadableMessageError, match="no trust list"):
        TrustList.read(cose.sign(GREEN.write(), KEY, KEY.public.kid))
