"""The known answers that other apps test themselves with, held equal to what this code does."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest
from click.testing import CliRunner

from tracetogether.adapters.http_api.refusals import refusal
from tracetogether.bluetrace.batch import TempIDBatch
from tracetogether.bluetrace.handshake import CENTRAL, PROFILE, BlueTraceExchange
from tracetogether.bluetrace.upload import parse_upload, write_upload
from tracetogether.cli import cli
from tracetogether.conformance import known_answers
from tracetogether.conformance.answers import REFUSALS
from tracetogether.conformance.known_phones import OTHER_USER, issuer
from tracetogether.errors import InvalidTempIDError
from tracetogether.exchange import LinkEvent, LinkState
from tracetogether.node.advertising import parse_advertisement
from tracetogether.rejection import Rejection
from tracetogether.shapes.oversight import ErrorCode
from tracetogether.sightings import Sighting

ROOT = Path(__file__).parent.parent
VECTORS = ROOT / "tracetogether" / "conformance" / "vectors"
PAYLOADS = known_answers.shipped("payloads.json")
BATCH = known_answers.shipped("batch.json")
EXCHANGE = known_answers.shipped("exchange.json")
UPLOAD = known_answers.shipped("upload.json")


@pytest.mark.parametrize("name", known_answers.NAMES)
def test_the_shipped_files_are_those_that_the_code_makes(name: str) -> None:
    wanted = "run `tracetogether conformance vectors tracetogether/conformance/vectors`"
    assert (VECTORS / name).read_text("utf-8") == known_answers.made(name), wanted


def test_the_command_writes_them_all(tmp_path: Path) -> None:
    done = CliRunner().invoke(
        cli, ["conformance", "vectors", str(tmp_path / "new"), "--json"], catch_exceptions=False
    )
    files = [Path(file) for file in json.loads(done.stdout)["files"]]
    assert {file.name for file in files} == {file.name for file in VECTORS.iterdir()}
    for file in files:
        assert file.read_bytes() == (VECTORS / file.name).read_bytes()


def test_the_readme_names_each_file_and_each_part_of_it() -> None:
    page = (VECTORS / "README.md").read_text("utf-8")
    assert set(re.findall(r"^\| `([\w.]+)` \|", page, re.MULTILINE)) == {
        name for name in known_answers.NAMES if name.endswith(".json")
    }
    named = set(re.findall(r"`(\w+)(?:\.\w+)?`", page))
    for name in ("payloads", "exchange", "batch", "upload", "answers"):
        parts = {
            part
            for part, value in known_answers.shipped(f"{name}.json").items()
            if isinstance(value, list) and isinstance(value[0], dict)
        }
        assert parts - {"steps"} <= named, name


def value_of(case: dict[str, Any]) -> bytes:
    return case["text"].encode() if "text" in case else bytes.fromhex(case["hex"])


def phone() -> BlueTraceExchange:
    """Return the phone of payloads.json, as the file describes it."""
    return BlueTraceExchange(
        model=PAYLOADS["model"],
        organisation=PAYLOADS["organisation"],
        batch=TempIDBatch.from_json(BATCH["answer"]),
    )


def outcome(said: Sighting | Rejection) -> dict[str, Any]:
    if isinstance(said, Rejection):
        return {"rejected": said.value}
    record = {
        "token": said.peer,
        "model": said.peer_model,
        "organisation": said.organisation,
        "version": said.version,
        "rssi_dbm": said.rssi_dbm,
        "tx_power_dbm": said.tx_power_dbm,
    }
    return {"record": {name: value for name, value in record.items() if value is not None}}


@pytest.mark.parametrize("case", PAYLOADS["read"], ids=lambda case: case["about"])
def test_what_a_phone_makes_of_a_value_that_it_reads(case: dict[str, Any]) -> None:
    said = phone().read(value_of(case), now=PAYLOADS["now"], **PAYLOADS["heard"])
    assert outcome(said).items() <= case.items()


@pytest.mark.parametrize("case", PAYLOADS["written"], ids=lambda case: case["about"])
def test_what_a_phone_makes_of_a_value_that_is_written_to_it(case: dict[str, Any]) -> None:
    assert outcome(phone().written(value_of(case), now=PAYLOADS["now"])).items() <= case.items()


def test_the_cases_have_every_rejection_that_a_phone_counts() -> None:
    seen = {case.get("rejected") for case in [*PAYLOADS["read"], *PAYLOADS["written"]]}
    assert seen == {None, "no_msg", "malformed", "invalid_rssi", "self_tempid"}


def test_what_a_phone_sends() -> None:
    shown = phone().advertisement(PAYLOADS["now"])
    assert shown is not None
    send = PAYLOADS["send"]
    for value, sent in (
        (shown.value, send["value_to_be_read"]),
        (
            phone().message(PAYLOADS["now"], send["value_to_write"]["heard_at_rssi_dbm"]),
            send["value_to_write"],
        ),
    ):
        assert value == value_of(sent)
        assert len(value) == sent["bytes"] <= PAYLOADS["max_bytes"]
    assert json.loads(shown.value)["id"] == PAYLOADS["tempid"]


def test_the_tempids_are_those_of_the_original_server() -> None:
    original = json.loads((ROOT / "tests" / "vectors" / "tempids.json").read_text())["vectors"][:3]
    for vector in original:
        assert BATCH["answer"]["tempIDs"][vector["index"]] == {
            "tempID": vector["tempID_b64"],
            "startTime": vector["startTime"],
            "expiryTime": vector["expiryTime"],
        }
    assert [vector["index"] for vector in original] == [0, 1, 99]
    assert PAYLOADS["tempid"] == original[0]["tempID_b64"]


def test_which_tempid_a_phone_shows_at_each_time() -> None:
    batch = TempIDBatch.from_json(BATCH["answer"])
    for case in BATCH["at"]:
        shown = batch.at(case["now"])
        number = None if shown is None else batch.tempids.index(shown)
        assert number == case["shows"], case["about"]
        assert batch.renewal_due(case["now"]) == case["fetches"], case["about"]
    assert {case["shows"] for case in BATCH["at"]} >= {None, 0, 1, 99}


@pytest.mark.parametrize("case", BATCH["damaged"], ids=lambda case: case["about"])
def test_a_damaged_answer_is_no_batch(case: dict[str, Any]) -> None:
    with pytest.raises(InvalidTempIDError):
        TempIDBatch.from_json(case["answer"])


def test_packets_of_the_air() -> None:
    profile = EXCHANGE["profile"]
    assert profile["service"] == PROFILE.service
    for case in EXCHANGE["hear"]:
        said = parse_advertisement(
            bytes.fromhex(case["packet_hex"]), profile["service"], profile["company_id"]
        )
        assert (said is not None) == case["is_a_phone"], case["about"]
        if said is not None:
            assert said.manufacturer_data.decode() == case["manufacturer_data"], case["about"]
            assert said.tx_power_dbm == case["tx_power_dbm"], case["about"]
    for case in EXCHANGE["advertise"]:
        assert len(bytes.fromhex(case["packet_hex"])) <= 31


def test_the_steps_of_an_exchange() -> None:
    table = {(row["state"], row["event"]): row for row in EXCHANGE["steps"]}
    assert len(table) == len(CENTRAL) == len(EXCHANGE["steps"])
    for (state, event), (following, step) in CENTRAL.items():
        row = table[state.name, event.name]
        assert (row["next"], row["do"]) == (following.name, step.name)
    for way in EXCHANGE["exchanges"]:
        state = LinkState.CONNECTING
        for row in way["steps"]:
            state, step = CENTRAL[state, LinkEvent[row["event"]]]
            assert (state.name, step.name) == (row["state"], row["do"]), way["about"]
        assert state is LinkState.CLOSED


def test_the_log_and_its_digest() -> None:
    body = write_upload([Sighting(**row) for row in UPLOAD["sightings"]])
    assert body.decode() == UPLOAD["body"]
    assert len(body) == UPLOAD["bytes"]
    assert hashlib.sha256(body).hexdigest() == UPLOAD["sha256"]
    records = parse_upload(body).records
    opened = issuer().open_many(records.token, records.time)
    assert opened.accepted.all()
    assert opened.user.to_list() == [OTHER_USER] * 2


def test_the_refusals_are_those_of_the_service() -> None:
    for row in REFUSALS:
        answer = json.loads(bytes(refusal(row.status, row.code, "").body))  # type: ignore[arg-type]
        assert answer["error"]["retry"] == row.retry, row
    page = (ROOT / "docs" / "reference" / "http.md").read_text("utf-8")
    table = re.findall(r"^\| (\d{3}) \| `(\w+)` \|.*\| (yes|no)[^|]*\|$", page, re.MULTILINE)
    told = {(int(status), code, retry == "yes") for status, code, retry in table}
    assert {(row.status, row.code, row.retry) for row in REFUSALS} == told - {(409, "stale", False)}
    assert {row.code for row in REFUSALS} == set(get_args(ErrorCode)) - {"stale"}
    routes = json.loads((ROOT / "docs" / "reference" / "openapi.json").read_text())["paths"]
    assert {route for row in REFUSALS for route in row.routes} <= {"", *routes}
