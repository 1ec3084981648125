"""The list of cases, one case with its fourteen days, and what is done with it."""

from dataclasses import replace
from typing import Any, Final

from starlette.responses import Response

from tracetogether.adapters.operator_pages.days_picture import days_picture
from tracetogether.adapters.operator_pages.forms import Both
from tracetogether.adapters.operator_pages.listing import page_at, rows_at
from tracetogether.adapters.operator_pages.merges import merge_after_asking, undo
from tracetogether.adapters.operator_pages.nearby import days_of, timeline_row
from tracetogether.adapters.operator_pages.page_request import PageRequest
from tracetogether.adapters.operator_pages.pictures import Knot, graph, side_key, timeline
from tracetogether.adapters.operator_pages.routing import Blames, Page
from tracetogether.authority.access.permissions import Action
from tracetogether.authority.cases.case import (
    OPEN_STATES,
    Case,
    CasePage,
    CaseQuery,
    CaseState,
    day_of,
)
from tracetogether.authority.cases.casework import NOBODY
from tracetogether.authority.cases.followed import ALL_ROWS, ContactQuery, ContactState
from tracetogether.authority.contacts.lines import Contact
from tracetogether.authority.desk.views import Followed
from tracetogether.authority.intake.pins import PinLifetime
from tracetogether.authority.tracing.one_case import POLICIES
from tracetogether.errors import (
    ConflictError,
    InvalidRequestError,
    NotFoundError,
)
from tracetogether.rejection import Rejection
from tracetogether.shapes.cases import NewCase, NewPin

_CASES_A_PAGE = 25
_LINES_A_PAGE = 15
_KNOTS_A_PAGE = 40
_UNCONFIRMED = "unconfirmed"


def list_cases(request: PageRequest) -> Response:
    """Show a page of cases, of one state or whose ids begin so."""
    wanted = request.http.query_params.get("state", "")
    starts = request.http.query_params.get("q", "").strip().upper()[:10]
    states = frozenset(state for state in CaseState if state.value == wanted)
    offset = request.number("offset", 0)
    wanted_cases = CaseQuery(
        states=states,
        unconfirmed=wanted == _UNCONFIRMED,
        starts_with=starts if starts.isalnum() and starts.isascii() else "",
        limit=_CASES_A_PAGE,
    )

    def read(start: int) -> CasePage:
        query = replace(wanted_cases, offset=start)
        return request.authority.casework.page(query, request.now, by=request.caller)

    found = page_at(read, offset, _CASES_A_PAGE)
    return request.render(
        "cases.html",
        found=found,
        limit=_CASES_A_PAGE,
        states=CaseState,
        state=wanted if states or wanted == _UNCONFIRMED else "",
        search=starts,
        issuer=request.may("POST", "/cases"),
    )


def open_case(request: PageRequest) -> Response:
    """Open a case, and show it."""
    if not request.form.get("user_id", "").strip():
        raise NotFoundError("enter a user id: the phone shows it", "user-id-empty")
    asked = request.read(
        NewCase,
        date=InvalidRequestError("write the date like 2020-05-04", "date-form"),
        user_id=NotFoundError("there is no such user: check the user id", "no-such-user"),
    )
    day = None if asked.date is None else day_of(asked.date)
    case = request.authority.casework.open_case(asked.user_id, request.now, day, by=request.caller)
    return request.redirect(f"/cases/{case.case_id}")


def show_case(request: PageRequest) -> Response:
    """Show a case; to its tracer also its contacts on each of the fourteen days."""
    case = case_to_show(request)
    if not request.caller.needs_to_know(case.assigned_to):
        return request.render("case.html", **head_of(request, case), traced=None)
    authority = request.authority
    policy_name = request.http.query_params.get("policy", "singapore")
    policy = authority.tracing.policy(policy_name)
    traced = authority.tracing.contacts(case, policy, by=request.caller)
    some, offset = rows_at(traced.contacts, request.number("offset", 0), _LINES_A_PAGE)
    followed = followed_of(request, case)
    head = head_of(request, case)
    days = authority.fourteen_days.of(case.case_id, by=request.caller)
    about = authority.case_people.about(case, head["merged_from"], by=request.caller)
    first, last = case.first_day, case.day
    picture = timeline(
        [
            timeline_row(contact, followed.get(contact.pseudonym), request.t, request.base)
            for contact in some
        ],
        first,
        last,
        request.t("Who was nearby on which day"),
        limit=policy.minutes,
    )
    authority.audit.record(
        "contacts.listed",
        request.now,
        by=request.caller.name,
        subject=case.case_id,
        visits=len(days.reported.visits),
        trips=len(days.reported.trips),
    )
    return request.render(
        "case.html",
        **head,
        about=about,
        traced=traced,
        became_cases=sum(line.kept.state is ContactState.BECAME_CASE for line in followed.values()),
        contacts=[(contact, followed.get(contact.pseudonym)) for contact in some],
        days=days_of(some),
        picture=picture,
        offset=offset,
        limit=_LINES_A_PAGE,
        policy=policy,
        policy_name=policy_name,
        policies=list(POLICIES),
        side_key=side_key,
        notes=authority.desk.notes_on_case(case, by=request.caller),
        days_picture=days_picture(days.days, authority.days, request.t),
        case_days=days.days,
        stays=days.stays,
        may_warn_places=request.may("POST", "/places/warn"),
        rejected=sum(traced.rejected.values()),
        handed_over=authority.record_sending.of_case(case, by=request.caller),
        foreign=traced.rejected.get(Rejection.FOREIGN_UNKNOWN, 0)
        + traced.rejected.get(Rejection.FOREIGN, 0),
    )


def confirm(request: PageRequest) -> Response:
    """Confirm a case that a tracer opened for a contact."""
    case_id = request.http.path_params["case_id"]
    request.authority.casework.confirm(case_id, request.now, by=request.caller)
    return request.redirect(f"/cases/{case_id}")


def issue_pin(request: PageRequest) -> Response:
    """Issue an upload PIN and show it, this once."""
    case = case_to_show(request)
    choose = InvalidRequestError("choose how the person receives the PIN", "choose-lifetime")
    if not request.form.get("lifetime"):
        raise choose
    wanted = request.read(NewPin, lifetime=choose, after=choose)
    lifetime = wanted.lifetime
    pin = request.authority.pins.issue(
        case,
        request.now,
        lifetime=lifetime,
        after=wanted.after,
        by=request.caller,
    )
    return request.render(
        "pin.html",
        case=case,
        pin=f"{pin[:4]} {pin[4:]}",
        expires_at=request.now + lifetime.seconds,
        read_out=lifetime is PinLifetime.SHORT,
    )


def assign(request: PageRequest) -> Response:
    """Give a case to a tracer."""
    case_id = request.http.path_params["case_id"]
    operator = request.form.get("operator", "")
    request.authority.casework.assign(
        case_id, operator, request.now, version=request.version, by=request.caller
    )
    return request.redirect(f"/cases/{case_id}")


def change_state(request: PageRequest) -> Response:
    """Close a case, or open it again; another word changes nothing."""
    case_id, casework = request.http.path_params["case_id"], request.authority.casework
    changes = {"open": casework.reopen, "closed": casework.close}
    change = changes.get(request.form.get("state", ""))
    if change is not None:
        change(case_id, request.now, version=request.version, by=request.caller)
    return request.redirect(f"/cases/{case_id}")


def add_note(request: PageRequest) -> Response:
    """Keep a note on a case."""
    case_id = request.http.path_params["case_id"]
    request.authority.follow_up.note(
        case_id, request.form.get("text", ""), request.now, by=request.caller
    )
    return request.redirect(f"/cases/{case_id}#notes")


def merge(request: PageRequest) -> Response:
    """Make this case the same as another one, and show that."""
    into = request.form.get("into", "").strip().upper()[:16]
    case_id, act = request.http.path_params["case_id"], request.authority.merging.merge_cases
    return merge_after_asking(request, act, case_id, into, f"/cases/{into}")


def unmerge(request: PageRequest) -> Response:
    """Undo the merge of a case, and show it."""
    case_id = request.http.path_params["case_id"]
    return undo(request, request.authority.unmerging.undo_cases, case_id, f"/cases/{case_id}")


def show_graph(request: PageRequest) -> Response:
    """Show a case's contacts, and the other cases that they lead to."""
    case = request.authority.casework.case(request.http.path_params["case_id"], by=request.caller)
    links = request.authority.desk.links(case, request.now, by=request.caller)
    knots = []
    some, offset = rows_at(links, request.number("offset", 0), _KNOTS_A_PAGE)
    for link in some:
        kept = link.contact.kept
        elsewhere = [(other, f"{request.base}/cases/{other}", True) for other in link.own_cases]
        elsewhere += [
            (other, f"{request.base}/cases/{other}", False)
            for other in link.also_in
            if other not in link.own_cases
        ]
        to = f"{request.base}/contacts/{kept.contact_id}"
        knots.append(
            Knot(link.contact.pseudonym or "–", to, kept.priority.word, kept.minutes, elsewhere)
        )
    about = request.t("Contacts of case {case}, and other cases they were near", case=case.case_id)
    return request.render(
        "graph.html",
        **head_of(request, case),
        picture=graph(case.case_id, knots, about),
        links=some,
        offset=offset,
        limit=_KNOTS_A_PAGE,
        total=len(links),
    )


def case_to_show(request: PageRequest) -> Case:
    """Return the case that a page shows.

    Raises:
        NotFoundError: there is none that this operator may see.
    """
    case_id = request.http.path_params["case_id"]
    return request.authority.casework.case_to_show(case_id, by=request.caller)


def head_of(request: PageRequest, case: Case) -> dict[str, Any]:
    """Return what the head of each page of a case shows."""
    knows = request.caller.needs_to_know(case.assigned_to)
    casework, by = request.authority.casework, request.caller
    issuer = request.may("POST", "/cases/{case_id}/pin")
    return {
        "case": case,
        "person": request.authority.desk.name_of(case.user_id),
        "merged_into": "".join(casework.visible_ids([case.merged_into], by)),
        "other_open": casework.other_open_cases(case, by=by),
        "open": case.state in OPEN_STATES,
        "issuer": issuer,
        "knows": knows,
        "pin": request.authority.pins.last(case, request.now, by=by) if issuer else None,
        "tracers": casework.tracers(by=by) if request.allows(Action.ASSIGN_CASE) else [],
        "nobody": NOBODY,
        "merged_from": request.authority.merging.cases_into(case.case_id, by=by) if knows else (),
        "undoable": request.authority.unmerging.undoable_cases(case, by=by)
        if knows and request.allows(Action.MERGE_CASES)
        else frozenset(),
    }


def both_of_case(request: PageRequest) -> list[Both]:
    """Return the case as it is stored now beside what a form wanted of it."""
    case = case_to_show(request)
    sent = {state.value: request.t.label("case-state", state.value) for state in CaseState}
    found = [
        Both("state", sent[case.state.value], sent.get(request.form.get("state", ""), "")),
        Both("operator", case.assigned_to, request.form.get("operator", "")),
    ]
    if "into" in request.form:
        found.append(Both("merge", case.merged_into, request.form["into"]))
    return found


def followed_of(request: PageRequest, case: Case) -> dict[str, Followed]:
    """Return the followed contacts of a case by pseudonym."""
    query = ContactQuery(case_id=case.merged_into or case.case_id, limit=ALL_ROWS)
    page = request.authority.desk.page(query, by=request.caller)
    return {contact.pseudonym: contact for contact in page.contacts if contact.pseudonym}


def contact_named(request: PageRequest, case: Case, name: str) -> Contact | None:
    """Return what the logs say of a contact of a case, None if they say nothing any more."""
    found = request.authority.tracing.contacts(case, by=request.caller).contacts
    return next((contact for contact in found if contact.pseudonym == name), None)


INTO: Final[Blames] = {
    NotFoundError: "into",
    ConflictError: "into",
    InvalidRequestError: "into",
}
"""Two that can't be merged: the field that names the other one is wrong."""
PAGES = (
    Page("GET", "/cases", list_cases),
    Page(
        "POST",
        "/cases",
        open_case,
        list_cases,
        {
            "user-id-check": "user_id",
            NotFoundError: "user_id",
            ConflictError: "user_id",
            InvalidRequestError: "date",
        },
    ),
    Page("GET", "/cases/{case_id}", show_case),
    Page("GET", "/cases/{case_id}/graph", show_graph),
    Page("POST", "/cases/{case_id}/confirm", confirm, show_case),
    Page("POST", "/cases/{case_id}/pin", issue_pin, show_case),
    Page(
        "POST",
        "/cases/{case_id}/assign",
        assign,
        show_case,
        {NotFoundError: "operator"},
        both_of_case,
    ),
    Page("POST", "/cases/{case_id}/state", change_state, show_case, {}, both_of_case),
    Page("POST", "/cases/{case_id}/notes", add_note, show_case, {InvalidRequestError: "text"}),
    Page("POST", "/cases/{case_id}/merge", merge, show_case, INTO, both_of_case),
    Page("POST", "/cases/{case_id}/unmerge", unmerge, show_case, {}, both_of_case),
)
