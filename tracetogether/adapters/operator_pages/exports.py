"""Contact lists as files, for exporters alone; the audit log has an entry for each."""

from starlette.responses import Response, StreamingResponse

from tracetogether.adapters.operator_pages.page_request import PageRequest
from tracetogether.adapters.operator_pages.routing import Page
from tracetogether.authority.desk.exports import LAYOUTS, layout_named
from tracetogether.errors import InvalidRequestError
from tracetogether.tables.spreadsheets import MEDIA_TYPES, file_of


def show_exports(request: PageRequest) -> Response:
    """Show what can be let out."""
    return request.render("exports.html", layouts=list(LAYOUTS), forms=list(MEDIA_TYPES))


def export(request: PageRequest) -> Response:
    """Let the contacts of all cases out in a file, row by row."""
    layout, form = layout_named(request.form.get("layout", "")), request.form.get("form", "")
    if form not in MEDIA_TYPES:
        msg = "choose one of the file formats on the page"
        raise InvalidRequestError(msg, "no-such-format")
    rows = request.authority.exports.rows(layout, form, request.now, by=request.caller)
    return StreamingResponse(
        file_of(rows, form),
        media_type=MEDIA_TYPES[form],
        headers={"Content-Disposition": f'attachment; filename="contacts-{layout.name}.{form}"'},
    )


PAGES = (
    Page("GET", "/exports", show_exports),
    Page("POST", "/exports", export, show_exports),
)
