"""The checks of a server: green on this service, and each red where one thing is wrong with it."""

import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.authority_world import World
from tests.conftest import counted_entropy
from tests.faulty_server import Fault, FaultyServer, Sent
from tracetogether.adapters import http_api
from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.intake import pins
from tracetogether.conformance.checklist import CheckResult, Verdict
from tracetogether.conformance.server_bench import ServerBench
from tracetogether.conformance.server_checks import run_checks
from tracetogether.conformance.upload_checks import SERVER_CHECKS
from tracetogether.units import SECONDS_PER_DAY

pytestmark = pytest.mark.network
NAMES = [check.name for check in SERVER_CHECKS]


@dataclass
class Tried:
    """A server to be checked."""

    url: str
    world: World
    server: FaultyServer

    def check(
        self, fault: Fault | None = None, names: Collection[str] = NAMES, *, with_pin: bool = True
    ) -> Verdict:
        """Run the named checks with a fault in the server, for a phone that has a case."""
        self.server.fault, self.server.seen = fault, {}
        bench = ServerBench(self.url, pin_for=self.pin if with_pin else None)
        try:
            chosen = [check for check in SERVER_CHECKS if check.name in names]
            return run_checks(chosen, bench)
        finally:
            bench.close()

    def pin(self, user_id: str) -> str:
        now = time.time()  # noqa: TID251 - as the server's
        case = self.world.authority.casework.open_case(user_id, now, by=CONSOLE)
        return self.world.authority.pins.issue(case, now, by=CONSOLE)


@pytest.fixture(scope="module")
def tried() -> Iterator[Tried]:
    world = World.of(counted_entropy(23), since=time.time() - SECONDS_PER_DAY)  # noqa: TID251
    app = http_api.create_app(world.authority, answer_step_s=0)
    server = FaultyServer(app)
    with pytest.MonkeyPatch.context() as patch:
        # Many runs in a minute offer many wrong PINs, and each answer would wait for two seconds.
        patch.setattr(pins, "PIN_SLOWED_S", 0.0)
        with http_api.running(server) as url:  # type: ignore[arg-type]
            yield Tried(url, world, server)


def test_this_service_passes_all_checks(tried: Tried) -> None:
    verdict = tried.check()
    assert [found.check for found in verdict.findings] == NAMES
    other = [found for found in verdict.findings if found.outcome is not CheckResult.PASSED]
    assert [(found.check, found.saw) for found in other] == []


def test_without_a_pin_only_the_checks_of_a_real_upload_are_left_out(tried: Tried) -> None:
    verdict = tried.check(with_pin=False)
    left_out = [found.check for found in verdict.findings if found.outcome is CheckResult.NOT_TRIED]
    assert left_out == ["pin", "upload", "once"]
    assert verdict.failed == ()


def at(route: str, change: Fault) -> Fault:
    """Return a fault of one route's answers alone."""

    def fault(sent: Sent) -> None:
        if sent.route == route:
            change(sent)

    return fault


def says(**values: Any) -> Fault:
    """Return a fault that replaces fields of the answer."""

    def fault(sent: Sent) -> None:
        if sent.status < 400:
            sent.say({**sent.said, **values})

    return fault


def answers(status: int, said: object, *, instead_of: int = 0) -> Fault:
    """Return a fault that answers something else; of one status only, if that is given."""

    def fault(sent: Sent) -> None:
        if instead_of in {0, sent.status}:
            sent.status = status
            sent.say(said)

    return fault


def refuses(status: int, code: str, *, instead_of: int = 0) -> Fault:
    error = {"error": {"code": code, "message": "no", "retry": status in {429, 503}}}
    return answers(status, error, instead_of=instead_of)


def receives(*, instead_of: int) -> Fault:
    return answers(201, {"records": 0, "accepted": 0, "rejected": {}}, instead_of=instead_of)


def without(header: str) -> Fault:
    return lambda sent: sent.headers.pop(header, None) and None


def tempids(change: Callable[[list[dict[str, Any]]], object]) -> Fault:
    """Return a fault that changes the list of TempIDs of each batch."""

    def fault(sent: Sent) -> None:
        if sent.status == 200:
            said = sent.said
            change(said["tempIDs"])
            sent.say(said)

    return at("POST /tempids", fault)


def first_answer_again(sent: Sent) -> None:
    """Answer all phones as the first one."""
    if sent.status < 400:
        sent.body = sent.seen.setdefault(sent.route, sent.body)


def counts_requests(sent: Sent) -> None:
    """Give each request other TempIDs."""
    if sent.status == 200:
        said = sent.said
        sent.seen["count"] = sent.seen.get("count", 0) + 1
        said["tempIDs"][0]["tempID"] = f"{sent.seen['count']:04d}" + "A" * 78 + "=="
        sent.say(said)


def one_iv(sent: Sent) -> None:
    """Seal all TempIDs under one IV."""
    if sent.status == 200:
        said = sent.said
        iv = sent.seen.setdefault("iv", said["tempIDs"][0]["tempID"][40:60])
        for item in said["tempIDs"]:
            item["tempID"] = item["tempID"][:40] + iv + item["tempID"][60:]
        sent.say(said)


def echoes(sent: Sent) -> None:
    if sent.status == 400:
        said = sent.said
        said["error"]["message"] = "canary-of-the-checks is wrong"
        sent.say(said)


def withdrawal_does_nothing(sent: Sent) -> None:
    if sent.status == 401 and sent.asked["authorization"] != "Bearer " + "A" * 43:
        answers(200, {"tempIDs": [], "refreshTime": 0})(sent)


def receipt_counts_less(sent: Sent) -> None:
    if sent.status == 201 and sent.said["records"] > 0:
        said = sent.said
        sent.say({**said, "accepted": said["accepted"] - 1})


def only_of_gzip(change: Fault) -> Fault:
    def fault(sent: Sent) -> None:
        if sent.asked.get("content-encoding") == "gzip":
            change(sent)

    return fault


def longer_where_received(sent: Sent) -> None:
    if sent.status == 201:
        sent.body += b" "


UPLOADS, TOKENS = "POST /uploads", "POST /upload-tokens"
FAULTS: list[tuple[str, str, Fault]] = [
    ("health", "is ill", at("GET /health", says(status="ill"))),
    ("health", "answers 503", at("GET /health", refuses(503, "unavailable"))),
    ("unknown-routes", "a page for people", at("GET /no-such-route", answers(404, "lost"))),
    ("unknown-routes", "takes any method", at("PUT /users", answers(201, {}))),
    ("register", "forgets the credential", at("POST /users", answers(201, {"user_id": "A" * 28}))),
    ("register", "gives all phones one name", at("POST /users", first_answer_again)),
    ("register", "gives short names", at("POST /users", says(user_id="ann"))),
    ("register", "gives short secrets", at("POST /users", says(credential="1234"))),
    ("strangers", "lets everybody in", at("POST /tempids", answers(200, {}, instead_of=401))),
    ("strangers", "names no scheme", without("www-authenticate")),
    ("strangers", "tells a wrong bearer apart", lambda sent: refuses(401, "unauthorized")(sent)
        if "authorization" in sent.asked and sent.status == 401 else None),
    ("tempids", "no list", at("POST /tempids", answers(200, {"refreshTime": 1}))),
    ("tempids", "refreshes at a float", at("POST /tempids", says(refreshTime=1.5))),
    ("tempids", "does not say SUCCESS", at("POST /tempids", says(status="OK"))),
    ("tempids", "short TempIDs", tempids(lambda items: items[3].update(tempID="A" * 80))),
    ("tempids", "times as texts", tempids(lambda items: items[0].update(startTime="1"))),
    ("tempids", "a TempID twice", tempids(lambda items: items[1].update(
        tempID=items[0]["tempID"]))),
    ("windows", "leaves a gap", tempids(lambda items: items.pop(5))),
    ("windows", "windows overlap", tempids(lambda items: items[0].update(
        expiryTime=items[0]["expiryTime"] + 1))),
    # Two: within some seconds of its end, the first window alone may be left out.
    ("windows", "begins later", tempids(lambda items: (items.pop(0), items.pop(0)))),
    ("windows", "an hour each", tempids(lambda items: items[-1].update(
        expiryTime=items[-1]["expiryTime"] + 3600))),
    ("windows", "refreshes too late", at("POST /tempids", says(refreshTime=4_000_000_000))),
    ("same-batch", "new ones each time", at("POST /tempids", counts_requests)),
    ("own-tempids", "all phones get one batch", at("POST /tempids", first_answer_again)),
    ("own-tempids", "one IV for all", at("POST /tempids", one_iv)),
    ("clock", "says no time", lambda sent: sent.headers.update(date="soon")),
    ("clock", "is a day behind", lambda sent: sent.headers.update(
        date="Sun, 04 May 2025 00:00:00 GMT")),
    ("bad-bodies", "repeats what was sent", at(TOKENS, echoes)),
    ("bad-bodies", "takes them", at(TOKENS, answers(201, {}, instead_of=400))),
    ("long-bodies", "takes them", at(TOKENS, answers(201, {}, instead_of=413))),
    ("wrong-pin", "takes any", at(TOKENS, answers(201, {"upload_token": "x"}, instead_of=403))),
    ("wrong-pin", "says 404", at(TOKENS, refuses(404, "not_found", instead_of=403))),
    ("pretend", "takes a log twice", at(UPLOADS, receives(instead_of=409))),
    ("hiding", "a receipt is longer", at(UPLOADS, longer_where_received)),
    ("records", "counts one less", at(UPLOADS, receipt_counts_less)),
    ("records", "counts no reasons", at(UPLOADS, lambda sent: answers(201, {
        "records": 12, "accepted": 3})(sent) if sent.status == 201 else None)),
    ("gzip", "takes damaged data", at(UPLOADS, only_of_gzip(receives(instead_of=400)))),
    ("gzip", "takes other encodings", at(UPLOADS, receives(instead_of=415))),
    ("gzip", "takes no gzip", at(UPLOADS, only_of_gzip(refuses(
        415, "unsupported_encoding", instead_of=201)))),
    ("digest", "takes another log", at(UPLOADS, receives(instead_of=400))),
    ("digest", "takes the token away", at(UPLOADS, refuses(401, "unauthorized", instead_of=201))),
    ("owner", "takes any phone's", at(UPLOADS, receives(instead_of=403))),
    ("no-log", "takes anything", at(UPLOADS, receives(instead_of=400))),
    ("pin", "refuses it", at(TOKENS, lambda sent: refuses(403, "denied")(sent)
        if "x-chaff" not in sent.asked else None)),
    ("pin", "lives for a day", at(TOKENS, says(expires_at=4e9))),
    ("pin", "another attempt gets a token", at(TOKENS, answers(
        201, {"upload_token": "x", "expires_at": 0}, instead_of=403))),
    ("upload", "counts one less", at(UPLOADS, receipt_counts_less)),
    ("once", "takes a log twice", at(UPLOADS, receives(instead_of=409))),
    ("once", "gives the PIN out again", at(TOKENS, answers(
        201, {"upload_token": "x"}, instead_of=409))),
    ("withdraw", "does nothing", at("POST /tempids", withdrawal_does_nothing)),
    ("withdraw", "refuses it", at("DELETE /users/me", refuses(403, "denied", instead_of=200))),
    ("errors", "does not say whether to retry", answers(
        401, {"error": {"code": "unauthorized", "message": "no"}}, instead_of=401)),
    ("errors", "codes of its own", refuses(403, "go_away", instead_of=403)),
    ("errors", "does not say when", at("GET /health", refuses(503, "unavailable"))),
    ("no-store", "lets caches keep it", without("cache-control")),
]  # fmt: skip
NEEDED = ("register", "tempids", "pin", "upload")


@pytest.mark.parametrize(("name", "fault"), [
    pytest.param(name, fault, id=f"{name}: {about}") for name, about, fault in FAULTS
])  # fmt: skip
def test_a_faulty_server_fails_the_check(tried: Tried, name: str, fault: Fault) -> None:
    before = NAMES[: NAMES.index(name)]
    if name in {"errors", "no-store"}:
        wanted = {"health", "strangers", "wrong-pin", *NEEDED[:2], name}
    else:
        wanted = {*[needed for needed in NEEDED if needed in before], name}
    verdict = tried.check(fault, wanted, with_pin=name in {"pin", "upload", "once"})
    assert name in {found.check for found in verdict.failed}, verdict.findings
    for found in verdict.failed:
        assert found.saw
        assert found.remedy


@pytest.mark.parametrize("said", [[], "text", None, {}, {"tempIDs": {}}, {"error": []}])
def test_answers_of_any_form_fail_checks_and_end_no_run(tried: Tried, said: object) -> None:
    """Each answer but those of registrations is another: the run goes to its end."""

    def fault(sent: Sent) -> None:
        if sent.route != "POST /users":
            sent.say(said)

    verdict = tried.check(fault)
    assert [found.check for found in verdict.findings] == NAMES
    assert {"health", "tempids", "strangers"} <= {found.check for found in verdict.failed}


def one_reason_for_all_abroad(sent: Sent) -> None:
    if sent.status == 201 and "rejected" in sent.said:
        rejected = dict(sent.said["rejected"])
        if "foreign_unknown" in rejected:
            rejected["foreign"] = rejected.pop("foreign_unknown")
            sent.say({**sent.said, "rejected": rejected})


def other_reason_for_abroad(sent: Sent) -> None:
    if sent.status == 201 and "foreign_unknown" in sent.said.get("rejected", {}):
        rejected = dict(sent.said["rejected"])
        rejected["failed_decryption"] += rejected.pop("foreign_unknown")
        sent.say({**sent.said, "rejected": rejected})


def test_a_server_with_one_reason_for_all_authorities_abroad_passes(tried: Tried) -> None:
    names = {"register", "tempids", "records", "gzip", "pin", "upload"}
    verdict = tried.check(at(UPLOADS, one_reason_for_all_abroad), names)
    assert {found.outcome for found in verdict.findings} == {CheckResult.PASSED}, verdict.findings
    verdict = tried.check(at(UPLOADS, other_reason_for_abroad), names)
    assert [found.check for found in verdict.failed] == ["records", "gzip", "upload"]


def test_each_check_of_a_server_has_a_fault() -> None:
    assert {name for name, _, _ in FAULTS} == {*NAMES}
