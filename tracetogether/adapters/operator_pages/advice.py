"""What a page says where the service refuses: what to do on the page, and who can help."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

ADVICE: Final[Mapping[str, str]] = {
    "name, password or code is wrong, or the code was used: wait for the next code": (
        "User name, password or code is wrong, or the code was used: wait for the next code. Is "
        "the password forgotten or the device lost? Whoever runs this server sets a new password."
    ),
    "the codes are set up already: `authority user password` begins anew": (
        "The codes are set up already. If the device that shows them is lost, whoever runs this "
        "server sets a new password for you; codes are then set up anew."
    ),
    "say why the person is to be known: the reason goes into the audit log": (
        "Say why the person is to be known, in up to 200 characters: the reason goes into the "
        "audit log."
    ),
    "a reason is one line of plain text: remove its line breaks and control characters": (
        "A reason is one line of plain text: remove its line breaks and control characters."
    ),
    "this person has an open case already: it is {case}": (
        "This person has an open case already: {case}."
    ),
    "this person has an open case already: a supervisor can assign it to you": (
        "This person has an open case already, which is not assigned to you. A supervisor can "
        "assign it to you."
    ),
    "the case is confirmed already": "The case is confirmed already.",
    "the case is {state}: only an open one is confirmed": (
        "The case is {state}: only an open case is confirmed."
    ),
    "there is no such user: check the id on the phone": (
        "There is no such user: compare each letter with the user id on the person’s phone. If it "
        "is the same, the phone has withdrawn or is registered elsewhere, and no case can be "
        "opened for it."
    ),
    "there is no such case: `authority case list` shows those there are": (
        "There is no such case: look it up in the list of cases. A case that nobody works on is "
        "deleted after 25 days."
    ),
    "there is no such case among those that you were given": (
        "There is no such case among those that you were given: a supervisor gives a case to a "
        "tracer, on the case’s page."
    ),
    "there is no such case any more: open a new one": (
        "There is no such case any more: open a new one, in the list of cases."
    ),
    "there is no such contact among those of your cases": (
        "There is no such contact among those of your cases. Open it from its case or from the "
        "follow-up list; if the case is another tracer’s, a supervisor can give it to you."
    ),
    "there is no such contact in this case": (
        "There is no such contact in this case: look it up on the case’s page."
    ),
    "that contact is of another case": (
        "That contact is of another case: choose one from this case’s page."
    ),
    "nobody can tell any more who it is: the key of that day is gone": (
        "Nobody can tell any more who it is: the key of that day is gone, as it is meant to be "
        "after 25 days."
    ),
    "there is no such operator with the role of a tracer": (
        "There is no such tracer: choose one from the list."
    ),
    "the case's date lies in the future: give the day of diagnosis": (
        "The date lies in the future: give the day of diagnosis or of the first symptoms."
    ),
    "the case's date lies more than 21 days back: no phone's log reaches it": (
        "The date lies more than 21 days back, and no phone’s log reaches so far: give a later "
        "day, or none for today."
    ),
    "a date is written like 2020-05-04": "A date is written like 2020-05-04.",
    "the new case's id is already taken: try again": "Something went wrong by chance: try again.",
    "the case is {state} already": "The case is {state} already: nothing is to be done.",
    "the case is {state}: only a closed one is opened again": (
        "The case is {state}: only a closed one is opened again."
    ),
    "choose what the call found": "Choose what the call found.",
    "choose how the PIN gets to the person": "Choose how the PIN gets to the person.",
    "the day has not come: write down calls that were made": (
        "The day has not come: write down calls that were made."
    ),
    "the day is not in the contact's calendar: see its first and last day": (
        "The day is not in the contact’s calendar: choose one that stands there."
    ),
    "the person was told before: write down what the day's call finds": (
        "The person was told before: record what today’s call finds."
    ),
    "only a casual contact is put on the list: this one is or was there": (
        "This contact is or was on the call list already: nothing is to be done."
    ),
    "the contact {word} already: nothing is changed there any more": (
        "The contact {word} already: nothing is changed here any more."
    ),
    "a name and a telephone number have up to {count} characters": (
        "Name and telephone have up to {count} characters each."
    ),
    "this was changed meanwhile, and has version {version} now: compare what is stored, and send "
    "it again with that version": (
        "Somebody changed this while you had the page open: compare what is stored now with what "
        "you sent."
    ),
    "another operator wrote down something else for that day: look at it, and give the version "
    "that you saw": (
        "A colleague wrote down something else for that day: look at it, and record yours again "
        "if it is right."
    ),
    "a value is stored already: look at it, and give the version that you saw": (
        "Something else is stored already: reveal it first, and change it there."
    ),
    "a value is typed and to be deleted: do one of them": (
        "Either type a new value or delete the old one, not both."
    ),
    "this was not merged alone, or too long ago: there is nothing to undo here": (
        "This was not merged alone, or too long ago: there is nothing to undo here. A contact that "
        "went over with its case comes back with the case."
    ),
    "the merge can't be undone any more: the key of that day is gone": (
        "The merge can’t be undone any more: the key of that day is gone."
    ),
    "the contact that it was merged into was merged again: undo that first": (
        "The contact that it was merged into was merged again or deleted: undo that merge first."
    ),
    "the case that it was merged into was merged again: undo that first": (
        "The case that it was merged into was merged again: undo that merge first."
    ),
    "a note has 1 to {count} characters: this one has {had}": (
        "A note has 1 to {count} characters: this one has {had}."
    ),
    "two contacts of one case are merged: name another one of the same case": (
        "Two contacts of one case are merged: name another one of the same case."
    ),
    "a case is not merged into itself: name another one": (
        "A case is not merged into itself: name another one."
    ),
    "one of the cases was merged already: see where into": (
        "One of the two cases was merged already: its page says into which. Name that one."
    ),
    "all {count} upload PINs of this day are given out: the next are in {minutes} minutes, or "
    "`authority limits --pins-a-day` allows more": (
        "All {count} upload PINs of this day are given out; the next can be in {minutes} minutes. "
        "If that is too late, whoever runs this server can allow more."
    ),
    "too many requests of this kind: try again in {count} seconds": (
        "Too many tries: go on in {count} seconds."
    ),
    "there is no such policy; there are {names}": (
        "There is no such policy: choose one of those that the page offers."
    ),
    "there is no such layout; there are {names}": "Choose one of the lists that are offered.",
    "choose one of the forms that are offered": "Choose one of the file formats that are offered.",
    "your roles do not allow this: {action}": (
        "Your roles do not allow this. Ask a colleague who has the role, or the administrator of "
        "this server."
    ),
    "audit entry {number} is missing: the log was tampered with": (
        "Audit entry {number} is missing: the log was tampered with. Tell whoever runs this server "
        "and whoever answers for data protection at once."
    ),
    "audit entry {number} was changed: the log was tampered with": (
        "Audit entry {number} was changed: the log was tampered with. Tell whoever runs this "
        "server and whoever answers for data protection at once."
    ),
    "this is not the code of now: compare the clocks of the two devices": (
        "This is not the code of now: wait for the next one, and compare the clocks of the two "
        "devices."
    ),
}
"""What the service says (figures as {names}), and what pages say in its place."""

ASK: Final = "This did not work. Tell whoever runs this server what you wanted to do."
"""What is said in place of advice that only a command line could follow."""


def page_message(message: str) -> tuple[str, Mapping[str, str]]:
    """Return what a page says for a message of the service, and the figures to be put in."""
    for pattern, text in _PATTERNS:
        found = pattern.fullmatch(message)
        if found:
            return text, found.groupdict()
    return (ASK, {}) if "`" in message or "--" in message else (message, {})


def _patterns() -> Iterator[tuple[re.Pattern[str], str]]:
    for message, text in ADVICE.items():
        yield re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+)", re.escape(message))), text


_PATTERNS: Final = tuple(_patterns())
