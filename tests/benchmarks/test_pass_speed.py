"""What a batch of passes costs the authority, beside a batch of TempIDs, in the same run.

    pytest tests/benchmarks/test_pass_speed.py --benchmark-enable -s

CPU time, with all that is asked of the store. Over HTTP the client's side counts too, for both.
"""

import time
from collections.abc import Callable

import pytest

from tests.authority_world import NOON, World
from tests.benchmarks.processor import cpu_s
from tracetogether.adapters import http_api
from tracetogether.adapters.http_client import AuthorityClient
from tracetogether.crypto import SigningKey
from tracetogether.parameters import RETENTION
from tracetogether.units import SECONDS_PER_DAY, Entropy

LEAST_A_CPU_S = 8_000


def test_a_batch_signs_once_for_each_pass_and_reads_the_store_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = world.user()
    world.authority.passes.batch(user, NOON)
    counts = {"signed": 0, "read": 0}
    sign = SigningKey.sign
    reading = type(world.store._transactions).reading  # type: ignore[attr-defined]

    def signing(key: SigningKey, message: bytes) -> bytes:
        counts["signed"] += 1
        return sign(key, message)

    def counted(transactions: object) -> object:
        counts["read"] += 1
        return reading(transactions)

    monkeypatch.setattr(SigningKey, "sign", signing)
    monkeypatch.setattr(type(world.store._transactions), "reading", counted)  # type: ignore[attr-defined]
    assert len(world.authority.passes.batch(user, NOON).passes) == 48
    assert counts == {"signed": 48, "read": 2}


def test_passes_are_issued_fast_enough_for_a_city(world: World, *, full: bool) -> None:
    user = world.user()
    spent = cpu_s(lambda: world.authority.passes.batch(user, NOON), 40 if full else 1)
    if full:
        print(f"{48 / spent:,.0f} passes a CPU second")
        assert 48 / spent >= LEAST_A_CPU_S


@pytest.mark.network
def test_a_batch_over_http_beside_a_batch_of_tempids(entropy: Entropy, *, full: bool) -> None:
    now = time.time()  # noqa: TID251 - as the server's
    world = World.of(entropy, since=now - RETENTION.day_keys_days * SECONDS_PER_DAY)
    with (
        http_api.running(http_api.create_app(world.authority)) as url,
        AuthorityClient(url, retries=0) as phone,
    ):
        phone.register()
        acts: dict[str, Callable[[], object]] = {
            "TempIDs": phone.fetch_batch,
            "passes": lambda: phone._call("POST", "/v1/passes", phone._credential, {}),
        }
        spent = {name: cpu_s(act, 50 if full else 1) for name, act in acts.items()}
    if full:
        print({name: f"{1e3 * value:.1f} ms" for name, value in spent.items()})
        print(f"passes / TempIDs: {spent['passes'] / spent['TempIDs']:.2f}")
