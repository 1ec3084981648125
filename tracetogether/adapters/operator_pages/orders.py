"""Orders: what the law lets the authority restrict people for, and how many, registered first."""

from typing import Final

from starlette.responses import Response

from tracetogether.adapters.operator_pages.dates import day_needed, end_of, end_within
from tracetogether.adapters.operator_pages.listing import rows_at
from tracetogether.adapters.operator_pages.page_request import PageRequest
from tracetogether.adapters.operator_pages.rendering import time_text
from tracetogether.adapters.operator_pages.restrictions import orders_by_id
from tracetogether.adapters.operator_pages.routing import Blames, Page
from tracetogether.authority.status.order import OrderKind
from tracetogether.errors import InvalidRequestError, NotFoundError

_ROWS_A_PAGE: Final = 25


def show_orders(request: PageRequest) -> Response:
    """Show all orders, the newest first, and the form for a new one."""
    found = request.authority.orders.all(by=request.caller)
    rows, offset = rows_at(found, request.number("offset", 0), _ROWS_A_PAGE)
    return request.render(
        "orders.html",
        rows=rows,
        offset=offset,
        limit=_ROWS_A_PAGE,
        total=len(found),
        kinds=OrderKind,
        rules=request.authority.orders.rules,
        may_add=request.may("POST", "/orders"),
        may_end=request.may("POST", "/orders/{order_id}/end"),
    )


def add_order(request: PageRequest) -> Response:
    """Register an order."""
    form, days, orders = request.form, request.authority.days, request.authority.orders
    kind, people = form.get("kind", ""), form.get("most_people", "").strip()
    if kind not in {known.value for known in OrderKind}:
        raise InvalidRequestError("choose the kind of the order", "choose-kind")
    begin = days.start(day_needed(form, "window_from"))
    window_end = end_of(day_needed(form, "window_to"), days)
    last = end_within(day_needed(form, "ends"), request.now, orders.rules.order_longest_s, days)
    whole = people.isascii() and people.isdecimal() and len(people) < 10
    orders.add(
        OrderKind(kind),
        form.get("legal_basis", ""),
        form.get("place", ""),
        (begin, min(window_end, last)),
        last,
        int(people) if whole else 0,
        request.now,
        by=request.caller,
    )
    return request.redirect("/orders")


def end_order(request: PageRequest) -> Response:
    """End an order with all that rests on it, after a question."""
    order_id = str(request.http.path_params["order_id"])
    if not request.confirmed:
        t, order = request.t, orders_by_id(request).get(order_id)
        if order is None:
            raise NotFoundError("there is no such order", "no-such-order")
        rows = [
            (t("Legal basis"), order.legal_basis),
            (t("Place"), order.place),
            (t("Restricted so far"), f"{order.people:,}"),
            (t("Ends"), time_text(order.ends_at, request.authority.days)),
        ]
        why = t("All restrictions by this order end with it. You can’t undo this.")
        return request.ask(t("End this order now?"), why, rows, t("End the order"))
    request.authority.orders.end(order_id, request.now, by=request.caller)
    return request.redirect("/orders")


_BLAMES: Final[Blames] = {
    "choose-kind": "kind",
    "order-text": "legal_basis",
    "order-window": "window_from",
    "order-end": "ends",
    "order-people": "most_people",
    "date-needed": "ends",
    "date-form": "ends",
}
PAGES: Final = (
    Page("GET", "/orders", show_orders),
    Page("POST", "/orders", add_order, show_orders, _BLAMES),
    Page("POST", "/orders/{order_id}/end", end_order, show_orders),
)
