"""Routes of a team's day, of cases that change hands, and of operators' roles and codes."""

from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from fastapi import APIRouter

from tracetogether.adapters.http_api.guard import By
from tracetogether.authority.access.operators import roles_named
from tracetogether.authority.access.permissions import Caller
from tracetogether.authority.access.resets import Reset
from tracetogether.authority.cases.case import date_of_day
from tracetogether.authority.desk.hours import CallingHours
from tracetogether.authority.service import Authority
from tracetogether.shapes import team as shapes
from tracetogether.shapes.oversight import Done, OperatorLine

_CODES: Final = shapes.WhatToReset()


class GivesPasswords(Protocol):
    """Sets a password that works once, as ``sign_in.SignIn.give_password`` does."""

    def __call__(self, name: str, now: float, /, *, by: Caller) -> str:
        """Return the password."""
        ...


def add_team(
    router: APIRouter,
    authority: Authority,
    clock: Callable[[], float],
    passwords: GivesPasswords | None,
) -> None:
    """Add the routes to the operators' ones."""

    @router.get("/team")
    def show_team(by: By) -> shapes.TeamDayShape:
        """Show what each tracer has to do, has done and does now. Role: supervisor."""
        now, days = clock(), authority.days
        found = authority.team.today(now, by=by)
        return shapes.TeamDayShape.of(found, date_of_day(days.day(now)), days.name)

    @router.post("/team/hand-over")
    def hand_over(by: By, asked: shapes.HandOver) -> shapes.CasesHandedOver:
        """Give cases to one tracer, or spread them evenly over several. Role: supervisor.

        All change hands or none; the audit log gets an entry for each.
        """
        now, team = clock(), authority.team
        ids = [case.case_id for case in asked.cases]
        if len(asked.operators) == 1:
            plan = dict.fromkeys(ids, asked.operators[0])
        else:
            plan = team.spread(ids, asked.operators, now, by=by)
        versions = {case.case_id: case.version for case in asked.cases if case.version is not None}
        changed = team.hand_over(plan, now, versions=versions, by=by)
        return shapes.CasesHandedOver(assigned={case.case_id: case.assigned_to for case in changed})

    @router.post("/team/{name}/shift/end")
    def end_shift_of(by: By, name: str) -> Done:
        """End a tracer's shift; whom the tracer calls now is free for others. Role: supervisor."""
        authority.team.end_shift(name, clock(), by=by)
        return Done(done=True)

    @router.get("/calling-hours")
    def show_calling_hours(by: By) -> shapes.CallingHoursShape:
        """Show from when until when people are called. Roles: tracer, supervisor."""
        return shapes.CallingHoursShape.of(authority.team.hours(by=by), authority.days.name)

    @router.put("/calling-hours")
    def set_calling_hours(by: By, asked: shapes.NewCallingHours) -> shapes.CallingHoursShape:
        """Set from when until when people are called. Role: supervisor.

        Outside of these hours `POST /v1/calls/next` warns (`outside_hours`), and no next call can
        be agreed on. Agreed times stay.
        """
        wanted = asked.begin is not None or asked.end is not None
        hours = CallingHours.between(asked.begin or "", asked.end or "") if wanted else None
        authority.team.set_hours(hours, clock(), by=by)
        return shapes.CallingHoursShape.of(hours, authority.days.name)

    _operators(router, authority, clock, passwords)


def _operators(
    router: APIRouter,
    authority: Authority,
    clock: Callable[[], float],
    passwords: GivesPasswords | None,
) -> None:
    @router.put("/operators/{name}/roles")
    def change_roles(by: By, name: str, asked: shapes.NewRoles) -> OperatorLine:
        """Give an operator other roles from the next request on. Role: admin; not for oneself.

        You can give and take only roles that you hold.
        """
        had = None if asked.had is None else roles_named(asked.had)
        roles = roles_named(asked.roles)
        return OperatorLine.of(authority.staff.change_roles(name, roles, clock(), had=had, by=by))

    @router.get("/code-resets")
    def list_code_resets(by: By) -> shapes.CodeResetList:
        """List requests to reset codes, which wait for a second person. Role: admin."""
        waiting = authority.code_resets.waiting(clock(), by=by)
        return shapes.CodeResetList(resets=[shapes.CodeResetLine.of(reset) for reset in waiting])

    @router.post("/operators/{name}/reset", status_code=201)
    def ask_code_reset(
        by: By, name: str, asked: shapes.WhatToReset = _CODES
    ) -> shapes.CodeResetLine:
        """Ask for an operator's codes or password to be reset. Role: admin; not for oneself.

        Another admin confirms it within a day. After lost codes the password stays.
        """
        what = Reset(asked.what)
        return shapes.CodeResetLine.of(authority.code_resets.ask(name, clock(), what=what, by=by))

    @router.post("/operators/{name}/reset/confirm")
    def confirm_code_reset(
        by: By, name: str, asked: shapes.WhatToReset = _CODES
    ) -> shapes.ResetDone:
        """Confirm what another person asked: the operator's codes and sessions end. Role: admin.

        Not for oneself, and not one's own request. A new password is shown this once: it works
        for three days, until the operator has chosen another one.
        """
        now = clock()
        give = None if passwords is None else partial(passwords, name, now, by=by)
        what = Reset(asked.what)
        new = authority.code_resets.confirm(name, now, what=what, new_password=give, by=by)
        return shapes.ResetDone(done=True, password=new or None)

    @router.delete("/operators/{name}/reset")
    def withdraw_code_reset(by: By, name: str) -> Done:
        """End a request to reset an operator's codes. Role: admin."""
        authority.code_resets.withdraw(name, clock(), by=by)
        return Done(done=True)
