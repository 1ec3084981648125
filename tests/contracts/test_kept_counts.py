"""The kept counts of people equal a plain count, whatever changes, on each database."""

import os
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import sqlalchemy as sa

from tests.authority_world import DAY, NOON
from tests.followed_rows import contact_row
from tests.fresh_stores import inside
from tests.store_rows import USER
from tracetogether.adapters.sql_store.figure_tables import (
    FOLLOWED_COUNTS,
    FOLLOWED_PEOPLE,
    PEOPLE_CHANGED,
)
from tracetogether.adapters.sql_store.tables import FOLLOWED
from tracetogether.authority.cases.followed import ACTIVE, ContactState
from tracetogether.authority.oversight.store import AuthorityStore
from tracetogether.keyring import KeyRing
from tracetogether.local_days import UTC_DAYS
from tracetogether.parameters import RESTRICTIONS
from tracetogether.units import SECONDS_PER_DAY

KEYS = KeyRing.generate(NOON - 30 * SECONDS_PER_DAY, entropy=os.urandom)


def check(store: AuthorityStore) -> None:
    """Compare the kept counts with the lines themselves, person by person."""
    while store.count_changed_people(7, wait=True):
        pass
    names = ("who", "state", "last_day", "until_day", "day")
    with inside(store).transactions.reading() as connection:
        rows = connection.execute(sa.select(*(FOLLOWED.c[name] for name in names))).all()
    people: dict[bytes, list[sa.Row[Any]]] = {}
    for row in rows:
        people.setdefault(bytes(row.who), []).append(row)
    due = done = overdue = lost = 0
    for lines in people.values():
        active = [line for line in lines if ContactState(line.state) in ACTIVE]
        last = max(line.last_day for line in lines)
        done += last == DAY
        lost += not active and any(line.state == "lost" for line in lines)
        if last < DAY and any(line.until_day >= DAY for line in active):
            due += 1
            overdue += (min(line.day for line in active) if last < 0 else last) < DAY - 1
    wall = store.count_for_wall(NOON, UTC_DAYS, RESTRICTIONS.appeal_s)
    assert (wall.due, wall.done, wall.overdue, wall.lost) == (due, done, overdue, lost)
    assert store.calls.team(DAY, NOON)[1] == due


def test_counts_are_kept_by_every_way_that_contacts_change(filled: AuthorityStore) -> None:
    draws, desk = np.random.default_rng(7), filled.desk
    rows = [
        replace(
            contact_row(number, f"CASE{number % 2 + 1}", KEYS, os.urandom),
            who=f"person {number // 3}".encode(),  # most are near both cases
        )
        for number in range(40)
    ]
    desk.put_contacts(rows)
    check(filled)
    for _ in range(6):
        which = draws.choice(len(rows), 8, replace=False)
        changed = [
            replace(
                rows[number],
                state=list(ContactState)[draws.integers(0, 7)],
                last_day=int(draws.choice([-1, DAY, DAY - 1, DAY - 2, DAY - 3])),
                until_day=int(DAY + draws.integers(-2, 9)),
            )
            for number in which
        ]
        desk.put_contacts(changed)  # some are as they were
        check(filled)
    ending = replace(rows[0], state=ContactState.IN_FOLLOW_UP, until_day=DAY - 1)
    desk.put_contacts([ending])
    assert desk.end_follow_ups(DAY, NOON)
    check(filled)
    assert desk.drop_tagged([rows[3].tag, rows[4].tag]) == 2
    check(filled)
    filled.sum_up_counts()
    check(filled)
    assert filled.remove_user(USER)  # and, by the references, the case and its contacts
    check(filled)
    assert desk.drop_contacts(DAY + 1)
    check(filled)
    filled.sum_up_counts()
    check(filled)
    with inside(filled).transactions.reading() as connection:
        for table in (FOLLOWED_COUNTS, FOLLOWED_PEOPLE, PEOPLE_CHANGED):
            assert connection.execute(sa.select(table)).all() == []


def test_nothing_is_counted_of_a_change_that_is_taken_back(filled: AuthorityStore) -> None:
    row = contact_row(1, "CASE1", KEYS, os.urandom)
    with suppress(KeyError), filled.atomic():
        filled.desk.put_contacts([row])
        raise KeyError(row.contact_id)
    check(filled)


def test_lists_given_are_summed_by_age(store: AuthorityStore) -> None:
    store.raise_counts(
        [
            ("lists-given", b"one", int(NOON - 60), 5),
            ("lists-given", b"two", int(NOON - 60), 7),
            ("lists-given", b"one", int(NOON - 3_000), 11),
            ("other", b"one", int(NOON - 60), 100),
        ]
    )
    ages = [NOON - 900, NOON - 3_600, NOON - 86_400]
    assert store.counts_since("lists-given", ages) == (12, 23, 23)
    assert store.counts_since("nothing", ages) == (0, 0, 0)
