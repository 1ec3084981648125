"""Row 15: what the answer to an upload takes, real or pretended; its time tells neither apart.

    pytest tests/benchmarks/test_upload_timing.py --benchmark-enable -s

Real and pretended logs of one size take turns, over HTTP and SQLite. Without --benchmark-enable
there are two rounds, and what is judged is counted: the same steps for both, no list of contacts
before the answer, and no answer before the first quarter of a second is over.
"""

import hashlib
import time
from collections import Counter
from pathlib import Path
from statistics import median

import numpy as np
import pytest

from tests.authority_world import NOON, OPERATOR_TOKEN, World
from tests.conftest import counted_entropy
from tests.fresh_stores import fresh_store
from tracetogether.adapters import http_api
from tracetogether.adapters.http_client import AuthorityClient
from tracetogether.authority.desk.finding import ContactFinder
from tracetogether.authority.intake import uploads
from tracetogether.bluetrace.packed_log import packed_log
from tracetogether.bluetrace.upload import write_upload
from tracetogether.parameters import UPLOAD_ANSWER_STEP_S

ROUNDS = 40
SPREAD = 1.10  # the slower kind's median beside the faster's
ALIKE = (0.3, 0.7)  # how often a real one takes longer than a pretended one; 0.5: no telling
EMPTY = b'{"records": []}'

pytestmark = pytest.mark.network


@pytest.mark.slow
def test_threat_timing_is_equal_for_pretended_and_real_uploads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, full: bool
) -> None:
    work: Counter[str] = Counter()
    for place, name in (
        (uploads, "open_log"),
        (uploads, "sealed_upload"),
        (ContactFinder, "refresh"),
    ):
        counted(monkeypatch, place, name, work)
    spent: dict[str, list[float]] = {"real": [], "pretended": []}
    with fresh_store(tmp_path / "a.db") as store:
        world = World.of(counted_entropy(15), store=store)
        app = http_api.create_app(world.authority, clock=lambda: NOON)
        people = [world.user() for _ in range(5)]
        rows = [row for who in people for row in world.heard(who, NOON - 86_400, 100)]
        body = write_upload(rows)
        size = len(packed_log(body))
        with (
            http_api.running(app) as url,
            AuthorityClient(url, operator_token=OPERATOR_TOKEN, retries=0) as operator,
        ):
            for _ in range(ROUNDS if full else 2):
                for kind, times in spent.items():
                    with AuthorityClient(url, retries=0) as phone:
                        who = phone.register()
                        if kind == "real":
                            pin = operator.issue_pin(operator.open_case(who.user_id))
                            token, log = phone.redeem_pin(pin, body), packed_log(body)
                        else:
                            digest = hashlib.sha256(EMPTY).hexdigest()
                            asked = {"pin": "00000000", "sha256": digest, "attempt": "a" * 32}
                            token = phone._exchange(asked, chaff=True)
                            log = packed_log(EMPTY, at_least=size)
                        assert len(log) == size
                        app.state.afterwards.settle()  # the lists of the one before
                        work.clear()
                        began = time.perf_counter()
                        phone._send(log, token)
                        times.append(time.perf_counter() - began)
                        app.state.afterwards.settle()
                        lists = work.pop("refresh", 0)
                        assert work == {"open_log": 1, "sealed_upload": 1}
                        assert (lists > 0) == (kind == "real")
    real, pretended = (np.array(times) for times in spent.values())
    assert min(real.min(), pretended.min()) >= UPLOAD_ANSWER_STEP_S
    if full:
        medians = [median(times) for times in spent.values()]
        longer = float(np.mean(real[:, None] > pretended[None, :]))
        print(f"\nreal {medians[0] * 1e3:.1f} ms, pretended {medians[1] * 1e3:.1f} ms, ", end="")
        print(f"a real one takes longer in {longer:.0%}")
        assert max(medians) / min(medians) < SPREAD
        assert ALIKE[0] <= longer <= ALIKE[1]


def counted(monkeypatch: pytest.MonkeyPatch, place: object, name: str, work: Counter[str]) -> None:
    """Count the calls of a function."""
    original = getattr(place, name)

    def call(*args: object, **more: object) -> object:
        work[name] += 1
        return original(*args, **more)

    monkeypatch.setattr(place, name, call)
