"""The calling page: a shift, the next person, one form for what the call found, the next person."""

from dataclasses import replace
from typing import Final
from urllib.parse import urlencode

from starlette.responses import Response

from tracetogether.adapters.operator_pages.dates import (
    clock_filled_in,
    day_filled_in,
    time_on,
)
from tracetogether.adapters.operator_pages.forms import Both
from tracetogether.adapters.operator_pages.page_request import PageRequest
from tracetogether.adapters.operator_pages.routing import Blames, Page
from tracetogether.adapters.operator_pages.spoken import (
    language_name,
    message_to_send,
    spoken_of,
    texts_for,
)
from tracetogether.authority.cases.calls import RESERVED_S, Draft, ShiftReason
from tracetogether.authority.cases.case import OPEN_STATES, date_of_day
from tracetogether.authority.cases.followed import DayOutcome, Outcome
from tracetogether.authority.desk.calling import CallSheet
from tracetogether.authority.desk.people import PersonToCall
from tracetogether.authority.desk.searching import FoundPeople
from tracetogether.errors import ConflictError, InvalidRequestError, NotFoundError
from tracetogether.parameters import FOLLOW_UP
from tracetogether.units import SECONDS_PER_MINUTE

_MESSAGE_AFTER: Final = 3
"""From the third missed day on, the page offers a text message."""


def show_calls(request: PageRequest) -> Response:
    """Show the person whom the operator has taken, or how to take one."""
    calling = request.authority.calling
    shift = calling.shift(request.now, by=request.caller)
    sheet = calling.current(request.now, by=request.caller)
    today = request.authority.desk.today(request.now)
    spoken = "" if sheet is None else sheet.person.language
    theirs = texts_for(spoken, request.t)
    return request.render(
        "calls.html",
        **spoken_of(spoken, request.t),
        theirs=theirs,
        theirs_name=language_name(theirs.language, request.t),
        message=message_to_send(theirs, request.site.name),
        shift=shift,
        sheet=sheet,
        draft=Draft() if sheet is None else sheet.draft,
        ready=calling.ready(request.now, by=request.caller),
        reserved_minutes=RESERVED_S // SECONDS_PER_MINUTE,
        reasons=ShiftReason,
        outcomes=Outcome,
        last_days=() if sheet is None else _last_days(sheet, today),
        to_send=sheet is not None and sheet.line.missed + 1 >= _MESSAGE_AFTER,
        policy=request.authority.tracing.policy(),
        outside=calling.outside_hours(request.now) if sheet is None else sheet.outside_hours,
        nobody_left=request.http.query_params.get("left") == "none",
        saved=_saved(request),
        may_describe=request.may("POST", "/calls/{contact_id}/describe"),
    )


def _saved(request: PageRequest) -> tuple[PersonToCall, DayOutcome] | None:
    """Return the call that was saved before this page, if its address names one."""
    saved = request.http.query_params.get("saved", "")
    return request.authority.calling.saved(saved, request.now, by=request.caller)


def _last_days(sheet: CallSheet, today: int) -> list[str]:
    """Return the days of the last encounters, as the person may hear them; no case is named."""
    days = {shown.kept.until_day - FOLLOW_UP.days for shown in sheet.line.lines}
    return [date_of_day(day) for day in sorted(days) if day <= today]


def show_search(request: PageRequest) -> Response:
    """Show the form to find somebody, with what was typed."""
    return _found(request, None)


def find(request: PageRequest) -> Response:
    """Show who has a telephone number, name, pseudonym or user id."""
    search, text = request.authority.search, request.form.get("who_rings", "")
    return _found(request, search.find(text, request.now, by=request.caller))


def _found(request: PageRequest, found: FoundPeople | None) -> Response:
    cases = set[str]()
    if found is not None:
        cases = {shown.kept.case_id for person in found.people for shown in person.lines}
        cases |= {each.case.case_id for each in found.cases}
    return request.render(
        "found.html",
        found=found,
        ill={each.pseudonym for each in found.cases if each.case.state in OPEN_STATES}
        if found is not None
        else set(),
        linked=request.authority.casework.visible_ids(cases, request.caller),
    )


def begin_shift(request: PageRequest) -> Response:
    """Begin a shift with the reason that goes to the audit log with each reveal."""
    reason = request.form.get("shift_reason", "")
    if reason not in {known.value for known in ShiftReason}:
        raise InvalidRequestError("choose the reason for which you see names", "choose-reason")
    request.authority.calling.begin_shift(ShiftReason(reason), request.now, by=request.caller)
    return request.redirect("/calls")


def end_shift(request: PageRequest) -> Response:
    """End the shift; whom the operator has taken is free again."""
    request.authority.calling.end_shift(request.now, by=request.caller)
    return request.redirect("/calls")


def take_next(request: PageRequest) -> Response:
    """Take the most urgent person who is due; what was typed of the one before is kept."""
    _keep_typed(request)
    return _next(request, skip=request.form.get("skip", ""))


def _next(request: PageRequest, *, skip: str = "", saved: str = "") -> Response:
    sheet = request.authority.calling.next(request.now, skip=skip, by=request.caller)
    asked = {"saved": saved} if saved else {}
    if sheet is None:
        asked["left"] = "none"
    return request.redirect("/calls" + ("?" + urlencode(asked) if asked else ""))


def take(request: PageRequest) -> Response:
    """Take one person: who rings back, or is on the list, or was called last."""
    _keep_typed(request)
    request.authority.calling.open(_id(request), request.now, by=request.caller)
    return request.redirect("/calls")


def save(request: PageRequest) -> Response:
    """Record what the call found, and take the next person unless the operator stops."""
    outcome = request.form.get("outcome", "")
    known = outcome in {each.value for each in Outcome}
    saved = request.authority.calling.save(
        _id(request),
        Outcome(outcome) if known else None,
        request.now,
        note=request.form.get("text", ""),
        call_at=_next_call(request),
        name=request.form.get("name", ""),
        phone=request.form.get("phone", ""),
        language=request.form.get("spoken", ""),
        version=request.version,
        by=request.caller,
    )
    if request.form.get("stop") == "yes":
        return request.redirect(f"/calls?saved={saved.contact_id}")
    return _next(request, saved=saved.contact_id)


def describe(request: PageRequest) -> Response:
    """Store name and telephone number, and go on with the same person."""
    request.authority.calling.describe(
        _id(request),
        request.form.get("name", ""),
        request.form.get("phone", ""),
        request.now,
        language=request.form.get("spoken", ""),
        version=request.version,
        by=request.caller,
    )
    _keep_typed(request)
    return request.redirect("/calls")


def keep_draft(request: PageRequest) -> Response:
    """Keep what is typed, sealed, and go on with the same person."""
    _keep_typed(request, person=_id(request))
    return request.redirect("/calls")


def _keep_typed(request: PageRequest, *, person: str = "") -> None:
    """Keep what the form of a call holds as a draft, if it holds anything.

    Args:
        request: whose form.
        person: id of a contact of the person; the reservation begins again in any case. Without
            it, the person that the form was shown for.
    """
    contact_id = person or request.form.get("typed_for", "")
    if not contact_id:
        return
    form, calling = request.form, request.authority.calling
    draft = Draft(
        outcome=form.get("outcome", ""),
        note=form.get("text", ""),
        next_day=form.get("next_day", ""),
        next_time=form.get("next_time", ""),
        name=form.get("name", "").strip(),
        phone=form.get("phone", "").strip(),
        language=form.get("spoken", ""),
    )
    sheet = calling.current(request.now, by=request.caller)
    if sheet is not None and sheet.line.contact_id != contact_id:
        sheet = None
    if sheet is not None:  # the fields hold what is stored, until somebody types there
        stored = sheet.person
        draft = replace(
            draft,
            name=draft.name if draft.name != stored.name else "",
            phone=draft.phone if draft.phone != stored.phone else "",
            language=draft.language if draft.language != stored.language else "",
        )
    if person or draft or (sheet is not None and sheet.draft):
        calling.keep_draft(contact_id, draft, request.now, by=request.caller)


def _next_call(request: PageRequest) -> float | None:
    """Return the time of the next call; None if the form names none.

    Raises:
        InvalidRequestError: it is no time, or a day without a time.
    """
    form, days = request.form, request.authority.days
    clock, day = clock_filled_in(form, "next_time"), day_filled_in(form, "next_day")
    if clock is None:
        if day is not None:
            raise InvalidRequestError("fill in the time of the next call", "time-needed")
        return None
    return time_on(request.authority.desk.today(request.now) if day is None else day, clock, days)


def _both(request: PageRequest) -> list[Both]:
    """Return what is stored of the person now beside what the form wanted."""
    try:
        line = request.authority.people.person(_id(request), request.now, by=request.caller)
    except NotFoundError:
        return []
    states = {request.t.label("contact-state", shown.kept.state.value) for shown in line.lines}
    found = [Both("state", request.t(", ").join(sorted(states)), "")]
    if request.form.get("outcome"):
        sent = request.t.label("outcome", request.form["outcome"])
        found.append(Both("outcome", "", sent))
    return found


def _id(request: PageRequest) -> str:
    return str(request.http.path_params["contact_id"])


_OF_CALL: Final[Blames] = {
    "choose-outcome": "outcome",
    "call-back-when": "next_time",
    "next-call-past": "next_time",
    "next-call-late": "next_day",
    "no-next-call": "next_time",
    "time-form": "next_time",
    "time-needed": "next_time",
    "date-form": "next_day",
    "note-length": "text",
    "name-length": "name phone",
    "value-stored-already": "name phone",
    "language-code": "spoken",
}
_OF_PERSON: Final[Blames] = {InvalidRequestError: "name phone", ConflictError: "name phone"}
PAGES: Final = (
    Page("GET", "/calls", show_calls),
    Page("POST", "/calls/shift", begin_shift, show_calls, {"choose-reason": "shift_reason"}),
    Page("POST", "/calls/shift/end", end_shift, show_calls),
    Page("POST", "/calls/next", take_next, show_calls),
    Page("GET", "/calls/find", show_search),
    Page("POST", "/calls/find", find, show_search, {InvalidRequestError: "who_rings"}),
    Page("POST", "/calls/{contact_id}/take", take, show_calls),
    Page("POST", "/calls/{contact_id}/save", save, show_calls, _OF_CALL, _both),
    Page("POST", "/calls/{contact_id}/describe", describe, show_calls, _OF_PERSON, _both),
    Page("POST", "/calls/{contact_id}/draft", keep_draft, show_calls, _OF_CALL),
)
