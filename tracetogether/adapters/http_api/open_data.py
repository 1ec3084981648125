"""The files for everybody: made once for each edition, and the same bytes for all."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from tracetogether.adapters.http_api.described import Answers, refused
from tracetogether.authority.open_data.files import datapackage, figures_csv
from tracetogether.authority.open_data.publishing import OpenSettings
from tracetogether.authority.service import Authority
from tracetogether.crypto import sha256
from tracetogether.errors import NotFoundError
from tracetogether.units import SECONDS_PER_MINUTE

_CSV: Final = "text/csv; charset=utf-8"
_JSON: Final = "application/json"
_MAX_AGE_S: Final = 10 * SECONDS_PER_MINUTE
_LOOKS_EVERY_S: Final = 10  # for something new; in between strangers cost no query
_TAGGED: Final[dict[str, Any]] = {
    "ETag": {"required": True, "schema": {"type": "string"}},
    "Access-Control-Allow-Origin": {"required": True, "schema": {"type": "string", "const": "*"}},
}
_OF_OPEN: Final[Answers] = {
    304: {"description": "The same as the file that `If-None-Match` names.", "headers": _TAGGED},
    404: refused("not_found", about="this authority serves no open data."),
}


@dataclass(frozen=True, slots=True)
class _Files:
    """Both files of one edition, with their tags."""

    edition: tuple[OpenSettings, int]
    csv: bytes
    package: bytes


class OpenFiles:
    """Makes the files when something else is published, and keeps their bytes."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self._lock = threading.Lock()
        self._made: _Files | None = None
        self._looked = float("-inf")

    def at(self, now: float) -> _Files:
        """Return the files at ``now`` (epoch seconds).

        Raises:
            NotFoundError: this authority serves none.
        """
        with self._lock:
            if not 0 <= now - self._looked < _LOOKS_EVERY_S or self._made is None:
                edition = self._authority.open_data.edition()
                if self._made is None or self._made.edition != edition:
                    self._made = self._make(edition)
                self._looked = now
            made = self._made
        if not made.edition[0].served:
            msg = "this authority serves no open data"
            raise NotFoundError(msg, "open-data-not-served")
        return made

    def _make(self, edition: tuple[OpenSettings, int]) -> _Files:
        found = self._authority.open_data
        days, region = found.published() or [], found.organisation
        package = datapackage(days, region, found.days.name, edition[0].licence)
        return _Files(edition, figures_csv(days, region).encode(), package.encode())


def open_files(authority: Authority, clock: Callable[[], float]) -> APIRouter:
    """Return the routes of the files; anybody may read them from any page."""
    router = APIRouter(prefix="/open", tags=["open to all"])
    files = OpenFiles(authority)

    @router.get(
        "/figures.csv",
        response_class=Response,
        responses={
            **_OF_OPEN,
            200: {
                "description": "The table: date, region, figure, people, noise_95.",
                "content": {"text/csv": {"schema": {"type": "string"}}},
                "headers": _TAGGED,
            },
        },
    )
    def figures(request: Request) -> Response:
        """Return all published figures as a table. Each count has noise that never changes.

        `people` is blank where it is below 10 or was not counted. A total is no sum of its parts.
        """
        return _tagged(request, files.at(clock()).csv, _CSV)

    @router.get(
        "/datapackage.json",
        response_class=Response,
        responses={
            **_OF_OPEN,
            200: {
                "description": "The columns and their meaning: a Frictionless data package.",
                "content": {_JSON: {"schema": {"type": "object"}}},
                "headers": _TAGGED,
            },
        },
    )
    def package(request: Request) -> Response:
        """Describe `figures.csv` for programs, with its licence and SHA-256."""
        return _tagged(request, files.at(clock()).package, _JSON)

    return router


def _tagged(request: Request, body: bytes, kind: str) -> Response:
    tag = f'"{sha256(body).hex()[:32]}"'
    headers = {
        "ETag": tag,
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Expose-Headers": "ETag",
        "Cache-Control": f"public, max-age={_MAX_AGE_S}",
    }
    asked = request.headers.get("if-none-match", "")
    if any(part.strip().removeprefix("W/") in {tag, "*"} for part in asked.split(",")):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=kind, headers=headers)
