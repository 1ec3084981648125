"""Tokens per CPU-second in the protocols beside BlueTrace, beside plain loops in the same run.

    pytest tests/benchmarks/test_protocol_speed.py --benchmark-enable -s

Without --benchmark-enable one small run each, which checks the counted work alone. The loops are
what anybody would write over the same library: an AES object for each identifier, a set of tokens.
"""

import hashlib
import hmac
import os
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tests.benchmarks.processor import cpu_s
from tracetogether.desire.keys import ebid_of, encounter_tokens_many, new_secret
from tracetogether.dp3t.cuckoo import CuckooFilter
from tracetogether.dp3t.keys import day_keys, next_day_key, seed_observations
from tracetogether.dp3t.near import low_cost_matches
from tracetogether.dp3t.report import NumberedSecrets, PublishedSecrets
from tracetogether.gaen.keys import identifiers, new_key
from tracetogether.gaen.near import matches
from tracetogether.gaen.report import DiagnosisKeys
from tracetogether.labels import Labels
from tracetogether.robert.keys import Registrations as Phones
from tracetogether.robert.keys import ServerKeys, country_codes, ebids, hello
from tracetogether.robert.near import open_hellos
from tracetogether.robert.report import HelloRecords
from tracetogether.robert.skinny import decrypt_blocks, encrypt_blocks
from tracetogether.sightings import Sightings
from tracetogether.tcn.keys import first_state, next_state, number_of, numbers, verification_key

START = 2_642_976
DAY = START // 144
HEARD = 20_000
Found = TypeVar("Found")


def timed(act: Callable[[], Found], full: bool) -> tuple[float, Found]:
    """Return the least CPU time of three runs (one without figures) and the last result."""
    results: list[Found] = []

    def run() -> None:
        results.append(act())

    return cpu_s(run, 3 if full else 1), results[-1]


def said(what: str, count: int, seconds: float, plain: tuple[int, float] | None = None) -> float:
    """Print a rate, and how many times the plain loop's it is; return that."""
    rate = count / max(seconds, 1e-9)
    times = rate / (plain[0] / max(plain[1], 1e-9)) if plain else float("nan")
    beside = f", {times:,.0f} times the plain loop" if plain else ""
    print(f"\n{what}: {rate:,.0f} per CPU-second{beside}")
    return times


def log_of(tokens: list[str], time: float) -> Sightings:
    return Sightings.from_log(
        time=np.full(len(tokens), time),
        peer=Labels.encode(tokens),
        rssi_dbm=np.full(len(tokens), -60.0),
        tx_power_dbm=np.full(len(tokens), np.nan),
    )


def plain_gaen(keys: list[bytes], heard: set[bytes]) -> int:
    found = 0
    for key in keys:
        secret = HKDF(algorithm=SHA256(), length=16, salt=None, info=b"EN-RPIK").derive(key)
        for number in range(START, START + 144):
            cipher = Cipher(algorithms.AES(secret), modes.ECB()).encryptor()  # noqa: S305
            block = b"EN-RPI" + bytes(6) + number.to_bytes(4, "little")
            found += cipher.update(block) in heard
    return found


def test_gaen_keys_derived_and_matched(full: bool) -> None:
    count, few = (50_000, 100) if full else (300, 3)
    secrets = [new_key() for _ in range(count)]
    met = [identifiers(secret, START)[40].tobytes() for secret in secrets[: few // 2]]
    tokens = met + [os.urandom(16) for _ in range(HEARD - len(met))]
    log = log_of([(token + bytes(4)).hex() for token in tokens], (START + 40) * 600.0)
    keys = DiagnosisKeys.of(secrets, [START] * count)
    seconds, found = timed(lambda: matches(log, keys), full)
    assert (found.derived, found.searched) == (count, 144 * count)
    assert found.row.tolist() == list(range(len(met)))
    plain, again = timed(lambda: plain_gaen(secrets[:few], set(tokens)), full)
    assert again == len(met)
    times = said("GAEN keys derived and matched", count, seconds, (few, plain))
    if full:
        assert times >= 50


def plain_low_cost(keys: list[bytes], heard: set[bytes]) -> int:
    found = 0
    for key in keys:
        secret = hmac.digest(key, b"broadcast key", "sha256")
        for number in range(96):
            cipher = Cipher(algorithms.AES(secret), modes.ECB()).encryptor()  # noqa: S305
            found += cipher.update(number.to_bytes(16)) in heard
    return found


def test_low_cost_day_keys_derived_and_matched(full: bool) -> None:
    people, few = (2_000, 100) if full else (30, 3)
    days = 10
    first = [os.urandom(32) for _ in range(people)]
    tokens = [os.urandom(16) for _ in range(HEARD)]
    log = log_of([token.hex() for token in tokens], DAY * 86_400.0)
    published = PublishedSecrets(
        NumberedSecrets.of(first, [DAY] * people, 32), (DAY + days - 1) * 86_400.0
    )
    seconds, found = timed(lambda: low_cost_matches(log, published), full)
    assert (found.derived, found.searched) == (days * people, 96 * days * people)
    chain = [key for secret in first[: few // 10 or 1] for key in day_keys(secret, days)]
    plain, _ = timed(lambda: plain_low_cost(chain, set(tokens)), full)
    times = said("DP-3T low-cost day keys", days * people, seconds, (len(chain), plain))
    assert next_day_key(chain[0]) == chain[1]
    if full:
        assert times >= 20


def test_cuckoo_filter(full: bool) -> None:
    count = 500_000 if full else 5_000
    chance = np.random.default_rng(1)
    items = chance.integers(0, 256, (count, 32), dtype=np.uint8)
    others = chance.integers(0, 256, (count, 32), dtype=np.uint8)
    build, cuckoo = timed(lambda: CuckooFilter.build(items), full)
    look, present = timed(lambda: cuckoo.holds(items), full)
    miss, absent = timed(lambda: cuckoo.holds(others), full)
    assert len(cuckoo) == count == present.sum()
    assert not absent.any()
    said("Cuckoo filter built, items", count, build)
    said("Cuckoo look-ups of items that are there", count, look)
    said("Cuckoo look-ups of items that are not", count, miss)


def test_unlinkable_seeds_hashed(full: bool) -> None:
    count = 200_000 if full else 1_000
    seeds = [number.to_bytes(32) for number in range(count)]
    epochs = np.arange(count)
    seconds, hashed = timed(lambda: seed_observations(seeds, epochs), full)
    assert hashed.shape == (count, 32)
    said("DP-3T unlinkable seeds", count, seconds)


def test_robert_opens(full: bool) -> None:
    count = 1_000_000 if full else 4_096
    key = bytes(range(24))
    blocks = np.random.default_rng(1).integers(0, 256, (count, 8), dtype=np.uint8)
    seconds, opened = timed(lambda: decrypt_blocks(key, blocks), full)
    assert np.array_equal(encrypt_blocks(key, opened[:1_000]), blocks[:1_000])
    said("ROBERT EBIDs opened (SKINNY-64-192)", count, seconds)


def test_robert_hellos_judged(full: bool) -> None:
    count = 50_000 if full else 500
    phones = Phones.new(100)
    time = 1_600_000_000
    server = ServerKeys({time // 86_400: bytes(range(24))}, bytes(32))
    epoch = np.full(100, server.epoch_of(time))
    ids = ebids(bytes(range(24)), epoch, phones.id)
    codes = country_codes(bytes(32), ids, server.country)[:, 0].tolist()
    sent = [
        hello(code, row.tobytes(), time + 2_208_988_800, key)
        for code, row, key in zip(codes, ids, phones.mac_keys, strict=True)
    ]
    whole = np.frombuffer(b"".join(sent), np.uint8).reshape(100, 16)[np.arange(count) % 100]
    records = HelloRecords(
        whole, np.full(count, float(time)), np.full(count, -60.0), np.zeros(count, np.int64)
    )
    seconds, found = timed(lambda: open_hellos(records, server, phones), full)
    assert found.opened == count
    assert (found.phone == np.arange(count) % 100).all()
    said("ROBERT HELLOs judged, with MAC", count, seconds)


def test_tcn_numbers(full: bool) -> None:
    count = 60_000 if full else 500
    rak = bytes(range(32))
    rvk, state = verification_key(rak), first_state(rak)
    seconds, found = timed(lambda: numbers(rvk, state, 1, count), full)
    assert found.shape == (count, 16)
    assert found[0].tobytes() == number_of(1, next_state(rvk, state))
    assert len({row.tobytes() for row in found}) == count
    said("TCN numbers", count, seconds)


def test_desire_tokens(full: bool) -> None:
    count = 5_000 if full else 20
    own, other = new_secret(), ebid_of(new_secret())
    seconds, found = timed(lambda: encounter_tokens_many(own, [other] * count), full)
    assert len(found) == count
    said("DESIRE encounters", count, seconds)


def test_the_plain_loops_derive_the_same(full: bool) -> None:
    del full
    key = bytes(16)
    sent = {row.tobytes() for row in identifiers(key, START)}
    assert plain_gaen([key], sent) == 144
    assert hashlib.sha256(bytes(32)).digest() == next_day_key(bytes(32))
