"""The methods of a team's day and of operators as every role may try them, with their actions."""

from collections.abc import Callable
from typing import Any

from tests.authority_world import NOON
from tracetogether.authority.access.permissions import Action, Caller, Role

TEAM: dict[str, tuple[Action, Callable[[Any, Caller], object]]] = {
    "team.today": (Action.SHOW_TEAM, lambda service, by: service.team.today(NOON, by=by)),
    "team.cases": (Action.SHOW_TEAM, lambda service, by: service.team.cases("", NOON, by=by)),
    "team.all_cases": (
        Action.SHOW_TEAM,
        lambda service, by: service.team.all_cases("", NOON, by=by),
    ),
    "team.spread": (
        Action.SHOW_TEAM,
        lambda service, by: service.team.spread(["NONE"], ["x"], NOON, by=by),
    ),
    "team.hand_over": (
        Action.ASSIGN_CASE,
        lambda service, by: service.team.hand_over({"NONE": "-"}, NOON, by=by),
    ),
    "team.end_shift": (
        Action.END_SHIFT,
        lambda service, by: service.team.end_shift("x", NOON, by=by),
    ),
    "team.hours": (Action.LIST_FOLLOWED, lambda service, by: service.team.hours(by=by)),
    "team.set_hours": (
        Action.SET_CALLING_HOURS,
        lambda service, by: service.team.set_hours(None, NOON, by=by),
    ),
    "staff.one": (Action.LIST_OPERATORS, lambda service, by: service.staff.one("x", by=by)),
    "staff.change_roles": (
        Action.CHANGE_ROLES,
        lambda service, by: service.staff.change_roles("x", frozenset(Role), NOON, by=by),
    ),
    "code_resets.ask": (
        Action.RESET_CODES,
        lambda service, by: service.code_resets.ask("x", NOON, by=by),
    ),
    "code_resets.confirm": (
        Action.RESET_CODES,
        lambda service, by: service.code_resets.confirm("x", NOON, by=by),
    ),
    "code_resets.withdraw": (
        Action.RESET_CODES,
        lambda service, by: service.code_resets.withdraw("x", NOON, by=by),
    ),
    "code_resets.waiting": (
        Action.LIST_OPERATORS,
        lambda service, by: service.code_resets.waiting(NOON, by=by),
    ),
}
