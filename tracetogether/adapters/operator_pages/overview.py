"""The first page: how much there is, what is due today, and how well it goes."""

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
        Bar(t.label("priority", one.word), found.priorities.get(one, 0), one.word)
        for one in Priority
    ]
    states = [
        Bar(t.label("contact-state", one.value), found.contacts.get(one, 0), "second")
        for one in ContactState
        if one in TRACED_STATES
    ]
    rows = [
        (t.label("indicator", part.name), getattr(found.indicators, part.name))
        for part in fields(found.indicators)
    ]
    return request.render(
        "overview.html",
        found=found,
        all_cases=sum(found.cases.values()),
        cases={one.value: count for one, count in found.cases.items()},
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
