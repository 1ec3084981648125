"""The client of the authority: what it tells, what it asks again, what it refuses to send."""

import time
from pathlib import Path

import pytest

from tests.authority_world import NOON
from tests.http_site import Site
from tracetogether.adapters import http_api, http_client
from tracetogether.adapters.http_client import AuthorityClient
from tracetogether.adapters.sql_store import SqlStore
from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.errors import (
    AccessDeniedError,
    ConflictError,
    InvalidRequestError,
    InvalidUploadError,
    NotFoundError,
    StoreError,
    UnreachableError,
)
from tracetogether.phone_registration import PhoneRegistration

pytestmark = pytest.mark.network


def test_the_client_names_what_went_wrong(site: Site) -> None:
    client, who = site.phone()
    body = b'{"records": []}'
    with client:
        case_id = site.operator.open_case(who.user_id)
        pin = site.operator.issue_pin(case_id)
        with pytest.raises(AccessDeniedError, match="PIN is not accepted"):
            client.redeem_pin(f"{(int(pin) + 1) % 10**8:08d}", body)
        with pytest.raises(InvalidRequestError, match="pin"):
            client.redeem_pin("1234", body)
        token = client.redeem_pin(pin, body)
        with pytest.raises(InvalidUploadError, match="not the log"):
            client.upload(body + b" ", token)
        assert client.upload(body, token)["records"] == 0
        with pytest.raises(ConflictError, match="already received"):
            client.upload(body, token)
        with pytest.raises(AccessDeniedError, match="upload token"):
            client.upload(body, token[:-4] + "AAAA")
        with pytest.raises(NotFoundError, match="user"):
            site.operator.open_case("A" * 28)
        with pytest.raises(NotFoundError, match="no such case"):
            site.operator.contacts("NONE")
        with pytest.raises(NotFoundError, match="nothing at this address"):
            site.operator.contacts("../users")
        with pytest.raises(InvalidRequestError, match="policy"):
            site.operator.contacts(case_id, "none&such=1")
        with pytest.raises(InvalidRequestError, match="date"):
            site.operator.open_case(who.user_id, "4 May")
        with pytest.raises(InvalidRequestError, match="future"):
            site.operator.open_case(who.user_id, "2020-06-04")
        with pytest.raises(AccessDeniedError, match="operator"):
            client.cases()


def test_a_server_that_is_gone_is_an_error(site: Site) -> None:
    with http_api.listening("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
    with (
        AuthorityClient(f"http://127.0.0.1:{port}", retries=1, backoff_s=0.0) as client,
        pytest.raises(UnreachableError, match=r"does not answer \(no connection\)"),
    ):
        client.register()


def test_a_server_of_another_kind_is_an_error(site: Site) -> None:
    with (
        AuthorityClient(site.url + "/elsewhere", retries=0) as client,
        pytest.raises(NotFoundError),
    ):
        client.register()


@pytest.mark.parametrize("url", ["", "health", "ftp://health.example", "http://", "http://[::1"])
def test_an_invalid_address_is_an_error(url: str) -> None:
    with pytest.raises(UnreachableError, match="not the address"):
        AuthorityClient(url)


def test_secrets_do_not_cross_a_network_in_clear_unless_allowed() -> None:
    with pytest.raises(UnreachableError, match="https"):
        AuthorityClient("http://health.example")
    AuthorityClient("https://health.example").close()
    AuthorityClient("http://health.example", allow_plain_http=True).close()
    AuthorityClient("http://localhost:8000/").close()


def test_a_busy_server_is_asked_again_where_that_does_no_harm(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    real = SqlStore.user_of

    def busy(self: SqlStore, digest: bytes) -> str | None:
        calls.append(1)
        if len(calls) < 3:
            raise StoreError("busy")
        return real(self, digest)

    client, _ = site.phone()
    monkeypatch.setattr(SqlStore, "user_of", busy)
    with (
        client,
        AuthorityClient(
            site.url, credential=client._credential, retries=2, backoff_s=0.0
        ) as patient,
    ):
        batch = patient.fetch_batch()
        assert len(batch) == 100
        assert len(calls) == 3
        wall = time.time()  # noqa: TID251 - the server in this process reads it
        assert batch.issued_at is not None
        assert abs(batch.issued_at - wall) < 30
        calls.clear()
        with pytest.raises(AccessDeniedError, match="not accepted"):
            patient.redeem_pin("00000000", b"")  # the attempt has a name: asked again as itself
        assert len(calls) == 3
        calls.clear()
        with pytest.raises(UnreachableError, match="try again"):
            patient.withdraw()  # may have been done already: not for the client to repeat
        assert len(calls) == 1


def test_a_credential_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "phone.credential"
    kept = PhoneRegistration("user", "secret")
    kept.save(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert PhoneRegistration.load(path) == kept
    with pytest.raises(StoreError, match="File exists"):
        kept.save(path)
    path.chmod(0o644)
    with pytest.raises(StoreError, match="chmod 600"):
        PhoneRegistration.load(path)
    path.chmod(0o600)
    for damaged in ("", "[]", "{}", '{"user_id": "x"}', "\x00"):
        path.write_text(damaged)
        with pytest.raises(StoreError, match="not a credential"):
            PhoneRegistration.load(path)
    with pytest.raises(StoreError, match="registration"):
        PhoneRegistration.load(tmp_path / "none")


def test_cases_are_fetched_page_by_page(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "_CASES_AT_ONCE", 2)
    assert site.operator.cases() == []
    opened = [
        site.world.authority.casework.open_case(
            site.world.user(), NOON + number, by=CONSOLE
        ).case_id
        for number in range(5)
    ]
    assert [case["case_id"] for case in site.operator.cases()] == opened[::-1]
