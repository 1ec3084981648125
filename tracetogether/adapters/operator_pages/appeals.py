"""Appeals: the one whose time ends first comes first, and a third person decides each."""

from collections.abc import Sequence
from typing import Final

from starlette.responses import Response

from tracetogether.adapters.operator_pages.dates import day_filled_in, end_of
from tracetogether.adapters.operator_pages.listing import rows_at
from tracetogether.adapters.operator_pages.page_request import PageRequest
from tracetogether.adapters.operator_pages.restrictions import orders_by_id
from tracetogether.adapters.operator_pages.routing import Page
from tracetogether.authority.status.appeal import AppealState
from tracetogether.authority.status.appealing import ShownAppeal
from tracetogether.errors import InvalidRequestError
from tracetogether.units import SECONDS_PER_HOUR, SECONDS_PER_MINUTE

_ROWS_A_PAGE: Final = 40
_DECISIONS: Final = (AppealState.LIFTED, AppealState.CORRECTED, AppealState.UPHELD)


def show_appeals(request: PageRequest) -> Response:
    """Show the open appeals with their clocks, those that this reviewer may decide first."""
    shown = request.authority.appeals.all(request.now, by=request.caller)
    still_open = [appeal for appeal in shown if appeal.appeal.state is AppealState.OPEN]
    decided = [appeal for appeal in shown if appeal.appeal.state is not AppealState.OPEN]
    decided.sort(key=lambda appeal: -(appeal.appeal.decided_at or 0.0))
    mine = [appeal for appeal in still_open if not _took_part(appeal, shown, request.caller.name)]
    others = [appeal for appeal in still_open if appeal not in mine]
    rows, offset = rows_at(mine + others, request.number("offset", 0), _ROWS_A_PAGE)
    late, late_offset = rows_at(decided, request.number("decided", 0), _ROWS_A_PAGE)
    done = request.http.query_params.get("done", "")
    return request.render(
        "appeals.html",
        rows=rows,
        offset=offset,
        limit=_ROWS_A_PAGE,
        total=len(still_open),
        overdue=sum(appeal.overdue for appeal in still_open),
        mine={appeal.appeal.appeal_id for appeal in mine},
        decided=late,
        decided_offset=late_offset,
        decided_total=len(decided),
        done=next((appeal for appeal in decided if appeal.appeal.appeal_id == done), None),
        clock={appeal.appeal.appeal_id: _clock(request, appeal) for appeal in rows},
        orders=orders_by_id(request),
        decisions=_DECISIONS,
        hours=request.authority.appeals.rules.appeal_s // SECONDS_PER_HOUR,
        may_decide=request.may("POST", "/appeals/{appeal_id}"),
    )


def _took_part(found: ShownAppeal, shown: Sequence[ShownAppeal], name: str) -> bool:
    """Return whether somebody had a part in the restriction, or in an earlier appeal against it."""
    what = found.about.restriction
    earlier = {
        other.appeal.decided_by
        for other in shown
        if other.appeal.restriction_id == what.restriction_id
    }
    return name in {what.set_by, what.confirmed_by} | earlier


def _clock(request: PageRequest, found: ShownAppeal) -> str:
    left = found.due_at - request.now
    minutes = int(abs(left)) // SECONDS_PER_MINUTE
    hours, rest = divmod(minutes, 60)
    if left < 0:
        return request.t("{hours} h {minutes} min too late", hours=hours, minutes=rest)
    return request.t("{hours} h {minutes} min left", hours=hours, minutes=rest)


def decide(request: PageRequest) -> Response:
    """Decide an appeal, and show the next ones."""
    outcome = request.form.get("outcome", "")
    if outcome not in {decision.value for decision in _DECISIONS}:
        raise InvalidRequestError("choose a decision", "choose-decision")
    day = day_filled_in(request.form, "until")
    until = None if day is None else end_of(day, request.authority.days)
    appeal_id = str(request.http.path_params["appeal_id"])
    request.authority.appeals.decide(
        appeal_id, AppealState(outcome), request.now, until=until, by=request.caller
    )
    return request.redirect(f"/appeals?done={appeal_id}")


PAGES: Final = (
    Page("GET", "/appeals", show_appeals),
    Page("POST", "/appeals/{appeal_id}", decide, show_appeals),
)
