"""Merging and undoing it on the pages: what will happen is shown in numbers before it does."""

from collections.abc import Callable
from typing import Final

from starlette.responses import Response

from tracetogether.adapters.operator_pages.doors import Visit
from tracetogether.authority.desk.merging import Merged
from tracetogether.authority.desk.unmerging import Unmerged

_MERGED: Final = {
    "moved": "Contacts that go over as they are",
    "joined": "Contacts that become one with another",
    "calls": "Days whose call goes over",
    "clashes": "Days with two calls: that of the contact that stays counts",
    "notes": "Notes that go over",
    "names": "Names and telephone numbers that go over",
    "also": "Contacts whose other name or number is kept beside",
    "uploads": "Logs that stay with the merged case",
}
_UNMERGED: Final = {
    "moved": "Contacts that go back as they are",
    "separated": "Contacts that become two again",
    "calls": "Days whose call is taken away again",
    "notes": "Notes that go back",
    "changed": "Contacts changed since: those changes stay where they are",
    "stay": "Contacts that stay: deleted or merged again since",
}
_CLOSED: Final = "The case comes back closed: its person has another open case."


def _rows(visit: Visit, found: Merged | Unmerged, labels: dict[str, str]) -> list[tuple[str, str]]:
    return [(visit.say(label), f"{getattr(found, name):,}") for name, label in labels.items()]


def ask_to_merge(visit: Visit, gone: str, into: str, found: Merged) -> Response:
    """Return the page that asks whether to merge."""
    why = visit.say(
        "{gone} goes into {into}, and each page names the other. It can be undone.",
        gone=gone,
        into=into,
    )
    return visit.ask("Merge?", why, _rows(visit, found, _MERGED), "Merge")


def undo(visit: Visit, act: Callable[..., Unmerged], gone: str, page: str) -> Response:
    """Undo a merge, once the question is answered; show what it does before."""
    if visit.confirmed:
        act(gone, visit.now, version=visit.version, by=visit.caller)
        return visit.went(page)
    found = act(gone, visit.now, only_ask=True, by=visit.caller)
    why = visit.say("{gone} stands alone again, as before the merge.", gone=gone)
    if found.closed:
        why += " " + visit.say(_CLOSED)
    return visit.ask("Undo the merge?", why, _rows(visit, found, _UNMERGED), "Undo the merge")
