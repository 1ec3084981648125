"""TempIDs against OpenTrace's own answers, and what an attacker might send."""

import json
import struct
from base64 import b64decode, b64encode
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from tracetogether.bluetrace.batch import TempIDBatch
from tracetogether.bluetrace.tempid import OpenedTempID, TempIDIssuer, new_user_id
from tracetogether.errors import InvalidTempIDError, KeyRingError
from tracetogether.keyring import KeyRing
from tracetogether.rejection import Rejection
from tracetogether.sightings import Sighting, Sightings
from tracetogether.units import SECONDS_PER_DAY, Entropy

VECTORS = json.loads((Path(__file__).parent / "vectors" / "tempids.json").read_text())["vectors"]
NOON = 1_600_000_000 // SECONDS_PER_DAY * SECONDS_PER_DAY + 43_200
USER = "8zZBQrs2ZKP0ZPvqO4yDxQjBvUe2"


def chained(entropy: Entropy, now: float = NOON, authority: str = "SG_MOH") -> TempIDIssuer:
    return TempIDIssuer(KeyRing.generate(now, entropy=entropy), authority, entropy=entropy)


def naive_static_tempid(key: bytes, iv: bytes, user_id: str, start: int) -> str:
    """A second implementation, from the field list alone."""
    plain = b64decode(user_id) + struct.pack(">II", start, start + 900)
    sealing = Cipher(algorithms.AES(key), modes.GCM(iv)).encryptor()
    cipher = sealing.update(plain) + sealing.finalize()
    return b64encode(cipher + iv + sealing.tag).decode()


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: f"{v['uid'][:4]}-{v['index']}")
def test_known_answers_of_the_reference_server(vector: dict) -> None:
    iv, key = bytes.fromhex(vector["iv_hex"]), bytes.fromhex(vector["key_hex"])
    issuer = TempIDIssuer(KeyRing.of_static(key), entropy=lambda size: iv * (size // 16))
    batch = issuer.issue(vector["uid"], vector["now"] - 60, 100)
    tempid = batch.tempids[vector["index"]]
    assert (tempid.start, tempid.expiry) == (vector["startTime"], vector["expiryTime"])
    assert tempid.text == vector["tempID_b64"]
    assert batch.refresh_at == vector["now"] + 43_200
    opened = issuer.open(tempid.text, tempid.start)
    assert opened == OpenedTempID(vector["decrypted_uid"], tempid.start, tempid.expiry)
    assert tempid.text == naive_static_tempid(key, iv, vector["uid"], vector["startTime"])


def test_there_are_nine_vectors() -> None:
    assert len(VECTORS) == 9


def test_a_batch_covers_25_hours_without_a_gap(entropy: Entropy) -> None:
    batch = chained(entropy).issue(USER, NOON - 60, 100)
    assert len(batch) == 100
    assert all(len(tempid.text) == 84 and tempid.text.endswith("==") for tempid in batch)
    assert len({tempid.text for tempid in batch}) == 100
    expiries = [tempid.expiry for tempid in batch]
    assert [tempid.start for tempid in batch] == [NOON - 60, *expiries[:-1]]
    assert expiries[-1] == NOON - 60 + 90_000
    assert batch.at(NOON) is batch.tempids[0]
    assert batch.at(NOON + 839.9) is batch.tempids[0]
    assert batch.at(NOON + 840) is batch.tempids[1]
    assert batch.at(NOON - 61) is None
    assert batch.at(expiries[-1]) is None


def test_renewal_is_due_after_twelve_hours_or_when_none_is_valid(entropy: Entropy) -> None:
    batch = chained(entropy).issue(USER, NOON - 60, 100)
    assert not batch.renewal_due(NOON)
    assert not batch.renewal_due(NOON + 43_199)
    assert batch.renewal_due(NOON + 43_200)
    assert batch.renewal_due(NOON - 1_000)


def test_batches_read_back_from_a_servers_answer(entropy: Entropy) -> None:
    batch = chained(entropy).issue(USER, NOON, 3)
    assert TempIDBatch.from_json(json.loads(json.dumps(batch.to_json()))) == batch
    for wrong in (None, {}, [], {"tempIDs": [{}], "refreshTime": 1}, {"tempIDs": 7},
                  {"tempIDs": [], "refreshTime": float("inf")}):  # fmt: skip
        with pytest.raises(InvalidTempIDError, match="no batch"):
            TempIDBatch.from_json(wrong)


@pytest.mark.parametrize("authority", ["SG_MOH", "AU_DTA"])
def test_validity_is_of_the_record_both_ends_included(entropy: Entropy, authority: str) -> None:
    issuer = chained(entropy, authority=authority)
    tempid = issuer.issue(USER, NOON, 1).tempids[0]
    for time in (NOON, NOON + 450.5, NOON + 900):
        assert issuer.open(tempid.text, time) == OpenedTempID(USER, NOON, NOON + 900)
    for time in (NOON - 1, NOON + 901, NOON + 11 * 3_600, NOON - 11 * 3_600):
        assert issuer.open(tempid.text, time) is Rejection.EXPIRED_ID


def test_an_expired_record_still_names_its_user(entropy: Entropy) -> None:
    issuer = chained(entropy)
    text = issuer.issue(USER, NOON, 1).tempids[0].text
    opened = issuer.open_many([text], np.array([NOON + 5_000.0]))
    assert opened.user.to_list() == [USER]
    assert opened.rejections() == {Rejection.EXPIRED_ID: 1}


def test_windows_over_midnight_open_by_the_records_time(entropy: Entropy) -> None:
    midnight = NOON + 43_200
    issuer = chained(entropy)
    tempid = issuer.issue(USER, midnight - 450, 1).tempids[0]
    for time in (midnight - 450, midnight - 1, midnight, midnight + 450):
        assert isinstance(issuer.open(tempid.text, time), OpenedTempID)


def test_at_most_two_decryptions_choose_the_day(entropy: Entropy) -> None:
    issuer = chained(entropy)
    forged = b64encode(entropy(61)).decode()
    times = NOON + np.linspace(0, 86_400, 1_000)
    opened = issuer.open_many([forged] * 1_000, times)
    assert opened.decryptions == 2_000
    assert opened.rejections() == {Rejection.FAILED_DECRYPTION: 1_000}
    good = issuer.issue(USER, NOON, 1).tempids[0].text
    assert issuer.open_many([good] * 10, np.full(10, NOON + 1.0)).decryptions == 10


def test_every_bit_flip_of_a_token_is_rejected(entropy: Entropy) -> None:
    issuer = chained(entropy)
    raw = b64decode(issuer.issue(USER, NOON, 1).tempids[0].text)
    flipped = [
        b64encode(raw[:byte] + bytes([raw[byte] ^ 1 << bit]) + raw[byte + 1 :]).decode()
        for byte in range(61)
        for bit in range(8)
    ]
    assert len(flipped) == 488
    opened = issuer.open_many(flipped, np.full(488, NOON + 1.0))
    assert opened.rejections() == {Rejection.FAILED_DECRYPTION: 488}


def test_tokens_of_another_authority_day_or_purpose_do_not_open(entropy: Entropy) -> None:
    keys = KeyRing.generate(NOON, entropy=entropy)
    text = TempIDIssuer(keys, "SG_MOH").issue(USER, NOON, 1).tempids[0].text
    assert TempIDIssuer(keys, "AU_DTA").open(text, NOON) is Rejection.FAILED_DECRYPTION
    assert TempIDIssuer(keys, "SG_MOH").open(text, NOON + 3 * 86_400) is Rejection.FAILED_DECRYPTION


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", Rejection.NO_MSG),
        ("not_found", Rejection.FAILED_DECRYPTION),
        ("Missing TempID", Rejection.FAILED_DECRYPTION),
        ("A" * 84, Rejection.FAILED_DECRYPTION),
        ("A" * 82 + "==", Rejection.FAILED_DECRYPTION),
        ("é" * 84, Rejection.FAILED_DECRYPTION),
        ("\ud800" * 84, Rejection.FAILED_DECRYPTION),
        ("A" * 10_000, Rejection.FAILED_DECRYPTION),
        ("=" * 84, Rejection.FAILED_DECRYPTION),
    ],
)
def test_whatever_phones_send_is_rejected_by_value(
    entropy: Entropy, text: str, reason: Rejection
) -> None:
    issuer = chained(entropy)
    assert issuer.open(text, NOON) is reason
    good = issuer.issue(USER, NOON, 1).tempids[0].text
    mixed = issuer.open_many([good, text, good], np.full(3, float(NOON)))
    assert mixed.accepted.tolist() == [True, False, True]


def test_a_token_has_one_spelling(entropy: Entropy) -> None:
    issuer = chained(entropy)
    text = issuer.issue(USER, NOON, 1).tempids[0].text
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    last = alphabet.index(text[81])
    spellings = [text[:81] + alphabet[last ^ spare] + "==" for spare in range(16)]
    assert all(b64decode(spelling) == b64decode(text) for spelling in spellings)
    assert [issuer.open(spelling, NOON) == issuer.open(text, NOON) for spelling in spellings] == [
        True,
        *[False] * 15,
    ]


@pytest.mark.parametrize("time", [np.nan, np.inf, -1.0, 2.0**32, 1e300])
def test_impossible_times_reject_the_record(entropy: Entropy, time: float) -> None:
    issuer = chained(entropy)
    text = issuer.issue(USER, NOON, 1).tempids[0].text
    assert issuer.open(text, time) is Rejection.FAILED_DECRYPTION


def test_times_past_2038_and_their_end(entropy: Entropy) -> None:
    past_2038 = 2**31 + 1_000
    issuer = chained(entropy, now=past_2038)
    text = issuer.issue(USER, past_2038, 1).tempids[0].text
    assert issuer.open(text, past_2038) == OpenedTempID(USER, past_2038, past_2038 + 900)
    with pytest.raises(InvalidTempIDError, match="32-bit"):
        issuer.issue(USER, 2**32 - 900, 1)
    with pytest.raises(InvalidTempIDError, match="32-bit"):
        issuer.issue(USER, -5, 1)


def test_static_keys_are_tried_in_their_order_after_the_chain(entropy: Entropy) -> None:
    first, second = entropy(32), entropy(32)
    of_second = TempIDIssuer(KeyRing.of_static(second)).issue(USER, NOON, 1).tempids[0].text
    both = TempIDIssuer(KeyRing.of_static(first, second))
    opened = both.open_many([of_second], np.array([NOON + 1.0]))
    assert opened.user.to_list() == [USER]
    assert opened.decryptions == 2
    mixed = TempIDIssuer(KeyRing.generate(NOON, entropy=entropy, static_keys=[first, second]))
    assert mixed.open(of_second, NOON) == OpenedTempID(USER, NOON, NOON + 900)
    assert mixed.open_many([of_second], np.array([NOON + 1.0])).decryptions == 4
    own = mixed.issue(USER, NOON, 1).tempids[0].text
    assert mixed.open_many([own], np.array([NOON + 1.0])).decryptions == 1


def test_threat_leaked_key_opens_nothing_of_a_destroyed_day(
    tmp_path: Path, entropy: Entropy
) -> None:
    """Not even with the key file at hand."""
    keys = KeyRing.generate(NOON, entropy=entropy)
    issuer = TempIDIssuer(keys)
    text = issuer.issue(USER, NOON, 1).tempids[0].text
    assert isinstance(issuer.open(text, NOON), OpenedTempID)
    keys.purge(NOON + 26 * SECONDS_PER_DAY)
    keys.save(tmp_path / "keys.txt")
    assert issuer.open(text, NOON) is Rejection.KEY_DESTROYED
    assert TempIDIssuer(KeyRing.load(tmp_path / "keys.txt")).open(text, NOON) is (
        Rejection.KEY_DESTROYED
    )
    with pytest.raises(KeyRingError, match="destroyed"):
        issuer.issue(USER, NOON, 1)


def test_bulk_issue_agrees_with_single_issue(entropy_of: object) -> None:
    users = [new_user_id(entropy_of(n)) for n in range(5)]  # type: ignore[operator]
    keys = KeyRing.generate(NOON, entropy=entropy_of(9))  # type: ignore[operator]
    iv = bytes(range(16))
    issuer = TempIDIssuer(keys, entropy=lambda size: iv * (size // 16))
    starts, texts = issuer.issue_many(users, NOON + 40_000, 20)
    assert texts.shape == (5, 20, 84)
    for user, row in zip(users, texts, strict=True):
        batch = issuer.issue(user, NOON + 40_000, 20)
        assert [cell.tobytes().decode() for cell in row] == [tempid.text for tempid in batch]
        assert starts.tolist() == [tempid.start for tempid in batch]


def test_people_with_common_beginnings_are_distinguished(entropy: Entropy) -> None:
    users = ["A" * 28, "A" * 24 + "AAAB", "B" + "A" * 27]
    issuer = chained(entropy)
    _, texts = issuer.issue_many(users, NOON, 1)
    rows = [text.tobytes().decode() for text in texts[:, 0]] * 2
    assert issuer.open_many(rows, np.full(6, NOON + 1.0)).user.to_list() == users * 2


def test_no_records_and_no_users(entropy: Entropy) -> None:
    issuer = chained(entropy)
    assert issuer.open_many([], np.empty(0)).rejections() == {}
    assert issuer.issue_many([], NOON, 5)[1].shape == (0, 5, 84)
    assert len(issuer.issue(USER, NOON, 0)) == 0


@pytest.mark.parametrize("user", ["", "abc", "A" * 27, "A" * 29, "!" * 28, "A" * 27 + "é"])
def test_user_ids_of_another_form_are_refused(entropy: Entropy, user: str) -> None:
    with pytest.raises(InvalidTempIDError, match="28 base64"):
        chained(entropy).issue(user, NOON, 1)


def test_url_safe_user_ids_come_back_in_standard_form(entropy: Entropy) -> None:
    issuer = chained(entropy)
    text = issuer.issue("-_" + "A" * 26, NOON, 1).tempids[0].text
    assert issuer.open(text, NOON) == OpenedTempID("+/" + "A" * 26, NOON, NOON + 900)


def test_tokens_do_not_show(entropy: Entropy) -> None:
    batch = chained(entropy).issue(USER, NOON, 2)
    assert batch.tempids[0].text not in repr(batch)


def test_people_do_not_show(entropy: Entropy) -> None:
    issuer = chained(entropy)
    text = issuer.issue(USER, NOON, 1).tempids[0].text
    for shown in (issuer.open(text, NOON), issuer.open_many([text], np.array([NOON + 1.0]))):
        assert USER not in repr(shown)
    assert text not in repr(Sighting(NOON, text, -60.0))
    assert text not in repr(Sightings.from_rows([Sighting(NOON, text, -60.0)]))
