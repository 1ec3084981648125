"""The route that exports contact lists: streamed, for exporters only."""

from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from tracetogether.authority.desk.exports import Layout, layout_named
from tracetogether.authority.service import Authority
from tracetogether.tables.spreadsheets import MEDIA_TYPES, Cell, file_of

_Rows = Iterator[Sequence[Cell]]


def add_exports(router: APIRouter, authority: Authority, clock: Callable[[], float]) -> None:
    """Add the route to the operators' router."""
    content: dict[str, Any] = {
        kind.partition(";")[0]: {"schema": {}} for kind in MEDIA_TYPES.values()
    }

    @router.get(
        "/exports/contacts",
        response_model=None,
        responses={200: {"content": content, "description": "The file, streamed."}},
    )
    def export_contacts(
        request: Request,
        form: Annotated[Literal["csv", "ndjson", "xlsx"], Query(alias="format")] = "csv",
        layout: Annotated[
            str, Query(description="`contacts`, `anonymous`, `sormas` or `godata`.")
        ] = "contacts",
    ) -> StreamingResponse:
        """Export the contacts of all cases to a file. Role: exporter. The audit log records it.

        The file has pseudonyms, no names. A text that begins like a formula gets an apostrophe
        in CSV, and is plain text in XLSX.
        """
        wanted = layout_named(layout)
        rows = authority.exports.rows(wanted, form, clock(), by=request.state.caller)
        return export_response(rows, form, wanted)


def export_response(rows: _Rows, form: str, layout: Layout) -> StreamingResponse:
    """Return rows as a download; a few hundred of them are in memory at a time."""
    name = f"contacts-{layout.name}.{form}"
    return StreamingResponse(
        file_of(rows, form),
        media_type=MEDIA_TYPES[form],
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
