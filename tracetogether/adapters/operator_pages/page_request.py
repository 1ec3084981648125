"""A request to a page: who sends it, in which language, with which form; and how it is answered."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar
from urllib.parse import quote

from jinja2 import Environment
from markupsafe import escape
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from tracetogether.adapters.operator_pages.cookies import SESSION_COOKIE, local_path
from tracetogether.adapters.operator_pages.forms import (
    HELD,
    Given,
    Wrong,
    from_here,
    given_back,
    same_site,
)
from tracetogether.adapters.operator_pages.rendering import BASE
from tracetogether.adapters.operator_pages.roles import ACTIONS
from tracetogether.adapters.operator_pages.texts import HTML_LANGUAGE, LANGUAGES, Texts
from tracetogether.authority.access.operators import Operator
from tracetogether.authority.access.permissions import Action, Caller
from tracetogether.authority.access.sign_in import Session, SignIn, form_token
from tracetogether.authority.service import Authority
from tracetogether.bounded_pool import BoundedPool
from tracetogether.errors import AccessDeniedError, RateLimitedError, TraceTogetherError
from tracetogether.shapes.bodies import RequestBody

Shape = TypeVar("Shape", bound=RequestBody)
PASSWORDS_AT_ONCE: Final = max(1, min(2, (os.cpu_count() or 1) // 2))  # half the cores stay free
PASSWORDS_WAITING: Final = 64  # a whole office may sign in at eight o'clock
_RETRY_AFTER_S: Final = 10


def _password_pool() -> BoundedPool:
    """Return threads for password checks, which are slow on purpose: others stay free for pages."""
    return BoundedPool(
        "passwords",
        workers=PASSWORDS_AT_ONCE,
        waiting=PASSWORDS_WAITING,
        full=lambda: RateLimitedError(_RETRY_AFTER_S),
    )


@dataclass(frozen=True, slots=True)
class Site:
    """What all pages share."""

    authority: Authority
    sign_in: SignIn
    clock: Callable[[], float]
    templates: Environment
    name: str
    base: str = BASE
    passwords: BoundedPool = field(default_factory=_password_pool)


@dataclass(frozen=True, slots=True)
class PageRequest:
    """One request to one page.

    Attributes:
        site: what all pages share.
        http: path, query and cookies.
        now: UTC epoch seconds.
        t: texts in the language of the answer.
        token: of the session; a new one for a browser without a session.
        operator: who is signed in; None for strangers.
        session: None for strangers.
        form: field -> value.
        page_path: path, below the base, of the page; for a form, of the page that holds it.
        wrong: the form's error, if the page shows the form again.
        screen: whether a screen asks, not an operator.
    """

    site: Site
    http: Request
    now: float
    t: Texts
    token: str
    operator: Operator | None
    session: Session | None
    form: Mapping[str, str]
    page_path: str = "/"
    wrong: Wrong | None = None
    screen: bool = False

    @property
    def authority(self) -> Authority:
        """The service."""
        return self.site.authority

    @property
    def base(self) -> str:
        """The first part of every page's path, as browsers see it."""
        return self.site.base

    @property
    def caller(self) -> Caller:
        """The operator, as the service checks permissions of.

        Raises:
            AccessDeniedError: nobody is signed in.
        """
        if self.operator is None:
            raise AccessDeniedError("sign in first", "sign-in-first")
        return self.operator.caller

    def may(self, method: str, path: str) -> bool:
        """Return whether this operator may open a page, so that pages can show a link to it."""
        return self.operator is not None and self.operator.may(ACTIONS.get((method, path)))

    def allows(self, action: Action) -> bool:
        """Return whether this operator's roles allow ``action``."""
        return self.operator is not None and self.operator.may(action)

    @property
    def own_form(self) -> bool:
        """Whether the form comes from this session, or at least from this site.

        A form that another site made the browser send is neither shown nor sent again.
        """
        shown = self.http.cookies.get(SESSION_COOKIE, "")
        site = same_site(self.http)
        return site is not False and (bool(site) or from_here(self.http, self.form, shown))

    @property
    def version(self) -> int | None:
        """The version of the case or contact that the form was made from; None without one."""
        text = self.form.get("version", "")
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None

    def read(self, shape: type[Shape], **wrong: TraceTogetherError) -> Shape:
        """Return the form, checked as a body of the HTTP interface is; blank fields are left out.

        Args:
            shape: what is wanted of the form.
            wrong: field -> error to raise if that field is missing or invalid.

        Raises:
            TraceTogetherError: the one of the first field that is wrong.
        """
        typed = {name: self.form.get(name, "").strip() for name in shape.model_fields}
        try:
            return shape.model_validate_strings(
                {name: text for name, text in typed.items() if text}
            )
        except ValidationError as invalid:
            raise wrong[str(invalid.errors()[0]["loc"][0])] from None

    @property
    def confirmed(self) -> bool:
        """Whether a question was answered with yes."""
        return self.form.get("confirm") == "yes"

    def number(self, name: str, default: int, *, at_most: int = 10**9) -> int:
        """Return a number from the query; ``default`` if it is none or out of bounds."""
        text = self.http.query_params.get(name, "")
        fits = text.isascii() and text.isdecimal() and len(text) < 12
        return int(text) if fits and int(text) <= at_most else default

    def render(self, template: str, *, status: int = 200, **values: object) -> HTMLResponse:
        """Return a page.

        Args:
            template: name of the template.
            status: HTTP status.
            values: the template's variables.
        """
        # The menu is for operators who are fully signed in.
        inside = self.operator is not None and self.session and not self.session.enrolling
        bulletin = self.authority.bulletins.current(self.now) if inside or self.screen else None
        asked = set()

        def typed(name: str, otherwise: str = "") -> str:
            """Return what was typed into a field whose form is shown again."""
            asked.add(name)
            return self.form.get(name, otherwise) if self.wrong else otherwise

        def drawn(unshown: tuple[Given, ...]) -> str:
            return self.site.templates.get_template(template).render(
                t=self.t,
                nt=self.t.plural,
                label=self.t.label,
                language=self.t.language,
                html_language=HTML_LANGUAGE[self.t.language],
                languages=LANGUAGES,
                form_token=form_token(self.token),
                authority_name=self.site.name,
                operator=self.operator,
                inside=inside,
                bulletin=bulletin,
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
                given
                for given in given_back(self.form)
                if given.typed and (given.name not in asked or str(escape(given.value)) not in text)
            )
            text = drawn(unshown) if unshown else text
        return HTMLResponse(text, status_code=status)

    def ask(self, title: str, why: str, rows: Sequence[tuple[str, str]], yes: str) -> Response:
        """Return a page that asks for confirmation before the form is carried out.

        Args:
            title: the question.
            why: what it means.
            rows: what will happen: label and figure.
            yes: text of the button.
        """
        return self.render(
            "confirm.html",
            title=title,
            why=why,
            rows=rows,
            yes=yes,
            given=given_back(self.form),
            again=local_path(quote(self.http.url.path)),
        )

    def redirect(self, path: str) -> Response:
        """Return a redirect (303) to another page."""
        return RedirectResponse(self.base + path, status_code=303)


def _section(path: str) -> str:
    """Return which entry of the menu a page belongs to."""
    first = "/" + path.split("/")[1]
    return "/cases" if first == "/contacts" else first
