"""Every method of the service, called directly by every role: as permissions.md documents."""

import inspect
import runpy
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from tests.authority_world import World
from tests.conftest import counted_entropy
from tests.figure_acts import FIGURES_FOR_NOBODY
from tests.pages_world import CHEAP
from tests.service_acts import CALLS, Act
from tracetogether.adapters.operator_pages import sign_in_for
from tracetogether.authority.access import permissions
from tracetogether.authority.access.permissions import PERMISSIONS, Action, Caller, Role
from tracetogether.errors import TraceTogetherError

REFERENCE = Path(__file__).parent.parent / "docs" / "reference"

INSIDE = {
    "casework.check_no_open_case",
    "casework.locked",
    "casework.may_see",
    "casework.opened",
    "casework.visible_ids",
    "desk.all_shown",
    "desk.own_cases",
    "desk.kept",
    "desk.shown",
    "follow_up.called",
    "follow_up.identity",
    "follow_up.write_down",
    "follow_up.revealed",
    "people.lines",
}
"""Methods that other methods of the service call once they have checked the action: these take
the caller to decide which cases the caller needs to know."""

TAKE_A_NAME = {"audit.record", "audit.rehearse", "audit.reason_given"}
"""Methods whose ``by`` is the name that an entry of the audit log gets."""

NO_CALLER = {
    "calling.outside_hours",  # an hour of the day
    "access.SignIn.must_choose_password",
    # phones and strangers show a credential, a token or a password instead
    *("access.phone", "access.speaker", "places.batch"),
    *("access.operator", "issuance.register", "issuance.withdraw"),
    *("issuance.batch", "intake.redeem_pin", "intake.pretend_redeem", "intake.check_token"),
    *("intake.check_sender", "intake.take_upload", "pins.redeem", "pins.pretend", "pins.pause_s"),
    *("access.SignIn.enter", "access.SignIn.secret_of", "access.SignIn.enrol"),
    *("charges.add", "charges.of", "charges.user_of", "charges.end"),
    *("access.SignIn.who", "access.SignIn.leave"),
    # the clock, start-up and repairs
    *("finder.work_off", "finder.refresh", "finder.take_over", "finder.log_arrived"),
    "finder.judge_again",
    *("purge.last", "purge.check_behind", "purge.check_clock"),
    *("purge.clock_suspect", "purge.overdue", "custody.require", "custody.foreign"),
    *("casework.several_open", "tallies.add", "tallies.tell", "tracing.refresh"),
    # parts of the service for its other parts: they show nothing to anybody
    *("audit.atomic", "audit.transaction", *TAKE_A_NAME, "casework.check", "casework.kept"),
    *("desk.today", "desk.days_of", "desk.user_of", "desk.name_of", "pins.given_out"),
    *("limits.take", "limits.add", "limits.give_back", "limits.first", "limits.add_hearers"),
    *("restrictions.in_force", "declarations.declare", "declarations.latest"),
    "declarations.opened",
    *("passes.batch", "passes.notice", "passes.trust_list", "passes.revocation_list"),
    *("restrictions.state", "restrictions.found", "restrictions.shown"),
    *("restrictions.without_evidence", "appeals.open", "appeals.of_user"),
    "figures.restriction_figures",
    *("partners.rows", "partners.revoked", "partners.own_fingerprint", "partners.for_records"),
    # partners sign their messages instead
    *("record_taking.check_address", "record_taking.from_partner", "record_taking.answers_for"),
    *("record_sending.pack", "record_sending.to_send", "record_sending.greeting"),
    *("record_sending.sent", "record_sending.failed", "record_sending.note"),
    *("record_sending.known_partners", "record_sending.handed_to"),
    *("places.kept", "places.found", "stays.stays_in", "stays.stays_of"),
    *("visits.take", "publishing.publish"),
    *("warnings.check_aboard", "warnings.check_place", "warnings.band_of"),
    *("limits.count", "tracing.found", "tracing.concerned", "tracing.policy"),
    *FIGURES_FOR_NOBODY,
}
"""Methods that act for no caller."""


def documented() -> dict[str, set[str]]:
    """Return action -> names of the roles, as permissions.md has them."""
    table = (REFERENCE / "permissions.md").read_text("utf-8").partition("## By action")[2]
    rows = [line.split("|") for line in table.partition("\n## ")[0].splitlines()[4:]]
    return {row[1].strip(): set(row[2].strip().split(", ")) for row in rows if len(row) > 2}


def methods() -> Iterator[tuple[str, inspect.Signature]]:
    """Yield every public method of every part of the service, and of signing in."""
    world = World.of(counted_entropy(711))
    parts = {
        part.name: getattr(world.authority, part.name)
        for part in fields(world.authority)
        if part.name not in {"store", "days"}
    }
    for name, part in {**parts, "access.SignIn": sign_in_for(world.authority, CHEAP)}.items():
        for method, function in vars(type(part)).items():
            if not method.startswith("_") and inspect.isfunction(function):
                yield f"{name}.{method}", inspect.signature(function)


def test_every_method_takes_a_caller_or_is_known_to_act_for_none() -> None:
    found = dict(methods())
    assert sorted(found) == sorted([*CALLS, *INSIDE, *NO_CALLER])  # each in one of them
    for name in CALLS.keys() | INSIDE:
        by = found[name].parameters["by"]
        assert by.default is inspect.Parameter.empty, name
        assert by.annotation is Caller, name
        assert by.kind is inspect.Parameter.KEYWORD_ONLY or name in INSIDE, name
    for name in NO_CALLER - TAKE_A_NAME:
        assert "by" not in found[name].parameters, name


def refused(act: Act, service: Any, caller: Caller) -> bool:
    """Return whether the permission is refused; whatever else goes wrong comes after it."""
    try:
        act(service, caller)
    except TraceTogetherError as error:
        return error.code == "roles-do-not-allow"
    return False


def check_service(world: World, only: Action | None = None) -> None:
    """Compare what each method refuses to each role with permissions.md."""
    table, entries = documented(), world.store.last_audit()
    for name, (action, act) in CALLS.items():
        for role in Role if only in {None, action} else ():
            denied = refused(act, world.authority, Caller("someone", frozenset({role})))
            assert denied == (role.value not in table[action.value]), (name, role)
            assert not denied or world.store.last_audit() == entries, (name, role)
            entries = world.store.last_audit()
        if only in {None, action}:
            assert refused(act, world.authority, Caller("nobody", frozenset())), name


@pytest.fixture(scope="module")
def called() -> World:
    return World.of(counted_entropy(712))


def test_every_method_refuses_the_roles_that_the_table_leaves_out(called: World) -> None:
    check_service(called)
    pages_alone = {Action.USE_PAGES}
    assert {action for action, _ in CALLS.values()} == set(Action) - pages_alone


@pytest.mark.parametrize("action", [action for action in Action if action is not Action.USE_PAGES])
def test_a_changed_row_of_the_table_is_noticed(
    called: World, action: Action, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = frozenset(sorted(PERMISSIONS[action], key=lambda role: role.value)[1:])
    added = PERMISSIONS[action] | {next(role for role in Role if role not in PERMISSIONS[action])}
    written = (REFERENCE / "permissions.md").read_text("utf-8")
    for changed in (taken, added):
        monkeypatch.setattr(permissions, "PERMISSIONS", {**PERMISSIONS, action: changed})
        with pytest.raises(AssertionError):
            check_service(called, action)
        writer = runpy.run_path(str(REFERENCE / "write_permissions.py"))
        assert writer["page"]() != written
