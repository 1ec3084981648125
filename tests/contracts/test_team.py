"""A team's day on SQLite and PostgreSQL: numbers per tracer, cases that change hands, operators."""

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from threading import Barrier

import pytest
import sqlalchemy as sa

from tests.authority_world import DAY, NOON, World
from tests.conftest import counted_entropy
from tests.followed_rows import contact_row, fill
from tests.fresh_stores import inside
from tests.pages_world import CHEAP, PASSWORD
from tracetogether.adapters.operator_pages import sign_in_for
from tracetogether.adapters.operator_pages.credentials import Totp
from tracetogether.authority.access.permissions import ALL_ROLES, CONSOLE, Caller, Role
from tracetogether.authority.access.resets import ASKED_S, Reset
from tracetogether.authority.access.sign_in import ONE_TIME_S
from tracetogether.authority.cases.calls import SHIFT_S, ShiftReason
from tracetogether.authority.cases.casework import NOBODY
from tracetogether.authority.cases.followed import ContactState, Outcome
from tracetogether.authority.cases.team import TracerDay
from tracetogether.authority.desk.team import MOST_CASES, TeamDay
from tracetogether.authority.oversight.store import AuthorityStore
from tracetogether.errors import (
    AccessDeniedError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    StaleError,
)

RAVI = Caller("ravi", frozenset({Role.TRACER}))
MEI = Caller("mei", frozenset({Role.SUPERVISOR}))
ADA, BEN = (Caller(name, ALL_ROLES) for name in ("ada", "ben"))
QUERIES = 6
"""Five for the numbers, and one for the operators."""


def team_world(store: AuthorityStore, people: int = 12) -> World:
    """Return a world with cases of ravi, siti and nobody, and people to call near each."""
    entropy = counted_entropy(61)
    world = World.of(entropy, store=store)
    for name in ("ravi", "siti", "tan"):
        world.authority.staff.add(name, frozenset({Role.TRACER}), f"token-{name}", NOON, by=CONSOLE)
    fill(store, world.keys, entropy, cases=6, contacts=0)
    rows = [
        contact_row(number, f"C{number % 2 * 3:09d}", world.keys, entropy, ContactState.TO_TRACE)
        for number in range(people)
    ]
    late = {"until_day": DAY + 5, "traced_at": None}
    rows = [
        replace(kept, last_day=DAY - 1 - number % 3, **late)  # type: ignore[arg-type]
        for number, kept in enumerate(rows)
    ]
    store.desk.put_contacts(rows)
    return world


@pytest.fixture
def world(store: AuthorityStore) -> World:
    return team_world(store)


def row_of(found: TeamDay, name: str) -> TracerDay:
    (row,) = [row for row in found.tracers if row.name == name]
    return row


def test_the_team_shows_what_each_tracer_has_to_do_and_has_done(world: World) -> None:
    team, calling = world.authority.team, world.authority.calling
    found = team.today(NOON, by=MEI)
    assert [row.name for row in found.tracers] == ["", "operator", "ravi", "siti", "tan"]
    assert found.due == 12
    ravi = row_of(found, "ravi")
    assert (ravi.cases, ravi.due, ravi.done, ravi.reserved) == (2, 12, 0, 0)
    # A third each was last called yesterday, the day before, and a day earlier.
    assert ravi.overdue == 8
    assert row_of(found, "tan") == TracerDay("tan")
    calling.begin_shift(ShiftReason.DAILY_CALLS, NOON - 60, by=RAVI)
    sheet = calling.next(NOON, by=RAVI)
    assert sheet is not None
    calling.save(sheet.line.contact_id, Outcome.NO_SYMPTOMS, NOON, by=RAVI)
    calling.next(NOON, by=RAVI)
    after = team.today(NOON, by=MEI)
    ravi = row_of(after, "ravi")
    assert (ravi.due, ravi.done, ravi.reserved, ravi.shift_since) == (11, 1, 1, NOON - 60)
    assert (after.due, after.on_shift) == (11, ("ravi",))
    tomorrow = team.today(NOON + 86_400, by=MEI)
    ravi = row_of(tomorrow, "ravi")
    assert (ravi.due, ravi.done, ravi.shift_since) == (12, 0, None)
    with pytest.raises(AccessDeniedError):
        team.today(NOON, by=RAVI)


def test_a_person_near_cases_of_two_tracers_is_due_for_both_and_once_in_all(world: World) -> None:
    kept = world.store.desk.contact("P000000000")
    assert kept is not None
    world.store.desk.put_contacts(
        [replace(kept, contact_id="PTWICE", case_id="C000000001", until_day=DAY + 3)]
    )
    found = world.authority.team.today(NOON, by=MEI)
    assert (row_of(found, "ravi").due, row_of(found, "siti").due, found.due) == (12, 1, 12)
    world.store.desk.put_contacts([replace(kept, last_day=DAY)])  # called for one case
    found = world.authority.team.today(NOON, by=MEI)
    assert (row_of(found, "ravi").due, row_of(found, "siti").due, found.due) == (11, 0, 11)


def test_the_numbers_take_as_many_queries_however_many_rows(world: World) -> None:
    entropy, counts = counted_entropy(62), []
    for more in (0, 300):
        world.store.desk.put_contacts(
            [
                contact_row(1_000 + number, "C000000001", world.keys, entropy)
                for number in range(more)
            ]
        )
        seen: list[str] = []

        def note(
            _c: object, _k: object, statement: str, *_: object, seen: list[str] = seen
        ) -> None:
            if statement.startswith(("SELECT", "WITH")):
                seen.append(statement)

        engine = inside(world.store).database.engine
        sa.event.listen(engine, "before_cursor_execute", note)
        world.authority.team.today(NOON, by=MEI)
        sa.event.remove(engine, "before_cursor_execute", note)
        counts.append(len(seen))
    assert counts == [QUERIES, QUERIES]


def test_cases_change_hands_all_or_none_with_an_entry_each(world: World) -> None:
    team, cases = world.authority.team, ["C000000000", "C000000003"]
    versions = {case_id: world.authority.casework.kept(case_id).version for case_id in cases}
    stale = {**versions, cases[1]: versions[cases[1]] + 1}
    with pytest.raises(StaleError):
        team.hand_over(dict.fromkeys(cases, "siti"), NOON, versions=stale, by=MEI)
    with pytest.raises(NotFoundError):
        team.hand_over({cases[0]: "siti", "NONE": "siti"}, NOON, by=MEI)
    with pytest.raises(NotFoundError):
        team.hand_over({cases[0]: "siti", cases[1]: "nobody-of-this-name"}, NOON, by=MEI)
    assert world.store.calls.assignees(cases) == dict.fromkeys(cases, "ravi")
    changed = team.hand_over(dict.fromkeys(cases, "siti"), NOON, versions=versions, by=MEI)
    assert [case.assigned_to for case in changed] == ["siti", "siti"]
    assert team.hand_over(dict.fromkeys(cases, "siti"), NOON, by=MEI) == []  # has them already
    team.hand_over({cases[0]: NOBODY}, NOON, by=MEI)
    entries = [
        (entry.subject, entry.by, entry.details["operator"])
        for entry in world.authority.audit.entries(by=CONSOLE)
        if entry.act == "case.assigned"
    ]
    assert entries == [(cases[0], "mei", "siti"), (cases[1], "mei", "siti"), (cases[0], "mei", "")]
    page = team.cases("", NOON, by=MEI)
    assert cases[0] in {row.case.case_id for row in page.cases}
    with pytest.raises(AccessDeniedError):
        team.hand_over({cases[0]: "ravi"}, NOON, by=RAVI)
    for wrong in ({}, {f"C{number}": "siti" for number in range(MOST_CASES + 1)}):
        with pytest.raises(InvalidRequestError):
            team.hand_over(wrong, NOON, by=MEI)


def test_cases_are_spread_so_that_tracers_have_as_many_people_due(world: World) -> None:
    team, cases = world.authority.team, [f"C{number:09d}" for number in range(6)]
    found = team.spread(cases, ["tan", "siti"], NOON, by=MEI)
    assert set(found) == set(cases)
    # Six people are due for each of two cases of ravi: each tracer gets one of them.
    assert {found["C000000000"], found["C000000003"]} == {"siti", "tan"}
    assert sorted(found.values()).count("tan") == 3
    assert team.spread(["C000000003"], ["ravi", "tan"], NOON, by=MEI) == {"C000000003": "tan"}
    with pytest.raises(InvalidRequestError):
        team.spread(cases, [], NOON, by=MEI)
    assert world.store.calls.assignees(cases[:1]) == {cases[0]: "ravi"}  # nothing has changed


def test_a_supervisor_ends_a_shift_and_the_person_is_free(world: World) -> None:
    team, calling = world.authority.team, world.authority.calling
    with pytest.raises(NotFoundError):
        team.end_shift("ravi", NOON, by=MEI)
    calling.begin_shift(ShiftReason.DAILY_CALLS, NOON, by=RAVI)
    assert calling.next(NOON, by=RAVI) is not None
    found = row_of(team.today(NOON, by=MEI), "ravi")
    assert (found.reserved, found.shift_since, found.shift_until) == (1, NOON, NOON + SHIFT_S)
    with pytest.raises(AccessDeniedError):
        team.end_shift("ravi", NOON, by=RAVI)
    team.end_shift("ravi", NOON + 60, by=MEI)
    assert row_of(team.today(NOON + 60, by=MEI), "ravi").reserved == 0
    with pytest.raises(ConflictError):
        calling.next(NOON + 61, by=RAVI)
    entry = list(world.authority.audit.entries(by=CONSOLE))[-1]
    assert (entry.act, entry.by, entry.subject) == ("shift.ended", "mei", "ravi")


@pytest.mark.parametrize("how", ["disabled", "no tracer", "another role less", "role more"])
def test_whom_a_tracer_calls_is_free_once_the_right_is_gone(world: World, how: str) -> None:
    staff, calling = world.authority.staff, world.authority.calling
    wide = frozenset({Role.TRACER, Role.EXPORTER})
    staff.change_roles("ravi", wide, NOON, by=CONSOLE)
    calling.begin_shift(ShiftReason.DAILY_CALLS, NOON, by=RAVI)
    sheet = calling.next(NOON, by=RAVI)
    assert sheet is not None
    if how == "disabled":
        staff.disable("ravi", NOON + 1, by=CONSOLE)
    else:
        left = {"no tracer": Role.EXPORTER, "another role less": Role.TRACER}.get(how)
        roles = wide | {Role.ISSUER} if left is None else frozenset({left})
        staff.change_roles("ravi", roles, NOON + 1, by=CONSOLE)
    gone = how in {"disabled", "no tracer"}
    tan = Caller("tan", frozenset({Role.TRACER}))
    team = world.authority.team
    team.hand_over({"C000000000": "tan", "C000000003": "tan"}, NOON + 2, by=MEI)
    calling.begin_shift(ShiftReason.DAILY_CALLS, NOON + 2, by=tan)
    taken = calling.next(NOON + 3, by=tan)
    assert taken is not None
    assert (taken.line.contact_id == sheet.line.contact_id) is gone
    rows = {row.name: row for row in team.today(NOON + 3, by=MEI).tracers}
    found = rows.get("ravi", TracerDay("ravi"))  # without work and role there is no row
    assert (found.reserved, found.shift_since is None) == (0 if gone else 1, gone)


# --- operators ---


@pytest.fixture
def staffed(store: AuthorityStore) -> World:
    world = World.of(os.urandom, store=store)
    for name in ("ada", "ben"):
        world.authority.staff.add(name, ALL_ROLES, f"token-{name}", NOON, by=CONSOLE)
    world.authority.staff.add("ravi", frozenset({Role.TRACER}), "token-ravi", NOON, by=CONSOLE)
    return world


def test_roles_are_changed_by_who_holds_them_and_not_for_oneself(staffed: World) -> None:
    staff, both = staffed.authority.staff, frozenset({Role.TRACER, Role.ISSUER})
    before = frozenset({Role.TRACER})
    staff.change_roles("ravi", both, NOON, had=before, by=ADA)
    assert staff.one("ravi", by=ADA).roles == both
    with pytest.raises(StaleError):
        staff.change_roles("ravi", before, NOON, had=before, by=BEN)
    admin = Caller("adi", frozenset({Role.ADMIN}))
    staff.add("adi", admin.roles, "token-adi", NOON, by=CONSOLE)
    for name, roles in (
        ("ravi", both | {Role.KEYHOLDER}),  # gives what the admin lacks
        ("ravi", before),  # takes what the admin lacks
        ("adi", ALL_ROLES),
    ):
        with pytest.raises(AccessDeniedError):
            staff.change_roles(name, roles, NOON, by=admin)
    staff.change_roles("ravi", both | {Role.ADMIN}, NOON, by=admin)
    with pytest.raises(InvalidRequestError):
        staff.change_roles("ravi", frozenset(), NOON, by=ADA)
    staff.disable("ravi", NOON, by=ADA)
    with pytest.raises(NotFoundError):
        staff.change_roles("ravi", both, NOON, by=ADA)
    entry = next(
        entry
        for entry in staffed.authority.audit.entries(by=CONSOLE)
        if entry.act == "operator.roles"
    )
    assert (entry.by, entry.subject) == ("ada", "ravi")
    assert dict(entry.details) == {"roles": "issuer,tracer", "before": "tracer"}


def test_two_people_set_codes_again_and_neither_for_themselves(staffed: World) -> None:
    resets, signing = staffed.authority.code_resets, sign_in_for(staffed.authority, CHEAP)
    with pytest.raises(ConflictError):
        resets.ask("ravi", NOON, by=ADA)  # has no password
    signing.set_password("ravi", PASSWORD, NOON, by=CONSOLE)
    token = signing.enter("ravi", PASSWORD, "", NOON)
    secret = signing.secret_of(token)
    session = signing.enrol(token, Totp().at(secret, NOON), NOON)
    for name, by in (("ada", ADA), ("ravi", CONSOLE), ("ravi", RAVI)):
        with pytest.raises(AccessDeniedError):
            resets.ask(name, NOON, by=by)
    with pytest.raises(NotFoundError):
        resets.ask("nobody", NOON, by=ADA)
    with pytest.raises(NotFoundError):
        resets.confirm("ravi", NOON, by=BEN)  # nobody has asked
    resets.ask("ravi", NOON, by=ADA)
    with pytest.raises(AccessDeniedError):
        resets.confirm("ravi", NOON, by=ADA)
    admin = Caller("ravi", frozenset({Role.ADMIN}))
    with pytest.raises(AccessDeniedError):
        resets.confirm("ravi", NOON, by=admin)
    with pytest.raises(NotFoundError):
        resets.confirm("ravi", NOON + ASKED_S, by=BEN)  # too late
    assert signing.who(session, NOON)  # nothing has happened yet
    resets.confirm("ravi", NOON + 60, by=BEN)
    assert signing.who(session, NOON + 60) is None
    assert resets.waiting(NOON, by=ADA) == []
    again = signing.enter("ravi", PASSWORD, "", NOON + 60)  # the password stays
    assert signing.secret_of(again) != secret
    entries = [
        (entry.act, entry.by, dict(entry.details))
        for entry in staffed.authority.audit.entries(by=CONSOLE)
        if "reset" in entry.act
    ]
    assert entries == [
        ("operator.reset-asked", "ada", {"what": "codes"}),
        ("operator.codes-reset", "ben", {"asked_by": "ada"}),
    ]
    resets_left = staffed.store.code_resets()
    assert resets_left == []


def test_a_request_can_be_withdrawn(staffed: World) -> None:
    resets, signing = staffed.authority.code_resets, sign_in_for(staffed.authority, CHEAP)
    signing.set_password("ravi", PASSWORD, NOON, by=CONSOLE)
    token = signing.enter("ravi", PASSWORD, "", NOON)
    signing.enrol(token, Totp().at(signing.secret_of(token), NOON), NOON)
    resets.ask("ravi", NOON, by=ADA)
    resets.withdraw("ravi", NOON, by=BEN)
    with pytest.raises(NotFoundError):
        resets.confirm("ravi", NOON, by=BEN)
    with pytest.raises(NotFoundError):
        resets.withdraw("ravi", NOON, by=BEN)


def test_a_forgotten_password_gives_way_to_one_that_works_once(staffed: World) -> None:
    resets, signing = staffed.authority.code_resets, sign_in_for(staffed.authority, CHEAP)
    signing.set_password("ravi", PASSWORD, NOON, by=CONSOLE)

    def give(now: float = NOON) -> str:
        return signing.give_password("ravi", now, by=BEN)

    both = {"what": Reset.PASSWORD, "new_password": give}
    resets.ask("ravi", NOON, what=Reset.PASSWORD, by=ADA)  # has set up no codes yet
    with pytest.raises(AccessDeniedError):
        resets.confirm("ravi", NOON, **both, by=ADA)
    with pytest.raises(NotFoundError):
        resets.confirm("ravi", NOON, by=BEN)  # codes alone: nobody asked for that
    with pytest.raises(ConflictError):
        resets.confirm("ravi", NOON, what=Reset.PASSWORD, by=BEN)  # where no password can be set
    assert len(staffed.store.code_resets()) == 1  # and nothing has happened
    given = resets.confirm("ravi", NOON, **both, by=BEN)
    with pytest.raises(NotFoundError):
        resets.confirm("ravi", NOON, **both, by=BEN)  # a second admin was as fast
    with pytest.raises(AccessDeniedError):
        signing.enter("ravi", PASSWORD, "", NOON)
    with pytest.raises(AccessDeniedError):
        signing.enter("ravi", given, "", NOON + ONE_TIME_S)  # three days are over
    token = signing.enter("ravi", given, "", NOON + ONE_TIME_S - 1)
    secret = signing.secret_of(token)
    code = Totp().at(secret, NOON)
    for wrong in ("", given, "short", "ravi has a long password"):
        with pytest.raises(InvalidRequestError):
            signing.enrol(token, code, NOON, password=wrong)
    assert signing.must_choose_password("ravi")
    signing.enrol(token, code, NOON, password="my own long secret")
    assert not signing.must_choose_password("ravi")
    later = NOON + ONE_TIME_S + 60
    with pytest.raises(AccessDeniedError):
        signing.enter("ravi", given, Totp().at(secret, later), later)
    assert signing.enter("ravi", "my own long secret", Totp().at(secret, later), later)


def test_nobody_gets_a_role_by_resetting_a_password(staffed: World) -> None:
    staff, resets = staffed.authority.staff, staffed.authority.code_resets
    staff.add("kim", frozenset({Role.KEYHOLDER}), "token-kim", NOON, by=CONSOLE)
    admin = Caller("adi", frozenset({Role.ADMIN}))
    staff.add("adi", admin.roles, "token-adi", NOON, by=CONSOLE)
    staff.add("adi2", admin.roles, "token-adi2", NOON, by=admin)  # by one who plays two people
    with pytest.raises(AccessDeniedError, match="whose roles you hold"):
        resets.ask("kim", NOON, what=Reset.PASSWORD, by=admin)
    resets.ask("kim", NOON, what=Reset.PASSWORD, by=ADA)
    with pytest.raises(AccessDeniedError, match="whose roles you hold"):
        resets.confirm(
            "kim",
            NOON,
            what=Reset.PASSWORD,
            new_password=lambda: "given",
            by=Caller("adi2", admin.roles),
        )
    given = resets.confirm("kim", NOON, what=Reset.PASSWORD, new_password=lambda: "given", by=BEN)
    assert given == "given"


def test_a_request_ends_with_the_role_of_who_asked_and_with_whom_it_is_about(
    staffed: World,
) -> None:
    staff, resets = staffed.authority.staff, staffed.authority.code_resets
    staff.add("siti", frozenset({Role.TRACER}), "token-siti", NOON, by=CONSOLE)
    for name in ("ravi", "siti"):
        resets.ask(name, NOON, what=Reset.PASSWORD, by=ADA)
    resets.ask("ada", NOON, what=Reset.PASSWORD, by=BEN)
    staff.disable("siti", NOON, by=BEN)
    assert [reset.name for reset in resets.waiting(NOON, by=BEN)] == ["ada", "ravi"]
    staff.change_roles("ada", ALL_ROLES - {Role.ADMIN}, NOON, by=BEN)
    assert [reset.name for reset in resets.waiting(NOON, by=BEN)] == ["ada"]
    with pytest.raises(NotFoundError):
        resets.confirm("ravi", NOON, what=Reset.PASSWORD, new_password=lambda: "x", by=BEN)


def test_who_asked_is_disabled_while_another_confirms(staffed: World) -> None:
    staff, resets = staffed.authority.staff, staffed.authority.code_resets
    staff.add("cat", ALL_ROLES, "token-cat", NOON, by=CONSOLE)
    together = Barrier(2)

    def disable() -> None:
        together.wait()
        staff.disable("ada", NOON, by=BEN)

    def confirm() -> None:
        together.wait()
        with suppress(NotFoundError):
            resets.confirm(
                "ravi",
                NOON,
                what=Reset.PASSWORD,
                new_password=lambda: "given",
                by=Caller("cat", ALL_ROLES),
            )

    for _ in range(5):
        staffed.store.put_operator(replace(staff.all(by=CONSOLE)[0], disabled=False))
        resets.ask("ravi", NOON, what=Reset.PASSWORD, by=ADA)
        with ThreadPoolExecutor(2) as threads:
            for done in [threads.submit(disable), threads.submit(confirm)]:
                done.result()  # neither waits for the other in a circle
        assert resets.waiting(NOON, by=BEN) == []
