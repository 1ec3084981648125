"""An upload is answered once the log is kept; whom it names is found afterwards, come what may."""

import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.authority_world import NOON, OPERATOR_TOKEN, World
from tests.fresh_stores import fresh_store
from tracetogether.adapters import http_api
from tracetogether.adapters.http_api.afterwards import Afterwards
from tracetogether.adapters.http_client import AuthorityClient
from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.cases.case import Case
from tracetogether.authority.cases.followed import ContactQuery
from tracetogether.authority.desk.finding import ContactFinder
from tracetogether.authority.service import Authority
from tracetogether.bluetrace.upload import write_upload
from tracetogether.errors import StoreError, TraceTogetherError
from tracetogether.units import Entropy

pytestmark = pytest.mark.network


@pytest.fixture
def world(entropy: Entropy, tmp_path: Path) -> Iterator[World]:
    with fresh_store(tmp_path / "authority.db") as store:
        yield World.of(entropy, store=store)


def followed(authority: Authority) -> int:
    return authority.desk.page(ContactQuery(), by=CONSOLE).total


def upload(url: str, world: World) -> Case:
    """Send the log of a phone that heard two others."""
    with (
        AuthorityClient(url, operator_token=OPERATOR_TOKEN, retries=0) as operator,
        AuthorityClient(url, retries=0) as phone,
    ):
        who = phone.register()
        rows = [row for _ in range(2) for row in world.heard(world.user(), NOON - 7_200, 30)]
        body = write_upload(rows)
        case = operator.open_case(who.user_id)
        assert phone.upload(body, phone.redeem_pin(operator.issue_pin(case), body))["accepted"]
    return world.authority.casework.case(case, by=CONSOLE)


def test_the_answer_does_not_wait_for_the_lists(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = threading.Event()
    refresh = ContactFinder.refresh

    def once_answered(*args: object, **more: object) -> int:
        assert answered.wait(60)
        return refresh(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(ContactFinder, "refresh", once_answered)
    app = http_api.create_app(world.authority, clock=lambda: NOON)
    with http_api.running(app) as url:
        upload(url, world)
        assert followed(world.authority) == 0
        answered.set()
        app.state.afterwards.settle()
        assert followed(world.authority) == 2
    assert world.store.claim_due_list(NOON + 9, NOON + 9) is None


@pytest.mark.slow
def test_what_was_not_found_before_the_server_ended_is_found_by_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object, **__: object) -> int:
        msg = "the disk is full"
        raise StoreError(msg)

    with monkeypatch.context() as patch:
        patch.setattr(ContactFinder, "refresh", fails)
        app = http_api.create_app(world.authority, clock=lambda: NOON)
        with http_api.running(app) as url:
            case = upload(url, world)
            app.state.afterwards.settle()
    (logged,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert "the disk is full" in logged.getMessage()
    assert followed(world.authority) == 0
    # Somebody tried it a moment ago: another process leaves it alone, a new start does not.
    assert world.authority.finder.work_off(NOON + 1) == 0
    assert world.authority.finder.work_off(NOON + 1, after_restart=True) == 1
    assert followed(world.authority) == 2
    assert world.authority.finder.work_off(NOON + 9_999, after_restart=True) == 0
    (kept, _) = world.store.desk.contacts_of([case.case_id])
    assert kept.found_at == NOON  # its days count from when the log came


def test_one_case_that_fails_holds_up_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = [world.authority.casework.open_case(world.user(), NOON, by=CONSOLE) for _ in range(3)]
    for case in cases:
        world.take(case, world.heard(world.user(), NOON - 7_200, 30), NOON)
    refresh = ContactFinder.refresh

    def one_fails(self: ContactFinder, case: Case, *args: float, **more: float) -> int:
        if case.case_id == cases[0].case_id:
            msg = "spoilt"
            raise StoreError(msg)
        return refresh(self, case, *args, **more)

    with monkeypatch.context() as patch:
        patch.setattr(ContactFinder, "refresh", one_fails)
        with pytest.raises(TraceTogetherError, match="spoilt"):
            world.authority.finder.work_off(NOON)
    assert followed(world.authority) == 2
    assert world.authority.finder.work_off(NOON + 601) == 1
    assert followed(world.authority) == 3


def test_calls_that_come_meanwhile_are_served_together() -> None:
    begun, go_on, runs = threading.Event(), threading.Event(), list[float]()

    def work() -> None:
        runs.append(time.monotonic())
        begun.set()
        assert go_on.wait(60)

    afterwards = Afterwards(work)
    afterwards.wake()
    assert begun.wait(60)
    for _ in range(9):
        afterwards.wake()
    go_on.set()
    afterwards.settle()
    assert len(runs) == 2
    afterwards.close()
