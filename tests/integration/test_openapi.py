"""The whole OpenAPI document against the service: no 5xx, no answer that it does not describe."""

from functools import cache

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.authority_world import NOON, OPERATOR_TOKEN, World
from tests.conftest import counted_entropy
from tracetogether.adapters import http_api
from tracetogether.adapters.http_api import partners
from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.cases.case import Case
from tracetogether.authority.intake.issuance import Registration
from tracetogether.bluetrace.upload import write_upload

CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)
WORLD = World.of(counted_entropy(7))
APP = http_api.create_app(WORLD.authority, clock=lambda: NOON)
schemathesis.openapi.media_type(partners.MEDIA_TYPE, st.binary())  # any bytes as a message
SCHEMA = schemathesis.openapi.from_asgi("/openapi.json", APP)


def allowed(path: str) -> dict[str, str]:
    """Return the headers of somebody whom the route lets in: more than the door is tried."""
    authority = WORLD.authority
    if path.startswith(("/v1/users", "/v1/tempids", "/v1/upload-tokens")):
        return bearer(authority.issuance.register().credential)
    if path == "/v1/uploads":
        phone, case = patient()
        token = WORLD.token(case, write_upload([]), NOON)
        return {**bearer(token), "X-Credential": phone.credential}
    return bearer(OPERATOR_TOKEN)


@cache
def patient() -> tuple[Registration, Case]:
    """Return a phone with a case, one for all its uploads: other routes list each case again."""
    phone = WORLD.authority.issuance.register()
    return phone, WORLD.authority.casework.open_case(phone.user_id, NOON, by=CONSOLE)


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


@pytest.fixture(scope="module", autouse=True)
def one_case() -> None:
    WORLD.authority.purge(NOON, clock_is_right=True)  # else the clock is doubted: not ready
    case = WORLD.authority.casework.open_case(WORLD.user(), NOON, by=CONSOLE)
    WORLD.take(case, WORLD.heard(WORLD.user(), NOON - 3600, 5), NOON)


@SCHEMA.parametrize()
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_no_answer_is_a_fault_or_undocumented(case: schemathesis.Case) -> None:
    case.call_and_validate(headers=allowed(case.path), checks=CHECKS)
