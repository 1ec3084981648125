"""What each page and form does, so that ``permissions`` can say who may open it."""

from collections.abc import Mapping
from typing import Final

from tracetogether.authority.access.permissions import Action

ACTIONS: Final[Mapping[tuple[str, str], Action]] = {
    ("GET", "/"): Action.USE_PAGES,
    ("POST", "/sign-out"): Action.USE_PAGES,
    ("GET", "/cases"): Action.LIST_CASES,
    ("POST", "/cases"): Action.OPEN_CASE,
    ("GET", "/cases/{case_id}"): Action.SHOW_CASE,
    ("GET", "/cases/{case_id}/graph"): Action.LIST_CONTACTS,
    ("GET", "/cases/{case_id}/onward"): Action.LIST_CONTACTS,
    ("POST", "/cases/{case_id}/confirm"): Action.CONFIRM_CASE,
    ("POST", "/cases/{case_id}/pin"): Action.ISSUE_PIN,
    ("POST", "/cases/{case_id}/assign"): Action.ASSIGN_CASE,
    ("POST", "/cases/{case_id}/state"): Action.CHANGE_CASE_STATE,
    ("POST", "/cases/{case_id}/notes"): Action.WRITE_NOTE,
    ("POST", "/cases/{case_id}/reveal"): Action.REVEAL,
    ("POST", "/cases/{case_id}/describe"): Action.DESCRIBE,
    ("POST", "/cases/{case_id}/merge"): Action.MERGE_CASES,
    ("POST", "/cases/{case_id}/unmerge"): Action.MERGE_CASES,
    ("GET", "/cases/{case_id}/visits"): Action.LIST_VISITS,
    ("POST", "/cases/{case_id}/visits/decide"): Action.DECIDE_WARNING,
    ("POST", "/cases/{case_id}/visits/decide-trip"): Action.DECIDE_WARNING,
    ("GET", "/graph"): Action.SHOW_GRAPH,
    ("GET", "/policy"): Action.SHOW_COSTS,
    ("POST", "/policy"): Action.SET_LEAST_CHANCE,
    ("GET", "/calls"): Action.RECORD_CALL,
    ("POST", "/calls/shift"): Action.REVEAL,
    ("POST", "/calls/shift/end"): Action.REVEAL,
    ("POST", "/calls/next"): Action.RECORD_CALL,
    ("GET", "/calls/find"): Action.FIND_PERSON,
    ("POST", "/calls/find"): Action.FIND_PERSON,
    ("POST", "/calls/{contact_id}/take"): Action.RECORD_CALL,
    ("POST", "/calls/{contact_id}/save"): Action.RECORD_CALL,
    ("POST", "/calls/{contact_id}/describe"): Action.DESCRIBE,
    ("POST", "/calls/{contact_id}/draft"): Action.RECORD_CALL,
    ("GET", "/follow-up"): Action.LIST_FOLLOWED,
    ("GET", "/contacts/{contact_id}"): Action.LIST_FOLLOWED,
    ("POST", "/contacts/{contact_id}/outcome"): Action.RECORD_CALL,
    ("POST", "/contacts/{contact_id}/reach"): Action.RECORD_CALL,
    ("POST", "/contacts/{contact_id}/call"): Action.RECORD_CALL,
    ("POST", "/contacts/{contact_id}/notes"): Action.WRITE_NOTE,
    ("POST", "/contacts/{contact_id}/describe"): Action.DESCRIBE,
    ("POST", "/contacts/{contact_id}/reveal"): Action.REVEAL,
    ("POST", "/contacts/{contact_id}/merge"): Action.MERGE_CONTACTS,
    ("POST", "/contacts/{contact_id}/unmerge"): Action.MERGE_CONTACTS,
    ("POST", "/contacts/{contact_id}/convert"): Action.CONVERT_CONTACT,
    ("GET", "/restrictions"): Action.LIST_RESTRICTIONS,
    ("POST", "/restrictions"): Action.SET_RESTRICTION,
    ("POST", "/restrictions/{restriction_id}/confirm"): Action.CONFIRM_RESTRICTION,
    ("POST", "/restrictions/{restriction_id}/lift"): Action.LIFT_RESTRICTION,
    ("GET", "/appeals"): Action.LIST_APPEALS,
    ("POST", "/appeals/{appeal_id}"): Action.DECIDE_APPEAL,
    ("GET", "/orders"): Action.LIST_ORDERS,
    ("POST", "/orders"): Action.ADD_ORDER,
    ("POST", "/orders/{order_id}/end"): Action.END_ORDER,
    ("GET", "/places"): Action.LIST_PLACES,
    ("POST", "/places"): Action.ADD_PLACE,
    ("POST", "/places/warn"): Action.WARN_PLACE,
    ("POST", "/places/{place_id}/retire"): Action.RETIRE_PLACE,
    ("GET", "/partners"): Action.LIST_PARTNERS,
    ("GET", "/charges"): Action.GIVE_CHARGE_CODE,
    ("POST", "/charges"): Action.GIVE_CHARGE_CODE,
    ("POST", "/charges/end"): Action.END_CHARGE,
    ("GET", "/test-results"): Action.REPORT_TEST,
    ("POST", "/test-results"): Action.REPORT_TEST,
    ("GET", "/wall"): Action.SHOW_WALL,
    ("GET", "/bulletin"): Action.SET_BULLETIN,
    ("POST", "/bulletin"): Action.SET_BULLETIN,
    ("POST", "/bulletin/end"): Action.SET_BULLETIN,
    ("GET", "/team"): Action.SHOW_TEAM,
    ("POST", "/team"): Action.ASSIGN_CASE,
    ("POST", "/team/hours"): Action.SET_CALLING_HOURS,
    ("POST", "/team/{name}/shift-end"): Action.END_SHIFT,
    ("GET", "/operators"): Action.LIST_OPERATORS,
    ("POST", "/operators"): Action.ADD_OPERATOR,
    ("GET", "/operators/{name}"): Action.LIST_OPERATORS,
    ("POST", "/operators/{name}/roles"): Action.CHANGE_ROLES,
    ("POST", "/operators/{name}/disable"): Action.DISABLE_OPERATOR,
    ("POST", "/operators/{name}/reset"): Action.RESET_CODES,
    ("POST", "/operators/{name}/reset-confirm"): Action.RESET_CODES,
    ("POST", "/operators/{name}/reset-withdraw"): Action.RESET_CODES,
    ("GET", "/exports"): Action.EXPORT,
    ("POST", "/exports"): Action.EXPORT,
    ("GET", "/audit"): Action.READ_AUDIT,
    ("POST", "/audit/verify"): Action.READ_AUDIT,
    ("GET", "/keys"): Action.SHOW_KEYS,
}
"""What a page shows or a form does; ``permissions`` says who may. No entry: denied."""

OPEN: Final = frozenset(
    {
        *(("GET", "/sign-in"), ("POST", "/sign-in"), ("POST", "/language")),
        *(("GET", "/wall/enter"), ("POST", "/wall/enter")),
    }
)
"""What anybody may open: these pages show no data and change only the session."""

ENROLLING: Final = frozenset({("GET", "/enrol"), ("POST", "/enrol"), ("POST", "/sign-out")})
"""What may be opened, and nothing else, after the password and before the first code."""

SCREENS: Final = frozenset({("GET", "/wall")})
"""What a screen may open that was let in by a code, without an operator."""
