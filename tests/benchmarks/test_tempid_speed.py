"""TempIDs per second, each beside a plain loop over the same library in the same run.

    pytest tests/benchmarks --benchmark-enable

Compare with `openssl speed -evp aes-256-gcm -bytes 64` (its count is of 64-byte messages).
"""

import os
import struct
from base64 import b64decode, b64encode

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pytest_benchmark.fixture import BenchmarkFixture

from tracetogether.bluetrace.tempid import TempIDIssuer, new_user_id
from tracetogether.keyring import KeyRing

NOW = 1_600_000_000
USERS, WINDOWS = 200, 100
COUNT = USERS * WINDOWS
KEY = bytes(range(32))


@pytest.fixture(scope="module")
def people() -> list[str]:
    return [new_user_id() for _ in range(USERS)]


@pytest.fixture(scope="module")
def issuer() -> TempIDIssuer:
    return TempIDIssuer(KeyRing.generate(NOW))


@pytest.fixture(scope="module")
def texts(issuer: TempIDIssuer, people: list[str]) -> list[str]:
    _, issued = issuer.issue_many(people, NOW, WINDOWS)
    return [row.tobytes().decode() for row in issued.reshape(COUNT, 84)]


def plain_issue(people: list[str]) -> list[bytes]:
    """The loop that anybody would write: struct, GCM, base64."""
    gcm, tokens = AESGCM(KEY), []
    for person in people:
        user = b64decode(person)
        for start in range(NOW, NOW + WINDOWS * 900, 900):
            iv = os.urandom(16)
            sealed = gcm.encrypt(iv, user + struct.pack(">II", start, start + 900), None)
            tokens.append(b64encode(sealed[:29] + iv + sealed[29:]))
    return tokens


def plain_open(tokens: list[bytes]) -> list[tuple[str, int, int]]:
    gcm, opened = AESGCM(KEY), []
    for token in tokens:
        raw = b64decode(token)
        plain = gcm.decrypt(raw[29:45], raw[:29] + raw[45:], None)
        opened.append((b64encode(plain[:21]).decode(), *struct.unpack(">II", plain[21:])))
    return opened


@pytest.mark.benchmark(group=f"issue {COUNT} TempIDs")
def test_bulk_issue(benchmark: BenchmarkFixture, issuer: TempIDIssuer, people: list[str]) -> None:
    _, texts = benchmark(issuer.issue_many, people, NOW, WINDOWS)
    assert texts.shape == (USERS, WINDOWS, 84)


@pytest.mark.benchmark(group=f"issue {COUNT} TempIDs")
def test_plain_loop_issue(benchmark: BenchmarkFixture, people: list[str]) -> None:
    assert len(benchmark(plain_issue, people)) == COUNT


@pytest.mark.benchmark(group=f"open {COUNT} TempIDs")
def test_bulk_open(benchmark: BenchmarkFixture, issuer: TempIDIssuer, texts: list[str]) -> None:
    times = np.tile(NOW + 900.0 * np.arange(WINDOWS), USERS)
    opened = benchmark(issuer.open_many, texts, times)
    assert opened.accepted.all()
    assert opened.decryptions == COUNT
    assert len(opened.user.names) == USERS


@pytest.mark.benchmark(group=f"open {COUNT} TempIDs")
def test_plain_loop_open(benchmark: BenchmarkFixture, people: list[str]) -> None:
    tokens = plain_issue(people)
    assert len(benchmark(plain_open, tokens)) == COUNT


def test_the_iv_source_is_asked_once_a_day_of_windows(people: list[str]) -> None:
    """The work of a bulk issue: a call of the system's generator per day, not per TempID."""
    asked: list[int] = []

    def counting(size: int) -> bytes:
        asked.append(size)
        return os.urandom(size)

    TempIDIssuer(KeyRing.generate(NOW), entropy=counting).issue_many(people, NOW, WINDOWS)
    assert sum(asked) == 16 * COUNT
    assert len(asked) == 2  # these 25 hours cross one midnight
