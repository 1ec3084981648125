"""Who may do what: one table, Action -> roles.

Every method of the service that acts for a caller, or shows something to one, takes the caller as
the keyword ``by`` and calls ``by.require(action)`` first. The pages and the HTTP interface read the
same table, to answer 403 before they read a request's body and to leave out links.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final

from tracetogether.errors import AccessDeniedError


class Role(Enum):
    """One duty of an operator; no role implies another."""

    ISSUER = "issuer"
    TRACER = "tracer"
    SUPERVISOR = "supervisor"
    EXPORTER = "exporter"
    KEYHOLDER = "keyholder"
    AUDITOR = "auditor"
    ADMIN = "admin"
    RESTRICTOR = "restrictor"
    REVIEWER = "reviewer"
    VIEWER = "viewer"


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
    SHOW_COSTS = "see the policies, and how many calls find how many contacts"
    SET_LEAST_CHANCE = "set how likely a contact must be to be called"
    ASSIGN_CASE = "assign a case to a tracer"
    SHOW_TEAM = "see what each tracer has to do, has done and does now"
    END_SHIFT = "end a tracer's shift"
    SET_CALLING_HOURS = "set the hours in which people are called"
    CHANGE_CASE_STATE = "close a case, or open it again"
    MERGE_CASES = "merge two cases, or undo that"
    READ_NOTES = "read notes"
    WRITE_NOTE = "write a note"
    SHOW_DASHBOARD = "see the dashboard"
    LIST_FOLLOWED = "see contacts under follow-up, and their calendars"
    FIND_PERSON = "find a person by number, name, pseudonym or user id"
    RECORD_CALL = "record a call, or that a contact was informed"
    REVEAL = "see who a contact or a case is, for a reason"
    DESCRIBE = "write down name and telephone number of a contact or a case"
    MERGE_CONTACTS = "merge two contacts of a case, or undo that"
    CONVERT_CONTACT = "report that a contact tested positive"
    EXPORT = "export contact lists"
    COUNT = "see how much of everything is stored"
    SHOW_KEYS = "see which days have keys"
    CHANGE_KEYS = "rotate, quarantine, destroy or replace keys"
    READ_AUDIT = "read and verify the audit log"
    READ_METRICS = "read the metrics"
    LEARN_PHONES = "learn phone models' offsets from all logs"
    USE_PHONES = "choose the table of phone models for the lists"
    GIVE_CHARGE_CODE = "give a person without a phone a code to agree to a charge"
    END_CHARGE = "end a charge for the person without a phone"
    ISSUE_PAPER = "issue a pass on paper, for a reason"
    SHOW_STATUS_POLICY = "see the policy that passes follow"
    SET_STATUS_POLICY = "choose the policy that passes follow"
    ADD_ORDER = "register an order that people can be restricted by"
    END_ORDER = "end an order, and every restriction that rests on it"
    LIST_ORDERS = "list orders"
    SET_RESTRICTION = "set a restriction on one person"
    CONFIRM_RESTRICTION = "confirm a restriction that somebody else set"
    LIFT_RESTRICTION = "lift a restriction"
    LIST_RESTRICTIONS = "list restrictions by pseudonym"
    REPORT_TEST = "report a negative test, which lifts restrictions"
    LIST_APPEALS = "list appeals"
    DECIDE_APPEAL = "decide an appeal against what others set and confirmed"
    LIST_PLACES = "list places, with when their devices fetched TempIDs last"
    ADD_PLACE = "register a place, and get the credential for its device"
    RETIRE_PLACE = "end the credential of a place"
    LIST_VISITS = "see the places, visits and trips of a case, and its fourteen days"
    DECIDE_WARNING = "let out or keep back the warning of a visit or trip, for a reason"
    WARN_PLACE = "warn everybody who was at a registered place"
    LIST_PARTNERS = "list the authorities whose passes are recognised"
    CHANGE_PARTNERS = "add or remove a partner, or take its newer list"
    CONFIRM_PARTNER = "confirm a partner that another person added"
    SHOW_WALL = "see the wall: figures of today, nobody and no case"
    CHANGE_SCREENS = "let screens show the wall, or end that"
    SET_BULLETIN = "put a line on top of all pages, or end it"
    SHOW_OPEN_DATA = "see the figures for everybody before they are published"
    PUBLISH_OPEN_DATA = "publish figures for everybody, or stop that"
    EXCHANGE_RECORDS = "carry records to partners and from them, as files"
    LIST_OPERATORS = "list operators"
    ADD_OPERATOR = "add an operator"
    DISABLE_OPERATOR = "disable an operator"
    CHANGE_ROLES = "change an operator's roles"
    RESET_CODES = "reset an operator's codes, as one of two people"
    SET_PASSWORD = "give an operator a password"  # noqa: S105 - names an action


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
        Action.SHOW_COSTS: _roles(Role.TRACER, Role.SUPERVISOR),
        Action.SET_LEAST_CHANCE: _roles(Role.SUPERVISOR),
        Action.ASSIGN_CASE: _roles(Role.SUPERVISOR),
        Action.SHOW_TEAM: _roles(Role.SUPERVISOR),
        Action.END_SHIFT: _roles(Role.SUPERVISOR),
        Action.SET_CALLING_HOURS: _roles(Role.SUPERVISOR),
        Action.CHANGE_CASE_STATE: _roles(Role.TRACER, Role.SUPERVISOR),
        Action.MERGE_CASES: _roles(Role.SUPERVISOR),
        Action.READ_NOTES: _roles(Role.TRACER, Role.SUPERVISOR),
        Action.WRITE_NOTE: _roles(Role.TRACER, Role.SUPERVISOR),
        Action.SHOW_DASHBOARD: _roles(Role.TRACER, Role.SUPERVISOR),
        Action.LIST_FOLLOWED: _roles(Role.TRACER, Role.SUPERVISOR),
        Action.FIND_PERSON: _roles(Role.TRACER, Role.SUPERVISOR),
        Action.RECORD_CALL: _roles(Role.TRACER),
        Action.REVEAL: _roles(Role.TRACER),
        Action.DESCRIBE: _roles(Role.TRACER),
        Action.MERGE_CONTACTS: _roles(Role.TRACER),
        Action.CONVERT_CONTACT: _roles(Role.TRACER),
        Action.EXPORT: _roles(Role.EXPORTER),
        Action.COUNT: _roles(Role.EXPORTER, Role.AUDITOR),
        Action.SHOW_KEYS: _roles(Role.KEYHOLDER),
        Action.CHANGE_KEYS: _roles(Role.KEYHOLDER),
        Action.READ_AUDIT: _roles(Role.AUDITOR),
        Action.READ_METRICS: _roles(Role.AUDITOR),
        Action.LEARN_PHONES: _roles(Role.KEYHOLDER),
        Action.USE_PHONES: _roles(Role.ADMIN),
        Action.GIVE_CHARGE_CODE: _roles(Role.ISSUER),
        Action.END_CHARGE: _roles(Role.ISSUER),
        Action.ISSUE_PAPER: _roles(Role.ISSUER),
        Action.SHOW_STATUS_POLICY: _roles(Role.ISSUER, Role.SUPERVISOR, Role.AUDITOR),
        Action.SET_STATUS_POLICY: _roles(Role.SUPERVISOR),
        Action.ADD_ORDER: _roles(Role.SUPERVISOR),
        Action.END_ORDER: _roles(Role.SUPERVISOR, Role.REVIEWER),
        Action.LIST_ORDERS: _roles(Role.SUPERVISOR, Role.RESTRICTOR, Role.REVIEWER),
        Action.SET_RESTRICTION: _roles(Role.RESTRICTOR),
        Action.CONFIRM_RESTRICTION: _roles(Role.REVIEWER),
        Action.LIFT_RESTRICTION: _roles(Role.RESTRICTOR, Role.REVIEWER),
        Action.LIST_RESTRICTIONS: _roles(Role.RESTRICTOR, Role.REVIEWER),
        Action.REPORT_TEST: _roles(Role.ISSUER, Role.TRACER),
        Action.LIST_APPEALS: _roles(Role.REVIEWER),
        Action.DECIDE_APPEAL: _roles(Role.REVIEWER),
        Action.LIST_PLACES: _roles(Role.TRACER, Role.SUPERVISOR, Role.AUDITOR),
        Action.ADD_PLACE: _roles(Role.SUPERVISOR),
        Action.RETIRE_PLACE: _roles(Role.SUPERVISOR),
        Action.LIST_VISITS: _roles(Role.TRACER, Role.SUPERVISOR),
        Action.DECIDE_WARNING: _roles(Role.TRACER),
        Action.WARN_PLACE: _roles(Role.TRACER),
        Action.LIST_PARTNERS: _roles(Role.KEYHOLDER, Role.SUPERVISOR, Role.AUDITOR),
        Action.CHANGE_PARTNERS: _roles(Role.KEYHOLDER),
        Action.CONFIRM_PARTNER: _roles(Role.KEYHOLDER, Role.SUPERVISOR),
        Action.SHOW_WALL: _roles(Role.VIEWER, Role.SUPERVISOR, Role.AUDITOR),
        Action.CHANGE_SCREENS: _roles(Role.ADMIN),
        Action.SET_BULLETIN: _roles(Role.SUPERVISOR),
        Action.SHOW_OPEN_DATA: _roles(Role.SUPERVISOR, Role.AUDITOR),
        Action.PUBLISH_OPEN_DATA: _roles(Role.SUPERVISOR),
        Action.EXCHANGE_RECORDS: _roles(Role.KEYHOLDER, Role.SUPERVISOR),
        Action.LIST_OPERATORS: _roles(Role.ADMIN),
        Action.ADD_OPERATOR: _roles(Role.ADMIN),
        Action.DISABLE_OPERATOR: _roles(Role.ADMIN),
        Action.CHANGE_ROLES: _roles(Role.ADMIN),
        Action.RESET_CODES: _roles(Role.ADMIN),
        Action.SET_PASSWORD: _roles(Role.ADMIN),
    }
)
"""Action -> the roles that allow it, any of them. An action that is missing here is denied."""


def allowed(action: Action | None, roles: frozenset[Role]) -> bool:
    """Return whether any of ``roles`` allows ``action``; nothing allows None."""
    return action is not None and not roles.isdisjoint(PERMISSIONS.get(action, frozenset()))


@dataclass(frozen=True, slots=True)
class Caller:
    """The operator, program or console that a method acts for.

    Attributes:
        name: for the audit log.
        roles: what is granted.
    """

    name: str
    roles: frozenset[Role]

    def may(self, action: Action) -> bool:
        """Return whether a role of this caller allows ``action``."""
        return allowed(action, self.roles)

    def require(self, action: Action) -> None:
        """Return if this caller may do ``action``.

        Raises:
            AccessDeniedError: no role of this caller allows it.
        """
        if not self.may(action):
            msg = "your roles do not allow this: {action}"
            raise AccessDeniedError(msg, "roles-do-not-allow", action=action.value)

    def require_person(self) -> None:
        """Return if this caller is an operator, whose name says who answers for an act.

        Raises:
            AccessDeniedError: it is the console.
        """
        if self.name == CONSOLE.name:
            msg = (
                "the console is no person, and two people must answer for this: show the token of "
                "an operator"
            )
            raise AccessDeniedError(msg, "console-is-no-person")

    def needs_to_know(self, assigned_to: str) -> bool:
        """Return whether this caller may see a case that is assigned to ``assigned_to``.

        Supervisors see every case, tracers their own. ``needs_to_know("")`` is true for
        supervisors only.
        """
        return Role.SUPERVISOR in self.roles or (
            Role.TRACER in self.roles and self.name == assigned_to
        )


CONSOLE: Final = Caller("console", ALL_ROLES)
"""The caller that the command line passes: who has a shell there can read keys and files anyway."""
