"""One door for every page: session, role and form token are asked before anything else."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, quote

from jinja2 import Environment
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from tracetogether.adapters.operator_pages.rendering import BASE
from tracetogether.adapters.operator_pages.roles import ENROLLING, OPEN, ROLES
from tracetogether.adapters.operator_pages.words import (
    HTML_LANGUAGE,
    LANGUAGES,
    language_of,
    translator,
)
from tracetogether.authority.access.operators import Caller, Operator
from tracetogether.authority.access.sign_in import Session, SignIn, form_token, new_token
from tracetogether.authority.service import Authority
from tracetogether.crypto import equal
from tracetogether.errors import (
    AccessDeniedError,
    ConflictError,
    KeyRingError,
    NotFoundError,
    RateLimitedError,
    StoreError,
    TraceTogetherError,
)

SESSION_COOKIE: Final = "__Host-desk"  # the prefix binds it to https, this host and every path
LANGUAGE_COOKIE: Final = "__Host-desk-language"
FORM_TOKEN: Final = "form_token"  # noqa: S105 - a field's name
MAX_FORM_BYTES: Final = 16_384
_YEAR_S: Final = 365 * 86_400
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_STATUS: Final[Mapping[type[TraceTogetherError], int]] = {
    AccessDeniedError: 403,
    NotFoundError: 404,
    ConflictError: 409,
    RateLimitedError: 429,
    StoreError: 503,
    KeyRingError: 503,
}
_UNAVAILABLE: Final = "the service can't read or write its store or keys now; try again later"


@dataclass(frozen=True, slots=True)
class Desk:
    """What all pages share."""

    authority: Authority
    sign_in: SignIn
    clock: Callable[[], float]
    templates: Environment
    name: str


@dataclass(frozen=True, slots=True)
class Visit:
    """One request to one page.

    Attributes:
        desk: what all pages share.
        request: its path and query; never its headers.
        now: epoch seconds.
        language: of the answer.
        token: the session's, or one of a stranger's own.
        operator: who it is; None for strangers.
        session: None for strangers.
        form: what was filled in.
    """

    desk: Desk
    request: Request
    now: float
    language: str
    token: str
    operator: Operator | None
    session: Session | None
    form: Mapping[str, str]

    @property
    def authority(self) -> Authority:
        """The service."""
        return self.desk.authority

    @property
    def caller(self) -> Caller:
        """On whose behalf things are done."""
        if self.operator is None:
            msg = "sign in first"
            raise AccessDeniedError(msg)
        return Caller.of(self.operator)

    def may(self, method: str, path: str) -> bool:
        """Return whether this operator may open a page, to show the way to it or not."""
        return self.operator is not None and self.operator.may(*ROLES.get((method, path), ()))

    def say(self, text: str, **values: object) -> str:
        """Return a text in the visit's language."""
        return translator(self.language)(text, **values)

    def page(self, template: str, *, status: int = 200, **values: object) -> HTMLResponse:
        """Return a page."""
        # Only who is fully signed in is shown the way around.
        inside = self.operator is not None and self.session and not self.session.enrolling
        text = self.desk.templates.get_template(template).render(
            t=translator(self.language),
            language=self.language,
            html_language=HTML_LANGUAGE[self.language],
            languages=LANGUAGES,
            form_token=form_token(self.token),
            authority_name=self.desk.name,
            operator=self.operator,
            inside=inside,
            may=self.may,
            path=self.request.scope.get("path", ""),
            back=self._here(),
            now=self.now,
            **values,
        )
        return HTMLResponse(text, status_code=status)

    def went(self, path: str) -> Response:
        """Return an answer that leads on to another page, by GET."""
        return RedirectResponse(BASE + path, status_code=303)

    def number(self, name: str, default: int, *, at_most: int = 10**9) -> int:
        """Return a number of the query, ``default`` if it is none or out of bounds."""
        text = self.request.query_params.get(name, "")
        fits = text.isascii() and text.isdecimal() and len(text) < 12
        return int(text) if fits and int(text) <= at_most else default

    def _here(self) -> str:
        return local_path(self.request.url.path) if self.request.method == "GET" else "/"


Answer = Callable[[Visit], Response]


@dataclass(frozen=True, slots=True)
class Door:
    """A page, or what a form does: its roles are in ``roles.ROLES``."""

    method: str
    path: str
    answer: Answer

    def route(self, desk: Desk) -> Route:
        """Return the route that asks who it is, and then opens."""

        async def opened(request: Request) -> Response:
            form = await _form(request) if self.method == "POST" else {}
            answer = await run_in_threadpool(self._answered, desk, request, form)
            answer.headers.update(_HEADERS)
            return answer

        return Route(self.path, opened, methods=[self.method], name=f"{self.method} {self.path}")

    def _answered(self, desk: Desk, request: Request, form: Mapping[str, str] | None) -> Response:
        now = desk.clock()
        shown = request.cookies.get(SESSION_COOKIE, "")
        found = desk.sign_in.who(shown, now)
        language = language_of(
            request.cookies.get(LANGUAGE_COOKIE, ""), request.headers.get("accept-language", "")
        )
        visit = Visit(
            desk=desk,
            request=request,
            now=now,
            language=language,
            token=shown[:128] or new_token(),
            operator=found[0] if found else None,
            session=found[1] if found else None,
            form=form or {},
        )
        answer = self._refusal(visit, form) or self._told(visit)
        if not shown:
            keep(answer, SESSION_COOKIE, visit.token)
        return answer

    def _refusal(self, visit: Visit, form: Mapping[str, str] | None) -> Response | None:
        """Return why this visit goes no further; None if it does."""
        key = (self.method, self.path)
        if form is None:
            return refused(visit, 413, "this form is too large")
        if self.method == "POST" and not _from_here(visit):
            return refused(
                visit,
                403,
                "this form is not of your session: open the page again. If that does not help, "
                "your browser keeps no cookies here: use https, or this machine itself",
            )
        if key in OPEN:
            return None
        if visit.session is None or visit.operator is None:
            if self.method != "GET":
                return refused(visit, 401, "you are signed out: sign in and do it again")
            onward = quote(local_path(visit.request.url.path), safe="/")
            return visit.went("/sign-in" + ("" if onward == "/" else f"?next={onward}"))
        if visit.session.enrolling:
            return None if key in ENROLLING else visit.went("/enrol")
        if key in ENROLLING and key not in ROLES:
            return visit.went("/")
        if not visit.may(*key):
            visit.authority.audit.record(
                "page.refused", visit.now, by=visit.operator.name, page=f"{self.method} {self.path}"
            )
            return refused(visit, 403, "your roles do not allow this")
        return None

    def _told(self, visit: Visit) -> Response:
        try:
            return self.answer(visit)
        except TraceTogetherError as error:
            return told(visit, error)


def told(visit: Visit, error: TraceTogetherError) -> Response:
    """Return the page that says what was wrong; paths and days of the store stay here."""
    status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 400)
    answer = refused(visit, status, _UNAVAILABLE if status == 503 else str(error))
    if isinstance(error, RateLimitedError):
        answer.headers["Retry-After"] = str(error.retry_after_s)
    return answer


def refused(visit: Visit, status: int, why: str) -> Response:
    """Return a page that says no, and why."""
    return visit.page("refused.html", status=status, why=why, code=status)


def keep(answer: Response, cookie: str, value: str, *, longest_s: int | None = None) -> None:
    """Give the browser a cookie that no script reads and no other site sends."""
    answer.set_cookie(
        cookie, value, max_age=longest_s, path="/", secure=True, httponly=True, samesite="strict"
    )


def keep_language(answer: Response, language: str) -> None:
    """Remember which language was chosen."""
    keep(answer, LANGUAGE_COOKIE, language, longest_s=_YEAR_S)


def local_path(path: str) -> str:
    """Return a path of these pages below their base; "/" for anything else."""
    inside = path.removeprefix(BASE)
    plain = inside.startswith("/") and not inside.startswith("//") and "\\" not in inside
    return inside if plain and inside.isascii() and inside.isprintable() else "/"


async def _form(request: Request) -> Mapping[str, str] | None:
    """Return what was filled in; None if it is too large."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            return None
    pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=None)
    return dict(pairs)


def _from_here(visit: Visit) -> bool:
    site = visit.request.headers.get("sec-fetch-site", "same-origin")
    offered = visit.form.get(FORM_TOKEN, "").encode()
    shown = visit.request.cookies.get(SESSION_COOKIE, "")
    return bool(shown) and site == "same-origin" and equal(offered, form_token(shown).encode())
