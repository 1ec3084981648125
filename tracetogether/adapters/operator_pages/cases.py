"""The list of cases, one case with its fourteen days, and what is done with it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date as Date  # noqa: N812 - `date` is a field's name here
from typing import Any, Final

from starlette.responses import Response

from tracetogether.adapters.operator_pages.doors import Door, Visit
from tracetogether.adapters.operator_pages.forms import Both
from tracetogether.adapters.operator_pages.labels import (
    CASE_STATES,
    CONTACT_STATES,
    PRIORITIES,
    SIDES,
)
from tracetogether.adapters.operator_pages.listing import page_at, rows_at
from tracetogether.adapters.operator_pages.merges import ask_to_merge, undo
from tracetogether.adapters.operator_pages.nearby import days_of, line_of
from tracetogether.adapters.operator_pages.pictures import Knot, graph, side_key, timeline
from tracetogether.authority.access.permissions import Role
from tracetogether.authority.cases.casework import (
    NOBODY,
    Case,
    CasePage,
    CaseQuery,
    CaseState,
    day_of,
)
from tracetogether.authority.cases.followed import ALL_ROWS, ContactQuery
from tracetogether.authority.contacts.lines import Contact
from tracetogether.authority.desk.views import Followed
from tracetogether.authority.intake.pins import PinLifetime
from tracetogether.authority.tracing.one_case import POLICIES, policy_named
from tracetogether.errors import ConflictError, NotFoundError, TraceTogetherError
from tracetogether.rejection import Rejection

_CASES_A_PAGE = 25
_LINES_A_PAGE = 15
_KNOTS_A_PAGE = 40
_UNCONFIRMED = "unconfirmed"


def list_cases(visit: Visit) -> Response:
    """Show a page of cases, of one state or whose ids begin so."""
    wanted = visit.request.query_params.get("state", "")
    starts = visit.request.query_params.get("q", "").strip().upper()[:10]
    states = frozenset(one for one in CaseState if one.value == wanted)
    offset = visit.number("offset", 0)
    wanted_cases = CaseQuery(
        states=states,
        unconfirmed=wanted == _UNCONFIRMED,
        starts_with=starts if starts.isalnum() and starts.isascii() else "",
        limit=_CASES_A_PAGE,
    )

    def read(start: int) -> CasePage:
        query = replace(wanted_cases, offset=start)
        return visit.authority.casework.page(query, visit.now, by=visit.caller)

    found = page_at(read, offset, _CASES_A_PAGE)
    return visit.page(
        "cases.html",
        found=found,
        limit=_CASES_A_PAGE,
        states=CASE_STATES,
        state=wanted if states or wanted == _UNCONFIRMED else "",
        search=starts,
        issuer=visit.may("POST", "/cases"),
    )


def open_case(visit: Visit) -> Response:
    """Open a case, and show it."""
    text = visit.form.get("date", "").strip()
    try:
        day = day_of(Date.fromisoformat(text)) if text else None
    except ValueError:
        msg = "a date is written like 2020-05-04"
        raise ConflictError(msg) from None
    user_id = visit.form.get("user_id", "").strip()[:64]
    case = visit.authority.casework.open_case(user_id, visit.now, day, by=visit.caller)
    return visit.went(f"/cases/{case.case_id}")


def show_case(visit: Visit) -> Response:
    """Show a case; to whom it was given also its contacts on each of the fourteen days."""
    case = case_to_show(visit)
    if not visit.caller.needs_to_know(case.assigned_to):
        return visit.page("case.html", **_head(visit, case), traced=None)
    authority = visit.authority
    policy_name = visit.request.query_params.get("policy", "singapore")
    policy = policy_named(policy_name)
    traced = authority.tracing.contacts(case, policy)
    some, offset = rows_at(traced.contacts, visit.number("offset", 0), _LINES_A_PAGE)
    followed = _followed(visit, case)
    first, last = case.first_day, case.day
    picture = timeline(
        [line_of(one, followed.get(one.pseudonym), visit.say, visit.base) for one in some],
        first,
        last,
        visit.say("Who was near on which day"),
        limit=policy.minutes,
    )
    authority.audit.record("contacts.listed", visit.now, by=visit.caller.name, subject=case.case_id)
    return visit.page(
        "case.html",
        **_head(visit, case),
        traced=traced,
        contacts=[(one, followed.get(one.pseudonym)) for one in some],
        days=days_of(some),
        picture=picture,
        offset=offset,
        limit=_LINES_A_PAGE,
        policy=policy,
        policy_name=policy_name,
        policies=list(POLICIES),
        sides=SIDES,
        side_key=side_key,
        contact_states=CONTACT_STATES,
        priorities=PRIORITIES,
        notes=[
            one
            for one in authority.desk.notes_on(case.case_id, by=visit.caller)
            if not one.contact_id
        ],
        rejected=sum(traced.rejected.values()),
        foreign=traced.rejected.get(Rejection.FOREIGN, 0),
    )


def confirm(visit: Visit) -> Response:
    """Confirm a case that a tracer opened for a contact."""
    case_id = visit.request.path_params["case_id"]
    visit.authority.casework.confirm(case_id, visit.now, by=visit.caller)
    return visit.went(f"/cases/{case_id}")


def issue_pin(visit: Visit) -> Response:
    """Issue an upload PIN and show it, this once."""
    case = case_to_show(visit)
    try:
        lifetime = PinLifetime(visit.form.get("lifetime", ""))
    except ValueError:
        msg = "choose how the PIN gets to the person"
        raise ConflictError(msg) from None
    pin = visit.authority.pins.issue(case, visit.now, lifetime=lifetime, by=visit.caller)
    return visit.page(
        "pin.html",
        case=case,
        pin=f"{pin[:4]} {pin[4:]}",
        expires_at=visit.now + lifetime.seconds,
        read_out=lifetime is PinLifetime.SHORT,
    )


def assign(visit: Visit) -> Response:
    """Give a case to a tracer."""
    case_id = visit.request.path_params["case_id"]
    operator = visit.form.get("operator", "")
    visit.authority.casework.assign(
        case_id, operator, visit.now, version=visit.version, by=visit.caller
    )
    return visit.went(f"/cases/{case_id}")


def change_state(visit: Visit) -> Response:
    """Close a case, or open it again; another word changes nothing."""
    case_id, casework = visit.request.path_params["case_id"], visit.authority.casework
    changes = {"open": casework.reopen, "closed": casework.close}
    change = changes.get(visit.form.get("state", ""))
    if change is not None:
        change(case_id, visit.now, version=visit.version, by=visit.caller)
    return visit.went(f"/cases/{case_id}")


def add_note(visit: Visit) -> Response:
    """Keep a note on a case."""
    case_id = visit.request.path_params["case_id"]
    visit.authority.follow_up.note(case_id, visit.form.get("text", ""), visit.now, by=visit.caller)
    return visit.went(f"/cases/{case_id}#notes")


def merge(visit: Visit) -> Response:
    """Make this case the same as another one, and show that."""
    into = visit.form.get("into", "").strip().upper()[:16]
    case_id, merging = visit.request.path_params["case_id"], visit.authority.merging
    if not visit.confirmed:
        found = merging.plan_cases(case_id, into, visit.now, version=visit.version, by=visit.caller)
        return ask_to_merge(visit, case_id, into, found)
    merging.merge_cases(case_id, into, visit.now, version=visit.version, by=visit.caller)
    return visit.went(f"/cases/{into}")


def unmerge(visit: Visit) -> Response:
    """Undo the merge of a case, and show it."""
    case_id = visit.request.path_params["case_id"]
    return undo(visit, visit.authority.unmerging.undo_cases, case_id, f"/cases/{case_id}")


def show_graph(visit: Visit) -> Response:
    """Show a case's contacts, and the other cases that they lead to."""
    case = visit.authority.casework.case(visit.request.path_params["case_id"], by=visit.caller)
    links = visit.authority.desk.links(case, visit.now, by=visit.caller)
    knots = []
    some, offset = rows_at(links, visit.number("offset", 0), _KNOTS_A_PAGE)
    for one in some:
        kept = one.contact.kept
        elsewhere = [(other, f"{visit.base}/cases/{other}", True) for other in one.own_cases]
        elsewhere += [
            (other, f"{visit.base}/cases/{other}", False)
            for other in one.also_in
            if other not in one.own_cases
        ]
        link = f"{visit.base}/contacts/{kept.contact_id}"
        knots.append(
            Knot(one.contact.pseudonym or "–", link, kept.priority.word, kept.minutes, elsewhere)
        )
    about = visit.say("Contacts of case {case}, and where else they were near", case=case.case_id)
    return visit.page(
        "graph.html",
        **_head(visit, case),
        picture=graph(case.case_id, knots, about),
        links=some,
        offset=offset,
        limit=_KNOTS_A_PAGE,
        total=len(links),
        priorities=PRIORITIES,
        contact_states=CONTACT_STATES,
    )


def case_to_show(visit: Visit) -> Case:
    """Return the case that a page is of; who issues PINs needs no leave to know of it.

    Raises:
        NotFoundError: there is none, or it is not his.
    """
    case = visit.authority.casework.case(visit.request.path_params["case_id"])
    if visit.authority.casework.may_see(case, visit.caller):
        return case
    msg = "there is no such case among those that you were given"
    raise NotFoundError(msg)


def _head(visit: Visit, case: Case) -> dict[str, Any]:
    knows = visit.caller.needs_to_know(case.assigned_to)
    tracers = (
        [one.name for one in visit.authority.staff.all() if one.holds(Role.TRACER)]
        if visit.may("POST", "/cases/{case_id}/assign")
        else []
    )
    return {
        "case": case,
        "person": visit.authority.desk.name_of(case.user_id),
        "case_states": CASE_STATES,
        "merged_into": "".join(
            visit.authority.casework.visible_ids([case.merged_into], visit.caller)
        ),
        "other_open": [
            one.case_id
            for one in visit.authority.casework.desk.open_cases_of(case.user_id)
            if one != case and visit.authority.casework.may_see(one, visit.caller)
        ],
        "issuer": visit.may("POST", "/cases/{case_id}/pin"),
        "knows": knows,
        "tracers": tracers,
        "nobody": NOBODY,
        "merged_from": visit.authority.merging.cases_into(case.case_id) if knows else (),
        "undoable": _undoable(visit, case) if knows else frozenset(),
    }


def _undoable(visit: Visit, case: Case) -> frozenset[str]:
    """Return the ids of the cases whose merge with this one can be undone here."""
    if not visit.may("POST", "/cases/{case_id}/unmerge"):
        return frozenset()
    merging = visit.authority.merging
    kept = merging.merged_into(case.merged_into or case.case_id)
    return frozenset(merge.gone for merge in kept)


def _both(visit: Visit) -> list[Both]:
    """Return the case as it is stored now beside what a form wanted of it."""
    case = case_to_show(visit)
    sent = {state.value: visit.say(text) for state, text in CASE_STATES.items()}
    found = [
        Both("State", sent[case.state.value], sent.get(visit.form.get("state", ""), "")),
        Both("Tracer", case.assigned_to, visit.form.get("operator", "")),
    ]
    if "into" in visit.form:
        found.append(Both("Merge", case.merged_into, visit.form["into"]))
    return found


def _followed(visit: Visit, case: Case) -> dict[str, Followed]:
    query = ContactQuery(case_id=case.merged_into or case.case_id, limit=ALL_ROWS)
    page = visit.authority.desk.page(query, by=visit.caller)
    return {one.pseudonym: one for one in page.contacts if one.pseudonym}


def contact_named(visit: Visit, case: Case, name: str) -> Contact | None:
    """Return what the logs say of a contact of a case, None if they say nothing any more."""
    found = visit.authority.tracing.contacts(case).contacts
    return next((one for one in found if one.pseudonym == name), None)


INTO: Final[Mapping[type[TraceTogetherError], str]] = {NotFoundError: "into", ConflictError: "into"}
"""Two that can't be merged: the field that names the other one is wrong."""
DOORS = (
    Door("GET", "/cases", list_cases),
    Door(
        "POST", "/cases", open_case, list_cases, {NotFoundError: "user_id", ConflictError: "date"}
    ),
    Door("GET", "/cases/{case_id}", show_case),
    Door("GET", "/cases/{case_id}/graph", show_graph),
    Door("POST", "/cases/{case_id}/confirm", confirm, show_case),
    Door("POST", "/cases/{case_id}/pin", issue_pin, show_case),
    Door("POST", "/cases/{case_id}/assign", assign, show_case, {NotFoundError: "operator"}, _both),
    Door("POST", "/cases/{case_id}/state", change_state, show_case, {}, _both),
    Door("POST", "/cases/{case_id}/notes", add_note, show_case, {ConflictError: "text"}),
    Door("POST", "/cases/{case_id}/merge", merge, show_case, INTO, _both),
    Door("POST", "/cases/{case_id}/unmerge", unmerge, show_case, {}, _both),
)
