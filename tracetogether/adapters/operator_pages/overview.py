"""The first page: counts, today's work, and the indicators of contact tracing."""

from dataclasses import fields

from starlette.responses import Response

from tracetogether.adapters.operator_pages.page_request import PageRequest
from tracetogether.adapters.operator_pages.pictures import Bar, bars, columns, shares
from tracetogether.adapters.operator_pages.routing import Page
from tracetogether.authority.access.permissions import Action
from tracetogether.authority.cases.followed import TRACED_STATES, ContactState, Priority


def show_overview(request: PageRequest) -> Response:
    """Show counts and pictures; a tracer sees those of their own cases."""
    if not request.allows(Action.SHOW_DASHBOARD):
        monitoring, may_count = request.authority.monitoring, request.allows(Action.COUNT)
        counts = monitoring.counts(request.now, by=request.caller) if may_count else None
        return request.render("overview_short.html", counts=counts)
    found, t = request.authority.desk.dashboard(request.now, by=request.caller), request.t
    priorities = [
        Bar(t.label("priority", priority.word), found.priorities.get(priority, 0), priority.word)
        for priority in Priority
    ]
    states = [
        Bar(t.label("contact-state", state.value), found.contacts.get(state, 0), "second")
        for state in ContactState
        if state in TRACED_STATES
    ]
    rows = [
        (t.label("indicator", part.name), getattr(found.indicators, part.name))
        for part in fields(found.indicators)
    ]
    return request.render(
        "overview.html",
        found=found,
        all_cases=sum(found.cases.values()),
        cases={state.value: count for state, count in found.cases.items()},
        priorities=bars(priorities, t("Contacts to call, by priority")),
        states=bars(states, t("Contacts by state")),
        opened=columns(found.days, [("cases", "accent")], t("Cases opened per day")),
        contacts=columns(
            found.days,
            [("contacts", "third"), ("reached", "accent")],
            t("Contacts found and first reached per day"),
        ),
        indicators=shares(rows, t("How well contacts are traced"), t),
        rows=rows,
        whole=request.caller.needs_to_know(""),
    )


PAGES = (Page("GET", "/", show_overview),)
