"""What states, priorities, outcomes and indicators are called on the pages, in English."""

from collections.abc import Mapping
from typing import Final

from tracetogether.authority.cases.case import CaseState
from tracetogether.authority.cases.followed import ContactState, Outcome, Priority

CASE_STATES: Final[Mapping[CaseState, str]] = {
    CaseState.OPEN: "open",
    CaseState.TRACING: "tracing",
    CaseState.CLOSED: "closed",
    CaseState.MERGED: "merged",
}
CONTACT_STATES: Final[Mapping[ContactState, str]] = {
    ContactState.CASUAL: "casual",
    ContactState.TO_TRACE: "to be called",
    ContactState.REACHED: "told",
    ContactState.IN_FOLLOW_UP: "in follow-up",
    ContactState.LOST: "lost",
    ContactState.COMPLETED: "completed",
    ContactState.BECAME_CASE: "became a case",
    ContactState.MERGED: "merged",
}
PRIORITIES: Final[Mapping[Priority, str]] = {
    Priority.HIGH: "high",
    Priority.MEDIUM: "medium",
    Priority.LOW: "low",
}
OUTCOMES: Final[Mapping[Outcome, str]] = {
    Outcome.NO_SYMPTOMS: "no symptoms",
    Outcome.SYMPTOMS: "symptoms",
    Outcome.NOT_REACHED: "not reached",
}
PRIORITY_REASONS: Final[Mapping[str, str]] = {
    "close_contact": "close contact",
    "long": "twice the policy’s minutes in a day",
    "several_days": "on three days or more",
    "very_near": "within a metre",
    "brief": "brief or distant",
    "symptoms": "symptoms",
}
SIDES: Final[Mapping[str, str]] = {
    "case": "the case’s phone",
    "contact": "the contact’s phone",
    "both": "both phones",
}
INDICATORS: Final[Mapping[str, str]] = {
    "traced_within_a_day": "Contacts reached within a day",
    "followed_all_days": "Contacts followed on all days",
    "new_cases_known": "New cases among known contacts",
    "started_within_a_day": "Cases whose tracing began within a day",
    "lost": "Contacts lost",
}
