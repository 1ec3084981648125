"""Restrictions: set on one person, confirmed by another, with ground, evidence and end."""

from typing import Final

from starlette.responses import Response

from tracetogether.adapters.operator_pages.dates import day_filled_in, day_needed, end_within
from tracetogether.adapters.operator_pages.listing import page_at
from tracetogether.adapters.operator_pages.page_request import PageRequest
from tracetogether.adapters.operator_pages.rendering import time_text
from tracetogether.adapters.operator_pages.routing import Blames, Page
from tracetogether.authority.access.permissions import Action
from tracetogether.authority.status.order import Order
from tracetogether.authority.status.restricting import RestrictionPage, ShownRestriction
from tracetogether.authority.status.restriction import (
    Ground,
    RestrictionEvidence,
    RestrictionState,
)
from tracetogether.errors import InvalidRequestError, NotFoundError

_ROWS_A_PAGE: Final = 25
_LISTS: Final = {
    "in-force": RestrictionState.IN_FORCE,
    "today": RestrictionState.IN_FORCE,
    "later": RestrictionState.LATER,
    "suspended": RestrictionState.SUSPENDED,
}
"""List that the page shows -> the state of its rows; those of "today" also end today."""


def show_restrictions(request: PageRequest) -> Response:
    """Show what waits for its confirmation, and one list of what was confirmed."""
    shown = request.http.query_params.get("show", "")
    shown = shown if shown in _LISTS else "in-force"
    waiting = _page(request, RestrictionState.WAITING, request.number("waiting", 0))
    found = _list(request, shown, request.number("offset", 0))
    return request.render(
        "restrictions.html",
        waiting=waiting,
        found=found,
        shown=shown,
        totals={name: _list(request, name, 0, rows=0).total for name in _LISTS},
        limit=_ROWS_A_PAGE,
        midnight=_midnight(request),
        orders=orders_by_id(request),
        rules=request.authority.restrictions.rules,
        grounds=Ground,
        evidence=RestrictionEvidence,
        me=request.caller.name,
        may_set=request.allows(Action.SET_RESTRICTION),
        may_confirm=request.allows(Action.CONFIRM_RESTRICTION),
        may_lift=request.allows(Action.LIFT_RESTRICTION),
    )


def orders_by_id(request: PageRequest) -> dict[str, Order]:
    """Return all orders: id -> order."""
    return {order.order_id: order for order in request.authority.orders.all(by=request.caller)}


def _midnight(request: PageRequest) -> float:
    days = request.authority.days
    return days.start(days.day(request.now) + 1)


def _list(
    request: PageRequest, name: str, offset: int, rows: int = _ROWS_A_PAGE
) -> RestrictionPage:
    ends_by = _midnight(request) if name == "today" else None
    return _page(request, _LISTS[name], offset, ends_by, rows)


def _page(
    request: PageRequest,
    state: RestrictionState,
    offset: int,
    ends_by: float | None = None,
    rows: int = _ROWS_A_PAGE,
) -> RestrictionPage:
    def read(start: int) -> RestrictionPage:
        return request.authority.restrictions.page(
            request.now,
            states=frozenset({state}),
            ends_by=ends_by,
            offset=start,
            limit=rows,
            by=request.caller,
        )

    return page_at(read, offset, _ROWS_A_PAGE)


def set_restriction(request: PageRequest) -> Response:
    """Set a restriction on one person; it waits for another person."""
    form, days = request.form, request.authority.days
    user_id, reference = form.get("user_id", "").strip(), form.get("reference", "").strip().upper()
    if not user_id:
        raise NotFoundError("enter a user id: the phone shows it", "user-id-empty")
    ground, evidence = form.get("ground", ""), form.get("evidence", "")
    if ground not in {kind.value for kind in Ground}:
        raise InvalidRequestError("choose what the restriction rests on", "choose-ground")
    if not reference:
        raise InvalidRequestError("enter the id of the case or of the order", "reference-empty")
    if evidence not in {kind.value for kind in RestrictionEvidence}:
        raise InvalidRequestError("choose what you have seen", "choose-evidence")
    first, last = day_filled_in(form, "begins"), day_needed(form, "until")
    later = first is not None and first > days.day(request.now)
    begins_at = days.start(first) if first is not None and later else request.now
    longest = request.authority.restrictions.rules.longest_s
    request.authority.restrictions.set(
        user_id,
        Ground(ground),
        reference,
        RestrictionEvidence(evidence),
        end_within(last, begins_at, longest, days),
        request.now,
        begins_at=begins_at,
        by=request.caller,
    )
    return request.redirect("/restrictions#waiting")


def confirm(request: PageRequest) -> Response:
    """Confirm what somebody else set, after a question."""
    if not request.confirmed:
        found = _wanted(request)
        return request.ask(
            request.t("Confirm this restriction?"),
            request.t("The person gets no passes from then on. You answer for it too."),
            _facts(request, found),
            request.t("Confirm"),
        )
    request.authority.restrictions.confirm(_id(request), request.now, by=request.caller)
    return request.redirect("/restrictions")


def lift(request: PageRequest) -> Response:
    """End a restriction, or refuse one that waits, after a question."""
    if not request.confirmed:
        found = _wanted(request)
        waits = found.state is RestrictionState.WAITING
        title = request.t("Refuse this restriction?") if waits else request.t("Lift it?")
        why = (
            request.t("It never comes into force. The person keeps getting passes.")
            if waits
            else request.t("The person gets passes again at once.")
        )
        yes = request.t("Refuse") if waits else request.t("Lift")
        return request.ask(title, why, _facts(request, found), yes)
    request.authority.restrictions.lift(_id(request), request.now, by=request.caller)
    return request.redirect("/restrictions")


def _wanted(request: PageRequest) -> ShownRestriction:
    """Return the restriction of a form, if this operator sees it in a list.

    Raises:
        NotFoundError: there is none.
    """
    return request.authority.restrictions.one(_id(request), request.now, by=request.caller)


def _facts(request: PageRequest, found: ShownRestriction) -> list[tuple[str, str]]:
    t, what, days = request.t, found.restriction, request.authority.days
    order = orders_by_id(request).get(what.reference)
    place = t("; ") + order.place if order else ""
    rests_on = f"{t.label('ground', what.ground.value)} {what.reference}{place}"
    return [
        (t("Person"), found.pseudonym),
        (t("Rests on"), rests_on),
        (t("Evidence"), t.label("evidence", what.evidence.value)),
        (t("From"), time_text(what.begins_at, days)),
        (t("Ends"), time_text(what.until, days)),
        (t("Set by"), what.set_by),
    ]


def _id(request: PageRequest) -> str:
    return str(request.http.path_params["restriction_id"])


_AT: Final = "/restrictions/{restriction_id}"
_BLAMES: Final[Blames] = {
    "user-id-empty": "user_id",
    "user-id-check": "user_id",
    "no-such-user": "user_id",
    "choose-ground": "ground",
    "restricted-before": "user_id",
    **dict.fromkeys(("choose-evidence", "evidence-needed", "evidence-of-case"), "evidence"),
    "bluetooth-alone": "evidence",
    "restriction-begin": "begins",
    **dict.fromkeys(("restriction-end", "longer-than-order", "date-needed", "date-form"), "until"),
    **dict.fromkeys(("reference-empty", "no-such-order", "order-over", "order-full"), "reference"),
    **dict.fromkeys(("no-open-case-of-person", "case-not-confirmed"), "reference"),
}
PAGES: Final = (
    Page("GET", "/restrictions", show_restrictions),
    Page("POST", "/restrictions", set_restriction, show_restrictions, _BLAMES),
    Page("POST", f"{_AT}/confirm", confirm, show_restrictions),
    Page("POST", f"{_AT}/lift", lift, show_restrictions),
)
