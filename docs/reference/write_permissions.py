"""Write permissions.md from the tables: `python docs/reference/write_permissions.py`."""

from collections.abc import Mapping
from pathlib import Path

from tracetogether.adapters.http_api import guard
from tracetogether.adapters.operator_pages import roles
from tracetogether.authority.access.permissions import PERMISSIONS, Action, Role

HEAD = """# Permissions

This page is written by `python docs/reference/write_permissions.py` from the table in
`tracetogether.authority.access.permissions`. The service checks each action against that table;
the HTTP interface and the pages read it too. Tests compare this page with the table, and with every
route, page, command and method of the service, for each role.

An operator has one role or more. No role implies another. What no role allows is denied: 403, and
the audit log records who tried.
"""
REACH = """
## Which cases

Issuers list all cases, and see date, state and tracer of each, but no contact. Supervisors see all
cases. Tracers see the cases that are assigned to them; any other case, its contacts and its notes
are answered like one that doesn't exist: 404.

## The command line

`tracetogether authority ...` acts as `console`, a caller with every role; the audit log names it.
Anyone with a shell on the authority's machine, as its user, can read the keys and the database
anyway. Give that account to as few people as the keys.

Restrictions are the exception: the console can't set, confirm or lift one, register or end an
order, report a test or decide an appeal. These commands ask for an operator's token. The audit log
names that operator, also when the roles don't allow it. Two people are needed; the console is none.

Commands that are not in the table set the service up, do what its clock does, or print what
everybody may see: `init`, `serve`, `backup`, `restore`, `migrate`, `purge`, `limits`, `time-zone`,
`load`, `demo-data`, `follow-up refresh`, `bulletin show` and `restriction figures`.
"""

COMMANDS: Mapping[str, tuple[Action, ...]] = {
    "audit list": (Action.READ_AUDIT,),
    "audit verify": (Action.READ_AUDIT,),
    "bulletin end": (Action.SET_BULLETIN,),
    "bulletin put": (Action.SET_BULLETIN,),
    "open-data list": (Action.SHOW_OPEN_DATA,),
    "open-data preview": (Action.SHOW_OPEN_DATA,),
    "open-data publish": (Action.SHOW_OPEN_DATA, Action.PUBLISH_OPEN_DATA),
    "open-data stop": (Action.PUBLISH_OPEN_DATA,),
    "wall add": (Action.CHANGE_SCREENS,),
    "wall end": (Action.CHANGE_SCREENS,),
    "wall list": (Action.CHANGE_SCREENS,),
    "case confirm": (Action.CONFIRM_CASE,),
    "case contacts": (Action.SHOW_CASE, Action.LIST_CONTACTS),
    "case graph": (Action.SHOW_GRAPH,),
    "case import": (Action.OPEN_CASE,),
    "case list": (Action.LIST_CASES,),
    "case onward": (Action.SHOW_CASE, Action.LIST_CONTACTS),
    "case open": (Action.OPEN_CASE, Action.ISSUE_PIN),
    "case pin": (Action.SHOW_CASE, Action.ISSUE_PIN),
    "case describe": (Action.DESCRIBE, Action.SHOW_CASE),
    "case person": (Action.SHOW_CASE, Action.LIST_FOLLOWED, Action.REVEAL),
    "case pin-state": (Action.SHOW_CASE, Action.ISSUE_PIN),
    "case reveal": (Action.SHOW_CASE, Action.REVEAL),
    "case days": (Action.LIST_CONTACTS, Action.LIST_VISITS, Action.SHOW_CASE),
    "warnings confirm": (Action.DECIDE_WARNING,),
    "warnings confirm-trip": (Action.DECIDE_WARNING,),
    "warnings list": (Action.LIST_VISITS,),
    "warnings refuse": (Action.DECIDE_WARNING,),
    "warnings refuse-trip": (Action.DECIDE_WARNING,),
    "case stays": (Action.SHOW_CASE, Action.LIST_CONTACTS),
    "charge code": (Action.GIVE_CHARGE_CODE,),
    "charge end": (Action.END_CHARGE,),
    "appeal decide": (Action.DECIDE_APPEAL,),
    "appeal list": (Action.LIST_APPEALS,),
    "export": (Action.EXPORT,),
    "follow-up assign": (Action.ASSIGN_CASE,),
    "follow-up call": (Action.RECORD_CALL,),
    "follow-up convert": (Action.CONVERT_CONTACT,),
    "follow-up find": (Action.FIND_PERSON,),
    "follow-up indicators": (Action.SHOW_DASHBOARD,),
    "follow-up list": (Action.LIST_FOLLOWED,),
    "follow-up next": (Action.REVEAL, Action.RECORD_CALL),
    "follow-up people": (Action.LIST_FOLLOWED,),
    "follow-up show": (Action.LIST_FOLLOWED,),
    "keys destroy": (Action.CHANGE_KEYS,),
    "keys list": (Action.SHOW_KEYS,),
    "keys quarantine": (Action.CHANGE_KEYS,),
    "keys replace": (Action.CHANGE_KEYS,),
    "keys rotate": (Action.CHANGE_KEYS,),
    "pass keys": (Action.SHOW_KEYS,),
    "pass paper": (Action.ISSUE_PAPER,),
    "pass policy": (Action.SHOW_STATUS_POLICY,),
    "pass retire": (Action.CHANGE_KEYS,),
    "order add": (Action.ADD_ORDER,),
    "order end": (Action.END_ORDER,),
    "order list": (Action.LIST_ORDERS,),
    "partner add": (Action.CHANGE_PARTNERS,),
    "partner address": (Action.CHANGE_PARTNERS,),
    "partner exchange run": (Action.LIST_PARTNERS,),
    "partner exchange export": (Action.EXCHANGE_RECORDS,),
    "partner exchange import": (Action.EXCHANGE_RECORDS,),
    "partner exchange answers": (Action.EXCHANGE_RECORDS,),
    "partner exchange list": (Action.LIST_PARTNERS,),
    "partner confirm": (Action.CONFIRM_PARTNER,),
    "partner fingerprint": (Action.SHOW_KEYS,),
    "partner list": (Action.LIST_PARTNERS,),
    "partner remove": (Action.CHANGE_PARTNERS,),
    "partner update": (Action.CHANGE_PARTNERS,),
    "place add": (Action.ADD_PLACE,),
    "place list": (Action.LIST_PLACES,),
    "place retire": (Action.RETIRE_PLACE,),
    "place warn": (Action.WARN_PLACE,),
    "policy cost-curve": (Action.SHOW_COSTS,),
    "policy set": (Action.SET_LEAST_CHANCE,),
    "policy show": (Action.SHOW_COSTS,),
    "phones learn": (Action.LEARN_PHONES,),
    "phones show": (Action.USE_PHONES,),
    "phones stop": (Action.USE_PHONES,),
    "phones use": (Action.USE_PHONES,),
    "restriction confirm": (Action.CONFIRM_RESTRICTION,),
    "restriction lift": (Action.LIFT_RESTRICTION,),
    "restriction list": (Action.LIST_RESTRICTIONS,),
    "restriction set": (Action.SET_RESTRICTION,),
    "restriction test": (Action.REPORT_TEST,),
    "team hand-over": (Action.ASSIGN_CASE,),
    "team end-shift": (Action.END_SHIFT,),
    "team hours": (Action.SET_CALLING_HOURS, Action.LIST_FOLLOWED),
    "team show": (Action.SHOW_TEAM, Action.ASSIGN_CASE),
    "user confirm-reset": (Action.RESET_CODES,),
    "user reset": (Action.RESET_CODES,),
    "user roles": (Action.CHANGE_ROLES,),
    "user add": (Action.ADD_OPERATOR,),
    "user disable": (Action.DISABLE_OPERATOR,),
    "user import": (Action.ADD_OPERATOR,),
    "user list": (Action.LIST_OPERATORS,),
    "user password": (Action.LIST_OPERATORS, Action.SET_PASSWORD),
}
"""What each command below `tracetogether authority` asks the service to allow, in order."""


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
    lines = [
        "\n## By action\n",
        "| action | roles | HTTP | pages | command line |",
        "|---|---|---|---|---|",
    ]
    for action, allowed in PERMISSIONS.items():
        names = ", ".join(role.value for role in Role if role in allowed)
        routes, pages = _places(guard.ACTIONS, action), _places(roles.ACTIONS, action)
        commands = "<br>".join(f"`{name}`" for name, acts in COMMANDS.items() if action in acts)
        lines.append(f"| {action.value} | {names} | {routes} | {pages} | {commands} |")
    return "\n".join(lines) + "\n"


def _places(actions: Mapping[tuple[str, str], Action], wanted: Action) -> str:
    return "<br>".join(
        f"`{method} {path}`" for (method, path), action in actions.items() if action is wanted
    )


if __name__ == "__main__":
    Path(__file__).with_name("permissions.md").write_text(page(), "utf-8")
