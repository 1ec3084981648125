"""Operators at the desk: add, change roles, disable, and reset codes with a second person."""

from collections.abc import Iterable
from typing import Final

from starlette.responses import Response

from tracetogether.adapters.operator_pages.forms import Both, ticked
from tracetogether.adapters.operator_pages.page_request import PageRequest
from tracetogether.adapters.operator_pages.routing import Blames, Page
from tracetogether.authority.access.operators import roles_named
from tracetogether.authority.access.permissions import Role
from tracetogether.authority.access.resets import Reset
from tracetogether.authority.intake.issuance import new_secret
from tracetogether.errors import InvalidRequestError, NotFoundError

_WAYS: Final = ("pages", "program")


def show_operators(request: PageRequest) -> Response:
    """Show all operators, requests that wait for a second person, and the form for a new one."""
    return request.render(
        "operators.html",
        operators=request.authority.staff.all(by=request.caller),
        waiting=request.authority.code_resets.waiting(request.now, by=request.caller),
        roles=_own_roles(request),
        ways=_WAYS,
    )


def add_operator(request: PageRequest) -> Response:
    """Add an operator; show the first password, or a program's token, this once."""
    name, way = request.form.get("operator_name", "").strip(), request.form.get("works_by", "")
    if way not in _WAYS:
        raise InvalidRequestError("choose how the operator signs in", "choose-way")
    token = new_secret()
    roles = roles_named(ticked(request.form, "role").values())
    with request.authority.audit.atomic():
        request.authority.staff.add(name, roles, token, request.now, by=request.caller)
        secret = token if way == "program" else _given_password(request, name)
    return request.render("operator_added.html", name=name, way=way, secret=secret)


def _given_password(request: PageRequest, name: str) -> str:
    return request.site.sign_in.give_password(name, request.now, by=request.caller)


def show_operator(request: PageRequest) -> Response:
    """Show one operator, and what can be done about them."""
    operator = request.authority.staff.one(_name(request), by=request.caller)
    waiting = request.authority.code_resets.waiting(request.now, by=request.caller)
    return request.render(
        "operator.html",
        found=operator,
        reset=next((reset for reset in waiting if reset.name == operator.name), None),
        roles=[role for role in Role if role in request.caller.roles | operator.roles],
        may_change=request.caller.roles,
        had=_had_text(operator.roles),
        myself=operator.name == request.caller.name,
    )


def change_roles(request: PageRequest) -> Response:
    """Give an operator other roles."""
    kept = _roles_of(request.form.get("had", "").split())
    roles = _roles_of(ticked(request.form, "role").values())
    request.authority.staff.change_roles(
        _name(request), roles, request.now, had=kept, by=request.caller
    )
    return request.redirect("/operators")


def disable(request: PageRequest) -> Response:
    """Disable an operator, after a question."""
    name, t = _name(request), request.t
    if not request.confirmed:
        request.authority.staff.one(name, by=request.caller)
        why = t("Sessions and tokens end at once. The name stays taken. You can’t undo this.")
        yes = t("Disable the operator")
        return request.ask(t("Disable this operator now?"), why, [(t("Operator"), name)], yes)
    request.authority.staff.disable(name, request.now, by=request.caller)
    return request.redirect("/operators")


def ask_reset(request: PageRequest) -> Response:
    """Ask for an operator's codes, or password and codes, to be reset."""
    resets, what = request.authority.code_resets, _what(request)
    resets.ask(_name(request), request.now, what=what, by=request.caller)
    return request.redirect("/operators")


def confirm_reset(request: PageRequest) -> Response:
    """Confirm what another person asked, after a question; show a new password this once."""
    name, what, t = _name(request), _what(request), request.t
    if not request.confirmed:
        rows = [(t("Operator"), name)]
        if what is Reset.PASSWORD:
            why = t(
                "Ask the operator yourself before you confirm. Sessions and codes end. You get a "
                "password to hand over, which works once."
            )
            return request.ask(
                t("Reset this operator’s password?"), why, rows, t("Reset the password")
            )
        why = t(
            "Ask the operator yourself before you confirm. Sessions end; the password stays, and "
            "the next sign-in sets up codes."
        )
        return request.ask(t("Reset this operator’s codes?"), why, rows, t("Reset codes"))
    new = request.authority.code_resets.confirm(
        name,
        request.now,
        what=what,
        new_password=lambda: _given_password(request, name),
        by=request.caller,
    )
    if new:
        return request.render("operator_added.html", name=name, way="reset", secret=new)
    return request.redirect("/operators")


def _what(request: PageRequest) -> Reset:
    return Reset.PASSWORD if request.form.get("what") == Reset.PASSWORD.value else Reset.CODES


def withdraw_reset(request: PageRequest) -> Response:
    """End a request without doing anything."""
    request.authority.code_resets.withdraw(_name(request), request.now, by=request.caller)
    return request.redirect("/operators")


def _roles_of(names: Iterable[str]) -> frozenset[Role]:
    known = {role.value: role for role in Role}
    return frozenset(known[name] for name in names if name in known)


def _own_roles(request: PageRequest) -> list[Role]:
    return [role for role in Role if role in request.caller.roles]


def _had_text(roles: frozenset[Role]) -> str:
    return " ".join(sorted(role.value for role in roles))


def _name(request: PageRequest) -> str:
    return str(request.http.path_params["name"])


def _both(request: PageRequest) -> list[Both]:
    """Return the roles now, beside those that the form wanted."""
    try:
        operator = request.authority.staff.one(_name(request), by=request.caller)
    except NotFoundError:
        return []

    def words(roles: frozenset[Role]) -> str:
        return request.t(", ").join(
            request.t.label("role", role.value) for role in Role if role in roles
        )

    wanted = _roles_of(ticked(request.form, "role").values())
    return [Both("role", words(operator.roles), words(wanted))]


_OF_NEW: Final[Blames] = {
    "operator-name": "operator_name",
    "operator-name-taken": "operator_name",
    "choose-way": "works_by",
}
PAGES: Final = (
    Page("GET", "/operators", show_operators),
    Page("POST", "/operators", add_operator, show_operators, _OF_NEW, checks_password=True),
    Page("GET", "/operators/{name}", show_operator),
    Page("POST", "/operators/{name}/roles", change_roles, show_operator, {}, _both),
    Page("POST", "/operators/{name}/disable", disable, show_operator),
    Page("POST", "/operators/{name}/reset", ask_reset, show_operator),
    Page(
        *("POST", "/operators/{name}/reset-confirm", confirm_reset, show_operator),
        checks_password=True,
    ),
    Page("POST", "/operators/{name}/reset-withdraw", withdraw_reset, show_operator),
)
