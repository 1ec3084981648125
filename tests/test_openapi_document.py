"""The committed OpenAPI document is the service's, and names every code, reason and header."""

import json
import re
import runpy
from pathlib import Path
from typing import Any, get_args

import pytest

from tracetogether.bluetrace.upload import parse_upload, write_upload
from tracetogether.rejection import Rejection
from tracetogether.shapes.logs import ContactLogBody, LogRecord
from tracetogether.shapes.oversight import ErrorCode
from tracetogether.sightings import Sighting

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "reference" / "openapi.json"
CODES = set(get_args(ErrorCode))


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(PAGE.read_text("utf-8"))
    return found


def test_the_document_is_the_services_own() -> None:
    written = runpy.run_path(str(PAGE.with_name("write_openapi.py")))["document"]()
    assert PAGE.read_text("utf-8") == written, "run `python docs/reference/write_openapi.py`"


def test_the_document_names_every_error_code_and_every_rejection(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert set(schemas["Refusal"]["properties"]["code"]["enum"]) == CODES
    assert set(schemas["Rejection"]["enum"]) == {reason.value for reason in Rejection}
    for counts in (schemas["Receipt"], schemas["Contacts"]):
        names = counts["properties"]["rejected"]["propertyNames"]
        assert names == {"$ref": "#/components/schemas/Rejection"}


def test_the_page_explains_every_error_code_and_no_other() -> None:
    page = (ROOT / "docs" / "reference" / "http.md").read_text("utf-8")
    assert set(re.findall(r"^\| \d{3} \| `(\w+)` \|", page, re.MULTILINE)) == CODES


def test_the_service_sends_every_error_code() -> None:
    """That it sends no other is checked by mypy."""
    folder = ROOT / "tracetogether" / "adapters" / "http_api"
    files = [file for file in folder.glob("*.py") if file.name != "described.py"]
    code = "\n".join(file.read_text("utf-8") for file in files)
    assert {name for name in CODES if f'"{name}"' not in code} == set()


def test_answers_to_be_tried_again_say_when(document: dict[str, Any]) -> None:
    answers = document["components"]["responses"]
    again = [name for name in answers if name[:3] in {"429", "503"} and name != "503"]
    assert len(again) == 3
    for name in again:
        assert answers[name]["headers"]["Retry-After"]["required"], name
    assert answers["401_unauthorized"]["headers"]["WWW-Authenticate"]["required"]


def test_an_upload_needs_the_phones_credential(document: dict[str, Any]) -> None:
    upload = document["paths"]["/v1/uploads"]["post"]
    headers = {header["name"]: header["required"] for header in upload["parameters"]}
    assert headers == {"X-Credential": True, "Content-Encoding": False}
    assert upload["security"] == [{"upload token": []}]


def test_every_reference_in_the_document_leads_somewhere(document: dict[str, Any]) -> None:
    references = re.findall(r'"\$ref": "#/components/(\w+)/([\w.-]+)"', json.dumps(document))
    assert len(references) > 100
    for kind, name in references:
        assert name in document["components"][kind]


def test_the_schema_of_the_log_fits_what_phones_write() -> None:
    rows = [
        Sighting(1_600_000_000.7, "T1", -60, 1, "iPhone 8", "Pixel 3a", "SG_OTC", 2),
        Sighting(1_600_000_100, "T2", -70.5, None, None, "Pixel 3a", "SG_OTC", 2, False),
    ]
    body = write_upload(rows)
    read = ContactLogBody.model_validate_json(body, strict=True)
    assert [record.msg for record in read.records] == ["T1", "T2"]
    assert [record.model_extra for record in read.records] == [{}, {}]
    kept = parse_upload(read.model_dump_json(exclude_unset=True).encode()).records
    assert kept.token == ("T1", "T2")


def test_every_field_of_the_log_is_one_that_the_service_reads() -> None:
    """``v`` and ``id`` are the two that phones write and nobody reads."""
    record = dict.fromkeys(set(LogRecord.model_fields) - {"timestamp"}, "x")
    numbers = {"timestamp": 5, "rssi": -60, "txPower": 7}
    read = parse_upload(json.dumps({"records": [{**record, **numbers}]}).encode()).records
    seen = {
        "timestamp": read.time[0] == 5,
        "msg": read.token == ("x",),
        "modelC": read.model_central.to_list() == ["x"],
        "modelP": read.model_peripheral.to_list() == ["x"],
        "org": read.organisation.to_list() == ["x"],
        "rssi": read.rssi_dbm[0] == -60,
        "txPower": read.tx_power_dbm[0] == 7,
    }
    assert set(LogRecord.model_fields) - set(seen) == {"v", "id"}
    assert all(seen.values()), seen
