"""A running authority with an SQL store on loopback, and who talks to it."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import urllib3

from tests.authority_world import NOON, World
from tracetogether.adapters.http_client import AuthorityClient
from tracetogether.phone_registration import PhoneRegistration

PUBLIC = {
    *(("get", "/v1/health"), ("get", "/v1/ready"), ("post", "/v1/users")),
    *(("get", "/v1/figures/restrictions"), ("get", "/v1/trust"), ("get", "/v1/revocations")),
    ("post", "/v1/partners/{organisation}/records"),  # signed instead
    *(("get", "/open/figures.csv"), ("get", "/open/datapackage.json")),
    *(("get", "/v1/warnings"), ("get", "/v1/warnings/{hour}"), ("get", "/v1/trips/{date}")),
    ("get", "/v1/warnings/{hour}/bundle"),
}


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


def eventually(happened: Callable[[], bool]) -> bool:
    """Wait for what other threads do, however slow the machine is; not for ever."""
    until = time.monotonic() + 25
    while not happened() and time.monotonic() < until:
        time.sleep(0.02)
    return happened()


@dataclass
class Site:
    """A running authority in memory keys and an SQL store, and who talks to it."""

    url: str
    clock: Clock
    world: World
    operator: AuthorityClient
    http: urllib3.PoolManager

    def phone(self) -> tuple[AuthorityClient, PhoneRegistration]:
        client = AuthorityClient(self.url, retries=0)
        return client, client.register()

    def send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        bearer: str | None = None,
        **headers: str,
    ) -> tuple[int, Any]:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if bearer is not None:
            sent["Authorization"] = f"Bearer {bearer}"
        sent.setdefault("Content-Type", "application/json")
        answer = self.http.request(
            method, self.url + path, body=body, headers=sent, retries=False, redirect=False
        )
        return answer.status, json.loads(answer.data)


def routes(site: Site) -> list[tuple[str, str]]:
    _, document = site.send("GET", "/openapi.json")
    return [(method, path) for path, methods in document["paths"].items() for method in methods]
