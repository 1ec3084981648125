"""Every method of the service, called directly by every role: as permissions.md documents."""

import inspect
import re
import runpy
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from tests.authority_world import NOON, World
from tests.calling_acts import CALLING
from tests.conftest import counted_entropy
from tests.figure_acts import FIGURES, FIGURES_FOR_NOBODY
from tests.followed_rows import contact_row
from tests.pages_world import CHEAP
from tests.team_acts import TEAM
from tracetogether.adapters.operator_pages import sign_in_for
from tracetogether.authority.access import permissions
from tracetogether.authority.access.permissions import CONSOLE, PERMISSIONS, Action, Caller, Role
from tracetogether.authority.cases.case import Case, CaseQuery
from tracetogether.authority.cases.followed import ContactQuery, Outcome
from tracetogether.authority.desk.exports import LAYOUTS
from tracetogether.authority.status.appeal import AppealState
from tracetogether.authority.status.order import OrderKind
from tracetogether.authority.status.policy import status_policies
from tracetogether.authority.status.restriction import Ground, RestrictionEvidence
from tracetogether.authority.status.results import LaboratoryResult
from tracetogether.cli import cli
from tracetogether.cli.authority_folder import OPERATOR_TOKEN, create_folder, opened_folder
from tracetogether.errors import AccessDeniedError, TraceTogetherError

REFERENCE = Path(__file__).parent.parent / "docs" / "reference"
WRITER = runpy.run_path(str(REFERENCE / "write_permissions.py"))
COMMANDS: dict[str, tuple[Action, ...]] = WRITER["COMMANDS"]
CASE = Case("NONE", "nobody", int(NOON // 86_400), NOON, NOON)
PHONES = "oem,device,model,rssi_correction,tx_power,confidence\n,,Nut 1,2,-5,3\n"
Act = Callable[[Any, Caller], object]
CALLS: dict[str, tuple[Action, Act]] = {
    "access.SignIn.set_password": (
        Action.SET_PASSWORD,
        lambda service, by: sign_in_for(service, CHEAP).set_password("nobody", "x", NOON, by=by),
    ),
    "audit.entries": (Action.READ_AUDIT, lambda service, by: service.audit.entries(by=by)),
    "audit.verify": (Action.READ_AUDIT, lambda service, by: service.audit.verify(by=by)),
    **CALLING,
    **TEAM,
    **FIGURES,
    "case_import.check": (
        Action.OPEN_CASE,
        lambda service, by: service.case_import.check(b"user_id\nx\n", NOON, by=by),
    ),
    "case_import.run": (
        Action.OPEN_CASE,
        lambda service, by: service.case_import.run([], NOON, by=by),
    ),
    "casework.assign": (
        Action.ASSIGN_CASE,
        lambda service, by: service.casework.assign("NONE", "-", NOON, by=by),
    ),
    "casework.case": (Action.SHOW_CASE, lambda service, by: service.casework.case("NONE", by=by)),
    "casework.case_to_show": (
        Action.SHOW_CASE,
        lambda service, by: service.casework.case_to_show("NONE", by=by),
    ),
    "casework.cases": (Action.LIST_CASES, lambda service, by: service.casework.cases(by=by)),
    "casework.close": (
        Action.CHANGE_CASE_STATE,
        lambda service, by: service.casework.close("NONE", NOON, by=by),
    ),
    "casework.confirm": (
        Action.CONFIRM_CASE,
        lambda service, by: service.casework.confirm("NONE", NOON, by=by),
    ),
    "casework.open_case": (
        Action.OPEN_CASE,
        lambda service, by: service.casework.open_case("nobody", NOON, by=by),
    ),
    "casework.other_open_cases": (
        Action.SHOW_CASE,
        lambda service, by: service.casework.other_open_cases(CASE, by=by),
    ),
    "casework.page": (
        Action.LIST_CASES,
        lambda service, by: service.casework.page(CaseQuery(), NOON, by=by),
    ),
    "casework.reopen": (
        Action.CHANGE_CASE_STATE,
        lambda service, by: service.casework.reopen("NONE", NOON, by=by),
    ),
    "casework.tracers": (Action.ASSIGN_CASE, lambda service, by: service.casework.tracers(by=by)),
    "passes.keys_in_use": (
        Action.SHOW_KEYS,
        lambda service, by: service.passes.keys_in_use(NOON, by=by),
    ),
    "passes.list_key": (Action.SHOW_KEYS, lambda service, by: service.passes.list_key(by=by)),
    "passes.paper": (
        Action.ISSUE_PAPER,
        lambda service, by: service.passes.paper(NOON, "a test", by=by),
    ),
    "passes.policy_in_use": (
        Action.SHOW_STATUS_POLICY,
        lambda service, by: service.passes.policy_in_use(by=by),
    ),
    "passes.retire_key": (
        Action.CHANGE_KEYS,
        lambda service, by: service.passes.retire_key("00", NOON, by=by),
    ),
    "passes.use_policy": (
        Action.SET_STATUS_POLICY,
        lambda service, by: service.passes.use_policy(status_policies()["advice"], NOON, by=by),
    ),
    "charges.consent": (
        Action.GIVE_CHARGE_CODE,
        lambda service, by: service.charges.consent(NOON, by=by),
    ),
    "charges.end_at_desk": (
        Action.END_CHARGE,
        lambda service, by: service.charges.end_at_desk("NONE", "x", NOON, by=by),
    ),
    "custody.destroy": (
        Action.CHANGE_KEYS,
        lambda service, by: service.custody.destroy(0, NOON, by=by),
    ),
    "custody.known_days": (
        Action.SHOW_KEYS,
        lambda service, by: service.custody.known_days(NOON, by=by),
    ),
    "custody.quarantine": (
        Action.CHANGE_KEYS,
        lambda service, by: service.custody.quarantine(0, 0, NOON, by=by),
    ),
    "custody.replace": (
        Action.CHANGE_KEYS,
        lambda service, by: service.custody.replace(NOON, by=by),
    ),
    "custody.rotate": (
        Action.CHANGE_KEYS,
        lambda service, by: service.custody.rotate(NOON, by=by),
    ),
    "desk.calendar": (
        Action.LIST_FOLLOWED,
        lambda service, by: service.desk.calendar("NONE", by=by),
    ),
    "desk.contact": (
        Action.LIST_FOLLOWED,
        lambda service, by: service.desk.contact("NONE", by=by),
    ),
    "desk.dashboard": (
        Action.SHOW_DASHBOARD,
        lambda service, by: service.desk.dashboard(NOON, by=by),
    ),
    "desk.due": (Action.LIST_FOLLOWED, lambda service, by: service.desk.due(NOON, by=by)),
    "desk.links": (
        Action.LIST_CONTACTS,
        lambda service, by: service.desk.links(CASE, NOON, by=by),
    ),
    "desk.notes_on": (Action.READ_NOTES, lambda service, by: service.desk.notes_on("NONE", by=by)),
    "desk.page": (
        Action.LIST_FOLLOWED,
        lambda service, by: service.desk.page(ContactQuery(), by=by),
    ),
    "exports.rows": (
        Action.EXPORT,
        lambda service, by: service.exports.rows(LAYOUTS["contacts"], "csv", NOON, by=by),
    ),
    "follow_up.call_anyway": (
        Action.RECORD_CALL,
        lambda service, by: service.follow_up.call_anyway("NONE", NOON, by=by),
    ),
    "follow_up.changed_since": (
        Action.REVEAL,
        lambda service, by: service.follow_up.changed_since("NONE", 1, NOON, by=by),
    ),
    "follow_up.describe": (
        Action.DESCRIBE,
        lambda service, by: service.follow_up.describe("NONE", "x", "", NOON, by=by),
    ),
    "follow_up.described": (
        Action.LIST_FOLLOWED,
        lambda service, by: service.follow_up.described("NONE", by=by),
    ),
    "follow_up.note": (
        Action.WRITE_NOTE,
        lambda service, by: service.follow_up.note("NONE", "x", NOON, by=by),
    ),
    "follow_up.reach": (
        Action.RECORD_CALL,
        lambda service, by: service.follow_up.reach("NONE", NOON, by=by),
    ),
    "follow_up.record": (
        Action.RECORD_CALL,
        lambda service, by: service.follow_up.record("NONE", 0, Outcome.SYMPTOMS, NOON, by=by),
    ),
    "follow_up.reveal": (
        Action.REVEAL,
        lambda service, by: service.follow_up.reveal("NONE", "x", NOON, by=by),
    ),
    "graphs.graph": (Action.SHOW_GRAPH, lambda service, by: service.graphs.graph(by=by)),
    "graphs.second_degree": (
        Action.LIST_CONTACTS,
        lambda service, by: service.graphs.second_degree(CASE, by=by),
    ),
    "merging.cases_into": (
        Action.SHOW_CASE,
        lambda service, by: service.merging.cases_into("NONE", by=by),
    ),
    "merging.convert": (
        Action.CONVERT_CONTACT,
        lambda service, by: service.merging.convert("NONE", NOON, by=by),
    ),
    "merging.merge": (
        Action.MERGE_CONTACTS,
        lambda service, by: service.merging.merge("NONE", "OTHER", NOON, by=by),
    ),
    "merging.merge_cases": (
        Action.MERGE_CASES,
        lambda service, by: service.merging.merge_cases("NONE", "OTHER", NOON, by=by),
    ),
    "phone_models.learn": (
        Action.LEARN_PHONES,
        lambda service, by: service.phone_models.learn(NOON, by=by),
    ),
    "phone_models.stop": (
        Action.USE_PHONES,
        lambda service, by: service.phone_models.stop(NOON, by=by),
    ),
    "phone_models.use": (
        Action.USE_PHONES,
        lambda service, by: service.phone_models.use(PHONES, NOON, by=by),
    ),
    "phone_models.used": (
        Action.USE_PHONES,
        lambda service, by: service.phone_models.used(by=by),
    ),
    "monitoring.counts": (Action.COUNT, lambda service, by: service.monitoring.counts(NOON, by=by)),
    "monitoring.metrics": (
        Action.READ_METRICS,
        lambda service, by: service.monitoring.metrics(NOON, by=by),
    ),
    "operator_import.check": (
        Action.ADD_OPERATOR,
        lambda service, by: service.operator_import.check(b"name,roles\n", by=by),
    ),
    "operator_import.run": (
        Action.ADD_OPERATOR,
        lambda service, by: service.operator_import.run([], NOON, by=by),
    ),
    "partners.address_is": (
        Action.CHANGE_PARTNERS,
        lambda service, by: service.partners.address_is("NONE", "", NOON, by=by),
    ),
    "partners_overview.all": (
        Action.LIST_PARTNERS,
        lambda service, by: service.partners_overview.all(by=by),
    ),
    "record_sending.all_outgoing": (
        Action.LIST_PARTNERS,
        lambda service, by: service.record_sending.all_outgoing(by=by),
    ),
    "record_sending.export": (
        Action.EXCHANGE_RECORDS,
        lambda service, by: service.record_sending.export("NONE", NOON, by=by),
    ),
    "record_sending.of_case": (
        Action.SHOW_CASE,
        lambda service, by: service.record_sending.of_case(CASE, by=by),
    ),
    "record_taking.all_answers": (
        Action.LIST_PARTNERS,
        lambda service, by: service.record_taking.all_answers(by=by),
    ),
    "record_taking.all_taken": (
        Action.LIST_PARTNERS,
        lambda service, by: service.record_taking.all_taken(by=by),
    ),
    "record_taking.export_answers": (
        Action.EXCHANGE_RECORDS,
        lambda service, by: service.record_taking.export_answers("NONE", NOON, by=by),
    ),
    "record_taking.from_file": (
        Action.EXCHANGE_RECORDS,
        lambda service, by: service.record_taking.from_file(b"", NOON, by=by),
    ),
    "partners.add": (
        Action.CHANGE_PARTNERS,
        lambda service, by: service.partners.add(b"", NOON, days=1, by=by),
    ),
    "partners.all": (Action.LIST_PARTNERS, lambda service, by: service.partners.all(by=by)),
    "partners.confirm": (
        Action.CONFIRM_PARTNER,
        lambda service, by: service.partners.confirm("NONE", "0", NOON, by=by),
    ),
    "partners.remove": (
        Action.CHANGE_PARTNERS,
        lambda service, by: service.partners.remove("NONE", NOON, by=by),
    ),
    "partners.take_revocations": (
        Action.CHANGE_PARTNERS,
        lambda service, by: service.partners.take_revocations("NONE", b"", by=by),
    ),
    "partners.update": (
        Action.CHANGE_PARTNERS,
        lambda service, by: service.partners.update("NONE", b"", NOON, by=by),
    ),
    "warnings.confirm": (
        Action.DECIDE_WARNING,
        lambda service, by: service.warnings.confirm("NONE", "x", NOON, by=by),
    ),
    "warnings.of_case": (
        Action.LIST_VISITS,
        lambda service, by: service.warnings.of_case("NONE", by=by),
    ),
    "warnings.refuse": (
        Action.DECIDE_WARNING,
        lambda service, by: service.warnings.refuse("NONE", "x", NOON, by=by),
    ),
    "warnings.refuse_trip": (
        Action.DECIDE_WARNING,
        lambda service, by: service.warnings.refuse_trip("NONE", "x", NOON, by=by),
    ),
    "warnings.state_aboard": (
        Action.DECIDE_WARNING,
        lambda service, by: service.warnings.state_aboard("NONE", 80, "x", NOON, by=by),
    ),
    "warnings.waiting": (
        Action.LIST_VISITS,
        lambda service, by: service.warnings.waiting(by=by),
    ),
    "warnings.visit": (
        Action.LIST_VISITS,
        lambda service, by: service.warnings.visit("NONE", by=by),
    ),
    "warnings.trip": (
        Action.LIST_VISITS,
        lambda service, by: service.warnings.trip("NONE", by=by),
    ),
    "fourteen_days.of": (
        Action.LIST_CONTACTS,
        lambda service, by: service.fourteen_days.of("NONE", by=by),
    ),
    "warnings.warn_place": (
        Action.WARN_PLACE,
        lambda service, by: service.warnings.warn_place(
            "NONE", NOON - 1, NOON, NOON, heard=[], reason="x", by=by
        ),
    ),
    "pins.issue": (Action.ISSUE_PIN, lambda service, by: service.pins.issue(CASE, NOON, by=by)),
    "staff.add": (
        Action.ADD_OPERATOR,
        lambda service, by: service.staff.add("new", frozenset(), "token", NOON, by=by),
    ),
    "staff.all": (Action.LIST_OPERATORS, lambda service, by: service.staff.all(by=by)),
    "staff.disable": (
        Action.DISABLE_OPERATOR,
        lambda service, by: service.staff.disable("nobody", NOON, by=by),
    ),
    "tracing.contacts": (
        Action.LIST_CONTACTS,
        lambda service, by: service.tracing.contacts(CASE, by=by),
    ),
    "tracing.reveal": (
        Action.REVEAL,
        lambda service, by: service.tracing.reveal(CASE, "x", "y", NOON, by=by),
    ),
    "unmerging.undo": (
        Action.MERGE_CONTACTS,
        lambda service, by: service.unmerging.undo("NONE", NOON, by=by),
    ),
    "unmerging.undo_cases": (
        Action.MERGE_CASES,
        lambda service, by: service.unmerging.undo_cases("NONE", NOON, by=by),
    ),
    "unmerging.undoable": (
        Action.MERGE_CONTACTS,
        lambda service, by: service.unmerging.undoable(
            contact_row(1, "NONE", service.custody.keys, counted_entropy(710)), by=by
        ),
    ),
    "policies.all": (Action.SHOW_COSTS, lambda service, by: service.policies.all(by=by)),
    "policies.costs": (Action.SHOW_COSTS, lambda service, by: service.policies.costs(by=by)),
    "policies.set_least_chance": (
        Action.SET_LEAST_CHANCE,
        lambda service, by: service.policies.set_least_chance(9.0, NOON, by=by),
    ),
    "places.add": (
        Action.ADD_PLACE,
        lambda service, by: service.places.add("x", "", NOON, by=by),
    ),
    "places.all": (Action.LIST_PLACES, lambda service, by: service.places.all(NOON, by=by)),
    "places.retire": (
        Action.RETIRE_PLACE,
        lambda service, by: service.places.retire("NONE", NOON, by=by),
    ),
    "places.heard_digests": (
        Action.WARN_PLACE,
        lambda service, by: service.places.heard_digests("NONE", 0.0, 1.0, by=by),
    ),
    "stays.of": (Action.LIST_CONTACTS, lambda service, by: service.stays.of(CASE, by=by)),
    "orders.add": (
        Action.ADD_ORDER,
        lambda service, by: service.orders.add(
            OrderKind.BORDER, "x", "y", (0.0, 1.0), 2.0, 1, NOON, by=by
        ),
    ),
    "orders.all": (Action.LIST_ORDERS, lambda service, by: service.orders.all(by=by)),
    "orders.end": (
        Action.END_ORDER,
        lambda service, by: service.orders.end("NONE", NOON, by=by),
    ),
    "restrictions.set": (
        Action.SET_RESTRICTION,
        lambda service, by: service.restrictions.set(
            "nobody", Ground.CASE, "NONE", RestrictionEvidence.DIAGNOSIS, NOON + 60, NOON, by=by
        ),
    ),
    "restrictions.confirm": (
        Action.CONFIRM_RESTRICTION,
        lambda service, by: service.restrictions.confirm("NONE", NOON, by=by),
    ),
    "restrictions.lift": (
        Action.LIFT_RESTRICTION,
        lambda service, by: service.restrictions.lift("NONE", NOON, by=by),
    ),
    "restrictions.one": (
        Action.LIST_RESTRICTIONS,
        lambda service, by: service.restrictions.one("NONE", NOON, by=by),
    ),
    "restrictions.page": (
        Action.LIST_RESTRICTIONS,
        lambda service, by: service.restrictions.page(NOON, by=by),
    ),
    "laboratory.report": (
        Action.REPORT_TEST,
        lambda service, by: service.laboratory.report(
            "nobody", LaboratoryResult(negative=True, day=0, laboratory="x"), NOON, by=by
        ),
    ),
    "appeals.all": (Action.LIST_APPEALS, lambda service, by: service.appeals.all(NOON, by=by)),
    "appeals.decide": (
        Action.DECIDE_APPEAL,
        lambda service, by: service.appeals.decide("NONE", AppealState.UPHELD, NOON, by=by),
    ),
    "unmerging.undoable_cases": (
        Action.MERGE_CASES,
        lambda service, by: service.unmerging.undoable_cases(CASE, by=by),
    ),
}
"""Each method that acts for a caller, with the action that it checks before anything else."""

INSIDE = {
    "casework.check_no_open_case",
    "casework.locked",
    "casework.may_see",
    "casework.opened",
    "casework.visible_ids",
    "desk.all_shown",
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

TAKE_A_NAME = {"audit.record", "audit.rehearse", "audit.reason_given"}
"""Methods whose ``by`` is the name that an entry of the audit log gets."""

NO_CALLER = {
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
    *("places.kept", "places.found", "stays.stays_of"),
    *(
        "visits.take",
        "publishing.publish",
        "warnings.check_aboard",
        "warnings.check_place",
        "warnings.band_of",
    ),
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


# --- the command line ---

ARGUMENTS = {
    "audit list": ["DIR"],
    "audit verify": ["DIR"],
    "case confirm": ["CASE"],
    "case contacts": ["CASE"],
    "case import": ["cases.csv"],
    "case onward": ["CASE"],
    "case stays": ["CASE"],
    "case days": ["CASE"],
    "warnings confirm": ["NONE", "--reason", "x", "--yes", "--token-file", "TOKEN"],
    "warnings confirm-trip": [
        *("NONE", "--aboard", "80", "--reason", "x", "--yes", "--token-file", "TOKEN"),
    ],
    "warnings refuse": ["NONE", "--reason", "x", "--yes", "--token-file", "TOKEN"],
    "warnings refuse-trip": ["NONE", "--reason", "x", "--yes", "--token-file", "TOKEN"],
    "place add": ["Canteen 3"],
    "place retire": ["NONE"],
    "place warn": [
        *("NONE", "--since", "2020-05-04T08", "--until", "2020-05-04T09", "--reason", "x"),
        *("--yes", "--token-file", "TOKEN"),
    ],
    "case open": ["USER"],
    "case pin": ["CASE"],
    "case reveal": ["CASE", "person", "--reason", "a test"],
    "charge end": ["NONE", "--reason", "a test"],
    "partner add": ["cases.csv", "--operator-token", "TOKEN"],
    "partner confirm": ["NONE", "0", "--operator-token", "TOKEN"],
    "partner fingerprint": [],
    "partner address": ["NONE"],
    "partner exchange export": ["NONE"],
    "partner exchange import": ["cases.csv"],
    "partner exchange answers": ["NONE", "--out", "answers.cose"],
    "partner remove": ["NONE"],
    "partner update": ["NONE", "cases.csv"],
    "follow-up assign": ["NONE", "-"],
    "follow-up call": ["NONE", "symptoms"],
    "follow-up find": ["12345678"],
    "follow-up show": ["NONE"],
    "keys destroy": ["2000-01-01", "--yes"],
    "keys quarantine": ["2000-01-01"],
    "keys replace": ["--yes"],
    "pass paper": ["--reason", "a test", "--token-file", "TOKEN"],
    "pass retire": ["00"],
    "appeal decide": ["NONE", "upheld", "--yes", "--token-file", "TOKEN"],
    "order add": [
        *("--kind", "border", "--legal-basis", "x", "--place", "y", "--people", "1"),
        *("--from", "1", "--to", "2", "--ends", "3", "--token-file", "TOKEN"),
    ],
    "order end": ["NONE", "--yes", "--token-file", "TOKEN"],
    "restriction confirm": ["NONE", "--token-file", "TOKEN"],
    "restriction lift": ["NONE", "--yes", "--token-file", "TOKEN"],
    "restriction set": [
        *("USER", "--ground", "case", "--reference", "CASE", "--evidence", "diagnosis"),
        *("--until", "2100-01-01", "--token-file", "TOKEN"),
    ],
    "restriction test": [
        *("USER", "--date", "2020-05-04", "--laboratory", "x", "--token-file", "TOKEN"),
    ],
    **{key: ["DIR"] for key in ("open-data list", "open-data preview", "open-data stop")},
    **{key: ["DIR"] for key in ("wall list", "bulletin end")},
    "open-data publish": ["DIR", "--yes"],
    "wall add": ["lobby"],
    "wall end": ["lobby"],
    "bulletin put": ["x", "--until", "2000-01-01"],
    "policy set": ["--least-chance", "0.5"],
    "phones use": ["phones.csv"],
    "team hand-over": ["NONE", "--to", "-"],
    "team show": ["DIR"],
    "user confirm-reset": ["nobody", "--operator-token", "TOKEN"],
    "user reset": ["nobody", "--operator-token", "TOKEN"],
    "user roles": ["nobody", "--role", "tracer"],
    "user add": ["new", "--role", "tracer"],
    "user disable": ["nobody"],
    "user import": ["users.csv"],
    "user password": ["operator", "--stdin"],
}
OF_THE_MACHINE = {
    *("backup", "demo-data", "follow-up refresh", "init", "limits", "load"),
    *(
        "migrate",
        "purge",
        "restore",
        "serve",
        "time-zone",
        "restriction figures",
        "warnings publish",
    ),
    "bulletin show",
}
"""Commands that set the service up, or do what its clock does: they act for no caller."""


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the names of all commands below one."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands(below, (*path, name))
    else:
        yield " ".join(path)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Return an authority's folder, and what stands for the words in capitals."""
    place, now = tmp_path_factory.mktemp("console") / "authority", time.time()  # noqa: TID251 - commands read the clock
    create_folder(place, now=now)
    with opened_folder(place) as service:
        case = service.casework.open_case(service.issuance.register(now).user_id, now, by=CONSOLE)
        user = service.issuance.register(now).user_id
    return place, {"CASE": case.case_id, "USER": user}


def test_every_command_is_documented_with_what_it_does() -> None:
    below = cli.get_command(click.Context(cli), "authority")
    assert below is not None
    assert set(commands(below)) == COMMANDS.keys() | OF_THE_MACHINE
    page = (REFERENCE / "permissions.md").read_text("utf-8")
    for command, actions in COMMANDS.items():
        for action in actions:
            (row,) = re.findall(rf"^\| {re.escape(action.value)} \|.*$", page, re.MULTILINE)
            assert f"`{command}`" in row


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_a_command_asks_for_the_documented_actions_and_no_other(
    command: str,
    made: tuple[Path, dict[str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cases.csv").write_text("user_id\n")
    (tmp_path / "users.csv").write_text("name,roles\n")
    (tmp_path / "phones.csv").write_text(PHONES)

    def run(number: int) -> Result:
        place = tmp_path / str(number)
        shutil.copytree(made[0], place)
        meant = made[1] | {"DIR": str(place), "TOKEN": str(place / OPERATOR_TOKEN)}
        words = [meant.get(word, word) for word in ARGUMENTS.get(command, [])]
        where = [] if str(place) in words else ["--dir", str(place)]
        return CliRunner().invoke(
            cli, ["authority", *command.split(), *words, *where], input="correct horse battery\n"
        )

    asked: list[Action] = []
    require = Caller.require

    def watched(caller: Caller, action: Action) -> None:
        asked.append(action)
        require(caller, action)

    with monkeypatch.context() as patch:
        patch.setattr(Caller, "require", watched)  # no other place sees what is required
        assert not isinstance(run(0).exception, AccessDeniedError)
    assert tuple(dict.fromkeys(asked)) == COMMANDS[command]
    for number, action in enumerate(COMMANDS[command], 1):
        monkeypatch.setattr(permissions, "PERMISSIONS", {**PERMISSIONS, action: frozenset()})
        denied = run(number).exception
        assert isinstance(denied, AccessDeniedError), (action, denied)
        assert (denied.code, str(denied)[-len(action.value) :]) == (
            "roles-do-not-allow",
            action.value,
        )
