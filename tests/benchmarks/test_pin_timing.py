"""Row 15: what an answer to an upload PIN takes, whichever it is; no timing tells one apart.

    pytest tests/benchmarks/test_pin_timing.py --benchmark-enable -s

The kinds of answers take turns, in another order each round, so that a busy moment meets all of
them alike. Without --benchmark-enable it is one round and no time is judged: that all cost as
many statements and digests is counted in test_threats_pins.py.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import numpy as np

from tests.authority_world import NOON, World
from tests.conftest import counted_entropy
from tests.fresh_stores import fresh_store
from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.intake.pins import PinLifetime
from tracetogether.errors import AccessDeniedError

ROUNDS = 150
SPREAD = 1.15  # the slowest kind's median beside the fastest's
ATTEMPT = "a" * 32


def rounds_of(world: World, count: int) -> Iterator[dict[str, Callable[[], object]]]:
    """Return what a phone may ask; every round has users and PINs of its own."""
    intake = world.authority.intake
    early = NOON - PinLifetime.SHORT.seconds  # by now it has expired

    def patient(given_at: float = NOON) -> tuple[str, str]:
        case = world.authority.casework.open_case(world.user(), given_at, by=CONSOLE)
        pin = world.authority.pins.issue(case, given_at, lifetime=PinLifetime.SHORT, by=CONSOLE)
        return case.user_id, pin

    def ask(user_id: str, pin: str) -> Callable[[], object]:
        return lambda: intake.redeem_pin(user_id, pin, bytes(32), NOON, attempt=ATTEMPT)

    def pretend(user_id: str) -> Callable[[], object]:
        return lambda: intake.pretend_redeem(user_id, bytes(32), NOON)

    for number in range(count):
        right, wrong, bare, chaff = patient(), patient(), world.user(), world.user()
        yield {
            "unknown user": ask(f"{number:028d}", "00000000"),
            "no PIN": ask(bare, "00000000"),
            "wrong PIN": ask(wrong[0], f"{(int(wrong[1]) + 1) % 10**8:08d}"),
            "expired PIN": ask(*patient(early)),
            "chaff": pretend(chaff),
            "right PIN": ask(*right),
        }


def test_threat_timing_is_equal_for_all_answers_to_a_pin(tmp_path: Path, *, full: bool) -> None:
    spent: dict[str, list[tuple[float, float]]] = {}
    with fresh_store(tmp_path / "a.db") as store:
        world = World.of(counted_entropy(15), store=store)
        for number, kinds in enumerate(rounds_of(world, ROUNDS if full else 2)):
            order = np.random.default_rng(number).permutation(len(kinds))
            for name, act in (list(kinds.items())[turn] for turn in order):
                accepted = True
                began, worked = time.perf_counter(), time.thread_time()
                try:
                    act()
                except AccessDeniedError:
                    accepted = False
                now, work = time.perf_counter(), time.thread_time()
                spent.setdefault(name, []).append((now - began, work - worked))
                assert accepted == (name in {"right PIN", "chaff"})
    assert len(spent) == 6
    for which, what in enumerate(("waited", "CPU")):
        took = {name: median(time_s[which] for time_s in times) for name, times in spent.items()}
        fastest = min(took.values())
        if full:
            for name, seconds in sorted(took.items(), key=lambda one: one[1]):
                print(
                    f"\n{what:7} {name:14} {seconds * 1e6:6.0f} us, {seconds / fastest:.3f}", end=""
                )
            print()
            assert max(took.values()) / fastest < SPREAD
