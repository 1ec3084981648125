"""One door for every page: session, role and form token are asked before anything else."""

import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final
from urllib.parse import quote

from jinja2 import Environment
from markupsafe import escape
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from tracetogether.adapters.operator_pages.advice import told_here
from tracetogether.adapters.operator_pages.cookies import (
    LANGUAGE_COOKIE,
    SESSION_COOKIE,
    keep,
    local_path,
)
from tracetogether.adapters.operator_pages.forms import (
    HELD,
    Both,
    Filled,
    Given,
    Wrong,
    filled_in,
    from_here,
    given_back,
    held_form,
    same_site,
)
from tracetogether.adapters.operator_pages.rendering import BASE, HEADERS
from tracetogether.adapters.operator_pages.roles import ACTIONS, ENROLLING, OPEN
from tracetogether.adapters.operator_pages.waiting import Queue
from tracetogether.adapters.operator_pages.words import (
    HTML_LANGUAGE,
    LANGUAGES,
    language_of,
    translator,
)
from tracetogether.authority.access.operators import Caller, Operator
from tracetogether.authority.access.permissions import PERMISSIONS, Action
from tracetogether.authority.access.sign_in import Session, SignIn, form_token, new_token
from tracetogether.authority.service import Authority
from tracetogether.errors import (
    AccessDeniedError,
    ConflictError,
    KeyRingError,
    NotFoundError,
    RateLimitedError,
    StaleError,
    StoreError,
    TraceTogetherError,
)
from tracetogether.reasons_of_faults import reason_of

_STATUS: Final[Mapping[type[TraceTogetherError], int]] = {
    AccessDeniedError: 403,
    NotFoundError: 404,
    ConflictError: 409,
    RateLimitedError: 429,
    StoreError: 503,
    KeyRingError: 503,
}
_UNAVAILABLE: Final = (
    "The service can’t read or write its data or keys now. Nothing was saved; try again in some "
    "minutes. If it stays so, tell whoever runs this server."
)
_FAULT: Final = (
    "A fault of this server kept it from being done; nothing of it was saved. Try again; if it "
    "comes again, tell whoever runs this server this reference: {reference}"
)
_TOO_LARGE: Final = (
    "This form is too large, and its end is missing below: a note has up to 2,000 characters. "
    "Shorten it, compare it with what you wrote, and send it again."
)
_NOTHING_HERE: Final = "There is nothing at this address: take one of the pages above, or sign in."
_NUL: Final = "A text here holds a NUL character, which can’t be kept: remove it and try again."
_SENT_AGAIN: Final = frozenset({400, 403, 409, 413, 429, 500, 503})
"""After which of them a form may be sent once more."""
_SHOWN_AGAIN: Final = frozenset({400, 404, 409, 429})
_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Desk:
    """What all pages share."""

    authority: Authority
    sign_in: SignIn
    clock: Callable[[], float]
    templates: Environment
    name: str
    base: str = BASE
    passwords: Queue = field(default_factory=Queue)


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
        page_path: path below the base of the page that this is, or whose form was sent.
        wrong: what was wrong with the form, if it is shown again.
    """

    desk: Desk
    request: Request
    now: float
    language: str
    token: str
    operator: Operator | None
    session: Session | None
    form: Mapping[str, str]
    page_path: str = "/"
    wrong: Wrong | None = None

    @property
    def authority(self) -> Authority:
        """The service."""
        return self.desk.authority

    @property
    def base(self) -> str:
        """What the path of every page begins with, as browsers see it."""
        return self.desk.base

    @property
    def caller(self) -> Caller:
        """On whose behalf things are done."""
        if self.operator is None:
            msg = "sign in first"
            raise AccessDeniedError(msg)
        return Caller.of(self.operator)

    def may(self, method: str, path: str) -> bool:
        """Return whether this operator may open a page, to show the way to it or not."""
        return self.operator is not None and self.operator.may(ACTIONS.get((method, path)))

    def allows(self, action: Action) -> bool:
        """Return whether this operator's roles allow ``action``."""
        return self.operator is not None and self.operator.may(action)

    def say(self, text: str, **values: object) -> str:
        """Return a text in the visit's language."""
        return translator(self.language)(text, **values)

    def advice(self, message: str) -> str:
        """Return what the page says for a message of the service, in the visit's language."""
        text, figures = told_here(message)
        return self.say(text, **{name: self.say(value) for name, value in figures.items()})

    @property
    def own_form(self) -> bool:
        """Whether the form is of this session's page, or the browser says: of this site's.

        What another site made a browser send is neither shown nor sent again.
        """
        shown = self.request.cookies.get(SESSION_COOKIE, "")
        site = same_site(self.request)
        return site is not False and (bool(site) or from_here(self.request, self.form, shown))

    def page(self, template: str, *, status: int = 200, **values: object) -> HTMLResponse:
        """Return a page."""
        # Only who is fully signed in is shown the way around.
        inside = self.operator is not None and self.session and not self.session.enrolling
        asked = set()

        def typed(name: str, otherwise: str = "") -> str:
            """Return what was typed into a field whose form is shown again."""
            asked.add(name)
            return self.form.get(name, otherwise) if self.wrong else otherwise

        def drawn(unshown: tuple[Given, ...]) -> str:
            return self.desk.templates.get_template(template).render(
                t=translator(self.language),
                language=self.language,
                html_language=HTML_LANGUAGE[self.language],
                languages=LANGUAGES,
                form_token=form_token(self.token),
                authority_name=self.desk.name,
                operator=self.operator,
                inside=inside,
                may=self.may,
                back=self.page_path,
                section=_section(self.page_path),
                wrong=self.wrong,
                typed=typed,
                unshown=unshown,
                held=HELD,
                now=self.now,
                **values,
            )

        text = drawn(())
        if self.wrong is not None:
            unshown = tuple(
                one
                for one in given_back(self.form)
                if one.label and (one.name not in asked or str(escape(one.value)) not in text)
            )
            text = drawn(unshown) if unshown else text
        return HTMLResponse(text, status_code=status)

    @property
    def version(self) -> int | None:
        """Return which version of a case or contact a form was made of; None if it does not say."""
        text = self.form.get("version", "")
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None

    @property
    def confirmed(self) -> bool:
        """Return whether a question was answered with yes."""
        return self.form.get("confirm") == "yes"

    def ask(self, title: str, why: str, rows: Sequence[tuple[str, str]], yes: str) -> Response:
        """Return a page that asks before the form is carried out: nothing was done yet.

        Args:
            title: what is asked, in English.
            why: what it means, in the visit's language.
            rows: what will happen: label and figure, in the visit's language.
            yes: what the button says, in English.
        """
        return self.page(
            "confirm.html",
            title=title,
            why=why,
            rows=rows,
            yes=yes,
            given=given_back(self.form),
            again=local_path(quote(self.request.url.path)),
        )

    def went(self, path: str) -> Response:
        """Return an answer that leads on to another page, by GET."""
        return RedirectResponse(self.base + path, status_code=303)

    def number(self, name: str, default: int, *, at_most: int = 10**9) -> int:
        """Return a number of the query, ``default`` if it is none or out of bounds."""
        text = self.request.query_params.get(name, "")
        fits = text.isascii() and text.isdecimal() and len(text) < 12
        return int(text) if fits and int(text) <= at_most else default


Answer = Callable[[Visit], Response]


@dataclass(frozen=True, slots=True)
class Door:
    """A page, or what a form does: what it does is in ``roles.ACTIONS``.

    Attributes:
        method, path: what is asked for.
        answer: what answers it.
        form_on: the page that a form stands on, to be shown again with what was typed.
        blames: which field an error of some kind is about; of several, the first that was sent.
        both: what is stored now beside what was sent, for a form that was overtaken.
        checks_password: it takes a tenth of a second of a core, and waits in a queue for that.
    """

    method: str
    path: str
    answer: Answer
    form_on: Answer | None = None
    blames: Mapping[type[TraceTogetherError], str] = field(default_factory=dict)
    both: Callable[[Visit], Sequence[Both]] | None = None
    checks_password: bool = False

    def route(self, desk: Desk) -> Route:
        """Return the route that asks who it is, and then opens."""

        async def opened(request: Request) -> Response:
            signing_in = (self.method, self.path) in OPEN or (self.method, self.path) in ENROLLING
            posted = self.method == "POST" or (self is NOWHERE and request.method == "POST")
            form = await filled_in(request, signing_in=signing_in) if posted else Filled()
            work = partial(self._safely, desk, request, form)
            try:
                answer = await (desk.passwords.run if self.checks_password else here)(work)
            except RateLimitedError as error:
                full = replace(self, answer=partial(told, error=error), checks_password=False)
                answer = await here(partial(full._safely, desk, request, form))  # noqa: SLF001
            answer.headers.update(HEADERS)
            return answer

        here = run_in_threadpool
        name = f"{self.method} {self.path}"
        methods = list(_METHODS) if self is NOWHERE else [self.method]
        return Route(self.path, opened, methods=methods, name=name)

    def way_back(self, desk: Desk) -> Route:
        """Return a route for who asks by GET for what a form does: to the page of the form."""

        def back(request: Request) -> Response:
            return RedirectResponse(desk.base + self._page_path(request), 303, dict(HEADERS))

        return Route(self.path, back, methods=["GET"], name=f"GET {self.path}")

    def _page_path(self, request: Request) -> str:
        path = local_path(quote(request.url.path))
        page = ("GET", self.path)
        if self.method != "POST" or page in ACTIONS or page in OPEN or page in ENROLLING:
            return path
        return path.rpartition("/")[0] or "/"

    def _safely(self, desk: Desk, request: Request, form: Filled) -> Response:
        """Return an answer whatever goes wrong; what it was stands in the log and nowhere else."""
        shown = request.cookies.get(SESSION_COOKIE, "")
        language = language_of(
            request.cookies.get(LANGUAGE_COOKIE, ""), request.headers.get("accept-language", "")
        )
        stranger = Visit(
            desk=desk,
            request=request,
            now=desk.clock(),
            language=language,
            token=shown[:128] or new_token(),
            operator=None,
            session=None,
            form=form.values,
            page_path=self._page_path(request),
        )
        try:
            answer = self._answered(stranger, shown, cut=form.cut)
        except TraceTogetherError as error:  # the store, before it was known who it is
            answer = told(stranger, error)
        except Exception as error:  # noqa: BLE001 - whatever it is, a page is shown, and the log has it
            reference = secrets.token_hex(4)
            _LOG.error(
                "%s %s%s answered 500: fault %s: %s",
                *(self.method, BASE, self.path, reference, reason_of(error)),
            )
            answer = refused(stranger, 500, _FAULT, reference=reference)
        if not shown:
            keep(answer, SESSION_COOKIE, stranger.token)
        return answer

    def _answered(self, stranger: Visit, shown: str, *, cut: bool) -> Response:
        found = stranger.desk.sign_in.who(shown, stranger.now)
        visit = replace(stranger, operator=found[0], session=found[1]) if found else stranger
        return self._refusal(visit, cut=cut) or self._told(visit)

    def _refusal(self, visit: Visit, *, cut: bool) -> Response | None:
        """Return why this visit goes no further; None if it does."""
        key = (self.method, self.path)
        query = visit.request.query_params.values()
        if any("\0" in text for text in (visit.request.url.path, *query, *visit.form.values())):
            return refused(visit, 400, _NUL)
        if cut:
            return refused(visit, 413, _TOO_LARGE)
        shown = visit.request.cookies.get(SESSION_COOKIE, "")
        if self.method == "POST" and not from_here(visit.request, visit.form, shown):
            return refused(
                visit,
                403,
                "This form is not of your session: open the page again. If that does not help, "
                "your browser keeps no cookies here: use https, or this machine itself.",
            )
        if key in OPEN or self is NOWHERE:
            return None
        if visit.session is None or visit.operator is None:
            if self.method != "GET":
                return refused(visit, 401, "You are signed out: sign in and do it again.")
            onward = quote(_asked_for(visit.request), safe="/")
            return visit.went("/sign-in" + ("" if onward == "/" else f"?next={onward}"))
        if visit.session.enrolling:
            return None if key in ENROLLING else visit.went("/enrol")
        if key in ENROLLING and key not in ACTIONS:
            return visit.went("/")
        if not visit.may(*key):
            visit.authority.audit.record(
                "page.refused", visit.now, by=visit.operator.name, page=f"{self.method} {self.path}"
            )
            action = ACTIONS.get(key)
            needed = ", ".join(sorted(role.value for role in PERMISSIONS[action])) if action else ""
            return refused(
                visit,
                403,
                "Your roles do not allow this: it takes one of {roles}. Ask a colleague who has "
                "it, or whoever runs this server.",
                roles=needed or "–",
            )
        return None

    def _told(self, visit: Visit) -> Response:
        try:
            return self.answer(visit)
        except TraceTogetherError as error:
            return self._again(visit, error) or told(visit, error)

    def _again(self, visit: Visit, error: TraceTogetherError) -> Response | None:
        """Return the page with the form as it was filled in; None if there is no such page."""
        status = _status(error)
        if self.form_on is None or status not in _SHOWN_AGAIN:
            return None
        stale = isinstance(error, StaleError)
        blamed = (names for kind, names in self.blames.items() if isinstance(error, kind))
        names = "" if stale else next(blamed, "")
        field_wrong = next((name for name in names.split() if name in visit.form), "")
        why = visit.advice(str(error))
        try:
            both = tuple(self.both(visit)) if stale and self.both is not None else ()
            answer = self.form_on(replace(visit, wrong=Wrong(why, field_wrong, both)))
            if f'id="{field_wrong}-wrong"'.encode() not in bytes(answer.body) and field_wrong:
                answer = self.form_on(replace(visit, wrong=Wrong(why)))  # the field is gone
        except TraceTogetherError:  # the page itself is refused
            return None
        answer.status_code = status
        return patient(answer, error)


def told(visit: Visit, error: TraceTogetherError) -> Response:
    """Return the page that says what was wrong; paths and days of the store stay here."""
    status = _status(error)
    if status >= 500:
        _LOG.error("%s %s answered %d: %s", visit.request.method, BASE, status, reason_of(error))
    why = visit.say(_UNAVAILABLE) if status == 503 else visit.advice(str(error))
    return patient(refused(visit, status, why), error)


def refused(visit: Visit, status: int, why: str, **values: object) -> Response:
    """Return a page that says no, and why, and gives back all that was typed.

    A form that was stopped on its way can be sent from there again, after a sign-in if need be.
    """
    # A stranger whose browser names no site may be sent here by any.
    signed_in = visit.operator is not None and same_site(visit.request) is None
    lost, path = held_form(visit.form) or (visit.form, local_path(quote(visit.request.url.path)))
    given = given_back(lost) if visit.own_form or signed_in else ()
    asks_who = ("POST", path) in OPEN or ("POST", path) in ENROLLING
    sent_again = visit.own_form and bool(given) and not asks_who
    known = visit.operator is not None or status >= 500
    return visit.page(
        "refused.html",
        status=status,
        why=visit.say(why, **values),
        code=status,
        given=given,
        typed_some=any(one.label for one in given),
        again=path if sent_again and known and status in _SENT_AGAIN else "",
        held_path=path if sent_again and not known else "",
        onward=visit.page_path,
        back_to=_asked_for(visit.request) if visit.request.method == "GET" else visit.page_path,
        name=visit.form.get("name", "") if lost is not visit.form else "",
    )


def _asked_for(request: Request) -> str:
    """Return what a page was asked for by, with what was searched in it."""
    query = f"?{request.url.query}" if request.url.query else ""
    return local_path(quote(request.url.path) + query)


def nothing_here(visit: Visit) -> Response:
    """Say that there is no such page."""
    return refused(visit, 404, _NOTHING_HERE)


NOWHERE: Final = Door("GET", "/{path:path}", nothing_here)
"""What answers for all addresses that no other door is at."""


def _status(error: TraceTogetherError) -> int:
    return next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 400)


def patient(answer: Response, error: TraceTogetherError) -> Response:
    """Return an answer that says when to try again, if that is what the error says."""
    if isinstance(error, RateLimitedError):
        answer.headers["Retry-After"] = str(error.retry_after_s)
    return answer


def _section(path: str) -> str:
    """Return which page of the bar above a page belongs to."""
    first = "/" + path.split("/")[1]
    return "/cases" if first == "/contacts" else first
