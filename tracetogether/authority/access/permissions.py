"""Who may do what: the one table that the HTTP interface, the pages and the service ask."""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final


class Role(Enum):
    """One duty of an operator; no role implies another."""

    ISSUER = "issuer"
    TRACER = "tracer"
    SUPERVISOR = "supervisor"
    EXPORTER = "exporter"
    KEYHOLDER = "keyholder"
    AUDITOR = "auditor"
    ADMIN = "admin"


ALL_ROLES: Final = frozenset(Role)


class Action(Enum):
    """Something that an operator does; the value describes it in the documentation."""

    USE_PAGES = "open the first page, sign out"
    LIST_CASES = "list cases"
    SHOW_CASE = "see a case's date, state and tracer"
    OPEN_CASE = "open a case"
    CONFIRM_CASE = "confirm a case that a tracer opened for a contact"
    ISSUE_PIN = "issue an upload PIN"
    LIST_CONTACTS = "see the contacts of a case, and whom those met"
    SHOW_GRAPH = "see which cases met, and who may have infected whom"
    ASSIGN_CASE = "assign a case to a tracer"
    CHANGE_CASE_STATE = "close a case, or open it again"
    MERGE_CASES = "merge two cases, or undo that"
    READ_NOTES = "read notes"
    WRITE_NOTE = "write a note"
    SHOW_DASHBOARD = "see the dashboard"
    LIST_FOLLOWED = "see contacts under follow-up, and their calendars"
    RECORD_CALL = "record a call, or that a contact was informed"
    REVEAL = "see who a contact is, for a reason"
    DESCRIBE = "write down a contact's name and telephone number"
    MERGE_CONTACTS = "merge two contacts of a case, or undo that"
    CONVERT_CONTACT = "report that a contact tested positive"
    EXPORT = "export contact lists"
    COUNT = "see how much of everything is stored"
    SHOW_KEYS = "see which days have keys"
    READ_AUDIT = "read and verify the audit log"
    READ_METRICS = "read the metrics"
    LIST_OPERATORS = "list operators"
    ADD_OPERATOR = "add an operator"
    DISABLE_OPERATOR = "disable an operator"


def _roles(*roles: Role) -> frozenset[Role]:
    return frozenset(roles)


PERMISSIONS: Final[Mapping[Action, frozenset[Role]]] = MappingProxyType(
    {
        Action.USE_PAGES: ALL_ROLES,
        Action.LIST_CASES: _roles(Role.ISSUER, Role.TRACER, Role.SUPERVISOR),
        Action.SHOW_CASE: _roles(Role.ISSUER, Role.TRACER, Role.SUPERVISOR),
        Action.OPEN_CASE: _roles(Role.ISSUER),
        Action.CONFIRM_CASE: _roles(Role.ISSUER),
        Action.ISSUE_PIN: _roles(Role.ISSUER),
        Action.LIST_CONTACTS: _roles(Role.TRACER, Role.SUPERVISOR),
        Action.SHOW_GRAPH: _roles(Role.TRACER, Role.SUPERVISOR),
        Action.ASSIGN_CASE: _roles(Role.SUPERVISOR),
        Action.CHANGE_CASE_STATE: _roles(Role.TRACER, Role.SUPERVISOR),
        Action.MERGE_CASES: _roles(Role.SUPERVISOR),
        Action.READ_NOTES: _roles(Role.TRACER, Role.SUPERVISOR),
        Action.WRITE_NOTE: _roles(Role.TRACER, Role.SUPERVISOR),
        Action.SHOW_DASHBOARD: _roles(Role.TRACER, Role.SUPERVISOR),
        Action.LIST_FOLLOWED: _roles(Role.TRACER, Role.SUPERVISOR),
        Action.RECORD_CALL: _roles(Role.TRACER),
        Action.REVEAL: _roles(Role.TRACER),
        Action.DESCRIBE: _roles(Role.TRACER),
        Action.MERGE_CONTACTS: _roles(Role.TRACER),
        Action.CONVERT_CONTACT: _roles(Role.TRACER),
        Action.EXPORT: _roles(Role.EXPORTER),
        Action.COUNT: _roles(Role.EXPORTER, Role.AUDITOR),
        Action.SHOW_KEYS: _roles(Role.KEYHOLDER),
        Action.READ_AUDIT: _roles(Role.AUDITOR),
        Action.READ_METRICS: _roles(Role.AUDITOR),
        Action.LIST_OPERATORS: _roles(Role.ADMIN),
        Action.ADD_OPERATOR: _roles(Role.ADMIN),
        Action.DISABLE_OPERATOR: _roles(Role.ADMIN),
    }
)
"""Action -> the roles that allow it, any of them. An action that is missing here is denied."""


def allowed(action: Action | None, roles: frozenset[Role]) -> bool:
    """Return whether any of ``roles`` allows ``action``; nothing allows None."""
    return action is not None and not roles.isdisjoint(PERMISSIONS.get(action, frozenset()))
