"""Bring the pages' catalogues up to date: `python docs/reference/write_texts.py [language to add]`.

Collects the keys of all texts from templates and code. Adds new keys to each `pages.po` without a
translation, and removes those that nothing uses. Where a key is a code, a comment has the English.
The code of a language, such as `ta`, makes its file first.
"""

import ast
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from functools import cache
from io import BytesIO
from pathlib import Path

from babel.messages import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po
from jinja2.ext import babel_extract

from tracetogether.adapters.operator_pages import merges
from tracetogether.adapters.operator_pages.forms import FIELDS
from tracetogether.adapters.operator_pages.texts import LANGUAGES
from tracetogether.authority.access.permissions import Role
from tracetogether.authority.access.resets import Reset
from tracetogether.authority.cases.calls import ShiftReason
from tracetogether.authority.cases.case import CaseState
from tracetogether.authority.cases.followed import ContactState, Outcome, Priority
from tracetogether.authority.cases.indicators import Indicators
from tracetogether.authority.contacts.transmission import ASSUMPTIONS
from tracetogether.authority.desk.exports import LAYOUTS
from tracetogether.authority.intake.pins import PinState
from tracetogether.authority.open_data.cells import FIGURES
from tracetogether.authority.oversight.restoring import Carried
from tracetogether.authority.oversight.retention import Purged
from tracetogether.authority.places.place import PlaceState
from tracetogether.authority.presence.reported import WarningState
from tracetogether.authority.status.appeal import AppealState
from tracetogether.authority.status.order import OrderKind
from tracetogether.authority.status.restriction import (
    Ground,
    RestrictionEvidence,
    RestrictionState,
)
from tracetogether.authority.tracing.one_case import POLICIES

PACKAGE = Path(__file__).parents[2] / "tracetogether"
PAGES = PACKAGE / "adapters/operator_pages"
HEADER = """# `python docs/reference/write_texts.py` adds and removes keys.
msgid ""
msgstr ""
"Language: {}\\n"
"Plural-Forms: {}\\n"
"Content-Type: text/plain; charset=utf-8\\n"

"""
OWN_KEYS = {
    "language": ["name", "tag"],
    "case-state": [state.value for state in CaseState],
    "place-state": [state.value for state in PlaceState],
    "contact-state": [state.value for state in ContactState],
    "priority": [priority.word for priority in Priority],
    "priority-reason": [
        *("close_contact", "long", "several_days", "very_near", "brief", "symptoms"),
    ],
    "role": [role.value for role in Role],
    "policy": list(POLICIES),
    "outcome": [outcome.value for outcome in Outcome],
    "reset": [reset.value for reset in Reset],
    "shift-reason": [reason.value for reason in ShiftReason],
    "pin-state": [state.value for state in PinState if state is not PinState.NONE],
    "sign-in-way": ["pages", "program"],
    "side": ["case", "contact", "both"],
    "indicator": [field.name for field in fields(Indicators)],
    "layout": list(LAYOUTS),
    "merge": merges.MERGED,
    "unmerge": merges.UNMERGED,
    "field": [*sorted(FIELDS), "state", "merge"],
    "ground": [ground.value for ground in Ground],
    "evidence": [evidence.value for evidence in RestrictionEvidence],
    "restriction-state": [state.value for state in RestrictionState],
    "warning-state": [state.value for state in WarningState],
    "order-kind": [kind.value for kind in OrderKind],
    "appeal-state": [state.value for state in AppealState],
    "open-figure": [figure.name for figure in FIGURES],
    "decision": [state.value for state in AppealState if state is not AppealState.OPEN],
    "assumption": [assumption.code for assumption in ASSUMPTIONS],
    "assumption-source": sorted({a.source for a in ASSUMPTIONS if "doi" not in a.source}),
}
"""What labels name, by kind of label: no call in the code has them as a constant."""
CLASS_CODES = ("error", "rate-limited", "stale", "nul-character", "unavailable", "user-id-check")
"""Codes on the pages that no ``raise`` in ``RAISED_IN`` names."""
RAISED_IN = ("authority/access", "authority/cases", "authority/contacts", "authority/desk",
             "authority/intake", "authority/places", "authority/presence",
             "authority/status", "authority/tracing",
             "adapters/operator_pages")  # fmt: skip
NEVER_SHOWN = {
    *("credential-needed", "withdrawn-already"),
    "credential-of-place",
    *("operator-token-needed", "pin-refused", "pin-form", "token-of-other-phone", "log-received"),
    *("log-too-large", "not-log-of-token", "digest-form", "case-closed-meanwhile"),
    *("audit-head-differs", "audit-log-truncated"),
    *("charge-code-form", "charge-code-refused", "charges-full"),
    *("console-is-no-person", "nothing-to-appeal", "appeal-decided"),
    *("declared-since", "no-such-kid"),
    *(
        "declared-since-without-symptoms",
        "paper-withheld",
        "paper-hint",
        "policy-file",
        "policy-value",
    ),
    *("visits-too-many", "visits-received"),
    *("policy-withholds-by-contact", "policy-without-two-people"),
    *("no-such-screen", "screen-name", "screen-name-taken", "screens-too-many"),
}
"""Codes for the command line, the HTTP interface or phones."""
KINDS = (
    *("InvalidRequestError", "InvalidUploadError", "ConflictError", "NotFoundError"),
    *("AccessDeniedError", "AuditError"),
)
_ERRORS: Mapping[str, tuple[int, ...]] = {
    "refusal": (3,),
    "RateLimitedError": (3,),
    **dict.fromkeys(KINDS, (2,)),
}
_RECORDERS = {
    *("record", "_record", "rehearse", "_change", "_changed", "_announce", "_finish"),
    *("attempt", "Limit", "take_of_operator"),
}
"""Calls that write audit entries, or name an act that one will have."""
_ACT = re.compile(r"purged|[a-z]+(-[a-z]+)*\.[a-z]+([-_][a-z]+)*")
DETAILS = {
    *("contact_id", "case_id", "merged", "contact", "reason", "day", "outcome", "state"),
    *("first_day", "last_day", "before_day", "days", "other_log_entries", "other_log_head"),
    *(field.name for kind in (Purged, Carried) for field in fields(kind)),
}
"""Details of audit entries that the code gives as a mapping."""


@cache
def audit_words() -> tuple[frozenset[str], frozenset[str]]:
    """Return the acts that the code records in the audit log, and the names of their details."""
    acts, details = set[str](), set(DETAILS)
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                given = _acts(node.args) if name in _RECORDERS else set()
                if given or name == "record":
                    details |= {word.arg for word in node.keywords if word.arg}
                acts |= given
            elif isinstance(node, ast.Assign) and "act" in map(ast.unparse, node.targets):
                acts |= _acts(ast.walk(node.value))
    return frozenset(acts), frozenset(details - {"by", "subject", "version", "call_at"})


def _acts(nodes: Iterable[ast.AST]) -> set[str]:
    texts = {str(node.value) for node in nodes if isinstance(node, ast.Constant)}
    return {text for text in texts if _ACT.fullmatch(text)}


@cache
def texts() -> Catalog:
    """Return a catalogue of all keys, without translations."""
    found = Catalog(project="TraceTogether")
    for key in _found(sorted(PAGES.glob("templates/*.html")), {"t": None, "nt": (1, 2)}):
        found.add(key)
    for key in _found(sorted(PAGES.glob("*.py")), {"t": None, "plural": (1, 2)}):
        found.add(key)
    for code in sorted(error_codes() - NEVER_SHOWN):
        found.add(code, context="error")
    acts, details = audit_words()
    own = {**OWN_KEYS, "act": sorted(acts), "detail": sorted(details)}
    for kind, names in own.items():
        for name in names:
            found.add(name, context=kind)
    return found


@cache
def error_codes() -> set[str]:
    """Return the codes of all errors that pages, or what they call, can raise."""
    sources = [path for folder in RAISED_IN for path in (PACKAGE / folder).rglob("*.py")]
    return {*CLASS_CODES, *map(str, _found(sources, _ERRORS))}


def _found(
    paths: list[Path], keywords: Mapping[str, tuple[int, ...] | None]
) -> Iterator[str | tuple[str, ...]]:
    for path in paths:
        method = babel_extract if path.suffix == ".html" else "python"
        with path.open("rb") as file:
            for _, key, _, _ in extract(method, file, keywords):
                yield key


def path_of(language: str) -> Path:
    """Return where the texts of a language are."""
    return PAGES / "locale" / language / "LC_MESSAGES/pages.po"


def catalogue(language: str) -> Catalog:
    """Return the catalogue of a language as its file has it."""
    with path_of(language).open("rb") as file:
        return read_po(file, locale=language, abort_invalid=True)


def updated(language: str) -> bytes:
    """Return the file of a language with exactly the keys that are used."""
    catalog, english = catalogue(language), catalogue("en")
    catalog.update(texts(), no_fuzzy_matching=True)
    for message in list(catalog):
        if not message.id:
            continue
        if message.context is not None and language != "en":
            said = english.get(message.id, message.context)
            message.auto_comments = [said.string] if said and said.string else []
        elif message.context is None and language == "en":  # a text on a page is its own English
            catalog.delete(message.id)
    written = BytesIO()
    write_po(written, catalog, no_location=True, ignore_obsolete=True, omit_header=True, width=100)
    return HEADER.format(language, catalog.plural_forms).encode() + written.getvalue()


def add(language: str) -> None:
    """Make the file of a new language, with the plural forms that Babel knows and no text."""
    path = path_of(language)
    path.parent.mkdir(parents=True)
    forms = Catalog(locale=language).plural_forms
    path.write_text(HEADER.format(language, forms), "utf-8")


def write(*new: str) -> None:
    """Write the file of each language.

    Args:
        new: codes of languages to add, such as "ta".
    """
    for language in new:
        add(language)
    for language in [*LANGUAGES, *new]:
        path_of(language).write_bytes(updated(language))


if __name__ == "__main__":
    write(*sys.argv[1:])
