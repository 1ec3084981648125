"""Write permissions.md from the tables: `python docs/reference/write_permissions.py`."""

from collections.abc import Mapping
from pathlib import Path

from tracetogether.adapters.http_api import guard
from tracetogether.adapters.operator_pages import roles
from tracetogether.authority.access.permissions import PERMISSIONS, Action, Role

HEAD = """# Permissions

Written by `python docs/reference/write_permissions.py` from
`tracetogether.authority.access.permissions`. The HTTP interface, the pages and the service ask that
one table; the tests compare it with this page, and each route and page with it, for each role.

An operator has one role or more. No role implies another. What no role allows is denied: 403, and
the audit log records who tried.
"""
REACH = """
## Which cases

Issuers list all cases, and see date, state and tracer of each, but no contact. Supervisors see all
cases. Tracers see the cases that are assigned to them; any other case, its contacts and its notes
are answered like one that doesn't exist: 404.

## The command line

`tracetogether authority ...` acts as `console`, which the audit log names, and asks no role. Anyone
with a shell on the authority's machine, as its user, can read the keys and the database anyway.
Give that account to as few people as the keys.
"""


def page() -> str:
    """Return the page."""
    return HEAD + _by_role() + _by_action() + REACH


def _by_role() -> str:
    lines = ["\n## By role\n", "| role | may |", "|---|---|"]
    for role in Role:
        acts = [
            action.value
            for action, allowed in PERMISSIONS.items()
            if role in allowed and action is not Action.USE_PAGES
        ]
        lines.append(f"| {role.value} | {'; '.join(acts)} |")
    return "\n".join(lines) + "\n"


def _by_action() -> str:
    lines = ["\n## By action\n", "| action | roles | HTTP | pages |", "|---|---|---|---|"]
    for action, allowed in PERMISSIONS.items():
        names = ", ".join(role.value for role in Role if role in allowed)
        routes, pages = _places(guard.ACTIONS, action), _places(roles.ACTIONS, action)
        lines.append(f"| {action.value} | {names} | {routes} | {pages} |")
    return "\n".join(lines) + "\n"


def _places(actions: Mapping[tuple[str, str], Action], wanted: Action) -> str:
    return "<br>".join(
        f"`{method} {path}`" for (method, path), action in actions.items() if action is wanted
    )


if __name__ == "__main__":
    Path(__file__).with_name("permissions.md").write_text(page(), "utf-8")
