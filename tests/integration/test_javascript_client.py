"""A phone app in another language: it passes the known answers, and uploads to a fresh server."""

import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.authority_world import OPERATOR_TOKEN, World
from tests.conftest import counted_entropy
from tests.faulty_server import Fault, FaultyServer, Sent
from tracetogether.adapters import http_api
from tracetogether.adapters.http_client import AuthorityClient
from tracetogether.conformance import known_answers
from tracetogether.conformance.server_bench import ServerBench, live_counts
from tracetogether.conformance.server_checks import run_checks
from tracetogether.conformance.upload_checks import SERVER_CHECKS
from tracetogether.units import SECONDS_PER_DAY

pytestmark = pytest.mark.network
CLIENT = Path(__file__).parents[2] / "docs" / "examples" / "phone.mjs"


@pytest.fixture(scope="module")
def javascript() -> str:
    """Return the path of Node; without it skip, but not in CI, which installs it."""
    found = shutil.which("node")
    if found is None:
        message = "needs Node: install Debian's package nodejs (.ci/run does)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vectors")
    known_answers.write(folder)
    return folder


@dataclass
class Fresh:
    """A server that has just been made, and its operator."""

    url: str
    server: FaultyServer
    operator: AuthorityClient


@pytest.fixture
def fresh() -> Iterator[Fresh]:
    world = World.of(counted_entropy(31), since=time.time() - SECONDS_PER_DAY)  # noqa: TID251
    server = FaultyServer(http_api.create_app(world.authority, answer_step_s=0))
    with (
        http_api.running(server) as url,  # type: ignore[arg-type]
        AuthorityClient(url, operator_token=OPERATOR_TOKEN) as operator,
    ):
        yield Fresh(url, server, operator)


@dataclass
class Client:
    """What the client said."""

    exit_code: int
    said: dict[str, Any]
    error: str
    case_id: str = ""


def run(javascript: str, vectors: Path, fresh: Fresh | None = None) -> Client:
    """Run the client; with a server, open a case for its phone and give it the PIN."""
    words = [javascript, str(CLIENT), str(vectors), *([fresh.url] if fresh else [])]
    case_id = ""
    said: dict[str, Any] = {}
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as client:
        late = threading.Timer(60, client.kill)
        late.start()
        try:
            assert client.stdin is not None
            assert client.stdout is not None
            assert client.stderr is not None
            for line in client.stdout:
                told = json.loads(line)
                said |= told
                if "user_id" in told and fresh is not None:
                    case_id = fresh.operator.open_case(told["user_id"])
                    client.stdin.write(fresh.operator.issue_pin(case_id) + "\n")
                    client.stdin.flush()
            error = client.stderr.read()
            client.wait(timeout=60)
        finally:
            late.cancel()
            client.kill()
    return Client(client.returncode, said, error, case_id)


def test_the_client_passes_the_known_answers(javascript: str, vectors: Path) -> None:
    done = run(javascript, vectors)
    assert (done.exit_code, done.error) == (0, "")
    cases = [
        *known_answers.shipped("payloads.json")["read"],
        *known_answers.shipped("payloads.json")["written"],
    ]
    assert done.said["known_answers"] > len(cases) > 50


@pytest.mark.parametrize(
    ("name", "before", "after", "complaint"),
    [
        ("payloads.json", '"rejected": "self_tempid"', '"rejected": "no_msg"', "own TempID"),
        ("exchange.json", '"is_a_phone": false', '"is_a_phone": true', "another service"),
        ("batch.json", '"shows": 99', '"shows": 98', "last second of the batch"),
        ("upload.json", '"sha256": "', '"sha256": "0', "Expected values"),
        ("answers.json", '"retry": true,', '"retry": false,', "busy"),
    ],
)
def test_the_client_fails_where_an_answer_is_another(
    javascript: str, vectors: Path, tmp_path: Path, name: str, before: str, after: str,
    complaint: str,
) -> None:  # fmt: skip
    wrong = shutil.copytree(vectors, tmp_path / "wrong")
    text = (wrong / name).read_text("utf-8")
    assert before in text
    (wrong / name).write_text(text.replace(before, after), "utf-8")
    done = run(javascript, wrong)
    assert done.exit_code == 1
    assert complaint in done.error


def test_the_client_registers_fetches_and_uploads_to_a_fresh_server(
    javascript: str, vectors: Path, fresh: Fresh
) -> None:
    done = run(javascript, vectors, fresh)
    assert (done.exit_code, done.error) == (0, "")
    records, accepted, rejected = live_counts()
    receipt = {"records": records, "accepted": accepted, "rejected": rejected}
    assert done.said["receipt"] == receipt
    found = fresh.operator.contacts(done.case_id)
    assert (found["accepted"], found["rejected"]) == (accepted, rejected)
    bench = ServerBench(fresh.url)
    verdict = run_checks(SERVER_CHECKS, bench)
    bench.close()
    assert verdict.failed == ()


def one_reason_for_all_abroad(sent: Sent) -> None:
    if sent.route == "POST /uploads" and sent.status == 201:
        rejected = dict(sent.said["rejected"])
        rejected["foreign"] = rejected.pop("foreign_unknown")
        sent.say({**sent.said, "rejected": rejected})


def test_the_client_takes_one_reason_for_all_authorities_abroad(
    javascript: str, vectors: Path, fresh: Fresh
) -> None:
    fresh.server.fault = one_reason_for_all_abroad
    done = run(javascript, vectors, fresh)
    assert (done.exit_code, done.error) == (0, "")
    assert done.said["receipt"]["rejected"]["foreign"] == 1


def half_a_receipt(sent: Sent) -> None:
    if sent.route == "POST /uploads" and sent.status == 201:
        sent.say({**sent.said, "accepted": 0})


def no_token(sent: Sent) -> None:
    if sent.route == "POST /upload-tokens":
        sent.status = 403
        sent.say({"error": {"code": "denied", "message": "no", "retry": False}})


def old_tempids(sent: Sent) -> None:
    if sent.route == "POST /tempids":
        said = sent.said
        for item in said["tempIDs"]:
            item["startTime"] -= 7 * SECONDS_PER_DAY
            item["expiryTime"] -= 7 * SECONDS_PER_DAY
        sent.say(said)


@pytest.mark.parametrize(
    ("fault", "complaint", "check"),
    [
        (half_a_receipt, "Expected values", "records"),
        (no_token, "/v1/upload-tokens answered 403 denied", "bad-bodies"),
        (old_tempids, "no TempID is valid now", "windows"),
    ],
)
def test_a_faulty_server_fails_the_client_and_the_checks(
    javascript: str, vectors: Path, fresh: Fresh, fault: Fault, complaint: str, check: str
) -> None:
    fresh.server.fault = fault
    done = run(javascript, vectors, fresh)
    assert done.exit_code == 1
    assert complaint in done.error
    bench = ServerBench(fresh.url)
    verdict = run_checks(SERVER_CHECKS, bench)
    bench.close()
    assert check in {found.check for found in verdict.failed}


def test_it_asks_again_after_the_time_that_the_server_says(
    javascript: str, vectors: Path, fresh: Fresh
) -> None:
    refused: list[str] = []

    def busy_once(sent: Sent) -> None:
        if sent.route == "POST /uploads" and not refused:
            refused.append(sent.route)
            sent.status = 429
            sent.headers["retry-after"] = "0"
            sent.say({"error": {"code": "busy", "message": "no", "retry": True}})

    fresh.server.fault = busy_once
    done = run(javascript, vectors, fresh)
    # The log was received the first time: the server's answer to the second says so.
    assert done.exit_code == 1
    assert "/v1/uploads answered 409 conflict" in done.error
    assert refused == ["POST /uploads"]


def test_ci_installs_it() -> None:
    script = (Path(__file__).parents[2] / ".ci" / "run").read_text("utf-8")
    assert "nodejs" in script
