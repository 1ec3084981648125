"""One contact: days, calendar, notes, the person behind it (for a reason); today's calls."""

from dataclasses import replace
from typing import Annotated, Final
from urllib.parse import urlencode

from pydantic import Field as Bounded
from starlette.responses import Response

from tracetogether.adapters.operator_pages.case_person import ask_to_delete
from tracetogether.adapters.operator_pages.cases import INTO, contact_named
from tracetogether.adapters.operator_pages.forms import Both
from tracetogether.adapters.operator_pages.listing import page_at
from tracetogether.adapters.operator_pages.merges import merge_after_asking, undo
from tracetogether.adapters.operator_pages.nearby import timeline_row, why
from tracetogether.adapters.operator_pages.page_request import PageRequest
from tracetogether.adapters.operator_pages.pictures import timeline
from tracetogether.adapters.operator_pages.rendering import time_text
from tracetogether.adapters.operator_pages.routing import Blames, Page
from tracetogether.adapters.operator_pages.spoken import SPOKEN, languages_to_choose, spoken_of
from tracetogether.adapters.operator_pages.texts import TEXTS
from tracetogether.authority.access.permissions import Action
from tracetogether.authority.cases.calls import PeopleQuery
from tracetogether.authority.cases.case import OPEN_STATES, Case
from tracetogether.authority.cases.followed import (
    ALL_ROWS,
    ContactQuery,
    ContactState,
    KeptContact,
    Outcome,
)
from tracetogether.authority.cases.particulars import FIELDS, NO_LANGUAGE
from tracetogether.authority.contacts.lines import Contact
from tracetogether.authority.desk.people import PeoplePage
from tracetogether.authority.desk.views import Followed
from tracetogether.errors import ConflictError, InvalidRequestError
from tracetogether.shapes.bodies import RequestBody

_CALLS_A_PAGE = 25
_CALLS_TO_PRINT = 500
"""More people than any team calls in a day from paper."""


class DayCall(RequestBody):
    """The outcome of a day's call: of the day whose row holds the form."""

    day: Annotated[int, Bounded(ge=0, lt=10**7)]
    outcome: Outcome


def show_people(request: PageRequest) -> Response:
    """Show whom to call today, the most urgent first; filters narrow the list or widen it."""
    query, asked = _filtered(request)
    whole = request.http.query_params.get("print") == "all"
    limit = _CALLS_TO_PRINT if whole else _CALLS_A_PAGE
    offset = 0 if whole else request.number("offset", 0)

    def read(start: int) -> PeoplePage:
        wanted = replace(query, offset=start, limit=limit)
        return request.authority.people.page(wanted, request.now, by=request.caller)

    found = page_at(read, offset, limit)
    return request.render(
        "follow_up.html",
        found=found,
        limit=limit,
        whole=whole,
        today=request.authority.desk.today(request.now),
        asked=asked,
        query=urlencode(asked) + "&" if asked else "",
        states=[state for state in ContactState if state is not ContactState.MERGED],
        sees_all=request.caller.needs_to_know(""),
        spoken_languages=languages_to_choose(request.t),
    )


def _filtered(request: PageRequest) -> tuple[PeopleQuery, dict[str, str]]:
    """Return what the filters ask for, and the filters that are set, as the address has them."""
    params = request.http.query_params
    asked = {
        name: params.get(name, "").strip()[:20]
        for name in ("who", "near", "spoken", "without", "mine")
        if params.get(name, "").strip()
    }
    states = {state.value: state for state in ContactState}
    wanted = asked.get("who", "")
    if wanted not in {*states, "all"}:
        asked.pop("who", None)
    if asked.get("spoken", "") not in {"", NO_LANGUAGE, *SPOKEN, *TEXTS}:
        asked.pop("spoken")
    due_on = request.authority.desk.today(request.now)
    query = PeopleQuery(
        due_on=None if "who" in asked else due_on,
        states=frozenset({states[wanted]} if wanted in states else ()),
        case_id=asked["near"].upper() if "near" in asked else None,
        without_number="without" in asked,
        language=asked.get("spoken"),
        assigned_to=request.caller.name if "mine" in asked else None,
    )
    return query, asked


def show_contact(request: PageRequest) -> Response:
    """Show all that is known of a contact, except the person's identity."""
    return _contact(request, _wanted(request))


def _contact(request: PageRequest, followed: Followed) -> Response:
    desk, kept = request.authority.desk, followed.kept
    case = request.authority.casework.case(kept.case_id, by=request.caller)
    near = _near(request, case, followed.pseudonym)
    policy = request.authority.tracing.policy()
    picture = None
    if near is not None:
        about = request.t("Days on which they were nearby")
        first = case.first_day
        line = timeline_row(near, followed, request.t, request.base)
        picture = timeline([line], first, case.day, about, limit=policy.minutes)
    today = request.authority.desk.today(request.now)
    own = desk.own_cases([kept], request.caller).get(kept.who, ())
    return request.render(
        "contact.html",
        followed=followed,
        kept=kept,
        case=case,
        near=near,
        policy=policy,
        picture=picture,
        why=[] if near is None else why(near, request.t),
        calendar=desk.days_of(kept),
        notes=desk.notes_on_case(case, contact_id=kept.contact_id, by=request.caller),
        today=today,
        merged_from=_merged_from(request, kept),
        undoable=_undoable(request, kept),
        open=kept.state not in {ContactState.BECAME_CASE, ContactState.MERGED},
        states=ContactState,
        outcomes=Outcome,
        may_describe=request.may("POST", "/contacts/{contact_id}/describe"),
        described=request.authority.follow_up.fields_of(kept, by=request.caller),
        own_cases=own,
        may_convert=request.may("POST", "/contacts/{contact_id}/convert")
        and not any(each.state in OPEN_STATES for each in own),
    )


def _near(request: PageRequest, case: Case, name: str) -> Contact | None:
    """Return what the logs of a case, or of those merged into it, say of a contact."""
    merged = request.authority.merging.cases_into(case.case_id, by=request.caller)
    found = (contact_named(request, each, name) for each in (case, *merged) if name)
    return next((contact for contact in found if contact is not None), None)


def _merged_from(request: PageRequest, kept: KeptContact) -> list[Followed]:
    """Return the contacts that were merged into one."""
    query = ContactQuery(
        case_id=kept.case_id, states=frozenset({ContactState.MERGED}), limit=ALL_ROWS
    )
    page = request.authority.desk.page(query, by=request.caller)
    return [contact for contact in page.contacts if contact.kept.merged_into == kept.contact_id]


def _undoable(request: PageRequest, kept: KeptContact) -> frozenset[str]:
    """Return the ids of the contacts whose merge with this one can be undone here."""
    if not request.allows(Action.MERGE_CONTACTS):
        return frozenset()
    return request.authority.unmerging.undoable(kept, by=request.caller)


def record_outcome(request: PageRequest) -> Response:
    """Record the outcome of a day's call."""
    contact_id = _id(request)
    choose = InvalidRequestError("choose the outcome of the call", "choose-outcome")
    no_day = InvalidRequestError("choose a day of the contact's calendar", "day-not-in-calendar")
    call = request.read(DayCall, day=no_day, outcome=choose)
    request.authority.follow_up.record(
        contact_id,
        call.day,
        call.outcome,
        request.now,
        version=request.version,
        by=request.caller,
    )
    return request.redirect(f"/contacts/{contact_id}")


def reach(request: PageRequest) -> Response:
    """Record that the person was informed."""
    request.authority.follow_up.reach(
        _id(request), request.now, version=request.version, by=request.caller
    )
    return request.redirect(f"/contacts/{_id(request)}")


def call_anyway(request: PageRequest) -> Response:
    """Put a casual contact on the list."""
    request.authority.follow_up.call_anyway(
        _id(request), request.now, version=request.version, by=request.caller
    )
    return request.redirect(f"/contacts/{_id(request)}")


def add_note(request: PageRequest) -> Response:
    """Keep a note on a contact."""
    followed = _wanted(request)
    request.authority.follow_up.note(
        followed.kept.case_id,
        request.form.get("text", ""),
        request.now,
        contact_id=followed.kept.contact_id,
        by=request.caller,
    )
    return request.redirect(f"/contacts/{followed.kept.contact_id}#notes")


def describe(request: PageRequest) -> Response:
    """Write down name or telephone number, or delete one; only a reveal shows them again."""
    clear, question = ask_to_delete(request)
    if question is not None:
        return question
    request.authority.follow_up.describe(
        _id(request),
        request.form.get("name", ""),
        request.form.get("phone", ""),
        request.now,
        language=request.form.get("spoken", ""),
        clear=clear,
        version=request.version,
        by=request.caller,
    )
    return request.redirect(f"/contacts/{_id(request)}")


def reveal(request: PageRequest) -> Response:
    """Show a contact's identity once; the audit log keeps the reason."""
    followed, reason = _wanted(request), request.form.get("reason", "")
    person = request.authority.follow_up.reveal(
        followed.kept.contact_id, reason, request.now, by=request.caller
    )
    return request.render(
        "revealed.html",
        person=person,
        place=f"/contacts/{followed.kept.contact_id}",
        of_case=False,
        **spoken_of(person.language, request.t),
        may_describe=request.may("POST", "/contacts/{contact_id}/describe"),
    )


def merge(request: PageRequest) -> Response:
    """Make this contact the same person as another one of the case."""
    into = request.form.get("into", "").strip().upper()[:16]
    act = request.authority.merging.merge
    return merge_after_asking(request, act, _id(request), into, f"/contacts/{into}")


def unmerge(request: PageRequest) -> Response:
    """Undo the merge of a contact, and show it."""
    return undo(
        request, request.authority.unmerging.undo, _id(request), f"/contacts/{_id(request)}"
    )


def convert(request: PageRequest) -> Response:
    """Open a case for a contact who tested positive, and show it."""
    if not request.confirmed:
        _wanted(request)
        why = request.t("The contact becomes a case and leaves the call list. You can’t undo this.")
        title, yes = request.t("Open a case for this contact?"), request.t("Open a case")
        return request.ask(title, why, (), yes)
    case = request.authority.merging.convert(
        _id(request), request.now, version=request.version, by=request.caller
    )
    return request.redirect(f"/cases/{case.case_id}")


def _both(request: PageRequest) -> list[Both]:
    """Return the contact as it is stored now beside what a form wanted of it."""
    kept = _wanted(request).kept
    found = [Both("state", request.t.label("contact-state", kept.state.value), "")]
    day, outcome = request.form.get("day", ""), request.form.get("outcome", "")
    if outcome:
        days = request.authority.desk.calendar(kept.contact_id, by=request.caller)
        there = next((entry for entry in days if str(entry.day) == day and entry.outcome), None)
        stored = ""
        if there and there.outcome:
            written = time_text(there.at, request.authority.days)
            stored = f"{request.t.label('outcome', there.outcome.value)} ({there.by}, {written})"
        sent = request.t.label("outcome", outcome)
        found.append(Both("outcome", stored, sent))
    typed = [name for name in FIELDS if request.form.get(name) or request.form.get("clear") == name]
    if typed and request.version is not None:
        now = request.authority.follow_up.changed_since(
            kept.contact_id, request.version, request.now, by=request.caller
        )
        for name in typed:
            stored = now.get(name, request.t("not changed"))
            found.append(Both(name, stored, request.form.get(name, "")))
    if "into" in request.form:
        found.append(Both("merge", kept.merged_into, request.form["into"]))
    return found


def _id(request: PageRequest) -> str:
    return str(request.http.path_params["contact_id"])


def _wanted(request: PageRequest) -> Followed:
    return request.authority.desk.contact(_id(request), by=request.caller)


def _blamed(fields: str) -> Blames:
    """Return that both invalid input and a conflict are about ``fields``."""
    return {InvalidRequestError: fields, ConflictError: fields}


_AT = "/contacts/{contact_id}"
_OF_CALL: Final[Blames] = {
    "day-not-in-calendar": "day",
    "call-in-future": "day",
    **_blamed("outcome"),
}
PAGES = (
    Page("GET", "/follow-up", show_people),
    Page("GET", _AT, show_contact),
    Page("POST", f"{_AT}/outcome", record_outcome, show_contact, _OF_CALL, _both),
    Page("POST", f"{_AT}/reach", reach, show_contact, {}, _both),
    Page("POST", f"{_AT}/call", call_anyway, show_contact, {}, _both),
    Page("POST", f"{_AT}/notes", add_note, show_contact, {InvalidRequestError: "text"}),
    Page("POST", f"{_AT}/describe", describe, show_contact, _blamed("name phone"), _both),
    Page("POST", f"{_AT}/reveal", reveal, show_contact, {InvalidRequestError: "reason"}),
    Page("POST", f"{_AT}/merge", merge, show_contact, INTO, _both),
    Page("POST", f"{_AT}/unmerge", unmerge, show_contact, {}, _both),
    Page("POST", f"{_AT}/convert", convert, show_contact, {}, _both),
)
