"""An authority with its pages on loopback, and somebody who signs in by plain HTTP."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from urllib.parse import urlencode

import urllib3
from starlette.types import ASGIApp

from tests.authority_world import NOON, World
from tracetogether.adapters import http_api, operator_pages
from tracetogether.adapters.operator_pages.credentials import Argon2, Totp
from tracetogether.authority.access.permissions import CONSOLE, Role
from tracetogether.authority.access.sign_in import SignIn

PASSWORD = "correct horse battery"
CHEAP = Argon2(rounds=1, memory_kib=64, lanes=1)


class Clock:
    """A clock that a test sets."""

    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@dataclass
class Pages:
    """A running authority with its pages."""

    url: str
    world: World
    clock: Clock
    sign_in: SignIn
    secrets: dict[str, bytes] = field(default_factory=dict)

    def operator(self, name: str, *roles: Role) -> None:
        """Add an operator who has a password and codes."""
        self.world.authority.staff.add(
            name, frozenset(roles), f"token-of-{name}", self.clock.now, by=CONSOLE
        )
        self.enrol(name)

    def enrol(self, name: str) -> None:
        """Give an operator password and codes."""
        now = self.clock.now
        self.sign_in.set_password(name, PASSWORD, now, by=CONSOLE)
        token = self.sign_in.enter(name, PASSWORD, "", now)
        self.secrets[name] = self.sign_in.secret_of(token)
        self.sign_in.enrol(token, Totp().at(self.secrets[name], now - 30), now)

    def code(self, name: str) -> str:
        """Return the code that the operator's app shows; a new one each time."""
        self.clock.now += 30
        return Totp().at(self.secrets[name], self.clock.now)

    def visitor(self, name: str = "") -> "Visitor":
        """Return somebody, signed in if a name is given."""
        found = Visitor(self.url)
        if name:
            status, _ = found.sign_in(name, PASSWORD, self.code(name))
            assert status == 303, found.body
        return found


@dataclass
class Visitor:
    """A browser as plain as can be: cookies and forms."""

    url: str
    cookies: dict[str, str] = field(default_factory=dict)
    language: str = "en"
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    http: urllib3.PoolManager = field(default_factory=urllib3.PoolManager)
    more_headers: dict[str, str] = field(default_factory=dict)

    def get(self, path: str) -> tuple[int, str]:
        return self._send("GET", path, None)

    def post(self, path: str, *, form_token: str | None = None, **form: object) -> tuple[int, str]:
        token = self.form_token if form_token is None else form_token
        return self._send("POST", path, urlencode({"form_token": token, **form}))

    def sign_in(self, name: str, password: str, code: str) -> tuple[int, str]:
        self.get("/sign-in")
        return self.post("/sign-in", name=name, password=password, code=code, onward="/desk/")

    @property
    def form_token(self) -> str:
        found = re.search(r'name="form_token" value="([0-9a-f]+)"', self.body)
        return found[1] if found else ""

    def _send(self, method: str, path: str, body: str | None) -> tuple[int, str]:
        answer = self.http.request(
            method,
            f"{self.url}/desk{path}",
            body=body,
            headers={
                "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
                "Content-Type": "application/x-www-form-urlencoded",
                "Accept-Language": self.language,
                **self.more_headers,
            },
            retries=False,
            redirect=False,
        )
        for line in answer.headers.getlist("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
        self.headers = {name.lower(): value for name, value in answer.headers.items()}
        text = answer.data.decode()
        if text:  # a redirect leaves the page that was there
            self.body = text
        return answer.status, self.headers.get("location", "") or text

    def text(self) -> str:
        """Return what stands on the page, without its marks."""
        return " ".join(unescape(re.sub(r"<[^>]+>", " ", self.body)).split())


@contextmanager
def serving(
    world: World,
    clock: Clock | None = None,
    around: Callable[[ASGIApp], ASGIApp] = lambda pages: pages,
) -> Iterator[Pages]:
    """Serve an authority with its pages, inside of what ``around`` puts around them."""
    clock = clock or Clock()
    signing = operator_pages.sign_in_for(world.authority, CHEAP)
    app = http_api.create_app(world.authority, clock=clock, passwords=signing.give_password)
    pages = operator_pages.create_pages(world.authority, name="SG_MOH", clock=clock, hashing=CHEAP)
    app.mount(operator_pages.BASE, around(pages))
    with http_api.running(app) as url:
        yield Pages(url, world, clock, signing)
