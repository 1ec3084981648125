"""What 20,000 records of a partner cost, beside opening as many TempIDs, in the same run.

pytest tests/benchmarks/test_records_speed.py --benchmark-enable -s
"""

import os

import numpy as np
import pytest

from tests.authority_world import NOON
from tests.benchmarks.processor import cpu_s
from tracetogether.authority.partners.batches import SealedBatch, read_message, write_batch
from tracetogether.authority.partners.records import ForeignRecords
from tracetogether.bluetrace.tempid import TempIDIssuer, new_user_id
from tracetogether.bluetrace.token_text import raw_of_texts
from tracetogether.crypto import OpeningKey, SigningKey, VerifyingKey
from tracetogether.keyring import KeyRing
from tracetogether.labels import Labels
from tracetogether.parameters import RECORDS_A_BATCH
from tracetogether.signed.trust import RECORDS, TrustedKey

RECORDS_IN_ALL = 20_000
MOST_CPU_S = 0.2


def test_records_are_signed_sealed_and_opened_batch_by_batch(
    monkeypatch: pytest.MonkeyPatch, *, full: bool
) -> None:
    issuer = TempIDIssuer(KeyRing.generate(NOON - 86_400), "AU_DTA")
    users = [new_user_id() for _ in range(RECORDS_IN_ALL // 100)]
    starts, texts = issuer.issue_many(users, NOON - 30_000, 20)
    tokens = [text.tobytes().decode() for user in texts for text in user]
    raw, _ = raw_of_texts(tokens)
    raw, time = np.repeat(raw, 5, axis=0), np.repeat(np.tile(starts + 300.0, len(users)), 5)
    time = np.round(time / 10) * 10
    records = ForeignRecords(
        raw,
        time,
        np.full(RECORDS_IN_ALL, -60.0),
        np.full(RECORDS_IN_ALL, np.nan),
        Labels.constant("Pixel 3a", RECORDS_IN_ALL),
        Labels.constant("iPhone 8", RECORDS_IN_ALL),
    )
    signing, opening = SigningKey.generate(), OpeningKey(os.urandom(32))
    kinds = frozenset({RECORDS})
    key = TrustedKey(signing.public.kid, signing.public, "SG_MOH", "", kinds, 0, 2 * NOON)

    def exchanged() -> list[ForeignRecords]:
        found = []
        for at in range(0, RECORDS_IN_ALL, RECORDS_A_BATCH):
            part = records.take(np.arange(at, at + RECORDS_A_BATCH)).shuffled(os.urandom)
            message = write_batch(
                part,
                sender="SG_MOH",
                receiver="AU_DTA",
                hour=int(NOON // 3_600),
                to=opening.public,
                by=signing,
            )[1]
            batch = read_message(message, [key])
            assert isinstance(batch, SealedBatch)
            found.append(batch.open(opening))
        return found

    counts = {"sign": 0, "verify": 0, "seal": 0, "open": 0}
    for kind, name in (
        (SigningKey, "sign"),
        (VerifyingKey, "verify"),
        (VerifyingKey, "seal"),
        (OpeningKey, "open"),
    ):
        monkeypatch.setattr(kind, name, counting(getattr(kind, name), counts, name))
    found = ForeignRecords.concat(exchanged())
    assert counts == {"sign": 4, "verify": 4, "seal": 4, "open": 4}
    assert len(found) == RECORDS_IN_ALL
    assert sorted(found.texts()) == sorted(records.texts())
    if full:
        spent = cpu_s(exchanged, 5)
        beside = cpu_s(lambda: issuer.open_many(records.texts(), records.time), 5)
        print(f"exchanged in {spent:.3f} CPU s; TempIDs opened in {beside:.3f} CPU s")
        assert spent + beside <= MOST_CPU_S


def counting(act, counts: dict[str, int], name: str):
    def counted(*given: object, **named: object) -> object:
        counts[name] += 1
        return act(*given, **named)

    return counted
