"""One contact: days, calendar, notes, and who it is at the price of a reason; today's calls."""

from starlette.responses import Response

from tracetogether.adapters.operator_pages.cases import INTO, contact_named
from tracetogether.adapters.operator_pages.doors import Door, Visit
from tracetogether.adapters.operator_pages.forms import FIELDS as LABELS
from tracetogether.adapters.operator_pages.forms import Both
from tracetogether.adapters.operator_pages.labels import (
    CONTACT_STATES,
    OUTCOMES,
    PRIORITIES,
    PRIORITY_REASONS,
    SIDES,
)
from tracetogether.adapters.operator_pages.listing import page_at
from tracetogether.adapters.operator_pages.merges import ask_to_merge, undo
from tracetogether.adapters.operator_pages.nearby import line_of, why
from tracetogether.adapters.operator_pages.pictures import timeline
from tracetogether.adapters.operator_pages.rendering import time_text
from tracetogether.authority.cases.casework import Case
from tracetogether.authority.cases.followed import (
    ALL_ROWS,
    ContactQuery,
    ContactState,
    KeptContact,
    Outcome,
)
from tracetogether.authority.contacts.lines import Contact
from tracetogether.authority.desk.particulars import FIELDS, Field
from tracetogether.authority.desk.views import ContactPage, Followed
from tracetogether.errors import ConflictError
from tracetogether.parameters import SINGAPORE_POLICY

_CALLS_A_PAGE = 25


def show_calls(visit: Visit) -> Response:
    """Show whom to call today, the most urgent first."""
    offset = visit.number("offset", 0)

    def read(start: int) -> ContactPage:
        return visit.authority.desk.due(visit.now, start, _CALLS_A_PAGE, by=visit.caller)

    found = page_at(read, offset, _CALLS_A_PAGE)
    return visit.page(
        "follow_up.html",
        found=found,
        limit=_CALLS_A_PAGE,
        today=visit.authority.desk.today(visit.now),
        outcomes=OUTCOMES,
        priorities=PRIORITIES,
        contact_states=CONTACT_STATES,
        reasons=PRIORITY_REASONS,
    )


def show_contact(visit: Visit) -> Response:
    """Show all that is known of a contact but who it is."""
    return _contact(visit, _wanted(visit))


def _contact(visit: Visit, followed: Followed) -> Response:
    desk, kept = visit.authority.desk, followed.kept
    case = visit.authority.casework.case(kept.case_id, by=visit.caller)
    near = _near(visit, case, followed.pseudonym)
    picture = None
    if near is not None:
        about = visit.say("Days on which they were near")
        first = case.first_day
        line = line_of(near, followed, visit.say, visit.base)
        picture = timeline([line], first, case.day, about, limit=SINGAPORE_POLICY.minutes)
    today = visit.authority.desk.today(visit.now)
    return visit.page(
        "contact.html",
        followed=followed,
        kept=kept,
        case=case,
        near=near,
        picture=picture,
        why=[] if near is None else why(near, visit.say),
        calendar=desk.days_of(kept),
        notes=desk.notes_on(kept.case_id, contact_id=kept.contact_id, by=visit.caller),
        today=today,
        merged_from=_merged_from(visit, kept),
        undoable=_undoable(visit, kept),
        open=kept.state not in {ContactState.BECAME_CASE, ContactState.MERGED},
        states=ContactState,
        outcomes=OUTCOMES,
        priorities=PRIORITIES,
        contact_states=CONTACT_STATES,
        reasons=PRIORITY_REASONS,
        sides=SIDES,
        may_describe=visit.may("POST", "/contacts/{contact_id}/describe"),
        described=visit.authority.follow_up.described(kept.contact_id, by=visit.caller),
        may_convert=visit.may("POST", "/contacts/{contact_id}/convert"),
    )


def _near(visit: Visit, case: Case, name: str) -> Contact | None:
    """Return what the logs of a case, or of those merged into it, say of a contact."""
    merged = visit.authority.merging.cases_into(case.case_id)
    found = (contact_named(visit, one, name) for one in (case, *merged) if name)
    return next((contact for contact in found if contact is not None), None)


def _merged_from(visit: Visit, kept: KeptContact) -> list[Followed]:
    """Return the contacts that were merged into one."""
    query = ContactQuery(
        case_id=kept.case_id, states=frozenset({ContactState.MERGED}), limit=ALL_ROWS
    )
    page = visit.authority.desk.page(query, by=visit.caller)
    return [one for one in page.contacts if one.kept.merged_into == kept.contact_id]


def _undoable(visit: Visit, kept: KeptContact) -> frozenset[str]:
    """Return the ids of the contacts whose merge with this one can be undone here."""
    if not visit.may("POST", "/contacts/{contact_id}/unmerge"):
        return frozenset()
    merges = visit.authority.merging.merged_into(kept.merged_into or kept.contact_id)
    return frozenset(merge.gone for merge in merges)


def record_outcome(visit: Visit) -> Response:
    """Write down what a day's call found."""
    contact_id = _id(visit)
    day = visit.form.get("day", "")
    found = [one for one in Outcome if one.value == visit.form.get("outcome", "")]
    if not found or not (day.isascii() and day.isdecimal() and len(day) < 8):
        msg = "choose what the call found"
        raise ConflictError(msg)
    visit.authority.follow_up.record(
        contact_id, int(day), found[0], visit.now, version=visit.version, by=visit.caller
    )
    onward = "/follow-up" if visit.form.get("from") == "list" else f"/contacts/{contact_id}"
    return visit.went(onward)


def reach(visit: Visit) -> Response:
    """Write down that the person was told."""
    visit.authority.follow_up.reach(_id(visit), visit.now, version=visit.version, by=visit.caller)
    return visit.went(f"/contacts/{_id(visit)}")


def call_anyway(visit: Visit) -> Response:
    """Put a casual contact on the list."""
    visit.authority.follow_up.call_anyway(
        _id(visit), visit.now, version=visit.version, by=visit.caller
    )
    return visit.went(f"/contacts/{_id(visit)}")


def add_note(visit: Visit) -> Response:
    """Keep a note on a contact."""
    followed = _wanted(visit)
    visit.authority.follow_up.note(
        followed.kept.case_id,
        visit.form.get("text", ""),
        visit.now,
        contact_id=followed.kept.contact_id,
        by=visit.caller,
    )
    return visit.went(f"/contacts/{followed.kept.contact_id}#notes")


def describe(visit: Visit) -> Response:
    """Write down name or telephone number, or delete one; only a reveal shows them again."""
    clear: list[Field] = [name for name in FIELDS if visit.form.get("clear") == name]
    if clear and not visit.confirmed:
        why = visit.say("What is stored is lost for good, and nobody can bring it back.")
        title = {"name": "Delete the name?", "phone": "Delete the telephone number?"}[clear[0]]
        return visit.ask(title, why, (), "Delete it")
    visit.authority.follow_up.describe(
        _id(visit),
        visit.form.get("name", ""),
        visit.form.get("phone", ""),
        visit.now,
        clear=clear,
        version=visit.version,
        by=visit.caller,
    )
    return visit.went(f"/contacts/{_id(visit)}")


def reveal(visit: Visit) -> Response:
    """Show who a contact is, this once; the reason stands in the audit log."""
    followed, reason = _wanted(visit), visit.form.get("reason", "")
    person = visit.authority.follow_up.reveal(
        followed.kept.contact_id, reason, visit.now, by=visit.caller
    )
    return visit.page(
        "revealed.html",
        person=person,
        followed=followed,
        may_describe=visit.may("POST", "/contacts/{contact_id}/describe"),
    )


def merge(visit: Visit) -> Response:
    """Make this contact the same person as another one of the case."""
    into = visit.form.get("into", "").strip().upper()[:16]
    merging = visit.authority.merging
    if not visit.confirmed:
        found = merging.plan(_id(visit), into, visit.now, version=visit.version, by=visit.caller)
        return ask_to_merge(visit, _id(visit), into, found)
    stays = merging.merge(_id(visit), into, visit.now, version=visit.version, by=visit.caller)
    return visit.went(f"/contacts/{stays.kept.contact_id}")


def unmerge(visit: Visit) -> Response:
    """Undo the merge of a contact, and show it."""
    return undo(visit, visit.authority.unmerging.undo, _id(visit), f"/contacts/{_id(visit)}")


def convert(visit: Visit) -> Response:
    """Open a case for a contact who tested positive, and show it."""
    if not visit.confirmed:
        _wanted(visit)
        why = visit.say(
            "The contact becomes a case, and is not called any more. That can't be undone."
        )
        return visit.ask("Open a case for this contact?", why, (), "Open a case")
    case = visit.authority.merging.convert(
        _id(visit), visit.now, version=visit.version, by=visit.caller
    )
    return visit.went(f"/cases/{case.case_id}")


def _both(visit: Visit) -> list[Both]:
    """Return the contact as it is stored now beside what a form wanted of it."""
    kept = _wanted(visit).kept
    found = [Both("State", visit.say(CONTACT_STATES[kept.state]), "")]
    day, outcome = visit.form.get("day", ""), visit.form.get("outcome", "")
    if outcome:
        days = visit.authority.desk.calendar(kept.contact_id, by=visit.caller)
        there = next((one for one in days if str(one.day) == day and one.outcome), None)
        stored = ""
        if there and there.outcome:
            written = time_text(there.at, visit.authority.days)
            stored = f"{visit.say(OUTCOMES[there.outcome])} ({there.by}, {written})"
        sent = {one.value: visit.say(text) for one, text in OUTCOMES.items()}.get(outcome, outcome)
        found.append(Both("What it found", stored, sent))
    typed = [name for name in FIELDS if visit.form.get(name) or visit.form.get("clear") == name]
    if typed and visit.version is not None:
        now = visit.authority.follow_up.changed_since(
            kept.contact_id, visit.version, visit.now, by=visit.caller
        )
        for name in typed:
            stored = now.get(name, visit.say("not changed"))
            found.append(Both(LABELS[name], stored, visit.form.get(name, "")))
    if "into" in visit.form:
        found.append(Both("Merge", kept.merged_into, visit.form["into"]))
    return found


def _id(visit: Visit) -> str:
    return str(visit.request.path_params["contact_id"])


def _wanted(visit: Visit) -> Followed:
    return visit.authority.desk.contact(_id(visit), by=visit.caller)


_AT = "/contacts/{contact_id}"
DOORS = (
    Door("GET", "/follow-up", show_calls),
    Door("GET", _AT, show_contact),
    Door("POST", f"{_AT}/outcome", record_outcome, show_contact, {ConflictError: "outcome"}, _both),
    Door("POST", f"{_AT}/reach", reach, show_contact, {}, _both),
    Door("POST", f"{_AT}/call", call_anyway, show_contact, {}, _both),
    Door("POST", f"{_AT}/notes", add_note, show_contact, {ConflictError: "text"}),
    Door("POST", f"{_AT}/describe", describe, show_contact, {ConflictError: "name phone"}, _both),
    Door("POST", f"{_AT}/reveal", reveal, show_contact, {ConflictError: "reason"}),
    Door("POST", f"{_AT}/merge", merge, show_contact, INTO, _both),
    Door("POST", f"{_AT}/unmerge", unmerge, show_contact, {}, _both),
    Door("POST", f"{_AT}/convert", convert, show_contact, {}, _both),
)
