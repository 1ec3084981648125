"""The methods of the service that act for a caller, and how a test calls each of them."""

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from tests.authority_world import NOON
from tests.calling_acts import CALLING
from tests.conftest import counted_entropy
from tests.figure_acts import FIGURES
from tests.followed_rows import contact_row
from tests.pages_world import CHEAP
from tests.team_acts import TEAM
from tracetogether.adapters.operator_pages import sign_in_for
from tracetogether.authority.access.permissions import Action, Caller
from tracetogether.authority.cases.case import Case, CaseQuery
from tracetogether.authority.cases.followed import ContactQuery, Outcome
from tracetogether.authority.desk.exports import LAYOUTS
from tracetogether.authority.status.appeal import AppealState
from tracetogether.authority.status.order import OrderKind
from tracetogether.authority.status.policy import status_policies
from tracetogether.authority.status.restriction import Ground, RestrictionEvidence
from tracetogether.authority.status.results import LaboratoryResult

CASE = Case("NONE", "nobody", int(NOON // 86_400), NOON, NOON)
PHONES = "oem,device,model,rssi_correction,tx_power,confidence\n,,Nut 1,2,-5,3\n"
Act = Callable[[Any, Caller], object]

_BY_ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "appeals.all": (Action.LIST_APPEALS, NOON),
    "appeals.decide": (Action.DECIDE_APPEAL, "NONE", AppealState.UPHELD, NOON),
    "audit.entries": (Action.READ_AUDIT,),
    "audit.verify": (Action.READ_AUDIT,),
    "case_import.check": (Action.OPEN_CASE, b"user_id\nx\n", NOON),
    "case_import.run": (Action.OPEN_CASE, [], NOON),
    "casework.assign": (Action.ASSIGN_CASE, "NONE", "-", NOON),
    "casework.case": (Action.SHOW_CASE, "NONE"),
    "casework.case_to_show": (Action.SHOW_CASE, "NONE"),
    "casework.cases": (Action.LIST_CASES,),
    "casework.close": (Action.CHANGE_CASE_STATE, "NONE", NOON),
    "casework.confirm": (Action.CONFIRM_CASE, "NONE", NOON),
    "casework.open_case": (Action.OPEN_CASE, "nobody", NOON),
    "casework.other_open_cases": (Action.SHOW_CASE, CASE),
    "casework.page": (Action.LIST_CASES, CaseQuery(), NOON),
    "casework.reopen": (Action.CHANGE_CASE_STATE, "NONE", NOON),
    "casework.tracers": (Action.ASSIGN_CASE,),
    "charges.consent": (Action.GIVE_CHARGE_CODE, NOON),
    "charges.end_at_desk": (Action.END_CHARGE, "NONE", "x", NOON),
    "custody.destroy": (Action.CHANGE_KEYS, 0, NOON),
    "custody.known_days": (Action.SHOW_KEYS, NOON),
    "custody.quarantine": (Action.CHANGE_KEYS, 0, 0, NOON),
    "custody.replace": (Action.CHANGE_KEYS, NOON),
    "custody.rotate": (Action.CHANGE_KEYS, NOON),
    "desk.calendar": (Action.LIST_FOLLOWED, "NONE"),
    "desk.contact": (Action.LIST_FOLLOWED, "NONE"),
    "desk.dashboard": (Action.SHOW_DASHBOARD, NOON),
    "desk.due": (Action.LIST_FOLLOWED, NOON),
    "desk.links": (Action.LIST_CONTACTS, CASE, NOON),
    "desk.notes_on": (Action.READ_NOTES, "NONE"),
    "desk.page": (Action.LIST_FOLLOWED, ContactQuery()),
    "exports.rows": (Action.EXPORT, LAYOUTS["contacts"], "csv", NOON),
    "follow_up.call_anyway": (Action.RECORD_CALL, "NONE", NOON),
    "follow_up.changed_since": (Action.REVEAL, "NONE", 1, NOON),
    "follow_up.describe": (Action.DESCRIBE, "NONE", "x", "", NOON),
    "follow_up.described": (Action.LIST_FOLLOWED, "NONE"),
    "follow_up.note": (Action.WRITE_NOTE, "NONE", "x", NOON),
    "follow_up.reach": (Action.RECORD_CALL, "NONE", NOON),
    "follow_up.record": (Action.RECORD_CALL, "NONE", 0, Outcome.SYMPTOMS, NOON),
    "follow_up.reveal": (Action.REVEAL, "NONE", "x", NOON),
    "fourteen_days.of": (Action.LIST_CONTACTS, "NONE"),
    "graphs.graph": (Action.SHOW_GRAPH,),
    "graphs.second_degree": (Action.LIST_CONTACTS, CASE),
    "laboratory.check": (
        Action.REPORT_TEST,
        "nobody",
        LaboratoryResult(negative=True, day=0, laboratory="x"),
        NOON,
    ),
    "laboratory.report": (
        Action.REPORT_TEST,
        "nobody",
        LaboratoryResult(negative=True, day=0, laboratory="x"),
        NOON,
    ),
    "merging.cases_into": (Action.SHOW_CASE, "NONE"),
    "merging.convert": (Action.CONVERT_CONTACT, "NONE", NOON),
    "merging.merge": (Action.MERGE_CONTACTS, "NONE", "OTHER", NOON),
    "merging.merge_cases": (Action.MERGE_CASES, "NONE", "OTHER", NOON),
    "monitoring.counts": (Action.COUNT, NOON),
    "monitoring.metrics": (Action.READ_METRICS, NOON),
    "operator_import.check": (Action.ADD_OPERATOR, b"name,roles\n"),
    "operator_import.run": (Action.ADD_OPERATOR, [], NOON),
    "orders.add": (Action.ADD_ORDER, OrderKind.BORDER, "x", "y", (0.0, 1.0), 2.0, 1, NOON),
    "orders.all": (Action.LIST_ORDERS,),
    "orders.end": (Action.END_ORDER, "NONE", NOON),
    "partners.address_is": (Action.CHANGE_PARTNERS, "NONE", "", NOON),
    "partners.all": (Action.LIST_PARTNERS,),
    "partners.confirm": (Action.CONFIRM_PARTNER, "NONE", "0", NOON),
    "partners.remove": (Action.CHANGE_PARTNERS, "NONE", NOON),
    "partners.take_revocations": (Action.CHANGE_PARTNERS, "NONE", b""),
    "partners.update": (Action.CHANGE_PARTNERS, "NONE", b"", NOON),
    "partners_overview.all": (Action.LIST_PARTNERS,),
    "passes.keys_in_use": (Action.SHOW_KEYS, NOON),
    "passes.list_key": (Action.SHOW_KEYS,),
    "passes.paper": (Action.ISSUE_PAPER, NOON, "a test"),
    "passes.policy_in_use": (Action.SHOW_STATUS_POLICY,),
    "passes.retire_key": (Action.CHANGE_KEYS, "00", NOON),
    "passes.use_policy": (Action.SET_STATUS_POLICY, status_policies()["advice"], NOON),
    "phone_models.learn": (Action.LEARN_PHONES, NOON),
    "phone_models.stop": (Action.USE_PHONES, NOON),
    "phone_models.use": (Action.USE_PHONES, PHONES, NOON),
    "phone_models.used": (Action.USE_PHONES,),
    "pins.issue": (Action.ISSUE_PIN, CASE, NOON),
    "places.add": (Action.ADD_PLACE, "x", "", NOON),
    "places.all": (Action.LIST_PLACES, NOON),
    "places.heard_digests": (Action.WARN_PLACE, "NONE", 0.0, 1.0),
    "places.retire": (Action.RETIRE_PLACE, "NONE", NOON),
    "policies.all": (Action.SHOW_COSTS,),
    "policies.costs": (Action.SHOW_COSTS,),
    "policies.set_least_chance": (Action.SET_LEAST_CHANCE, 9.0, NOON),
    "record_sending.all_outgoing": (Action.LIST_PARTNERS,),
    "record_sending.export": (Action.EXCHANGE_RECORDS, "NONE", NOON),
    "record_sending.of_case": (Action.SHOW_CASE, CASE),
    "record_taking.all_answers": (Action.LIST_PARTNERS,),
    "record_taking.all_taken": (Action.LIST_PARTNERS,),
    "record_taking.export_answers": (Action.EXCHANGE_RECORDS, "NONE", NOON),
    "record_taking.from_file": (Action.EXCHANGE_RECORDS, b"", NOON),
    "restrictions.confirm": (Action.CONFIRM_RESTRICTION, "NONE", NOON),
    "restrictions.lift": (Action.LIFT_RESTRICTION, "NONE", NOON),
    "restrictions.one": (Action.LIST_RESTRICTIONS, "NONE", NOON),
    "restrictions.page": (Action.LIST_RESTRICTIONS, NOON),
    "restrictions.set": (
        Action.SET_RESTRICTION,
        "nobody",
        Ground.CASE,
        "NONE",
        RestrictionEvidence.DIAGNOSIS,
        NOON + 60,
        NOON,
    ),
    "staff.add": (Action.ADD_OPERATOR, "new", frozenset(), "token", NOON),
    "staff.all": (Action.LIST_OPERATORS,),
    "staff.disable": (Action.DISABLE_OPERATOR, "nobody", NOON),
    "stays.of": (Action.LIST_CONTACTS, CASE),
    "tracing.contacts": (Action.LIST_CONTACTS, CASE),
    "tracing.reveal": (Action.REVEAL, CASE, "x", "y", NOON),
    "unmerging.undo": (Action.MERGE_CONTACTS, "NONE", NOON),
    "unmerging.undo_cases": (Action.MERGE_CASES, "NONE", NOON),
    "unmerging.undoable_cases": (Action.MERGE_CASES, CASE),
    "warnings.confirm": (Action.DECIDE_WARNING, "NONE", "x", NOON),
    "warnings.of_case": (Action.LIST_VISITS, "NONE"),
    "warnings.refuse": (Action.DECIDE_WARNING, "NONE", "x", NOON),
    "warnings.refuse_trip": (Action.DECIDE_WARNING, "NONE", "x", NOON),
    "warnings.state_aboard": (Action.DECIDE_WARNING, "NONE", 80, "x", NOON),
    "warnings.trip": (Action.LIST_VISITS, "NONE"),
    "warnings.visit": (Action.LIST_VISITS, "NONE"),
    "warnings.waiting": (Action.LIST_VISITS,),
}
"""The action that a method checks, and the arguments that it is called with beside ``by``."""


def _called(name: str, arguments: tuple[Any, ...]) -> Act:
    """Return the act that calls one method of one part of the service."""

    def act(service: Any, by: Caller) -> object:
        return attrgetter(name)(service)(*arguments, by=by)

    return act


CALLS: dict[str, tuple[Action, Act]] = {
    **{
        name: (action, _called(name, tuple(arguments)))
        for name, (action, *arguments) in _BY_ARGUMENTS.items()
    },
    **CALLING,
    **TEAM,
    **FIGURES,
    "access.SignIn.give_password": (
        Action.SET_PASSWORD,
        lambda service, by: sign_in_for(service, CHEAP).give_password("nobody", NOON, by=by),
    ),
    "access.SignIn.set_password": (
        Action.SET_PASSWORD,
        lambda service, by: sign_in_for(service, CHEAP).set_password("nobody", "x", NOON, by=by),
    ),
    "partners.add": (
        Action.CHANGE_PARTNERS,
        lambda service, by: service.partners.add(b"", NOON, days=1, by=by),
    ),
    "warnings.warn_place": (
        Action.WARN_PLACE,
        lambda service, by: service.warnings.warn_place(
            "NONE", NOON - 1, NOON, NOON, heard=[], reason="x", by=by
        ),
    ),
    "unmerging.undoable": (
        Action.MERGE_CONTACTS,
        lambda service, by: service.unmerging.undoable(
            contact_row(1, "NONE", service.custody.keys, counted_entropy(710)), by=by
        ),
    ),
}
"""Each method that acts for a caller, with the action that it checks before anything else."""
