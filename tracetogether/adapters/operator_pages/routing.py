"""Routes of the pages: session, role and form token are checked before a page does anything."""

import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from tracetogether.adapters.operator_pages.cookies import (
    LANGUAGE_COOKIE,
    SCREEN_COOKIE,
    SESSION_COOKIE,
    keep,
    local_path,
)
from tracetogether.adapters.operator_pages.forms import Both, Filled, Wrong, filled_in, from_here
from tracetogether.adapters.operator_pages.page_request import PageRequest, Site
from tracetogether.adapters.operator_pages.rendering import BASE, HEADERS
from tracetogether.adapters.operator_pages.responses import (
    error_response,
    path_and_query,
    refusal,
    status_of,
    with_retry_after,
)
from tracetogether.adapters.operator_pages.roles import ACTIONS, ENROLLING, OPEN, SCREENS
from tracetogether.adapters.operator_pages.texts import TEXTS, language_of
from tracetogether.authority.access.permissions import PERMISSIONS
from tracetogether.authority.access.sign_in import new_token
from tracetogether.errors import RateLimitedError, StaleError, TraceTogetherError
from tracetogether.reasons_of_faults import reason_of

_SHOWN_AGAIN: Final = frozenset({400, 404, 409, 429})
"""Statuses after which the page with the form is shown again."""
_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_LOG: Final = logging.getLogger(__name__)

Answer = Callable[[PageRequest], Response]
Blames = Mapping[str | type[TraceTogetherError], str]
"""Code or kind of an error -> names of fields, in one text."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page (GET) or what a form does (POST); ``roles.ACTIONS`` says which action it is.

    Attributes:
        method, path: of the route.
        answer: returns the answer.
        form_on: the page that holds the form; it is shown again with what was typed.
        blames: the fields that an error is about; the first that was sent is marked as wrong.
        both: what is stored now beside what was sent, for a form that a colleague overtook.
        checks_password: it takes a tenth of a second of a core, and waits in a queue for that.
    """

    method: str
    path: str
    answer: Answer
    form_on: Answer | None = None
    blames: Blames = field(default_factory=dict)
    both: Callable[[PageRequest], Sequence[Both]] | None = None
    checks_password: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """Its key in ``roles``."""
        return self.method, self.path

    def route(self, site: Site) -> Route:
        """Return the route, which checks the request before it answers."""

        async def endpoint(http: Request) -> Response:
            signing_in = self.key in OPEN or self.key in ENROLLING
            posted = self.method == "POST" or (self is NOT_FOUND and http.method == "POST")
            form = await filled_in(http, signing_in=signing_in) if posted else Filled()
            run = site.passwords.run if self.checks_password else run_in_threadpool
            try:
                answer = await run(partial(self._respond, site, http, form))
            except RateLimitedError as error:
                full = replace(self, answer=partial(error_response, error=error))
                answer = await run_in_threadpool(full._respond, site, http, form)  # noqa: SLF001
            answer.headers.update(HEADERS)
            return answer

        methods = list(_METHODS) if self is NOT_FOUND else [self.method]
        return Route(self.path, endpoint, methods=methods, name=" ".join(self.key))

    def way_back(self, site: Site) -> Route:
        """Return a route for a GET of a form's path: a redirect to the page with the form."""

        def back(http: Request) -> Response:
            return RedirectResponse(site.base + self._page_path(http), 303, dict(HEADERS))

        return Route(self.path, back, methods=["GET"], name=f"GET {self.path}")

    def _page_path(self, http: Request) -> str:
        path = local_path(quote(http.url.path))
        page = ("GET", self.path)
        if self.method != "POST" or page in ACTIONS or page in OPEN or page in ENROLLING:
            return path
        return path.rpartition("/")[0] or "/"

    def _respond(self, site: Site, http: Request, form: Filled) -> Response:
        """Return an answer whatever goes wrong; the log alone says what that was."""
        shown = http.cookies.get(SESSION_COOKIE, "")
        language = language_of(
            http.cookies.get(LANGUAGE_COOKIE, ""), http.headers.get("accept-language", "")
        )
        request = PageRequest(
            site=site,
            http=http,
            now=site.clock(),
            t=TEXTS[language],
            token=shown[:128] or new_token(),
            operator=None,
            session=None,
            form=form.values,
            page_path=self._page_path(http),
        )
        try:
            answer = self._respond_to_session(request, shown, cut=form.cut)
        except TraceTogetherError as error:  # from the store, before it was known who it is
            answer = error_response(request, error)
        except Exception as error:  # noqa: BLE001 - whatever it is, a page is shown, and the log has it
            reference = secrets.token_hex(4)
            _LOG.error(
                "%s %s%s answered 500: fault %s: %s",
                *(self.method, BASE, self.path, reference, reason_of(error)),
            )
            answer = refusal(request, 500, "server-error", reference=reference)
        if not shown:
            keep(answer, SESSION_COOKIE, request.token)
        return answer

    def _respond_to_session(self, request: PageRequest, shown: str, *, cut: bool) -> Response:
        found = request.site.sign_in.who(shown, request.now)
        if found:
            request = replace(request, operator=found[0], session=found[1])
        elif self.key in SCREENS:
            screen = request.http.cookies.get(SCREEN_COOKIE, "")
            shown_by = request.authority.screens.who(screen, request.now)
            request = replace(request, operator=shown_by, screen=shown_by is not None)
        refused = self._refusal(request, shown, cut=cut)
        if refused is not None:
            return refused
        try:
            return self.answer(request)
        except TraceTogetherError as error:
            return self._form_again(request, error) or error_response(request, error)

    def _refusal(self, request: PageRequest, shown: str, *, cut: bool) -> Response | None:
        """Return why this request goes no further; None if it does."""
        http = request.http
        texts = (http.url.path, *http.query_params.values(), *request.form.values())
        if any("\0" in text for text in texts):
            return refusal(request, 400, "nul-character")
        if cut:
            return refusal(request, 413, "form-too-large")
        if self.method == "POST" and not from_here(http, request.form, shown):
            return refusal(request, 403, "form-expired")
        if self.key in OPEN or self is NOT_FOUND:
            return None
        if request.screen and request.may(*self.key):
            return None
        if request.session is None or request.operator is None:
            if self.key in SCREENS and SCREEN_COOKIE in http.cookies:
                return request.redirect("/wall/enter")
            if self.method != "GET":
                return refusal(request, 401, "sign-in-first")
            onward = quote(path_and_query(http), safe="/")
            return request.redirect("/sign-in" + ("" if onward == "/" else f"?next={onward}"))
        if request.session.enrolling:
            return None if self.key in ENROLLING else request.redirect("/enrol")
        if self.key in ENROLLING and self.key not in ACTIONS:
            return request.redirect("/")
        if request.may(*self.key):
            return None
        request.authority.audit.record(
            "page.refused", request.now, by=request.operator.name, page=" ".join(self.key)
        )
        action = ACTIONS.get(self.key)
        roles = sorted(role.value for role in PERMISSIONS[action]) if action else []
        needed = request.t.any_of([request.t.label("role", role) for role in roles])
        return refusal(request, 403, "role-needed", roles=needed or "–")

    def _form_again(self, request: PageRequest, error: TraceTogetherError) -> Response | None:
        """Return the page with the form as it was filled in; None if there is no such page."""
        status = status_of(error)
        if self.form_on is None or status not in _SHOWN_AGAIN:
            return None
        stale = isinstance(error, StaleError)
        blamed = (
            names
            for kind, names in self.blames.items()
            if (error.code == kind if isinstance(kind, str) else isinstance(error, kind))
        )
        names = "" if stale else next(blamed, "")
        field_wrong = next((name for name in names.split() if name in request.form), "")
        why = request.t.error(error.code, **error.figures)
        try:
            both = tuple(self.both(request)) if stale and self.both is not None else ()
            answer = self.form_on(replace(request, wrong=Wrong(why, field_wrong, both)))
            if f'id="{field_wrong}-wrong"'.encode() not in bytes(answer.body) and field_wrong:
                answer = self.form_on(replace(request, wrong=Wrong(why)))  # the field is gone
        except TraceTogetherError:  # the page itself is refused
            return None
        answer.status_code = status
        return with_retry_after(answer, error)


def nothing_here(request: PageRequest) -> Response:
    """Return the page that says that there is no such page."""
    return refusal(request, 404, "nothing-here")


NOT_FOUND: Final = Page("GET", "/{path:path}", nothing_here)
"""Answers all addresses that no other page has."""
