"""Who a case is, for a reason; its name and number; and its contacts of the second degree."""

from typing import Final

from starlette.responses import Response

from tracetogether.adapters.operator_pages.cases import (
    both_of_case,
    followed_of,
    head_of,
    show_case,
)
from tracetogether.adapters.operator_pages.forms import Both
from tracetogether.adapters.operator_pages.listing import rows_at
from tracetogether.adapters.operator_pages.page_request import PageRequest
from tracetogether.adapters.operator_pages.routing import Blames, Page
from tracetogether.adapters.operator_pages.spoken import spoken_of
from tracetogether.authority.cases.particulars import FIELDS, Field
from tracetogether.errors import ConflictError, InvalidRequestError

_LINES_A_PAGE: Final = 25


def ask_to_delete(request: PageRequest) -> tuple[list[Field], Response | None]:
    """Return which field a form deletes, and the page that asks before it does; None if it may."""
    clear: list[Field] = [name for name in FIELDS if request.form.get("clear") == name]
    if not clear or request.confirmed:
        return clear, None
    why = request.t("It is deleted permanently and can’t be restored.")
    name = clear[0] == "name"
    title = request.t("Delete the name?") if name else request.t("Delete the telephone number?")
    return clear, request.ask(title, why, (), request.t("Delete"))


def show_onward(request: PageRequest) -> Response:
    """Show whom those contacts of a case met later who are cases with a log: second degree."""
    authority, by = request.authority, request.caller
    case = authority.casework.case(_id(request), by=by)
    policy = authority.tracing.policy()
    found = authority.graphs.second_degree(case, policy, by=by)
    authority.audit.record("contacts.onward_listed", request.now, by=by.name, subject=case.case_id)
    some, offset = rows_at(found, request.number("offset", 0), _LINES_A_PAGE)
    cases = {onward.through_case.case_id: onward.through_case for onward in some}
    followed = {case_id: followed_of(request, through) for case_id, through in cases.items()}
    return request.render(
        "onward.html",
        **head_of(request, case),
        lines=[
            (onward, followed[onward.through_case.case_id].get(onward.contact.pseudonym))
            for onward in some
        ],
        policy=policy,
        offset=offset,
        limit=_LINES_A_PAGE,
        total=len(found),
    )


def reveal(request: PageRequest) -> Response:
    """Show once who a case is; the audit log keeps the reason."""
    reason = request.form.get("reason", "")
    person = request.authority.case_people.reveal(
        _id(request), reason, request.now, by=request.caller
    )
    return request.render(
        "revealed.html",
        person=person,
        place=f"/cases/{_id(request)}",
        of_case=True,
        **spoken_of(person.language, request.t),
        may_describe=request.may("POST", "/cases/{case_id}/describe"),
    )


def describe(request: PageRequest) -> Response:
    """Write down the name or telephone number of a case, or delete one."""
    clear, question = ask_to_delete(request)
    if question is not None:
        return question
    request.authority.case_people.describe(
        _id(request),
        request.form.get("name", ""),
        request.form.get("phone", ""),
        request.now,
        language=request.form.get("spoken", ""),
        clear=clear,
        version=request.version,
        by=request.caller,
    )
    return request.redirect(f"/cases/{_id(request)}#person")


def _both(request: PageRequest) -> list[Both]:
    """Return the case as it is stored now beside what a form wanted of it."""
    found = both_of_case(request)
    typed = [name for name in FIELDS if request.form.get(name) or request.form.get("clear") == name]
    if typed and request.version is not None:
        now = request.authority.case_people.changed_since(
            _id(request), request.version, request.now, by=request.caller
        )
        for name in typed:
            stored = now.get(name, request.t("not changed"))
            found.append(Both(name, stored, request.form.get(name, "")))
    return found


def _id(request: PageRequest) -> str:
    return str(request.http.path_params["case_id"])


_OF_PERSON: Final[Blames] = {InvalidRequestError: "name phone", ConflictError: "name phone"}
PAGES: Final = (
    Page("GET", "/cases/{case_id}/onward", show_onward),
    Page("POST", "/cases/{case_id}/reveal", reveal, show_case, {InvalidRequestError: "reason"}),
    Page("POST", "/cases/{case_id}/describe", describe, show_case, _OF_PERSON, _both),
)
