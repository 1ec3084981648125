"""Play an official who wants 1,317 critics restricted: `python -m tests.rehearsals.critics`.

The official has helpers with every role, and knows the user ids of all critics (nothing here gives
them out). Each day the official sets as many restrictions as the service allows, and a helper
confirms them. The table says how many people get no passes at the end of each tenth day.
"""

import os
from collections import Counter

from tests.authority_world import NOON, World
from tracetogether.authority.access.permissions import CONSOLE, Caller, Role
from tracetogether.authority.status.appeal import AppealState
from tracetogether.authority.status.order import OrderKind
from tracetogether.authority.status.restriction import Ground, RestrictionEvidence
from tracetogether.errors import AuthorityError
from tracetogether.units import SECONDS_PER_DAY

CRITICS = 1_317
DAYS = 80
FORTNIGHT = 14 * SECONDS_PER_DAY
CHIEF = Caller("chief", frozenset({Role.SUPERVISOR}))
OFFICIAL = Caller("official", frozenset({Role.RESTRICTOR}))
HELPER = Caller("helper", frozenset({Role.REVIEWER}))
FOURTH = Caller("fourth", frozenset({Role.REVIEWER}))


def play(*, appeals: bool, decided: bool) -> tuple[dict[int, int], Counter[str]]:
    """Return how many are restricted by day, and what the attempts met.

    Args:
        appeals: each critic appeals at once.
        decided: a fourth helper upholds each appeal a day later.
    """
    world = World.of(os.urandom, since=NOON - 30 * SECONDS_PER_DAY)
    critics = [world.user() for _ in range(CRITICS)]
    met, restricted = Counter[str](), dict[int, int]()
    left, orders = list(critics), list[str]()
    for day in range(DAYS):
        now = NOON + day * SECONDS_PER_DAY
        world.keys.purge(now)
        while left:
            try:
                world.authority.restrictions.set(
                    left[0],
                    Ground.ORDER,
                    orders[-1] if orders else "NONE",
                    RestrictionEvidence.NONE,
                    now + FORTNIGHT,
                    now,
                    by=OFFICIAL,
                )
            except AuthorityError as error:
                met[error.code] += 1
                if error.code not in {"order-full", "no-such-order", "longer-than-order"}:
                    break
                added = world.authority.orders.add(
                    OrderKind.BORDER,
                    "none",
                    "anywhere",
                    (now - 60, now),
                    now + 60 * SECONDS_PER_DAY,
                    500,
                    now,
                    by=CHIEF,
                )
                orders.append(added.order_id)
                met["orders registered"] += 1
            else:
                left.pop(0)
        for waiting in world.store.status.not_over(now):
            if waiting.confirmed_at is None:
                world.authority.restrictions.confirm(waiting.restriction_id, now, by=HELPER)
                if appeals:
                    world.authority.appeals.open(waiting.user_id, now)
        if decided:
            for appeal in world.store.status.appeals():
                if appeal.state is AppealState.OPEN and appeal.opened_at < now:
                    upheld = AppealState.UPHELD
                    world.authority.appeals.decide(appeal.appeal_id, upheld, now, by=FOURTH)
        restricted[day + 1] = sum(found.in_force(now) for found in world.store.status.not_over(now))
    acts = Counter(entry.act for entry in world.authority.audit.entries(limit=10**6, by=CONSOLE))
    kinds = ("restriction.", "order.", "appeal.")
    met.update({act: count for act, count in acts.items() if act.startswith(kinds)})
    return restricted, met


def main() -> None:
    """Print the table."""
    for appeals, decided in ((False, False), (True, False), (True, True)):
        restricted, met = play(appeals=appeals, decided=decided)
        print(f"\ncritics appeal: {appeals}; a fourth helper upholds: {decided}")
        days = [day for day in restricted if day in {1, 2, 3} or day % 10 == 0]
        print("  day       ", *(f"{day:5}" for day in days))
        print("  restricted", *(f"{restricted[day]:5}" for day in days))
        for what, count in sorted(met.items()):
            print(f"  {count:6}  {what}")


if __name__ == "__main__":
    main()
