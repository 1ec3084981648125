"""Negative tests: a laboratory's result lifts restrictions by orders of kind contact."""

from typing import Final

from starlette.responses import Response

from tracetogether.adapters.operator_pages.dates import day_needed
from tracetogether.adapters.operator_pages.page_request import PageRequest
from tracetogether.adapters.operator_pages.routing import Blames, Page
from tracetogether.authority.cases.case import date_of_day
from tracetogether.authority.status.results import LaboratoryResult
from tracetogether.errors import NotFoundError


def show_results(request: PageRequest) -> Response:
    """Show the form for a result; results are in no list, since none is stored."""
    t, done = request.t, ""
    if "lifted" in request.http.query_params:
        count = request.number("lifted", 0)
        done = t.plural("{count} restriction ended.", "{count} restrictions ended.", count)
    today = request.authority.days.day(request.now)
    return request.render("test_results.html", done=done, today=date_of_day(today))


def report_result(request: PageRequest) -> Response:
    """Report a negative test after a question, and show how many restrictions that lifted."""
    form, t = request.form, request.t
    day = day_needed(form, "date")
    result = LaboratoryResult(negative=True, day=day, laboratory=form.get("laboratory", ""))
    user_id, results, by = form.get("user_id", ""), request.authority.laboratory, request.caller
    if not request.confirmed:
        results.check(user_id, result, request.now, by=by)
        rows = [
            (t("User id"), user_id.strip()),
            (t("Day of the sample"), date_of_day(day)),
            (t("Laboratory"), result.laboratory.strip()),
        ]
        why = t(
            "Restrictions of this person by orders of kind contact end at once, if they were set "
            "on that day or before. The result itself is not stored."
        )
        return request.ask(t("Report this negative test?"), why, rows, t("Report it"))
    lifted = results.report(user_id, result, request.now, by=by)
    return request.redirect(f"/test-results?lifted={len(lifted)}")


_BLAMES: Final[Blames] = {
    NotFoundError: "user_id",
    "test-in-future": "date",
    "date-needed": "date",
    "date-form": "date",
    "laboratory-name": "laboratory",
}
PAGES: Final = (
    Page("GET", "/test-results", show_results),
    Page("POST", "/test-results", report_result, show_results, _BLAMES),
)
