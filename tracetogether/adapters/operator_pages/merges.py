"""Merging and undoing it on the pages: what will happen is shown in numbers before it does."""

from collections.abc import Callable
from typing import Final

from starlette.responses import Response

from tracetogether.adapters.operator_pages.page_request import PageRequest
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


def _rows(
    request: PageRequest, found: Merged | Unmerged, labels: dict[str, str]
) -> list[tuple[str, str]]:
    return [(request.say(label), f"{getattr(found, name):,}") for name, label in labels.items()]


def ask_to_merge(request: PageRequest, gone: str, into: str, found: Merged) -> Response:
    """Return the page that asks whether to merge."""
    why = request.say(
        "{gone} goes into {into}, and each page names the other. It can be undone.",
        gone=gone,
        into=into,
    )
    return request.ask("Merge?", why, _rows(request, found, _MERGED), "Merge")


def undo(request: PageRequest, act: Callable[..., Unmerged], gone: str, page: str) -> Response:
    """Undo a merge, once the question is answered; show what it does before."""
    if request.confirmed:
        act(gone, request.now, version=request.version, by=request.caller)
        return request.redirect(page)
    found = act(gone, request.now, only_ask=True, by=request.caller)
    why = request.say("{gone} stands alone again, as before the merge.", gone=gone)
    if found.closed:
        why += " " + request.say(_CLOSED)
    return request.ask("Undo the merge?", why, _rows(request, found, _UNMERGED), "Undo the merge")
