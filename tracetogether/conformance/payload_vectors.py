"""Known answers for the payloads: what a phone sends, and what it makes of all that it may get."""

from collections.abc import Mapping
from typing import Any, Final

from tracetogether.bluetrace.payload import (
    MAX_PAYLOAD_BYTES,
    CentralPayload,
    PeripheralPayload,
    encode_read,
    encode_write,
)
from tracetogether.conformance.known_phones import (
    NOW,
    ORGANISATION,
    OTHER_MODEL,
    OTHER_USER,
    OWN_MODEL,
    OWN_USER,
    batch_of,
)

OWN: Final = batch_of(OWN_USER, 1).tempids[0].text
TOKEN: Final = batch_of(OTHER_USER, 1).tempids[0].text
HEARD: Final = {"rssi_dbm": -61, "tx_power_dbm": 12}
"""Level and advertised power of the peripheral whose value is read."""
_ESCAPED: Final = TOKEN.replace("=", "\\u003d")
_PLACEHOLDERS: Final = ("", "Missing TempID", "not_found", "<unknown>")


def _record(**changes: object) -> dict[str, object]:
    """Return the record that a phone keeps; a name that is None is not kept."""
    record = {
        "token": TOKEN,
        "model": OTHER_MODEL,
        "organisation": ORGANISATION,
        "version": 2,
        **changes,
    }
    return {name: value for name, value in record.items() if value is not None}


def _read(**changes: object) -> dict[str, object]:
    return {"record": _record(**{**HEARD, **changes})}


def _written(**changes: object) -> dict[str, object]:
    return {"record": _record(**{"rssi_dbm": -60, **changes})}


def _rejected(reason: str) -> dict[str, object]:
    return {"rejected": reason}


_V2_READ: Final = f'{{"id":"{TOKEN}","mp":"iPhone 8","o":"SG_OTC","v":2}}'
_V2_WRITTEN: Final = f'{{"id":"{TOKEN}","mc":"iPhone 8","o":"SG_OTC","rs":-60,"v":2}}'
_GARBAGE: Final[tuple[tuple[str, str | bytes], ...]] = (
    ("nothing", ""),
    ("no JSON", "{"),
    ("JSON, but no object", "[]"),
    ("null", "null"),
    ("bytes that are no UTF-8", b"\xff\xfe"),
    ("half a character", '{"id":"\\ud800","mp":"x","mc":"x","o":"y","rs":-60,"v":2}'),
    ("a TempID that is a number", '{"id":7,"mp":"x","mc":"x","o":"y","rs":-60,"v":2}'),
    ("a model that is a list", f'{{"id":"{TOKEN}","mp":[],"mc":[],"rs":-60}}'),
    ("a version that is text", f'{{"id":"{TOKEN}","rs":-60,"v":"2"}}'),
    ("a version out of range", f'{{"id":"{TOKEN}","rs":-60,"v":256}}'),
    ("NaN, which is no JSON", f'{{"id":"{TOKEN}","rs":-60,"v":NaN}}'),
    ("brackets without end", "[" * MAX_PAYLOAD_BYTES),
    ("a TempID of 129 characters", f'{{"id":"{"A" * 129}","rs":-60}}'),
    (
        "more than an attribute holds",
        f'{{"id":"{TOKEN}","rs":-60,"x":"{"x" * MAX_PAYLOAD_BYTES}"}}',
    ),
)
READ: Final[tuple[tuple[str, str | bytes, Mapping[str, object]], ...]] = (
    ("version 2", _V2_READ, _read()),
    (
        "keys in another order, blanks, a float, an unknown key",
        f'{{ "v" : 2.0, "o":"SG_OTC","extra":[1,{{}}],\n"mp":"iPhone 8","id":"{TOKEN}" }}',
        _read(),
    ),
    ("= written as an escape", _V2_READ.replace(TOKEN, _ESCAPED), _read()),
    (
        "version 1",
        f'{{"v":1,"org":"SG_OTC","msg":"{TOKEN}","modelP":"iPhone 8"}}',
        _read(version=1),
    ),
    (
        "old keys with the new version",
        f'{{"org":"SG_OTC","msg":"{TOKEN}","modelP":"iPhone 8","v":2}}',
        _read(),
    ),
    ("a model in another script", _V2_READ.replace("iPhone 8", "手机 8"), _read(model="手机 8")),
    ("no model, no organisation", f'{{"id":"{TOKEN}"}}', _read(model=None, organisation="")),
    (
        "a TempID of another dialect",
        _V2_READ.replace(TOKEN, "U" * 120),
        _read(token="U" * 120),
    ),
    *(
        (f"a phone without a TempID sends {text!r}", _V2_READ.replace(TOKEN, text), none)
        for text in _PLACEHOLDERS
        for none in [_rejected("no_msg")]
    ),
    ("the phone's own TempID", _V2_READ.replace(TOKEN, OWN), _rejected("self_tempid")),
    *((about, value, _rejected("malformed")) for about, value in _GARBAGE),
)
"""What it is, the value that is read, and what becomes of it."""
WRITTEN: Final[tuple[tuple[str, str | bytes, Mapping[str, object]], ...]] = (
    ("version 2, as Android writes it", _V2_WRITTEN, _written()),
    ("version 2, as iOS writes it", _V2_WRITTEN.replace("-60", "-60.0"), _written()),
    (
        "a level between two whole numbers",
        _V2_WRITTEN.replace("-60", "-60.5"),
        _written(rssi_dbm=-60.5),
    ),
    (
        "version 1",
        f'{{"v":1,"org":"SG_OTC","msg":"{TOKEN}","modelC":"iPhone 8","rssi":-60,"txPower":12}}',
        _written(version=1, tx_power_dbm=12),
    ),
    (
        "version 1 without a power",
        f'{{"v":1,"org":"SG_OTC","msg":"{TOKEN}","modelC":"iPhone 8","rssi":-60,"txPower":null}}',
        _written(version=1),
    ),
    *(
        (f"the level {level} stands for 'not known'", _V2_WRITTEN.replace("-60", level), none)
        for level in ("127", "-127", "0", "5", "-128", "100")
        for none in [_rejected("invalid_rssi")]
    ),
    ("no level", f'{{"id":"{TOKEN}","mc":"x","o":"y","v":2}}', _rejected("malformed")),
    ("a level that is text", _V2_WRITTEN.replace("-60", '"-60"'), _rejected("malformed")),
    ("a phone without a TempID", _V2_WRITTEN.replace(TOKEN, "not_found"), _rejected("no_msg")),
    ("the phone's own TempID", _V2_WRITTEN.replace(TOKEN, OWN), _rejected("self_tempid")),
    *((about, value, _rejected("malformed")) for about, value in _GARBAGE),
)
"""The same for a value that a central writes."""


def payload_vectors() -> dict[str, Any]:
    """Return the content of payloads.json."""
    read = encode_read(PeripheralPayload(OWN, OWN_MODEL, ORGANISATION))
    written = encode_write(CentralPayload(OWN, OWN_MODEL, ORGANISATION, -60.4))
    return {
        "about": "A phone of this model and organisation shows `tempid` and is at `now`. `send` is "
        "what it sends; keys may stand in another order. `read` and `written` are values that it "
        "gets from a peripheral or a central. It keeps `record`, or rejects the value and goes on.",
        "now": NOW,
        "tempid": OWN,
        "model": OWN_MODEL,
        "organisation": ORGANISATION,
        "max_bytes": MAX_PAYLOAD_BYTES,
        "send": {
            "value_to_be_read": {**_text_or_hex(read), "bytes": len(read)},
            "value_to_write": {
                "heard_at_rssi_dbm": -60.4,
                **_text_or_hex(written),
                "bytes": len(written),
            },
        },
        "heard": dict(HEARD),
        "read": [_case(*case) for case in READ],
        "written": [_case(*case) for case in WRITTEN],
    }


def _case(about: str, value: str | bytes, outcome: Mapping[str, object]) -> dict[str, object]:
    raw = value if isinstance(value, bytes) else value.encode()
    return {"about": about, **_text_or_hex(raw), **outcome}


def _text_or_hex(value: bytes) -> dict[str, object]:
    """Return a value as text, or as hexadecimal digits where it is no UTF-8."""
    try:
        return {"text": value.decode()}
    except UnicodeDecodeError:
        return {"hex": value.hex()}
