"""The fast way to read a contact log and the patient one agree on every file that both take."""

import json
import math
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracetogether.bluetrace import upload
from tracetogether.bluetrace.json_bounds import count_items
from tracetogether.bluetrace.upload import UploadRecords, parse_upload
from tracetogether.errors import InvalidUploadError
from tracetogether.labels import Labels

NUMBER = st.none() | st.integers(-200, 2**62) | st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.none() | st.text(max_size=5) | st.sampled_from(["Pixel 3a", "iPhone 8", "\ud800"])
ROW = st.fixed_dictionaries(
    {"timestamp": st.integers(0, 2**41) | st.floats(0, 1e13)},
    optional={
        "msg": TEXT,
        "modelC": TEXT,
        "modelP": TEXT,
        "org": TEXT,
        "rssi": NUMBER,
        "txPower": NUMBER,
        "id": NUMBER | TEXT,
        "v": NUMBER,
    },
)
ODD = st.sampled_from([{}, None, 7, {"timestamp": True}, {"timestamp": 1, "msg": 7}])


def columns(records: UploadRecords) -> list[object]:
    found: list[object] = []
    for field in fields(records):
        value = getattr(records, field.name)
        if isinstance(value, Labels):
            value = [value.names[code] if code >= 0 else None for code in value.codes.tolist()]
        elif isinstance(value, np.ndarray):
            value = [
                None if isinstance(number, float) and math.isnan(number) else number
                for number in value.tolist()
            ]
        found.append(value)
    return found


@pytest.mark.slow
@given(st.lists(ROW | ODD, max_size=6), st.sampled_from(["events", "token", "more"]), TEXT)
def test_both_readers_return_the_same(rows: list[object], key: str, value: object) -> None:
    body = json.dumps({"records": rows, key: value}).encode()
    with_either = parse_upload(body)
    original = upload._typed
    upload._typed = lambda _: None  # type: ignore[assignment]
    try:
        patiently = parse_upload(body)
    finally:
        upload._typed = original
    assert columns(with_either.records) == columns(patiently.records)
    assert (with_either.events, with_either.token) == (patiently.events, patiently.token)


def test_a_well_formed_file_uses_the_fast_reader() -> None:
    rows = b'[{"timestamp": 1, "msg": "x", "rssi": -60, "txPower": null}]'
    assert upload._typed(rows) is not None
    assert upload._typed(rows.replace(b"1,", b'"1",')) is None
    with pytest.raises(InvalidUploadError, match="not JSON"):
        parse_upload(b'{"records": ' + rows.replace(b'"rssi"', b'"rs\xffi"') + b"}")


# Not "nan": that is no JSON.
VALUE = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.slow
@given(st.lists(VALUE, max_size=8), st.sampled_from([None, 1]))
def test_items_are_counted_without_creating_them(items: list[object], indent: int | None) -> None:
    assert count_items(json.dumps(items, indent=indent).encode()) == len(items)
    assert count_items(json.dumps(items, ensure_ascii=False).encode()) == len(items)
