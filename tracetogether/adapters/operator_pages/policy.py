"""Whom to call: calls against contacts found, and how likely a close contact must be."""

from typing import Final

from markupsafe import Markup
from starlette.responses import Response

from tracetogether.adapters.operator_pages.page_request import PageRequest
from tracetogether.adapters.operator_pages.routing import Page
from tracetogether.adapters.operator_pages.texts import Texts
from tracetogether.authority.access.permissions import Action
from tracetogether.authority.contacts.costs import CostCurve, Cut, chance_to_call
from tracetogether.authority.tracing.one_case import POLICIES
from tracetogether.errors import InvalidRequestError, NotFoundError, TraceTogetherError
from tracetogether.svg import circle, line, path, picture, text, titled

_WIDTH: Final = 640.0
_HEIGHT: Final = 300.0
_LEFT: Final = 52.0
_TOP: Final = 16.0
_RIGHT: Final = 24.0
_FOOT: Final = 44.0
_MOST_POINTS: Final = 200  # more points are closer than a pixel


def show_policy(request: PageRequest) -> Response:
    """Show calls against contacts found, of all open cases or of one, as picture and table."""
    asked = request.http.query_params
    name = asked.get("policy", "singapore")
    case_id = asked.get("case", "").strip().upper()[:16]
    unknown = ""
    try:
        costs = request.authority.policies.costs(name, case_id, by=request.caller)
    except NotFoundError as error:  # the field of the case is wrong: show all, and say so
        unknown = request.t.error(error.code, **error.figures)
        costs = request.authority.policies.costs(name, by=request.caller)
    cost, value = asked.get("cost", "").strip()[:12], asked.get("value", "").strip()[:12]
    cut, gain, wrong_cost = costs.curve.cut(costs.policy.least_chance), None, ""
    if cost or value:
        try:
            amounts = _number(cost), _number(value)
            cut = costs.curve.cut(chance_to_call(*amounts))
            gain = cut.gain(*amounts)
        except TraceTogetherError as error:
            wrong_cost = request.t.error(error.code, **error.figures)
    request.authority.audit.record(
        "costs.shown", request.now, by=request.caller.name, subject=costs.case_id
    )
    return request.render(
        "policy.html",
        costs=costs,
        picture=cost_picture(costs.curve, cut, request.t),
        cuts=costs.curve.cuts(cut.least_chance),
        cut=cut,
        gain=gain,
        cost=cost,
        value=value,
        case_id=case_id,
        unknown=unknown,
        wrong_cost=wrong_cost,
        policy=costs.policy,
        policy_name=name,
        policies=list(POLICIES),
        may_set=request.allows(Action.SET_LEAST_CHANCE),
    )


def set_least_chance(request: PageRequest) -> Response:
    """Set how likely a close contact must be, and show the page again."""
    per_cent = _number(request.form.get("least_chance", "").strip().removesuffix("%").strip())
    request.authority.policies.set_least_chance(per_cent / 100, request.now, by=request.caller)
    return request.redirect("/policy")


def _number(typed: str) -> float:
    """Return a number that somebody typed, with a point or a comma; NaN if it is none."""
    try:
        return float(typed.replace(",", "."))
    except ValueError:
        return float("nan")


def cost_picture(curve: CostCurve, cut: Cut, t: Texts) -> Markup:
    """Return contacts found over calls, with a mark at the cut.

    Args:
        curve: calls against expected contacts.
        cut: the mark.
        t: texts.
    """
    calls, expected = max(len(curve.found), 1), max(curve.expected, 1e-9)
    room, tall = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _FOOT

    def at(called: float, found: float) -> tuple[float, float]:
        return _LEFT + room * called / calls, _TOP + tall * (1 - found / expected)

    step = -(-calls // _MOST_POINTS)
    numbers = sorted({*range(0, len(curve.found), step), len(curve.found)} - {0})
    points = [at(0, 0), *(at(number, float(curve.found[number - 1])) for number in numbers)]
    base = _TOP + tall
    parts = [line(_LEFT, base, _WIDTH - _RIGHT, base, "axis")]
    for share in (0.5, 1.0):
        y = at(0, share * expected)[1]
        parts += [
            line(_LEFT, y, _WIDTH - _RIGHT, y, "rule"),
            text(_LEFT - 8, y + 4, f"{share * curve.expected:,.0f}", "number quiet"),
        ]
    parts += [
        text(_LEFT - 8, base + 4, "0", "number quiet"),
        text(_WIDTH - _RIGHT, base + 18, f"{len(curve.found):,}", "number quiet"),
        text(_LEFT + room / 2, base + 36, t("calls"), "middle quiet"),
        text(_LEFT + 6, _TOP + 12, t("contacts found (expected)"), "quiet"),
        path(points, "edge met", 2.5),
    ]
    x, y = at(cut.calls, cut.found)
    said = t.plural(
        "{count} call finds {found:.1f} contacts",
        "{count} calls find {found:.1f} contacts",
        cut.calls,
        found=cut.found,
    )
    # Right of the middle the words stand before the mark, so that they stay in the picture.
    words = ("number strong halo", x - 10) if cut.calls > calls / 2 else ("strong halo", x + 10)
    parts += [
        line(x, y, x, base, "whisker"),
        titled(said, circle(x, y, 5, "accent")),
        text(words[1], min(y + 44, base - 6), said, words[0]),
        text(x, base + 18, f"{cut.calls:,}", "middle strong halo"),
    ]
    return picture(_WIDTH, _HEIGHT, t("Calls and contacts found"), parts)


PAGES = (
    Page("GET", "/policy", show_policy),
    Page("POST", "/policy", set_least_chance, show_policy, {InvalidRequestError: "least_chance"}),
)
