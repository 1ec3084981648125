"""Contact lists as files, for exporters alone; every one stands in the audit log."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from starlette.responses import Response, StreamingResponse

from tracetogether.adapters.operator_pages.doors import Door, Visit
from tracetogether.authority.exports import LAYOUTS, layout_named
from tracetogether.errors import ConflictError
from tracetogether.spreadsheets import Cell, csv_text, ndjson_text, write_xlsx

_FORMS: Final[Mapping[str, str]] = {
    "csv": "text/csv; charset=utf-8",
    "ndjson": "application/x-ndjson",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
_ABOUT: Final[Mapping[str, str]] = {
    "contacts": "Everything but who it is, under pseudonyms.",
    "anonymous": "No name that anything else bears, no date; figures rounded.",
    "sormas": "Columns as SORMAS imports contacts.",
    "godata": "Columns as Go.Data imports contacts.",
}
_CHUNK_BYTES: Final = 65_536


def show_exports(visit: Visit) -> Response:
    """Show what can be let out."""
    layouts = [(name, _ABOUT.get(name, "")) for name in LAYOUTS]
    return visit.page("exports.html", layouts=layouts, forms=list(_FORMS))


def export(visit: Visit) -> Response:
    """Let the contacts of all cases out in a file, row by row."""
    layout, form = layout_named(visit.form.get("layout", "")), visit.form.get("form", "")
    if form not in _FORMS:
        msg = "choose one of the forms that are offered"
        raise ConflictError(msg)
    rows = visit.authority.exports.rows(layout, form, visit.now, by=visit.caller)
    return StreamingResponse(
        _file(rows, form),
        media_type=_FORMS[form],
        headers={"Content-Disposition": f'attachment; filename="contacts-{layout.name}.{form}"'},
    )


def _file(rows: Iterator[Sequence[Cell]], form: str) -> Iterator[bytes]:
    if form == "xlsx":  # whose table of contents stands at its end: it is written out first
        with tempfile.TemporaryDirectory(prefix="tracetogether-") as folder:
            path = Path(folder) / "export.xlsx"
            write_xlsx(rows, path, title="Contacts")
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK_BYTES):
                    yield chunk
    else:
        for text in csv_text(rows) if form == "csv" else ndjson_text(rows):
            yield text.encode()


DOORS = (
    Door("GET", "/exports", show_exports),
    Door("POST", "/exports", export),
)
