"""The methods of calling as every role may try them, with the action that each of them is."""

from collections.abc import Callable
from typing import Any

from tests.authority_world import NOON
from tests.conftest import counted_entropy
from tests.followed_rows import contact_row
from tracetogether.authority.access.permissions import Action, Caller
from tracetogether.authority.cases.calls import Draft, PeopleQuery, ShiftReason
from tracetogether.authority.cases.case import Case
from tracetogether.authority.cases.followed import Outcome

CASE = Case("NONE", "nobody", int(NOON // 86_400), NOON, NOON)
CALLING: dict[str, tuple[Action, Callable[[Any, Caller], object]]] = {
    "calling.begin_shift": (
        Action.REVEAL,
        lambda service, by: service.calling.begin_shift(ShiftReason.DAILY_CALLS, NOON, by=by),
    ),
    "calling.shift": (Action.REVEAL, lambda service, by: service.calling.shift(NOON, by=by)),
    "calling.end_shift": (
        Action.REVEAL,
        lambda service, by: service.calling.end_shift(NOON, by=by),
    ),
    "calling.next": (Action.RECORD_CALL, lambda service, by: service.calling.next(NOON, by=by)),
    "calling.ready": (Action.RECORD_CALL, lambda service, by: service.calling.ready(NOON, by=by)),
    "calling.release": (Action.RECORD_CALL, lambda service, by: service.calling.release(by=by)),
    "calling.current": (
        Action.RECORD_CALL,
        lambda service, by: service.calling.current(NOON, by=by),
    ),
    "calling.open": (
        Action.RECORD_CALL,
        lambda service, by: service.calling.open("NONE", NOON, by=by),
    ),
    "calling.save": (
        Action.RECORD_CALL,
        lambda service, by: service.calling.save("NONE", Outcome.SYMPTOMS, NOON, by=by),
    ),
    "calling.describe": (
        Action.DESCRIBE,
        lambda service, by: service.calling.describe("NONE", "", "", NOON, by=by),
    ),
    "calling.keep_draft": (
        Action.RECORD_CALL,
        lambda service, by: service.calling.keep_draft("NONE", Draft(), NOON, by=by),
    ),
    "calling.saved": (
        Action.RECORD_CALL,
        lambda service, by: service.calling.saved("NONE", NOON, by=by),
    ),
    "case_people.about": (
        Action.LIST_FOLLOWED,
        lambda service, by: service.case_people.about(CASE, by=by),
    ),
    "case_people.changed_since": (
        Action.REVEAL,
        lambda service, by: service.case_people.changed_since("NONE", 1, NOON, by=by),
    ),
    "case_people.describe": (
        Action.DESCRIBE,
        lambda service, by: service.case_people.describe("NONE", "x", "", NOON, by=by),
    ),
    "case_people.reveal": (
        Action.REVEAL,
        lambda service, by: service.case_people.reveal("NONE", "x", NOON, by=by),
    ),
    "follow_up.fields_of": (
        Action.LIST_FOLLOWED,
        lambda service, by: service.follow_up.fields_of(
            contact_row(1, "NONE", service.custody.keys, counted_entropy(711)), by=by
        ),
    ),
    "desk.notes_on_case": (
        Action.READ_NOTES,
        lambda service, by: service.desk.notes_on_case(CASE, by=by),
    ),
    "search.find": (
        Action.FIND_PERSON,
        lambda service, by: service.search.find("12345678", NOON, by=by),
    ),
    "pins.last": (Action.ISSUE_PIN, lambda service, by: service.pins.last(CASE, NOON, by=by)),
    "people.page": (
        Action.LIST_FOLLOWED,
        lambda service, by: service.people.page(PeopleQuery(), NOON, by=by),
    ),
    "people.due": (Action.LIST_FOLLOWED, lambda service, by: service.people.due(NOON, by=by)),
    "people.person": (
        Action.LIST_FOLLOWED,
        lambda service, by: service.people.person("NONE", NOON, by=by),
    ),
}
