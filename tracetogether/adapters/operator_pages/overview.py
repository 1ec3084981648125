"""The first page: how much there is, what is due today, and how well it goes."""

from starlette.responses import Response

from tracetogether.adapters.operator_pages.doors import Door, Visit
from tracetogether.adapters.operator_pages.labels import (
    CONTACT_STATES,
    INDICATORS,
    PRIORITIES,
)
from tracetogether.adapters.operator_pages.pictures import Bar, bars, columns, shares
from tracetogether.authority.access.permissions import Action
from tracetogether.authority.cases.followed import TRACED_STATES, ContactState, Priority


def show_overview(visit: Visit) -> Response:
    """Show counts and pictures; a tracer sees those of their own cases."""
    if not visit.allows(Action.SHOW_DASHBOARD):
        counts = visit.authority.store.counts(visit.now) if visit.allows(Action.COUNT) else None
        return visit.page("overview_short.html", counts=counts)
    found, say = visit.authority.desk.dashboard(visit.now, by=visit.caller), visit.say
    priorities = [
        Bar(say(PRIORITIES[one]), found.priorities.get(one, 0), one.word) for one in Priority
    ]
    states = [
        Bar(say(CONTACT_STATES[one]), found.contacts.get(one, 0), "second")
        for one in ContactState
        if one in TRACED_STATES
    ]
    rows = [(say(text), getattr(found.indicators, name)) for name, text in INDICATORS.items()]
    return visit.page(
        "overview.html",
        found=found,
        all_cases=sum(found.cases.values()),
        cases={one.value: count for one, count in found.cases.items()},
        priorities=bars(priorities, say("Contacts to call, by priority")),
        states=bars(states, say("Contacts by state")),
        opened=columns(found.days, [("cases", "accent")], say("Cases opened on each day")),
        contacts=columns(
            found.days,
            [("contacts", "third"), ("reached", "accent")],
            say("Contacts found, and first reached, on each day"),
        ),
        indicators=shares(rows, say("How well contacts are traced"), say),
        rows=rows,
        whole=visit.caller.needs_to_know(""),
    )


DOORS = (Door("GET", "/", show_overview),)
