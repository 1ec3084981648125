"""Merging and undoing it on the pages: what will happen is shown in numbers before it does."""

from collections.abc import Callable, Sequence
from typing import Final

from starlette.responses import Response

from tracetogether.adapters.operator_pages.page_request import PageRequest
from tracetogether.authority.desk.merging import Merged
from tracetogether.authority.desk.unmerging import Unmerged

MERGED: Final = ("moved", "joined", "calls", "clashes", "notes", "names", "also", "uploads")
UNMERGED: Final = ("moved", "separated", "calls", "notes", "changed", "stay")


def _rows(
    request: PageRequest, found: Merged | Unmerged, kind: str, names: Sequence[str]
) -> list[tuple[str, str]]:
    return [(request.t.label(kind, name), f"{getattr(found, name):,}") for name in names]


def merge_after_asking(
    request: PageRequest, act: Callable[..., Merged], gone: str, into: str, page: str
) -> Response:
    """Merge, once the question is answered; before, show what the merge will do."""
    about = {"version": request.version, "by": request.caller}
    if request.confirmed:
        act(gone, into, request.now, **about)
        return request.redirect(page)
    found = act(gone, into, request.now, dry_run=True, **about)
    why = request.t(
        "{gone} is merged into {into}, and each page links to the other. You can undo this.",
        gone=gone,
        into=into,
    )
    rows = _rows(request, found, "merge", MERGED)
    return request.ask(request.t("Merge?"), why, rows, request.t("Merge"))


def undo(request: PageRequest, act: Callable[..., Unmerged], gone: str, page: str) -> Response:
    """Undo a merge, once the question is answered; show what it does before."""
    if request.confirmed:
        act(gone, request.now, version=request.version, by=request.caller)
        return request.redirect(page)
    found = act(gone, request.now, dry_run=True, by=request.caller)
    why = request.t("{gone} becomes separate again, as before the merge.", gone=gone)
    if found.closed:
        why += " " + request.t(
            "The case comes back as closed, because its person has another open case."
        )
    rows = _rows(request, found, "unmerge", UNMERGED)
    return request.ask(request.t("Undo the merge?"), why, rows, request.t("Undo the merge"))
