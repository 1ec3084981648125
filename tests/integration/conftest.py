"""A running authority for each test that wants one of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from tests.authority_world import OPERATOR_TOKEN, World
from tests.fresh_stores import fresh_store
from tests.http_site import Clock, Site
from tests.pages_world import CHEAP
from tracetogether.adapters import http_api
from tracetogether.adapters.http_client import AuthorityClient
from tracetogether.adapters.operator_pages import sign_in_for
from tracetogether.units import Entropy


@pytest.fixture
def site(entropy: Entropy, tmp_path: Path) -> Iterator[Site]:
    clock = Clock()
    with fresh_store(tmp_path / "authority.db") as store:
        world = World.of(entropy, store=store)
        passwords = sign_in_for(world.authority, CHEAP).give_password
        app = http_api.create_app(
            world.authority, clock=clock, answer_step_s=0, passwords=passwords
        )
        with (
            http_api.running(app) as url,
            AuthorityClient(url, operator_token=OPERATOR_TOKEN, retries=0) as operator,
            urllib3.PoolManager() as http,
        ):
            yield Site(url, clock, world, operator, http)
