"""Partners at the desk: who is recognised, and what was exchanged with each in 25 days."""

from typing import Final

from starlette.responses import Response

from tracetogether.adapters.operator_pages.page_request import PageRequest
from tracetogether.adapters.operator_pages.routing import Page


def show_partners(request: PageRequest) -> Response:
    """Show partners, batches that wait, faults, records of both directions, and answers."""
    found = request.authority.partners_overview.all(by=request.caller)
    return request.render("partners.html", partners=found)


PAGES: Final = (Page("GET", "/partners", show_partners),)
