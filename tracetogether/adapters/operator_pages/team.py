"""A team's day for supervisors: each tracer's numbers, and cases that change hands in bulk."""

from collections import Counter
from dataclasses import replace
from typing import Final

from starlette.responses import Response

from tracetogether.adapters.operator_pages.forms import Both, ticked
from tracetogether.adapters.operator_pages.listing import page_at
from tracetogether.adapters.operator_pages.page_request import PageRequest
from tracetogether.adapters.operator_pages.routing import Blames, Page
from tracetogether.authority.cases.case import CaseQuery
from tracetogether.authority.cases.casework import NOBODY
from tracetogether.authority.desk.hours import CallingHours
from tracetogether.authority.desk.team import MOST_CASES
from tracetogether.errors import InvalidRequestError

_SPREAD: Final = "*"
_ROWS_A_PAGE: Final = CaseQuery().limit


def show_team(request: PageRequest) -> Response:
    """Show each tracer's day, and the cases of one of them."""
    team, now = request.authority.team, request.now
    found = team.today(now, by=request.caller)
    of = _of(request)
    of = of if of == NOBODY or of in {row.name for row in found.tracers} else ""
    cases = None
    if of:
        name = "" if of == NOBODY else of
        cases = page_at(
            lambda offset: team.cases(name, now, offset, by=request.caller),
            request.number("offset", 0),
            _ROWS_A_PAGE,
        )
    return request.render(
        "team.html",
        found=found,
        of=of,
        nobody=NOBODY,
        spread=_SPREAD,
        cases=cases,
        limit=_ROWS_A_PAGE,
        most=MOST_CASES,
        tracers=request.authority.casework.tracers(by=request.caller),
        hours=team.hours(by=request.caller),
    )


def hand_over(request: PageRequest) -> Response:
    """Give cases to a tracer, or spread them over those on shift, after a question."""
    versions = _chosen(request)
    to = request.form.get("operator", "")
    if not to:
        raise InvalidRequestError("choose who gets the cases", "choose-tracer")
    if not request.confirmed:
        return _ask(request, versions, to)
    sent = ticked(request.form, "to")
    cases = {case_id: sent.get(case_id, to) for case_id in versions}
    request.authority.team.hand_over(cases, request.now, versions=versions, by=request.caller)
    return request.redirect("/team")


def set_hours(request: PageRequest) -> Response:
    """Set the hours in which people are called; two blank fields are any hour."""
    begin, end = (request.form.get(name, "").strip() for name in ("hours_from", "hours_until"))
    hours = CallingHours.between(begin, end) if begin or end else None
    request.authority.team.set_hours(hours, request.now, by=request.caller)
    return request.redirect("/team")


def end_shift(request: PageRequest) -> Response:
    """End a tracer's shift; whom the tracer calls now is free for others."""
    name = str(request.http.path_params["name"])
    request.authority.team.end_shift(name, request.now, by=request.caller)
    return request.redirect("/team")


def _ask(request: PageRequest, versions: dict[str, int], to: str) -> Response:
    team, t = request.authority.team, request.t
    if to == _SPREAD:
        on_shift = team.today(request.now, by=request.caller).on_shift
        able = set(request.authority.casework.tracers(by=request.caller))
        names = [name for name in on_shift if name in able]
        plan = team.spread(list(versions), names, request.now, by=request.caller)
    else:
        if not versions:
            raise InvalidRequestError("choose one case at least", "choose-case")
        plan = dict.fromkeys(versions, to)
    rows = [
        (t("nobody") if name == NOBODY else name, t.plural("{count} case", "{count} cases", count))
        for name, count in sorted(Counter(plan.values()).items())
    ]
    # What is shown now is what is carried out, whatever case is new until then.
    planned = {f"to.{case_id}": name for case_id, name in plan.items()}
    boxes = {f"handed.{case_id}": f"{case_id} {version}" for case_id, version in versions.items()}
    asked = replace(request, form={**request.form, **boxes, **planned, "handed_all": ""})
    why = t("The audit log gets an entry for each. Whom a tracer calls now stays reserved.")
    return asked.ask(t("Hand these cases over now?"), why, rows, t("Hand over"))


def _of(request: PageRequest) -> str:
    """Return whose cases the page shows."""
    return request.http.query_params.get("of", "") or request.form.get("of", "")


def _chosen(request: PageRequest) -> dict[str, int]:
    """Return the versions of the cases that are ticked, or of all of the tracer."""
    if request.form.get("handed_all") and _of(request):
        name = "" if _of(request) == NOBODY else _of(request)
        return request.authority.team.all_cases(name, request.now, by=request.caller)
    found = {}
    for case_id, value in ticked(request.form, "handed").items():
        version = value.rpartition(" ")[2]
        if not (version.isascii() and version.isdecimal() and len(version) < 10):
            raise InvalidRequestError("choose one case at least", "choose-case")
        found[case_id] = int(version)
    return found


def _both(request: PageRequest) -> list[Both]:
    """Return who has the ticked cases now, beside who was to get them."""
    versions = _chosen(request)
    assigned = request.authority.store.calls.assignees(versions)
    sent, to = ticked(request.form, "to"), request.form.get("operator", "")
    return [
        Both("operator", f"{case_id}: {name}", f"{case_id}: {sent.get(case_id, to)}")
        for case_id, name in sorted(assigned.items())
        if name != sent.get(case_id, to)
    ]


_BLAMES: Final[Blames] = {
    "choose-tracer": "operator",
    "nobody-on-shift": "operator",
    "no-such-tracer": "operator",
}
PAGES: Final = (
    Page("GET", "/team", show_team),
    Page("POST", "/team", hand_over, show_team, _BLAMES, _both),
    Page("POST", "/team/hours", set_hours, show_team, {"calling-hours": "hours_from"}),
    Page("POST", "/team/{name}/shift-end", end_shift, show_team),
)
